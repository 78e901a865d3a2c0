"""What several runs say together: mean, deviation and intervals, over the runs and over the clips.

A group is some runs of one recipe on one file, which differ in their seed or in the fold of the same kind of split.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikedata.baseline.protocol.evaluation import show_run
from spikedata.baseline.protocol.folder import CARD
from spikedata.baseline.protocol.identity import identity_of_card
from spikedata.baseline.protocol.statistics import (
    OverSeeds,
    numbers_of_ranges,
    over_all_seeds,
    over_clips,
    over_seeds,
)
from spikedata.baseline.training.checkpoint import difference

REFIT_NOTE = "trained anew on training and validation part; validation is of the run that chose"
FOLDS = "leave one speaker out"
_UNFINISHED = ".training"


def is_group(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is no run, but has runs right below it, finished or not."""
    return not Path(folder, CARD).is_file() and (has_finished_runs(folder) or bool(unfinished_runs(folder)))


def has_finished_runs(folder: str | os.PathLike[str]) -> bool:
    """Whether there is a finished run right below a folder."""
    return bool(_finished(folder))


def runs_of_group(group_dir: str | os.PathLike[str]) -> list[Path]:
    """The folders of the finished runs of a group, by name.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    runs = _finished(group_dir)
    if not runs:
        begun = unfinished_runs(group_dir)
        hint = f", {', '.join(begun)} unfinished: give the command that trains again" if begun else ""
        raise FileNotFoundError(f"{group_dir}: holds no finished run{hint}")
    return sorted(runs, key=lambda run: (len(run.name), run.name))


def unfinished_runs(group_dir: str | os.PathLike[str]) -> list[str]:
    """The names of the runs of a group that are begun and not finished."""
    names = (path.name.removesuffix(_UNFINISHED) for path in Path(group_dir).glob(f"[!.]*{_UNFINISHED}"))
    return sorted((name for name in names if not Path(group_dir, name, CARD).is_file()), key=lambda n: (len(n), n))


def require_one_group(group_dir: str | os.PathLike[str], cards: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise unless some runs may be averaged: one recipe, one file, one kind of split, and no training twice.

    Parameters
    ----------
    group_dir : str or path-like
        Their folder, for the message.
    cards : mapping of str to mapping
        Result card of each, by the name of the run.

    Raises
    ------
    ValueError
        If two of them differ in more, or in nothing; the message says which and in what.
    """
    (first, first_card), *others = cards.items()
    for name, card in others:
        found = difference(_of_group(first_card), _of_group(card))
        if found:
            found = found.replace(" there and ", f" in {first} and ").removesuffix(" here") + f" in {name}"
            raise ValueError(f"{group_dir}: is not one group of runs: {found}; name the runs one by one")
    seen: dict[str, str] = {}
    for name, card in cards.items():
        identity = identity_of_card(card) | {"keep_epochs": None}  # which changes no weight
        other = seen.setdefault(json.dumps(identity, sort_keys=True), name)
        if other != name:
            raise ValueError(
                f"{group_dir}: {name} and {other} are one training, which would count twice; move one away"
            )


def split_kind(card: Mapping[str, Any]) -> str:
    """The kind of a run's split: its name without those who are held out."""
    return str(card["split"]["name"]).partition(":")[0]


def summarize_group(group_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """What the runs of a group say together; it opens nothing and changes no card.

    Parameters
    ----------
    group_dir : str or path-like
        The folder of the runs.

    Returns
    -------
    dict
        ``runs`` with the accuracies of each; ``validation``, and ``test`` where all have been scored on the same
        file, with mean, deviation and interval over the runs, and ``clips``: accuracy and Wilson's interval over all
        clips together, each clip counted once, whichever runs tested it. Of several files the one counts that was
        scored last. The validation of refits is that of the runs that chose, each once. ``unheard`` is the test over
        speakers whom neither training nor validation part has, where they have others of it, and ``controls`` what is
        left under each control, ``selection_bias`` what picking the epoch on test would have claimed, where all runs
        have been scored so on the same file. ``unfinished`` are runs that are begun, ``untested`` speakers of folds
        whom no run tests.

    Raises
    ------
    FileNotFoundError
        If there is no finished run.
    ValueError
        If the runs are not one group (`require_one_group`), or a card is of another version.
    """
    cards = {path.name: show_run(path) for path in runs_of_group(group_dir)}
    require_one_group(group_dir, cards)
    tests = _tests_of_one_file(list(cards.values()))
    rows = [_row(name, card, test) for (name, card), test in zip(cards.items(), tests, strict=True)]
    known = [test for test in tests if test]
    is_whole = len(known) == len(tests)
    return {
        "runs": rows,
        "recipe": next(iter(cards.values()))["recipe"]["name"],
        "validation": over_seeds(validation_accuracies(list(cards.values())))._asdict(),
        "test": _entry(over_all_seeds([row["test"] for row in rows])),
        "tested_on": {"file": known[0]["file"], "part": known[0]["part"]} if is_whole else None,
        "clips": clips_entry(known) if is_whole else None,
        "unheard": _entry(over_all_seeds([_on_unseen_speakers(test) for test in tests])),
        "controls": _over_controls(list(cards.values()), known) if is_whole else {},
        "selection_bias": _over_biases(list(cards.values()), known) if is_whole else None,
        "unfinished": unfinished_runs(group_dir),
        "untested": _untested(list(cards.values())),
    }


def format_group(summary: dict[str, Any]) -> str:
    """The summary of a group as a table for people."""
    lines = [f"{'run':<20}{'seed':>6}{'validation':>12}{'test':>9}{'n':>7}{'time':>10}   test speakers"]
    for row in summary["runs"]:
        test = "-" if row["test"] is None else f"{row['test']:.1%}"
        speakers = " ".join(map(str, row["test_speakers"])) or "-"
        lines.append(
            f"{row['run']:<20}{row['seed']:>6}{row['validation']:>12.1%}{test:>9}{row['n'] or '-':>7}"
            f"{row['seconds']:>8.0f} s   {speakers}"
        )
    for part in ("validation", "test"):
        if summary[part]:
            lines.append(f"{part:<11}{_over_runs_text(summary[part])}")
    if summary["clips"]:
        low, high = summary["clips"]["interval_95"]
        found = f"{summary['clips']['accuracy']:.1%}, 95 % interval {low:.1%} to {high:.1%}"
        lines.append(f"{'':<11}over {summary['clips']['n']} clips of {summary['tested_on']['file']}: {found}")
    if summary["unheard"]:
        lines.append(f"{'':<11}over unseen speakers: {_over_runs_text(summary['unheard'])}")
    lines += [f"{'':<11}{name}: {_over_runs_text(found)}" for name, found in summary["controls"].items()]
    if summary["selection_bias"]:
        bias = summary["selection_bias"]
        lines.append(
            f"selection  picking the epochs on these test clips would have claimed {bias['picked']['mean']:.1%}, "
            f"{100 * bias['bias']['mean']:.1f} points too much; the bias, not a result"
        )
    if not summary["test"]:
        n_scored = sum(row["test"] is not None for row in summary["runs"])
        n_runs = len(summary["runs"])
        lines.append("test       " + (f"scored for {n_scored} of {n_runs} runs only" if n_scored else "not opened"))
    if summary["unfinished"]:
        lines.append(f"unfinished {', '.join(summary['unfinished'])}; not counted here")
    if summary["untested"]:
        lines.append(f"untested   speakers {' '.join(map(str, summary['untested']))}, whom no finished run leaves out")
    return "\n".join([*lines, REFIT_NOTE] if any(row["refit"] for row in summary["runs"]) else lines)


def validation_accuracies(cards: Sequence[Mapping[str, Any]]) -> list[float]:
    """The accuracies by which something was chosen, one for each choice: refits of the same run share one.

    Parameters
    ----------
    cards : sequence of mapping
        Result cards.
    """
    by_chooser = {(card.get("refit") or {}).get("weights", number): card for number, card in enumerate(cards)}
    return [card["validation"]["accuracy"] for card in by_chooser.values()]


def clips_entry(tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Accuracy and interval over the clips of some tests of the same file, each clip counted once.

    Parameters
    ----------
    tests : sequence of mapping
        One entry of ``tests`` of each card.
    """
    return over_clips(
        [(numbers_of_ranges(test["clips"]), numbers_of_ranges(test["wrong"])) for test in tests]
    )._asdict()


def _finished(folder: str | os.PathLike[str]) -> list[Path]:
    # what is hidden is a run that is just being written
    return [card.parent for card in Path(folder).glob(f"[!.]*/{CARD}")]


def _of_group(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the runs of a group share."""
    recipe = card["recipe"]
    return {
        "recipe": recipe["name"],
        "param": {name: value for name, value in recipe.items() if name != "name"},
        "SHA-256 of the data": card["data"]["sha256"],
        "kind of split": split_kind(card),
        "refit": bool(card.get("refit")),
    }


def _tests_of_one_file(cards: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
    """Of each run its test on the file that was scored last of those on which all have been; None without one."""
    by_file = [{test["sha256"]: test for test in card["tests"]} for card in cards]
    wanted = [sha256 for tests in by_file for sha256 in reversed(tests)]  # those of the first run first
    shared = [sha256 for sha256 in wanted if all(sha256 in tests for tests in by_file)]
    return [tests.get((shared or wanted or [""])[0]) for tests in by_file]


def _row(name: str, card: Mapping[str, Any], test: Mapping[str, Any] | None) -> dict[str, Any]:
    score = test["score"] if test else {}
    return {
        "run": name,
        "seed": card["seed"],
        "refit": card.get("refit"),
        "test_speakers": test["speakers"] if test else card["split"]["speakers"].get("test", []),
        "validation": card["validation"]["accuracy"],
        "test": score.get("accuracy"),
        "n": score.get("n"),
        "n_correct": score.get("n_correct"),
        "seconds": card["training"]["seconds"],
    }


def _entry(found: OverSeeds | None) -> dict[str, Any] | None:
    return found._asdict() if found else None


def _on_unseen_speakers(test: Mapping[str, Any] | None) -> float | None:
    """The accuracy of a test over speakers who are new, where others of it are not."""
    unseen = test.get("unheard") if test and test.get("speakers_seen") else None
    return unseen["accuracy"] if unseen else None


def _over_controls(cards: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same for each control, by its name, of the file of the tests."""
    sha256 = tests[0]["sha256"]
    scores = [
        {entry["control"]: entry["score"]["accuracy"] for entry in card["controls"] if entry["sha256"] == sha256}
        for card in cards
    ]
    found = {name: over_all_seeds([score.get(name) for score in scores]) for name in scores[0]}
    return {name: result._asdict() for name, result in found.items() if result}


def _over_biases(cards: Sequence[Mapping[str, Any]], tests: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What picking each run's epoch on the test clips would have claimed, of the file of the tests."""
    sha256 = tests[0]["sha256"]
    entries = [entry for card in cards for entry in card["selection_bias"] if entry["sha256"] == sha256]
    if len(entries) < len(cards):
        return None
    return {
        "picked": over_seeds([entry["picked_accuracy"] for entry in entries])._asdict(),
        "bias": over_seeds([entry["bias"] for entry in entries])._asdict(),
    }


def _untested(cards: Sequence[Mapping[str, Any]]) -> list[int]:
    """Speakers of a file whose folds are not all there: nobody has left them out."""
    if split_kind(cards[0]) != FOLDS:
        return []
    everybody = {who for card in cards for part in card["split"]["speakers"].values() for who in part}
    return sorted(everybody - {who for card in cards for who in card["split"]["speakers"]["test"]})


def _over_runs_text(result: dict[str, Any]) -> str:
    if result["deviation"] is None:
        return f"{result['mean']:.1%} (one run)"
    low, high = result["interval_95"]
    return (
        f"{result['mean']:.1%}, standard deviation {100 * result['deviation']:.1f} points over {result['n']} runs, "
        f"95 % interval of the mean {low:.1%} to {high:.1%}"
    )

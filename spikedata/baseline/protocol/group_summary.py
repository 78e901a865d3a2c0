"""What several runs say together: mean, deviation and intervals, over the runs and over the clips."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikedata.baseline.protocol.card import Card, ControlEntry
from spikedata.baseline.protocol.folder import CARD, read_card
from spikedata.baseline.protocol.statistics import OverSeeds, over_all_seeds, over_seeds, wilson_interval

REFIT_NOTE = "trained anew on training and validation part; validation is of the run that chose"


def is_group(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is no run, but has runs right below it."""
    return not Path(folder, CARD).is_file() and any(Path(folder).glob(f"*/{CARD}"))


def runs_of_group(group_dir: str | os.PathLike[str]) -> list[Path]:
    """The folders of the finished runs of a group, by name.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    runs = sorted(
        (card.parent for card in Path(group_dir).glob(f"*/{CARD}")), key=lambda run: (len(run.name), run.name)
    )
    if not runs:
        raise FileNotFoundError(f"{group_dir}: holds no finished run")
    return sorted(runs, key=lambda run: (len(run.name), run.name))


def summarize_group(group_dir: str | os.PathLike[str]) -> dict[str, Any]:
    """What the runs of a group say together.

    Parameters
    ----------
    group_dir : str or path-like
        The folder of the runs.

    Returns
    -------
    dict
        ``runs`` with the accuracies of each; ``validation``, and ``test`` where all have been scored, with mean,
        deviation and interval over the runs, and ``clips``: accuracy and Wilson's interval over all clips together,
        each clip counted once where several runs have the same. The validation of refits is that of the runs that
        chose, each once. ``unseen`` is the test over speakers who neither trained nor chose, where others of it
        did, and ``controls`` what is left under each control, where all runs have been
        scored so on the same file.

    Raises
    ------
    FileNotFoundError
        If there is no finished run.
    """
    runs = [(path.name, read_card(path)) for path in runs_of_group(group_dir)]
    rows = [_row(name, card) for name, card in runs]
    summary: dict[str, Any] = {
        "runs": rows,
        "recipe": runs[0][1].recipe.name,
        "validation": over_seeds(validation_accuracies([card for _, card in runs]))._asdict(),
        "test": _entry(over_all_seeds([row["test"] for row in rows])),
    }
    summary["clips"] = _over_clips(rows) if summary["test"] else None
    summary["unseen"] = _entry(over_all_seeds([_on_unseen_speakers(card) for _, card in runs]))
    summary["controls"] = _over_controls([card for _, card in runs])
    return summary


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
        lines.append(f"{'':<11}over {summary['clips']['n']} clips: {found}")
    if summary["unseen"]:
        lines.append(f"{'':<11}over unseen speakers: {_over_runs_text(summary['unseen'])}")
    lines += [f"{'':<11}{name}: {_over_runs_text(found)}" for name, found in summary["controls"].items()]
    lines += [] if summary["test"] else ["test       not opened"]
    return "\n".join([*lines, REFIT_NOTE] if any(row["refit"] for row in summary["runs"]) else lines)


def validation_accuracies(cards: Sequence[Card]) -> list[float]:
    """The accuracies by which something was chosen, one for each choice: refits of the same run share one.

    Parameters
    ----------
    cards : sequence of Card
        Result cards.
    """
    by_chooser = {card.refit.weights if card.refit else number: card for number, card in enumerate(cards)}
    return [card.validation.accuracy for card in by_chooser.values()]


def _row(name: str, card: Card) -> dict[str, Any]:
    test = card.tests[-1] if card.tests else None
    return {
        "run": name,
        "seed": card.seed,
        "refit": card.refit is not None,
        "test_speakers": list(test.speakers if test else card.split.speakers.get("test", ())),
        "validation": card.validation.accuracy,
        "test": test.score.accuracy if test else None,
        "n": test.score.n if test else None,
        "n_correct": test.score.n_correct if test else None,
        "seconds": card.training.seconds,
    }


def _entry(found: OverSeeds | None) -> dict[str, Any] | None:
    return found._asdict() if found else None


def _on_unseen_speakers(card: Card) -> float | None:
    """The accuracy of the last test over speakers that are new, where others of it are not."""
    test = card.tests[-1] if card.tests else None
    return test.unseen.accuracy if test and test.unseen and test.speakers_seen else None


def _over_controls(cards: Sequence[Card]) -> dict[str, Any]:
    """The same for each control, by its name, of the file that was tested last."""
    scores = [
        {entry.control: entry.score.accuracy for entry in card.controls if _is_of_last_test(entry, card)}
        for card in cards
    ]
    found = {name: over_all_seeds([score.get(name) for score in scores]) for name in scores[0]}
    return {name: result._asdict() for name, result in found.items() if result}


def _is_of_last_test(entry: ControlEntry, card: Card) -> bool:
    return bool(card.tests) and entry.sha256 == card.tests[-1].sha256


def _over_clips(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Accuracy and interval over all clips, of which runs with the same test speakers have the same."""
    n_times = len(rows) // len({tuple(row["test_speakers"]) for row in rows})
    n = sum(row["n"] for row in rows) // n_times
    n_correct = round(sum(row["n_correct"] for row in rows) / n_times)
    return {"n": n, "accuracy": n_correct / n, "interval_95": list(wilson_interval(n_correct, n))}


def _over_runs_text(result: dict[str, Any]) -> str:
    if result["deviation"] is None:
        return f"{result['mean']:.1%} (one run)"
    low, high = result["interval_95"]
    return (
        f"{result['mean']:.1%}, standard deviation {100 * result['deviation']:.1f} points over {result['n']} runs, "
        f"95 % interval of the mean {low:.1%} to {high:.1%}"
    )

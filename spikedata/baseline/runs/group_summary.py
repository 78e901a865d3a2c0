"""Summary of a group of runs: mean, standard deviation and intervals, over runs and over clips.

The runs of a group share recipe, file and kind of split; they differ in their seed or in the fold of the split.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spikedata.baseline.recipes.recipe import Recipe
from spikedata.baseline.recipes.structure import fields_to_json
from spikedata.baseline.runs.card import Card, DataEntry, RefitEntry, ScoredEntry, SplitEntry
from spikedata.baseline.runs.folder import read_card, runs_of_group, unfinished_runs
from spikedata.baseline.runs.identity import identity_of_card
from spikedata.baseline.runs.statistics import (
    OverClips,
    OverSeeds,
    numbers_of_ranges,
    over_all_seeds,
    over_clips,
    over_seeds,
)
from spikedata.splits.split import OWN
from spikedata.training.checkpoint import difference

REFIT_NOTE = "trained anew on training and validation part; validation is of the run that chose"
FOLDS = "leave_one_speaker_out"


@dataclass(frozen=True, kw_only=True)
class GroupRow:
    """Results of one run of a group.

    Attributes
    ----------
    run : str
        Name of its folder [1].
    seed : int
        Of its training [1].
    refit : RefitEntry or None
        Of a refit, the run that chose.
    test_speakers : tuple of int
        Who is tested [1].
    validation : float
        Accuracy that chose [1].
    test : float or None
        Accuracy on the test clips [1]; None where they are not opened.
    n, n_correct : int or None
        Test clips, and those whose class was found [1].
    seconds : float
        Time of the epochs [s].
    """

    run: str
    seed: int
    refit: RefitEntry | None
    test_speakers: tuple[int, ...]
    validation: float
    test: float | None
    n: int | None
    n_correct: int | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TestedClips:
    """Which clips were scored.

    Attributes
    ----------
    file, part : str
        The file, and what of it [1].
    n : int
        How many, each once [1].
    """

    __test__ = False  # no test of pytest's

    file: str
    part: str
    n: int


@dataclass(frozen=True, kw_only=True)
class GroupBias:
    """What picking each run's epoch on the test clips would have claimed.

    Attributes
    ----------
    picked : OverSeeds
        The accuracies of those epochs.
    bias : OverSeeds
        By how much they exceed the honest ones.
    """

    picked: OverSeeds
    bias: OverSeeds


@dataclass(frozen=True, kw_only=True)
class OverProbes:
    """What is left under a control on the validation parts, over runs.

    Attributes
    ----------
    same : OverSeeds or None
        Of the weights of the runs; None where not all have been probed.
    anew : OverSeeds or None
        Of weights that were trained anew under the control, likewise.
    """

    same: OverSeeds | None
    anew: OverSeeds | None


@dataclass(frozen=True, kw_only=True)
class GroupSummary:
    """Results of a group of runs.

    Attributes
    ----------
    runs : tuple of GroupRow
        Results of each run.
    recipe : str
        Name of their recipe [1].
    validation : OverSeeds
        Over the runs that chose: refits of the same run share one choice.
    test : OverSeeds or None
        Over the runs, where all have been scored on the same file.
    tested_on : TestedClips or None
        That file; of several the one that was scored last.
    clips : OverClips or None
        Over all clips together, each counted once, whichever runs tested it.
    unseen : OverSeeds or None
        Over the speakers who neither trained nor chose, where others of the test did.
    controls : dict of str to OverSeeds
        What is left under each control, where all runs have been scored so on that file.
    probes : dict of str to OverProbes
        What is left under each control on the validation parts.
    selection_bias : GroupBias or None
        Likewise, what picking the epoch on test would have claimed.
    unfinished : tuple of str
        Runs that are begun [1].
    untested : tuple of int
        Speakers of folds whom no run tests [1].
    """

    runs: tuple[GroupRow, ...]
    recipe: str
    validation: OverSeeds
    test: OverSeeds | None
    tested_on: TestedClips | None
    clips: OverClips | None
    unseen: OverSeeds | None
    controls: dict[str, OverSeeds]
    probes: dict[str, OverProbes]
    selection_bias: GroupBias | None
    unfinished: tuple[str, ...]
    untested: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        return fields_to_json(self, "group")


def require_one_group(group_dir: str | os.PathLike[str], cards: Mapping[str, Card]) -> None:
    """Raise ValueError unless runs may be averaged: one recipe, one file, one kind of split, and no training twice.

    Parameters
    ----------
    group_dir : str or path-like
        Their folder, for the message.
    cards : mapping of str to Card
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


def require_group_of(
    group_dir: str | os.PathLike[str],
    cards: Mapping[str, Card],
    *,
    recipe: Recipe,
    data: DataEntry,
    split: SplitEntry,
    is_refit: bool,
) -> None:
    """Raise unless a training that is still to be made belongs to the group of runs that are there.

    Parameters
    ----------
    group_dir : str or path-like
        Their folder, for the message.
    cards : mapping of str to Card
        Result card of each, by the name of the run.
    recipe, data, split, is_refit
        What will be said on the card of the training.

    Raises
    ------
    ValueError
        If it does not; the message says which run differs and in what.
    """
    planned = _shared(recipe, data, split, is_refit=is_refit)
    for name, card in cards.items():
        found = difference(_of_group(card), planned)
        if found:
            found = found.replace(" there and ", f" in {name} and ")
            raise ValueError(f"{group_dir}: is not one group of runs: {found}; train into another folder")


def summarize_group(group_dir: str | os.PathLike[str]) -> GroupSummary:
    """Summary of the runs of a group; opens no test clips and changes no card.

    Parameters
    ----------
    group_dir : str or path-like
        The folder of the runs.

    Raises
    ------
    FileNotFoundError
        If there is no finished run.
    ValueError
        If the runs are not one group (`require_one_group`), or a card is of another version.
    """
    by_name = {path.name: read_card(path) for path in runs_of_group(group_dir)}
    require_one_group(group_dir, by_name)
    cards = list(by_name.values())
    tests = _tests_of_one_file(cards)
    known = [test for test in tests if test]
    is_whole = len(known) == len(tests)
    rows = tuple(_row(name, card, test) for (name, card), test in zip(by_name.items(), tests, strict=True))
    clips = over_tested_clips(known) if is_whole else None
    return GroupSummary(
        runs=rows,
        recipe=cards[0].recipe.name,
        validation=over_seeds(validation_accuracies(cards)),
        test=over_all_seeds([row.test for row in rows]),
        tested_on=TestedClips(file=known[0].file, part=known[0].part, n=clips.n) if clips else None,
        clips=clips,
        unseen=over_all_seeds([_on_unseen_speakers(test) for test in tests]),
        controls=_over_controls(cards, known) if is_whole else {},
        probes=over_probes(cards),
        selection_bias=_over_biases(cards, known) if is_whole else None,
        unfinished=tuple(unfinished_runs(group_dir)),
        untested=_untested(cards),
    )


def format_group(summary: GroupSummary) -> str:
    """The summary of a group as a table for people."""
    lines = [f"{'run':<20}{'seed':>6}{'validation':>12}{'test':>9}{'n':>7}{'time':>10}   test speakers"]
    for row in summary.runs:
        test = "-" if row.test is None else f"{row.test:.1%}"
        speakers = " ".join(map(str, row.test_speakers)) or "-"
        lines.append(
            f"{row.run:<20}{row.seed:>6}{row.validation:>12.1%}{test:>9}{row.n or '-':>7}"
            f"{row.seconds:>8.0f} s   {speakers}"
        )
    return "\n".join([*lines, *(f"{name:<11}{said}" for name, said in group_lines(summary)), *_refit_note(summary)])


def group_lines(summary: GroupSummary) -> list[tuple[str, str]]:
    """What a summary says over its runs, in words: what it is about (empty where that goes on), and a line of text.

    Parameters
    ----------
    summary : GroupSummary
        From `summarize_group`.
    """
    lines = [("validation", _over_runs_text(summary.validation))]
    if summary.test:
        lines.append(("test", _over_runs_text(summary.test)))
    if summary.clips and summary.tested_on:
        low, high = summary.clips.interval_95
        found = f"{summary.clips.accuracy:.1%}, 95 % interval {low:.1%} to {high:.1%}"
        lines.append(("", f"over {summary.clips.n} clips of {summary.tested_on.file}: {found}"))
    if summary.unseen:
        lines.append(("", f"over unseen speakers: {_over_runs_text(summary.unseen)}"))
    lines += [("", f"{name}: {_over_runs_text(found)}") for name, found in summary.controls.items()]
    for name, probe in summary.probes.items():
        for left, weights in ((probe.same, "with these weights"), (probe.anew, "trained anew")):
            lines += [("probe", f"{name}, {weights}: {_over_runs_text(left)}")] if left else []
    if summary.selection_bias:
        picked, bias = summary.selection_bias.picked.mean, summary.selection_bias.bias.mean
        lines.append(
            (
                "selection",
                f"picking the epochs on these test clips would have claimed {picked:.1%}, "
                f"{100 * bias:.1f} points too much; the bias, not a result",
            )
        )
    if not summary.test:
        n_scored, n_runs = sum(row.test is not None for row in summary.runs), len(summary.runs)
        lines.append(("test", f"scored for {n_scored} of {n_runs} runs only" if n_scored else "not opened"))
    if summary.unfinished:
        lines.append(("unfinished", f"{', '.join(summary.unfinished)}; not counted here"))
    if summary.untested:
        who = " ".join(map(str, summary.untested))
        lines.append(("untested", f"speakers {who}, whom no finished run leaves out"))
    return lines


def _refit_note(summary: GroupSummary) -> list[str]:
    return [REFIT_NOTE] if any(row.refit for row in summary.runs) else []


def validation_accuracies(cards: Sequence[Card]) -> list[float]:
    """The accuracies by which something was chosen, one for each choice: refits of the same run share one.

    Parameters
    ----------
    cards : sequence of Card
        Result cards.
    """
    by_chooser = {card.refit.weights if card.refit else number: card for number, card in enumerate(cards)}
    return [card.validation.accuracy for card in by_chooser.values()]


def over_tested_clips(tests: Sequence[ScoredEntry]) -> OverClips:
    """Accuracy and interval over the clips of some tests of the same file, each clip counted once.

    Parameters
    ----------
    tests : sequence of ScoredEntry
        One of each run.
    """
    return over_clips([(numbers_of_ranges(test.clips), numbers_of_ranges(test.wrong)) for test in tests])


def _of_group(card: Card) -> dict[str, Any]:
    """What the runs of a group share."""
    return _shared(card.recipe, card.data, card.split, is_refit=bool(card.refit))


def _shared(recipe: Recipe, data: DataEntry, split: SplitEntry, *, is_refit: bool) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "param": recipe.structure,
        "SHA-256 of the data": data.identity,
        "split": split.name if split.kind == OWN else split.kind,
        "refit": is_refit,
    }


def _tests_of_one_file(cards: Sequence[Card]) -> list[ScoredEntry | None]:
    """Of each run its test on the file that was scored last of those on which all have been; None without one."""
    by_file = [{test.sha256: test for test in card.tests} for card in cards]
    wanted = [sha256 for tests in by_file for sha256 in reversed(tests)]  # those of the first run first
    shared = [sha256 for sha256 in wanted if all(sha256 in tests for tests in by_file)]
    return [tests.get((shared or wanted or [""])[0]) for tests in by_file]


def _row(name: str, card: Card, test: ScoredEntry | None) -> GroupRow:
    return GroupRow(
        run=name,
        seed=card.seed,
        refit=card.refit,
        test_speakers=test.speakers if test else card.split.speakers.get("test", ()),
        validation=card.validation.accuracy,
        test=test.score.accuracy if test else None,
        n=test.score.n if test else None,
        n_correct=test.score.n_correct if test else None,
        seconds=card.training.seconds,
    )


def _on_unseen_speakers(test: ScoredEntry | None) -> float | None:
    """The accuracy of a test over speakers who are new, where others of it are not."""
    return test.unseen.accuracy if test and test.unseen and test.speakers_seen else None


def _over_controls(cards: Sequence[Card], tests: Sequence[ScoredEntry]) -> dict[str, OverSeeds]:
    """The same for each control, by its name, of the file of the tests."""
    scores = [
        {entry.control: entry.score.accuracy for entry in card.controls if entry.sha256 == tests[0].sha256}
        for card in cards
    ]
    found = {name: over_all_seeds([score.get(name) for score in scores]) for name in scores[0]}
    return {name: result for name, result in found.items() if result}


def over_probes(cards: Sequence[Card]) -> dict[str, OverProbes]:
    """What is left under each control on the validation parts of some runs, by the name of the control.

    Parameters
    ----------
    cards : sequence of Card
        Result cards; a control counts where all have been put under it.
    """
    by_card = [
        {(probe.control, probe.weights): probe.score.accuracy for probe in card.probes if probe.part == _VALIDATION}
        for card in cards
    ]
    names = dict.fromkeys(name for found in by_card for name, _ in found)
    over = {
        name: OverProbes(
            same=over_all_seeds([found.get((name, "same")) for found in by_card]),
            anew=over_all_seeds([found.get((name, "anew")) for found in by_card]),
        )
        for name in names
    }
    return {name: probe for name, probe in over.items() if probe.same or probe.anew}


_VALIDATION = "validation part"


def _over_biases(cards: Sequence[Card], tests: Sequence[ScoredEntry]) -> GroupBias | None:
    """What picking each run's epoch on the test clips would have claimed, of the file of the tests."""
    entries = [entry for card in cards for entry in card.selection_bias if entry.sha256 == tests[0].sha256]
    if len(entries) < len(cards):
        return None
    picked, bias = ([getattr(entry, name) for entry in entries] for name in ("picked_accuracy", "bias"))
    return GroupBias(picked=over_seeds(picked), bias=over_seeds(bias))


def _untested(cards: Sequence[Card]) -> tuple[int, ...]:
    """Speakers of a file whose folds are not all there: nobody has left them out."""
    if cards[0].split.kind != FOLDS:
        return ()
    everybody = {who for card in cards for part in card.split.speakers.values() for who in part}
    return tuple(sorted(everybody - {who for card in cards for who in card.split.speakers["test"]}))


def _over_runs_text(result: OverSeeds) -> str:
    if result.deviation is None or result.interval_95 is None:
        return f"{result.mean:.1%} (one run)"
    low, high = result.interval_95
    return (
        f"{result.mean:.1%}, standard deviation {100 * result.deviation:.1f} points over {result.n} runs, "
        f"95 % interval of the mean {low:.1%} to {high:.1%}"
    )

"""All result cards below a folder as one table: runs that differ in their seed alone are one line."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.baseline.recipes.catalog import RECIPES
from spikedata.baseline.recipes.recipe import Recipe, changed_params
from spikedata.baseline.recipes.structure import fields_to_json
from spikedata.baseline.runs.card import Card, Measures, ScoredEntry
from spikedata.baseline.runs.card_text import neurobench_columns
from spikedata.baseline.runs.evaluation import control_name
from spikedata.baseline.runs.folder import CARD, read_card
from spikedata.baseline.runs.group_summary import (
    FOLDS,
    REFIT_NOTE,
    OverProbes,
    TestedClips,
    over_probes,
    over_tested_clips,
    validation_accuracies,
)
from spikedata.baseline.runs.probes import ANEW, PROBES
from spikedata.baseline.runs.statistics import OverSeeds, over_all_seeds, over_seeds
from spikedata.printable import in_columns, printable
from spikedata.transforms.named import CONTROLS

_COLUMNS = (
    "recipe", "runs", "parameters", "validation", "test", "n", "95 % interval", "unseen speakers", "spikes",
    "operations", "time",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LeaderboardLine:
    """Runs that differ in their seed alone, or in the speaker who is left out.

    Attributes
    ----------
    recipe : str
        Name of their recipe [1].
    changed : dict of str to object
        In which params it differs from the one of its name: the catalog's, or the first of that name that was found.
    data, split : str
        Names of the file and of the split [1].
    seeds : tuple of int
        Of each run [1].
    parameters : int
        Size of the network [1].
    measures : Measures
        What it costs, as means over the runs.
    seconds : float
        Mean time of the epochs [s].
    validation : OverSeeds
        Accuracies that chose.
    test : OverSeeds or None
        Accuracies on the test clips; None where they are not opened.
    tested_on : TestedClips or None
        Those clips.
    interval_95 : tuple of float or None
        Wilson's of a single run [1].
    unseen : OverSeeds or None
        Accuracies over unseen speakers.
    marks : tuple of str
        What makes a number less than it seems [1]: speakers that are in two parts or unknown, test speakers who
        trained or chose, or may have, a test part that was opened more than once, code of one's own that has changed
        since the training, clips under a control; and of a
        refit, that its validation score is that of the run that chose.
    probes : dict of str to OverProbes
        What is left under each control on the validation parts.
    """

    recipe: str
    changed: dict[str, Any]
    data: str
    split: str
    seeds: tuple[int, ...]
    parameters: int
    measures: Measures
    seconds: float
    validation: OverSeeds
    test: OverSeeds | None
    tested_on: TestedClips | None
    interval_95: tuple[float, float] | None
    unseen: OverSeeds | None
    marks: tuple[str, ...]
    probes: dict[str, OverProbes]


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """All result cards below a folder, as lines of a table.

    Attributes
    ----------
    lines : tuple of LeaderboardLine
        The best test accuracy first, those without one last.
    unreadable : tuple of str
        A reason for each card that could not be used [1].
    """

    lines: tuple[LeaderboardLine, ...]
    unreadable: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        return fields_to_json(self, "leaderboard")


class _Member(NamedTuple):
    card: Card
    test: ScoredEntry | None


def leaderboard(folder: str | os.PathLike[str], *others: str | os.PathLike[str]) -> Leaderboard:
    """The leaderboard of all result cards below a folder, or below several.

    Parameters
    ----------
    folder, *others : str or path-like
        Folders to search, at any depth; a run is found in its own.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no card below one of them.
    """
    paths = [path for place in (folder, *others) for path in _cards_below(place)]
    groups: dict[str, dict[str, _Member]] = {}
    usual, unreadable = dict(RECIPES), []
    for path in paths:
        try:
            card = read_card(path.parent)
        except ValueError as error:
            unreadable.append(str(error))
            continue
        usual.setdefault(card.recipe.name, card.recipe)
        for test in card.tests or (None,):
            members = groups.setdefault(_key(card, test), {})
            members.setdefault(card.network.sha256, _Member(card, test))  # a copied folder counts once
    lines = [_line(list(members.values()), usual) for members in groups.values()]
    lines.sort(key=lambda line: line.test.mean if line.test else -1.0, reverse=True)
    return Leaderboard(lines=tuple(lines), unreadable=tuple(unreadable))


class BoardTable(NamedTuple):
    """A leaderboard as texts.

    Attributes
    ----------
    columns : tuple of str
        Heading of each column.
    rows : list of tuple of str
        The cells of each line.
    notes : list of str
        What the marks in the cells mean, from (1).
    """

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: list[str]


def leaderboard_table(board: Leaderboard, *, probes: bool = False, neurobench: bool = False) -> BoardTable:
    """The cells of a leaderboard, and what their marks mean.

    Parameters
    ----------
    board : Leaderboard
        As `leaderboard` gives it.
    probes : bool
        Whether to show what is left under each control, with the same weights and trained anew.
    neurobench : bool
        Whether to show the columns of NeuroBench (Yik et al., Nature Communications 16:1545, 2025).
    """
    notes: dict[str, int] = {}
    rows = [_cells(line, notes) for line in board.lines]
    columns: tuple[str, ...] = _COLUMNS
    if probes:
        names = tuple(dict.fromkeys([*PROBES, *(name for line in board.lines for name in line.probes)]))
        columns += tuple(name.replace("_", " ") for name in names)
        notes.setdefault(_OF_PROBES, len(notes) + 1)
        found = [tuple(_probe_cell(line.probes.get(name)) for name in names) for line in board.lines]
        rows = [(*row, *cells) for row, cells in zip(rows, found, strict=True)]
    if neurobench:
        costs = [neurobench_columns(line.measures) for line in board.lines]
        columns += tuple(costs[0]) if costs else ()
        rows = [(*row, *cost.values()) for row, cost in zip(rows, costs, strict=True)]
    return BoardTable(columns, rows, list(notes))


_OF_PROBES = "probes: accuracy on the validation part with the same weights / trained anew under the control"


def _probe_cell(found: OverProbes | None) -> str:
    if found is None:
        return "-"
    return " / ".join("-" if one is None else _accuracy(one) for one in (found.same, found.anew))


def format_leaderboard(
    board: Leaderboard, *, markdown: bool = False, probes: bool = False, neurobench: bool = False
) -> str:
    """A leaderboard as a table, of Markdown or for a terminal, its marks explained below.

    Parameters
    ----------
    board : Leaderboard
        As `leaderboard` gives it.
    markdown : bool
        Whether as Markdown.
    probes, neurobench : bool
        Which columns to add: see `leaderboard_table`.
    """
    columns, rows, notes = leaderboard_table(board, probes=probes, neurobench=neurobench)
    if markdown:
        rule = "|---|" + "---:|" * (len(columns) - 1)
        table = [_markdown_row(columns), rule, *(_markdown_row(row) for row in rows)]
        below = [f"\n({number}) {note}" for number, note in enumerate(notes, 1)]
    else:
        table = in_columns([columns, *rows], to_the_right=True)
        below = [f"({number}) {note}" for number, note in enumerate(notes, 1)]
    return "\n".join([*table, *below, *(f"left out: {printable(reason)}" for reason in board.unreadable)])


def _cards_below(folder: str | os.PathLike[str]) -> list[Path]:
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    paths = [path for path in sorted(Path(folder).rglob(CARD)) if not _is_of_another(path.parent)]
    if not paths:
        raise FileNotFoundError(f"{folder}: no {CARD} below it: train a run first")
    return paths


def _is_of_another(run: Path) -> bool:
    """Whether a run is being written, or belongs to another whose card says what became of it."""
    return run.name.endswith(".part") or (run.parent.name.endswith(ANEW) and run.name in CONTROLS)


def _key(card: Card, test: ScoredEntry | None) -> str:
    """The key that runs must share to be one line."""
    is_fold = card.split.kind == FOLDS
    tested = None if test is None else (test.part, "folds" if is_fold else test.sha256)
    divided = [FOLDS if is_fold else card.split.digest, bool(card.refit)]
    parts = [card.recipe.name, card.recipe.structure, card.data.identity, divided, tested]
    return json.dumps(parts, sort_keys=True)


def _line(members: Sequence[_Member], usual: dict[str, Recipe]) -> LeaderboardLine:
    cards, tests = [member.card for member in members], [member.test for member in members if member.test]
    first = cards[0]
    tested = None
    if tests:
        tested = TestedClips(file=tests[0].file, part=tests[0].part, n=over_tested_clips(tests).n)
    return LeaderboardLine(
        recipe=first.recipe.name,
        changed=changed_params(first.recipe, usual[first.recipe.name]),
        data=first.data.file,
        split=first.split.name,
        seeds=tuple(card.seed for card in cards),
        parameters=first.network.parameters,
        measures=_mean_measures([card.measures for card in cards]),
        seconds=_mean([card.training.seconds for card in cards]),
        validation=over_seeds(validation_accuracies(cards)),
        test=over_all_seeds([test.score.accuracy for test in tests]),
        tested_on=tested,
        interval_95=tests[0].score.interval_95 if len(tests) == 1 else None,
        unseen=over_all_seeds([test.unseen.accuracy if test.unseen else None for test in tests]),
        marks=tuple(sorted({mark for card, test in members for mark in _marks(card, test)})),
        probes=over_probes(cards),
    )


def _marks(card: Card, test: ScoredEntry | None) -> list[str]:
    apart, control = card.split.speakers_apart, control_name(card.recipe)
    marks = [] if apart else ["speakers are in two parts" if apart is False else "speakers are unknown"]
    marks += [] if control == "none" else [f"trained and scored under the control {control}"]
    marks += [REFIT_NOTE] if card.refit else []
    if test is not None:
        marks += ["test speakers are in training"] if test.speakers_trained else []
        marks += ["test speakers chose the epoch"] if test.speakers_chose else []
        marks += ["whether test speakers are in training is not known"] if test.same_numbering is None else []
        marks += ["scored with code that has changed since the training"] if test.code else []
        marks += [f"test part opened {test.times_opened} times"] if test.times_opened > 1 else []
    return marks


def _cells(line: LeaderboardLine, notes: dict[str, int]) -> tuple[str, ...]:
    numbers = "".join(f" ({notes.setdefault(mark, len(notes) + 1)})" for mark in line.marks)
    changed = "".join(f" {name}={_shown(name, value)}" for name, value in line.changed.items())
    interval = line.interval_95 or (line.test.interval_95 if line.test else None)
    measures = line.measures
    return (
        f"{line.recipe}{changed}",
        str(len(line.seeds)),
        f"{line.parameters:,}",
        _accuracy(line.validation),
        f"{_accuracy(line.test)}{numbers}",
        str(line.tested_on.n) if line.tested_on else "-",
        f"{interval[0]:.1%} to {interval[1]:.1%}" if interval else "-",
        _accuracy(line.unseen) if line.unseen else "-",
        "-" if measures.spikes is None else f"{measures.spikes:,.0f}",
        _operations(measures),
        f"{line.seconds:,.0f} s",
    )


def _shown(name: str, value: Any) -> Any:
    return value[:12] if name == "sha256" and isinstance(value, str) else value


def _accuracy(result: OverSeeds | None) -> str:
    if result is None:
        return "not opened"
    spread = "" if result.deviation is None else f" ± {100 * result.deviation:.1f}"
    return f"{100 * result.mean:.1f}{spread} %"


def _mean_measures(measures: Sequence[Measures]) -> Measures:
    """What varies with the weights as means; size and steps are the same in all."""
    first = measures[0]
    return replace(
        first,
        spikes=_mean_known([one.spikes for one in measures]),
        activation_sparsity=_mean_known([one.activation_sparsity for one in measures]),
        effective_acs=_mean_known([one.effective_acs for one in measures]),
        effective_macs=_mean_known([one.effective_macs for one in measures]),
        membrane_updates=_mean_known([one.membrane_updates for one in measures]),
        connection_sparsity=_mean_known([one.connection_sparsity for one in measures]),
    )


def _mean_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _mean(known) if known else None


def _operations(measures: Measures) -> str:
    additions, multiplications = measures.effective_acs, measures.effective_macs
    return "-" if additions is None or multiplications is None else f"{additions + multiplications:,.0f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""All result cards below a folder as one table: runs that differ in their seed alone are one line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikedata.baseline.protocol.folder import CARD, CARD_FORMAT, read_card
from spikedata.baseline.protocol.group_summary import (
    FOLDS,
    REFIT_NOTE,
    clips_entry,
    split_kind,
    validation_accuracies,
)
from spikedata.baseline.protocol.statistics import over_all_seeds, over_seeds
from spikedata.baseline.recipes.catalog import RECIPES

_COLUMNS = (
    "recipe", "runs", "parameters", "validation", "test", "n", "95 % interval", "unseen speakers", "spikes",
    "operations", "time",
)  # fmt: skip


def leaderboard(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What all result cards below a folder say.

    Parameters
    ----------
    folder : str or path-like
        Where to look, however deep.

    Returns
    -------
    dict
        ``lines``, the best test accuracy first, those without one last; and ``unreadable``, a reason for each card
        that could not be used. A line has ``marks`` for what makes a number less than it seems: speakers that are in
        two parts or unknown, test speakers who are in training, a test part that was opened more than once,
        clips under a control; and for a refit, whose validation score is that of the run that chose.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no card below it.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    paths = [path for path in sorted(Path(folder).rglob(CARD)) if not path.parent.name.endswith(".part")]
    if not paths:
        raise FileNotFoundError(f"{folder}: no {CARD} below it: train a run first")
    groups: dict[str, dict[str, dict[str, Any]]] = {}
    unreadable = []
    for path in paths:
        try:
            card = read_card(path.parent)
            if card.get("card_format") != CARD_FORMAT:
                raise ValueError(f"{path}: card_format must be {CARD_FORMAT}, got {card.get('card_format')}")
            for test in card["tests"] or [None]:
                members = groups.setdefault(_key(card, test), {})
                members.setdefault(card["network"]["sha256"], {"card": card, "test": test})  # a copy is no other run
        except (KeyError, TypeError, ValueError) as error:
            unreadable.append(f"{path}: no entry {error}" if isinstance(error, KeyError) else str(error))
    lines = [_line(list(members.values())) for members in groups.values()]
    lines.sort(key=lambda line: line["test"]["mean"] if line["test"] else -1.0, reverse=True)
    return {"lines": lines, "unreadable": unreadable}


def format_leaderboard(board: Mapping[str, Any], *, markdown: bool = False) -> str:
    """A leaderboard as a table, of Markdown or for a terminal, its marks explained below.

    Parameters
    ----------
    board : mapping
        As `leaderboard` gives it.
    markdown : bool
        Whether as Markdown.
    """
    notes: dict[str, int] = {}
    rows = [_cells(line, notes) for line in board["lines"]]
    if markdown:
        rule = "|---|" + "---:|" * (len(_COLUMNS) - 1)
        table = [_markdown_row(_COLUMNS), rule, *(_markdown_row(row) for row in rows)]
        below = [f"\n({number}) {note}" for note, number in notes.items()]
    else:
        widths = [max(len(row[i]) for row in [_COLUMNS, *rows]) for i in range(len(_COLUMNS))]
        table = [_text_row(row, widths) for row in [_COLUMNS, *rows]]
        below = [f"({number}) {note}" for note, number in notes.items()]
    return "\n".join([*table, *below, *(f"left out: {reason}" for reason in board["unreadable"])])


def _key(card: dict[str, Any], test: dict[str, Any] | None) -> str:
    """What runs must share to be one line."""
    split = card["split"]
    is_fold = split_kind(card) == FOLDS
    tested = None if test is None else (test["part"], "folds" if is_fold else test["sha256"])
    divided = [FOLDS if is_fold else split["digest"], bool(card.get("refit"))]
    parts = [card["recipe"], card["data"]["sha256"], divided, tested]
    return json.dumps(parts, sort_keys=True)


def _line(members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    cards, tests = [member["card"] for member in members], [member["test"] for member in members]
    first, scores = cards[0], [test["score"] for test in tests if test]
    n_clips = clips_entry([test for test in tests if test])["n"] if scores else 0
    unheard = over_all_seeds([((test or {}).get("unheard") or {}).get("accuracy") for test in tests])
    return {
        "recipe": first["recipe"]["name"],
        "changed": _changed(first["recipe"]),
        "data": first["data"]["file"],
        "split": first["split"]["name"],
        "seeds": [card["seed"] for card in cards],
        "parameters": first["network"]["parameters"],
        "measures": {name: _mean([card["measures"][name] for card in cards]) for name in first["measures"]},
        "seconds": _mean([card["training"]["seconds"] for card in cards]),
        "validation": over_seeds(validation_accuracies(cards))._asdict(),
        "test": over_seeds([score["accuracy"] for score in scores])._asdict() if scores else None,
        "tested_on": {"file": tests[0]["file"], "part": tests[0]["part"], "n": n_clips} if scores else None,
        "interval_95": scores[0]["interval_95"] if len(scores) == 1 else None,
        "unheard": None if unheard is None else unheard._asdict(),
        "marks": sorted({mark for card, test in zip(cards, tests, strict=True) for mark in _marks(card, test)}),
    }


def _marks(card: dict[str, Any], test: dict[str, Any] | None) -> list[str]:
    apart, control = card["split"]["speakers_apart"], card["recipe"]["params"].get("control", "none")
    marks = [] if apart else ["speakers are in two parts" if apart is False else "speakers are unknown"]
    marks += [] if control == "none" else [f"trained and scored under the control {control}"]
    marks += [REFIT_NOTE] if card.get("refit") else []
    if test is not None:
        marks += ["test speakers are in training"] if test["speakers_seen"] else []
        marks += [f"test part opened {test['times_opened']} times"] if test["times_opened"] > 1 else []
    return marks


def _changed(recipe: dict[str, Any]) -> dict[str, Any]:
    usual = RECIPES[recipe["name"]].params if recipe["name"] in RECIPES else {}
    as_json = json.loads(json.dumps(usual))
    return {name: value for name, value in recipe["params"].items() if value != as_json.get(name)}


def _cells(line: dict[str, Any], notes: dict[str, int]) -> tuple[str, ...]:
    numbers = "".join(f" ({notes.setdefault(mark, len(notes) + 1)})" for mark in line["marks"])
    changed = "".join(f" {name}={value}" for name, value in line["changed"].items())
    interval = line["interval_95"] or (line["test"] or {}).get("interval_95")
    measures = line["measures"]
    return (
        f"{line['recipe']}{changed}",
        str(len(line["seeds"])),
        f"{line['parameters']:,}",
        _accuracy(line["validation"]),
        f"{_accuracy(line['test'])}{numbers}",
        str(line["tested_on"]["n"]) if line["tested_on"] else "-",
        f"{interval[0]:.1%} to {interval[1]:.1%}" if interval else "-",
        _accuracy(line["unheard"]) if line["unheard"] else "-",
        "-" if measures["spikes"] is None else f"{measures['spikes']:,.0f}",
        f"{measures['effective_acs'] + measures['effective_macs']:,.0f}",
        f"{line['seconds']:,.0f} s",
    )


def _accuracy(result: dict[str, Any] | None) -> str:
    if result is None:
        return "not opened"
    spread = "" if result["deviation"] is None else f" ± {100 * result['deviation']:.1f}"
    return f"{100 * result['mean']:.1f}{spread} %"


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text_row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.ljust(widths[0]) if i == 0 else cell.rjust(widths[i]) for i, cell in enumerate(cells))
    return "  ".join([first, *others]).rstrip()

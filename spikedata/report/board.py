"""The page of several runs: the leaderboard with its marks, and the accuracies with their intervals."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from spikedata.baseline.runs.leaderboard import LeaderboardLine, leaderboard, leaderboard_table
from spikedata.report.charts import Whisker, axis, whiskers
from spikedata.report.page import (
    USUAL_SIZE,
    Report,
    Section,
    Tile,
    build_page,
    check_page,
    paragraphs,
    table,
    text,
    write_page,
)

_MOST_DRAWN = 40  # lines


def report_board(
    runs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    max_size: float = USUAL_SIZE,
    title: str | None = None,
    overwrite: bool = False,
) -> Report:
    """Write one HTML page that compares all runs below some folders; it opens no test part and changes no card.

    Parameters
    ----------
    runs : path-like, or sequence of path-like
        Folders to search for result cards, at any depth, or runs themselves.
    out : str or path-like
        The page to write, which ends in .html.
    max_size : float
        The largest size of the page [MB].
    title : str, optional
        Its heading.
    overwrite : bool
        Whether an existing page may be replaced.

    Returns
    -------
    Report

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no result card below one.
    ValueError
        If the page would be too large.
    OutputError
        If the page cannot be written.
    """
    check_page(out, overwrite=overwrite, max_size=max_size)
    folders = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    board = leaderboard(*folders)
    columns, rows, notes = leaderboard_table(board)
    numbered = [f"({number}) {note}" for number, note in enumerate(notes, 1)]
    cells = [
        (*(text(cell) for cell in row[:1]), text(line.data), *map(text, row[1:]))
        for row, line in zip(rows, board.lines, strict=True)
    ]
    shown = [
        table(
            "Runs that differ in their seed alone are one line; the best test accuracy is first",
            (columns[0], "data", *columns[1:]),
            cells,
            n_texts=2,
        ),
        paragraphs(numbered),
    ]
    shown.append(paragraphs([f"Left out: {reason}" for reason in board.unreadable], kind="note"))
    drawn = [_whisker(line) for line in board.lines[:_MOST_DRAWN]]
    said = (
        "Accuracy with its 95 % interval on the test part, in blue; where that is not opened, on the validation part, "
        "in orange and without interval."
    )
    shown.append(whiskers(said, axis("accuracy [%]", 100.0), drawn))
    n_runs, n_tested = sum(len(line.seeds) for line in board.lines), sum(line.test is not None for line in board.lines)
    tiles = [
        Tile(f"{n_runs:,}", "runs"),
        Tile(f"{len(board.lines):,}", "lines"),
        Tile(f"{n_tested:,}", "lines with a test score"),
    ]
    name = title or (Path(folders[0]).absolute().name if len(folders) == 1 else f"{len(folders)} folders of runs")
    files = sorted({line.data for line in board.lines})
    lead = f"Runs on {', '.join(files[:5])}{f' and {len(files) - 5} more files' if len(files) > 5 else ''}, compared."
    page = build_page(name, lead, tiles, [Section("Leaderboard", "\n".join(shown))], kind="folder of runs")
    write_page(out, page, max_size=max_size, overwrite=overwrite)
    return Report(str(out), "board", 0, len(page), tuple(f"left out: {reason}" for reason in board.unreadable))


def _whisker(line: LeaderboardLine) -> Whisker:
    changed = "".join(f" {name}={value}" for name, value in line.changed.items())
    name = f"{line.recipe}{changed}"
    if line.test is None:
        return Whisker(name, 100 * line.validation.mean, math.nan, math.nan, "second")
    low, high = line.interval_95 or line.test.interval_95 or (math.nan, math.nan)
    return Whisker(name, 100 * line.test.mean, 100 * max(low, 0), 100 * min(high, 1))

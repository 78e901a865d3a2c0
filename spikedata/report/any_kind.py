"""A page of whatever a path is: a spike file, a run, a group of runs, or folders of runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikedata.report.dataset import report_data_set
from spikedata.report.page import USUAL_SIZE, Report


def report(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    audio: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    data: str | os.PathLike[str] | None = None,
    network: Any = None,
    clips: int | None = None,
    max_size: float = USUAL_SIZE,
    title: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    time_unit: str | None = None,
    n_units: int | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Write one HTML page about a spike file, a run, a group of runs that differ in their seed, or folders of runs.

    Parameters
    ----------
    paths : path-like, or sequence of path-like
        A spike file; a folder that `train_run` made, or one of several such; several of them are compared.
    out : str or path-like
        The page to write, which ends in .html.
    audio, columns, clips, seed, on_progress
        Of a spike file or run, as `report_data_set` and `report_run` take them.
    data : str or path-like, optional
        Of a run: its spike file, if that is no longer where it was.
    network : str, class or callable, optional
        Of a run of a network of one's own: its code, as `report_run` takes it.
    max_size : float
        The largest size of the page [MB].
    title : str, optional
        Its heading.
    overwrite : bool
        Whether an existing page may be replaced.
    time_unit, n_units
        Of a spike file: what it does not say, as `SpikeFile` takes it.

    Returns
    -------
    Report

    Raises
    ------
    FileNotFoundError
        If one of the paths does not exist.
    ValueError
        If an option is given for what has no use for it; else as the function of the kind.
    FormatError, OutputError
        As the function of the kind.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    places = [Path(path) for path in listed]
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"{place}: no such file or folder")
    if not places:
        raise ValueError("a page is about at least one spike file or run, got none")
    alone = places[0] if len(places) == 1 else None
    of_page: dict[str, Any] = {"max_size": max_size, "title": title, "overwrite": overwrite}
    of_clips: dict[str, Any] = {"audio": audio, "columns": columns, "clips": clips}
    of_file: dict[str, Any] = {"time_unit": time_unit, "n_units": n_units}
    if alone is not None and not alone.is_dir():
        _refuse(alone, "a spike file", {"data": data, "network": network})
        return report_data_set(alone, out, **of_page, **of_clips, **of_file, seed=seed, on_progress=on_progress)
    for place in places:
        if not place.is_dir():
            raise ValueError(
                f"{place}: is not the folder of a run; several paths are runs to compare, so name it alone"
            )
    if alone is not None and _is_one(alone):
        from spikedata.report.run import report_run

        _refuse(alone, "a run", of_file)
        return report_run(
            alone, out, **of_page, **of_clips, data=data, network=network, seed=seed, on_progress=on_progress
        )
    from spikedata.report.board import report_board

    _refuse(places[0], "a folder of runs", of_clips | {"data": data, "network": network} | of_file)
    return report_board(places, out, **of_page)


def _is_one(folder: Path) -> bool:
    """Whether a folder is a run, or several that may be averaged."""
    from spikedata.baseline.runs.folder import CARD, has_finished_runs, read_card, runs_of_group
    from spikedata.baseline.runs.group_summary import require_one_group

    if (folder / CARD).is_file():
        return True
    if not has_finished_runs(folder):
        return False
    try:
        require_one_group(folder, {run.name: read_card(run) for run in runs_of_group(folder)})
    except ValueError:  # of several recipes, or with a card that cannot be read: the board says which
        return False
    return True


def _refuse(path: Path, kind: str, options: Mapping[str, Any]) -> None:
    words = {"time_unit": "time-unit", "n_units": "units"}
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"{path}: is {kind}, so leave out --{words.get(name, name)}")

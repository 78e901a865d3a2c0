"""The picture of a spike file that the command line asks for by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from spikedata.files.reader import SpikeFile
from spikedata.plot.clip import plot_cochleagram, plot_raster
from spikedata.plot.dataset import plot_classes, plot_means, plot_rates, plot_speakers

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_OF_A_CLIP = {"raster": plot_raster, "cochleagram": plot_cochleagram}
_OF_A_FILE = {"rates": plot_rates, "classes": plot_classes, "means": plot_means, "speakers": plot_speakers}
KINDS = (*_OF_A_CLIP, *_OF_A_FILE)


def plot_file(
    path: str | os.PathLike[str],
    *,
    kind: str = "raster",
    index: int = 0,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> Figure:
    """Draw one clip of a spike file, or the whole of it.

    Parameters
    ----------
    path : str or path-like
        The spike file.
    kind : str
        "raster" or "cochleagram" (rate by channel and time) of one clip; "rates", "classes", "means"
        (the mean clip of each class) or "speakers" of the whole file.
    index : int
        Which clip, counted from 0; of no meaning to a picture of the whole file.
    time_unit, n_units
        What a file by another writer does not say, as `spikedata.files.reader.SpikeFile` takes it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such kind or no such clip.
    FileNotFoundError, FormatError
        If there is no such file, or it breaks a rule of the format.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    name = Path(path).name
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        if kind in _OF_A_FILE:
            return _OF_A_FILE[kind](file.read_events(), title=name)
        if not 0 <= index < len(file):
            raise ValueError(f"{path}: no clip {index}, there are {len(file)}, counted from 0")
        clip = file[index]
        title = f"“{file.keys[clip.label]}”, clip {index} of {name}"
        return _OF_A_CLIP[kind](clip.times, clip.units, n_units=file.n_units, title=title)

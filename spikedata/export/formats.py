"""The formats by name, for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikedata.export.address_events import to_aer
from spikedata.export.arrays import to_npz
from spikedata.export.neo_blocks import to_neo
from spikedata.export.nir_data import to_nir_data
from spikedata.export.output import Exported
from spikedata.export.tables import to_csv, to_parquet
from spikedata.files.reader import SpikeFile
from spikedata.splits import Split, make_split

_WRITERS: dict[str, Callable[..., Exported]] = {
    "npz": to_npz,
    "csv": to_csv,
    "parquet": to_parquet,
    "aer": to_aer,
    "neo": to_neo,
    "nir-data": to_nir_data,
}
#: Names that `export_file` takes.
FORMATS = tuple(_WRITERS)
_ENDINGS = {"npz": ".npz", "csv": "_csv", "parquet": ".parquet", "aer": "_aer", "neo": ".nix", "nir-data": "_nir_data"}


def export_file(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    to: str,
    part: str | None = None,
    split: str | None = None,
    seed: int = 0,
    dt: float | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Exported:
    """Export a spike file to a format that is given by its name.

    Parameters
    ----------
    path : path-like
        The spike file.
    out : path-like, optional
        The file or folder to make; default: beside the spike file, named after it, the part and the format.
    to : str
        One of `FORMATS`.
    part : str, optional
        The only part of a split to export; default: all clips.
    split : str, optional
        Name of the split that has the part; default: the parts that the file itself says, as shards of a split and
        merged files do, which are the split "listed", too.
    seed : int
        Seed of the split.
    dt : float, optional
        Length of a step [s], for "nir-data" alone.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it.
    overwrite : bool
        Whether an existing file, or an earlier export in the folder, is replaced.
    on_progress : callable, optional
        Called with the number of clips read and how many are exported; from 0 again where they are read twice.

    Returns
    -------
    Exported

    Raises
    ------
    FileNotFoundError, FormatError
        If the spike file does not exist or violates the format.
    OutputError
        If the output cannot be written.
    ValueError
        If the format, the split or the part is unknown, or the file has no clips.
    """
    if to not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}, got {to!r}")
    if dt is not None and to != "nir-data":
        raise ValueError(f"only the format nir-data has steps, so leave out dt, got {dt} for {to}")
    if split is not None and part is None:
        raise ValueError(f"a split needs the part of it to export, as train, got split {split!r} alone")
    source = Path(path)
    name = source.stem if part is None else f"{source.stem}_{part}"
    target = source.with_name(name + _ENDINGS[to]) if out is None else out
    options = {"overwrite": overwrite} | ({} if dt is None else {"dt": dt})
    with SpikeFile(source, time_unit=time_unit, n_units=n_units) as file:
        clips = None if part is None else _clips_of(file, part, split, seed)
        return _WRITERS[to](file, target, clips=clips, on_progress=on_progress, **options)


def _clips_of(file: SpikeFile, part: str, split: str | None, seed: int) -> npt.NDArray[np.int64]:
    if split is not None and not (split == "listed" and any(file.parts)):
        return np.sort(_part_of(file, make_split(file, split, seed=seed), part))
    if not any(file.parts):
        raise ValueError(f"{file.path}: does not say the part of each clip; name a split that does: --split by_speaker")
    chosen = np.flatnonzero(np.array(file.parts) == part)
    if not chosen.size:
        raise ValueError(f"{file.path}: part must be one of {', '.join(sorted(set(file.parts)))}, got {part!r}")
    return chosen


def _part_of(file: SpikeFile, split: Split, part: str) -> npt.NDArray[np.int64]:
    if part not in split.parts:
        raise ValueError(f"{file.path}: part must be one of {', '.join(split.parts)}, got {part!r}")
    return split.part(part)

"""Export to NumPy: one .npz file with flat arrays."""

from __future__ import annotations

import json
import os
from itertools import chain
from zipfile import ZipFile

import numpy as np

from spikedata.export.output import Exported, new_file
from spikedata.export.source import Chosen, OnProgress, Spikes, opened


def to_npz(
    data: Spikes,
    out: str | os.PathLike[str],
    *,
    clips: Chosen = None,
    overwrite: bool = False,
    on_progress: OnProgress = None,
) -> Exported:
    """Export clips to a file of NumPy that `np.load` reads without pickle.

    The spikes of clip ``i`` are ``times[offsets[i]:offsets[i + 1]]`` [s] and the same range of ``units``. For each
    clip there are ``clips`` (its number in the file), ``labels``, ``speakers`` (-1 if unknown), ``sources``,
    ``sample_rates`` [Hz] and ``durations`` [s] (0 if unknown), and ``parts`` if the file has them. ``class_names`` are
    indexed by the labels; ``n_units`` is a number and ``provenance`` JSON, empty if unknown.

    Parameters
    ----------
    data : path-like, SpikeFile, Events or Selection
        The clips.
    out : path-like
        The file to make.
    clips : array_like of int or bool, optional
        Numbers of the clips to export, in rising order, or a mask; default: all.
    overwrite : bool
        Whether an existing file is replaced.
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
        If there is no clip to export, or the output does not end in .npz.
    """
    with opened(data, clips, on_progress) as source, new_file(out, ".npz", overwrite=overwrite) as path:
        blocks = [block.columns() for block in source.read()]
        gathered = {name: list(chain.from_iterable(block[name] for block in blocks)) for name in blocks[0]}
        made = source.about()["provenance"]
        arrays = {
            "offsets": np.concatenate([[0], np.cumsum(gathered.pop("n_spikes"))]).astype(np.int64),
            "class_names": np.array(source.keys, dtype=np.str_),
            "n_units": np.array(source.n_units),
            "provenance": np.array("" if made is None else json.dumps(made)),
        }
        del gathered["class_name"]
        arrays |= {f"{name}s": np.array(values) for name, values in gathered.items()}
        n_spikes = int(arrays["offsets"][-1])
        with ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
            for name, dtype in (("times", source.times_dtype), ("units", np.dtype(np.uint16))):
                header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (n_spikes,)}
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    for block in source.read():  # read again, so that no more than a block is in memory
                        member.write(getattr(block.events, name).astype(dtype, copy=False).tobytes())
    return Exported(str(out), "npz", source.n_clips, n_spikes)

"""The files that this package makes of the recordings behind SHD, known by their digests.

Recordings, params and seed determine every spike, so whoever encodes the Heidelberg Digits gets these. Two digests
tell it. That of the spikes is of the clips alone, in any order, so it stays as it is when a later version writes them.
The SHA-256 is of the bytes, in which the version stands, too; versions of HDF5 and NumPy change none.

Which clips are in which file depends on the lists that come with the recordings, and many use a part of them. So each
clip is known by itself, too.

`benchmarks/remade.py` writes both tables.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_TABLE, _CLIPS = "remade.json", "remade_clips.npz"


class Remade(NamedTuple):
    """A file that this package makes.

    Parameters
    ----------
    name : str
        Name of the published file that it is made like, such as "shd_train".
    preset : str
        Params of the cochlea.
    clips, spikes : int
        Number of clips and of spikes.
    digest : str
        `SpikeFile.spikes_digest` of it.
    sha256 : str
        SHA-256 of its bytes, in hexadecimal digits.
    version : str
        Version of the package that wrote these bytes.
    """

    name: str
    preset: str
    clips: int
    spikes: int
    digest: str
    sha256: str
    version: str


@cache
def remade_files() -> tuple[Remade, ...]:
    """The files that are known, in the order of the table."""
    content = resources.files(__package__).joinpath(_TABLE).read_text("utf-8")
    return tuple(Remade(**entry) for entry in json.loads(content))


def remade_of(digest: str) -> Remade | None:
    """The file that has these spikes; None if there is none.

    Parameters
    ----------
    digest : str
        `SpikeFile.spikes_digest` of a file.
    """
    return next((known for known in remade_files() if known.digest == digest), None)


@cache
def remade_clips(preset: str) -> NDArray[np.uint32]:
    """The checksums of all clips that are known, in ascending order, by their upper 32 bits; empty for other presets.

    Parameters
    ----------
    preset : str
        As `Remade` has it.
    """
    with resources.files(__package__).joinpath(_CLIPS).open("rb") as stream, np.load(stream) as tables:
        return np.asarray(tables[preset]) if preset in tables else np.empty(0, np.uint32)


def are_remade(checksums: NDArray[Any], preset: str) -> NDArray[np.bool_]:
    """Which clips have the spikes, class and speaker of one of those that are known.

    Of 10,000 other clips, 0.02 are taken for known ones by chance.

    Parameters
    ----------
    checksums : ndarray of 64-bit integers, shape (clip,)
        Those in a spike file (`extra/checksum`).
    preset : str
        As `Remade` has it.

    Returns
    -------
    ndarray of bool, shape (clip,)
    """
    return np.isin(upper_words(checksums), remade_clips(preset))


def upper_words(checksums: NDArray[Any]) -> NDArray[np.uint32]:
    """The upper 32 bits of checksums of 64 bits."""
    return (checksums.astype(np.uint64) >> np.uint64(32)).astype(np.uint32)

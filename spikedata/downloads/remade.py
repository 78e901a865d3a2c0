"""The files that this package makes of the recordings behind SHD, known by their digests.

Recordings, params and seed determine every spike, so whoever encodes the Heidelberg Digits gets these. Two digests
tell it. That of the spikes is of the clips alone, in any order, so it stays as it is when a later version writes them.
The SHA-256 is of the bytes, in which the version stands, too; versions of HDF5 and NumPy change none.

`benchmarks/remade.py` writes the table.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import NamedTuple

_TABLE = "remade.json"


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


def remade_as(name: str, preset: str) -> Remade | None:
    """The file that is made like a published one with a preset; None if it is not known.

    Parameters
    ----------
    name, preset : str
        As `Remade` has them.
    """
    return next((known for known in remade_files() if (known.name, known.preset) == (name, preset)), None)

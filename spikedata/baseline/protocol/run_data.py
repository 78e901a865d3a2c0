"""The spike file of a run, as a card speaks of it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikedata.events import Events
from spikedata.reader import SpikeFile


def read_run_data(spike_path: str | os.PathLike[str]) -> tuple[dict[str, Any], Events]:
    """What a card says of a spike file, and its events.

    Parameters
    ----------
    spike_path : str or path-like
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    FormatError
        If it is no spike file.
    """
    sha256 = file_sha256(spike_path)
    with SpikeFile(spike_path) as file:
        events, provenance = file.read_events(), file.provenance
    entry = {
        "file": Path(spike_path).name,
        "path": str(Path(spike_path).absolute()),
        "sha256": sha256,
        "n_units": events.n_units,
        "keys": list(events.keys),
        "provenance": None if provenance is None else asdict(provenance),
    }
    return entry, events


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

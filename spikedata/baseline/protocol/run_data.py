"""The spike file of a run, as a card speaks of it."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spikedata.events import Events
from spikedata.file_digest import file_digest
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
    sha256 = file_digest(spike_path, "sha256")
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

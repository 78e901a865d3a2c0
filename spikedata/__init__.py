"""Spoken words as spikes: files, batches and honestly scored networks.

The names below load their module, and with it NumPy and HDF5, when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spikedata.downloads import download
    from spikedata.events.binning import bin_events
    from spikedata.events.events import Events
    from spikedata.files.reader import SpikeFile
    from spikedata.files.writer import SpikeWriter

__version__ = "0.1.0"
__all__ = ["Events", "SpikeFile", "SpikeWriter", "__version__", "bin_events", "download"]

_MODULES = {
    "Events": "spikedata.events.events",
    "SpikeFile": "spikedata.files.reader",
    "SpikeWriter": "spikedata.files.writer",
    "bin_events": "spikedata.events.binning",
    "download": "spikedata.downloads",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'spikedata' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])

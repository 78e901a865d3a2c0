"""Where data sets and caches lie, unless a caller says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of downloaded data sets: SPIKEDATA_HOME, or `spikedata` in the user's data folder."""
    from platformdirs import user_data_path

    named = os.environ.get("SPIKEDATA_HOME")
    return Path(named) if named else user_data_path("spikedata", appauthor=False)


def cache_folder() -> Path:
    """The folder of what can be made anew: SPIKEDATA_CACHE, or `spikedata` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("SPIKEDATA_CACHE")
    return Path(named) if named else user_cache_path("spikedata", appauthor=False)

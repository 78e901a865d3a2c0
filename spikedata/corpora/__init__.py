"""List the clips of a known corpus, of a folder or of a CSV manifest, without reading any audio.

Start with `list_clips`, which returns a `Listing` of `Clip`. The known corpora are the table in `catalog`; `manifest`
reads CSV files, `walk` finds the audio files below a folder, and `audio` reads a recording.
"""

from spikedata.corpora.catalog import CORPORA, HEIDELBERG_KEYS, list_clips
from spikedata.corpora.clip import DIGITS, Clip, Listing, describe_unfit
from spikedata.corpora.walk import AUDIO_SUFFIXES

__all__ = [
    "AUDIO_SUFFIXES",
    "CORPORA",
    "DIGITS",
    "HEIDELBERG_KEYS",
    "Clip",
    "Listing",
    "describe_unfit",
    "list_clips",
]

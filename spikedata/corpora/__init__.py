"""List the clips of a known corpus, a folder or a CSV manifest, without reading any audio."""

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

"""List the clips of a known corpus, of folders, of files or of a table, without reading any audio.

Start with `list_clips`, which returns a `Listing` of `Clip`, or with `list_source`, which takes whatever a user names.
The known corpora are the table in `catalog`; `folders` lists class folders, flat folders and files, `manifest` reads
tables, `walk` finds the audio files below a folder, `audio` reads a recording, and `embedded` has those that ship with
the package.
"""

from spikedata.corpora.catalog import CORPORA, HEIDELBERG_KEYS, list_clips
from spikedata.corpora.clip import DIGITS, Clip, Listing, describe_unfit
from spikedata.corpora.embedded import embedded_corpus
from spikedata.corpora.source import list_source

__all__ = [
    "CORPORA",
    "DIGITS",
    "HEIDELBERG_KEYS",
    "Clip",
    "Listing",
    "describe_unfit",
    "embedded_corpus",
    "list_clips",
    "list_source",
]

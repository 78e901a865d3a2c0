"""The Free Spoken Digit Dataset: English digits at 8 kHz."""

from __future__ import annotations

import re
from pathlib import Path

from spikedata.corpora.clip import DIGITS, Clip, Listing, number_by_name, require_storable_speakers
from spikedata.corpora.walk import find_recordings

_NAME = re.compile(r"[0-9]_([^_/]+)_[0-9]+\.(?:wav|flac)")
_SUBFOLDERS = ("recordings",)


def list_fsdd(root: Path) -> Listing:
    """The clips of the Free Spoken Digit Dataset: ``{digit}_{speaker}_{n}.wav``.

    Speakers are numbered by their names, of those that are there.

    Parameters
    ----------
    root : Path
        The folder of the recordings or the one around it, which has them in ``recordings``: the clips' names are their
        file names in both cases.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a recording is there twice.

    References
    ----------
    https://github.com/Jakobovski/free-spoken-digit-dataset
    """
    home = find_recordings(root, _NAME, _SUBFOLDERS)
    number_of = number_by_name(_speaker(name) for name in home.names)
    require_storable_speakers(root, len(number_of) - 1)
    clips = (Clip(home.folder, name, int(name[0]), number_of[_speaker(name)]) for name in home.names)
    return Listing(
        corpus="fsdd", keys=DIGITS, clips=tuple(clips), unfit=tuple(home.unfit), speaker_names=tuple(number_of)
    )


def _speaker(name: str) -> str:
    return name.split("_")[1]

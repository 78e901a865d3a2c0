"""AudioMNIST: English digits by sixty speakers at 48 kHz."""

from __future__ import annotations

import re
from pathlib import Path

from spikedata.corpora.clip import DIGITS, Clip, Listing
from spikedata.corpora.walk import find_recordings

_NAME = re.compile(r"([0-9]{2})/([0-9])_\1_[0-9]+\.(?:wav|flac)")
_SUBFOLDERS = ("data",)


def list_audiomnist(root: Path) -> Listing:
    """The clips of AudioMNIST: ``{speaker}/{digit}_{speaker}_{n}.wav``. Its speakers, 01 to 60, keep their numbers.

    Parameters
    ----------
    root : Path
        The folder that holds the speakers' folders, or the one around it, which has them in ``data``: the clips' names
        begin with the speaker's folder in both cases.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a recording is there twice.

    References
    ----------
    Becker et al., arXiv 1807.03418 (2018).
    """
    home = find_recordings(root, _NAME, _SUBFOLDERS)
    clips = (Clip(home.folder, name, int(name[3]), int(name[:2])) for name in home.names)
    return Listing(corpus="audiomnist", keys=DIGITS, clips=tuple(clips), unfit=tuple(home.unfit))

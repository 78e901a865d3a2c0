"""Speech Commands: single words by many speakers."""

from __future__ import annotations

import re
from pathlib import Path

from spikedata.corpora.clip import Clip, Listing, number_by_name, require_storable_speakers
from spikedata.corpora.lists import ListedParts, read_parts
from spikedata.corpora.walk import find_recordings

_NAME = re.compile(r"([^/]+)/([0-9a-zA-Z]+)_nohash_[0-9]+\.(?:wav|flac)")
_NOISE = "_background_noise_/"  # long recordings to mix in, part of the corpus but no clips
_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


def list_speech_commands(root: Path) -> Listing:
    """The clips of Speech Commands: ``{word}/{speaker}_nohash_{n}.wav``.

    Classes are the words that are there, by name; speakers are numbered by their names. The folder of background
    noise holds no clips and is passed over. The division is that of ``validation_list.txt`` and
    ``testing_list.txt``; all other clips train.

    Parameters
    ----------
    root : Path
        Folder of the corpus.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a recording is there twice, or one of the two lists is missing or cannot be read.

    References
    ----------
    Warden, arXiv 1804.03209 (2018).
    """
    home = find_recordings(root, _NAME)
    label_of = number_by_name(name.partition("/")[0] for name in home.names)
    number_of = number_by_name(_speaker(name) for name in home.names)
    require_storable_speakers(root, len(number_of) - 1)
    clips = (Clip(root, name, label_of[name.partition("/")[0]], number_of[_speaker(name)]) for name in home.names)
    listed = read_parts((root,), _LISTS, home.names, n_folders=1, others="train") or ListedParts()
    return Listing(
        corpus="speech_commands",
        keys=tuple(label_of),
        clips=tuple(clips),
        unfit=tuple(name for name in home.unfit if not name.startswith(_NOISE)),
        speaker_names=tuple(number_of),
        parts=listed.parts,
        parts_from=listed.origin,
    )


def _speaker(name: str) -> str:
    return name.partition("/")[2].partition("_")[0]

"""Heidelberg Digits: spoken digits in English and German."""

from __future__ import annotations

import re
from pathlib import Path

from spikedata.corpora.clip import DIGITS, Clip, Listing
from spikedata.corpora.lists import ListedParts, read_parts
from spikedata.corpora.walk import find_recordings

# Class names and their order: extra/keys of the published files (shd_train.h5).
HEIDELBERG_KEYS = (*DIGITS, "null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun")
_NAME = re.compile(r"lang-(english|german)_speaker-([0-9]+)_trial-[0-9]+_digit-([0-9])\.(?:flac|wav)")
_SUBFOLDERS = ("audio", "hd_audio/audio")  # as the archive has it
_LISTS = {"train": "train_filenames.txt", "test": "test_filenames.txt"}


def list_heidelberg_digits(root: Path) -> Listing:
    """The clips of Heidelberg Digits: ``lang-{english|german}_speaker-{s}_trial-{n}_digit-{d}.flac``.

    English digits are classes 0 to 9, German ones 10 to 19. The division is that of ``train_filenames.txt`` and
    ``test_filenames.txt`` beside the recordings or in the folder above.

    Parameters
    ----------
    root : Path
        ``hd_audio``, the folder around it, or the folder of the recordings: the clips' names are their file names in
        any case.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a recording is there twice, or one of the two lists is missing or cannot be read.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022).
    """
    home = find_recordings(root, _NAME, _SUBFOLDERS)
    clips = []
    for name in home.names:
        language, speaker, digit = _NAME.fullmatch(name).groups()  # type: ignore[union-attr]
        clips.append(Clip(home.folder, name, int(digit) + 10 * (language == "german"), int(speaker)))
    listed = read_parts((home.folder, home.folder.absolute().parent), _LISTS, home.names, n_folders=0) or ListedParts()
    return Listing(
        corpus="heidelberg_digits",
        keys=HEIDELBERG_KEYS,
        clips=tuple(clips),
        unfit=tuple(home.unfit),
        parts=listed.parts,
        parts_from=listed.origin,
    )

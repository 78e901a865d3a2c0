"""List the clips of a known corpus or of a folder, without reading any audio."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

AUDIO_SUFFIXES = (".flac", ".wav", ".ogg", ".mp3", ".aiff", ".aif")

# Class names and their order: extra/keys of the published files (shd_train.h5).
HEIDELBERG_KEYS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    "null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun",
)  # fmt: skip
_HEIDELBERG_NAME = re.compile(r"lang-(english|german)_speaker-(\d+)_trial-(\d+)_digit-(\d)\.(?:flac|wav)")

_SPEECH_COMMANDS_NAME = re.compile(r"([0-9a-zA-Z]+)_nohash_(\d+)\.(?:wav|flac)")
_SPEECH_COMMANDS_NOISE = "_background_noise_"


class Clip(NamedTuple):
    """One recording of a corpus.

    Parameters
    ----------
    path : Path
        Where it lies.
    name : str
        Its path within the corpus, with forward slashes: what tells it from all others, wherever the corpus lies.
    label : int
        Index of its class among the corpus's keys.
    speaker : int
        Number of its speaker; 0 where the corpus does not tell speakers apart.
    """

    path: Path
    name: str
    label: int
    speaker: int


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The clips of a corpus.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    keys : tuple of str
        Class names.
    clips : tuple of Clip
        In the order of their names.
    unfit : tuple of str
        Names of audio files that lie there but do not belong to the corpus.
    """

    corpus: str
    keys: tuple[str, ...]
    clips: tuple[Clip, ...]
    unfit: tuple[str, ...]


def list_clips(corpus: str, root: str | Path) -> Listing:
    """The clips of a corpus in a stable order.

    Parameters
    ----------
    corpus : str
        "heidelberg_digits": `lang-{english|german}_speaker-{s}_trial-{n}_digit-{d}.flac`, German digits are classes 10
        to 19. "speech_commands": `{word}/{speaker}_nohash_{n}.wav`, classes are the words that are there, by
        name. "folder": `{class}/….wav`, any audio files in class folders, speaker 0.
    root : str or Path
        Folder of the corpus.

    Returns
    -------
    Listing

    Raises
    ------
    ValueError
        If the corpus is unknown, or no file in the folder fits it.
    FileNotFoundError
        If there is no such folder.
    """
    if corpus not in CORPORA:
        raise ValueError(f"corpus must be one of {', '.join(CORPORA)}, got {corpus!r}")
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    names = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and path.is_file()
    )
    listing = CORPORA[corpus](root, names)
    if not listing.clips:
        raise ValueError(f"{root}: no recordings named as in {corpus} ({len(names)} audio files of other names)")
    return listing


def _heidelberg_digits(root: Path, names: list[str]) -> Listing:
    clips, unfit = [], []
    for name in names:
        match = _HEIDELBERG_NAME.fullmatch(Path(name).name)
        if match is None:
            unfit.append(name)
            continue
        language, speaker, _, digit = match.groups()
        clips.append(Clip(root / name, name, int(digit) + 10 * (language == "german"), int(speaker)))
    return Listing(corpus="heidelberg_digits", keys=HEIDELBERG_KEYS, clips=tuple(clips), unfit=tuple(unfit))


def _speech_commands(root: Path, names: list[str]) -> Listing:
    fitting, unfit = [], []
    for name in names:
        word, _, file_name = name.rpartition("/")
        match = _SPEECH_COMMANDS_NAME.fullmatch(file_name)
        if match and word and "/" not in word:
            fitting.append((name, word, match.group(1)))
        elif word != _SPEECH_COMMANDS_NOISE:
            unfit.append(name)
    keys = sorted({word for _, word, _ in fitting})
    speakers = sorted({speaker for _, _, speaker in fitting})
    label_of = {key: label for label, key in enumerate(keys)}
    number_of = {speaker: number for number, speaker in enumerate(speakers)}
    clips = tuple(Clip(root / name, name, label_of[word], number_of[speaker]) for name, word, speaker in fitting)
    return Listing(corpus="speech_commands", keys=tuple(keys), clips=clips, unfit=tuple(unfit))


def _folder(root: Path, names: list[str]) -> Listing:
    fitting = [(name, name.split("/")[0]) for name in names if "/" in name]
    keys = sorted({word for _, word in fitting})
    label_of = {key: label for label, key in enumerate(keys)}
    clips = tuple(Clip(root / name, name, label_of[word], 0) for name, word in fitting)
    return Listing(corpus="folder", keys=tuple(keys), clips=clips, unfit=tuple(n for n in names if "/" not in n))


CORPORA: dict[str, Callable[[Path, list[str]], Listing]] = {
    "heidelberg_digits": _heidelberg_digits,
    "speech_commands": _speech_commands,
    "folder": _folder,
}

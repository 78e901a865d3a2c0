"""Corpora by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from spikedata.corpora.clip import (
    DIGITS,
    UNKNOWN_SPEAKER,
    Clip,
    Listing,
    number_by_name,
    require_storable_speakers,
    shown,
)
from spikedata.corpora.manifest import list_manifest
from spikedata.corpora.spoken import (
    SPOKEN_DIGITS,
    SPOKEN_WORDS,
    list_spoken_digits,
    list_spoken_words,
    spoken_corpus,
)
from spikedata.corpora.walk import find_audio, find_recordings


class ListedParts(NamedTuple):
    """A division that a corpus brings.

    Parameters
    ----------
    parts : dict of str to tuple of str, optional
        Names by part, as they stand in the lists; names of clips where there is such a clip.
    origin : str
        Where that stands: names of the lists.
    """

    parts: dict[str, tuple[str, ...]] | None = None
    origin: str = ""


def read_parts(
    folders: Sequence[Path],
    lists: Mapping[str, str],
    names: Sequence[str],
    *,
    n_folders: int,
    others: str | None = None,
) -> ListedParts | None:
    """The division that lists of file names make; None where no list is there.

    A list has one file name per line. Neither the suffix nor the folders around the corpus matter:
    ``lang-…_digit-0``, ``lang-…_digit-0.flac`` and ``audio/lang-…_digit-0.wav`` are one recording.

    Parameters
    ----------
    folders : sequence of Path
        Where the lists may lie, together; the first that has one is taken.
    lists : dict of str to str
        File name of each part's list.
    names : sequence of str
        Names of the clips.
    n_folders : int
        How many folders of a name tell recordings apart [1].
    others : str, optional
        Part of all clips that no list names.

    Returns
    -------
    ListedParts or None
        A line that names no clip is kept as it is, for whoever makes a split to refuse.

    Raises
    ------
    ValueError
        If only some of the lists are there, or one is not UTF-8.
    """
    folder = next((folder for folder in folders if any((folder / file).is_file() for file in lists.values())), None)
    if folder is None:
        return None
    for file in lists.values():
        if not (folder / file).is_file():
            there = next(other for other in lists.values() if (folder / other).is_file())
            raise ValueError(f"{folder / file}: is missing beside {there}; put it there, or take the other away")
    name_of = {_key(name, n_folders): name for name in names}
    parts = {}
    for part, file in lists.items():
        parts[part] = tuple(name_of.get(_key(line, n_folders), line) for line in _read_lines(folder / file))
    if others is not None:
        listed = {name for part in parts.values() for name in part}
        parts = {others: tuple(name for name in names if name not in listed), **parts}
    return ListedParts(parts, " and ".join(lists.values()))


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: must be UTF-8 text with one file name per line: {error}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _key(name: str, n_folders: int) -> str:
    last = name.replace("\\", "/").split("/")[-1 - n_folders :]
    stem, dot, suffix = last[-1].rpartition(".")
    return "/".join([*last[:-1], stem if dot else suffix])


_AUDIOMNIST_NAME = re.compile(r"([0-9]{2})/([0-9])_\1_[0-9]+\.(?:wav|flac)")
_AUDIOMNIST_SUBFOLDERS = ("data",)


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
    home = find_recordings(root, _AUDIOMNIST_NAME, _AUDIOMNIST_SUBFOLDERS)
    clips = (Clip(home.folder, name, int(name[3]), int(name[:2])) for name in home.names)
    return Listing(corpus="audiomnist", keys=DIGITS, clips=tuple(clips), unfit=tuple(home.unfit))


def list_class_folders(root: Path) -> Listing:
    """The clips of a folder of class folders: ``{class}/….wav``, at any depth below it, speakers unknown (-1).

    Classes are the folders that are there, by name. Files beside the class folders, and hidden ones, do not fit.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    found = find_audio(root)
    fitting = [name for name in found.names if "/" in name and not _is_hidden(name)]
    unfit = [name for name in found.names if "/" not in name or _is_hidden(name)]
    label_of = number_by_name(name.partition("/")[0] for name in fitting)
    clips = tuple(Clip(root, name, label_of[name.partition("/")[0]], UNKNOWN_SPEAKER) for name in fitting)
    return Listing(corpus="folder", keys=tuple(label_of), clips=clips, unfit=tuple(sorted(unfit + found.unfit)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name


_FSDD_NAME = re.compile(r"[0-9]_([^_/]+)_[0-9]+\.(?:wav|flac)")
_FSDD_SUBFOLDERS = ("recordings",)


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
    home = find_recordings(root, _FSDD_NAME, _FSDD_SUBFOLDERS)
    number_of = number_by_name(_fsdd_speaker(name) for name in home.names)
    require_storable_speakers(root, len(number_of) - 1)
    clips = (Clip(home.folder, name, int(name[0]), number_of[_fsdd_speaker(name)]) for name in home.names)
    return Listing(
        corpus="fsdd", keys=DIGITS, clips=tuple(clips), unfit=tuple(home.unfit), speaker_names=tuple(number_of)
    )


def _fsdd_speaker(name: str) -> str:
    return name.split("_")[1]


# Class names and their order: extra/keys of the published files (shd_train.h5).
HEIDELBERG_KEYS = (*DIGITS, "null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun")
_HEIDELBERG_NAME = re.compile(r"lang-(english|german)_speaker-([0-9]+)_trial-[0-9]+_digit-([0-9])\.(?:flac|wav)")
_HEIDELBERG_SUBFOLDERS = ("audio", "hd_audio/audio")  # as the archive has it
_HEIDELBERG_LISTS = {"train": "train_filenames.txt", "test": "test_filenames.txt"}


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
    home = find_recordings(root, _HEIDELBERG_NAME, _HEIDELBERG_SUBFOLDERS)
    clips = []
    for name in home.names:
        language, speaker, digit = _HEIDELBERG_NAME.fullmatch(name).groups()  # type: ignore[union-attr]
        clips.append(Clip(home.folder, name, int(digit) + 10 * (language == "german"), int(speaker)))
    listed = (
        read_parts((home.folder, home.folder.absolute().parent), _HEIDELBERG_LISTS, home.names, n_folders=0)
        or ListedParts()
    )
    return Listing(
        corpus="heidelberg_digits",
        keys=HEIDELBERG_KEYS,
        clips=tuple(clips),
        unfit=tuple(home.unfit),
        parts=listed.parts,
        parts_from=listed.origin,
    )


_COMMANDS_NAME = re.compile(r"([^/]+)/([0-9a-zA-Z]+)_nohash_[0-9]+\.(?:wav|flac)")
_NOISE = "_background_noise_/"  # long recordings to mix in, part of the corpus but no clips
_COMMANDS_LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}


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
    home = find_recordings(root, _COMMANDS_NAME)
    label_of = number_by_name(name.partition("/")[0] for name in home.names)
    number_of = number_by_name(_commands_speaker(name) for name in home.names)
    require_storable_speakers(root, len(number_of) - 1)
    clips = (
        Clip(root, name, label_of[name.partition("/")[0]], number_of[_commands_speaker(name)]) for name in home.names
    )
    listed = read_parts((root,), _COMMANDS_LISTS, home.names, n_folders=1, others="train") or ListedParts()
    return Listing(
        corpus="speech_commands",
        keys=tuple(label_of),
        clips=tuple(clips),
        unfit=tuple(name for name in home.unfit if not name.startswith(_NOISE)),
        speaker_names=tuple(number_of),
        parts=listed.parts,
        parts_from=listed.origin,
    )


def _commands_speaker(name: str) -> str:
    return name.partition("/")[2].partition("_")[0]


_MANIFEST = "manifest"
_IN_FOLDERS: dict[str, Callable[[Path], Listing]] = {
    "heidelberg_digits": list_heidelberg_digits,
    "speech_commands": list_speech_commands,
    "fsdd": list_fsdd,
    "audiomnist": list_audiomnist,
    SPOKEN_DIGITS: list_spoken_digits,
    SPOKEN_WORDS: list_spoken_words,
    "folder": list_class_folders,
}
_OF_PEOPLE = ("heidelberg_digits", "speech_commands")  # whose file names `spikedata synth` imitates
CORPORA = (*_IN_FOLDERS, _MANIFEST)


def list_clips(corpus: str, root: str | Path, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips of a corpus in a stable order. No audio is read.

    =================  ==============================================================  ========================
    corpus             recordings                                                      speakers
    =================  ==============================================================  ========================
    heidelberg_digits  ``lang-{english|german}_speaker-{s}_trial-{n}_digit-{d}.flac``  0 to 11, as in the names
    speech_commands    ``{word}/{speaker}_nohash_{n}.wav``                             numbered by name
    fsdd               ``{digit}_{speaker}_{n}.wav``                                   numbered by name
    audiomnist         ``{speaker}/{digit}_{speaker}_{n}.wav``                         1 to 60, as in the names
    spoken_digits      synthetic speech: the digits that ship with the package         0 to 11, one for each voice
    spoken_words       synthetic speech: any other that ``spikedata synth`` made       as its manifest numbers them
    folder             ``{class}/….wav``, any audio files in class folders             unknown: -1
    manifest           the lines of a CSV file: path, label; speaker, part             as the file says, or -1
    =================  ==============================================================  ========================

    Parameters
    ----------
    corpus : str
        One of `CORPORA`.
    root : str or Path
        Folder of the corpus; of a manifest, the CSV file.
    missing : {"fail", "skip"}
        Whether recordings that a manifest names and that are not there are an error, or are reported as unfit.

    Returns
    -------
    Listing

    Raises
    ------
    ValueError
        If the corpus is unknown, no file in the folder fits it, a recording is there twice, lists or manifest are
        faulty, or synthetic speech is taken for a corpus of people.
    FileNotFoundError
        If there is no such folder or manifest, or a recording of a manifest is not there.
    OSError
        If a folder cannot be read.
    """
    if corpus not in CORPORA:
        raise ValueError(f"corpus must be one of {', '.join(CORPORA)}, got {corpus!r}")
    if missing not in ("fail", "skip"):
        raise ValueError(f"missing must be 'fail' or 'skip', got {missing!r}")
    if corpus == _MANIFEST:
        return list_manifest(Path(root), missing=missing)
    listing = _IN_FOLDERS[corpus](Path(root))
    if not listing.clips:
        found = f"{len(listing.unfit)} other names: {shown(listing.unfit)}" if listing.unfit else "no audio files"
        raise ValueError(f"{root}: no recordings named as in {corpus}, got {found}")
    if corpus in _OF_PEOPLE and (spoken := spoken_corpus(listing.clips[0].root)):
        raise ValueError(f"{root}: holds synthetic speech, not {corpus}: its corpus is {spoken!r}")
    return listing

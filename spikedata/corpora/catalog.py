"""The known corpora as a table: how each names its recordings, its classes and its speakers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from spikedata.corpora.clip import (
    DIGITS,
    Clip,
    Listing,
    number_by_name,
    require_storable_speakers,
    shown,
    spelled_as,
)
from spikedata.corpora.folders import FILES, FOLDER, list_files, list_folder
from spikedata.corpora.manifest import list_manifest
from spikedata.corpora.spoken import (
    SPOKEN_DIGITS,
    SPOKEN_WORDS,
    list_spoken_digits,
    list_spoken_words,
    spoken_corpus,
)
from spikedata.corpora.twelve import SPEECH_COMMANDS_12, to_twelve_classes
from spikedata.corpora.walk import composed, find_recordings


class _PartLists(NamedTuple):
    """The lists of file names by which a corpus divides its recordings.

    Parameters
    ----------
    files : dict of str to str
        File name of the list of each part.
    n_folders : int
        Number of folders above a file name that are needed to tell recordings apart [1].
    others : str, optional
        Part of the recordings that no list names.
    may_lie_above : bool
        Whether the lists may also lie one folder above the recordings.
    """

    files: dict[str, str]
    n_folders: int = 0
    others: str | None = None
    may_lie_above: bool = False


class _Layout(NamedTuple):
    """How a corpus names its recordings.

    Parameters
    ----------
    pattern : re.Pattern
        The whole name of a recording, relative to the folder of the recordings; the group "speaker" is its speaker.
    label : callable, optional
        Class of a recording, from the match of its name. By default, the classes are the texts of the group "word"
        that occur, in sorted order.
    keys : tuple of str
        Class names, if `label` is given.
    numbered : bool
        Whether the names hold speaker numbers, which are kept. Otherwise, speakers are numbered in the order of their
        names.
    subfolders : tuple of str
        Where the recordings may lie below the folder that the user names.
    ignored : str, optional
        Names with this prefix are neither recordings nor reported as unfit.
    lists : _PartLists, optional
        How the corpus divides its recordings.
    """

    pattern: re.Pattern[str]
    label: Callable[[re.Match[str]], int] | None = None
    keys: tuple[str, ...] = ()
    numbered: bool = False
    subfolders: tuple[str, ...] = ()
    ignored: str | None = None
    lists: _PartLists | None = None


def _digit(name: re.Match[str]) -> int:
    return int(name["digit"])


def _german_after_english(name: re.Match[str]) -> int:
    return int(name["digit"]) + 10 * (name["language"] == "german")


# Class names and their order: extra/keys of the published files (shd_train.h5).
#: Class names of the Heidelberg Digits: the English digits, then the German ones.
HEIDELBERG_KEYS = (*DIGITS, "null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun")

_LAYOUTS = {
    # Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022). The archive has the folder hd_audio/audio.
    "heidelberg_digits": _Layout(
        re.compile(
            r"lang-(?P<language>english|german)_speaker-(?P<speaker>[0-9]+)_trial-[0-9]+_digit-(?P<digit>[0-9])"
            r"\.(?:flac|wav)"
        ),
        label=_german_after_english,
        keys=HEIDELBERG_KEYS,
        numbered=True,
        subfolders=("audio", "hd_audio/audio"),
        lists=_PartLists({"train": "train_filenames.txt", "test": "test_filenames.txt"}, may_lie_above=True),
    ),
    # What `spikedata.corpora.noisy` makes of them.
    "noisy_digits": _Layout(
        re.compile(
            r"(?:train-[12]|validation|test-clean|test-snr-[0-9]{2})/"
            r"lang-(?P<language>english|german)_speaker-(?P<speaker>[0-9]+)_trial-[0-9]+_digit-(?P<digit>[0-9])\.flac"
        ),
        label=_german_after_english,
        keys=HEIDELBERG_KEYS,
        numbered=True,
        lists=_PartLists({part: f"{part}_filenames.txt" for part in ("train", "validation", "test")}, n_folders=1),
    ),
    # Warden, arXiv 1804.03209 (2018). The background noise is long recordings to mix in: part of the corpus, no clips.
    "speech_commands": _Layout(
        re.compile(r"(?P<word>[^/]+)/(?P<speaker>[0-9a-zA-Z]+)_nohash_[0-9]+\.(?:wav|flac)"),
        # as Kaggle and torchaudio unpack it
        subfolders=(
            *("train/audio", "audio", "speech_commands", "speech_commands_v0.02", "speech_commands_v0.01"),
            *("SpeechCommands/speech_commands_v0.02", "SpeechCommands/speech_commands_v0.01"),
        ),
        ignored="_background_noise_/",
        lists=_PartLists(
            {"validation": "validation_list.txt", "test": "testing_list.txt"},
            n_folders=1,
            others="train",
            may_lie_above=True,
        ),
    ),
    # https://github.com/Jakobovski/free-spoken-digit-dataset
    "fsdd": _Layout(
        re.compile(r"(?P<digit>[0-9])_(?P<speaker>[^_/]+)_[0-9]+\.(?:wav|flac)"),
        label=_digit,
        keys=DIGITS,
        subfolders=("recordings",),
    ),
    # Becker et al., arXiv 1807.03418 (2018)
    "audiomnist": _Layout(
        re.compile(r"(?P<speaker>[0-9]{2})/(?P<digit>[0-9])_(?P=speaker)_[0-9]+\.(?:wav|flac)"),
        label=_digit,
        keys=DIGITS,
        numbered=True,
        subfolders=("data",),
    ),
}
_MANIFEST = "manifest"
_IMITATED = ("heidelberg_digits", "speech_commands")  # `spikedata synth` names its files as these corpora do
_N_LOOKED_AT = 20  # recordings whose names are held against those of the known corpora
#: Names that `list_clips` takes.
CORPORA = (*_LAYOUTS, SPEECH_COMMANDS_12, SPOKEN_DIGITS, SPOKEN_WORDS, FOLDER, FILES, _MANIFEST)


def list_clips(
    corpus: str,
    root: str | Path,
    *,
    missing: Literal["fail", "skip"] = "fail",
    columns: Mapping[str, str] | None = None,
) -> Listing:
    """The clips of a corpus in a stable order. No audio is read, but for the noise of speech_commands_12.

    ================== ==============================================================  ========================
    corpus             recordings                                                      speakers
    ================== ==============================================================  ========================
    heidelberg_digits  ``lang-{english|german}_speaker-{s}_trial-{n}_digit-{d}.flac``  0 to 11, as in the names
    noisy_digits       ``{part}/`` and such a name: by ``spikedata noisy-digits``      the same
    speech_commands    ``{word}/{speaker}_nohash_{n}.wav``                             numbered by name
    speech_commands_12 the same: ten words, ``_unknown_`` and ``_silence_``            the same
    fsdd               ``{digit}_{speaker}_{n}.wav``                                   numbered by name
    audiomnist         ``{speaker}/{digit}_{speaker}_{n}.wav``                         1 to 60, as in the names
    spoken_digits      synthetic speech: what ``spikedata synth --words shd`` makes    0 to 11, one for each voice
    spoken_words       synthetic speech: any other that ``spikedata synth`` made       as its manifest numbers them
    folder             ``{class}/….wav``, any audio files in class folders             unknown: -1
    files              one file, or any audio files in a folder, as one class          unknown: -1
    manifest           the lines of a table: path, label; speaker, split               as in the file, or -1
    ================== ==============================================================  ========================

    Clip names do not depend on whether `root` is the folder of the recordings or, as the corpora are distributed, the
    folder around it.

    Parameters
    ----------
    corpus : str
        One of `CORPORA`.
    root : str or Path
        Folder of the corpus; for a manifest, the table, or the folder of a published corpus that brings tables.
    missing : {"fail", "skip"}
        Whether missing recordings and faulty lines of a manifest, and folders that cannot be read, are an error or are
        reported as unfit.
    columns : dict of str to str, optional
        For a manifest: the columns that hold path, label, speaker and split, where these are not their names.

    Returns
    -------
    Listing

    Raises
    ------
    ValueError
        If the corpus is unknown, no file in the folder belongs to it, a recording exists twice, its lists or the
        manifest are faulty, or synthetic speech is given as a corpus of human speakers.
    FileNotFoundError
        If the folder, the manifest or a recording of the manifest does not exist.
    OSError
        If a folder cannot be read.
    """
    if corpus not in CORPORA:
        raise ValueError(f"corpus must be one of {', '.join(CORPORA)}, got {corpus!r}")
    if missing not in ("fail", "skip"):
        raise ValueError(f"missing must be 'fail' or 'skip', got {missing!r}")
    if corpus == _MANIFEST:
        return list_manifest(Path(root), missing=missing, columns=columns)
    if columns is not None:
        raise ValueError(f"columns are those of a table: the corpus must be 'manifest', got {corpus!r}")
    if corpus in (FOLDER, FILES):
        return _list_unnamed(corpus, Path(root), missing)
    if corpus == SPEECH_COMMANDS_12:
        return to_twelve_classes(list_clips("speech_commands", root, missing=missing), missing=missing)
    others = {SPOKEN_DIGITS: list_spoken_digits, SPOKEN_WORDS: list_spoken_words}
    listing = others[corpus](Path(root)) if corpus in others else _list_known(corpus, Path(root), missing)
    _require_clips(root, listing)
    if corpus in _IMITATED and (spoken := spoken_corpus(listing.clips[0].root)):
        raise ValueError(f"{root}: holds synthetic speech, not {corpus}: its corpus is {spoken!r}")
    return listing


def _require_clips(root: object, listing: Listing) -> None:
    if listing.clips:
        return
    found = (
        f"{len(listing.unfit)} other names: {shown(listing.unfit)}" if listing.unfit else "no audio files at any depth"
    )
    reasons = dict.fromkeys(filter(None, map(listing.reasons.get, listing.unfit)))
    because = f" ({'; '.join(reasons)})" if reasons else ""
    way_on = f"; as they lie, without a corpus: spikedata encode {root} OUT.h5" if listing.unfit else ""
    raise ValueError(f"{root}: no recordings named as in {listing.corpus}, got {found}{because}{way_on}")


def _list_unnamed(corpus: str, root: Path, missing: Literal["fail", "skip"]) -> Listing:
    """The clips of a folder or file that is of no known corpus, with a note if it looks like one."""
    is_file = corpus == FILES or root.is_file()
    listing = list_files([root], missing=missing) if is_file else list_folder(root, missing=missing)
    _require_clips(root, listing)
    words = [name for name in listing.sources if f"/{name}".find("/_background_noise_/") < 0]  # they come first
    if words and (known := _corpus_like(words[:_N_LOOKED_AT])):
        known = (spoken_corpus(root) if known in _IMITATED and root.is_dir() else "") or known
        note = f"the recordings are named as in {known}; the corpus {known!r} knows their classes and speakers"
        listing = replace(listing, notes=(*listing.notes, note))
    return listing


def _corpus_like(names: Sequence[str]) -> str:
    """The known corpus as whose recordings all these are named; empty if there is none."""
    for corpus, layout in _LAYOUTS.items():
        homes = ("", *(f"{subfolder}/" for subfolder in layout.subfolders))
        if any(all(n.startswith(home) and layout.pattern.fullmatch(n[len(home) :]) for n in names) for home in homes):
            return corpus
    return ""


def _list_known(corpus: str, root: Path, missing: Literal["fail", "skip"]) -> Listing:
    """The clips of a corpus that names its recordings by a pattern."""
    layout = _LAYOUTS[corpus]
    home = find_recordings(root, layout.pattern, layout.subfolders, may_skip=missing == "skip")
    # every name matches: `find_recordings` has kept no others
    matches = [match for name in home.names if (match := layout.pattern.fullmatch(name))]
    if layout.label is None:
        label_of = number_by_name(match["word"] for match in matches)
        keys, labels = tuple(label_of), [label_of[match["word"]] for match in matches]
    else:
        keys, labels = layout.keys, [layout.label(match) for match in matches]
    speakers = {match["speaker"] for match in matches}
    number_of = {text: int(text) for text in speakers} if layout.numbered else number_by_name(speakers)
    require_storable_speakers(root, max(number_of.values(), default=0))
    parts, parts_from = _read_parts(layout.lists, home.folder, home.names) if layout.lists else (None, "")
    ignored = _ignored_folders(layout, root, home.folder)
    unfit = {name: reason for name, reason in home.unfit.items() if not (ignored and name.startswith(ignored))}
    if parts and missing == "skip":  # a part of the corpus with the lists of all of it
        there = {match[0] for match in matches}
        absent = {name for listed in parts.values() for name in listed} - there
        unfit |= dict.fromkeys(sorted(absent), f"no such file, though named in {parts_from}")
        parts = {part: tuple(name for name in listed if name in there) for part, listed in parts.items()}
    return Listing(
        corpus=corpus,
        keys=keys,
        clips=tuple(
            Clip(home.folder, match[0], label, number_of[match["speaker"]], spelled_as(match[0], home.places))
            for match, label in zip(matches, labels, strict=True)
        ),
        unfit=tuple(unfit),
        reasons={name: reason for name, reason in unfit.items() if reason},
        speaker_names=() if layout.numbered else tuple(number_of),
        parts=parts,
        parts_from=parts_from,
    )


def _ignored_folders(layout: _Layout, root: Path, home: Path) -> str:
    """The start of the names, as seen from the given folder, that are ignored; empty if there are none."""
    return f"{home.relative_to(root).as_posix()}/{layout.ignored}".removeprefix("./") if layout.ignored else ""


def _read_parts(
    lists: _PartLists, folder: Path, names: Sequence[str]
) -> tuple[Mapping[str, tuple[str, ...]] | None, str]:
    """Clip ids by part, and the names of the lists; None and "" if the lists do not exist.

    A list has one file name per line. Neither the suffix nor the folders around the corpus matter: ``lang-…_digit-0``,
    ``lang-…_digit-0.flac`` and ``audio/lang-…_digit-0.wav`` are the same recording. A line that names no clip is kept
    as it is; making a split of the parts refuses it.
    """
    folders = (folder, folder.absolute().parent) if lists.may_lie_above else (folder,)
    home = next((place for place in folders if any((place / file).is_file() for file in lists.files.values())), None)
    if home is None:
        return None, ""
    for file in lists.files.values():
        if not (home / file).is_file():
            # Without one of the lists, its recordings would silently count as those that no list names.
            there = next(other for other in lists.files.values() if (home / other).is_file())
            raise ValueError(f"{home / file}: is missing, but {there} exists; add the one or remove the other")
    name_of = {_recording(name, lists.n_folders): name for name in names}
    parts = {
        part: tuple(name_of.get(_recording(line, lists.n_folders), line) for line in _read_lines(home / file))
        for part, file in lists.files.items()
    }
    if lists.others is not None:
        listed = {name for part in parts.values() for name in part}
        parts = {lists.others: tuple(name for name in names if name not in listed), **parts}
    return parts, " and ".join(lists.files.values())


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: must be UTF-8 text with one file name per line: {error}") from None
    return [composed(line.strip()) for line in text.splitlines() if line.strip()]


def _recording(name: str, n_folders: int) -> str:
    """The form in which list lines and clip ids are compared: the name without its suffix and its outer folders."""
    last = name.replace("\\", "/").split("/")[-1 - n_folders :]
    stem, dot, suffix = last[-1].rpartition(".")
    return "/".join([*last[:-1], stem if dot else suffix])

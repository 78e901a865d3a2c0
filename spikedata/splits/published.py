"""The published divisions of Heidelberg Digits and Speech Commands, computed from the names of the recordings.

The published data sets are divided into files: ``shd_train.h5`` and ``shd_test.h5``; ``ssc_train.h5``,
``ssc_valid.h5`` and ``ssc_test.h5``. This module divides a file, or a listing, of all recordings in the same way:
Speech Commands exactly, by a hash of the speaker; Heidelberg Digits by a rule of ours, since the names do not tell the
published choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b, sha1
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from spikedata.splits.promises import as_columns, make_promised, require_every_class, require_speakers_apart
from spikedata.splits.split import Split

HEIDELBERG_TEST_SPEAKERS = (4, 5)  # Cramer et al. 2022
HEIDELBERG_TEST_SHARE = 0.05  # approximate, of each class of the other speakers
SSC_VALIDATION_PERCENTAGE, SSC_TEST_PERCENTAGE = 10, 20

_HEIDELBERG_START = "lang-"
_SPEECH_COMMANDS_MARK = "_nohash_"  # what follows it in a file name does not enter the hash
_LARGEST_HASH = 2**27 - 1
_PARTS = ("train", "validation", "test")


def split_as_published(names: Sequence[str], labels: npt.ArrayLike, speakers: npt.ArrayLike) -> Split:
    """The published split of a corpus, which is recognized by the names of its recordings.

    Heidelberg Digits (``lang-…_speaker-…_trial-…_digit-….flac``): the test part has all of speakers 4 and 5, as
    published, and 5 % of each class (a digit in a language) of the other speakers. The names do not tell which ones
    were published, so a rule of ours takes those whose names have the smallest hashes. The choice depends on the set
    of recordings, but not on their order or folder.

    Speech Commands (``…_nohash_….wav``): the hash of the speaker's name decides, 10 % validation and 20 % test, as
    in SSC; the corpus's own lists use 10 % and 10 %.

    Parameters
    ----------
    names : sequence of str
        Name of each recording.
    labels, speakers : array_like of int, shape (n_samples,)
        Class and speaker of each sample.

    Returns
    -------
    Split
        Parts ``train`` and ``test`` for Heidelberg Digits; ``train``, ``validation`` and ``test``, with disjoint
        speakers, for Speech Commands.

    Raises
    ------
    ValueError
        If the names belong to neither corpus, speaker 4 or 5 is missing, or a part would be empty.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022); Warden, arXiv 1804.03209 (2018).

    Examples
    --------
    >>> speakers = [3] * 20 + [4] * 20 + [5] * 20
    >>> names = [f"lang-english_speaker-{s:02}_trial-{n}_digit-0.flac" for n, s in enumerate(speakers)]
    >>> split = split_as_published(names, [0] * 60, speakers)
    >>> len(split.part("train")), len(split.part("test"))
    (19, 41)
    """
    label_of, speaker_of = as_columns(labels=labels, speakers=speakers)
    if len(names) != len(label_of):
        raise ValueError(f"names must be {len(label_of)}, one per sample, got {len(names)}")
    stems = [PurePosixPath(name).stem for name in names]
    corpora = ((_is_heidelberg, _heidelberg_digits), (_is_speech_commands, _speech_commands))
    odd = names[0] if names else ""
    for is_named_so, divide in corpora:
        others = [name for name, stem in zip(names, stems, strict=True) if not is_named_so(stem)]
        if stems and not others:
            return divide(stems, label_of, speaker_of)
        if len(others) < len(stems):  # a few foreign names in a corpus: show one of them
            odd = others[0]
    rule = "all recordings must be named as in Heidelberg Digits, or all as in Speech Commands"
    raise ValueError(f"{rule}, got {odd!r}; SHD and SSC are divided by their files")


def split_by_hash(
    names: Sequence[str],
    labels: npt.ArrayLike,
    speakers: npt.ArrayLike,
    *,
    validation_percentage: float = 10,
    testing_percentage: float = 20,
) -> Split:
    """The split of Speech Commands with given percentages; the default is that of SSC.

    Parameters
    ----------
    names : sequence of str
        Name of each recording, ``…{speaker}_nohash_{n}.wav``.
    labels, speakers : array_like of int, shape (n_samples,)
        Class and speaker of each sample.
    validation_percentage, testing_percentage : float
        As in `which_set` [percent]. A part of 0 % is left out.

    Returns
    -------
    Split
        Its parts have no speaker in common.

    Raises
    ------
    ValueError
        If a name has no ``_nohash_``, the percentages are out of range, a part would be empty, a class does not occur
        in training, or the speaker numbers contradict the names.

    Examples
    --------
    >>> names = ["bed/7a49163e_nohash_0.wav", "bed/97f4c236_nohash_0.wav", "bed/00000001_nohash_0.wav"]
    >>> split = split_by_hash(names, [0, 0, 0], [2, 1, 0], testing_percentage=10)
    >>> split.part("validation"), split.name
    (array([0]), 'by hash: validation 10 %; test 10 % of the speakers')
    """
    label_of, speaker_of = as_columns(labels=labels, speakers=speakers)
    if len(names) != len(label_of):
        raise ValueError(f"names must be {len(label_of)}, one per sample, got {len(names)}")
    percentages = {"validation": validation_percentage, "test": testing_percentage}
    if not any(percentages.values()):
        raise ValueError("validation or testing percentage must be > 0, got 0 and 0")
    stranger = next((name for name in names if _SPEECH_COMMANDS_MARK not in name.rpartition("/")[2]), None)
    if stranger is not None:
        raise ValueError(f"recordings must be named {{speaker}}{_SPEECH_COMMANDS_MARK}{{n}}.wav, got {stranger!r}")
    part_for = partial(which_set, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
    part_of = np.array([part_for(name) for name in names])
    described = "; ".join(f"{part} {percentage:g} %" for part, percentage in percentages.items() if percentage)
    parts = {part: np.flatnonzero(part_of == part) for part in _PARTS if percentages.get(part, 100)}
    split = make_promised(f"by hash: {described} of the speakers", "by_hash", parts, speaker_of)
    require_speakers_apart(split, speaker_of)
    require_every_class(split, label_of)
    return split


def which_set(file_name: str, *, validation_percentage: float, testing_percentage: float) -> str:
    """The part to which a recording of Speech Commands belongs: ``train``, ``validation`` or ``test``.

    The text before ``_nohash_`` in the file name, which identifies the speaker, is hashed, so all recordings of a
    speaker are in one part. The corpus's own lists use 10 and 10 %, the files of SSC 10 and 20 %.

    Parameters
    ----------
    file_name : str
        Name of the recording; folders in front of it are ignored.
    validation_percentage, testing_percentage : float
        Share of all hashes in that part [percent].

    Raises
    ------
    ValueError
        If a percentage is negative, or their sum is above 100.

    References
    ----------
    Warden, arXiv 1804.03209 (2018), section 5.

    Examples
    --------
    >>> which_set("bed/105e72bb_nohash_0.wav", validation_percentage=10, testing_percentage=10)
    'validation'
    """
    if min(validation_percentage, testing_percentage) < 0 or not validation_percentage + testing_percentage <= 100:
        rule = "validation and testing percentage must be >= 0 and both together <= 100"
        raise ValueError(f"{rule}, got {validation_percentage} and {testing_percentage}")
    speaker = file_name.rpartition("/")[2].partition(_SPEECH_COMMANDS_MARK)[0]
    hashed = int(sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % (_LARGEST_HASH + 1)
    share = 100 * hashed / _LARGEST_HASH
    if share < validation_percentage:
        return "validation"
    return "test" if share < validation_percentage + testing_percentage else "train"


def _is_heidelberg(stem: str) -> bool:
    return stem.startswith(_HEIDELBERG_START)


def _is_speech_commands(stem: str) -> bool:
    return _SPEECH_COMMANDS_MARK in stem


def _heidelberg_digits(stems: list[str], labels: npt.NDArray[np.int64], speakers: npt.NDArray[np.int64]) -> Split:
    if len(set(stems)) < len(stems):
        raise ValueError(f"recordings must differ in name, got {len(set(stems))} names of {len(stems)} recordings")
    absent = np.setdiff1d(HEIDELBERG_TEST_SPEAKERS, speakers)
    if absent.size:
        raise ValueError(f"the published test part has speakers 4 and 5, but there is no speaker {absent[0]}")
    is_test = np.isin(speakers, HEIDELBERG_TEST_SPEAKERS)
    digests = [blake2b(stem.encode(), digest_size=8).hexdigest() + stem for stem in stems]
    for label in np.unique(labels[~is_test]):
        of_class = np.flatnonzero((labels == label) & ~is_test).tolist()
        n_test = int(HEIDELBERG_TEST_SHARE * len(of_class) + 0.5)
        is_test[sorted(of_class, key=digests.__getitem__)[:n_test]] = True
    described = f"speakers 4, 5 and {100 * HEIDELBERG_TEST_SHARE:g} % of each class of the others, by hash"
    split = make_promised(
        f"published rule, speakers shared: test {described}",
        "published",
        {"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)},
        speakers,
    )
    require_every_class(split, labels)
    return split


def _speech_commands(names: list[str], labels: npt.NDArray[np.int64], speakers: npt.NDArray[np.int64]) -> Split:
    split = split_by_hash(
        names, labels, speakers, validation_percentage=SSC_VALIDATION_PERCENTAGE, testing_percentage=SSC_TEST_PERCENTAGE
    )
    described = f"validation {SSC_VALIDATION_PERCENTAGE:g} %; test {SSC_TEST_PERCENTAGE:g} % of the speakers"
    return replace(split, name=f"published rule: {described}, by hash", kind="published")

"""Division by a hash of the speaker's name, as Speech Commands is divided: new recordings move no old one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import sha1

import numpy as np
import numpy.typing as npt

from spikedata.splits.promises import as_columns, make_promised, require_every_class, require_speakers_apart
from spikedata.splits.split import Split

_MARK = "_nohash_"  # what follows it does not count
_LARGEST_HASH = 2**27 - 1
_PARTS = ("train", "validation", "test")


def which_set(file_name: str, *, validation_percentage: float, testing_percentage: float) -> str:
    """The part of a recording of Speech Commands: ``train``, ``validation`` or ``test``.

    What stands before ``_nohash_`` in its file name, the speaker, is hashed, so all recordings of a speaker are in one
    part. Google's own lists are those of 10 and 10 %, the parts of SSC those of 10 and 20 %.

    Parameters
    ----------
    file_name : str
        The recording; folders before its name do not count.
    validation_percentage, testing_percentage : float
        Share of all hashes that goes to that part [percent].

    Raises
    ------
    ValueError
        If a percentage is below 0, or both together are above 100.

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
    speaker = file_name.rpartition("/")[2].partition(_MARK)[0]
    hashed = int(sha1(speaker.encode(), usedforsecurity=False).hexdigest(), 16) % (_LARGEST_HASH + 1)
    share = 100 * hashed / _LARGEST_HASH
    if share < validation_percentage:
        return "validation"
    return "test" if share < validation_percentage + testing_percentage else "train"


def split_by_hash(
    names: Sequence[str],
    labels: npt.ArrayLike,
    speakers: npt.ArrayLike,
    *,
    validation_percentage: float = 10,
    testing_percentage: float = 20,
) -> Split:
    """The split of Speech Commands at any percentages; the default is that of SSC.

    Parameters
    ----------
    names : sequence of str
        Name of each recording, ``…{speaker}_nohash_{n}.wav``.
    labels, speakers : array_like of int, shape (n_samples,)
        Class and speaker of each sample.
    validation_percentage, testing_percentage : float
        As `which_set` [percent]. A part of 0 % is left out.

    Returns
    -------
    Split
        Parts that share no speaker.

    Raises
    ------
    ValueError
        If a name has no ``_nohash_``, the percentages are out of bounds, a part would be empty, a class does not occur
        in training, or a speaker's number belies the names.

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
    stranger = next((name for name in names if _MARK not in name.rpartition("/")[2]), None)
    if stranger is not None:
        raise ValueError(f"recordings must be named {{speaker}}{_MARK}{{n}}.wav, got {stranger!r}")
    part_for = partial(which_set, validation_percentage=validation_percentage, testing_percentage=testing_percentage)
    part_of = np.array([part_for(name) for name in names])
    described = "; ".join(f"{part} {percentage:g} %" for part, percentage in percentages.items() if percentage)
    parts = {part: np.flatnonzero(part_of == part) for part in _PARTS if percentages.get(part, 100)}
    split = make_promised(f"by hash: {described} of the speakers", "by_hash", parts, speaker_of)
    require_speakers_apart(split, speaker_of)
    require_every_class(split, label_of)
    return split

"""Splits whose parts have no speaker in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from spikedata.splits.promises import (
    WAY_ON,
    as_columns,
    generator,
    make_promised,
    require_every_class,
    require_known_speakers,
    require_speakers_apart,
)
from spikedata.splits.split import Split

_MOST_LISTED = 20  # speakers listed in the name of a split; of more speakers, it gives the number
_SHARE = 6  # one speaker in six goes to each part whose speakers are not given


def split_by_speaker(
    speakers: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    validation: Sequence[int] | None = None,
    test: Sequence[int] | None = None,
    seed: int = 0,
) -> Split:
    """A split whose parts ``train``, ``validation`` and ``test`` have no speaker in common.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample.
    labels : array_like of int, shape (n_samples,)
        Class of each sample.
    validation, test : sequence of int, optional
        Speakers of that part. By default, about a sixth of the speakers, at least one, drawn at random. An empty
        ``test`` makes a split without a test part.
    seed : int
        Seed of the random choice.

    Returns
    -------
    Split
        Every sample is in exactly one part.

    Raises
    ------
    ValueError
        If a speaker is unknown or given twice, no speaker is left for training, or a class does not occur in training.

    Examples
    --------
    >>> split = split_by_speaker([1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1], validation=(2,), test=(3,))
    >>> split.parts["train"], split.name
    (array([0, 1]), 'by speaker: validation 2; test 3')
    """
    speaker_of, label_of = as_columns(speakers=speakers, labels=labels)
    require_known_speakers(speaker_of)
    everybody = np.unique(speaker_of).tolist()
    held_out = _held_out(everybody, validation, test, seed)
    in_part = {part: np.isin(speaker_of, chosen) for part, chosen in held_out.items()}
    in_train = ~np.any(list(in_part.values()), axis=0)
    described = "; ".join(f"{part} {_listed(chosen)}" for part, chosen in held_out.items())
    parts = {part: np.flatnonzero(mask) for part, mask in {"train": in_train, **in_part}.items()}
    kind = "by_speaker" if "test" in held_out else "validation_by_speaker"
    split = make_promised(f"by speaker: {described}", kind, parts, speaker_of)
    require_speakers_apart(split, speaker_of)
    require_every_class(split, label_of)
    return split


def _held_out(
    everybody: list[int], validation: Sequence[int] | None, test: Sequence[int] | None, seed: int
) -> dict[str, list[int]]:
    """Speakers of the validation part and, if there is one, of the test part."""
    named = {"validation": validation, "test": test}
    taken: list[int] = []
    for part, wanted in named.items():
        if wanted is not None and not isinstance(wanted, Iterable):
            raise TypeError(f"{part} must be speakers, such as ({wanted},), got {wanted!r}")
        for speaker in wanted or ():
            if speaker not in everybody:
                raise ValueError(f"{part} speaker {speaker}, must be one of {', '.join(map(str, everybody))}")
            if speaker in taken:
                raise ValueError(f"{part} speaker {speaker}, must be given once")
            taken.append(speaker)
    if validation is not None and not len(validation):
        raise ValueError("validation must name at least one speaker, got none")
    free = generator(seed).permutation([speaker for speaker in everybody if speaker not in taken]).tolist()
    n_chosen = max(1, round(len(everybody) / _SHARE))
    held_out = {}
    for part in ("test", "validation"):
        wanted = named[part]
        if wanted is None:
            wanted, free = free[:n_chosen], free[n_chosen:]
        held_out[part] = sorted(int(speaker) for speaker in wanted)
    if not free or not held_out["validation"]:
        counted = f"{len(everybody)} {'speaker' if len(everybody) == 1 else 'speakers'}"
        raise ValueError(f"every part must have a speaker, got only {counted} for all parts; {WAY_ON}")
    return {part: held_out[part] for part in ("validation", "test") if held_out[part]}


def _listed(speakers: list[int]) -> str:
    return ", ".join(map(str, speakers)) if len(speakers) <= _MOST_LISTED else f"{len(speakers)} speakers"

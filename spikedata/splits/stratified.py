"""Splits with a fixed fraction of every class and speaker, for data sets whose speakers cannot be kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from spikedata.splits.promises import as_columns, generator, make_promised, require_every_class
from spikedata.splits.split import Split


def split_stratified(
    labels: npt.ArrayLike,
    speakers: npt.ArrayLike,
    names: Sequence[str],
    *,
    validation: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
) -> Split:
    """A split with the same fraction of each class and speaker in all parts, which therefore share speakers.

    The same speakers occur in all parts, so the score is too good. Use such a split to compare networks, but do not
    report its score as one on unseen speakers.

    Parameters
    ----------
    labels, speakers : array_like of int, shape (n_samples,)
        Class and speaker of each sample. All unknown speakers (-1) count as one speaker.
    names : sequence of str
        Name of each sample, all different. The choice depends on the names and the seed, not on the order of the
        samples.
    validation, test : float
        Fraction of the samples in that part [1]. With 0 for ``test``, there is no test part.
    seed : int
        Seed of the choice.

    Returns
    -------
    Split
        Every sample is in exactly one part. Of each class, and of each speaker in it, the given fraction is held out,
        rounded up or down to whole samples.

    Raises
    ------
    ValueError
        If the fractions leave no sample for training or hold out none, a name occurs twice, or a class does not occur
        in training.

    Examples
    --------
    >>> names = [f"{number}.wav" for number in range(40)]
    >>> split = split_stratified([0, 1] * 20, [0] * 20 + [1] * 20, names, validation=0.25)
    >>> len(split.part("validation")), split.name
    (10, 'stratified, speakers shared: validation 25 %')
    """
    label_of, speaker_of = as_columns(labels=labels, speakers=speakers)
    _check(len(label_of), names, validation, test)
    n_held_out = validation + test
    order = _by_class_and_speaker(label_of, speaker_of, names, seed)
    phases = generator(seed).random(2)
    is_held_out = _every_so_many(len(order), n_held_out, phases[0])
    held_out = order[is_held_out]
    is_test = _every_so_many(len(held_out), test / n_held_out, phases[1])
    parts = {"train": order[~is_held_out], "validation": held_out[~is_test], "test": held_out[is_test]}
    fractions = {"validation": validation, "test": test}
    described = "; ".join(f"{part} {100 * fraction:g} %" for part, fraction in fractions.items() if fraction)
    kept = {part: np.sort(indices) for part, indices in parts.items() if part != "test" or test}
    said = "speakers unknown" if (speaker_of < 0).all() else "speakers shared"
    kind = "stratified_shared_speakers" if test else "validation_stratified_shared_speakers"
    split = make_promised(f"stratified, {said}: {described}", kind, kept, speaker_of)
    require_every_class(split, label_of)
    return split


def _check(n_samples: int, names: Sequence[str], validation: float, test: float) -> None:
    if not n_samples:
        raise ValueError("a split must have samples, got none")
    if len(names) != n_samples:
        raise ValueError(f"names must be {n_samples}, one per sample, got {len(names)}")
    if len(set(names)) < n_samples:
        raise ValueError(f"names of samples must differ, got {len(set(names))} names of {n_samples} samples")
    if not (validation > 0 and test >= 0 and validation + test < 1):
        rule = "validation must be > 0, test >= 0 and their sum < 1"
        raise ValueError(f"{rule}, got {validation} and {test}")


def _by_class_and_speaker(
    labels: npt.NDArray[np.int64], speakers: npt.NDArray[np.int64], names: Sequence[str], seed: int
) -> npt.NDArray[np.int64]:
    # numbers of the samples: by class, within a class by speaker, in both speakers and samples in a random order
    pairs, pair_of = np.unique(np.stack([labels, speakers]), axis=1, return_inverse=True)
    order_of_pairs = np.array([_digest(seed, f"class {label} speaker {speaker}") for label, speaker in pairs.T])
    order_of_names = np.array([_digest(seed, name) for name in names])
    return np.lexsort((np.asarray(names), order_of_names, order_of_pairs[pair_of.reshape(-1)], labels))


def _every_so_many(n: int, fraction: float, phase: float) -> npt.NDArray[np.bool_]:
    # any m consecutive places contain fraction * m chosen ones, rounded up or down, hence so does every class
    steps = np.floor(np.arange(n + 1) * fraction + phase)
    return np.asarray(np.diff(steps) > 0)


def _digest(seed: int, text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(f"{seed} {text}".encode(), digest_size=8).digest(), "little"))

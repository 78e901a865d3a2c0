"""Recognize the word in a recording: find it, encode it, and ask a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

import cochlea
from cochlea.stimulus import as_sample_rate, prepare_and_judge
from spikedata.baseline.runs.inspect_run import class_logits
from spikedata.corpora.audio import read_sound
from spikedata.events import Sample
from spikedata.recognition.pretrained import Pretrained, network_to_hear_with
from spikedata.recognition.words import Word, find_words

Source: TypeAlias = str | os.PathLike[str] | tuple[npt.ArrayLike, float]

_LOW = 0.5  # [1]: below, the network is more likely wrong than right
_SHORTEST = 0.05  # [s]
_OVERLAP = 0.15  # [s] that a word may exceed the network's window without a word about it: mostly the quiet behind it
_MOST_WINDOWS = 2.0  # a longer sound is no single word


@dataclass(frozen=True, kw_only=True, eq=False)
class Recognition:
    """The word in a recording, as a network heard it.

    Parameters
    ----------
    word : str
        The class with the highest score [1].
    score : float
        Its score [1].
    scores : dict of str to float
        Probability of each class [1], in falling order; they sum to 1.
    spikes : cochlea.Spikes
        The spikes that the network saw: times from the start of the word [s], and units.
    start, stop : float
        Where in the recording the word is [s].
    notes : tuple of str
        What was assumed, and what makes the answer doubtful: a line each.
    """

    word: str
    score: float
    scores: dict[str, float]
    spikes: cochlea.Spikes
    start: float
    stop: float
    notes: tuple[str, ...] = ()


def recognize(
    source: Source,
    *,
    network: str | os.PathLike[str] | Pretrained = "digits",
    params: cochlea.CochleaParams | None = None,
) -> Recognition:
    """The word in a recording.

    The word is cut out of the recording by its energy (`find_words`), so there may be silence or faint noise before and
    behind it, and encoded with the cochlea whose spikes the network was trained on. The same samples give the same
    answer, whatever the file is called. A recording of several words gives the loudest, and says so.

    Parameters
    ----------
    source : str, path-like, or (array_like, float)
        A recording in any format that `spikedata.read_audio` takes; or samples, shape (n_samples,) [1], and their
        sample rate [Hz].
    network : str, path-like or Pretrained
        Name of a pretrained network (`load_pretrained`), the folder of a run of your own, or a network that has been
        loaded, which saves loading it again.
    params : CochleaParams, optional
        The ear of a run whose data do not say it, as those of the published files; all others say it themselves.

    Returns
    -------
    Recognition

    Raises
    ------
    FileNotFoundError
        If there is no such recording or run.
    AudioError
        If the file is no recording.
    ValueError
        If the sound is silent, nothing stands out from its noise, or it sounds for longer than a word without a pause;
        or if the network cannot be used: there is none of this name, or the run is damaged, of another version or
        does not say which cochlea made its spikes.

    Examples
    --------
    >>> import spikedata as sd
    >>> recording = sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac"
    >>> sd.recognize(recording).word
    'sieben'
    """
    name, waveform, sample_rate = _read(source)
    ear = network_to_hear_with(network, params)
    try:
        word, notes = _loudest_word(waveform, sample_rate, ear)
        heard = waveform[word.start : word.stop]
        return recognize_word(heard, sample_rate, ear, start=word.start / sample_rate, notes=notes, name=name)
    except ValueError as error:
        raise ValueError(f"{name}: {error}" if name else str(error)) from None


def recognize_word(
    waveform: npt.NDArray[np.float64],
    sample_rate: int,
    ear: Pretrained,
    *,
    start: float = 0.0,
    notes: Sequence[str] = (),
    name: str = "",
) -> Recognition:
    """The word that a waveform is, all of it.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        The word and what surrounds it [1].
    sample_rate : int
        [Hz]
    ear : Pretrained
        The network, and the cochlea that it hears with.
    start : float
        Where in the recording it begins [s].
    notes : sequence of str
        What is already to be said of it.
    name : str
        What the recording is called [1].

    Raises
    ------
    ValueError
        If it is silent.
    """
    spikes = cochlea.encode(waveform, sample_rate, ear.ear, refuse_silence=True)
    duration = len(waveform) / sample_rate
    sample = Sample(spikes.times, spikes.units, 0, -1, name, sample_rate, ear.n_units, duration)
    scores = _probabilities(class_logits(ear.network, [sample])[0], ear.temperature)
    order = np.argsort(-scores, kind="stable")
    ranked = {ear.classes[index]: float(scores[index]) for index in order}
    best = next(iter(ranked))
    said = [*notes, *notes_on_length(duration, ear)]
    if ear.sample_rates and sample_rate < min(ear.sample_rates):
        said.append(f"is sampled at {sample_rate:,} Hz; the network was tested from {min(ear.sample_rates):,} Hz on")
    if ranked[best] < _LOW:
        said.append(f"no word stands out: {_in_words(ranked)}; {ear.name} knows only {_known(ear.classes)}")
    return Recognition(
        word=best,
        score=ranked[best],
        scores=ranked,
        spikes=spikes,
        start=start,
        stop=start + duration,
        notes=tuple(said),
    )


def longest_word(ear: Pretrained) -> float:
    """The length [s] from which on a sound without a pause is taken for no single word."""
    return _MOST_WINDOWS * ear.duration


def notes_on_length(seconds: float, ear: Pretrained) -> list[str]:
    """What is to be said of a word that is longer than the network hears."""
    if seconds <= ear.duration + _OVERLAP:
        return []
    return [f"the word lasts {seconds:.2f} s, of which the network hears the first {ear.duration:g} s"]


def _read(source: Source) -> tuple[str, npt.NDArray[np.float64], int]:
    """What errors call it, its samples and its sample rate."""
    if isinstance(source, str | os.PathLike):
        return str(Path(source)), *read_sound(source)
    if not (isinstance(source, tuple | list) and len(source) == 2):
        found = f"{type(source).__name__}"
        raise TypeError(f"source must be a path or (waveform, sample_rate), got {found}")
    waveform, sample_rate = source
    return "", cochlea.as_waveform(waveform), as_sample_rate(sample_rate)


def _loudest_word(waveform: npt.NDArray[np.float64], sample_rate: int, ear: Pretrained) -> tuple[Word, list[str]]:
    """The word to recognize, and notes on the choice; a ValueError if there is none."""
    if waveform.size < _SHORTEST * sample_rate:
        raise ValueError(f"lasts {waveform.size / sample_rate:.3f} s, which is too short for a word")
    words = find_words(waveform, sample_rate)
    notes = []
    if not words:
        silence = prepare_and_judge(waveform, sample_rate, ear.ear.stimulus).silence
        if silence or waveform.size > longest_word(ear) * sample_rate:
            raise ValueError(silence or "no word stands out from its noise")
        words = (Word(0, waveform.size, 1.0),)
        notes.append("nothing stands out from its noise, so all of it is taken for the word")
    loudest = max(words, key=lambda word: word.energy)
    seconds = (loudest.stop - loudest.start) / sample_rate
    if seconds > longest_word(ear):
        raise ValueError(
            f"sounds for {seconds:.1f} s without a pause, must be a single word of at most {longest_word(ear):g} s"
        )
    if len(words) > 1:
        place = f"{loudest.start / sample_rate:.2f} to {loudest.stop / sample_rate:.2f} s"
        notes.append(f"has {len(words)} words; this is the loudest, at {place}")
    return loudest, notes


def _probabilities(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float64]:
    """The softmax of logits over a temperature."""
    return np.asarray(softmax(logits.astype(np.float64) / temperature))


def _in_words(ranked: dict[str, float]) -> str:
    return ", ".join(f"{word!r} {score:.0%}" for word, score in list(ranked.items())[:2])


def _known(classes: Sequence[str]) -> str:
    shown = ", ".join(classes) if len(classes) <= 4 else f"{classes[0]} to {classes[-1]}"
    return f"{len(classes)} words ({shown})"

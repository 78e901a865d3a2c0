"""One clip of synthetic speech: draw how it is spoken, let the engine speak it, then trim, level and encode it.

A clip depends only on its own word, voice, take and seed.
"""

import hashlib
import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikedata.synth.engine import Engine, EngineError, speak
from spikedata.synth.words import Word

RATES = (130, 190)  # bounds of the speed [words/min]
PITCHES = (35, 65)  # bounds of the pitch, on the engine's scale of 0 to 99 [1]
PITCH_RANGES = (30, 70)  # bounds of the pitch range, on the same scale [1]
RMS = 0.0347  # level of a clip, as in Heidelberg Digits [1]
PEAK = 0.99  # largest magnitude of a sample [1]
MARGIN = 0.03  # silence kept before and after a word [s]
FADE = 0.01  # at either end of a clip [s]
FRAME = 0.005  # length of the frames in which the power is measured [s]
SILENCE = 1e-4  # largest power of a silent frame, relative to the loudest frame: -40 dB [1]


class SpokenClip(NamedTuple):
    """One clip of a spoken corpus: a line of its manifest.

    Attributes
    ----------
    file : str
        Path of the clip, relative to the corpus.
    label : int
        Number of the class.
    key, text, language : str
        Class name, spoken text and language.
    voice : str
        The engine's voice variant.
    speaker : int
        Number of the voice.
    trial : int
        Number of the take, from 0.
    rate : int
        Speed [words/min].
    pitch, pitch_range : int
        Pitch and pitch range of the voice, 0 to 99 [1].
    engine, tools : str
        Version and kind of the engine; versions of the libraries that resampled and wrote the clip.
    seed : int
        Seed of the corpus.
    sample_rate : int
        Sample rate of the file [Hz].
    sha256 : str
        SHA-256 of the file.
    """

    file: str
    label: int
    key: str
    text: str
    language: str
    voice: str
    speaker: int
    trial: int
    rate: int
    pitch: int
    pitch_range: int
    engine: str
    tools: str
    seed: int
    sample_rate: int
    sha256: str


class Take(NamedTuple):
    """How a clip is spoken: speed [words/min], pitch and pitch range [1], and seed of the engine."""

    rate: int
    pitch: int
    pitch_range: int
    engine_seed: int


def draw_take(word: Word, voice: str, trial: int, *, seed: int) -> Take:
    """Draw how a clip is spoken; the same arguments give the same take.

    Parameters
    ----------
    word : Word
        The word; its key, text and language have an influence, its label does not.
    voice : str
        Voice variant.
    trial : int
        Number of the take.
    seed : int
        Seed of the corpus.

    Returns
    -------
    Take
        Within the bounds at the top of this module.

    Examples
    --------
    >>> draw_take(Word("one", "one", "english", 1), "f3", 0, seed=0)
    Take(rate=182, pitch=36, pitch_range=33, engine_seed=6949322)
    """
    name = "\0".join((str(seed), voice, word.language, word.key, word.text, str(trial)))
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big"))
    bounds = (RATES, PITCHES, PITCH_RANGES, (1, 2**31 - 1))
    return Take(*(int(rng.integers(lowest, highest, endpoint=True)) for lowest, highest in bounds))


def speak_clip(
    word: Word, voice: str, trial: int, *, file: str, speaker: int, engine: Engine, sample_rate: int, seed: int
) -> tuple[SpokenClip, bytes]:
    """Speak one clip.

    Parameters
    ----------
    word : Word
        The word.
    voice : str
        One of ``engine.variants``.
    trial : int
        Number of the take.
    file : str
        Path of the clip within its corpus.
    speaker : int
        Number of the voice.
    engine : Engine
        The engine.
    sample_rate : int
        Sample rate of the clip [Hz].
    seed : int
        Seed of the corpus.

    Returns
    -------
    tuple of SpokenClip, bytes
        The clip's line of the manifest, and its FLAC file: mono, 16 bit.

    Raises
    ------
    EngineError
        If the engine fails or returns silence.
    """
    import soundfile
    import soxr

    take = draw_take(word, voice, trial, seed=seed)
    speech = speak(
        engine,
        word.text,
        language=word.language,
        voice=voice,
        rate=take.rate,
        pitch=take.pitch,
        pitch_range=take.pitch_range,
        seed=take.engine_seed,
    )
    if not speech.samples.any():
        raise EngineError(f"{speech.engine} returns silence for {word.text!r} in {word.language} with voice {voice}")
    waveform = soxr.resample(speech.samples / 32768.0, speech.sample_rate, sample_rate)
    samples = np.rint(cut_and_level(waveform, sample_rate) * 32767).astype(np.int16)
    packed = io.BytesIO()
    soundfile.write(packed, samples, sample_rate, format="FLAC", subtype="PCM_16")
    clip = SpokenClip(
        file=file,
        label=word.label,
        key=word.key,
        text=word.text,
        language=word.language,
        voice=voice,
        speaker=speaker,
        trial=trial,
        rate=take.rate,
        pitch=take.pitch,
        pitch_range=take.pitch_range,
        engine=speech.engine,
        tools=f"soxr {soxr.__version__}, libsndfile {soundfile.__libsndfile_version__}",
        seed=seed,
        sample_rate=sample_rate,
        sha256=hashlib.sha256(packed.getvalue()).hexdigest(),
    )
    return clip, packed.getvalue()


def cut_and_level(waveform: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Trim the silence around a word to a margin, fade both ends, and set the level.

    Parameters
    ----------
    waveform : ndarray of float64, shape (sample,)
        A word, not all zero.
    sample_rate : int
        Sample rate of the waveform [Hz].

    Returns
    -------
    ndarray of float64, shape (sample,)
        The waveform from 30 ms before the first frame that is not silent to 30 ms after the last, padded with zeros if
        it is too short. Its root mean square is 0.0347, or less if a peak would exceed 0.99.
    """
    frame = round(FRAME * sample_rate)
    n_frames = -(-len(waveform) // frame)
    power = np.square(np.pad(waveform, (0, n_frames * frame - len(waveform)))).reshape(n_frames, frame).mean(axis=1)
    loud = np.flatnonzero(power > SILENCE * power.max())
    margin = round(MARGIN * sample_rate)
    padded = np.pad(waveform, (margin, margin + frame))
    word = padded[loud[0] * frame : (loud[-1] + 1) * frame + 2 * margin].copy()
    n_fade = round(FADE * sample_rate)
    ramp = np.sin(0.5 * np.pi * (np.arange(n_fade) + 0.5) / n_fade) ** 2
    word[:n_fade] *= ramp
    word[-n_fade:] *= ramp[::-1]
    leveled: NDArray[np.float64] = word * min(RMS / np.sqrt(np.mean(np.square(word))), PEAK / np.abs(word).max())
    return leveled

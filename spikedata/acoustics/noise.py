"""Noise, and sounds in it at a signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import draw_below, normals
from spikedata.acoustics.levels import active_rms, as_rate, as_sound, gain_of
from spikedata.acoustics.room import reverberate
from spikedata.checks import whole_number

BAND_WIDTH = 31.25  # [Hz] of an average spectrum: frames of 32 ms
_HIGHEST = 24_000.0  # [Hz] of an average spectrum
N_BANDS = int(_HIGHEST / BAND_WIDTH) + 1


class NoiseError(ValueError):
    """Noise that cannot be used; the message names it, the rule and the value found."""


def mix_noise(
    waveform: npt.ArrayLike, noise: npt.ArrayLike, sample_rate: int, *, snr: float, loop: bool = False
) -> npt.NDArray[np.float64]:
    """The sound with noise added at a signal-to-noise ratio.

    The power of the sound is that of its active frames (`spikedata.acoustics.levels`); the power of the noise is that
    of all of the noise which is added. The sound keeps its own level; the noise is scaled.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    noise : array_like, shape (at least n_samples,)
        The noise; its first `n_samples` are added.
    sample_rate : int
        Of both [Hz].
    snr : float
        Signal-to-noise ratio [dB].
    loop : bool
        Whether noise that is shorter than the sound is repeated.

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Raises
    ------
    ValueError
        If the sound is silent, so that no ratio can be set.
    NoiseError
        If the noise is silent or, without `loop`, shorter than the sound.

    Examples
    --------
    >>> tone, hiss = np.sin(np.arange(16_000) / 3), np.cos(np.arange(16_000) ** 2)
    >>> added = mix_noise(tone, hiss, 16_000, snr=6.0) - tone
    >>> round(20 * float(np.log10(np.std(tone) / np.std(added))), 2)
    6.0
    """
    sound, noise = as_sound("waveform", waveform), as_sound("noise", noise)
    if not np.isfinite(snr):
        raise ValueError(f"snr must be finite, got {snr!r}")
    signal = active_rms(sound, as_rate(sample_rate))
    if not signal:
        raise ValueError(f"silent: no signal-to-noise ratio can be set, all {sound.size} samples are {sound[0]:g}")
    if noise.size < sound.size:
        if not loop:
            rule = f"noise of {noise.size} samples is shorter than the sound of {sound.size}"
            raise NoiseError(f"{rule}; loop=True repeats it")
        noise = np.resize(noise, sound.size)
    added = noise[: sound.size] - np.mean(noise[: sound.size])
    peak = max(float(added.max()), -float(added.min()))
    if not peak > 0.0:
        raise NoiseError(f"the noise is silent: all of its {sound.size} samples are {noise[0]:g}")
    added /= peak  # lest the squares overflow or vanish
    added *= signal / np.sqrt(float(np.mean(np.square(added)))) * gain_of(-snr)
    added += sound
    return np.asarray(added)


def white_noise(n_samples: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Noise with the same power at all frequencies, of root mean square 1.

    Parameters
    ----------
    n_samples : int
        [1]
    rng : numpy.random.Generator
        Such as one of `spikedata.acoustics.stream_of`.
    """
    return normals(rng, whole_number("n_samples", n_samples, at_least=1))


def average_spectrum(sounds: Iterable[tuple[npt.ArrayLike, int]]) -> npt.NDArray[np.float64]:
    """The long-term average spectrum of sounds: their mean power in bands of 31.25 Hz.

    Each sound is first brought to the same level, as speakers of a list are (Byrne et al.: An international comparison
    of long-term average speech spectra. JASA 96:2108, 1994).

    Parameters
    ----------
    sounds : iterable of (waveform, sample_rate)
        Sounds of any sample rates [Hz]; silent ones are passed over. One of a low rate adds nothing above its half.

    Returns
    -------
    ndarray of float64, shape (769,)
        Power in bands around 0, 31.25, ..., 24,000 Hz [1]; their sum is 1.

    Raises
    ------
    NoiseError
        If there is no sound.
    """
    from scipy.fft import rfft

    total = np.zeros(N_BANDS)
    for waveform, rate in sounds:
        sound, sample_rate = as_sound("waveform", waveform), as_rate(rate)
        rms = active_rms(sound, sample_rate)
        if not rms:
            continue
        n_frame = max(2, round(sample_rate / BAND_WIDTH))
        n_frames = -(-sound.size // n_frame)
        padded = np.zeros(n_frames * n_frame)
        padded[: sound.size] = (sound - np.mean(sound)) / rms
        window = 1.0 - np.square(np.linspace(-1.0, 1.0, n_frame))  # Welch's
        spectrum = rfft(padded.reshape(n_frames, n_frame) * window, axis=1)
        power = np.mean(np.square(spectrum.real) + np.square(spectrum.imag), axis=0) / n_frame**2
        n_bands = min(power.size, N_BANDS)
        total[:n_bands] += power[:n_bands]
    total[0] = 0.0  # an offset is no sound
    if not np.sum(total) > 0.0:
        raise NoiseError("there is no sound to take the average spectrum of: all are silent")
    return np.asarray(total / np.sum(total))


def speech_shaped_noise(
    n_samples: int, sample_rate: int, spectrum: npt.ArrayLike, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Stationary noise with an average spectrum, such as that of speech.

    Parameters
    ----------
    n_samples : int
        [1]
    sample_rate : int
        [Hz]
    spectrum : array_like, shape (769,)
        From `average_spectrum` [1].
    rng : numpy.random.Generator
        Such as one of `spikedata.acoustics.stream_of`.

    Raises
    ------
    NoiseError
        If nothing of the spectrum is below half of the sample rate.
    """
    from scipy.fft import irfft

    n_samples = whole_number("n_samples", n_samples, at_least=1)
    bands = as_sound("spectrum", np.asarray(spectrum))
    if bands.size != N_BANDS or float(bands.min()) < 0.0:
        raise ValueError(f"spectrum must be {N_BANDS} powers >= 0, as average_spectrum gives them, got {bands.size}")
    n_taps = max(2, round(as_rate(sample_rate) / BAND_WIDTH))
    frequencies = np.arange(n_taps // 2 + 1) * (sample_rate / n_taps)
    amplitudes = np.sqrt(np.interp(frequencies, np.arange(N_BANDS) * BAND_WIDTH, bands, right=0.0))
    if not np.any(amplitudes > 0.0):
        raise NoiseError(f"nothing of the spectrum is below half of the sample rate, {sample_rate} Hz")
    # A filter as long as the bands are wide, so that noise of any length is shaped piece by piece.
    taps = np.roll(irfft(amplitudes.astype(np.complex128), n_taps), n_taps // 2)
    return reverberate(normals(rng, n_samples + n_taps), taps)[n_taps:]


def babble(
    n_samples: int, sample_rate: int, talkers: Sequence[Sequence[npt.ArrayLike]], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Several people speaking at once, all equally loud.

    Each says one recording after the other, from a random place in the first on, over again where they do not suffice.
    Babble of eight masks speech most (Simpson, Cooke: Consonant identification in N-talker babble is a nonmonotonic
    function of N. JASA 118:2775, 2005).

    Parameters
    ----------
    n_samples : int
        [1]
    sample_rate : int
        Of all recordings [Hz].
    talkers : sequence of sequence of array_like
        The recordings of each talker.
    rng : numpy.random.Generator
        Such as one of `spikedata.acoustics.stream_of`.

    Raises
    ------
    NoiseError
        If there is no talker, or one has no recording or a silent one.
    """
    n_samples = whole_number("n_samples", n_samples, at_least=1)
    total = np.zeros(n_samples)
    if not talkers:
        raise NoiseError("babble must have at least one talker, got none")
    for number, recordings in enumerate(talkers):
        if not recordings:
            raise NoiseError(f"talker {number} of the babble has no recording")
        spoken = []
        for recording in recordings:
            sound = as_sound("recording", recording)
            rms = active_rms(sound, as_rate(sample_rate))
            if not rms:
                raise NoiseError(f"talker {number} of the babble has a silent recording")
            spoken.append((sound - np.mean(sound)) / rms)
        first = draw_below(len(spoken[0]), rng)
        total += np.resize(np.concatenate([spoken[0][first:], *spoken[1:], spoken[0][:first]]), n_samples)
    return total

"""Rooms: reverberation by an impulse response that decays exponentially.

The response is that of a large room after Polack's statistical model: the direct sound, then Gaussian noise whose power
falls by 60 dB in the reverberation time (Polack: La transmission de l'énergie sonore dans les salles. Thesis, Le Mans,
1988; Moorer: About this reverberation business. Computer Music Journal 3(2):13, 1979; Jot, Cerveau, Warusfel: AES
Convention 103, 1997). It has two numbers, both measured in rooms, and no walls: single reflections, which an image
source model would place, are left out, and all frequencies decay alike.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import normals
from spikedata.acoustics.levels import as_rate, as_sound, gain_of, power_of_ten

LONGEST = 10.0  # [s] of a reverberation time; a cathedral has 8


def impulse_response(
    sample_rate: int, *, reverberation_time: float, direct_to_reverberant: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """The impulse response of a room, from the arrival of the direct sound, whose amplitude is 1, to -60 dB.

    Parameters
    ----------
    sample_rate : int
        [Hz]
    reverberation_time : float
        T60, in which the power of the reverberation falls by 60 dB [s].
    direct_to_reverberant : float
        Energy of the direct sound over that of all the rest [dB].
    rng : numpy.random.Generator
        Such as one of `spikedata.acoustics.stream_of`.

    Returns
    -------
    ndarray of float64, shape (1 + round(reverberation_time * sample_rate),)

    Raises
    ------
    ValueError
        If the reverberation time is not in 0..10 s, above 0, or the ratio is not finite.
    """
    if not 0.0 < reverberation_time <= LONGEST:
        raise ValueError(f"reverberation_time must be > 0 and <= {LONGEST:g} s, got {reverberation_time!r}")
    if not np.isfinite(direct_to_reverberant):
        raise ValueError(f"direct_to_reverberant must be finite, got {direct_to_reverberant!r}")
    n_tail = max(1, round(reverberation_time * as_rate(sample_rate)))
    # One factor per sample, multiplied up in order: no exponential of a library, whose last bits differ.
    factor = power_of_ten(-3, Decimal(float(reverberation_time)) * Decimal(sample_rate))
    tail = normals(rng, n_tail) * np.multiply.accumulate(np.full(n_tail, factor))
    tail *= gain_of(-direct_to_reverberant) / np.sqrt(np.sum(np.square(tail)))
    return np.concatenate([[1.0], tail])


def reverberate(waveform: npt.ArrayLike, response: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The sound as it is heard in a room; it keeps its length, and what would still sound after its end is cut off.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        The sound, in any linear unit.
    response : array_like, shape (n_response,)
        Impulse response, such as that of `impulse_response` or a measured one [1].

    Returns
    -------
    ndarray of float64, shape (n_samples,)

    Examples
    --------
    >>> reverberate([1.0, 0.0, 2.0], [1.0, 0.5]).round(12).tolist()
    [1.0, 0.5, 2.0]
    """
    from scipy.fft import irfft, next_fast_len, rfft

    sound, response = as_sound("waveform", waveform), as_sound("response", response)[: np.asarray(waveform).size]
    n_fft = int(next_fast_len(min(4 * response.size, sound.size + response.size) + 1, real=True))
    n_block = n_fft - response.size + 1
    spectrum = rfft(response, n_fft)
    heard = np.zeros(sound.size + n_fft)
    for first in range(0, sound.size, n_block):  # overlap and add, so that a long sound needs no long transform
        heard[first : first + n_fft] += irfft(product_of(rfft(sound[first : first + n_block], n_fft), spectrum), n_fft)
    return heard[: sound.size]


def product_of(left: npt.NDArray[np.complex128], right: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    """The product of two spectra, each part in a written order: NumPy's own fuses steps where a processor can.

    Parameters
    ----------
    left, right : ndarray of complex128, of one shape
    """
    product = np.empty_like(left)
    product.real = left.real * right.real - left.imag * right.imag
    product.imag = left.real * right.imag + left.imag * right.real
    return product

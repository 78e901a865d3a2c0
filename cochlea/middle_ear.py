"""The human middle ear: from the sound pressure at the eardrum to that at the stapes, as a filter."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.compilation import Array, compiled
from cochlea.signals import as_signals

# H(s) = 1/2 times these factors: coefficients of s^2, s and 1 above and below the line [1, 1/s, 1/s^2]. The gain of
# Pascal, Bourgeade, Lagier, Legros, JASA 104:1509 (1998), as fitted by Ibrahim (thesis, McMaster University, 2012).
_GAIN = 0.5
_ABOVE = np.array([[1.0, 5666.5, 0.0], [1.0, 5893.4, 1.7926e8], [0.0, 3113.7, 6.9768e8]])
_BELOW = np.array([[1.0, 5976.1, 2.5255e7], [1.0, 6425.5, 1.3975e8], [1.0, 24891.0, 1.27e9]])


def middle_ear(frequencies: ArrayLike) -> NDArray[np.complex128]:
    """The gain of the human middle ear at each frequency, in the exp(+i w t) convention.

    It is a band-pass with its peak, 0.50, at 1.1 kHz; 100 Hz is 20 dB and 10 kHz is 13 dB below the peak.

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        Frequencies [Hz].

    Returns
    -------
    ndarray of complex128, shape (frequency,)
        Pressure at the stapes over pressure at the eardrum [1].

    Raises
    ------
    ValueError
        If the frequencies are not one-dimensional and real.

    References
    ----------
    Pascal, Bourgeade, Lagier, Legros, JASA 104:1509 (1998); the fit of Ibrahim (2012), which the model of Zilany,
    Bruce, Carney, JASA 135:283 (2014) uses.

    Examples
    --------
    >>> np.abs(middle_ear([100.0, 1100.0, 10_000.0])).round(2)
    array([0.05, 0.5 , 0.12])
    """
    frequencies = np.asarray(as_signals("frequencies", frequencies, "frequency"), np.float64)
    gains = np.empty(frequencies.shape, np.complex128)
    _fill_gains(2.0 * np.pi * frequencies, gains)
    return gains


@compiled()
def middle_ear_gain(w: float) -> complex:
    """The gain at an angular frequency [1/s], the same to the bit on every machine; for other kernels.

    Parameters
    ----------
    w : float
        Angular frequency [1/s].
    """
    real, imag = _GAIN, 0.0
    for i in range(_ABOVE.shape[0]):
        above, below = _ABOVE[i], _BELOW[i]
        a, b = above[2] - above[0] * (w * w), above[1] * w  # at s = i w
        c, d = below[2] - below[0] * (w * w), below[1] * w
        size = c * c + d * d
        p, q = (a * c + b * d) / size, (b * c - a * d) / size
        real, imag = real * p - imag * q, real * q + imag * p
    return complex(real, imag)


@compiled()
def _fill_gains(angular: Array, gains: Array) -> None:
    for i in range(angular.size):
        gains[i] = middle_ear_gain(angular[i])

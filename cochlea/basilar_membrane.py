"""From sound pressure to the velocity at each place of the basilar membrane.

This is the plain form, which computes all places of a whole clip at once; `engine.traveling_wave` is the fast one.
"""

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cochlea.checks import checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import cosines
from cochlea.signals import as_signals
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND, locate, transfer_table

# After a click, the velocity of a place decays to 1e-4 of its peak within this many periods of its characteristic
# frequency at a damping of 0.15; with less damping it takes more periods, in inverse proportion.
_MEMORY_IN_PERIODS = 20.0
_DAMPING = 0.15
_FADE = 100.0  # [Hz] below half the rate of the velocity: a sharp edge of the band there would ring for longer


def basilar_membrane(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    """The velocity of the membrane at each place, and the sample rate of the velocity.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes [1].
    sample_rate : int
        Rate of the pressure [Hz].
    params : BasilarMembraneParams

    Returns
    -------
    velocity : ndarray of float32, shape (place, sample)
        Velocity; sample i is at the time i / velocity_rate [1].
    velocity_rate : int
        In the causal convention `params.sample_rate`, with ceil(n_samples * velocity_rate / sample_rate) samples. In
        the published convention half the rate of the pressure, with n_samples // 2 + 1 samples, the last of which may
        lie 1 / sample_rate past the end of the sound [Hz].

    Raises
    ------
    ValueError
        If the pressure is not one-dimensional, or the rate is not a whole number.
    TypeError
        If `params` is not a `BasilarMembraneParams`.

    Notes
    -----
    The causal velocity contains no frequencies above half its rate, 12 kHz by default, and is faded out over the last
    100 Hz below that. At places whose characteristic frequency is near or above the limit (places 0 to 70) the response
    to a click therefore rings for some ten milliseconds before and after the click.

    References
    ----------
    Sieroka, Dosch, Rupp, JASA 120:297 (2006). Published convention: Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS
    33:2744 (2022), and the converter released with that paper.
    """
    params = checked_object("params", params, BasilarMembraneParams)
    pressure = as_signals("pressure", pressure, "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    if params.convention == "published":
        return _published(pressure, sample_rate, params)
    return _causal(pressure, sample_rate, params)


def memory(params: BasilarMembraneParams, max_frequency: float, *, place: int = -1) -> float:
    """The time [s] for which the response to a click lasts at a place; at the apex, where it lasts longest.

    Parameters
    ----------
    params : BasilarMembraneParams
    max_frequency : float
        Highest frequency of the sound [Hz].
    place : int
        The place; default: the last [1].
    """
    n_periods = _MEMORY_IN_PERIODS * max(1.0, _DAMPING / params.damping)
    table = transfer_table(params, max_frequency)
    row = table.response[N_BEYOND:-N_BEYOND][place]
    return float(n_periods / table.frequencies[np.argmax(np.square(row.real) + np.square(row.imag))])


def fade(frequencies: NDArray[np.float64], velocity_rate: int) -> NDArray[np.float64]:
    """The gain [1] of the causal velocity at each frequency: 1, but falling to 0 over the last 100 Hz of its band.

    Parameters
    ----------
    frequencies : ndarray, shape (frequency,)
        Frequencies [Hz].
    velocity_rate : int
        Rate of the velocity, twice the upper limit of the band [Hz].

    Returns
    -------
    ndarray, shape (frequency,)
    """
    return 0.5 - 0.5 * cosines(np.pi * np.clip((velocity_rate / 2 - frequencies) / _FADE, 0.0, 1.0))


def _causal(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    # The zero-padded sound is transformed at its own rate and transformed back at the rate of the velocity. Both
    # transforms span the same time, so their frequencies are the same and no resampling is needed. The zeros last as
    # long as the membrane remembers, so the circular convolution equals the linear one to within 1e-4.
    velocity_rate = params.sample_rate
    common = gcd(sample_rate, velocity_rate)
    guard = memory(params, velocity_rate / 2)
    n_units = fft.next_fast_len(ceil((pressure.size / sample_rate + guard) * common), real=True)
    n_in, n_out = n_units * (sample_rate // common), n_units * (velocity_rate // common)
    spectrum = fft.rfft(pressure, n_in)[: n_out // 2 + 1] * (n_out / n_in)
    frequencies = np.arange(spectrum.size) * (sample_rate / n_in)
    spectrum *= fade(frequencies, velocity_rate) * params.velocity_scale
    if n_in % 2 == 0 and n_in < n_out:
        # The bin at half the rate of the sound is its own mirror image. At the higher rate of the velocity it gets a
        # separate mirror image, and the two share the amplitude.
        spectrum[-1] /= 2.0
    # The inverse transform has the convention exp(+i w t), where the transfer function is conj(V). The product
    # P conj(V) is computed as conj(conj(P) V).
    response = _respond(np.conjugate(spectrum), frequencies, n_out // 2 + 1, params)
    np.conjugate(response, out=response)
    n_samples = ceil(pressure.size * velocity_rate / sample_rate)
    return np.ascontiguousarray(fft.irfft(response, n_out)[:, :n_samples]), velocity_rate


def _published(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    # The converter keeps the first half of the spectrum, n_half bins, and applies a complex inverse transform of n_half
    # points to it: hence half the sample rate. It does not conjugate V, which makes the membrane anti-causal.
    n_half = pressure.size // 2 + 1
    frequencies = np.linspace(1.0, sample_rate // 2, n_half)
    spectrum = fft.fft(pressure)[:n_half] * params.velocity_scale
    response = _respond(spectrum, frequencies, n_half, params)
    # The converter takes the real part of the result. That is the real inverse transform of the Hermitian part of the
    # bins, which takes half the work.
    n_kept = n_half // 2 + 1
    hermitian = response[:, :n_kept] / 2
    hermitian[:, 0] = response[:, 0].real
    hermitian[:, 1:] += np.conjugate(response[:, : n_half - n_kept : -1]) / 2
    return fft.irfft(hermitian, n_half), sample_rate // 2


def _respond(
    spectrum: NDArray[np.complex128], frequencies: NDArray[np.float64], n_bins: int, params: BasilarMembraneParams
) -> NDArray[np.complex64]:
    # The spectrum times the transfer function at ascending frequencies, shape (place, n_bins); zero where negligible.
    table = transfer_table(params, float(frequencies[-1]))
    axis = locate(frequencies, table)
    places = slice(N_BEYOND, N_BEYOND + params.n_places)
    response = np.zeros((params.n_places, n_bins), np.complex64)
    _interpolate(
        spectrum.astype(np.complex64), table.response[places], axis.first, axis.taps, axis.n_relevant[places], response
    )
    return response


@compiled()
def _interpolate(spectrum: Array, table: Array, first: Array, taps: Array, n_relevant: Array, response: Array) -> None:
    for place in range(table.shape[0]):
        row = table[place]
        for k in range(min(n_relevant[place], spectrum.size)):
            i = first[k]
            a, b, c, d = taps[k]
            response[place, k] = spectrum[k] * (a * row[i] + b * row[i + 1] + c * row[i + 2] + d * row[i + 3])

"""Waveform to velocity at each place of the basilar membrane: the plain form, all places of a whole clip at once."""

from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cochlea.checks import checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.signals import as_signals
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND, locate, transfer_table

# After a click a place's velocity dies to 1e-4 of its peak in this many periods of its characteristic frequency, at a
# damping of 0.15; the less damping, the more periods.
_MEMORY_IN_PERIODS = 20.0
_DAMPING = 0.15
_FADE = 100.0  # [Hz], below half the rate of the velocity


def basilar_membrane(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    """The velocity of the membrane at each place, and its sample rate.

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
        Sample i is at i / velocity_rate [s].
    velocity_rate : int
        [Hz]. Causal: `params.sample_rate`, ceil(n_samples * velocity_rate / sample_rate) samples. Published: half the
        rate of the pressure, n_samples // 2 + 1 samples; the last may stand 1 / sample_rate past the end of the sound.

    Notes
    -----
    The causal velocity holds nothing above half its rate, 12 kHz; the sound is faded out over the last 100 Hz below. At
    places whose characteristic frequency is near or above that (0 to 70) this rings for some ten milliseconds
    before and after a click.

    Raises
    ------
    ValueError
        If the pressure is not one-dimensional, or the rate no whole number.
    TypeError
        If the params are of another stage.

    References
    ----------
    Sieroka, Dosch, Rupp, JASA 120:297 (2006); for the published convention Cramer et al., IEEE TNNLS 33:2744 (2022)
    and the converter released with it.
    """
    params = checked_object("params", params, BasilarMembraneParams)
    pressure = as_signals("pressure", pressure, "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    if params.convention == "published":
        return _published(pressure, sample_rate, params)
    return _causal(pressure, sample_rate, params)


def memory(params: BasilarMembraneParams, max_frequency: float) -> float:
    """Time after which the slowest place has forgotten a click [s].

    Parameters
    ----------
    params : BasilarMembraneParams
    max_frequency : float
        Highest frequency of the sound [Hz].
    """
    n_periods = _MEMORY_IN_PERIODS * max(1.0, _DAMPING / params.damping)
    table = transfer_table(params, max_frequency)
    return float(n_periods / table.frequencies[np.argmax(np.abs(table.response[-1 - N_BEYOND]))])


def fade(frequencies: NDArray[np.float64], velocity_rate: int) -> NDArray[np.float64]:
    """What the causal velocity keeps of each frequency [1]: all of it but in the last 100 Hz below half its rate.

    Parameters
    ----------
    frequencies : ndarray, shape (frequency,)
        [Hz]
    velocity_rate : int
        [Hz]
    """
    return 0.5 - 0.5 * np.cos(np.pi * np.clip((velocity_rate / 2 - frequencies) / _FADE, 0.0, 1.0))


def _causal(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    # The zero-padded sound is transformed at its own rate and back at the rate of the velocity: both transforms span
    # the same time, so that their frequencies are the same and no resampling is needed.
    velocity_rate = params.sample_rate
    common = gcd(sample_rate, velocity_rate)
    guard = memory(params, velocity_rate / 2)
    n_units = fft.next_fast_len(ceil((pressure.size / sample_rate + guard) * common), real=True)
    n_in, n_out = n_units * (sample_rate // common), n_units * (velocity_rate // common)
    spectrum = fft.rfft(pressure, n_in)[: n_out // 2 + 1] * (n_out / n_in)
    frequencies = np.arange(spectrum.size) * (sample_rate / n_in)
    spectrum *= fade(frequencies, velocity_rate)
    if n_in % 2 == 0 and n_in < n_out:
        spectrum[-1] /= 2.0  # the bin at half the rate is its own mirror image
    # conj(conj(P) V) = P conj(V): the transfer function in the exp(+i w t) convention of the inverse transform
    response = _respond(np.conjugate(spectrum), frequencies, n_out // 2 + 1, params)
    np.conjugate(response, out=response)
    n_samples = ceil(pressure.size * velocity_rate / sample_rate)
    return np.ascontiguousarray(fft.irfft(response, n_out)[:, :n_samples]), velocity_rate


def _published(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    n_half = pressure.size // 2 + 1
    frequencies = np.linspace(1.0, sample_rate // 2, n_half)
    spectrum = fft.fft(pressure)[:n_half]
    response = _respond(spectrum, frequencies, n_half, params)
    # The real part of the inverse transform of n_half bins is the real inverse transform of their Hermitian part.
    n_kept = n_half // 2 + 1
    hermitian = response[:, :n_kept] / 2
    hermitian[:, 0] = response[:, 0].real
    hermitian[:, 1:] += np.conjugate(response[:, : n_half - n_kept : -1]) / 2
    return fft.irfft(hermitian, n_half), sample_rate // 2


def _respond(
    spectrum: NDArray[np.complex128], frequencies: NDArray[np.float64], n_bins: int, params: BasilarMembraneParams
) -> NDArray[np.complex64]:
    # spectrum times the transfer function at ascending frequencies, shape (place, n_bins); zero where negligible
    table = transfer_table(params, float(frequencies[-1]))
    axis = locate(frequencies, table)
    places = slice(N_BEYOND, N_BEYOND + params.n_places)
    response = np.zeros((params.n_places, n_bins), np.complex64)
    _interpolate(
        spectrum.astype(np.complex64), table.response[places], axis.first, axis.taps, axis.n_relevant[places], response
    )
    return response


@compiled(fastmath=True)
def _interpolate(spectrum: Array, table: Array, first: Array, taps: Array, n_relevant: Array, response: Array) -> None:
    for place in range(table.shape[0]):
        row = table[place]
        for k in range(min(n_relevant[place], spectrum.size)):
            i = first[k]
            a, b, c, d = taps[k]
            response[place, k] = spectrum[k] * (a * row[i] + b * row[i + 1] + c * row[i + 2] + d * row[i + 3])

"""Waveform to velocity at each place: long waves on the basilar membrane (Sieroka, Dosch, Rupp 2006).

Conventions: x is the distance from the base [cm]; place 0 is the base, where the highest frequencies resonate. The
equations are in CGS units; pressure and velocity are relative.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, special

from cochlea.checks import require_range
from cochlea.compilation import compiled
from cochlea.interpolation import cubic_weights

# The transfer function is tabulated on f = BEND sinh(u), u = 0, STEP, 2 STEP, ...: evenly spaced at low frequencies,
# in constant proportion at high ones, as its phase turns. Cubic interpolation between is within 1e-5 of a row's peak.
_STEP = 0.004
_BEND = 20.0  # [Hz]
_NEGLIGIBLE = 1e-6  # of a row's peak: the table ends above the last frequency that exceeds it
# An impulse response dies to 1e-3 of its peak in this many periods of the characteristic frequency, its energy to 1e-6.
_MEMORY_IN_PERIODS = 15.0


@dataclass(frozen=True, kw_only=True)
class BasilarMembraneParams:
    """The basilar membrane. Defaults: those of Sieroka, Dosch and Rupp (2006).

    Parameters
    ----------
    n_places : int
        Places at which the velocity is computed, evenly spaced from base to apex [places].
    convention : {"causal", "published"}
        "causal": linear convolution, causal phase, velocity at `sample_rate`. "published": what made the published
        data sets: circular over the clip, a half spectrum transformed back (so the velocity has half the rate of the
        sound), a frequency axis from 1 Hz to half the rate, and a conjugated phase that answers before the sound [1].
    sample_rate : int
        Rate of the velocity in the causal convention [Hz].
    length : float
        From base to apex [cm].
    stiffness : float
        C0, stiffness at the base [g/(cm^2 s^2)].
    stiffness_decay : float
        alpha, its decay along the membrane [1/cm].
    stiffness_offset : float
        a, subtracted from the stiffness [g/(cm^2 s^2)].
    density : float
        rho, density of the fluid [g/cm^3].
    damping : float
        delta, damping at the base over sqrt(stiffness * mass) [1].
    height : float
        h, height of the scala [cm].
    mass : float
        m, mass per area [g/cm^2].
    """

    n_places: int = 700
    convention: Literal["causal", "published"] = "causal"
    sample_rate: int = 24_000
    length: float = 3.5
    stiffness: float = 1e9
    stiffness_decay: float = 3.0
    stiffness_offset: float = 3500.0
    density: float = 1.0
    damping: float = 0.15
    height: float = 0.1
    mass: float = 0.05

    def __post_init__(self) -> None:
        if self.convention not in ("causal", "published"):
            raise ValueError(
                f"BasilarMembraneParams.convention must be 'causal' or 'published', got {self.convention!r}"
            )
        require_range(self, "n_places", at_least=1, whole=True)
        require_range(self, "sample_rate", at_least=24_000, whole=True)
        require_range(
            self, "length", "stiffness", "stiffness_decay", "stiffness_offset", "density", "damping", "height", "mass",
            above=0,
        )  # fmt: skip
        apex = self.stiffness * np.exp(-self.stiffness_decay * self.length)
        if apex <= self.stiffness_offset:
            raise ValueError(
                f"BasilarMembraneParams.stiffness_offset must be < {apex:g}, the stiffness at the apex, "
                f"got {self.stiffness_offset!r}"
            )

    @property
    def positions(self) -> NDArray[np.float64]:
        """Distance of each place from the base [cm], shape (place,)."""
        return np.linspace(0.0, self.length, self.n_places)


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
    The causal velocity holds nothing above half its rate, 12 kHz. At places whose characteristic frequency is near or
    above that (0 to 70) the cut rings before the sound: 1 % of a click's energy at 14 kHz, 25 % at place 0; below 8 kHz
    it is under 0.1 %.

    References
    ----------
    Sieroka, Dosch, Rupp, JASA 120:297 (2006); for the published convention Cramer et al., IEEE TNNLS 33:2744 (2022)
    and the converter released with it.
    """
    if params.convention == "published":
        return _published(pressure, sample_rate, params)
    return _causal(pressure, sample_rate, params)


def characteristic_frequencies(params: BasilarMembraneParams) -> NDArray[np.float64]:
    """The frequency [Hz] that moves each place most, shape (place,)."""
    frequencies, table, _ = _table(params, 1e5)
    return frequencies[np.argmax(np.abs(table), axis=1)]


def transfer_function(
    frequencies: ArrayLike, positions: ArrayLike, params: BasilarMembraneParams
) -> NDArray[np.complex128]:
    """Velocity at places for a unit pressure at frequencies, in the exp(-i w t) convention of the paper.

    With S = C0 exp(-alpha x) - a, R = delta sqrt(C0 m) exp(-alpha x / 2), xi = S - m w^2 - i w R and
    g = w sqrt(rho / (h xi)): v = (2 w / xi) (p(x) / p(0)) Z, p = sqrt(G / g) H0(1)(G), G(x) = 2 g(0) / alpha +
    integral of g from 0 to x.

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        [Hz], above 0.
    positions : array_like, shape (place,)
        Distance from the base [cm].
    params : BasilarMembraneParams

    Returns
    -------
    ndarray, shape (place, frequency)
        Velocity over pressure [1].

    References
    ----------
    Sieroka, Dosch, Rupp, JASA 120:297 (2006).
    """
    w = 2.0 * np.pi * np.asarray(frequencies, np.float64)[None, :]
    x = np.asarray(positions, np.float64)[:, None]
    alpha = params.stiffness_decay
    xi, root = _impedance(w, x, params)
    xi0, root0 = _impedance(w, np.zeros((1, 1)), params)
    speed = np.sqrt(params.density / params.height)
    g, g0 = w * speed / np.sqrt(xi), w * speed / np.sqrt(xi0)
    # The integral of g in closed form. `root` stays in the first quadrant of the complex plane for every w and x, so
    # that the logarithm has no branch to cross.
    b = np.sqrt(params.stiffness_offset + params.mass * w**2)
    phase0 = 2.0 * g0 / alpha
    phase = phase0 + 2j * w * speed / (alpha * b) * (np.log(root / root0) + alpha * x / 2)
    # Scaled Hankel functions: the ratio p(x) / p(0) decays smoothly where the plain ones underflow.
    pressure = np.sqrt(phase / g) * special.hankel1e(0, phase) * np.exp(1j * (phase - phase0))
    pressure0 = np.sqrt(phase0 / g0) * special.hankel1e(0, phase0)
    return 2.0 * w / xi * pressure / pressure0 * _input_impedance(w, params)


def _impedance(
    w: NDArray[np.float64], x: NDArray[np.float64], params: BasilarMembraneParams
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    s = np.exp(-params.stiffness_decay * x / 2)
    friction = 1j * w * params.damping * np.sqrt(params.stiffness * params.mass) * s
    b2 = params.stiffness_offset + params.mass * w**2
    xi = params.stiffness * s**2 - friction - b2
    return xi, 2j * np.sqrt(b2) * np.sqrt(xi) + friction + 2.0 * b2


def _input_impedance(w: NDArray[np.float64], params: BasilarMembraneParams) -> NDArray[np.complex128]:
    k = 2.0 * w / params.stiffness_decay * np.sqrt(2.0 / (params.height * params.stiffness))
    # (i J0 + Y0) / (J1 - i Y1), in Hankel functions of the second kind
    return 1j * np.sqrt(2.0 * params.stiffness / params.height) * special.hankel2(0, k) / special.hankel2(1, k)


@lru_cache(maxsize=8)
def _table(
    params: BasilarMembraneParams, max_frequency: float
) -> tuple[NDArray[np.float64], NDArray[np.complex64], NDArray[np.int64]]:
    # frequencies (n,) [Hz], response (place, n) and for each place the number of its entries that matter
    frequencies = _BEND * np.sinh(_STEP * np.arange(ceil(np.arcsinh(max_frequency / _BEND) / _STEP) + 3))
    frequencies[0] = 1e-3  # the response vanishes at 0, where the formula is 0 / 0
    table = np.zeros((params.n_places, frequencies.size), np.complex64)
    lengths = np.zeros(params.n_places, np.int64)
    length = frequencies.size
    for place, x in enumerate(params.positions):
        # from base to apex the response reaches less and less far
        row = transfer_function(frequencies[:length], [x], params)[0]
        strength = np.abs(row)
        relevant = np.nonzero(strength > _NEGLIGIBLE * strength.max())[0]
        length = min(int(relevant[-1]) + 4, length)
        table[place, :length] = row[:length]
        lengths[place] = length
    return frequencies, table, lengths


def _causal(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.float32], int]:
    # The zero-padded sound is transformed at its own rate and back at the rate of the velocity: both transforms span
    # the same time, so that their frequencies are the same and no resampling is needed.
    velocity_rate = params.sample_rate
    common = gcd(sample_rate, velocity_rate)
    table_frequencies, table, _ = _table(params, velocity_rate / 2)
    guard = _MEMORY_IN_PERIODS / table_frequencies[np.argmax(np.abs(table[-1]))]
    n_units = fft.next_fast_len(ceil((pressure.size / sample_rate + guard) * common), real=True)
    n_in, n_out = n_units * (sample_rate // common), n_units * (velocity_rate // common)
    spectrum = fft.rfft(pressure, n_in)[: n_out // 2 + 1] * (n_out / n_in)
    frequencies = np.arange(spectrum.size) * (sample_rate / n_in)
    # conj(conj(P) V) = P conj(V): the transfer function in the exp(+i w t) convention of the inverse transform
    response = _respond(np.conjugate(spectrum), frequencies, n_out // 2 + 1, params)
    np.conjugate(response, out=response)
    n_samples = ceil(pressure.size * velocity_rate / sample_rate)
    return np.ascontiguousarray(fft.irfft(response, n_out, overwrite_x=True)[:, :n_samples]), velocity_rate


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
    return fft.irfft(hermitian, n_half, overwrite_x=True), sample_rate // 2


def _respond(
    spectrum: NDArray[np.complex128], frequencies: NDArray[np.float64], n_bins: int, params: BasilarMembraneParams
) -> NDArray[np.complex64]:
    # spectrum times the transfer function at ascending frequencies, shape (place, n_bins); zero where negligible
    table_frequencies, table, lengths = _table(params, max(float(frequencies[-1]), params.sample_rate / 2.0))
    u = np.arcsinh(frequencies / _BEND) / _STEP
    first = np.clip(u.astype(np.int64) - 1, 0, table_frequencies.size - 4)
    n_relevant = np.searchsorted(u, lengths - 3.0)
    taps = cubic_weights(u - first).astype(np.float32)
    response = np.zeros((table.shape[0], n_bins), np.complex64)
    _interpolate(spectrum.astype(np.complex64), table, first, taps, n_relevant, response)
    return response


@compiled(fastmath=True)
def _interpolate(spectrum, table, first, taps, n_relevant, response):  # type: ignore[no-untyped-def]
    for place in range(table.shape[0]):
        row = table[place]
        for k in range(min(n_relevant[place], spectrum.size)):
            i = first[k]
            a, b, c, d = taps[k]
            response[place, k] = spectrum[k] * (a * row[i] + b * row[i + 1] + c * row[i + 2] + d * row[i + 3])

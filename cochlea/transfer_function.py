"""The transfer function of the basilar membrane: long waves in shallow water (Sieroka, Dosch, Rupp 2006).

Conventions: x is the distance from the base [cm]; place 0 is the base, where the highest frequencies resonate. The
equations are in CGS units; pressure and velocity are relative.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from cochlea.checks import Bounds, Positive, check_fields, checked_object
from cochlea.middle_ear import middle_ear
from cochlea.signals import as_signals


@dataclass(frozen=True, kw_only=True)
class BasilarMembraneParams:
    """The parameters of the basilar membrane; the defaults are those of Sieroka, Dosch and Rupp (2006).

    Parameters
    ----------
    n_places : int
        Number of places at which the velocity is computed, evenly spaced from base to apex [places].
    convention : {"causal", "published"}
        "causal": linear convolution, causal phase, velocity at `sample_rate`. "published": the conventions of the
        converter that made SHD and SSC. It convolves circularly over the clip, transforms only half of the spectrum
        back (so the velocity has half the rate of the sound), lets the frequency axis run from 1 Hz to half the rate,
        and conjugates the phase, so the membrane responds before the sound [1].
    sample_rate : int
        Rate of the velocity in the causal convention [Hz].
    length : float
        Length of the membrane from base to apex [cm].
    stiffness : float
        C0, the stiffness at the base [g/(cm^2 s^2)].
    stiffness_decay : float
        alpha, the rate at which the stiffness decays along the membrane [1/cm].
    stiffness_offset : float
        a, subtracted from the stiffness everywhere [g/(cm^2 s^2)].
    density : float
        rho, the density of the fluid [g/cm^3].
    damping : float
        delta, the damping at the base over sqrt(stiffness * mass), at least 0.02 [1]. With less damping the response
        to a click lasts longer, and the table of the transfer function is larger.
    height : float
        h, the height of the scala [cm].
    mass : float
        m, the mass per area [g/cm^2].
    middle_ear : {"human"} or None
        What lies between sound pressure and membrane: the filter of the human middle ear, or nothing [1].
    velocity_scale : float
        Factor of the velocity: 1 gives that of the equations, which is relative; the preset `human` has the one that
        gives the velocity in m/s where the pressure is in pascal [1].
    velocity_exponent : float
        The velocity of a place is also multiplied by this power of f / 1 kHz, where
        f = sqrt(stiffness / mass) exp(-stiffness_decay x / 2) / (2 pi) is about its characteristic frequency; 0 is that
        of the equations [1].
    curvature_distance : float
        d: the hair cells are moved not by the velocity v(x), but by v(x) - (v(x - d) + v(x + d)) / 2, the curvature of
        the traveling wave; 0: by the velocity itself [cm].
    """

    n_places: Annotated[int, Bounds(at_least=1, at_most=65_536)] = 700  # units are stored in 16 bits
    convention: Literal["causal", "published"] = "causal"
    # At lower rates the hair cells' Euler step is too coarse: (l + r) dt is 0.38 at 24 kHz and 1.14 at 8 kHz.
    sample_rate: Annotated[int, Bounds(at_least=24_000)] = 24_000
    length: Positive = 3.5
    stiffness: Positive = 1e9  # the published converter had 1e8 until August 2021, a typo
    stiffness_decay: Positive = 3.0
    stiffness_offset: Positive = 3500.0
    density: Positive = 1.0
    # The table grows as 1 / damping: at 0.02 it is 7.5 times as large as at 0.15.
    damping: Annotated[float, Bounds(at_least=0.02)] = 0.15
    height: Positive = 0.1
    mass: Positive = 0.05
    middle_ear: Literal["human"] | None = None
    velocity_scale: Positive = 1.0
    velocity_exponent: Annotated[float, Bounds(at_least=-4, at_most=4)] = 0.0
    curvature_distance: Annotated[float, Bounds(at_least=0, at_most=0.1)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        # Where stiffness and offset cancel, the membrane resonates at frequency 0, and beyond that at none. (The
        # exponential may underflow to 0, which is refused like any other value that is too small.)
        apex = self.stiffness * np.exp(-self.stiffness_decay * self.length)
        if apex <= self.stiffness_offset:
            raise ValueError(
                f"BasilarMembraneParams.stiffness_offset must be < {apex:g}, the stiffness at the apex, "
                f"got {self.stiffness_offset!r}"
            )

    @property
    def frequency_scale(self) -> float:
        """Resonance frequency of the base without fluid and offset [kHz]; see `velocity_exponent`."""
        return float(np.sqrt(self.stiffness / self.mass)) / (2e3 * np.pi)

    @property
    def positions(self) -> NDArray[np.float64]:
        """Distance of each place from the base [cm], shape (place,)."""
        return np.linspace(0.0, self.length, self.n_places)


def transfer_function(
    frequencies: ArrayLike, positions: ArrayLike, params: BasilarMembraneParams
) -> NDArray[np.complex128]:
    """The velocity at each place per unit pressure at each frequency, in the exp(-i w t) convention of the paper.

    With the stiffness S = C0 exp(-alpha x) - a, the resistance R = delta sqrt(C0 m) exp(-alpha x / 2), the impedance
    term xi = S - m w^2 - i w R and the wave number g = w sqrt(rho / (h xi)), the velocity is
    v = (2 w / xi) (p(x) / p(0)) Z, where p = sqrt(G / g) H0(1)(G), G(x) = 2 g(0) / alpha + the integral of g from 0 to
    x, and Z is the input impedance. With `params.middle_ear`, the pressure is that at the eardrum, and v has the gain
    of `cochlea.middle_ear` as another factor; see also `velocity_exponent`. `velocity_scale` is not in it.

    With a `curvature_distance` d, the result is v(x) - (v(x - d) + v(x + d)) / 2: a second filter, which takes away the
    long waves with which a place follows tones far below its own frequency, but not the short ones of its own.

    Parameters
    ----------
    frequencies : array_like, shape (frequency,)
        Frequencies above 0 [Hz].
    positions : array_like, shape (place,)
        Distances from the base [cm].
    params : BasilarMembraneParams

    Returns
    -------
    ndarray of complex128, shape (place, frequency)
        Velocity over pressure [1].

    Raises
    ------
    ValueError
        If the frequencies or positions are not one-dimensional.
    TypeError
        If `params` is not a `BasilarMembraneParams`.

    References
    ----------
    Sieroka, Dosch, Rupp, JASA 120:297 (2006). Hall, Spatial differentiation as an auditory "second filter", JASA 61:520
    (1977).
    """
    params = checked_object("params", params, BasilarMembraneParams)
    w = 2.0 * np.pi * np.asarray(as_signals("frequencies", frequencies, "frequency"), np.float64)[None, :]
    x = np.asarray(as_signals("positions", positions, "place"), np.float64)[:, None]
    velocity = _velocity(w, x, params)
    if params.curvature_distance > 0:
        d = params.curvature_distance
        velocity -= 0.5 * (_velocity(w, x - d, params) + _velocity(w, x + d, params))
    if params.velocity_exponent != 0:
        velocity *= (params.frequency_scale * np.exp(-params.stiffness_decay * x / 2)) ** params.velocity_exponent
    return velocity


def _velocity(w: NDArray[np.float64], x: NDArray[np.float64], params: BasilarMembraneParams) -> NDArray[np.complex128]:
    alpha = params.stiffness_decay
    xi, root = _impedance(w, x, params)
    xi0, root0 = _impedance(w, np.zeros((1, 1)), params)
    speed = np.sqrt(params.density / params.height)
    g, g0 = w * speed / np.sqrt(xi), w * speed / np.sqrt(xi0)
    # The integral of g in closed form: with s = exp(-alpha x / 2), xi is a quadratic polynomial in s, and the integral
    # of 1 / (s sqrt(xi)) over s is a logarithm of root / s. `root` stays in the first quadrant of the complex plane for
    # every w and x, so the logarithm never crosses its branch cut.
    b = np.sqrt(params.stiffness_offset + params.mass * w**2)
    phase0 = 2.0 * g0 / alpha
    phase = phase0 + 2j * w * speed / (alpha * b) * (np.log(root / root0) + alpha * x / 2)
    # Hankel functions scaled by exp(-i phase): the ratio p(x) / p(0) still decays smoothly where the plain functions
    # underflow.
    pressure = np.sqrt(phase / g) * special.hankel1e(0, phase) * np.exp(1j * (phase - phase0))
    pressure0 = np.sqrt(phase0 / g0) * special.hankel1e(0, phase0)
    impedance = _input_impedance(w, params)
    if params.middle_ear is not None:
        impedance *= np.conjugate(middle_ear(w[0] / (2.0 * np.pi)))  # in the convention exp(-i w t)
    return np.asarray(2.0 * w / xi * pressure / pressure0 * impedance, np.complex128)


def _impedance(
    w: NDArray[np.float64], x: NDArray[np.float64], params: BasilarMembraneParams
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    # xi, and the `root` whose logarithm `transfer_function` takes
    s = np.exp(-params.stiffness_decay * x / 2)
    friction = 1j * w * params.damping * np.sqrt(params.stiffness * params.mass) * s
    b2 = params.stiffness_offset + params.mass * w**2
    xi = params.stiffness * s**2 - friction - b2
    return xi, 2j * np.sqrt(b2) * np.sqrt(xi) + friction + 2.0 * b2


def _input_impedance(w: NDArray[np.float64], params: BasilarMembraneParams) -> NDArray[np.complex128]:
    k = 2.0 * w / params.stiffness_decay * np.sqrt(2.0 / (params.height * params.stiffness))
    # The paper's Z = sqrt(2 C0 / h) (i J0(k) + Y0(k)) / (J1(k) - i Y1(k)), written with Hankel functions of the second
    # kind: H0(2) = J0 - i Y0 and H1(2) = J1 - i Y1.
    scale = 1j * np.sqrt(2.0 * params.stiffness / params.height)
    return np.asarray(scale * special.hankel2(0, k) / special.hankel2(1, k), np.complex128)

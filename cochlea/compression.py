"""The level-dependent membrane: sharp and sensitive for soft sounds, broad and linear for loud ones.

The outer hair cells amplify the motion of the membrane, but cannot follow it far: a soft tone is amplified by 30 dB, a
loud one hardly. Here, the velocity is a mixture of that of two linear membranes, an active one with little damping and
a passive one with much, in which the share of the active one falls as the passive velocity at the place rises. All
that is linear is thus in the tables of the two membranes, and the rest takes a few operations per sample.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.basilar_membrane import basilar_membrane
from cochlea.checks import Bounds, Positive, check_fields, checked_object, whole_number
from cochlea.elementary import exp
from cochlea.signals import as_signals
from cochlea.stimulus import pascal
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND, locate, transfer_table


@dataclass(frozen=True, kw_only=True)
class CompressionParams:
    """How the velocity of the membrane passes from that of an active to that of a passive one as the level rises.

    Parameters
    ----------
    passive_damping : float
        Damping of the passive membrane over sqrt(stiffness * mass), above `BasilarMembraneParams.damping`, which is
        that of the active one [1].
    exponent : float
        c: above the knee, the share of the active membrane falls with the passive amplitude to the power c - 1, so that
        the velocity grows about with the power c; 1 is a linear membrane [1].
    knee : float
        Sound pressure level of a tone at a place's characteristic frequency, in front of the middle ear if there is
        one, above which the place compresses; the same at all places [dB SPL].
    time_constant : float
        Time over which the passive velocity is averaged [s].
    efferent_attenuation : float
        By how much the olivocochlear efferents attenuate the active membrane where it has been compressed altogether
        for long; 0 is without efferents [dB].
    efferent_time_constant : float
        Time in which the attenuation follows the compression [s].
    """

    # At a passive damping of 0.5, the phases of the two membranes differ so much that they cancel at medium levels, by
    # 8 to 13 dB; at 0.3, by 1 dB at most.
    passive_damping: Annotated[float, Bounds(at_least=0.02, at_most=0.3)] = 0.3
    exponent: Annotated[float, Bounds(at_least=0, at_most=1)] = 0.25  # Lopez-Poveda, Meddis, JASA 110:3107 (2001)
    knee: Annotated[float, Bounds(at_least=-20, at_most=120)] = 35.0
    time_constant: Positive = 1e-3
    efferent_attenuation: Annotated[float, Bounds(at_least=0, at_most=40)] = 0.0
    efferent_time_constant: Positive = 0.3

    def __post_init__(self) -> None:
        check_fields(self)

    def passive(self, membrane: BasilarMembraneParams) -> BasilarMembraneParams:
        """The passive membrane that belongs to an active one.

        Parameters
        ----------
        membrane : BasilarMembraneParams
            The active one.
        """
        return replace(membrane, damping=self.passive_damping)

    def kernel_constants(self, sample_rate: int) -> NDArray[np.float32]:
        """The share of a step in the average, c - 1, and for the efferents share and depth; shape (4,) [1].

        Parameters
        ----------
        sample_rate : int
            Rate of the velocity [Hz].
        """
        averaged = 1.0 - exp(-1.0 / (self.time_constant * sample_rate))
        followed = 1.0 - exp(-1.0 / (self.efferent_time_constant * sample_rate))
        return np.array([averaged, self.exponent - 1.0, followed, self.efferent_depth], np.float32)

    @property
    def efferent_depth(self) -> float:
        """The part of the active membrane that the efferents can take away [1]."""
        return 1.0 - pascal(-self.efferent_attenuation) / pascal(0.0)


def compress(
    active: NDArray[np.floating],
    passive: NDArray[np.floating],
    sample_rate: int,
    knees: ArrayLike,
    params: CompressionParams,
) -> NDArray[np.floating]:
    """The velocity of a membrane that is active for soft and passive for loud sounds.

    With E the average of abs(v_p) over `params.time_constant` (a first-order low-pass), the velocity is
    v = w v_a + (1 - w) v_p, where w = min(1, (E / knee)**(c - 1)): all of the active velocity v_a up to the knee, and
    above it less and less. With efferents, w is multiplied by a control that follows 1 - depth (1 - w) with
    `params.efferent_time_constant`, and starts at 1.

    Parameters
    ----------
    active, passive : ndarray, shape (place, sample)
        Velocities of the active and the passive membrane [1 or m/s].
    sample_rate : int
        Rate of the velocities [Hz].
    knees : array_like, shape (place,)
        Average passive velocity above which each place compresses: see `knee_velocities` [as the velocities].
    params : CompressionParams

    Returns
    -------
    ndarray, shape (place, sample)
        Velocity, in the type of `active` [as the velocities].

    Raises
    ------
    ValueError
        If the velocities are not two-dimensional or differ in shape, or there is not one positive knee for each place.
    TypeError
        If `params` is not a `CompressionParams`.

    References
    ----------
    Broken-stick compression with the exponent 0.25: Lopez-Poveda, Meddis, JASA 110:3107 (2001). Efferents as an
    attenuation that follows the response slowly: Clark, Brown, Jürgens, Meddis, JASA 132:1535 (2012).
    """
    params = checked_object("params", params, CompressionParams)
    active = as_signals("active", active, "place", "sample")
    passive = as_signals("passive", passive, "place", "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    knees = np.asarray(as_signals("knees", knees, "place"), np.float64)
    if active.shape != passive.shape:
        raise ValueError(f"passive must have the shape of active, {active.shape}, got {passive.shape}")
    if knees.size != len(active) or not (knees > 0).all():
        raise ValueError(f"knees must be {len(active)} numbers > 0, one per place, got {knees}")
    averaged, power, followed, depth = params.kernel_constants(sample_rate).tolist()
    with np.errstate(divide="ignore"):  # silence: 0 to a negative power is infinite, and the share is 1
        share = np.minimum(1.0, (_follow(np.abs(passive), averaged, 0.0) / knees[:, None]) ** power)
    if depth > 0:
        share *= _follow(1.0 - depth * (1.0 - share), followed, 1.0)
    return np.asarray(passive + share * (active - passive), active.dtype)


def _follow(signal: NDArray[np.floating], share: float, start: float) -> NDArray[np.float64]:
    # A first-order low-pass: each step takes over a share of what the signal differs.
    from scipy.signal import lfilter  # takes a second to import

    return np.asarray(start + lfilter([share], [1.0, share - 1.0], signal - start))


def compressive_membrane(
    pressure: NDArray[np.float64],
    sample_rate: int,
    membrane: BasilarMembraneParams,
    compression: CompressionParams | None,
) -> tuple[NDArray[np.floating], int]:
    """The velocity of a membrane with or without compression at each place, and the sample rate of the velocity.

    `basilar_membrane` of the active and of the passive membrane, and `compress` of the two.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure in front of the membrane, in pascal if there is compression [1 or Pa].
    sample_rate : int
        Rate of the pressure [Hz].
    membrane : BasilarMembraneParams
        The active or only membrane.
    compression : CompressionParams or None
        None: the membrane is linear, and the velocity that of `basilar_membrane`.

    Returns
    -------
    velocity : ndarray of float32, shape (place, sample)
        Velocity; sample i is at the time i / velocity_rate [1 or m/s].
    velocity_rate : int
        See `basilar_membrane` [Hz].

    Raises
    ------
    ValueError
        If the pressure is not one-dimensional, or the rate is not a whole number.
    TypeError
        If `membrane` is not a `BasilarMembraneParams`, or `compression` neither None nor a `CompressionParams`.
    """
    active, rate = basilar_membrane(pressure, sample_rate, membrane)
    if compression is None:
        return active, rate
    compression = checked_object("compression", compression, CompressionParams)
    passive, _ = basilar_membrane(pressure, sample_rate, compression.passive(membrane))
    return compress(active, passive, rate, knee_velocities(membrane, compression, rate / 2), compression), rate


@lru_cache(maxsize=8)  # of some milliseconds
def knee_velocities(
    membrane: BasilarMembraneParams, params: CompressionParams, max_frequency: float, *, beyond: bool = False
) -> NDArray[np.float64]:
    """The average passive velocity of each place at which it begins to compress.

    That of a tone at `params.knee` and at the characteristic frequency of the place on the active membrane. Pressure
    is in pascal.

    Parameters
    ----------
    membrane : BasilarMembraneParams
        The active membrane.
    params : CompressionParams
    max_frequency : float
        Highest frequency of the velocity; the characteristic frequency is looked for up to it or above [Hz].
    beyond : bool
        Whether the rows of the tables that lie beyond the ends of the membrane are wanted as well.

    Returns
    -------
    ndarray, shape (place,)
        Mean of abs(v), which is 2 / pi of the amplitude; read-only [1 or m/s].
    """
    active = transfer_table(membrane, max_frequency)
    passive = transfer_table(params.passive(membrane), max_frequency)
    rows = slice(None) if beyond else slice(N_BEYOND, -N_BEYOND)
    response = active.response[rows]
    best = active.frequencies[np.argmax(np.square(response.real) + np.square(response.imag), axis=1)]
    # `locate` takes ascending frequencies, and those of the places fall from base to apex.
    best = np.minimum(best, passive.frequencies[-3])
    axis = locate(best[::-1], passive)
    entries = np.take_along_axis(passive.response[rows], axis.first[::-1, None] + np.arange(4), axis=1)
    a, b, c, d = axis.taps[::-1].astype(np.float64).T
    real, imag = (
        a * part[:, 0] + b * part[:, 1] + c * part[:, 2] + d * part[:, 3] for part in (entries.real, entries.imag)
    )
    amplitude = np.sqrt(2.0) * pascal(params.knee) * membrane.velocity_scale
    knees: NDArray[np.float64] = 2.0 / np.pi * amplitude * np.sqrt(np.square(real) + np.square(imag))
    knees.flags.writeable = False  # all callers share it
    return knees

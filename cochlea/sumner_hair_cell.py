"""From velocity to release probability: receptor potential, calcium and three kinds of synapse (Sumner et al. 2002).

The velocity bends the cilia, which opens channels, which changes the potential of the cell; all fibers of a cell share
this. At each synapse the potential opens calcium channels, and calcium releases vesicles. Synapses, and so the fibers
that they drive, differ in three ways (`FiberClassParams`), and have high, medium or low spontaneous rates.
"""

from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import (
    Bounds,
    Count,
    NotNegative,
    Positive,
    Share,
    check_fields,
    checked_object,
    whole_number,
)
from cochlea.compilation import Array, compiled
from cochlea.elementary import exp, exponentials
from cochlea.signals import as_signals

CLASSES = ("high", "medium", "low")  # the order of the classes in every array
_ROUNDING = 1e-9  # by which shares may miss a sum of 1: three decimals do not add up exactly


@dataclass(frozen=True, kw_only=True)
class FiberClassParams:
    """The synapses of the fibers of one class.

    Parameters
    ----------
    share : float
        Share of all fibers that are of this class [1].
    calcium_conductance : float
        GCa, the conductance of the calcium channels when all are open [S].
    release_threshold : float
        The calcium below which nothing is released, as the current that keeps it up [A].
    n_vesicles : float
        M, the number of vesicles up to which the free pool is replenished [1].
    jitter : float
        Standard deviation of log GCa over the hair cells; the mean of GCa^3 is that of all cells alike [1].
    """

    share: Share
    calcium_conductance: Positive
    release_threshold: NotNegative
    n_vesicles: Positive
    jitter: Annotated[float, Bounds(at_least=0, at_most=0.5)] = 0.0

    def __post_init__(self) -> None:
        check_fields(self)


# Shares: Liberman, JASA 63:442 (1978), in cats. Synapses: Sumner et al., JASA 113:893 (2003), table I, the second set.
# The jitter spreads the spontaneous rate, which grows with GCa^3, as over the fibers of a nerve: by 0.42 of its mean in
# the high class and 0.9 in the medium (Bruce, Erfani, Zilany, Hearing Research 360:40, 2018: 30/70 and 4/4).
def _high() -> FiberClassParams:
    return FiberClassParams(share=0.61, calcium_conductance=7.2e-9, release_threshold=0.0, n_vesicles=10.0, jitter=0.14)


def _medium() -> FiberClassParams:
    return FiberClassParams(
        share=0.23, calcium_conductance=2.4e-9, release_threshold=3.35e-14, n_vesicles=10.0, jitter=0.26
    )


def _low() -> FiberClassParams:
    return FiberClassParams(
        share=0.16, calcium_conductance=1.6e-9, release_threshold=1.4e-11, n_vesicles=10.0, jitter=0.1
    )


@dataclass(frozen=True, kw_only=True)
class SumnerHairCellParams:
    """The parameters of the inner hair cells of Sumner and others, with three classes of fibers.

    Parameters
    ----------
    n_per_place : int
        Number of hair cells of a channel, side by side on the membrane [cells].
    high, medium, low : FiberClassParams
        The synapses of fibers of high, medium and low spontaneous rate; the shares must sum to 1.
    cilia_gain : float
        C, the velocity of the cilia over that of the membrane, at high frequencies [1].
    tau_cilia : float
        Time constant with which the cilia return to rest [s].
    conductance_max : float
        Gmax, the conductance of the cilia's channels when all are open [S].
    conductance_rest : float
        G0, the conductance of the upper side of the cell when the cilia are at rest [S].
    displacement_scale : float
        s0, the scale of the channels' dependence on the displacement of the cilia [m].
    displacement_offset : float
        u0, the displacement at the middle of that dependence [m].
    displacement_scale_steep : float
        s1, the scale of its steeper part [m].
    displacement_offset_steep : float
        u1, the displacement at the middle of its steeper part [m].
    capacitance : float
        Cm, the capacitance of the cell [F].
    endocochlear_potential : float
        Et, the potential that drives current through the cilia's channels [V].
    potassium_conductance : float
        Gk, the conductance of the lower side of the cell [S].
    potassium_reversal : float
        Ek, the reversal potential of the lower side [V].
    potential_share : float
        The part of the endocochlear potential by which the reversal potential is corrected [1].
    tau_calcium_channel : float
        Time constant with which the calcium channels open and close [s].
    calcium_channel_slope : float
        gamma, the steepness of the calcium channels [1/V].
    calcium_channel_ratio : float
        beta, the ratio of open to closed calcium channels at 0 V [1].
    calcium_reversal : float
        Reversal potential of calcium [V].
    tau_calcium : float
        Time constant with which calcium is cleared [s].
    release_gain : float
        z, the release rate of a vesicle over the cube of the calcium above the cube of the threshold [1/(s A^3)].
    replenishment : float
        y, the rate at which the free pool is replenished [1/s].
    loss : float
        l, the rate at which transmitter is lost from the cleft [1/s].
    reuptake : float
        r, the rate at which transmitter returns from the cleft into the cell [1/s].
    reprocessing : float
        x, the rate at which returned transmitter becomes free again [1/s].

    Raises
    ------
    ValueError
        If a number is out of range, or the shares do not sum to 1.

    References
    ----------
    Sumner, Lopez-Poveda, O'Mard, Meddis, JASA 111:2178 (2002), tables I and II; JASA 113:893 (2003).
    """

    n_per_place: Count = 5  # 700 channels then have the 3,500 inner hair cells of a human cochlea
    high: FiberClassParams = field(default_factory=_high)
    medium: FiberClassParams = field(default_factory=_medium)
    low: FiberClassParams = field(default_factory=_low)
    cilia_gain: Positive = 6.309573444801933  # 16 dB
    tau_cilia: Positive = 2.13e-3
    conductance_max: Positive = 8e-9
    conductance_rest: Positive = 1.974e-9
    displacement_scale: Positive = 85e-9
    displacement_offset: float = 7e-9
    displacement_scale_steep: Positive = 5e-9  # 5e-7 in print, a slip: the authors' own programs have 5e-9
    displacement_offset_steep: float = 7e-9
    capacitance: Positive = 6e-12
    endocochlear_potential: float = 0.1
    potassium_conductance: Positive = 18e-9
    potassium_reversal: float = -0.07045
    potential_share: Share = 0.04
    tau_calcium_channel: Positive = 1e-4
    calcium_channel_slope: Positive = 130.0
    calcium_channel_ratio: Positive = 400.0
    calcium_reversal: float = 0.066
    tau_calcium: Positive = 1e-4
    release_gain: Positive = 2e32
    replenishment: Positive = 10.0
    loss: Positive = 2580.0
    reuptake: Positive = 6580.0
    reprocessing: Positive = 66.3

    def __post_init__(self) -> None:
        check_fields(self)
        shares = [each.share for each in self.classes]
        if abs(sum(shares) - 1) > _ROUNDING:
            added = " + ".join(f"{share:g}" for share in shares)
            raise ValueError(
                f"the shares of SumnerHairCellParams.high, medium and low must sum to 1, got {added} = {sum(shares):g}"
            )
        if self.conductance_leak < 0:
            least = self.conductance_rest - self.conductance_leak
            raise ValueError(
                f"SumnerHairCellParams.conductance_rest must be >= {least:.4g}, what the channels of cilia at rest"
                f" conduct, got {self.conductance_rest:g}"
            )

    @property
    def classes(self) -> tuple[FiberClassParams, FiberClassParams, FiberClassParams]:
        """The classes in the order of `CLASSES`."""
        return self.high, self.medium, self.low

    @property
    def conductance_leak(self) -> float:
        """Ga, the conductance of the upper side of the cell when all channels are closed [S]."""
        steep = 1 + exp(self.displacement_offset_steep / self.displacement_scale_steep)
        return self.conductance_rest - self.conductance_max / (
            1 + exp(self.displacement_offset / self.displacement_scale) * steep
        )

    @property
    def reversal_potential(self) -> float:
        """Ek', the reversal potential of the lower side, corrected for the endocochlear potential [V]."""
        return self.potassium_reversal + self.potential_share * self.endocochlear_potential

    @property
    def resting_potential(self) -> float:
        """Potential of the cell when the membrane does not move [V]."""
        up, down = self.conductance_rest, self.potassium_conductance
        return (up * self.endocochlear_potential + down * self.reversal_potential) / (up + down)

    def open_calcium_channels(self, potential: float) -> float:
        """Share of the calcium channels that are open when the potential has been steady [1].

        Parameters
        ----------
        potential : float
            Potential of the cell [V].
        """
        return 1 / (1 + exp(-self.calcium_channel_slope * potential) / self.calcium_channel_ratio)

    @property
    def resting_drive(self) -> float:
        """The calcium drive when the membrane does not move [V]; see `calcium_drive`."""
        rest = self.resting_potential
        opened = self.open_calcium_channels(rest)
        return opened * opened * opened * (self.calcium_reversal - rest)


class StepConstants(NamedTuple):
    """The factors of one step of the equations, in float64; the engine has the same ones in float32.

    Parameters
    ----------
    cilia, cilia_input : float
        What remains of the displacement after a step [1], and what a velocity adds to it [s].
    charge : float
        Step over capacitance [s/F].
    channel, calcium : float
        What remains of the open calcium channels and of the calcium after a step [1].
    replenished, reprocessed : float
        Shares of what is missing in the free pool and of what waits for reprocessing that become free in a step [1].
    cleft, arrived, returned : float
        What remains in the cleft after a step, what remains of that which is released during it, and the share of what
        leaves it that returns into the cell [1].
    """

    cilia: float
    cilia_input: float
    charge: float
    channel: float
    calcium: float
    replenished: float
    reprocessed: float
    cleft: float
    arrived: float
    returned: float


def step_constants(sample_rate: int, params: SumnerHairCellParams) -> StepConstants:
    """The factors of one step at a rate.

    Every stage that decays by itself is integrated exactly over a step in which its input is constant, so no step is
    too long to be stable.

    Parameters
    ----------
    sample_rate : int
        Steps per second [Hz].
    params : SumnerHairCellParams
    """
    p, dt = params, 1.0 / sample_rate
    emptying = p.loss + p.reuptake
    cilia, cleft = exp(-dt / p.tau_cilia), exp(-emptying * dt)
    return StepConstants(
        cilia=cilia,
        cilia_input=p.cilia_gain * p.tau_cilia * (1 - cilia),
        charge=dt / p.capacitance,
        channel=exp(-dt / p.tau_calcium_channel),
        calcium=exp(-dt / p.tau_calcium),
        replenished=1 - exp(-p.replenishment * dt),
        reprocessed=1 - exp(-p.reprocessing * dt),
        cleft=cleft,
        arrived=(1 - cleft) / (emptying * dt),
        returned=p.reuptake / emptying,
    )


def sumner_hair_cell(
    velocity: NDArray[np.floating],
    sample_rate: int,
    params: SumnerHairCellParams,
    conductance: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """The probability that a nerve fiber of each class that is not refractory fires in each step.

    `receptor_potential`, `calcium_drive` and `release`, one after the other.

    Parameters
    ----------
    velocity : ndarray, shape (cell, sample)
        Velocity of the basilar membrane at each cell [m/s].
    sample_rate : int
        Rate of the velocity [Hz].
    params : SumnerHairCellParams
    conductance : ndarray, shape (class, cell), optional
        GCa of the cells [S], as from `calcium_conductances`; default: that of the class, without jitter.

    Returns
    -------
    ndarray, shape (class, cell, sample)
        Probability per step [1].

    Raises
    ------
    ValueError
        If the velocity is not two-dimensional, or the conductances have another shape.
    TypeError
        If `params` is not a `SumnerHairCellParams`.

    References
    ----------
    Sumner, Lopez-Poveda, O'Mard, Meddis, JASA 111:2178 (2002).
    """
    potential = receptor_potential(velocity, sample_rate, params)
    return release(calcium_drive(potential, sample_rate, params), sample_rate, params, conductance)


def receptor_potential(
    velocity: NDArray[np.floating], sample_rate: int, params: SumnerHairCellParams
) -> NDArray[np.floating]:
    """The potential of each hair cell.

    The cilia follow the velocity with du/dt = C v - u / tau_cilia. The channels in them have the conductance
    G(u) = Ga + Gmax / (1 + exp(-(u - u0) / s0) (1 + exp(-(u - u1) / s1))), and the potential V changes by
    Cm dV/dt = -G (V - Et) - Gk (V - Ek'). Steps are exact for u and by the trapezoidal rule for V (unconditionally
    stable), from rest.

    Parameters
    ----------
    velocity : ndarray, shape (cell, sample)
        Velocity of the basilar membrane at each cell [m/s].
    sample_rate : int
        Rate of the velocity [Hz].
    params : SumnerHairCellParams

    Returns
    -------
    ndarray, shape (cell, sample)
        Potential, in the type of the velocity, or in float64 if the velocity has integers [V].

    Raises
    ------
    ValueError
        If the velocity is not two-dimensional.
    TypeError
        If `params` is not a `SumnerHairCellParams`.

    References
    ----------
    Sumner, Lopez-Poveda, O'Mard, Meddis, JASA 111:2178 (2002), equations 1 to 4; Shamma, Chadwick, Wilbur, Morrish,
    Rinzel, JASA 80:133 (1986).
    """
    params = checked_object("params", params, SumnerHairCellParams)
    velocity = as_signals("velocity", velocity, "cell", "sample")
    step = step_constants(whole_number("sample_rate", sample_rate, at_least=1), params)
    p = params
    membrane = np.array(
        [
            p.displacement_offset, p.displacement_scale, p.displacement_offset_steep, p.displacement_scale_steep,
            p.conductance_leak, p.conductance_max, p.endocochlear_potential, p.potassium_conductance,
            p.reversal_potential,
        ]
    )  # fmt: skip
    potential = np.empty_like(velocity)
    _integrate_potential(velocity, step.cilia, step.cilia_input, step.charge, membrane, p.resting_potential, potential)
    return potential


@compiled()
def _integrate_potential(
    velocity: Array, cilia: float, cilia_input: float, charge: float, membrane: Array, rest: float, potential: Array
) -> None:
    offset, scale, offset_steep, scale_steep, leak, open_most, up, down, reversal = membrane
    for cell in range(velocity.shape[0]):
        u, V = 0.0, rest
        for t in range(velocity.shape[1]):
            u = cilia * u + cilia_input * velocity[cell, t]
            closed = np.exp(-(u - offset) / scale) * (1.0 + np.exp(-(u - offset_steep) / scale_steep))
            G = leak + open_most / (1.0 + closed)
            # half of the current that leaves at the beginning of the step, half at its end
            half = 0.5 * charge * (G + down)
            V = (V * (1.0 - half) + charge * (G * up + down * reversal)) / (1.0 + half)
            potential[cell, t] = V


def calcium_drive(
    potential: NDArray[np.floating], sample_rate: int, params: SumnerHairCellParams
) -> NDArray[np.floating]:
    """The calcium at a synapse of each hair cell, over the conductance of its calcium channels.

    The share m of open channels follows m_inf = 1 / (1 + exp(-gamma V) / beta) with `tau_calcium_channel`; the current
    I = GCa m^3 (V - E_Ca) flows, and calcium follows -I with `tau_calcium`. Since this is linear in GCa, the calcium of
    all synapses of a cell is GCa times one signal, which is the result. Steps are exact for a potential that is
    constant over a step, from rest.

    Parameters
    ----------
    potential : ndarray, shape (cell, sample)
        Potential of each cell [V].
    sample_rate : int
        Rate of the potential [Hz].
    params : SumnerHairCellParams

    Returns
    -------
    ndarray, shape (cell, sample)
        Calcium, given as the current that keeps it up, over GCa; in the type of the potential [V].

    Raises
    ------
    ValueError
        If the potential is not two-dimensional.
    TypeError
        If `params` is not a `SumnerHairCellParams`.

    References
    ----------
    Sumner, Lopez-Poveda, O'Mard, Meddis, JASA 111:2178 (2002), equations 5 to 8.
    """
    params = checked_object("params", params, SumnerHairCellParams)
    potential = as_signals("potential", potential, "cell", "sample")
    step = step_constants(whole_number("sample_rate", sample_rate, at_least=1), params)
    p = params
    channel = np.array([p.calcium_channel_slope, p.calcium_channel_ratio, p.calcium_reversal])
    rest = np.array([p.open_calcium_channels(p.resting_potential), p.resting_drive])
    drive = np.empty_like(potential)
    _integrate_calcium(potential, step.channel, step.calcium, channel, rest, drive)
    return drive


@compiled()
def _integrate_calcium(
    potential: Array, channel_stays: float, calcium_stays: float, channel: Array, rest: Array, drive: Array
) -> None:
    gamma, beta, reversal = channel
    for cell in range(potential.shape[0]):
        m, calcium = rest
        for t in range(potential.shape[1]):
            V = potential[cell, t]
            opened = 1.0 / (1.0 + np.exp(-gamma * V) / beta)
            m = opened + (m - opened) * channel_stays
            current = m * m * m * (reversal - V)
            calcium = current + (calcium - current) * calcium_stays
            drive[cell, t] = calcium


def release(
    drive: NDArray[np.floating],
    sample_rate: int,
    params: SumnerHairCellParams,
    conductance: NDArray[np.floating] | None = None,
) -> NDArray[np.floating]:
    """The probability that a fiber of each class fires in each step, from the calcium.

    A vesicle is released at the rate k = z max([Ca]^3 - threshold^3, 0). The free pool q, the cleft c and the
    reprocessing pool w change by dq = y (M - q) + x w - k q, dc = k q - (l + r) c and dw = r c - x w per second, and a
    fiber that is not refractory fires at the rate k q. Over a step of length dt, q (1 - exp(-k dt)) vesicles are
    released, however large k dt is, and none is lost or made by the steps. The probability is that of at least one
    spike, 1 - exp(-released).

    Parameters
    ----------
    drive : ndarray, shape (cell, sample)
        Calcium over GCa; see `calcium_drive` [V].
    sample_rate : int
        Rate of the drive [Hz].
    params : SumnerHairCellParams
    conductance : ndarray, shape (class, cell), optional
        GCa of the cells [S], as from `calcium_conductances`; default: that of the class, without jitter.

    Returns
    -------
    ndarray, shape (class, cell, sample)
        Probability per step, in the type of the drive [1].

    Raises
    ------
    ValueError
        If the drive is not two-dimensional, or the conductances have another shape.
    TypeError
        If `params` is not a `SumnerHairCellParams`.

    References
    ----------
    Sumner, Lopez-Poveda, O'Mard, Meddis, JASA 111:2178 (2002), equations 9 to 12, in the mean of their random pools.
    """
    params = checked_object("params", params, SumnerHairCellParams)
    drive = as_signals("drive", drive, "cell", "sample")
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    n_cells = drive.shape[0]
    if conductance is None:
        conductance = np.tile([[each.calcium_conductance] for each in params.classes], n_cells)
    conductance = np.asarray(conductance, np.float64)
    if conductance.shape != (len(CLASSES), n_cells):
        raise ValueError(
            f"conductance must be an array (class, cell) of shape ({len(CLASSES)}, {n_cells}),"
            f" got shape {conductance.shape}"
        )
    gain, threshold = release_rates(sample_rate, params, conductance)
    pools = resting_pools(sample_rate, params, gain, threshold)
    step = step_constants(sample_rate, params)
    rates = np.array([step.replenished, step.reprocessed, step.cleft, step.arrived, step.returned])
    probability = np.empty((len(CLASSES), *drive.shape), drive.dtype)
    for number, each in enumerate(params.classes):
        _advance_pools(
            drive, gain[number], threshold[number], rates, each.n_vesicles, pools[number], probability[number]
        )
    return probability


@compiled()
def _advance_pools(
    drive: Array, gain: Array, threshold: float, rates: Array, M: float, pools: Array, probability: Array
) -> None:
    replenished, reprocessed, cleft_stays, arrived, returned = rates
    for cell in range(drive.shape[0]):
        q, c, w = pools[:, cell]
        for t in range(drive.shape[1]):
            calcium = drive[cell, t]
            k = gain[cell] * (calcium * calcium * calcium) - threshold
            released = q * -np.expm1(-max(k, 0.0))
            freed = reprocessed * w
            c_next = cleft_stays * c + arrived * released
            # what has left the cleft is lost or returns
            w += returned * (c + released - c_next) - freed
            q += replenished * (M - q) + freed - released
            c = c_next
            probability[cell, t] = -np.expm1(-released)


def release_rates(
    sample_rate: int, params: SumnerHairCellParams, conductance: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two constants of k dt = max(gain drive^3 - threshold, 0), the release of a vesicle per step.

    Parameters
    ----------
    sample_rate : int
        Steps per second [Hz].
    params : SumnerHairCellParams
    conductance : ndarray, shape (class, cell)
        GCa of the cells [S].

    Returns
    -------
    gain : ndarray, shape (class, cell)
        z GCa^3 dt [1/V^3].
    threshold : ndarray, shape (class,)
        z threshold^3 dt [1].
    """
    thresholds = np.array([each.release_threshold for each in params.classes])
    z = params.release_gain / sample_rate
    # Products, not powers: a power comes from the C library and may differ in the last bit.
    return z * conductance * conductance * conductance, z * thresholds * thresholds * thresholds


def resting_pools(
    sample_rate: int, params: SumnerHairCellParams, gain: NDArray[np.float64], threshold: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Contents of the free, cleft and reprocessing pool at which a step in silence changes nothing.

    Parameters
    ----------
    sample_rate : int
        Steps per second [Hz].
    params : SumnerHairCellParams
    gain, threshold : ndarray, shapes (class, cell) and (class,)
        From `release_rates`.

    Returns
    -------
    ndarray, shape (class, pool, cell)
        The contents [1].
    """
    step = step_constants(sample_rate, params)
    capacity = np.array([each.n_vesicles for each in params.classes])[:, None]
    drive = params.resting_drive
    k = np.maximum(gain * (drive * drive * drive) - threshold[:, None], 0.0)
    share = 1 - exponentials(-k)
    # What is released and does not return is replenished: lost q share = replenished (M - q).
    lost = params.loss / (params.loss + params.reuptake)
    q = step.replenished * capacity / (step.replenished + lost * share)
    released = q * share
    c = step.arrived * released / (1 - step.cleft)
    w = step.returned * released / step.reprocessed
    return np.stack([q, c, w], axis=1)

"""Fiber spikes to the spikes of a channel: one leaky integrate-and-fire cell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import NotNegative, Positive, check_fields, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.signals import as_signals


@dataclass(frozen=True, kw_only=True)
class BushyCellParams:
    """The bushy cells of the cochlear nucleus.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_syn : float
        Time constant of the synaptic current [s].
    tau_refractory : float
        Time after a spike in which the membrane stays at rest [s].
    weight : float
        Rise of the membrane per second and unit of current if all fibers together give one unit [1/s].
    threshold : float
        Membrane at which the cell fires [1].
    """

    tau_mem: Positive = 1e-3
    tau_syn: Positive = 5e-4
    tau_refractory: NotNegative = 1e-3
    weight: Positive = 13_000.0
    threshold: Positive = 1.0

    def __post_init__(self) -> None:
        check_fields(self)

    def refractory_steps(self, sample_rate: int) -> int:
        """Steps after that of a spike in which the membrane stays at rest, at a rate [Hz]."""
        return int(np.ceil(self.tau_refractory * sample_rate - 1e-9))

    def kernel_constants(self, sample_rate: int, n_fibers: int) -> NDArray[np.float64]:
        """What the kernels take: decay of membrane and current per step, gain of the current, threshold [1]."""
        dt = 1.0 / sample_rate
        decays = np.exp(-dt / self.tau_mem), np.exp(-dt / self.tau_syn)
        return np.array([*decays, self.weight / n_fibers * dt, self.threshold])


def bushy_cell(
    fiber_spikes: NDArray[np.integer], sample_rate: int, params: BushyCellParams, *, n_fibers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps at which each bushy cell fires.

    The current jumps by one per fiber spike and decays with `tau_syn`; the membrane decays with `tau_mem` and gains
    current * weight / n_fibers * dt; at the threshold the cell fires, and the membrane is held at 0 while refractory.

    Parameters
    ----------
    fiber_spikes : ndarray, shape (channel, sample)
        Number of fibers of the channel that fire in each step [spikes].
    sample_rate : int
        [Hz]
    params : BushyCellParams
    n_fibers : int
        Fibers that drive one cell [fibers].

    Returns
    -------
    steps, channels : ndarray, shape (n_spikes,)
        Step and channel of each spike, ordered by channel, then by step.

    Raises
    ------
    ValueError
        If the spikes are not integers in two dimensions, or a rate or number is no whole one.
    TypeError
        If the params are of another stage.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022), section II-B, bushy cells.
    """
    params = checked_object("params", params, BushyCellParams)
    fiber_spikes = as_signals("fiber_spikes", fiber_spikes, "channel", "sample", whole=True)
    sample_rate = whole_number("sample_rate", sample_rate, at_least=1)
    n_fibers = whole_number("n_fibers", n_fibers, at_least=1)
    fired = np.zeros(fiber_spikes.shape, np.bool_)
    constants = params.kernel_constants(sample_rate, n_fibers)
    _integrate(fiber_spikes, constants, params.refractory_steps(sample_rate), fired)
    channels, steps = np.nonzero(fired)
    return steps, channels


@compiled()
def _integrate(fiber_spikes: Array, constants: Array, n_refractory: int, fired: Array) -> None:
    decay_mem, decay_syn, gain, threshold = constants
    n_channels, n_samples = fiber_spikes.shape
    for channel in range(n_channels):
        membrane = 0.0
        current = 0.0
        ready_at = 0
        for t in range(n_samples):
            current = current * decay_syn + fiber_spikes[channel, t]
            if t >= ready_at:
                membrane = membrane * decay_mem + current * gain
                if membrane >= threshold:
                    fired[channel, t] = True
                    membrane = 0.0
                    # the step of the spike itself, then the refractory steps
                    ready_at = t + 1 + n_refractory

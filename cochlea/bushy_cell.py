"""From fiber spikes to the spikes of a channel: one leaky integrate-and-fire bushy cell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import NotNegative, Positive, check_fields, checked_object, whole_number
from cochlea.compilation import Array, compiled
from cochlea.elementary import exp
from cochlea.signals import as_signals


@dataclass(frozen=True, kw_only=True)
class BushyCellParams:
    """The parameters of the bushy cells of the cochlear nucleus; the defaults are those of the published converter.

    Parameters
    ----------
    tau_mem : float
        Time constant of the membrane [s].
    tau_syn : float
        Time constant of the synaptic current [s].
    tau_refractory : float
        Time after a spike during which the membrane is held at rest [s].
    weight : float
        Rate at which the membrane potential rises when every fiber has just fired once [1/s].
    threshold : float
        Membrane potential at which the cell fires [1].
    """

    tau_mem: Positive = 1e-3
    tau_syn: Positive = 5e-4
    tau_refractory: NotNegative = 1e-3
    weight: Positive = 13_000.0
    threshold: Positive = 1.0

    def __post_init__(self) -> None:
        check_fields(self)

    def refractory_steps(self, sample_rate: int) -> int:
        """Number of steps after the step of a spike during which the membrane is held at rest, at a rate [Hz].

        Parameters
        ----------
        sample_rate : int
            Steps per second [Hz].
        """
        # The 1e-9 keeps rounding errors from adding a step where the product should be a whole number.
        return int(np.ceil(self.tau_refractory * sample_rate - 1e-9))

    def kernel_constants(self, sample_rate: int, n_fibers: int) -> NDArray[np.float64]:
        """The constants of the kernels: decay of membrane and current per step, gain of the current, threshold [1].

        Parameters
        ----------
        sample_rate : int
            Steps per second [Hz].
        n_fibers : int
            Number of fibers that converge on a cell.
        """
        # The decays are exact for any step; the gain is per fiber, so more fibers do not drive the cell harder.
        dt = 1.0 / sample_rate
        decays = exp(-dt / self.tau_mem), exp(-dt / self.tau_syn)
        return np.array([*decays, self.weight / n_fibers * dt, self.threshold])


def bushy_cell(
    fiber_spikes: NDArray[np.integer], sample_rate: int, params: BushyCellParams, *, n_fibers: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The steps at which each bushy cell fires.

    The synaptic current jumps by one with each fiber spike and decays with `tau_syn`. The membrane potential decays
    with `tau_mem` and rises by current * weight / n_fibers * dt per step. Where it reaches the threshold the cell
    fires, and the potential is held at 0 for the refractory time, while the current goes on.

    Parameters
    ----------
    fiber_spikes : ndarray of integers, shape (channel, sample)
        Number of fibers of the channel that fire in each step [spikes].
    sample_rate : int
        Steps per second [Hz].
    params : BushyCellParams
    n_fibers : int
        Number of fibers that drive one cell [fibers].

    Returns
    -------
    steps, channels : ndarray of int64, shape (n_spikes,)
        Step and channel of each spike, ordered by channel, then by step.

    Raises
    ------
    ValueError
        If the spikes are not integers in two dimensions, or the rate or number of fibers is not a whole number.
    TypeError
        If `params` is not a `BushyCellParams`.

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
            # A spike acts within its own step: the current jumps before it charges the membrane.
            current = current * decay_syn + fiber_spikes[channel, t]
            if t >= ready_at:
                membrane = membrane * decay_mem + current * gain
                if membrane >= threshold:
                    fired[channel, t] = True
                    membrane = 0.0
                    # The next step after the step of the spike and the refractory steps.
                    ready_at = t + 1 + n_refractory

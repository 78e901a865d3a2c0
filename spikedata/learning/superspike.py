"""SuperSpike: spiking neurons learn to fire at given times, by a three-factor rule that runs forward in time.

A synapse multiplies what arrived at it by how close its neuron is to firing, keeps the product as an eligibility trace,
and changes in proportion to that trace times an error that its neuron receives:

    dw_ij/dt = r_ij  e_i(t)  alpha * [ sigma'(U_i) (epsilon * S_j) ](t)

with e_i = alpha * (target_i - S_i) for an output neuron, and what feedback carries back to a hidden one. The kernels
alpha and epsilon are the same double exponential, the postsynaptic potential; r_ij is set by RMaxProp. Memory does not
grow with the number of steps. For one layer of neurons, and with the path through the reset left out, the sum of the
right side over a trial is the exact gradient of L = 1/2 integral (alpha * (target - S))^2 dt.

After F. Zenke and S. Ganguli, SuperSpike: Supervised learning in multilayer spiking neural networks, Neural Computation
30:1514 (2018); constants that the paper does not print are those of the authors' simulations. Voltages and weights are
in mV, and rest is 0 mV.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from spikedata.checks import Bounds, NotNegative, OneOf, Order, Positive, Share, check_fields
from spikedata.learning.feedback import FEEDBACK

DTYPES = ("float32", "float64")
LEAST_ROOT = 1e-12  # added to the root in RMaxProp, against a division by zero; of the authors' simulations

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class SuperSpikeParams:
    """Neurons, rule and updates. The defaults are those of the paper's single neuron, with one update a trial.

    Parameters
    ----------
    dt : float
        Length of a step [s].
    tau_mem, tau_syn : float
        Time constants of membrane and synaptic current [s]; those of the eligibility trace and of the loss, too.
    threshold : float
        Threshold above rest [mV].
    refractory : float
        Time at rest after a spike [s].
    steepness : float
        Steepness of the surrogate 1 / (1 + steepness abs(U - threshold))^2 [1/mV].
    floor : float
        Voltage below which the surrogate is zero [mV].
    feedback : str
        How errors of the outputs reach hidden neurons [1]: "symmetric" by the weights to the outputs, "random" by fixed
        weights drawn from N(0, 1), "uniform" by ones.
    learning_rate : float
        Largest change of a weight in an update [mV].
    milestones : tuple of int
        Numbers of finished trials at which the learning rate is multiplied by `decay` [1].
    decay : float
        Factor of the learning rate at each milestone [1].
    update_interval : float or None
        Time between two updates, which may span trials [s]; None for one update at the end of each trial.
    tau_rms : float
        Time constant with which RMaxProp forgets a large gradient [s].
    heterosynaptic : float
        Strength rho of the heterosynaptic term, -rho w z^exponent in each step, which keeps hidden neurons from firing
        without pause [1/mV]. The authors' random feedback has 1e-6, which is 1 in their units.
    exponent : float
        Exponent of the activity z in that term [1].
    tau_activity : float
        Time constant of the activity z, to which each spike of a neuron adds 1 [s].
    weight_scale : float
        Standard deviation of initial weights, times the root of the number of inputs [mV].
    weight_bound : float or None
        Largest size of a weight [mV]; None for no bound.
    resets : bool
        Whether neurons and traces start each trial at rest [1]; otherwise they go on as if trials had no gap.
    shuffles : bool
        Whether the clips come in another order in each pass over them [1].
    dtype : str
        "float32" or "float64": precision of all states [1].

    Raises
    ------
    ValueError
        If a number is out of range or a name unknown.
    """

    dt: Positive = 1e-4
    tau_mem: Positive = 10e-3
    tau_syn: Positive = 5e-3
    threshold: Positive = 10.0
    refractory: NotNegative = 5e-3
    steepness: Positive = 1.0
    floor: Annotated[float, Bounds(at_most=0)] = -20.0
    feedback: Annotated[str, OneOf(FEEDBACK)] = "symmetric"
    learning_rate: NotNegative = 1.0
    milestones: Annotated[tuple[int, ...], Bounds(at_least=1), Order(rises=True)] = ()
    decay: Share = 0.1
    update_interval: Positive | None = None
    tau_rms: Positive = 30.0
    heterosynaptic: NotNegative = 0.0
    exponent: Positive = 4.0
    tau_activity: Positive = 0.1
    weight_scale: NotNegative = 50.0
    weight_bound: Positive | None = 100.0
    resets: bool = True
    shuffles: bool = False
    dtype: Annotated[str, OneOf(DTYPES)] = "float64"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.dt > self.tau_mem:  # the membrane would overshoot
            raise ValueError(f"SuperSpikeParams.dt must be <= tau_mem, {self.tau_mem}, got {self.dt}")

    @property
    def alpha(self) -> float:
        """Decay of a synaptic current in a step [1]."""
        return math.exp(-self.dt / self.tau_syn)

    @property
    def gain(self) -> float:
        """Share of the way to its input that a membrane goes in a step [1]."""
        return self.dt / self.tau_mem

    @property
    def n_rest(self) -> int:
        """Steps at rest after a spike [1]."""
        return round(self.refractory / self.dt)

    @property
    def unmatched_energy(self) -> float:
        """Integral of the squared kernel alpha [s]: a spike without a partner adds this to ``integral error^2 dt``.

        The kernel is the one on the grid of steps, so that a spike too many counts as exactly one.
        """
        a, b = self.alpha, 1.0 - self.gain
        return self.dt * self.gain**2 * (1 + a * b) / ((1 - a * a) * (1 - b * b) * (1 - a * b))

    def learning_rate_at(self, trial: int) -> float:
        """Learning rate after a number of finished trials [mV].

        Parameters
        ----------
        trial : int
            Number of finished trials.
        """
        return self.learning_rate * self.decay ** sum(trial >= milestone for milestone in self.milestones)


class TrialSums(NamedTuple):
    """What `superspike_loop` returns.

    Parameters
    ----------
    sums : tuple of ndarray, shape (n_post, n_pre)
        Sum over the steps of eligibility trace times error, for each layer of weights [1].
    errors : ndarray of float64, shape (n_outputs,)
        van Rossum distance of each output [unmatched spikes].
    spikes : tuple of ndarray, shape (n_steps, n_post)
        Spikes of each layer, 0 or 1.
    """

    sums: tuple[Array, ...]
    errors: npt.NDArray[np.float64]
    spikes: tuple[Array, ...]


def superspike_loop(
    inputs: npt.ArrayLike,
    target: npt.ArrayLike,
    weights: tuple[Array, ...],
    params: SuperSpikeParams,
    *,
    feedback: Array | None = None,
) -> TrialSums:
    """One trial from rest in plain NumPy, step by step: the judge of the compiled passes.

    The heterosynaptic term is part of each sum.

    Parameters
    ----------
    inputs : array_like, shape (n_steps, n_inputs)
        Spike counts.
    target : array_like, shape (n_steps, n_outputs)
        Spike counts that the outputs should have.
    weights : tuple of ndarray, shape (n_post, n_pre)
        Weights of one or two layers, the outputs last [mV].
    params : SuperSpikeParams
        Neurons and rule.
    feedback : ndarray, shape (n_outputs, n_hidden), optional
        Weights that carry errors back. Default: the weights from hidden neurons to outputs.

    Examples
    --------
    >>> inputs, target = np.zeros((300, 1)), np.zeros((300, 1))
    >>> inputs[10], target[100] = 1, 1
    >>> trial = superspike_loop(inputs, target, (np.array([[30.0]]),), SuperSpikeParams())
    >>> trial.spikes[0].sum(), bool(trial.sums[0] > 0)  # no spike: the weight should grow
    (np.float64(0.0), True)
    """
    counts, wanted = np.asarray(inputs, np.float64), np.asarray(target, np.float64)
    n_layers, gain, alpha = len(weights), params.gain, params.alpha
    if n_layers == 2 and feedback is None:
        feedback = weights[1]
    sizes = [len(w) for w in weights]
    zeros = [np.zeros(size) for size in sizes]
    current, membrane, error, filtered, activity = ([z.copy() for z in zeros] for _ in range(5))
    resting = [np.zeros(size, int) for size in sizes]
    once, twice = ([np.zeros(w.shape[1]) for w in weights] for _ in range(2))
    rising, trace, sums = ([np.zeros(w.shape) for w in weights] for _ in range(3))
    spikes = tuple(np.zeros((len(counts), size)) for size in sizes)
    energy = np.zeros(sizes[-1])
    for step, arrived in enumerate(counts):
        slope = []
        for k, weight in enumerate(weights):
            once[k] = alpha * once[k] + arrived
            twice[k] += gain * (once[k] - twice[k])  # postsynaptic potential of a weight of 1
            current[k] = alpha * current[k] + weight @ arrived
            membrane[k] = np.where(resting[k] > 0, 0.0, membrane[k] + gain * (current[k] - membrane[k]))
            distance = params.steepness * np.abs(membrane[k] - params.threshold)
            slope.append(np.where(membrane[k] < params.floor, 0.0, 1 / (1 + distance) ** 2))
            fired = membrane[k] > params.threshold
            resting[k] = np.where(fired, params.n_rest, np.maximum(resting[k] - 1, 0))
            membrane[k] = np.where(fired, 0.0, membrane[k])
            activity[k] = math.exp(-params.dt / params.tau_activity) * activity[k] + fired
            arrived = spikes[k][step] = fired.astype(np.float64)
        mismatch = wanted[step] - arrived
        for k in range(n_layers):
            is_output = k == n_layers - 1
            error[k] = alpha * error[k] + (mismatch if is_output else mismatch @ cast(Array, feedback))
            filtered[k] += gain * (error[k] - filtered[k])
            rising[k] = alpha * rising[k] + np.outer(slope[k], twice[k])
            trace[k] += gain * (rising[k] - trace[k])
            sums[k] += filtered[k][:, None] * trace[k]
            if not is_output:
                sums[k] -= params.heterosynaptic * (activity[k] ** params.exponent)[:, None] * weights[k]
        energy += filtered[-1] ** 2
    return TrialSums(tuple(sums), energy * params.dt / params.unmatched_energy, spikes)


def rmaxprop(
    weights: Array,
    gradient: Array,
    peak: Array,
    *,
    learning_rate: float,
    gamma: float,
    weight_bound: float | None = None,
) -> tuple[Array, Array]:
    """Weights after an update, and the decaying maximum of the squared gradient.

    A step is as large as the learning rate where the gradient is as large as ever of late, and smaller elsewhere.

    Parameters
    ----------
    weights : ndarray
        Weights [mV].
    gradient : ndarray, same shape
        What raises them; mean over the steps since the last update.
    peak : ndarray, same shape
        The second result of the update before; zeros at first.
    learning_rate : float
        Largest step [mV].
    gamma : float
        Factor by which the maximum decays from update to update.
    weight_bound : float, optional
        Largest size of a weight [mV].

    Examples
    --------
    >>> gradient = np.array([0.02, -7.0])
    >>> weights, _ = rmaxprop(np.ones(2), gradient, np.zeros(2), learning_rate=0.1, gamma=0.9)
    >>> weights.round(6)
    array([1.1, 0.9])
    """
    bound = math.inf if weight_bound is None else weight_bound
    peak = np.maximum(gradient**2, gamma * peak)
    return np.clip(weights + learning_rate * gradient / (np.sqrt(peak) + LEAST_ROOT), -bound, bound), peak


def initial_weights(
    n_inputs: int, n_hidden: int, n_outputs: int, params: SuperSpikeParams, *, seed: int
) -> tuple[tuple[Array, ...], Array]:
    """Weights of each layer, drawn from N(0, weight_scale^2 / n_inputs), and those that carry errors back.

    Parameters
    ----------
    n_inputs, n_hidden, n_outputs : int
        Number of units; without hidden neurons there is one layer of weights, and the feedback is empty.
    params : SuperSpikeParams
        Scale of the weights, and kind of feedback; symmetric feedback is a copy of the weights onto the outputs.
    seed : int
        Seed.

    Returns
    -------
    weights : tuple of ndarray, shape (n_post, n_pre)
        Weights [mV].
    feedback : ndarray, shape (n_outputs, n_hidden)
        Feedback [1].
    """
    sizes = (n_inputs, n_hidden, n_outputs) if n_hidden else (n_inputs, n_outputs)
    rng = np.random.default_rng([seed, 0])
    weights = tuple(
        rng.normal(0, params.weight_scale / math.sqrt(before), (after, before)).astype(params.dtype)
        for before, after in itertools.pairwise(sizes)
    )
    shape = n_outputs, n_hidden
    if params.feedback == "random":
        return weights, np.random.default_rng([seed, 1]).normal(0, 1, shape).astype(params.dtype)
    if params.feedback == "uniform" or not n_hidden:
        return weights, np.ones(shape, params.dtype)
    return weights, weights[1].copy()

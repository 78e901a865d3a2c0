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

import hashlib
import io
import itertools
import json
import logging
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple, Self, cast

import numpy as np
import numpy.typing as npt

from spikedata.checks import (
    Bounds,
    NotNegative,
    OneOf,
    Order,
    Positive,
    Seed,
    Share,
    check_fields,
    checked,
    checked_object,
    whole_number,
)
from spikedata.events import Events, steps_of
from spikedata.events.events import offsets_of
from spikedata.learning.superspike_passes import Layer, Numbers, Spikes, run_steps, update_weights

FEEDBACKS = ("symmetric", "random", "uniform")
DTYPES = ("float32", "float64")

_LEAST = 1e-12  # of the root in RMaxProp, against a division by zero; the authors' simulations
_CHUNK = 2048  # steps run at once: memory is the same for any number of steps
_NEGLIGIBLE = {"float32": 1e-30, "float64": 1e-290}  # below it a decaying state is zero, and never a subnormal number
_FORMAT = 1  # of a checkpoint
_log = logging.getLogger(__name__)

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
    feedback: Annotated[str, OneOf(FEEDBACKS)] = "symmetric"
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


class TrialRecord(NamedTuple):
    """What came of a trial.

    Attributes
    ----------
    trial : int
        Number of the trial, counted from 0.
    clip : int
        Number of the clip.
    error : float
        van Rossum distance of all outputs together [unmatched spikes].
    n_output_spikes, n_hidden_spikes : int
        Spikes of all neurons of a layer.
    learning_rate : float
        Learning rate of the update at its end [mV].
    """

    trial: int
    clip: int
    error: float
    n_output_spikes: int
    n_hidden_spikes: int
    learning_rate: float


class SuperSpikeCheckpoint(NamedTuple):
    """Everything that a training needs to go on as if it had never stopped.

    Attributes
    ----------
    identity : dict
        What must be the same to go on: params, seed, sizes, digest of the spikes.
    errors : ndarray of float64, shape (n_trials,)
        Errors of the finished trials [unmatched spikes].
    arrays : dict of str to ndarray
        States of neurons, traces and synapses, and the last output spikes of each clip.
    """

    identity: dict[str, Any]
    errors: npt.NDArray[np.float64]
    arrays: dict[str, Array]

    def to_bytes(self) -> bytes:
        """The checkpoint as the bytes of a NumPy archive, which runs no code when it is read."""
        header = np.frombuffer(json.dumps({"format": _FORMAT, "identity": self.identity}).encode(), np.uint8)
        file = io.BytesIO()
        named: Any = {f"arrays/{name}": array for name, array in self.arrays.items()}
        np.savez(file, header=header, errors=self.errors, **named)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """The checkpoint in the bytes of a file.

        Parameters
        ----------
        content : bytes
            As `to_bytes` returns them.

        Raises
        ------
        ValueError
            If they are no checkpoint of this version.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                held = {name: file[name] for name in file.files}
            header = json.loads(held["header"].tobytes())
            if header["format"] != _FORMAT:
                raise ValueError(f"its format must be {_FORMAT}, got {header['format']}")
            arrays = {name.removeprefix("arrays/"): held[name] for name in held if name.startswith("arrays/")}
            return cls(header["identity"], held["errors"], arrays)
        except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"is no checkpoint of SuperSpike: {error}") from error


class SuperSpikeDivergedError(FloatingPointError):
    """A state or weight became NaN or infinite.

    Parameters
    ----------
    message : str
        Which trial.
    checkpoint : SuperSpikeCheckpoint
        The state before that trial, the last that was good.
    """

    def __init__(self, message: str, checkpoint: SuperSpikeCheckpoint) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


class SuperSpikeResult(NamedTuple):
    """What has been learned.

    Attributes
    ----------
    errors : ndarray of float64, shape (n_trials,)
        van Rossum distance of all outputs together, in each trial [unmatched spikes].
    outputs : Events
        Output spikes of the last trial of each clip that has had one.
    weights : tuple of ndarray, shape (n_post, n_pre)
        Weights onto hidden neurons, if there are any, and onto outputs, after the last update [mV].
    silent_outputs, silent_hidden : ndarray of int64
        Numbers of the neurons without a spike in the last trial; of the outputs, those that had a target.
    checkpoint : SuperSpikeCheckpoint
        State after the last trial.
    """

    errors: npt.NDArray[np.float64]
    outputs: Events
    weights: tuple[Array, ...]
    silent_outputs: npt.NDArray[np.int64]
    silent_hidden: npt.NDArray[np.int64]
    checkpoint: SuperSpikeCheckpoint


class TrialSums(NamedTuple):
    """What `superspike_loop` returns.

    Attributes
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
    return np.clip(weights + learning_rate * gradient / (np.sqrt(peak) + _LEAST), -bound, bound), peak


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


def learn_spike_trains(
    inputs: Events,
    target: Events,
    params: SuperSpikeParams | None = None,
    *,
    n_trials: int,
    seed: int = 0,
    n_hidden: int = 0,
    duration: float | None = None,
    on_trial: Callable[[TrialRecord], None] | None = None,
    checkpoint: SuperSpikeCheckpoint | None = None,
    on_checkpoint: Callable[[SuperSpikeCheckpoint], None] | None = None,
) -> SuperSpikeResult:
    """Train a network so that the spikes of its outputs become those of the target.

    A trial runs one clip, with learning; clips come one after the other, over and over. The same arguments give the
    same result, also if a training is stopped and goes on from a checkpoint.

    Parameters
    ----------
    inputs : Events
        Input spikes of each clip.
    target : Events
        Spikes that the outputs, as many as it has units, should have in each clip.
    params : SuperSpikeParams, optional
        Neurons and rule. Default: ``SuperSpikeParams()``.
    n_trials : int
        Number of trials, those of the checkpoint counted.
    seed : int
        Seed of initial weights, random feedback and order of clips.
    n_hidden : int
        Number of hidden neurons; 0 for outputs alone.
    duration : float, optional
        Length of every trial [s]. Default: the length of each input clip, if that is known.
    on_trial : callable, optional
        Called with the record of each trial.
    checkpoint : SuperSpikeCheckpoint, optional
        State to go on from, of a training that differs at most in its number of trials.
    on_checkpoint : callable, optional
        Called with the state after each trial, before ``on_trial``.

    Raises
    ------
    ValueError
        If inputs and target are not equally many clips, no input spike lies within a clip, the length of a trial is
        unknown, or the checkpoint is of another training.
    SuperSpikeDivergedError
        If a weight or an error is no longer finite; it holds the state before that trial.

    Examples
    --------
    >>> from spikedata import Sample
    >>> def clip(times, units, n_units):
    ...     sample = Sample(np.array(times), np.array(units, np.uint16), label=0, speaker=0, duration=0.1)
    ...     return Events.from_samples([sample], keys=["pattern"], n_units=n_units)
    >>> inputs, target = clip([0.01, 0.02, 0.04, 0.05, 0.06], [0, 1, 2, 0, 1], 3), clip([0.05], [0], 1)
    >>> learned = learn_spike_trains(inputs, target, SuperSpikeParams(milestones=(100, 150)), n_trials=200)
    >>> learned.errors[0].round(1), learned.errors[-1].round(1)
    (np.float64(1.0), np.float64(0.0))
    """
    params = SuperSpikeParams() if params is None else checked_object("params", params, SuperSpikeParams)
    n_trials, n_hidden = whole_number("n_trials", n_trials, at_least=1), whole_number("n_hidden", n_hidden, at_least=0)
    seed = checked("seed", seed, Seed)
    clips = _clips_of(inputs, target, params, duration)
    identity = {
        "params": json.loads(json.dumps(asdict(params))),
        "seed": seed,
        "sizes": [inputs.n_units, n_hidden, target.n_units],
        "spikes": _digest(clips),
    }
    weights, feedback = initial_weights(inputs.n_units, n_hidden, target.n_units, params, seed=seed)
    state = _State.fresh(weights, feedback, len(clips), params)
    errors: list[float] = []
    if checkpoint is not None:
        _check_identity(checkpoint, identity)
        state.restore(checkpoint.arrays)
        errors = checkpoint.errors.tolist()
        if len(errors) > n_trials:
            raise ValueError(f"n_trials must be >= {len(errors)}, the trials of the checkpoint, got {n_trials}")
    numbers, spikes = _numbers(params), [_spikes_of(clip) for clip in clips]
    before = state.copies()
    for trial in range(len(errors), n_trials):
        number = _clip_number(trial, len(clips), seed, params)
        rate = params.learning_rate_at(trial)
        is_good, error = _run_trial(clips[number], spikes[number], number, state, params, numbers, rate)
        if not (is_good and math.isfinite(error)):
            raise SuperSpikeDivergedError(
                f"SuperSpike diverged: states that are not finite in trial {trial}; learning rate {rate} mV; "
                f"the state before it is in this error's checkpoint",
                SuperSpikeCheckpoint(identity, np.array(errors), before),
            )
        errors.append(error)
        state.copy_to(before)
        if on_checkpoint is not None:
            on_checkpoint(SuperSpikeCheckpoint(identity, np.array(errors), state.copies()))
        if on_trial is not None:
            n_spikes = [int(layer.n_spikes.sum()) for layer in (state.output, state.hidden)]
            on_trial(TrialRecord(trial, number, error, *n_spikes, rate))
    is_wanted = np.zeros(target.n_units, bool)
    is_wanted[clips[_clip_number(len(errors) - 1, len(clips), seed, params)].target[1]] = True
    result = SuperSpikeResult(
        errors=np.array(errors),
        outputs=state.outputs(target, clips, params),
        weights=tuple(layer.weights.copy() for layer in state.layers),
        silent_outputs=np.flatnonzero(is_wanted & (state.output.n_spikes == 0)),
        silent_hidden=np.flatnonzero(state.hidden.n_spikes == 0),
        checkpoint=SuperSpikeCheckpoint(identity, np.array(errors), before),
    )
    _tell_of_silence(result, n_outputs=int(is_wanted.sum()), n_hidden=n_hidden)
    return result


def respond(
    inputs: Events,
    weights: tuple[Array, ...],
    params: SuperSpikeParams | None = None,
    *,
    duration: float | None = None,
) -> tuple[Events, ...]:
    """Spikes of each layer, without learning; every clip starts at rest.

    Parameters
    ----------
    inputs : Events
        Input spikes of each clip.
    weights : tuple of ndarray, shape (n_post, n_pre)
        Weights of one or two layers, the outputs last, as in `SuperSpikeResult` [mV].
    params : SuperSpikeParams, optional
        Neurons. Default: ``SuperSpikeParams()``.
    duration : float, optional
        Length of every clip [s]. Default: the length of each input clip, if that is known.

    Returns
    -------
    tuple of Events
        Spikes of hidden neurons, if there are any, and of outputs.

    Raises
    ------
    ValueError
        If the weights do not fit the inputs or each other, or the length of a clip is unknown.
    """
    params = SuperSpikeParams() if params is None else checked_object("params", params, SuperSpikeParams)
    weights = tuple(np.asarray(weight, params.dtype) for weight in weights)
    if len(weights) not in (1, 2) or any(weight.ndim != 2 for weight in weights):
        raise ValueError(f"weights must be those of one or two layers, got {[weight.shape for weight in weights]}")
    sizes = [inputs.n_units, *(len(weight) for weight in weights)]
    if [weight.shape[1] for weight in weights] != sizes[:-1]:
        shapes = [weight.shape for weight in weights]
        raise ValueError(f"weights must be (n_post, n_pre) for {inputs.n_units} inputs, got {shapes}")
    answers: list[Events] = []
    for depth in range(1, len(weights) + 1):  # the neurons of a layer are the outputs of the network that ends there
        n_units = sizes[depth]
        unwanted = inputs.changed(
            times=np.empty(0),
            units=np.empty(0, np.uint16),
            offsets=np.zeros(len(inputs) + 1, np.int64),
            n_units=n_units,
        )
        clips = _clips_of(inputs, unwanted, params, duration, is_learned=False)
        feedback = np.ones((n_units, sizes[1] if depth == 2 else 0), params.dtype)
        state = _State.fresh(weights[:depth], feedback, len(clips), params)
        for number, clip in enumerate(clips):
            state.rest()
            spikes, numbers, energy = _spikes_of(clip), _numbers(params), np.zeros(n_units)
            spans = [(first, min(clip.n_steps, first + _CHUNK)) for first in range(0, clip.n_steps, _CHUNK)]
            parts = [_run(spikes, state, params, numbers, *span, energy, learns=False) for span in spans]
            state.fired[number] = _joined(parts)
        answers.append(state.outputs(unwanted, clips, params))
    return tuple(answers)


class _Clip(NamedTuple):
    # one clip on the grid: steps and units of input and target, sorted by step
    inputs: tuple[Array, Array]
    target: tuple[Array, Array]
    n_steps: int


def _clips_of(
    inputs: Events, target: Events, params: SuperSpikeParams, duration: float | None, *, is_learned: bool = True
) -> list[_Clip]:
    checked_object("inputs", inputs, Events)
    checked_object("target", target, Events)
    if len(inputs) != len(target) or not len(inputs):
        raise ValueError(
            f"inputs and target must be equally many clips, at least one, got {len(inputs)} and {len(target)}"
        )
    lengths = inputs.durations if duration is None else np.full(len(inputs), checked("duration", duration, Positive))
    if not np.all(lengths > 0):
        raise ValueError(f"clip {int(np.argmin(lengths))}: its length is unknown; duration [s] must be given")
    clips = []
    for number, length in enumerate(lengths):
        n_steps = max(1, round(float(length) / params.dt))
        clips.append(
            _Clip(_on_grid(inputs, number, n_steps, params), _on_grid(target, number, n_steps, params), n_steps)
        )
    if is_learned and not any(clip.inputs[0].size for clip in clips):
        raise ValueError("inputs must have a spike within a clip: without one no synapse ever learns")
    return clips


def _on_grid(events: Events, number: int, n_steps: int, params: SuperSpikeParams) -> tuple[Array, Array]:
    sample = events[number]
    steps = steps_of(sample.times, dt=params.dt)
    is_within = steps < n_steps
    return steps[is_within], sample.units[is_within].astype(np.int64)


def _digest(clips: list[_Clip]) -> str:
    digest = hashlib.sha256()
    for clip in clips:
        digest.update(np.int64([clip.n_steps, len(clip.inputs[0]), len(clip.target[0])]).tobytes())
        for array in (*clip.inputs, *clip.target):
            digest.update(np.ascontiguousarray(array, np.int64).tobytes())
    return digest.hexdigest()


def _check_identity(checkpoint: SuperSpikeCheckpoint, identity: Mapping[str, Any]) -> None:
    there = {**checkpoint.identity, **checkpoint.identity["params"]}
    here = {**identity, **identity["params"]}
    for name, value in here.items():
        if name != "params" and there.get(name) != value:
            raise ValueError(f"checkpoint is of another training: {name} is {there.get(name)} there and {value} here")


def _clip_number(trial: int, n_clips: int, seed: int, params: SuperSpikeParams) -> int:
    passage, place = divmod(trial, n_clips)
    if not params.shuffles:
        return place
    return int(np.random.default_rng([seed, 2, passage]).permutation(n_clips)[place])


def _numbers(params: SuperSpikeParams) -> Numbers:
    dtype: Any = np.dtype(params.dtype).type
    return Numbers(
        alpha=dtype(params.alpha),
        gain=dtype(params.gain),
        threshold=dtype(params.threshold),
        steepness=dtype(params.steepness),
        floor=dtype(params.floor),
        beta=dtype(math.exp(-params.dt / params.tau_activity)),
        exponent=dtype(params.exponent if params.heterosynaptic else 0.0),
        negligible=dtype(_NEGLIGIBLE[params.dtype]),
    )


def _spikes_of(clip: _Clip) -> tuple[Spikes, Spikes]:
    given, target = (Spikes(*pair, np.zeros(1, np.int64)) for pair in (clip.inputs, clip.target))
    return given, target


def _empty_layer(n_pre: int, n_post: int, dtype: str, *, has_excess: bool) -> Layer:
    return Layer(
        weights=np.zeros((n_post, n_pre), dtype),
        by_input=np.zeros((n_pre, n_post), dtype),
        neurons=np.zeros((5, n_post), dtype),
        resting=np.zeros(n_post, np.int64),
        traces=np.zeros((2, n_pre), dtype),
        synapses=np.zeros((3, n_post, n_pre), dtype),
        peak=np.zeros((n_post, n_pre), dtype),
        excess=np.zeros(n_post if has_excess else 0, dtype),
        n_spikes=np.zeros(n_post, np.int64),
    )


class _State(NamedTuple):
    # all that is carried from trial to trial
    hidden: Layer
    output: Layer
    feedback: Array
    since_update: Array  # steps, shape (1,)
    fired: list[tuple[Array, Array] | None]  # of each clip, in its last trial

    @classmethod
    def fresh(cls, weights: tuple[Array, ...], feedback: Array, n_clips: int, params: SuperSpikeParams) -> Self:
        has_hidden = len(weights) == 2
        shapes = [weight.shape[::-1] for weight in weights]
        hidden = _empty_layer(*(shapes[0] if has_hidden else (0, 0)), params.dtype, has_excess=has_hidden)
        output = _empty_layer(*shapes[-1], params.dtype, has_excess=False)
        state = cls(hidden, output, feedback, np.zeros(1, np.int64), [None] * n_clips)
        for layer, weight in zip(state.layers, weights, strict=True):
            layer.weights[:], layer.by_input[:] = weight, weight.T
        return state

    @property
    def layers(self) -> tuple[Layer, ...]:
        return (self.hidden, self.output) if self.hidden.weights.size else (self.output,)

    def rest(self) -> None:
        for layer in self.layers:
            for array in (layer.neurons, layer.resting, layer.traces):
                array[:] = 0
            layer.synapses[:2] = 0

    def _named(self) -> dict[str, Array]:
        layers = {"hidden": self.hidden, "output": self.output}
        named = {f"{name}/{field}": a for name, layer in layers.items() for field, a in layer._asdict().items()}
        return {**named, "feedback": self.feedback, "since_update": self.since_update}

    def copies(self) -> dict[str, Array]:
        arrays = {name: array.copy() for name, array in self._named().items()}
        return arrays | self._fired_arrays()

    def copy_to(self, arrays: dict[str, Array]) -> None:
        for name, array in self._named().items():
            np.copyto(arrays[name], array)
        arrays.update(self._fired_arrays())  # made anew in each trial, so not copied

    def _fired_arrays(self) -> dict[str, Array]:
        return {f"fired/{i}": np.stack(pair) for i, pair in enumerate(self.fired) if pair is not None}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        for name, array in self._named().items():
            np.copyto(array, arrays[name])
        for number in range(len(self.fired)):
            if f"fired/{number}" in arrays:
                steps, units = arrays[f"fired/{number}"]
                self.fired[number] = steps, units

    def outputs(self, like: Events, clips: list[_Clip], params: SuperSpikeParams) -> Events:
        numbers = [number for number, pair in enumerate(self.fired) if pair is not None]
        pairs = [pair for pair in self.fired if pair is not None]
        return like.select(numbers).changed(
            times=np.concatenate([np.empty(0), *(steps * params.dt for steps, _ in pairs)]),
            units=np.concatenate([np.empty(0, np.uint16), *(units.astype(np.uint16) for _, units in pairs)]),
            offsets=offsets_of([len(steps) for steps, _ in pairs]),
            durations=np.array([clips[number].n_steps * params.dt for number in numbers], np.float64),
            is_sorted=True,
        )


def _run_trial(
    clip: _Clip,
    spikes: tuple[Spikes, Spikes],
    number: int,
    state: _State,
    params: SuperSpikeParams,
    numbers: Numbers,
    rate: float,
) -> tuple[bool, float]:
    """Run a trial with learning; whether all weights stayed finite, and the error."""
    if params.resets:
        state.rest()
    interval = clip.n_steps if params.update_interval is None else max(1, round(params.update_interval / params.dt))
    is_good, energy, parts, first = True, np.zeros(len(state.output.weights)), [], 0
    while first < clip.n_steps:
        last = min(clip.n_steps, first + _CHUNK, first + interval - int(state.since_update[0]))
        part = _run(spikes, state, params, numbers, first, last, energy, learns=True)
        parts += [part] if part[0].size else []
        state.since_update[0] += last - first
        if state.since_update[0] == interval:
            is_good = _update(state, params, interval, rate) and is_good
            state.since_update[0] = 0
        first = last
    state.fired[number] = _joined(parts)
    return is_good, float(energy.sum()) * params.dt / params.unmatched_energy


def _run(
    spikes: tuple[Spikes, Spikes],
    state: _State,
    params: SuperSpikeParams,
    numbers: Numbers,
    first: int,
    last: int,
    energy: Array,
    *,
    learns: bool,
) -> tuple[Array, Array]:
    """Run some steps of a trial; steps and units of the output spikes."""
    if first == 0:
        for given in spikes:
            given.cursor[0] = 0
        for layer in state.layers:
            layer.n_spikes[:] = 0
    most = len(state.output.weights) * ((last - first) // (params.n_rest + 1) + 1)
    fired = Spikes(np.empty(most, np.int64), np.empty(most, np.int64), np.zeros(1, np.int64))
    feedback = state.output.weights if params.feedback == "symmetric" and state.hidden.weights.size else state.feedback
    run_steps(
        first, last, *spikes, fired, state.hidden, state.output, feedback, numbers, params.n_rest, learns, energy
    )  # fmt: skip
    n_fired = int(fired.cursor[0])
    return fired.steps[:n_fired].copy(), fired.units[:n_fired].copy()


def _joined(parts: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    nothing = np.empty(0, np.int64)
    steps, units = ([nothing, *(part[i] for part in parts)] for i in (0, 1))
    return np.concatenate(steps), np.concatenate(units)


def _update(state: _State, params: SuperSpikeParams, interval: int, rate: float) -> bool:
    dtype: Any = np.dtype(params.dtype).type
    gamma = math.exp(-interval * params.dt / params.tau_rms)
    bound = math.inf if params.weight_bound is None else params.weight_bound
    rules = [dtype(value) for value in (rate, gamma, params.heterosynaptic, bound, _LEAST)]
    is_good = True
    for layer in state.layers:
        is_good &= update_weights(layer, interval, *rules)
    return is_good


def _tell_of_silence(result: SuperSpikeResult, *, n_outputs: int, n_hidden: int) -> None:
    """A silent neuron is not stuck, as its surrogate is above zero, but somebody should know."""
    if result.silent_outputs.size:
        _log.warning(
            "SuperSpike: %d of %d outputs with a target fired no spike in the last trial; more trials, a larger "
            "learning rate or larger initial weights help",
            result.silent_outputs.size,
            n_outputs,
        )
    if n_hidden and result.silent_hidden.size == n_hidden:
        _log.warning(
            "SuperSpike: no hidden neuron fired in the last trial, so the outputs have no input; larger initial "
            "weights help, as the paper's noise on hidden neurons does"
        )

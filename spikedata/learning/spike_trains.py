"""Train a network of spiking neurons by SuperSpike, trial after trial, so that its outputs fire as a target does.

The network has outputs alone or one hidden layer. A trial is run by the compiled passes of `superspike_passes`, in one
thread; between trials stand the checks, the checkpoint, and the caller. The rule itself is in `superspike`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.checks import Positive, Seed, checked, checked_object, whole_number
from spikedata.events import Events, steps_of
from spikedata.events.events import offsets_of
from spikedata.learning.superspike import LEAST_ROOT, SuperSpikeParams, initial_weights
from spikedata.learning.superspike_passes import Numbers, Spikes, run_steps, update_weights
from spikedata.learning.superspike_state import State, SuperSpikeCheckpoint, check_identity

_TOO_ACTIVE = 0.5  # share of the largest rate at which hidden neurons tell nothing of their inputs
_CHUNK = 2048  # steps run at once: memory is the same for any number of steps
_NEGLIGIBLE = {"float32": 1e-30, "float64": 1e-290}  # below it a decaying state is zero, and never a subnormal number
_log = logging.getLogger(__name__)

Array = npt.NDArray[Any]


class TrialRecord(NamedTuple):
    """What came of a trial.

    Parameters
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

    Parameters
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
    state = State.fresh(weights, feedback, len(clips), params)
    errors: list[float] = []
    if checkpoint is not None:
        check_identity(checkpoint, identity)
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
            n_output, n_hidden_spikes = (int(layer.n_spikes.sum()) for layer in (state.output, state.hidden))
            on_trial(TrialRecord(trial, number, error, n_output, n_hidden_spikes, rate))
    is_wanted = np.zeros(target.n_units, bool)
    last = clips[_clip_number(len(errors) - 1, len(clips), seed, params)]
    is_wanted[last.target[1]] = True
    result = SuperSpikeResult(
        errors=np.array(errors),
        outputs=_outputs(state, target, clips, params),
        weights=tuple(layer.weights.copy() for layer in state.layers),
        silent_outputs=np.flatnonzero(is_wanted & (state.output.n_spikes == 0)),
        silent_hidden=np.flatnonzero(state.hidden.n_spikes == 0),
        checkpoint=SuperSpikeCheckpoint(identity, np.array(errors), before),
    )
    _tell_of_silence(result, state, params, n_outputs=int(is_wanted.sum()), n_steps=last.n_steps)
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
        state = State.fresh(weights[:depth], feedback, len(clips), params)
        for number, clip in enumerate(clips):
            state.rest()
            spikes, numbers, energy = _spikes_of(clip), _numbers(params), np.zeros(n_units)
            spans = [(first, min(clip.n_steps, first + _CHUNK)) for first in range(0, clip.n_steps, _CHUNK)]
            parts = [_run(spikes, state, params, numbers, *span, energy, learns=False) for span in spans]
            state.fired[number] = _joined(parts)
        answers.append(_outputs(state, unwanted, clips, params))
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
        late = target[number].times if duration is None else np.empty(0)
        if late.size and late.max() >= length:
            raise ValueError(
                f"clip {number}: target has a spike at {late.max():g} s, but the input is {length:g} s long; duration "
                "[s] says how long both are"
            )
        clips.append(
            _Clip(_on_grid(inputs, number, n_steps, params), _on_grid(target, number, n_steps, params), n_steps)
        )
    if is_learned and not any(clip.inputs[0].size for clip in clips):
        raise ValueError("inputs must have a spike within a clip: without one no synapse ever learns")
    return clips


def _on_grid(events: Events, number: int, n_steps: int, params: SuperSpikeParams) -> tuple[Array, Array]:
    sample = events[number]
    if len(sample.units) and int(sample.units.max()) >= events.n_units:  # compiled passes check no bounds
        raise ValueError(f"clip {number}: units must be below {events.n_units}, got {int(sample.units.max())}")
    steps = steps_of(sample.times, dt=params.dt)
    is_within = steps < n_steps
    return steps[is_within], sample.units[is_within].astype(np.int64)


def _digest(clips: list[_Clip]) -> str:
    digest = hashlib.sha256()
    for clip in clips:
        digest.update(np.array([clip.n_steps, len(clip.inputs[0]), len(clip.target[0])], np.int64).tobytes())
        for array in (*clip.inputs, *clip.target):
            digest.update(np.ascontiguousarray(array, np.int64).tobytes())
    return digest.hexdigest()


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


def _outputs(state: State, like: Events, clips: list[_Clip], params: SuperSpikeParams) -> Events:
    numbers = [number for number, pair in enumerate(state.fired) if pair is not None]
    pairs = [pair for pair in state.fired if pair is not None]
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
    state: State,
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
    state: State,
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


def _update(state: State, params: SuperSpikeParams, interval: int, rate: float) -> bool:
    dtype: Any = np.dtype(params.dtype).type
    gamma = math.exp(-interval * params.dt / params.tau_rms)
    bound = math.inf if params.weight_bound is None else params.weight_bound
    rules = [dtype(value) for value in (rate, gamma, params.heterosynaptic, bound, LEAST_ROOT)]
    is_good = True
    for layer in state.layers:
        is_good &= update_weights(layer, interval, *rules)
    return is_good


def _tell_of_silence(
    result: SuperSpikeResult, state: State, params: SuperSpikeParams, *, n_outputs: int, n_steps: int
) -> None:
    """Warn of what stops learning, or nearly does, and say what the paper has against it."""
    if result.silent_outputs.size:
        # their surrogate is small, and zero where inhibition holds them below the floor
        n_held = np.count_nonzero(state.output.neurons[1][result.silent_outputs] < params.floor)
        _log.warning(
            "SuperSpike: %d of %d outputs with a target fired no spike in the last trial, %d of them are held below "
            "%g mV, where nothing is learned; more trials or larger initial weights help",
            result.silent_outputs.size,
            n_outputs,
            n_held,
            params.floor,
        )
    n_hidden = len(state.hidden.n_spikes)
    if n_hidden and result.silent_hidden.size == n_hidden:
        _log.warning(
            "SuperSpike: no hidden neuron fired in the last trial, so the outputs have no input; larger initial "
            "weights help, as the paper's noise on hidden neurons does"
        )
    share = state.hidden.n_spikes.sum() * (params.n_rest + 1) / max(1, n_hidden * n_steps)
    if share > _TOO_ACTIVE:
        _log.warning(
            "SuperSpike: hidden neurons fire at %.0f %% of their largest rate; the heterosynaptic term "
            "(heterosynaptic=1e-6 and more) or a smaller learning rate helps",
            100 * min(share, 1.0),
        )

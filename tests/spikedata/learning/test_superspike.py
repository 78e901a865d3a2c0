"""SuperSpike: the compiled passes do what the plain form does, and the plain form is the gradient that autograd finds."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from spikedata.events import Events, Sample
from spikedata.learning import superspike
from spikedata.learning.superspike import (
    FEEDBACKS,
    SuperSpikeCheckpoint,
    SuperSpikeDivergedError,
    SuperSpikeParams,
    initial_weights,
    learn_spike_trains,
    respond,
    rmaxprop,
    superspike_loop,
)
from spikedata.nn.surrogate import SurrogateParams, spike

ROUNDING = 1e-11  # relative: sums of some thousand terms in float64, in two orders
COARSE = {"dt": 5e-4, "update_interval": None}


def clips(rates, n_units, *, duration, seed, n_clips=1):
    """Poisson spikes, each clip with some of its own."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(n_clips):
        n = rng.poisson(rates * duration * n_units)
        times, units = np.sort(rng.uniform(0, duration, n)), rng.integers(0, n_units, n).astype(np.uint16)
        samples.append(Sample(times, units, label=0, speaker=0, duration=duration))
    return Events.from_samples(samples, keys=["pattern"], n_units=n_units)


def counts_of(events, number, params):
    sample = events[number]
    n_steps = round(sample.duration / params.dt)
    counts = np.zeros((n_steps, events.n_units))
    np.add.at(counts, (superspike.steps_of(sample.times, dt=params.dt), sample.units), 1)
    return counts


def task(n_clips=1, *, n_outputs=3, duration=0.15):
    inputs = clips(60.0, 12, duration=duration, seed=1, n_clips=n_clips)
    return inputs, clips(20.0, n_outputs, duration=duration, seed=2, n_clips=n_clips)


def learn_plainly(inputs, target, params, *, n_trials, n_hidden, seed):
    """Training by the plain form, one update a trial."""
    weights, feedback = initial_weights(inputs.n_units, n_hidden, target.n_units, params, seed=seed)
    peaks, errors = [np.zeros_like(weight) for weight in weights], []
    for trial in range(n_trials):
        given, wanted = (counts_of(events, trial % len(inputs), params) for events in (inputs, target))
        carried = None if params.feedback == "symmetric" else feedback
        sums, error, _ = superspike_loop(given, wanted, weights, params, feedback=carried)
        errors.append(error.sum())
        updated = [
            rmaxprop(
                weight,
                total / len(given),
                peak,
                learning_rate=params.learning_rate_at(trial),
                gamma=math.exp(-len(given) * params.dt / params.tau_rms),
                weight_bound=params.weight_bound,
            )
            for weight, total, peak in zip(weights, sums, peaks, strict=True)
        ]
        weights, peaks = tuple(w for w, _ in updated), [peak for _, peak in updated]
    return np.array(errors), weights


@pytest.mark.parametrize("refractory", [0.0, 5e-3])
def test_the_sum_over_a_trial_is_the_gradient_of_autograd_without_the_path_through_the_reset(refractory):
    params = SuperSpikeParams(dt=5e-4, refractory=refractory, floor=-1e9)  # autograd has no floor
    inputs, target = (counts_of(events, 0, params) for events in task(duration=0.3))
    weights, _ = initial_weights(12, 0, 3, params, seed=3)
    trial = superspike_loop(inputs, target, weights, params)
    assert trial.spikes[0].sum() > 5  # so that there are resets to cut

    weight = torch.tensor(weights[0], requires_grad=True)
    arriving, wanted = torch.from_numpy(inputs), torch.from_numpy(target)
    surrogate = SurrogateParams(shape="superspike", scale=params.steepness)
    current, membrane, error, filtered = torch.zeros(4, 3, dtype=torch.float64)
    resting, loss = torch.zeros(3), torch.zeros(())
    for step in range(len(inputs)):
        current = params.alpha * current + weight @ arriving[step]
        membrane = membrane + params.gain * (current - membrane)
        membrane = membrane - torch.where(resting > 0, membrane, 0.0).detach()
        fired = spike(membrane - params.threshold, surrogate)
        membrane = membrane - torch.where(fired > 0, membrane, 0.0).detach()  # the reset: a constant
        resting = torch.where(fired > 0, params.n_rest, resting - 1)
        error = params.alpha * error + wanted[step] - fired
        filtered = filtered + params.gain * (error - filtered)
        loss = loss + 0.5 * (filtered**2).sum()
    loss.backward()
    np.testing.assert_allclose(trial.sums[0], -weight.grad.numpy(), rtol=1e-9, atol=1e-12)
    assert trial.errors.sum() == pytest.approx(2 * float(loss) * params.dt / params.unmatched_energy)


@pytest.mark.parametrize("feedback", FEEDBACKS)
@pytest.mark.parametrize("n_hidden", [0, 5])
def test_the_compiled_passes_do_what_the_plain_form_does(n_hidden, feedback):
    params = SuperSpikeParams(dt=5e-4, feedback=feedback, heterosynaptic=1e-5, milestones=(2,), weight_bound=40.0)
    inputs, target = task(n_clips=2)
    plain = learn_plainly(inputs, target, params, n_trials=3, n_hidden=n_hidden, seed=7)
    learned = learn_spike_trains(inputs, target, params, n_trials=3, n_hidden=n_hidden, seed=7)
    np.testing.assert_allclose(learned.errors, plain[0], rtol=ROUNDING)
    for fast, slow in zip(learned.weights, plain[1], strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-8)  # a step divides by the root of a gradient that may be tiny

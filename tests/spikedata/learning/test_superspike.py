"""SuperSpike: the compiled passes do what the plain form does, and that sums up the gradient that autograd finds."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from spikedata.events import Events, Sample, steps_of
from spikedata.learning import (
    SuperSpikeCheckpoint,
    SuperSpikeDivergedError,
    SuperSpikeParams,
    initial_weights,
    learn_spike_trains,
    respond,
    rmaxprop,
    spike_trains,
    superspike_loop,
    van_rossum_distance,
)
from spikedata.learning.feedback import FEEDBACK
from spikedata.nn.surrogate import SurrogateParams, spike

ROUNDING = 1e-11  # relative: sums of some thousand terms in float64, in two orders


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
    np.add.at(counts, (steps_of(sample.times, dt=params.dt), sample.units), 1)
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
    assert trial.errors.sum() == pytest.approx(2 * loss.item() * params.dt / params.unmatched_energy)


@pytest.mark.parametrize("feedback", FEEDBACK)
@pytest.mark.parametrize("n_hidden", [0, 5])
def test_the_compiled_passes_do_what_the_plain_form_does(n_hidden, feedback):
    params = SuperSpikeParams(dt=5e-4, feedback=feedback, heterosynaptic=1e-5, milestones=(2,), weight_bound=40.0)
    inputs, target = task(n_clips=2)
    plain = learn_plainly(inputs, target, params, n_trials=3, n_hidden=n_hidden, seed=7)
    learned = learn_spike_trains(inputs, target, params, n_trials=3, n_hidden=n_hidden, seed=7)
    np.testing.assert_allclose(learned.errors, plain[0], rtol=ROUNDING)
    for fast, slow in zip(learned.weights, plain[1], strict=True):
        np.testing.assert_allclose(fast, slow, rtol=1e-8)  # a step divides by the root of a gradient that may be tiny


def test_learning_is_by_descent_of_the_error_meter():
    params = SuperSpikeParams(dt=5e-4, milestones=(80, 120))
    inputs, target = clips(8.0, 60, duration=0.3, seed=5), clips(10.0, 1, duration=0.3, seed=6)
    learned = learn_spike_trains(inputs, target, params, n_trials=150)
    assert learned.errors[-1] < 0.2 * learned.errors[0]


def test_a_spike_without_a_partner_is_an_error_of_one():
    params = SuperSpikeParams()
    silent, lone = np.zeros((2000, 1)), np.zeros((2000, 1))
    lone[100] = 1
    assert superspike_loop(silent, lone, (np.zeros((1, 1)),), params).errors[0] == pytest.approx(1.0, abs=1e-9)


def test_the_error_is_the_van_rossum_distance_of_the_losses():
    params = SuperSpikeParams(learning_rate=0.0)
    inputs, target = task(duration=0.3)
    learned = learn_spike_trains(inputs, target, params, n_trials=1)
    spikes, wanted = (torch.from_numpy(counts_of(events, 0, params))[None] for events in (learned.outputs, target))
    distance = van_rossum_distance(spikes, wanted, tau_rise=params.tau_syn, tau_decay=params.tau_mem, dt=params.dt)
    assert learned.errors[0] > 3
    # that kernel decays exactly, this one's second filter goes by Euler steps of 1 % of its time constant
    assert learned.errors[0] == pytest.approx(distance.sum().item(), rel=0.01)


def test_the_energy_of_an_unmatched_spike_is_that_of_the_kernel():
    # the kernel on the grid against its integral for tau 10 and 5 ms, 5/6 ms
    assert SuperSpikeParams(dt=1e-6).unmatched_energy == pytest.approx(5 / 6 * 1e-3, rel=1e-3)


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_trial_does_not_depend_on_how_it_is_cut(monkeypatch, chunk, dtype):
    params = SuperSpikeParams(dt=5e-4, dtype=dtype, heterosynaptic=1e-5)
    inputs, target = task()
    whole = learn_spike_trains(inputs, target, params, n_trials=2, n_hidden=4)
    monkeypatch.setattr(spike_trains, "_CHUNK", chunk)
    cut = learn_spike_trains(inputs, target, params, n_trials=2, n_hidden=4)
    assert all(np.array_equal(a, b) for a, b in zip(whole.weights, cut.weights, strict=True))
    assert np.array_equal(whole.outputs.times, cut.outputs.times)


def twice(events):
    """The one clip, and the same again right after it, as one clip."""
    sample = events[0]
    times = np.concatenate([sample.times, sample.times + sample.duration])
    again = sample._replace(times=times, units=np.tile(sample.units, 2), duration=2 * sample.duration)
    return Events.from_samples([again], keys=["pattern"], n_units=events.n_units)


def test_trials_without_a_gap_are_one_long_trial():
    inputs, target = task()
    params = SuperSpikeParams(dt=5e-4, resets=False, update_interval=0.3)
    trials = learn_spike_trains(inputs, target, params, n_trials=4, n_hidden=4)
    long = learn_spike_trains(twice(inputs), twice(target), params, n_trials=2, n_hidden=4)
    np.testing.assert_allclose(trials.errors.reshape(2, 2).sum(axis=1), long.errors, rtol=ROUNDING)
    np.testing.assert_allclose(trials.weights[0], long.weights[0], rtol=ROUNDING)


def test_the_same_seed_gives_the_same_result_and_another_seed_another():
    inputs, target = task()
    runs = [learn_spike_trains(inputs, target, n_trials=2, seed=seed, n_hidden=3) for seed in (0, 0, 1)]
    assert np.array_equal(runs[0].weights[0], runs[1].weights[0])
    assert not np.array_equal(runs[0].weights[0], runs[2].weights[0])


def test_kinds_of_feedback_start_from_the_same_weights():
    drawn = [initial_weights(5, 3, 2, SuperSpikeParams(feedback=kind), seed=4) for kind in FEEDBACK]
    assert all(np.array_equal(drawn[0][0][0], weights[0]) for weights, _ in drawn)
    assert len({feedback.tobytes() for _, feedback in drawn}) == 3


@pytest.mark.parametrize("resets", [True, False])
def test_a_training_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(resets):
    inputs, target = task(n_clips=3)
    params = SuperSpikeParams(dt=5e-4, feedback="random", resets=resets, update_interval=0.1, shuffles=True)
    kept = []
    whole = learn_spike_trains(inputs, target, params, n_trials=5, n_hidden=4, on_checkpoint=kept.append)
    read = SuperSpikeCheckpoint.from_bytes(kept[1].to_bytes())
    resumed = learn_spike_trains(inputs, target, params, n_trials=5, n_hidden=4, checkpoint=read)
    assert np.array_equal(whole.errors, resumed.errors)
    assert all(np.array_equal(a, b) for a, b in zip(whole.weights, resumed.weights, strict=True))
    assert np.array_equal(whole.outputs.times, resumed.outputs.times)


def test_a_checkpoint_of_another_training_is_refused():
    inputs, target = task()
    kept = learn_spike_trains(inputs, target, n_trials=1).checkpoint
    for changed in ({"seed": 1}, {"params": SuperSpikeParams(learning_rate=2.0)}, {"n_hidden": 2}):
        with pytest.raises(ValueError, match=r"checkpoint is of another training: .+ there and .+ here"):
            learn_spike_trains(inputs, target, n_trials=2, checkpoint=kept, **changed)
    with pytest.raises(ValueError, match="checkpoint is of another training: spikes"):
        learn_spike_trains(
            target, target, n_trials=2, checkpoint=kept._replace(identity={**kept.identity, "sizes": [3, 0, 3]})
        )
    with pytest.raises(ValueError, match="n_trials must be >= 1"):
        learn_spike_trains(inputs, target, n_trials=0, checkpoint=kept)


def test_bytes_that_are_no_checkpoint_are_refused():
    for content in (b"", b"nonsense", b"PK\x03\x04"):
        with pytest.raises(ValueError, match="is no checkpoint of SuperSpike"):
            SuperSpikeCheckpoint.from_bytes(content)


def test_a_training_that_diverges_stops_and_holds_the_last_good_state():
    inputs, target = task()
    params = SuperSpikeParams(dt=5e-4, weight_bound=None, learning_rate=1e300, decay=1.0)
    with pytest.raises(SuperSpikeDivergedError, match="diverged: states that are not finite in trial") as caught:
        learn_spike_trains(inputs, target, params, n_trials=50, n_hidden=3)
    kept = caught.value.checkpoint
    assert np.isfinite(kept.errors).all()
    assert all(np.isfinite(array).all() for array in kept.arrays.values())
    n_good = len(kept.errors)
    again = learn_spike_trains(inputs, target, params, n_trials=n_good, n_hidden=3) if n_good else None
    assert again is None or np.array_equal(again.weights[0], kept.arrays["hidden/weights"])


def test_the_heterosynaptic_term_quiets_hidden_neurons():
    inputs, target = clips(60.0, 30, duration=0.3, seed=1), clips(10.0, 2, duration=0.3, seed=2)
    spikes = []
    for strength in (0.0, 1.0):
        params = SuperSpikeParams(dt=5e-4, feedback="random", heterosynaptic=strength, weight_scale=200.0)
        learned = learn_spike_trains(inputs, target, params, n_trials=60, n_hidden=5)
        spikes.append(len(respond(inputs, learned.weights, params)[0].times))
    assert spikes[1] < 0.7 * spikes[0]


def test_silent_outputs_are_told(caplog):
    inputs, target = task()
    learned = learn_spike_trains(inputs, target, SuperSpikeParams(weight_scale=0.0, learning_rate=0.0), n_trials=1)
    assert learned.silent_outputs.tolist() == np.unique(target.units).tolist()
    assert "3 of 3 outputs with a target fired no spike" in caplog.text


def test_silent_hidden_neurons_are_told(caplog):
    inputs, target = task()
    params = SuperSpikeParams(weight_scale=0.0, learning_rate=0.0)
    learned = learn_spike_trains(inputs, target, params, n_trials=1, n_hidden=4)
    assert learned.silent_hidden.tolist() == [0, 1, 2, 3]
    assert "no hidden neuron fired" in caplog.text


def test_outputs_that_inhibition_holds_below_the_floor_are_told(caplog):
    params = SuperSpikeParams(weight_scale=2e3, learning_rate=0.0)
    inputs, target = clips(500.0, 12, duration=0.15, seed=1), task(n_outputs=1)[1]
    seed = next(s for s in range(99) if initial_weights(12, 0, 1, params, seed=s)[0][0].sum() < -3e3)
    learn_spike_trains(inputs, target, params, n_trials=1, seed=seed)
    assert "1 of 1 outputs with a target fired no spike in the last trial, 1 of them" in caplog.text
    assert "held below -20 mV" in caplog.text


def test_hidden_neurons_that_fire_without_pause_are_told(caplog):
    params = SuperSpikeParams(weight_scale=2e3, learning_rate=0.0)
    inputs, target = clips(500.0, 12, duration=0.15, seed=1), task()[1]
    seed = next(s for s in range(99) if initial_weights(12, 1, 3, params, seed=s)[0][0].sum() > 3e3)
    learn_spike_trains(inputs, target, params, n_trials=1, n_hidden=1, seed=seed)
    assert "hidden neurons fire at 100 % of their largest rate; the heterosynaptic term" in caplog.text


def test_a_silent_output_is_not_stuck():
    inputs, target = task(duration=0.3)
    learned = learn_spike_trains(inputs, target, SuperSpikeParams(dt=5e-4, weight_scale=0.0), n_trials=40)
    assert not learned.silent_outputs.size


def test_the_response_to_the_weights_of_a_trial_is_what_the_trial_gave():
    inputs, target = task(n_clips=2)
    params = SuperSpikeParams(learning_rate=0.0, feedback="uniform")
    learned = learn_spike_trains(inputs, target, params, n_trials=2, n_hidden=4)
    hidden, outputs = respond(inputs, learned.weights, params)
    assert hidden.n_units == 4
    assert np.array_equal(outputs.times, learned.outputs.times)
    assert np.array_equal(outputs.units, learned.outputs.units)
    assert np.array_equal(outputs.offsets, learned.outputs.offsets)
    Events(**{field.name: getattr(outputs, field.name) for field in dataclasses.fields(Events)})  # checked


def test_the_spikes_of_a_trial_lie_on_its_grid_and_are_read_back():
    inputs, target = task()
    params = SuperSpikeParams(learning_rate=0.0)
    learned = learn_spike_trains(inputs, target, params, n_trials=1)
    plain = superspike_loop(counts_of(inputs, 0, params), counts_of(target, 0, params), learned.weights, params)
    assert np.array_equal(counts_of(learned.outputs, 0, params), plain.spikes[0])


def test_shuffled_clips_come_once_in_each_pass():
    inputs, target = task(n_clips=5)
    records = []
    params = SuperSpikeParams(dt=5e-4, shuffles=True)
    learn_spike_trains(inputs, target, params, n_trials=10, on_trial=records.append)
    passes = [[record.clip for record in records[i : i + 5]] for i in (0, 5)]
    assert [sorted(clips) for clips in passes] == [[0, 1, 2, 3, 4]] * 2
    assert passes[0] != passes[1]


def test_the_learning_rate_falls_at_the_milestones():
    params = SuperSpikeParams(learning_rate=2.0, milestones=(3, 5), decay=0.5)
    assert [params.learning_rate_at(trial) for trial in (0, 2, 3, 4, 5)] == [2.0, 2.0, 1.0, 1.0, 0.5]


def test_wrong_arguments_are_refused_in_one_line():
    inputs, target = task()
    unknown = inputs.changed(durations=np.zeros(1))
    silent = inputs.changed(times=inputs.times[:0], units=inputs.units[:0], offsets=np.zeros(2, np.int64))
    for arguments, message in (
        ((clips(9.0, 2, duration=0.1, seed=0, n_clips=2), target), "equally many clips, at least one, got 2 and 1"),
        ((unknown, target), r"clip 0: its length is unknown; duration \[s\] must be given"),
        ((silent, target), "inputs must have a spike within a clip"),
    ):
        with pytest.raises(ValueError, match=message):
            learn_spike_trains(*arguments, n_trials=1)
    assert len(learn_spike_trains(unknown, target, n_trials=1, duration=0.1).errors) == 1
    with pytest.raises(ValueError, match=r"weights must be \(n_post, n_pre\) for 12 inputs"):
        respond(inputs, (np.zeros((3, 5)),))
    with pytest.raises(ValueError, match="weights must be those of one or two layers"):
        respond(inputs, ())
    with pytest.raises(ValueError, match=r"SuperSpikeParams.dt must be <= tau_mem, 0.01, got 0.02"):
        SuperSpikeParams(dt=0.02)


def test_the_memory_of_a_trial_does_not_grow_with_its_steps():
    import tracemalloc

    peaks = []
    params = SuperSpikeParams(learning_rate=0.0, weight_scale=0.0)  # no output spike, which would be kept
    for duration in (0.5, 0.5, 20.0):  # the first compiles
        inputs = clips(8.0, 20, duration=0.5, seed=1)
        tracemalloc.start()
        learn_spike_trains(inputs, clips(8.0, 1, duration=0.4, seed=2), params, n_trials=1, duration=duration)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 1e5  # one number of each step would be 1.6 MB

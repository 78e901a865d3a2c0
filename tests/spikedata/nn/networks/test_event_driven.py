"""Networks in continuous time: what they return, what they refuse, and how silent neurons wake."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from spikedata.events import Events
from spikedata.nn.networks import (
    EventDrivenNetwork,
    EventDrivenParams,
    SpikingNetworkParams,
    make_network,
    wake_silent,
)
from spikedata.nn.neurons import AdLIFParams, ALIFParams, LIFParams
from spikedata.tasks import yin_yang
from spikedata.torch import TimesBatch, collate_dense, collate_times

SMALL = EventDrivenParams(hidden=(12,))


def made(params: EventDrivenParams = SMALL, *, n_units: int = 5, seed: int = 0) -> EventDrivenNetwork:
    generator = torch.Generator().manual_seed(seed)
    network = make_network(params, n_units=n_units, n_classes=3, generator=generator)
    assert isinstance(network, EventDrivenNetwork)
    return network


def some_clips(n: int = 8) -> TimesBatch:
    return collate_times(yin_yang("train", n_clips=n))


@pytest.mark.parametrize("readout", ["first_spike", "max", "mean", "exp_mean"])
@pytest.mark.parametrize("recurrent", [False, True])
def test_every_weight_learns_from_an_ordinary_loss(readout: str, recurrent: bool) -> None:
    network = made(replace(SMALL, hidden=(30, 20), readout=readout, recurrent=recurrent, hidden_mean=0.9))
    batch = some_clips(32)
    activity = network(batch)
    assert activity.logits.shape == (32, 3)
    assert activity.readout.shape == (32, 1, 3)
    assert [spikes.shape for spikes in activity.spikes] == [(32, 1, 30), (32, 1, 20)]
    cross_entropy(activity.logits, batch.labels).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in network.parameters())


def test_the_gradient_of_a_whole_network_equals_finite_differences() -> None:
    network, batch = made().double(), some_clips()
    weight = network.layers[0].weight
    cross_entropy(network(batch).logits, batch.labels).backward()
    for place in (0, 13, 25, 40, 59):
        flat, before, losses = weight.data.view(-1), weight.data.view(-1)[place].item(), []
        for step in (1e-6, -1e-6):
            flat[place] = before + step
            losses.append(cross_entropy(network(batch).logits, batch.labels).item())
        flat[place] = before
        found = (losses[0] - losses[1]) / 2e-6
        assert weight.grad.view(-1)[place].item() == pytest.approx(found, rel=1e-5, abs=1e-6)


def test_any_optimizer_lowers_the_loss() -> None:
    batch = some_clips(32)
    for optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop):
        network = made(replace(SMALL, hidden=(40,)))
        steps, losses = optimizer(network.parameters(), lr=3e-3), []
        for _ in range(25):
            loss = cross_entropy(network(batch).logits, batch.labels)
            steps.zero_grad()
            loss.backward()
            steps.step()
            losses.append(loss.item())
        assert min(losses[-5:]) < 0.95 * losses[0], optimizer


def test_a_silent_class_scores_as_if_it_fired_at_the_end() -> None:
    network = made(replace(SMALL, hidden=(40,)))
    with torch.no_grad():
        network.readout.weight[:, 1] = 0.0
    logits = network(some_clips()).logits
    assert logits[:, 1].tolist() == [pytest.approx(-SMALL.duration / SMALL.tau_score)] * 8
    assert (logits[:, [0, 2]] > logits[:, [1]]).all()


def test_the_number_of_spikes_is_that_of_each_hidden_neuron() -> None:
    network = made()
    batch = some_clips(2)
    counts = network(batch).spikes[0]
    one = TimesBatch(batch.times[:5], batch.units[:5], torch.tensor([0, 5]), batch.labels[:1], 5)
    assert network(one).spikes[0].tolist() == counts[:1].tolist()
    assert counts.sum() > 5


def test_a_neuron_that_never_fires_is_woken() -> None:
    network = made(replace(SMALL, max_silent=0.0, bump=0.25)).train()
    with torch.no_grad():
        network.layers[0].weight[:, 3] = -1.0
        network.readout.weight[:, 2] = -1.0
    before = [weight.clone() for weight in network.parameters()]
    network(some_clips())
    n_hidden = int((network(some_clips()).spikes[0].sum(dim=(0, 1)) == 0).sum())
    assert wake_silent(network) >= n_hidden + 1
    raised = [(after - weight) for after, weight in zip(network.parameters(), before, strict=True)]
    assert (raised[0][:, 3] == 0.25).all()
    assert (raised[1][:, 2] == 0.25).all()
    assert (raised[0][:, network(some_clips()).spikes[0].sum(dim=(0, 1)) > 8] == 0).all()


def test_a_layer_that_fires_enough_is_left_alone() -> None:
    network = made(replace(SMALL, max_silent=1.0, bump=0.25)).train()
    with torch.no_grad():
        network.layers[0].weight[:, 3] = -1.0
    before = network.layers[0].weight.clone()
    network(some_clips())
    wake_silent(network)
    assert torch.equal(network.layers[0].weight, before)


def test_nothing_is_woken_by_default() -> None:
    network = made().train()
    with torch.no_grad():
        network.layers[0].weight[:] = -1.0
    network(some_clips())
    assert wake_silent(network) == 0
    assert (network.layers[0].weight == -1.0).all()


def test_other_networks_have_no_silent_neurons_to_wake() -> None:
    params = SpikingNetworkParams(hidden=(4,), duration=0.05)
    assert wake_silent(make_network(params, n_units=5, n_classes=2, generator=torch.Generator())) == 0


@pytest.mark.parametrize("neuron", [AdLIFParams(), ALIFParams()])
def test_a_neuron_with_a_surrogate_only_is_refused(neuron: Any) -> None:
    kind = type(neuron).__name__
    with pytest.raises(ValueError, match=f"must be LIFParams, whose gradient EventProp knows exactly; got {kind}"):
        EventDrivenParams(neuron=neuron)


def test_a_reset_by_subtraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r'LIFParams.reset must be "zero" where gradients are exact'):
        EventDrivenParams(neuron=LIFParams(reset="subtract"))


def test_binned_inputs_are_refused_in_continuous_time_and_times_on_a_grid() -> None:
    dense = collate_dense(yin_yang("train", n_clips=2), dt=1e-3, n_steps=60).counts
    with pytest.raises(ValueError, match=r"inputs must be the times of 5 units \(TimesBatch\) .* got Tensor"):
        made()(dense)
    with pytest.raises(ValueError, match=r"the times of 7 units .* got 5 units"):
        made(n_units=7)(some_clips())
    on_grid = make_network(SpikingNetworkParams(hidden=(4,)), n_units=5, n_classes=2, generator=torch.Generator())
    with pytest.raises(ValueError, match="inputs must be binned for a network on a grid"):
        on_grid(some_clips())


def test_times_are_those_of_the_file_in_order() -> None:
    events = yin_yang("test", n_clips=4)
    shuffled = events.times.reshape(4, 5)[:, ::-1].ravel(), events.units.reshape(4, 5)[:, ::-1].ravel()
    unsorted = Events(
        times=shuffled[0].copy(), units=shuffled[1].copy(), offsets=events.offsets, labels=events.labels,
        speakers=events.speakers, sources=events.sources, sample_rates=events.sample_rates, keys=events.keys,
        n_units=5, is_sorted=False,
    )  # fmt: skip
    batch, again = collate_times(events), collate_times(unsorted)
    assert batch.times.tolist() == events.times.tolist() == again.times.tolist()
    assert batch.units.dtype == torch.int64
    assert batch.times.dtype == torch.float64
    merged = collate_times(events, n_merged=2)
    assert merged.n_units == 3
    assert merged.units.tolist() == (batch.units // 2).tolist()


def test_a_clip_without_spikes_gives_a_silent_network() -> None:
    nothing = TimesBatch(torch.zeros(0).double(), torch.zeros(0).long(), torch.tensor([0, 0]), torch.tensor([0]), 5)
    for readout in ("first_spike", "max", "exp_mean"):
        activity = made(replace(SMALL, readout=readout))(nothing)
        assert activity.spikes[0].sum() == 0
        assert np.isfinite(activity.logits.detach().numpy()).all()

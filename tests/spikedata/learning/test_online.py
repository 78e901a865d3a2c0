"""e-prop and SuperSpike against autograd, and against the rules as they are written."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from spikedata.learning.feedback import feedback_weights
from spikedata.learning.online import online_gradients
from spikedata.learning.plain import eligibility_sum, online_gradients_plain
from spikedata.learning.rules import check_online
from spikedata.nn.kernels import kernel_threads
from spikedata.nn.networks import (
    Activity,
    CountParams,
    EventDrivenParams,
    SequenceParams,
    SpikingNetwork,
    SpikingNetworkParams,
    class_scores,
    make_network,
)
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    ALIFParams,
    CSiLIFParams,
    LIFParams,
    SiLIFParams,
    adlif_coefficients,
    leaky_integrator,
)
from spikedata.nn.neurons.adlif import AdLIFState, adlif_step
from spikedata.nn.neurons.alif import ALIFState, alif_step
from spikedata.nn.neurons.lif import LIFState, lif_step
from spikedata.torch.layouts import ListBatch

EXACT = 1e-10  # relative, in float64; rounding alone gives 1e-14
N_CLIPS, N_STEPS, N_INPUTS, N_CLASSES = 5, 30, 5, 3
LABELS = torch.tensor([0, 1, 2, 0, 1])
QUICK = ALIFParams(adaptation=0.2, tau_adaptation=0.1, refractory=0.0)  # adapts within the few steps of a test
NEURONS = {
    "lif": LIFParams(),
    "lif, reset to zero": LIFParams(reset="zero"),
    "lif, reset not detached": LIFParams(detach_reset=False),
    "lif, reset to zero, not detached": LIFParams(reset="zero", detach_reset=False),
    "adlif": AdLIFParams(coupling_gain=10.0),
    "adlif, reset not detached": AdLIFParams(coupling_gain=10.0, detach_reset=False),
    "adlif, euler": AdLIFParams(scheme="euler"),
    "adlif, euler, subtract, not detached": AdLIFParams(
        scheme="euler", reset="subtract", detach_reset=False, membrane_coupling=(-1.0, 1.0)
    ),
    "alif": QUICK,
    "alif, refractory": replace(QUICK, refractory=20e-3),
    "alif, reset not detached": replace(QUICK, refractory=20e-3, detach_reset=False),
    "alif without adaptation": replace(QUICK, adaptation=0.0),
}
every_neuron = pytest.mark.parametrize("neuron", NEURONS.values(), ids=NEURONS.keys())
one_of_each = pytest.mark.parametrize(
    "neuron",
    [NEURONS[name] for name in ("lif, reset to zero", "adlif", "alif, refractory")],
    ids=["lif", "adlif", "alif"],
)


def _params(neuron, **changes):
    gains = InitializationParams(input_gain=3.0, hidden_gain=3.0, recurrent_gain=1.5)
    given = {"hidden": (7,), "initialization": gains, "duration": 0.3, "readout": "softmax_sum", "bias": True}
    return SpikingNetworkParams(neuron=neuron, **(given | changes))


def _network(params, *, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    network = SpikingNetwork(params, n_units=N_INPUTS, n_classes=N_CLASSES, generator=generator).to(dtype)
    with torch.no_grad():  # biases that are not all 0
        for layer in network.layers:
            if layer.projection.bias is not None:
                layer.projection.bias += 0.05
    return network


def _spikes(*, n_clips=N_CLIPS, dtype=torch.float64):
    drawn = torch.rand(n_clips, N_STEPS, N_INPUTS, generator=torch.Generator().manual_seed(2))
    return (drawn < 0.3).to(dtype) + (drawn < 0.03).to(dtype)  # two spikes at once happen, too


def _cut_activity(network, spikes, *, cuts=True, keep=None):
    """The activity of a network; with ``cuts`` no gradient passes through recurrent weights to the spikes before.

    ``keep``, if given, is a list to which the spikes of each layer and step are appended, with their gradients kept.
    """
    layers = []
    for layer in network.layers:
        drive = _with_bias(layer.projection, spikes)
        spikes = _layer_loop(layer, drive, cuts, keep)
        layers.append(spikes)
    readout = leaky_integrator(
        _with_bias(network.readout.projection, spikes), network.readout.integrator, dt=network.dt
    )
    return Activity(class_scores(readout, network.params.readout), readout, tuple(layers))


def _with_bias(projection, spikes):
    drive = spikes @ projection.weight
    return drive if projection.bias is None else drive + projection.bias


def _layer_loop(layer, drive, cuts, keep):
    neuron, weight, dt = layer.neuron, layer.recurrent_weight, layer.dt
    zeros = torch.zeros_like(drive[:, 0])
    coefficients = None
    match neuron:
        case LIFParams():
            state = LIFState(zeros, zeros)
        case ALIFParams():
            state = ALIFState(zeros, zeros, zeros, zeros)
        case AdLIFParams():
            state = AdLIFState(zeros, zeros, zeros)
            coefficients = adlif_coefficients(AdLIFFractions(**layer.fractions), neuron, dt=dt)
    fired = []
    before = zeros
    for given in drive.unbind(1):
        if weight is not None and not isinstance(neuron, LIFParams):
            given = given + (before.detach() if cuts else before) @ weight
        match neuron:
            case LIFParams():
                now, state = lif_step(state, given, None, neuron, dt=dt)
            case ALIFParams():
                now, state = alif_step(state, given, None, neuron, dt=dt)
            case AdLIFParams():
                now, state = adlif_step(state, given, None, coefficients, neuron)
        if keep is not None:
            # as it leaves the neuron: what it does to its own neuron is in the traces
            now = now * torch.ones_like(now, requires_grad=True)
            now.retain_grad()
            keep.append(now)
        if weight is not None and isinstance(neuron, LIFParams):  # enters the current of the next step
            state = state._replace(current=state.current + (now.detach() if cuts else now) @ weight)
        before = now
        fired.append(now)
    return torch.stack(fired, dim=1)


def _cut_gradients(network, spikes, objective, **options):
    """The gradient of each parameter, by its name; None if there is none."""
    activity = _cut_activity(network, spikes, **options)
    named = dict(network.named_parameters())
    found = torch.autograd.grad(objective(activity), list(named.values()), allow_unused=True)
    return dict(zip(named, found, strict=True))


def _mean_loss(activity):
    return cross_entropy(activity.logits, LABELS)


def _online(network, spikes, objective=LABELS, *, compute=online_gradients, **options):
    network.zero_grad()
    online = compute(network, spikes, objective, **options)
    return online, {name: weight.grad for name, weight in network.named_parameters()}


def _worst(found, expected):
    """The largest relative difference of two sets of gradients."""
    assert [name for name in expected if (found[name] is None) != (expected[name] is None)] == []
    return max(
        ((found[name] - value).abs().max() / value.abs().max()).item()
        for name, value in expected.items()
        if value is not None
    )


@every_neuron
@pytest.mark.parametrize("recurrent", [True, False], ids=["recurrent", "feed-forward"])
def test_eprop_is_bptt_that_is_cut_where_spikes_enter_recurrent_weights(neuron, recurrent):
    network, spikes = _network(_params(neuron, recurrent=recurrent)), _spikes()
    expected = _cut_gradients(network, spikes, _mean_loss)
    online, found = _online(network, spikes)
    assert online.counts[0].sum() > 20
    assert _worst(found, expected) < EXACT


@every_neuron
@pytest.mark.parametrize("chunk", [1, 7, 29])
def test_the_result_does_not_depend_on_the_steps_in_a_chunk(neuron, chunk):
    network, spikes = _network(_params(neuron)), _spikes()
    _, whole = _online(network, spikes)
    _, cut = _online(network, spikes, chunk=chunk)
    assert _worst(cut, whole) < EXACT


def test_without_recurrence_eprop_is_bptt():
    network, spikes = _network(_params(LIFParams(), recurrent=False)), _spikes()
    _, found = _online(network, spikes)
    network.zero_grad()
    cross_entropy(network(spikes).logits, LABELS).backward()
    assert _worst(found, {name: weight.grad for name, weight in network.named_parameters()}) < EXACT


@one_of_each
def test_with_recurrence_eprop_is_not_bptt(neuron):
    network, spikes = _network(_params(neuron)), _spikes()
    _, found = _online(network, spikes)
    assert _worst(found, _cut_gradients(network, spikes, _mean_loss, cuts=False)) > 1e-2


@every_neuron
def test_eligibility_traces_with_the_whole_derivative_by_a_spike_give_bptt(neuron):
    # equation (1) of Bellec et al. (2020): dE/dW_ij = sum_t dE/dz_i[t] e_ij[t]
    network, spikes = _network(_params(neuron)), _spikes()
    kept = []
    loss = _mean_loss(_cut_activity(network, spikes, cuts=False, keep=kept))
    loss.backward()
    signals = torch.stack([fired.grad for fired in kept], dim=1)
    fired = torch.stack([fired.detach() for fired in kept], dim=1)
    layer = network.layers[0]
    with torch.no_grad():
        found = eligibility_sum(layer, spikes, fired, "eprop", signals)
    of_input, of_bias, of_recurrent = found[:N_INPUTS], found[N_INPUTS], found[N_INPUTS + 1 : N_INPUTS + 8]
    torch.testing.assert_close(of_input, layer.projection.weight.grad, rtol=EXACT, atol=1e-13)
    torch.testing.assert_close(of_bias, layer.projection.bias.grad, rtol=EXACT, atol=1e-13)
    torch.testing.assert_close(of_recurrent, layer.recurrent_weight.grad, rtol=EXACT, atol=1e-13)


@every_neuron
@pytest.mark.parametrize("rule", ["eprop", "superspike"])
@pytest.mark.parametrize("feedback", ["symmetric", "random", "uniform"])
def test_the_compiled_form_is_the_rule_as_it_is_written(neuron, rule, feedback):
    network, spikes = _network(_params(neuron, hidden=(7, 6), readout="max")), _spikes()

    def objective(activity, clips):
        share = (clips.stop - clips.start) / N_CLIPS
        active = sum((layer.sum(dim=1) - 3).square().mean() for layer in activity.spikes)
        return (cross_entropy(activity.logits, LABELS[clips]) + 0.01 * active) * share

    options = {"rule": rule, "feedback": feedback, "feedback_seed": 3}
    plain, expected = _online(network, spikes, objective, compute=online_gradients_plain, **options)
    online, found = _online(network, spikes, objective, chunk=11, **options)
    assert _worst(found, expected) < EXACT
    assert online.loss.item() == pytest.approx(plain.loss.item(), rel=1e-12)
    assert torch.equal(online.counts[1], plain.counts[1])


def test_superspike_keeps_the_filtered_input_alone():
    # the trace of a LIF neuron is the surrogate times its input, filtered by synapse and membrane
    neuron = LIFParams(reset="zero")
    network, spikes = _network(_params(neuron, recurrent=False, bias=False)), _spikes()
    _, found = _online(network, spikes, rule="superspike")
    free = _network(_params(replace(neuron, reset="subtract"), recurrent=False, bias=False))
    free.load_state_dict(network.state_dict())
    _, exact = _online(network, spikes)
    assert _worst(found, exact) > 1e-3  # the reset is left out
    _, first = _online(network, spikes, LABELS, compute=online_gradients_plain, rule="superspike")
    assert _worst(found, first) < EXACT


@one_of_each
def test_in_single_precision_it_agrees_with_double(neuron):
    params = _params(neuron)
    _, exact = _online(_network(params), _spikes())
    _, found = _online(_network(params, dtype=torch.float32), _spikes(dtype=torch.float32))
    doubled = {name: None if value is None else value.double() for name, value in found.items()}
    assert _worst(doubled, exact) < 1e-4


@one_of_each
def test_lists_give_what_dense_counts_give(neuron):
    network, spikes = _network(_params(neuron)), _spikes()
    clip, step, unit = (spikes > 0).nonzero(as_tuple=True)
    times = spikes[clip, step, unit].long()
    units = unit.repeat_interleave(times).to(torch.uint16)
    per_step = spikes.sum(dim=2).long()
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), per_step.flatten().cumsum(0)])
    rows = torch.stack([offsets[i * N_STEPS : (i + 1) * N_STEPS + 1] for i in range(N_CLIPS)])
    _, dense = _online(network, spikes)
    _, listed = _online(network, ListBatch(units, rows, LABELS, N_INPUTS, network.dt), chunk=8)
    assert _worst(listed, dense) < EXACT


def test_gradients_are_added_to_those_that_are_there():
    network, spikes = _network(_params(AdLIFParams(coupling_gain=10.0))), _spikes()
    _, once = _online(network, spikes)
    once = {name: value.clone() for name, value in once.items()}
    online_gradients(network, spikes, LABELS)
    assert _worst({name: weight.grad / 2 for name, weight in network.named_parameters()}, once) < EXACT


def test_frozen_weights_get_no_gradient():
    network, spikes = _network(_params(LIFParams())), _spikes()
    network.layers[0].recurrent_weight.requires_grad_(False)
    _, found = _online(network, spikes)
    assert [name for name, value in found.items() if value is None] == ["layers.0.recurrent_weight"]


def test_the_number_of_threads_changes_no_bit():
    network = _network(_params(QUICK), dtype=torch.float32)
    spikes = _spikes(n_clips=200, dtype=torch.float32)
    labels = torch.arange(200) % N_CLASSES
    _, one = _online(network, spikes, labels)
    with kernel_threads(3):
        _, three = _online(network, spikes, labels)
    assert all(torch.equal(one[name], three[name]) for name in one)


def test_the_gradient_of_a_batch_is_the_sum_of_its_clips():
    network, spikes = _network(_params(AdLIFParams(coupling_gain=10.0))), _spikes()
    _, together = _online(network, spikes, lambda activity, clips: _sum_of_readout(activity))
    together = {name: value.clone() for name, value in together.items()}
    network.zero_grad()
    for clip in range(N_CLIPS):
        online_gradients(network, spikes[clip : clip + 1], lambda activity, clips: _sum_of_readout(activity))
    assert _worst({name: weight.grad for name, weight in network.named_parameters()}, together) < EXACT


def _sum_of_readout(activity):
    return activity.readout.square().sum()


@one_of_each
def test_scores_and_spikes_are_those_of_the_network(neuron):
    network, spikes = _network(_params(neuron), dtype=torch.float32), _spikes(dtype=torch.float32)
    online, _ = _online(network, spikes, chunk=4)
    activity = network(spikes)
    assert torch.equal(online.counts[0], activity.spikes[0].sum(dim=1))
    torch.testing.assert_close(online.logits, activity.logits)


def test_random_feedback_is_that_of_its_seed():
    weights = [torch.randn(50, 40), torch.randn(40, 20)]
    first, again, other = (feedback_weights(weights, "random", seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert [tuple(weight.shape) for weight in first] == [(20, 50), (20, 40)]
    assert first[1].std().item() * math.sqrt(40) == pytest.approx(1.0, rel=0.1)


def test_random_feedback_changes_the_hidden_gradient_but_not_that_of_the_readout():
    network, spikes = _network(_params(QUICK)), _spikes()
    _, symmetric = _online(network, spikes)
    symmetric = {name: value.clone() for name, value in symmetric.items()}
    _, random = _online(network, spikes, feedback="random")
    assert torch.equal(random["readout.projection.weight"], symmetric["readout.projection.weight"])
    assert not torch.allclose(random["layers.0.projection.weight"], symmetric["layers.0.projection.weight"])


def _peak(network, spikes):
    """Bytes that a batch needs at most, besides its inputs."""
    labels = torch.zeros(len(spikes), dtype=torch.long)
    _online(network, spikes, labels)  # the first time, kernels are loaded
    tracemalloc.start()
    _online(network, spikes, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_clips_or_steps():
    network = _network(_params(LIFParams(), hidden=(64,)), dtype=torch.float32)
    spikes = _spikes(dtype=torch.float32).repeat(13, 20, 1)[:64]  # 600 steps
    once = _peak(network, spikes)
    assert _peak(network, spikes.repeat(4, 1, 1)) < 1.3 * once  # of each 64 clips, the gradients are kept
    assert _peak(network, spikes.repeat(1, 4, 1)) < 1.3 * once
    assert once < spikes[:, :, :1].numel() * 64 * 4  # bytes of one tensor (clip, step, neuron)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"max_delay": 0.05, "recurrent": False}, r"eprop trains networks with max_delay 0\.0, got 0\.05; 'bptt' fits"),
        ({"max_recurrent_delay": 0.05}, r"eprop trains networks with max_recurrent_delay 0\.0, got 0\.05; 'bptt' fits"),
        ({"dropout": 0.2}, r"eprop trains networks with dropout 0\.0, got 0\.2; 'bptt' fits it"),
        ({"batch_norm": True}, "eprop trains networks with batch_norm False, got True; 'bptt' fits it"),
        ({"neuron": SiLIFParams()}, "eprop trains LIF, AdLIF and ALIF neurons, got SiLIFParams; 'bptt' fits them"),
        ({"neuron": (CSiLIFParams(),)}, "eprop trains LIF, AdLIF and ALIF neurons, got CSiLIFParams"),
    ],
)
def test_what_the_rule_cannot_train_is_refused(changes, match):
    network = _network(_params(**{"neuron": LIFParams(), **changes}))
    with pytest.raises(ValueError, match=match):
        online_gradients(network, _spikes(), LABELS)


@pytest.mark.parametrize(
    "params",
    [CountParams(), SequenceParams(duration=0.3), EventDrivenParams()],
    ids=["count", "sequence", "event-driven"],
)
def test_other_networks_are_refused(params):
    network = make_network(params, n_units=20, n_classes=2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=r"superspike trains a SpikingNetwork, got .*; gradient 'bptt' fits it"):
        check_online(network, rule="superspike", feedback="random")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rule": "hebb"}, "no rule 'hebb'; there are: eprop, superspike"),
        ({"feedback": "none"}, "no feedback 'none'; there are: symmetric, random, uniform"),
        ({"chunk": 0}, "chunk must be >= 1, got 0"),
    ],
)
def test_unknown_names_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        online_gradients(_network(_params(LIFParams())), _spikes(), LABELS, **options)


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"labels must be \(5,\), one for each clip, got \(4,\)"):
        online_gradients(_network(_params(LIFParams())), _spikes(), LABELS[:4])


def test_a_constant_objective_is_refused():
    with pytest.raises(ValueError, match="the objective must depend on the activity that it is given, got a constant"):
        online_gradients(_network(_params(LIFParams())), _spikes(), lambda activity, clips: torch.zeros(()))


def test_silence_has_no_gradient_for_the_readout_but_one_for_the_inputs():
    network = _network(_params(QUICK, bias=False))
    with torch.no_grad():
        network.layers[0].projection.weight *= 0.01
    online, found = _online(network, _spikes())
    assert not online.counts[0].any()
    assert not found["readout.projection.weight"].any()
    assert found["layers.0.projection.weight"].any()


def test_spikes_that_are_not_finite_are_seen_in_the_loss():
    network = _network(_params(LIFParams()))
    with torch.no_grad():
        network.layers[0].projection.weight[0, 0] = np.nan
    online, _ = _online(network, _spikes())
    assert not torch.isfinite(online.loss)

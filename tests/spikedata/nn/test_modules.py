import copy
import dataclasses
import io
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import spikedata.nn as snn
from spikedata.events import Sample
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams
from spikedata.torch import collate_lists

LOUD = InitializationParams(input_gain=4.0, hidden_gain=8.0)
PLAIN = SpikingNetworkParams(hidden=(6,), duration=0.3, initialization=LOUD)
VARIANTS = {
    "recurrent": PLAIN,
    "feed-forward, 2 layers": dataclasses.replace(PLAIN, hidden=(6, 5), recurrent=False, bias=True),
    "adaptive, 2 layers": dataclasses.replace(
        PLAIN,
        hidden=(6, 5),
        neuron=snn.AdLIFParams(),
        readout="softmax_sum",
        dt=4e-3,
        initialization=InitializationParams(input_gain=20.0, hidden_gain=40.0),
    ),
    "adaptive threshold": dataclasses.replace(PLAIN, neuron=snn.ALIFParams(refractory=20e-3), readout="last"),
    "normalized": dataclasses.replace(PLAIN, batch_norm=True, bias=True, readout="mean"),
    "dropout": dataclasses.replace(PLAIN, hidden=(6, 5), dropout=0.4),
    "dropped neurons": dataclasses.replace(PLAIN, dropout=0.4, dropout_of="neurons"),
    "delays": dataclasses.replace(PLAIN, hidden=(6, 5), recurrent=False, max_delay=0.05),
}
every_variant = pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())
NEURONS = {snn.LIFParams: snn.LIF, snn.AdLIFParams: snn.AdLIF, snn.ALIFParams: snn.ALIF}
every_neuron = pytest.mark.parametrize("neurons", NEURONS.values())


def _spikes(*, seed=0, shape=(4, 30, 5)):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.3).float()


def _of_modules(network: SpikingNetwork) -> nn.Sequential:
    """The same network, made of modules, with the same weights."""
    params, dt = network.params, network.params.dt
    linear = {"bias": params.bias, "batch_norm": params.batch_norm, "max_delay": params.max_delay, "dt": dt}
    modules: list[nn.Module] = []
    n_from = network.n_inputs
    for layer, n in zip(network.layers, params.hidden, strict=True):
        projection = snn.Linear(n_from, n, **linear)
        projection.load_state_dict(layer.projection.state_dict())
        neurons = NEURONS[type(layer.neuron)](n, recurrent=params.recurrent, params=layer.neuron, dt=dt)
        own = {name: value for name, value in layer.state_dict().items() if not name.startswith("projection")}
        neurons.load_state_dict(own)
        modules += [projection, neurons]
        if params.dropout:
            modules.append(snn.Dropout(params.dropout, of=params.dropout_of))
        n_from = n
    readout = snn.Readout(n_from, network.n_classes, params=network.readout.integrator, kind=params.readout, dt=dt)
    if params.bias or params.batch_norm or params.max_delay:  # what only a readout of a SpikingNetwork has
        readout.membranes.projection = snn.Linear(n_from, network.n_classes, **linear)
    readout.membranes.load_state_dict(network.readout.state_dict())
    return nn.Sequential(*modules, readout)


def _network(*, n_inputs=5, dt=10e-3, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    return nn.Sequential(
        snn.Linear(n_inputs, 6, gain=4.0, generator=generator),
        snn.LIF(6, recurrent=True, dt=dt, generator=generator, **more),
        snn.Readout(6, 3, dt=dt, generator=generator),
    )


def _gradients(network, inputs):
    network.zero_grad()
    logits = network(inputs)
    logits.square().sum().backward()
    return [logits.detach(), *(parameter.grad for parameter in network.parameters())]


@every_variant
def test_modules_in_a_row_are_a_spiking_network_to_the_last_bit(params):
    network = SpikingNetwork(params, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0))
    modules, spikes = _of_modules(network), _spikes()
    whole = network(spikes, generator=torch.Generator().manual_seed(7)).logits
    torch.manual_seed(7)
    parts = modules(spikes)
    assert torch.equal(whole, parts)
    assert parts.std() > 0
    wanted = torch.autograd.grad(whole.square().sum(), list(network.parameters()))
    found = torch.autograd.grad(parts.square().sum(), list(modules.parameters()))
    # parameters stand in another order within a layer: recurrent weights before those of the projection
    shapes = [sorted((tuple(g.shape), g.flatten().tolist()) for g in some) for some in (wanted, found)]
    assert shapes[0] == shapes[1]
    assert any(gradient.any() for gradient in found)


@every_variant
def test_what_happened_inside_is_that_of_a_spiking_network(params):
    network = SpikingNetwork(params, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0)).eval()
    whole, parts = network(_spikes()), snn.activity_of(_of_modules(network).eval(), _spikes())
    assert torch.equal(whole.logits, parts.logits)
    assert torch.equal(whole.readout, parts.readout)
    assert all(torch.equal(a, b) for a, b in zip(whole.spikes, parts.spikes, strict=True))


def test_asking_what_happened_leaves_no_trace():
    network = _network()
    snn.activity_of(network, _spikes())
    with pytest.raises(ValueError, match="inputs must be"):
        snn.activity_of(network, _spikes()[0])
    assert not any(module._forward_hooks for module in network.modules())


def test_a_penalty_on_spikes_reaches_the_weights():
    network = _network()
    snn.activity_of(network, _spikes()).spikes[0].mean().backward()
    assert network[0].weight.grad.any()
    assert network[2].membranes.projection.weight.grad is None


def test_what_happened_in_a_network_without_readout_is_its_logits():
    activity = snn.activity_of(nn.Sequential(snn.Linear(5, 6), snn.LIF(6), nn.Flatten(), nn.Linear(180, 3)), _spikes())
    assert torch.equal(activity.readout[:, 0], activity.logits)
    assert len(activity.spikes) == 1


def test_a_spiking_network_says_what_happened_by_itself():
    network = SpikingNetwork(PLAIN, n_units=5, n_classes=3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(snn.activity_of(network, _spikes()).readout, network(_spikes()).readout)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(snn.Linear(5, 6), snn.LIF(6)), r"logits \(batch, class\), got shape \(4, 30, 6\)"),
        (nn.LSTM(5, 3), r"logits \(batch, class\), got tuple"),
        (_network().append(snn.LIF(3, dt=4e-3)), r"one dt, got 0.01 \(LIF '1'\) and 0.004 \(LIF '3'\)"),
    ],
)
def test_what_happened_cannot_be_asked_of_other_networks(network, message):
    with pytest.raises(ValueError, match=message):
        snn.activity_of(network, _spikes())


def test_what_happened_cannot_be_asked_of_a_compiled_network():
    with pytest.raises(ValueError, match=r"activity_of needs the network from before torch\.compile"):
        snn.activity_of(torch.compile(_network(), backend="eager"), _spikes())


def test_event_lists_give_the_drive_of_dense_spikes():
    rng = np.random.default_rng(0)
    clips = [Sample(np.sort(rng.random(40)), rng.integers(0, 5, 40).astype(np.uint16), 0, 0) for _ in range(3)]
    lists = collate_lists(clips, dt=0.02, n_steps=50, n_units=5)
    dense = torch.zeros(3, 50, 5)
    for clip, sample in enumerate(clips):
        dense[clip].index_put_(
            (torch.tensor(sample.times // 0.02).long(), torch.tensor(sample.units).long()),
            torch.ones(()),
            accumulate=True,
        )
    network = _network(dt=0.02)
    torch.testing.assert_close(network(lists), network(dense))
    with pytest.raises(ValueError, match=r"inputs must be in steps of 0.01 s, as the network was made for, got 0.02 s"):
        snn.Linear(5, 6, dt=0.01)(lists)


def test_counts_of_whole_numbers_are_taken():
    network = _network()
    assert torch.equal(network(_spikes().to(torch.uint8)), network(_spikes()))


@pytest.mark.parametrize(
    "odd", [lambda s: s.transpose(0, 1).contiguous().transpose(0, 1), lambda s: s[::2], lambda s: s[:, ::3]]
)
def test_inputs_that_are_not_contiguous_are_taken(odd):
    spikes, network = odd(_spikes()), _network()
    assert not spikes.is_contiguous()
    assert torch.equal(network(spikes), network(spikes.contiguous()))
    drive = odd(network[0](_spikes()))
    assert torch.equal(network[1](drive), network[1](drive.contiguous()))


def test_each_call_starts_at_rest():
    network = _network()
    first = network(_spikes())
    network(_spikes(seed=1))
    assert torch.equal(network(_spikes()), first)


@every_neuron
def test_an_empty_batch_gives_an_empty_answer(neurons):
    network = nn.Sequential(snn.Linear(5, 6), neurons(6, recurrent=True), snn.Dropout(0.5), snn.Readout(6, 3))
    logits = network(torch.zeros(0, 10, 5))
    logits.sum().backward()
    assert logits.shape == (0, 3)


@every_neuron
def test_one_step_is_enough(neurons):
    network = nn.Sequential(snn.Linear(5, 6), neurons(6, recurrent=True), snn.Readout(6, 3))
    assert network(torch.ones(2, 1, 5)).shape == (2, 3)


@every_neuron
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_of_every_float_type_compute_in_it(neurons, dtype):
    network = nn.Sequential(snn.Linear(5, 6, gain=4.0), neurons(6, recurrent=True), snn.Readout(6, 3)).to(dtype)
    found = _gradients(network, _spikes())
    assert {value.dtype for value in found} == {dtype}
    assert all(torch.isfinite(value).all() for value in found)


def test_autocast_computes_what_it_does_without():
    network = _network()
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(_spikes())
    assert torch.equal(logits, network(_spikes()))


@every_neuron
def test_a_copy_computes_the_same(neurons):
    network = nn.Sequential(snn.Linear(5, 6, bias=True), neurons(6, recurrent=True), snn.Dropout(), snn.Readout(6, 3))
    network.eval()
    buffer = io.BytesIO()
    torch.save(network.state_dict(), buffer)
    buffer.seek(0)
    loaded = nn.Sequential(snn.Linear(5, 6, bias=True), neurons(6, recurrent=True), snn.Dropout(), snn.Readout(6, 3))
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), loaded.eval()):
        assert torch.equal(other(_spikes()), network(_spikes()))


def test_without_gradients_nothing_is_kept():
    network = _network()
    with torch.no_grad():
        assert torch.equal(network(_spikes()), network(_spikes()).detach())
    assert not network.requires_grad_(False)(_spikes()).requires_grad


def test_nothing_is_dropped_in_evaluation():
    spikes = _spikes()
    dropout = snn.Dropout(0.9)
    assert torch.equal(dropout.eval()(spikes), spikes)
    assert dropout.train()(spikes).sum() < spikes.sum() * 10


def test_a_seed_of_pytorch_decides_weights_and_dropout():
    def once():
        torch.manual_seed(3)
        return nn.Sequential(snn.Linear(5, 6), snn.AdLIF(6, recurrent=True), snn.Dropout(), snn.Readout(6, 3))(
            _spikes()
        )

    assert torch.equal(once(), once())


def test_a_generator_leaves_the_seed_of_pytorch_alone():
    before = torch.get_rng_state()
    weights = [_network(seed=3)[0].weight for _ in range(2)]
    snn.AdLIF(4, recurrent=True, generator=torch.Generator())
    snn.Linear(4, 4, max_delay=0.1, dt=0.01, generator=torch.Generator())
    assert torch.equal(*weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_fields_replace_those_of_params():
    neurons = snn.LIF(3, params=snn.LIFParams(tau_mem=5e-3, threshold=2.0), tau_mem=7e-3)
    assert neurons.params == snn.LIFParams(tau_mem=7e-3, threshold=2.0)


def test_delays_are_annealed_and_rounded_in_evaluation():
    linear = snn.Linear(1, 1, max_delay=0.05, dt=0.01, weight=torch.ones(1, 1))
    linear.delays.steps.data.fill_(2.2)
    pulse = torch.zeros(1, 6, 1).index_fill(1, torch.tensor(0), 1.0)
    snn.anneal_delays(nn.Sequential(linear), 0.0)
    assert (linear(pulse) > 0).sum() == 6
    assert linear.eval()(pulse).flatten().tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: snn.Linear(0, 3), "Linear.n_from must be >= 1, got 0"),
        (lambda: snn.Linear(3, 2.5), "Linear.n_to must be .*whole number.*, got 2.5"),
        (lambda: snn.Linear(3, 2, weight=torch.ones(2, 3)), r"Linear.weight must be \(3, 2\), got \(2, 3\)"),
        (lambda: snn.Linear(3, 2, max_delay=0.1), "Linear.dt must be given for delays of up to 0.1 s, got None"),
        (lambda: snn.Linear(3, 2, max_delay=0.1, dt=0.03), "a whole number of dt, got 0.1 and 0.03"),
        (lambda: snn.Linear(3, 2, initialization="xavier"), "no weights 'xavier'; there are: normal"),
        (lambda: snn.Linear(3, 2, gain=-1), "Linear.gain must be >= 0, got -1"),
        (lambda: snn.LIF(3, dt=0), "LIF.dt must be > 0, got 0"),
        (lambda: snn.LIF(3, recurrent=1), "LIF.recurrent must be .*, got 1"),
        (lambda: snn.LIF(3, beta=0.9), "LIF has no 'beta'; there are: tau_mem, tau_syn"),
        (lambda: snn.LIF(3, tau_mem=-1.0), "LIFParams.tau_mem must be > 0, got -1"),
        (lambda: snn.AdLIF(3, tau_mem=20e-3), "AdLIFParams.tau_mem must be .*, got 0.02"),
        (lambda: snn.Readout(3, 2, kind="argmax"), "Readout.kind must be .*, got 'argmax'"),
        (lambda: snn.Dropout(1.0), "Dropout.probability must be .* < 1, got 1"),
        (lambda: snn.Dropout(0.5, of="synapses"), "Dropout.of must be .*, got 'synapses'"),
    ],
)
def test_what_a_module_cannot_be_is_said_in_one_line(make, message):
    with pytest.raises(ValueError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_params_of_other_neurons_are_refused():
    with pytest.raises(TypeError, match=r"ALIF.params must be ALIFParams, got LIFParams"):
        snn.ALIF(3, params=snn.LIFParams())


@pytest.mark.parametrize(
    ("module", "inputs", "message"),
    [
        (snn.Linear(5, 6), torch.ones(4, 5), r"inputs must be \(batch, step, 5\), got \(4, 5\)"),
        (snn.Linear(5, 6), torch.ones(4, 0, 5), r"inputs must be \(batch, step, 5\), got \(4, 0, 5\)"),
        (snn.Linear(5, 6), torch.ones(4, 30, 5).to_sparse(), "dense tensor or event lists .*got torch.sparse_coo"),
        (snn.Linear(5, 6), (torch.ones(4, 30, 5), torch.ones(4)), "a tensor or a ListBatch, got tuple"),
        (snn.LIF(6), torch.ones(4, 30, 5), r"LIF takes a drive \(batch, step, 6\), got \(4, 30, 5\)"),
        (snn.AdLIF(6), torch.ones(4, 6), r"AdLIF takes a drive \(batch, step, 6\), got \(4, 6\)"),
        (snn.ALIF(6), torch.ones(4, 30, 6).int(), r"ALIF takes a drive of floating point.*got torch.int32"),
        (snn.LIF(6, recurrent=True), torch.ones(4, 30, 6).double(), r"LIF of torch.float32 takes .* got torch.float64"),
        (snn.Readout(5, 3), torch.ones(4, 30, 6), r"inputs must be \(batch, step, 5\), got \(4, 30, 6\)"),
        (snn.Dropout(), torch.ones(4, 6), r"Dropout takes spikes \(batch, step, neuron\), got \(4, 6\)"),
    ],
)
def test_what_a_module_cannot_take_is_said_in_one_line(module, inputs, message):
    with pytest.raises(ValueError, match=message) as error:
        module(inputs)
    assert "\n" not in str(error.value)

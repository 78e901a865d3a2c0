import dataclasses
import math

import numpy as np
import pytest
import torch

from spikedata.nn.networks.delays import anneal_delays
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.networks.spiking import SpikingNetwork, SpikingNetworkParams
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    ALIFParams,
    CSiLIFParams,
    CSiLIFValues,
    IntegratorParams,
    LIFParams,
    SiLIFParams,
    SiLIFValues,
    adlif_coefficients,
    adlif_loop,
    alif_loop,
    c_silif_coefficients,
    c_silif_loop,
    leaky_integrator,
    lif_loop,
    silif_coefficients,
    silif_loop,
)

# Weights so large that neurons of every kind fire on the few inputs of the tests.
LOUD = InitializationParams(input_gain=4.0, hidden_gain=8.0)
PLAIN = SpikingNetworkParams(hidden=(6,), duration=0.3, initialization=LOUD)
VARIANTS = {
    "recurrent": PLAIN,
    "feed-forward, 3 layers": dataclasses.replace(PLAIN, hidden=(6, 5, 4), recurrent=False),
    "adaptive, 2 layers": dataclasses.replace(PLAIN, hidden=(6, 5), neuron=AdLIFParams(), readout="softmax_sum"),
    "euler": dataclasses.replace(PLAIN, neuron=AdLIFParams(scheme="euler"), bias=True, readout="last"),
    "adaptive threshold": dataclasses.replace(PLAIN, hidden=(6, 5), neuron=ALIFParams(refractory=20e-3)),
    "silif": dataclasses.replace(PLAIN, hidden=(6, 5), neuron=SiLIFParams()),
    "c-silif": dataclasses.replace(PLAIN, hidden=(6, 5), neuron=CSiLIFParams(), bias=True),
    "c-silif, normalized": dataclasses.replace(PLAIN, neuron=CSiLIFParams(), batch_norm=True),
    "one neuron for each layer": dataclasses.replace(PLAIN, hidden=(6, 5), neuron=(LIFParams(), AdLIFParams())),
    "normalized": dataclasses.replace(PLAIN, hidden=(6, 5), batch_norm=True, bias=True),
    "dropout": dataclasses.replace(PLAIN, hidden=(6, 5), dropout=0.4),
    "dropped neurons": dataclasses.replace(PLAIN, hidden=(6, 5), dropout=0.4, dropout_of="neurons"),
    "recurrent delays": dataclasses.replace(PLAIN, hidden=(6, 5), max_recurrent_delay=0.04),
    "adaptive, recurrent delays": dataclasses.replace(PLAIN, neuron=AdLIFParams(), max_recurrent_delay=0.04),
    "c-silif, recurrent delays": dataclasses.replace(PLAIN, neuron=CSiLIFParams(), max_recurrent_delay=0.04),
    "delays": dataclasses.replace(PLAIN, hidden=(6, 5), recurrent=False, max_delay=0.05),
}
WEIGHTS = ("layers.0.projection.weight", "layers.0.recurrent_weight", "readout.projection.weight")
by_plain_loops = pytest.mark.parametrize(
    "name",
    ["recurrent", "feed-forward, 3 layers", "adaptive, 2 layers", "euler", "adaptive threshold", "silif", "c-silif"],
)
every_variant = pytest.mark.parametrize("params", VARIANTS.values(), ids=VARIANTS.keys())


def _network(params=PLAIN, seed=0, n_units=5):
    return SpikingNetwork(params, n_units=n_units, n_classes=3, generator=torch.Generator().manual_seed(seed)).double()


def _run(network, inputs, seed=7):
    return network(inputs, generator=torch.Generator().manual_seed(seed))


def _by_plain_loops(network, spikes):
    """The network of hidden layers without norm, dropout and delays, from the plain loops of its neurons."""
    layers = []
    for layer in network.layers:
        drive = spikes @ layer.projection.weight
        drive = drive if layer.projection.bias is None else drive + layer.projection.bias
        if isinstance(layer.neuron, LIFParams):
            spikes = lif_loop(drive, layer.recurrent_weight, layer.neuron, dt=network.dt)
        elif isinstance(layer.neuron, ALIFParams):
            spikes = alif_loop(drive, layer.recurrent_weight, layer.neuron, dt=network.dt)
        elif isinstance(layer.neuron, SiLIFParams):
            coefficients = silif_coefficients(SiLIFValues(**layer.values), layer.neuron, dt=network.dt)
            spikes = silif_loop(drive, layer.recurrent_weight, coefficients, layer.neuron)
        elif isinstance(layer.neuron, CSiLIFParams):
            values = CSiLIFValues(**layer.values)
            weight, coefficients = layer.recurrent_weight * values.gain, c_silif_coefficients(values)
            spikes = c_silif_loop(drive * values.gain, weight, coefficients, layer.neuron)
        else:
            coefficients = adlif_coefficients(AdLIFFractions(**layer.fractions), layer.neuron, dt=network.dt)
            spikes = adlif_loop(drive, layer.recurrent_weight, coefficients, layer.neuron)
        layers.append(spikes)
    last = network.layers[-1].neuron
    params = IntegratorParams(tau_mem=network.params.tau_readout, tau_syn=getattr(last, "tau_syn", None))
    drive = spikes @ network.readout.projection.weight
    bias = network.readout.projection.bias
    return leaky_integrator(drive if bias is None else drive + bias, params, dt=network.dt), layers


@every_variant
def test_shapes_are_those_of_params_and_inputs(params, make_spikes):
    activity = _run(_network(params), make_spikes())
    assert activity.logits.shape == (4, 3)
    assert activity.readout.shape == (4, 30, 3)
    assert [spikes.shape for spikes in activity.spikes] == [(4, 30, n_neurons) for n_neurons in params.hidden]


@every_variant
def test_dense_spikes_and_lists_cause_the_same(params, make_spikes, as_lists):
    network, spikes = _network(params), make_spikes()
    dense, listed = _run(network, spikes), _run(network, as_lists(spikes))
    assert all(torch.equal(a, b) for a, b in zip(dense.spikes, listed.spikes, strict=True))
    torch.testing.assert_close(dense.logits, listed.logits)


@every_variant
def test_gradients_reach_every_parameter(params, make_spikes):
    network = _network(params)
    activity = _run(network, make_spikes(mean=1.0))
    weights = torch.randn(activity.logits.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (activity.logits * weights).sum().backward()
    silent = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    # a constant drive is what normalization takes away
    assert [name for name in silent if not (params.batch_norm and name.endswith("projection.bias"))] == []


@by_plain_loops
def test_layers_are_what_the_plain_loops_make_of_their_weights(name, make_spikes):
    network, spikes = _network(VARIANTS[name]), make_spikes()
    activity = network(spikes)
    readout, layers = _by_plain_loops(network, spikes)
    assert all(torch.equal(found, plain) for found, plain in zip(activity.spikes, layers, strict=True))
    torch.testing.assert_close(activity.readout, readout)


@by_plain_loops
def test_gradients_are_those_of_the_plain_loops(name, make_spikes):
    network, spikes = _network(VARIANTS[name]), make_spikes()
    fused = torch.autograd.grad(network(spikes).readout.square().sum(), list(network.parameters()))
    plain = torch.autograd.grad(_by_plain_loops(network, spikes)[0].square().sum(), list(network.parameters()))
    for found, wanted in zip(fused, plain, strict=True):
        # sums over batch and steps in another order, in double precision
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9 * wanted.abs().max().item())


def test_a_small_network_does_what_its_equations_say():
    # one input, one neuron, one class; alpha = beta = 1/2, threshold 1, weight 3, no recurrence
    dt = 10e-3
    tau = dt / math.log(2)
    neuron = LIFParams(tau_mem=tau, tau_syn=tau)
    params = SpikingNetworkParams(hidden=(1,), recurrent=False, neuron=neuron, tau_readout=tau, duration=0.06, dt=dt)
    network = SpikingNetwork(params, n_units=1, n_classes=1, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        network.layers[0].projection.weight.fill_(3.0)
        network.readout.projection.weight.fill_(1.0)
    spikes = torch.zeros(1, 6, 1, dtype=torch.float64)
    spikes[0, 0] = 1.0
    activity = network(spikes)
    # I = 0 3 3/2 3/4 3/8; U = 0 0 3 2 7/4 ..., each spike takes 1 away: U[3] = 3/2 + 3/2 - 1, U[4] = 1 + 3/4 - 1
    assert activity.spikes[0].flatten().tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    # the readout hears spikes at 2 and 3: impulse response 0 0 1 1 3/4 ...
    assert activity.readout.flatten().tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 2.0]
    assert activity.logits.item() == 2.0


def test_a_delay_shifts_the_spikes_that_it_causes():
    params = dataclasses.replace(PLAIN, hidden=(4,), recurrent=False, max_delay=0.1)
    network = _network(params).eval()
    spikes = torch.zeros(1, 30, 5, dtype=torch.float64)
    spikes[0, 0] = 3.0
    fired = []
    for delay in (0, 7):
        with torch.no_grad():
            network.layers[0].projection.delays.steps.fill_(delay)
        fired.append(network(spikes).spikes[0])
    assert fired[0].any()
    assert torch.equal(fired[1][:, 7:], fired[0][:, :-7])
    assert not fired[1][:, :7].any()


def test_in_training_delays_reach_over_their_width(make_spikes):
    network, spikes = _network(VARIANTS["delays"]), make_spikes()
    wide = network(spikes).readout
    anneal_delays(network, 1.0)
    assert not torch.equal(network(spikes).readout, wide)


def test_spikes_are_counted_before_dropout(make_spikes):
    network = _network(VARIANTS["dropout"])
    assert torch.equal(_run(network, make_spikes()).spikes[0], network.eval()(make_spikes()).spikes[0])


def test_dropout_depends_on_its_generator_alone(make_spikes):
    network, spikes = _network(VARIANTS["dropout"]), make_spikes()
    first = _run(network, spikes, seed=1).readout
    torch.manual_seed(3)
    assert torch.equal(_run(network, spikes, seed=1).readout, first)
    assert not torch.equal(_run(network, spikes, seed=2).readout, first)


def test_a_dropped_neuron_is_silent_for_the_whole_clip(make_spikes):
    params = dataclasses.replace(VARIANTS["dropped neurons"], hidden=(6,), initialization=LOUD, readout="last")
    network, seen = _network(params), []
    network.readout.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    spikes = _run(network, make_spikes()).spikes[0]
    kept, fired = seen[0].sum(dim=1) > 0, spikes.sum(dim=1) > 0
    assert (fired & ~kept).any()
    assert kept.any()
    torch.testing.assert_close(seen[0], spikes * kept[:, None] / 0.6)


def test_in_evaluation_nothing_is_dropped_and_no_generator_needed(make_spikes):
    network, spikes = _network(VARIANTS["dropout"]).eval(), make_spikes()
    assert torch.equal(network(spikes).readout, network(spikes).readout)


def test_in_training_dropout_asks_for_a_generator(make_spikes):
    with pytest.raises(ValueError, match="dropout needs a generator in training"):
        _network(VARIANTS["dropout"])(make_spikes())


def test_normalized_drives_have_mean_0_and_variance_1(make_spikes):
    projection = _network(VARIANTS["normalized"]).layers[0].projection
    drive = projection(make_spikes(n_clips=8)).flatten(0, 1)
    torch.testing.assert_close(drive.mean(dim=0), torch.zeros(6, dtype=torch.float64))
    # the norm adds 1e-5 to a variance of about 5
    torch.testing.assert_close(drive.var(dim=0, correction=0), torch.ones(6, dtype=torch.float64), rtol=1e-4, atol=0)


def test_evaluation_changes_nothing(make_spikes):
    network = _network(VARIANTS["normalized"]).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(make_spikes())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@every_variant
def test_a_state_that_is_loaded_gives_the_same_network(params, make_spikes):
    network, other = _network(params, seed=0), _network(params, seed=1)
    other.load_state_dict(network.state_dict())
    first, second = _run(network.eval(), make_spikes()), _run(other.eval(), make_spikes())
    assert torch.equal(first.readout, second.readout)


@every_variant
def test_the_first_weights_come_from_the_generator_alone(params):
    torch.manual_seed(1)
    first = _network(params, seed=3).state_dict()
    torch.manual_seed(2)
    second, other = _network(params, seed=3).state_dict(), _network(params, seed=4).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert not torch.equal(first["layers.0.projection.weight"], other["layers.0.projection.weight"])


def test_one_recurrent_layer_begins_with_the_weights_of_runs_made_before():
    generator = torch.Generator().manual_seed(0)
    network = SpikingNetwork(SpikingNetworkParams(), n_units=5, n_classes=3, generator=generator)
    generator.manual_seed(0)
    for name, shape, gain in zip(WEIGHTS, ((5, 128), (128, 128), (128, 3)), (0.2, 0.5, 1.0), strict=True):
        drawn = torch.randn(shape, generator=generator) * (gain / math.sqrt(shape[0]))
        assert torch.equal(network.get_parameter(name), drawn)


@every_variant
def test_no_global_number_is_drawn(params, make_spikes):
    before = torch.get_rng_state()
    _run(_network(params), make_spikes())
    assert torch.equal(torch.get_rng_state(), before)


def test_silence_stays_silent():
    activity = _network()(torch.zeros(2, 30, 5, dtype=torch.float64))
    assert not activity.spikes[0].any()
    assert not activity.readout.any()


@pytest.mark.parametrize("neuron", [LIFParams(), AdLIFParams(), ALIFParams()], ids=["lif", "adlif", "alif"])
def test_a_network_that_never_spikes_still_learns(neuron, make_spikes):
    quiet = InitializationParams(input_gain=1e-3)
    network = _network(dataclasses.replace(PLAIN, neuron=neuron, initialization=quiet))
    activity = network(make_spikes())
    assert not activity.spikes[0].any()
    activity.readout.sum().backward()
    assert network.layers[0].projection.weight.grad.any()


@pytest.mark.parametrize(
    "neuron",
    [LIFParams(), AdLIFParams(spike_coupling=(0.0, 0.0)), ALIFParams(adaptation=0.0, refractory=0.0)],
    ids=["lif", "adlif", "alif"],
)
def test_a_network_that_always_spikes_has_finite_gradients(neuron, make_spikes):
    network = _network(dataclasses.replace(PLAIN, neuron=neuron, recurrent=False, bias=True))
    with torch.no_grad():
        network.layers[0].projection.bias.fill_(1e4)
    activity = network(make_spikes())
    assert activity.spikes[0][:, 2:].all()
    activity.logits.sum().backward()
    assert all(value.grad.isfinite().all() for value in network.parameters())


def test_a_clip_does_not_depend_on_its_neighbors(make_spikes):
    network, spikes = _network(), make_spikes()
    torch.testing.assert_close(network(spikes).readout[2:3], network(spikes[2:3]).readout)


def test_what_comes_later_does_not_change_what_was(make_spikes):
    network, spikes = _network(), make_spikes()
    changed = spikes.clone()
    changed[:, 20:] += 1
    before, after = network(spikes).spikes[0], network(changed).spikes[0]
    assert torch.equal(before[:, :22], after[:, :22])
    assert not torch.equal(before, after)


def test_single_precision_stays_single(make_spikes):
    activity = _network().float()(make_spikes())
    assert activity.readout.dtype == activity.spikes[0].dtype == torch.float32


@every_variant
def test_a_network_runs_where_its_weights_are(params):
    # the device "meta" has shapes alone: any tensor that was made elsewhere is refused
    network = _network(params).to("meta")
    for training in (True, False):
        activity = _run(network.train(training), torch.zeros(4, 30, 5, dtype=torch.float64, device="meta"))
        assert activity.logits.is_meta
        assert activity.logits.shape == (4, 3)


def test_units_are_merged_the_last_perhaps_fewer():
    network = _network(dataclasses.replace(PLAIN, n_merged=5), n_units=12)
    assert network.n_inputs == 3
    assert network.layers[0].projection.weight.shape == (3, 6)


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"inputs must be \(batch, step, 5\), got \(2, 30, 6\)"):
        _network()(torch.zeros(2, 30, 6))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden": ()}, r"hidden must be whole numbers >= 1, at least one, got \(\)"),
        ({"hidden": (8, 0)}, r"hidden must be whole numbers >= 1, at least one, got \(8, 0\)"),
        ({"readout": "sum"}, "readout must be one of max, softmax_sum, last, mean, exp_mean, got 'sum'"),
        ({"dropout_of": "steps"}, "dropout_of must be one of spikes, neurons, got 'steps'"),
        ({"dropout": 1.0}, "dropout must be >= 0 and < 1, got 1.0"),
        ({"n_merged": 2.5}, "n_merged must be a whole number >= 1, got 2.5"),
        ({"dt": -1e-3}, "dt must be > 0, got -0.001"),
        ({"duration": 1.0, "dt": 0.03}, "duration must be a whole number of dt, got 1.0 and 0.03"),
        ({"max_delay": 0.015}, "max_delay must be a whole number of dt, got 0.015 and 0.01"),
        ({"max_recurrent_delay": 0.015}, "max_recurrent_delay must be a whole number of dt, got 0.015 and 0.01"),
        (
            {"max_recurrent_delay": 0.1, "recurrent": False},
            "max_recurrent_delay must be 0 where neurons are not connec",
        ),
        ({"neuron": (LIFParams(),), "hidden": (8, 8)}, "neuron must be one or 2 neurons, got 1"),
        ({"tau_readout": math.nan}, "tau_readout must be a number > 0, got nan"),
    ],
)
def test_a_network_refuses_numbers_that_mean_nothing(values, message):
    with pytest.raises(ValueError, match=rf"SpikingNetworkParams\.{message}"):
        SpikingNetworkParams(**values)


def test_the_steps_fill_the_duration_exactly():
    assert SpikingNetworkParams(duration=1.4, dt=14e-3).n_steps == 100


def _tangent_by_hand(network, events, direction):
    """Derivative of sum(readout**2) / 2 along a direction of all weights, carried forward in time."""
    neuron = network.params.neuron
    alpha, beta = neuron.decays(network.dt)
    w, v, r = (dict(network.named_parameters())[name].detach().numpy() for name in WEIGHTS)
    dw, dv, dr = direction
    n_clips = len(events)
    current, membrane, d_current, d_membrane = (np.zeros((n_clips, w.shape[1])) for _ in range(4))
    out_current, out, d_out_current, d_out = (np.zeros((n_clips, r.shape[1])) for _ in range(4))
    total = 0.0
    for n in range(events.shape[1]):
        total += (out * d_out).sum()
        x = membrane - neuron.threshold
        fired, d_fired = (x > 0).astype(float), d_membrane / (neuron.surrogate.scale * abs(x) + 1) ** 2
        event = events[:, n]
        membrane, d_membrane, current, d_current = (
            beta * membrane + current - neuron.threshold * fired,
            beta * d_membrane + d_current,
            alpha * current + event @ w + fired @ v,
            alpha * d_current + event @ dw + d_fired @ v + fired @ dv,
        )
        out, d_out, out_current, d_out_current = (
            beta * out + out_current,
            beta * d_out + d_out_current,
            alpha * out_current + fired @ r,
            alpha * d_out_current + d_fired @ r + fired @ dr,
        )
    return total


def test_gradients_are_those_carried_forward_by_hand(make_spikes):
    network, events = _network(), make_spikes()
    (network(events).readout.square().sum() / 2).backward()
    rng = np.random.default_rng(5)
    for _ in range(3):
        weights = [dict(network.named_parameters())[name] for name in WEIGHTS]
        direction = [rng.normal(size=weight.shape) for weight in weights]
        along = sum((w.grad.numpy() * change).sum() for w, change in zip(weights, direction, strict=True))
        # rounding of double precision over 30 steps
        assert along == pytest.approx(_tangent_by_hand(network, events.numpy(), direction), rel=1e-9)


def test_where_a_network_is_smooth_gradients_are_differences(make_spikes):
    network, events = _network(), make_spikes(n_clips=2)
    name = "readout.projection.weight"

    def readout(weight):
        return torch.func.functional_call(network, {name: weight}, (events,)).readout

    assert torch.autograd.gradcheck(readout, (network.get_parameter(name),))

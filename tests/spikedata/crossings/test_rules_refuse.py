"""A rule of learning refuses what it cannot train, says when nothing fires, and stops at what is no number.

All of it through the library and through the command line, for every gradient.
"""

import dataclasses
import logging
import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from spikedata.baseline import Recipe, recipe_from, train_run
from spikedata.cli import main
from spikedata.learning import online_gradients
from spikedata.nn import (
    Activity,
    AdLIFParams,
    ALIFParams,
    ConvolutionParams,
    CountParams,
    EventDrivenParams,
    InitializationParams,
    LIFParams,
    SequenceParams,
    SpikingNetworkParams,
    make_network,
)
from spikedata.training.checkpoint import checkpoint_from
from spikedata.training.loop import train
from spikedata.training.losses import NO_LIMITS
from spikedata.training.params import TrainParams

LOUD = InitializationParams(input_gain=3.0)
PLAIN = SpikingNetworkParams(hidden=(6,), duration=0.2, initialization=LOUD)
EXACT = EventDrivenParams(hidden=(6,), duration=0.2, input_mean=0.6)
QUICK = TrainParams(epochs=1, batch_size=16, optimizer="adam", unit_shift=0.0, activity=NO_LIMITS)
GRADIENTS = {
    "bptt": {"gradient": "bptt"},
    "eprop": {"gradient": "eprop"},
    "eprop, random": {"gradient": "eprop", "feedback": "random"},
    "superspike": {"gradient": "superspike"},
    "superspike, uniform": {"gradient": "superspike", "feedback": "uniform"},
}
every_gradient = pytest.mark.parametrize("how", GRADIENTS.values(), ids=GRADIENTS)
# a gradient, or a network whose gradient is exact
RULES = {**GRADIENTS, "EventProp": {"network": EXACT}}
every_rule = pytest.mark.parametrize("how", RULES.values(), ids=RULES)
# the same recipe for the command line
SMALL = {"hidden": "6", "duration": "0.2", "n_merged": "1", "batch_size": "16", "epochs": "3", "input_gain": "3"}
SPEAKERS = {"validation_speakers": (3,), "test_speakers": (4, 5)}


@pytest.fixture
def spike_path(write_spikes, make_events):
    return write_spikes(make_events(speakers=range(6)))


def _made(how, **training):
    """The network and the training of a rule."""
    how = dict(how)
    return _network(how.pop("network", PLAIN)), dataclasses.replace(QUICK, **how, **training)


def _network(params=PLAIN, n_units=16):
    return make_network(params, n_units=n_units, n_classes=3, generator=torch.Generator().manual_seed(0))


def _typed(spike_path, out, **values):
    words = [word for name, value in (SMALL | values).items() for word in (f"--{name.replace('_', '-')}", value)]
    speakers = ["--validation-speakers", "3", "--test-speakers", "4,5"]
    return ["train", str(spike_path), "--recipe", "recurrent", "--out", str(out), "-q", *words, *speakers]


# Networks and rules that do not fit


@pytest.mark.parametrize("rule", ["eprop", "superspike"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_delay": 0.05}, r"{rule} trains networks with max_delay 0\.0, got 0\.05; 'bptt' fits it"),
        ({"dropout": 0.2}, r"{rule} trains networks with dropout 0\.0, got 0\.2; 'bptt' fits it"),
        ({"batch_norm": True}, "{rule} trains networks with batch_norm False, got True; 'bptt' fits it"),
    ],
)
def test_an_online_rule_refuses_what_mixes_steps_or_clips(rule, changes, message, make_events):
    network = _network(dataclasses.replace(PLAIN, **changes))
    with pytest.raises(ValueError, match=message.format(rule=rule)) as caught:
        train(network, make_events(), make_events(), dataclasses.replace(QUICK, gradient=rule))
    assert "\n" not in str(caught.value)
    assert all(weight.grad is None for weight in network.parameters())


@pytest.mark.parametrize("params", [SequenceParams(duration=0.2), ConvolutionParams(duration=0.2)], ids=["gru", "cnn"])
def test_an_online_rule_refuses_networks_without_spikes(params, make_events):
    with pytest.raises(ValueError, match=r"eprop trains a SpikingNetwork, got .*'bptt' fits it"):
        train(_network(params, n_units=200), make_events(), make_events(), dataclasses.replace(QUICK, gradient="eprop"))


def test_a_recipe_of_the_linear_classifier_has_no_gradient_to_choose(spike_path, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"Recipe\.training must be given for every network but the linear classifier"):
        Recipe(name="mine", network=CountParams(), training=dataclasses.replace(QUICK, gradient="eprop"))
    words = ["train", str(spike_path), "--recipe", "counts", "--gradient", "eprop", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "recipe 'counts' has no param 'gradient'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gradient": "hebb"}, "gradient must be one of bptt, eprop, superspike, got 'hebb'"),
        (
            {"gradient": "eprop", "feedback": "aligned"},
            "feedback must be one of symmetric, random, uniform, got 'aligned'",
        ),
        ({"feedback": "random"}, "feedback must be 'symmetric' for the gradient 'bptt', which knows no other feedback"),
        ({"loss": "hinge"}, "loss must be one of cross_entropy, binary_cross_entropy, step_cross_entropy, got 'hinge'"),
    ],
)
def test_a_wrong_name_is_one_line_with_the_right_ones(values, message, spike_path, tmp_path, capsys):
    with pytest.raises(ValueError, match=rf"TrainParams\.{message}"):
        TrainParams(**values)
    assert main(_typed(spike_path, tmp_path / "run", **values)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [spike_path.name]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gradient": "eprop", "max_delay": "0.04", "recurrent": "false"}, "eprop trains networks with max_delay 0.0"),
        ({"gradient": "superspike", "batch_norm": "true"}, "superspike trains networks with batch_norm False"),
        ({"gradient": "superspike", "feedback": "uniform", "readout": "mean"}, "feedback 'uniform' adds up the errors"),
    ],
)
def test_a_refused_rule_leaves_nothing_behind_on_the_command_line(values, message, spike_path, tmp_path, capsys):
    assert main(_typed(spike_path, tmp_path / "run", **values)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [spike_path.name]


@pytest.mark.parametrize("readout", ["mean", "exp_mean", "last", "softmax_sum"])
@pytest.mark.parametrize("rule", ["eprop", "superspike"])
def test_uniform_feedback_refuses_readouts_whose_errors_cancel(readout, rule, make_events):
    params = dataclasses.replace(QUICK, gradient=rule, feedback="uniform")
    network = _network(dataclasses.replace(PLAIN, readout=readout))
    with pytest.raises(ValueError, match="feedback 'uniform' adds up the errors of all classes"):
        train(network, make_events(), make_events(), params)


@pytest.mark.parametrize("readout", ["mean", "exp_mean", "last", "softmax_sum"])
def test_gradients_of_labels_refuse_them_too(readout):
    network = _network(dataclasses.replace(PLAIN, readout=readout))
    with pytest.raises(ValueError, match="feedback 'uniform' adds up the errors of all classes"):
        online_gradients(network, torch.ones(6, 20, 16), torch.arange(6) % 3, feedback="uniform")


@pytest.mark.parametrize("readout", ["mean", "exp_mean", "last", "softmax_sum"])
def test_those_errors_do_cancel(readout):
    network = _network(dataclasses.replace(PLAIN, readout=readout)).double()
    spikes = (torch.rand(6, 20, 16, generator=torch.Generator().manual_seed(1)) < 0.3).double()
    labels = torch.arange(6) % 3

    def objective(activity: Activity, clips: slice) -> torch.Tensor:
        return cross_entropy(activity.logits, labels[clips], reduction="sum")

    online_gradients(network, spikes, objective, rule="superspike", feedback="uniform")
    assert network.layers[0].projection.weight.grad.abs().max() < 1e-12
    assert network.readout.projection.weight.grad.abs().max() > 1e-4


@pytest.mark.parametrize("neuron", [LIFParams(), AdLIFParams(), ALIFParams()], ids=["lif", "adlif", "alif"])
@every_gradient
def test_what_fits_is_trained(neuron, how, make_events):
    network = _network(dataclasses.replace(PLAIN, neuron=neuron))
    trained = train(network, make_events(), make_events((3,)), dataclasses.replace(QUICK, **how))
    changed = [not torch.equal(a, b) for a, b in zip(network.parameters(), trained.network.parameters(), strict=True)]
    # SuperSpike trains weights and biases alone
    assert sum(changed) == 3 if how["gradient"] == "superspike" else all(changed)


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (AdLIFParams(), "neuron must be LIFParams, whose gradient EventProp knows exactly; got AdLIFParams"),
        (ALIFParams(), "neuron must be LIFParams, whose gradient EventProp knows exactly; got ALIFParams"),
        (LIFParams(), r"LIFParams\.reset must be \"zero\" where gradients are exact \(EventProp\); got 'subtract'"),
    ],
)
def test_exact_gradients_refuse_neurons_that_have_a_surrogate_alone(neuron, message):
    with pytest.raises(ValueError, match=message) as caught:
        EventDrivenParams(neuron=neuron)
    assert "which fits" in str(caught.value)


@pytest.mark.parametrize("rule", ["eprop", "superspike"])
def test_an_online_rule_refuses_a_network_in_continuous_time(rule, make_events):
    with pytest.raises(ValueError, match=f"{rule} trains a SpikingNetwork, got EventDrivenNetwork"):
        train(_network(EXACT), make_events(), make_events(), dataclasses.replace(QUICK, gradient=rule))


def test_a_network_in_continuous_time_refuses_steps():
    with pytest.raises(ValueError, match=r"inputs must be the times of 16 units \(TimesBatch\)"):
        _network(EXACT)(torch.zeros(2, 20, 16))


# Silence


@every_rule
def test_a_silent_network_is_said_once_with_what_helps(how, make_events, caplog):
    network, params = _made(how, epochs=3, learning_rate=1e-6)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
    with caplog.at_level(logging.WARNING, logger="spikedata"):
        train(network, make_events(), make_events((3,)), params)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("no hidden neuron fired in epoch 1")
    for name in ("input_mean", "bump") if "network" in how else ("input_gain", "lower_strength"):
        assert name in said
        assert name in Recipe(name="mine", network=network.params, training=params).params


@every_gradient
def test_a_silent_network_is_said_on_the_command_line(how, spike_path, tmp_path, capsys, caplog):
    quiet = {"input_gain": "0", "recurrent_gain": "0", "learning_rate": "1e-6", "epochs": "1", **how}
    assert main(_typed(spike_path, tmp_path / "run", **quiet)) == 0
    assert "no hidden neuron fired in epoch 1" in capsys.readouterr().err + caplog.text


@every_rule
def test_a_network_that_fires_is_not_called_silent(how, make_events, caplog):
    network, params = _made(how)
    train(network, make_events(), make_events((3,)), params)
    assert not caplog.records


# What is no number


@pytest.fixture
def spoiling(monkeypatch):
    """From the ninth step on, which is in the second epoch of six, the optimizer makes weights that are no numbers."""
    step, n_steps = torch.optim.Adam.step, [0]

    def spoil(optimizer, *args, **kwargs):
        step(optimizer, *args, **kwargs)
        n_steps[0] += 1
        if n_steps[0] >= 9:
            with torch.no_grad():
                optimizer.param_groups[0]["params"][0].fill_(math.nan)

    def stop():
        monkeypatch.setattr(torch.optim.Adam, "step", step)

    monkeypatch.setattr(torch.optim.Adam, "step", spoil)
    return stop


@every_rule
def test_what_is_no_number_stops_with_the_state_before_it(how, spoiling, make_events):
    # 96 clips in batches of 16: six steps an epoch
    kept, (network, params) = [], _made(how, epochs=3)
    clips = make_events(speakers=range(7)).select(range(96))
    # in continuous time a neuron with such a weight does not fire, so that the loss stays a number
    what = "weights that are not finite after epoch 2: " if "network" in how else "the loss is nan in epoch 2, batch 4"
    with pytest.raises(FloatingPointError, match=f"training diverged: {what}") as caught:
        train(network, clips, make_events((3,)), params, on_checkpoint=kept.append)
    assert "\n" not in str(caught.value)
    assert [len(checkpoint.history) for checkpoint in kept] == [1]
    assert all(torch.isfinite(weight).all() for weight in kept[0].weights.values())
    assert all(torch.isfinite(weight).all() for weight in network.parameters())  # that is a copy's matter
    spoiling()
    resumed = train(network, clips, make_events((3,)), params, checkpoint=kept[0])
    whole = train(network, clips, make_events((3,)), params)
    for a, b in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)


@every_gradient
def test_a_run_that_diverges_can_go_on_from_the_command_line(
    how, spoiling, write_spikes, make_events, tmp_path, capsys
):
    spike_path = write_spikes(make_events(speakers=range(6), takes=11))  # 99 clips of three speakers: seven steps
    words = _typed(spike_path, tmp_path / "run", optimizer="adam", unit_shift="0", **how)
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "training diverged: the loss is nan in epoch 2, batch 3" in error
    assert "the state before that epoch is kept in" in error
    assert len(error.splitlines()) == 1
    checkpoint, _ = checkpoint_from((tmp_path / "run.training" / "checkpoint.safetensors").read_bytes())
    assert len(checkpoint.history) == 1
    assert all(torch.isfinite(weight).all() for weight in checkpoint.weights.values())
    spoiling()
    assert main(words) == 0
    recipe = recipe_from("recurrent", {**SMALL, "optimizer": "adam", "unit_shift": "0", **how})
    train_run(spike_path, tmp_path / "whole", recipe=recipe, **SPEAKERS)
    runs = [tmp_path / name / "weights.safetensors" for name in ("run", "whole")]
    assert runs[0].read_bytes() == runs[1].read_bytes()


@pytest.mark.parametrize("rule", ["eprop", "superspike"])
def test_a_weight_that_is_no_number_makes_a_loss_that_is_none(rule):
    network = _network()
    with torch.no_grad():
        network.layers[0].projection.weight[3, 2] = math.nan
    online = online_gradients(network, torch.ones(4, 20, 16), torch.tensor([0, 1, 2, 0]), rule=rule)
    assert not math.isfinite(online.loss)

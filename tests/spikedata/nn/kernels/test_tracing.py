"""Compiled passes among the tools of PyTorch that look into a network."""

import subprocess
import sys

import pytest
import torch
from torch import nn

import spikedata.nn as snn
from spikedata.nn.kernels.tracing import untraced
from spikedata.torch import ListBatch

# warnings of the compiler about itself, which the suite would make errors
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning"),
]
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}  # float32: the loops add in another order than the kernels

NEURONS = {"lif": snn.LIF, "adlif": snn.AdLIF, "alif": snn.ALIF}
every_neuron = pytest.mark.parametrize("neurons", NEURONS.values(), ids=NEURONS.keys())
OTHERS = [pytest.param(snn.AdLIF, marks=pytest.mark.slow), pytest.param(snn.ALIF, marks=pytest.mark.slow)]
lif_or_slow_others = pytest.mark.parametrize("neurons", [snn.LIF, *OTHERS], ids=NEURONS.keys())


def _network(neurons=snn.LIF, **more):
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        snn.Linear(5, 6, gain=6.0, generator=generator),
        neurons(6, recurrent=True, generator=generator, **more),
        snn.Readout(6, 3, kind="softmax_sum", generator=generator),
    )


def _spikes(n_steps=6, seed=0):
    return (torch.rand(4, n_steps, 5, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


def _results(call, network, inputs):
    network.zero_grad()
    logits = call(inputs)
    logits.square().sum().backward()
    return [logits.detach(), *(parameter.grad.clone() for parameter in network.parameters())]


def _same(found, wanted, **tolerance):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **tolerance)


@pytest.fixture
def compiler():
    torch._dynamo.reset()
    yield torch._dynamo
    torch._dynamo.reset()


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_a_compiled_network_computes_the_same_to_the_last_bit(backend, compiler):
    network, spikes = _network(), _spikes()
    wanted = _results(network, network, spikes)
    found = _results(torch.compile(network, backend=backend), network, spikes)
    _same(found, wanted, rtol=0, atol=0)
    assert wanted[0].std() > 0


@lif_or_slow_others
def test_where_loops_are_plain_a_network_is_one_graph(neurons, compiler):
    network, spikes = _network(neurons).bfloat16(), _spikes().bfloat16()
    wanted = _results(network, network, spikes)
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    _same(_results(compiled, network, spikes), wanted, rtol=0, atol=0)


@pytest.mark.slow
def test_event_lists_reach_a_compiled_network(compiler):
    lists = ListBatch(
        torch.tensor([0, 3, 4, 4], dtype=torch.uint16), torch.tensor([[0, 2, 2], [2, 3, 4]]), torch.zeros(2), 5
    )
    network = _network()
    assert torch.equal(torch.compile(network, backend="eager")(lists), network(lists))


@pytest.mark.slow
def test_dropout_of_a_compiled_network_follows_the_seed(compiler):
    dropout, spikes = snn.Dropout(0.5), _spikes()
    torch.manual_seed(0)
    wanted = dropout(spikes)
    torch.manual_seed(0)
    assert torch.equal(torch.compile(dropout, backend="eager")(spikes), wanted)


@pytest.mark.slow
@every_neuron
def test_the_default_compiler_computes_the_same(neurons, compiler):
    network, spikes = _network(neurons), _spikes(30)
    wanted = _results(network, network, spikes)
    _same(_results(torch.compile(network), network, spikes), wanted, **TOLERANCE)


@lif_or_slow_others
def test_an_exported_program_computes_the_same_for_any_batch(neurons):
    network = _network(neurons).eval()
    some = {0: torch.export.Dim("batch")}
    program = torch.export.export(network, (_spikes(),), dynamic_shapes=(some,))
    other = _spikes(seed=1)[:3]
    torch.testing.assert_close(program.module()(other), network(other), **TOLERANCE)
    assert not any("spikedata" in str(node.target) for node in program.graph.nodes)


@every_neuron
def test_plain_loops_compute_what_kernels_do(neurons):
    network, spikes = _network(neurons).double(), _spikes(30).double()
    wanted = _results(network, network, spikes)
    with snn.plain_loops():
        found = _results(network, network, spikes)
    _same(found, wanted)
    assert any(not torch.equal(one, other) for one, other in zip(found, wanted, strict=True)) or neurons is snn.ALIF


def test_a_transform_of_functions_is_told_the_way_out():
    network = _network()
    with pytest.raises(RuntimeError, match=r"no rules for torch\.func .*plain_loops\(\)") as error:
        torch.func.vmap(lambda clip: network(clip[None]))(_spikes())
    assert "\n" not in str(error.value)


@every_neuron
def test_plain_loops_have_a_gradient_for_each_clip(neurons):
    network, spikes = _network(neurons).double(), _spikes().double()
    weights = {name: value.detach() for name, value in network.named_parameters()}

    def score(weights, clip):
        return torch.func.functional_call(network, weights, (clip[None],)).square().sum()

    with snn.plain_loops():
        each = torch.func.vmap(torch.func.grad(score), in_dims=(None, 0))(weights, spikes)
    for i, clip in enumerate(spikes):
        found = _results(network, network, clip[None])[1:]
        _same([value[i] for value in each.values()], found)


def test_plain_loops_have_second_derivatives():
    drive = torch.full((1, 8, 2), 0.4, dtype=torch.float64, requires_grad=True)
    with snn.plain_loops():
        (first,) = torch.autograd.grad(snn.LIF(2)(drive).sum(), drive, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), drive)
    assert second.any()


def test_plain_loops_end_with_their_block():
    with pytest.raises(ValueError, match="drive"), snn.plain_loops():
        snn.LIF(2)(torch.ones(1, 8, 3))
    with pytest.raises(RuntimeError, match="plain_loops"):
        torch.func.vmap(snn.LIF(2))(torch.ones(3, 1, 8, 2))


def test_an_untraced_function_is_itself():
    @untraced
    def add(one: int, *, other: int = 1) -> int:
        """Add."""
        return one + other

    assert (add(1, other=2), add.__doc__, add.__name__) == (3, "Add.", "add")


@pytest.mark.slow
def test_nobody_loads_the_compiler_who_does_not_compile():
    code = """
import sys, torch, spikedata.nn as snn
torch.nn.Sequential(snn.Linear(5, 6), snn.LIF(6), snn.Readout(6, 3))(torch.ones(2, 3, 5))
print("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "False\n"

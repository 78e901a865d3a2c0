"""A network in NIR is the network: a plain interpreter of its equations fires the same spikes, as its readers do."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import spikedata as sd
from spikedata.baseline import Recipe, TrainParams, train_run
from spikedata.cli import main
from spikedata.disk import OutputError
from spikedata.export import nir_graph, nir_network, to_nir
from spikedata.files.writer import SpikeWriter
from spikedata.nn import (
    AdLIFParams,
    ALIFParams,
    CountParams,
    EventDrivenParams,
    LIFParams,
    SequenceParams,
    SpikingNetwork,
    SpikingNetworkParams,
    make_network,
)

nir = pytest.importorskip("nir")

DT, N_STEPS, N_UNITS, N_CLASSES = 4e-3, 60, 23, 4
SUBTRACT, ZERO = LIFParams(tau_mem=0.03), LIFParams(tau_syn=4e-3, threshold=1.3, reset="zero")
NETWORKS: dict[str, dict[str, Any]] = {
    "feed-forward, subtract": {"recurrent": False, "neuron": SUBTRACT},
    "feed-forward, zero": {"recurrent": False, "neuron": ZERO, "n_merged": 5},
    "recurrent, subtract": {"neuron": SUBTRACT, "n_merged": 4},
    "recurrent, zero": {"neuron": ZERO, "dropout": 0.3},
    "recurrent, both, with constants": {"neuron": (SUBTRACT, ZERO), "bias": True},
    "batch norm": {"neuron": SUBTRACT, "bias": True, "batch_norm": True},
}


def network_of(name: str) -> SpikingNetwork:
    """A network of two layers that fires, with statistics and constants that differ from each other."""
    given = {"hidden": (13, 9), "duration": DT * N_STEPS, "dt": DT, "readout": "mean"} | NETWORKS[name]
    network = make_network(
        SpikingNetworkParams(**given),
        n_units=N_UNITS,
        n_classes=N_CLASSES,
        generator=torch.Generator().manual_seed(1),
    )
    draw = torch.Generator().manual_seed(2)
    for key, value in network.state_dict().items():
        if key.endswith(("bias", "running_mean")):
            value.copy_(torch.rand(value.shape, generator=draw) * 0.2)
        elif "norm" in key and value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=draw) * 0.3 + 0.2)
        elif key.endswith("weight"):
            value.mul_(3)
    return network.eval()


@pytest.fixture(scope="module")
def counts() -> torch.Tensor:
    return torch.poisson(torch.full((3, N_STEPS, N_UNITS), 0.25), generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def fire(network: SpikingNetwork, counts: torch.Tensor) -> Any:
    merged = torch.nn.functional.pad(counts, (0, -N_UNITS % network.n_merged))
    return network.double()(merged.unflatten(2, (-1, network.n_merged)).sum(3).double())


def interpret(graph: Any, counts: torch.Tensor) -> dict[str, np.ndarray]:
    """What each neuron of a graph gives at each step: its spikes, or the membrane of one that never fires.

    NIR's own equations, step by step: a neuron's output follows from its membrane; all else from those outputs; then
    membrane and current move, both from their values at this step. Resets are those that the metadata name.
    """
    step, scheme = float(graph.metadata["step"]), graph.metadata["discretization"]
    feeds = {name: [first for first, second in graph.edges if second == name] for name in graph.nodes}
    neurons = {name: node for name, node in graph.nodes.items() if hasattr(node, "tau_mem")}
    zeros = {name: np.zeros((len(counts), len(node.tau_mem))) for name, node in neurons.items()}
    current, membrane, out = dict(zeros), dict(zeros), {name: [] for name in neurons}

    def share(tau: np.ndarray) -> np.ndarray:
        return step / tau if scheme == "euler" else -np.expm1(-step / tau)

    for now in counts.double().numpy().swapaxes(0, 1):
        fired = {
            name: membrane[name] > getattr(node, "v_threshold", np.inf) for name, node in neurons.items()
        }  # fmt: skip
        given: dict[str, np.ndarray] = {"input": now} | {name: spikes.astype(float) for name, spikes in fired.items()}

        def value_of(name: str, given: dict[str, np.ndarray] = given) -> np.ndarray:
            if name not in given:
                node, x = graph.nodes[name], sum(value_of(feed) for feed in feeds[name])
                weight = getattr(node, "weight", None)
                given[name] = x if weight is None else x @ weight.T.astype(float) + getattr(node, "bias", 0.0)
            return given[name]

        drives = {name: sum(value_of(feed) for feed in feeds[name]) for name in neurons}
        for name, node in neurons.items():
            out[name].append(membrane[name] if name == "readout" else given[name])
            moved = membrane[name] + share(node.tau_mem) * (node.v_leak - membrane[name] + node.r * current[name])
            if node.metadata.get("reset") == "subtract":
                moved = moved - fired[name] * node.v_threshold
            elif node.metadata.get("reset") == "zero":
                moved = moved * ~fired[name]
            membrane[name] = moved
            current[name] = current[name] + share(node.tau_syn) * (node.w_in * drives[name] - current[name])
    return {name: np.stack(values, axis=1) for name, values in out.items()}


@pytest.mark.parametrize("options", [{}, {"dt": 1e-4}, {"discretization": "exponential", "readout": "CubaLI"}])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_fires_every_spike_of_the_network(
    name: str, options: dict[str, Any], counts: torch.Tensor, tmp_path: Path
) -> None:
    network = network_of(name)
    to_nir(network, tmp_path / "x.nir", **options)
    found, activity = interpret(nir.read(tmp_path / "x.nir"), counts), fire(network, counts)

    for number, spikes in enumerate(activity.spikes, start=1):
        assert spikes.sum() > 30, "a network that is silent shows nothing"
        np.testing.assert_array_equal(found[f"hidden_{number}"], spikes.numpy())
    # batch norm is folded in float32, as the weights are
    np.testing.assert_allclose(found["readout"], activity.readout.numpy(), atol=1e-5 if "norm" in name else 1e-9)


@pytest.fixture(scope="module")
def readers() -> Iterator[ModuleType]:
    path = Path(__file__).parents[3] / "benchmarks" / "nir_readers.py"
    spec = importlib.util.spec_from_file_location("nir_readers", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["nir_readers"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["nir_readers"]


# A constant acts from the first step on, but a reader's layers are two steps ahead of each other there.
@pytest.mark.parametrize("name", [name for name in NETWORKS if "bias" not in NETWORKS[name]])
@pytest.mark.parametrize("reader", ["snntorch", "norse"])
@pytest.mark.filterwarnings("default")  # of the libraries
@torch.no_grad()
def test_its_readers_fire_every_spike(
    reader: str, name: str, counts: torch.Tensor, readers: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("nirtorch")
    pytest.importorskip(reader)
    network = network_of(name)
    to_nir(network, tmp_path / "x.nir", dt=1e-4)
    theirs = readers.READERS[reader](tmp_path / "x.nir", counts)

    found = readers.compared(readers.hear_ours(network, counts), theirs, "mean")

    assert (found["differing"], found["same_answers"]) == (0, len(counts))
    assert found["spikes"] > 100
    assert found["membrane_difference"] < 1e-5  # both compute in float32


def test_the_graph_says_what_nir_has_no_place_for() -> None:
    graph = nir_graph(network_of("recurrent, both, with constants"), dt=1e-4, class_names="abcé")
    said = graph.metadata

    assert (said["dt"], said["step"], said["n_steps"], said["n_units"], said["n_merged"]) == (DT, 1e-4, 60, 23, 1)
    assert (said["readout"], said["discretization"], json.loads(said["class_names"])) == ("mean", "euler", [*"abcé"])
    assert [graph.nodes[f"hidden_{n}"].metadata["reset"] for n in (1, 2)] == ["subtract", "zero"]
    assert graph.nodes["hidden_2"].metadata["tau_syn"] == ZERO.tau_syn


def test_time_constants_are_those_of_the_neurons_where_a_reader_takes_exponentials() -> None:
    graph = nir_graph(network_of("recurrent, zero"), discretization="exponential", readout="CubaLI")

    assert set(graph.nodes["hidden_1"].tau_mem) == {ZERO.tau_mem}
    assert type(graph.nodes["readout"]) is nir.CubaLI


def test_eulers_time_constants_give_the_same_decay() -> None:
    node = nir_graph(network_of("recurrent, zero")).nodes["hidden_1"]

    assert 1 - DT / node.tau_syn[0] == pytest.approx(math.exp(-DT / ZERO.tau_syn), rel=1e-14)


def test_the_same_network_makes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nir", "b.nir"):
        to_nir(network_of("recurrent, zero"), tmp_path / name)

    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()


def test_exporting_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    network = network_of("batch norm").train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    to_nir(network, tmp_path / "x.nir")

    assert network.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


OTHERS = {
    "hidden layer 2 must have LIF neurons for NIR, which has no node for AdLIFParams": SpikingNetworkParams(
        hidden=(3, 3), neuron=(LIFParams(), AdLIFParams())
    ),
    "hidden layer 1 must have LIF neurons for NIR, which has no node for ALIFParams": SpikingNetworkParams(
        hidden=(3,), neuron=ALIFParams()
    ),
    "max_delay must be 0 for NIR, which delays neurons and not connections, got 0.02 s": SpikingNetworkParams(
        hidden=(3,), max_delay=0.02
    ),
    r"one of LIF neurons on a grid \(SpikingNetwork\) for NIR, got CountClassifier": CountParams(),
    r"one of LIF neurons on a grid \(SpikingNetwork\) for NIR, got SequenceNetwork": SequenceParams(hidden=(3,)),
    r"one of LIF neurons on a grid \(SpikingNetwork\) for NIR, got EventDrivenNetwork": EventDrivenParams(hidden=(3,)),
}


@pytest.mark.parametrize("message", OTHERS)
def test_what_nir_cannot_say_is_refused_and_nothing_is_written(message: str, tmp_path: Path) -> None:
    network = make_network(OTHERS[message], n_units=9, n_classes=2, generator=torch.Generator())

    with pytest.raises(ValueError, match=message):
        to_nir(network, tmp_path / "x.nir")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("known", ["_NEURON", "_NETWORK"])
def test_a_choice_that_the_export_does_not_know_is_refused(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of("recurrent, zero")
    monkeypatch.setattr(nir_network, known, getattr(nir_network, known) - {"reset", "dropout"})

    with pytest.raises(
        ValueError, match=r"do without (LIFParams\.reset = 'zero'|SpikingNetworkParams\.dropout = 0\.3)"
    ):
        nir_graph(network)


def test_a_choice_that_the_export_does_not_know_may_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nir_network, "_NEURON", nir_network._NEURON - {"reset"})

    assert "hidden_2" in nir_graph(network_of("recurrent, subtract")).nodes


def test_a_value_that_has_no_place_is_refused() -> None:
    network = network_of("recurrent, zero")
    network.layers[0].register_buffer("gates", torch.zeros(3))

    with pytest.raises(ValueError, match=r"none of layers\.0\.gates for NIR"):
        nir_graph(network)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, "dt must be"),
        ({"dt": math.nan}, "dt must be"),
        ({"readout": "LI"}, "readout must be one of CubaLIF, CubaLI"),
        ({"discretization": "rk4"}, "discretization must be one of euler, exponential"),
        ({"class_names": ["a"]}, "class_names must be 4, one per output, got 1"),
    ],
)
def test_an_argument_out_of_range_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nir_graph(network_of("recurrent, zero"), **options)


def test_weights_that_are_not_finite_are_refused() -> None:
    network = network_of("recurrent, zero")
    network.readout.projection.weight.data[0, 0] = math.nan

    with pytest.raises(ValueError, match=r"readout\.projection\.weight must be finite"):
        nir_graph(network)


@pytest.fixture(scope="module")
def spike_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, rng = tmp_path_factory.mktemp("spikes") / "words.h5", np.random.default_rng(0)
    with SpikeWriter(path, keys=["low", "hïgh"]) as writer:
        for speaker in range(6):
            for label in (0, 1):
                units = rng.integers(350 * label, 350 * (label + 1), 200)
                writer.append(np.sort(rng.uniform(0, 0.2, 200)), units, label=label, speaker=speaker)
    return path


@pytest.fixture(scope="module")
def run(spike_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nir") / "run"
    network = SpikingNetworkParams(hidden=(6,), n_merged=50, duration=0.2, dt=0.02)
    train_run(spike_path, folder, recipe=Recipe(name="small", network=network, training=TrainParams(epochs=1)))
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*words: object) -> tuple[int, str]:
        try:
            status = main([*map(str, words)])
        except SystemExit as left:
            status = int(left.code)
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return call


def test_a_run_is_exported_by_one_command(run: Path, say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    status, text = say("export", run, tmp_path / "model.nir")
    graph = nir.read(tmp_path / "model.nir")

    assert status == 0
    assert "6 + 2 neurons" in text
    assert "reset 'subtract'" in text
    assert json.loads(graph.metadata["class_names"]) == ["low", "hïgh"]
    assert sd.load_run(run).network.params.readout == graph.metadata["readout"]
    assert graph.nodes["merge"].weight.shape == (14, 700)


def test_without_a_name_the_file_stands_beside_the_run(run: Path, say: Callable[..., tuple[int, str]]) -> None:
    status, text = say("export", run, "--to", "nir", "--json")

    assert (status, Path(json.loads(text)["file"])) == (0, run.with_name("run.nir"))
    run.with_name("run.nir").unlink()


def test_a_file_that_is_there_stays(run: Path, say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "model.nir").write_bytes(b"mine")

    assert say("export", run, tmp_path / "model.nir")[0] == 5
    assert (tmp_path / "model.nir").read_bytes() == b"mine"
    assert say("export", run, tmp_path / "model.nir", "--overwrite", "-q") == (0, "")
    with pytest.raises(OutputError, match="exists already"):
        to_nir(run, tmp_path / "model.nir")


def test_a_run_of_another_version_is_refused(run: Path, say: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in run.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    card = json.loads((other / "card.json").read_text("utf-8"))
    (other / "card.json").write_text(json.dumps(card | {"card_format": 99}))

    status, text = say("export", other, tmp_path / "x.nir")
    assert (status, len(text.splitlines())) == (1, 1)
    assert "99" in text
    assert not (tmp_path / "x.nir").exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("{run}", "--to", "npz"), 2, "--to must be nir for a network, got npz"),
        (("{run}", "--part", "train"), 2, "--part is for the export of spikes"),
        (("{run}", "{out}/x.h5"), 1, "must end in .nir"),
        (("{run}", "{out}/none/x.nir"), 5, "no folder"),
        (("{run}", "{out}/x.nir", "--out", "{out}/y.nir"), 2, "OUT must be given once"),
        (("{out}",), 1, "is not a run"),
        (("{spikes}",), 2, "--to must be one of npz, csv"),
        (("{spikes}", "--to", "nir"), 2, "got nir"),
        (("{spikes}", "--to", "npz", "--readout", "CubaLI"), 2, "--readout is for the export of a network"),
        (("digit", "{out}/x.nir"), 1, "digit: no such file, run or pretrained network (digits"),
        (("digits_tiny", "{out}/x.nir"), 1, "has no node for AdLIFParams"),
    ],
)
def test_a_wrong_word_gets_one_line(
    words: tuple[str, ...], status: int, message: str, run: Path, spike_path: Path, tmp_path: Path,
    say: Callable[..., tuple[int, str]],
) -> None:  # fmt: skip
    found, text = say("export", *(word.format(run=run, out=tmp_path, spikes=spike_path) for word in words))

    assert found == status
    assert message in text
    assert len(text.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_without_nir_the_extra_is_named(
    run: Path, say: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    status, text = say("export", run, tmp_path / "x.nir")

    assert (status, "export" in text, len(text.splitlines())) == (1, True, 1)


def test_params_of_the_neuron_that_learning_alone_needs_change_nothing(tmp_path: Path) -> None:
    other = dataclasses.replace(SUBTRACT, detach_reset=False)
    network = network_of("recurrent, subtract")
    to_nir(network, tmp_path / "a.nir")
    network.params = dataclasses.replace(network.params, neuron=other)
    to_nir(network, tmp_path / "b.nir")

    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()

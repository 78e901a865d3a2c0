"""The columns of NeuroBench, as a card counts them and as `neurobench` does, of one network on the same clips.

    pip install neurobench snntorch
    python benchmarks/neurobench_columns.py FILE.h5 --out docs/images/neurobench.json

The network has two recurrent layers of 64 neurons, a third of whose weights are cut away. Its neurons are those of
Bellec et al. without adaptation, which are snntorch's Leaky with a delayed reset by subtraction; the same weights are
put into both. NeuroBench counts its readout as neurons that might have spiked, so that the activation sparsity, which
is of hidden neurons here, is taken from the same network with a readout that it does not know as one.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import snntorch
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import SNNTorchModel
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from spikedata.baseline.runs.operations import count_operations, measure
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.nn import ALIFParams, SpikingNetworkParams
from spikedata.nn.networks import SpikingNetwork
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.torch import SpikeDataset
from spikedata.training.batches import iterate_batches
from spikedata.training.scoring import Score, grid_of

NEURON = ALIFParams(tau_mem=20e-3, threshold=1.0, adaptation=0.0, refractory=0.0)
PARAMS = SpikingNetworkParams(
    hidden=(64, 64), neuron=NEURON, n_merged=5, readout="last", initialization=InitializationParams(input_gain=2.0)
)
BATCH = 32
SHARE_CUT = 1 / 3  # of the weights


class Integrator(nn.Module):
    """A readout that NeuroBench does not take for neurons."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta, self.membrane = beta, torch.zeros(1)

    def forward(self, drive: Tensor) -> Tensor:
        """The membrane after a step."""
        self.membrane = self.beta * self.membrane + drive
        return self.membrane


class Copy(nn.Module):
    """The same network, of layers that NeuroBench knows."""

    def __init__(self, network: SpikingNetwork, *, spiking_readout: bool) -> None:
        super().__init__()
        beta = math.exp(-PARAMS.dt / PARAMS.tau_readout)
        self.feeding, self.feeding_back, self.neurons = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for layer in network.layers:
            self.feeding.append(linear(layer.projection.weight))
            self.feeding_back.append(linear(layer.recurrent_weight))
            decay = math.exp(-PARAMS.dt / NEURON.tau_mem)
            self.neurons.append(snntorch.Leaky(beta=decay, threshold=NEURON.threshold, init_hidden=True))
        self.last = linear((1 - beta) * network.readout.projection.weight)
        never = {"threshold": 1e9, "reset_mechanism": "none", "init_hidden": True}
        self.readout = snntorch.Leaky(beta=beta, **never) if spiking_readout else Integrator(beta)
        self.spikes = 0.0

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """The readout (step, batch, class) for inputs (batch, step, input)."""
        for neurons in (*self.neurons, self.readout):
            if isinstance(neurons, Integrator):
                neurons.membrane = torch.zeros(1)
            else:
                neurons.mem = torch.zeros(len(inputs), 1)
        fed_back, outputs = [0.0] * len(self.neurons), []
        for below in inputs.unbind(1):
            for n, neurons in enumerate(self.neurons):
                below = neurons(self.feeding[n](below) + fed_back[n])
                fed_back[n] = self.feeding_back[n](below)
                self.spikes += float(below.sum())
            self.readout(self.last(below))
            outputs.append(self.readout.membrane if isinstance(self.readout, Integrator) else self.readout.mem)
        return torch.stack(outputs)


def linear(weight: Tensor) -> nn.Linear:
    """A layer of a weight (from, to)."""
    layer = nn.Linear(*weight.shape, bias=False)
    layer.weight.data = weight.detach().T.contiguous()
    return layer


@torch.no_grad()
def ours(network: SpikingNetwork, inputs: Tensor) -> tuple[dict[str, float], list[Tensor], float]:
    """The columns of a card, the readouts and the number of hidden spikes."""
    operations, readouts, n_spikes = [], [], 0.0
    for batch in inputs.split(BATCH):
        activity = network(batch)
        operations.append(count_operations(network, batch, activity))
        readouts.append(activity.readout)
        n_spikes += sum(float(spikes.sum()) for spikes in activity.spikes)
    n_clips, n_hidden = len(inputs), sum(PARAMS.hidden)
    labels = np.zeros(n_clips, np.int64)
    score = Score(
        labels=labels, predictions=labels, n_classes=20, loss=0.0, hidden_spikes=n_spikes / n_clips / n_hidden,
        n_hidden=n_hidden,
    )  # fmt: skip
    found = measure(network, score, operations)
    columns = {
        "footprint": found.footprint,
        "connection sparsity": found.connection_sparsity,
        "activation sparsity": found.activation_sparsity,
        "dense operations": found.dense_operations,
        "effective MACs": found.effective_macs,
        "effective ACs": found.effective_acs,
        "membrane updates": found.membrane_updates,
    }
    return columns, readouts, n_spikes


def theirs(network: SpikingNetwork, inputs: Tensor, *, spiking_readout: bool) -> tuple[dict[str, Any], Copy]:
    """The columns of NeuroBench, and its copy of the network."""
    copy = Copy(network, spiking_readout=spiking_readout).eval()
    data = DataLoader(TensorDataset(inputs, torch.zeros(len(inputs))), batch_size=BATCH)
    metrics = [[Footprint, ConnectionSparsity], [ActivationSparsity, SynapticOperations, MembraneUpdates]]
    found = Benchmark(SNNTorchModel(copy, custom_forward=True), data, [], [], metrics).run(quiet=True)
    columns = {
        "footprint": found["Footprint"],
        "connection sparsity": found["ConnectionSparsity"],
        "activation sparsity": found["ActivationSparsity"],
        "dense operations": found["SynapticOperations"]["Dense"],
        "effective MACs": found["SynapticOperations"]["Effective_MACs"],
        "effective ACs": found["SynapticOperations"]["Effective_ACs"],
        "membrane updates": found["MembraneUpdates"],
    }
    return {name: float(value) for name, value in columns.items()}, copy


def main() -> None:
    """Print both columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--clips", type=int, default=128)
    parser.add_argument("--out", type=Path, default=Path("neurobench.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    network = SpikingNetwork(PARAMS, n_units=700, n_classes=20, generator=generator).eval()
    chance = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        weight.data *= torch.rand(weight.shape, generator=chance) >= SHARE_CUT
    with SpikeFile(args.file) as file:
        clips = [file[index] for index in range(args.clips)]
        events = Events.from_samples(clips, keys=file.keys, n_units=file.n_units)
    inputs, _ = next(iterate_batches(SpikeDataset(events), [np.arange(args.clips)], grid_of(network)))
    inputs = inputs.clamp(max=1)  # NeuroBench asks of each step by itself whether it adds or multiplies
    mine, readouts, n_spikes = ours(network, inputs)
    other, copy = theirs(network, inputs, spiking_readout=True)
    hidden_alone, _ = theirs(network, inputs, spiking_readout=False)
    other["activation sparsity"] = hidden_alone["activation sparsity"]
    with torch.no_grad():
        difference = float((copy(inputs[:BATCH]).transpose(0, 1) - readouts[0]).abs().max())
    same = {"hidden spikes per clip": n_spikes / args.clips, "largest difference of a readout": difference}
    args.out.write_text(json.dumps({"spikedata": mine, "neurobench": other} | same, indent=1) + "\n")
    print("| column | spikedata | neurobench |\n|---|---:|---:|")
    for name, value in mine.items():
        form = ".4f" if "sparsity" in name else ",.2f"
        print(f"| {name} | {value:{form}} | {other[name]:{form}} |")
    print(json.dumps(same))


if __name__ == "__main__":
    main()

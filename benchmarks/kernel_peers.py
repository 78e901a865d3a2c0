"""What one step of training costs in other packages: forward, backward, Adam; the sizes and events of `kernels.py`.

    peers/bin/python benchmarks/kernel_peers.py NEURON BATCH STEPS SIZES [--repeats N] [--only NAME,...] [--json]

NEURON is "lif", "lif, recurrent" or "adlif, recurrent", SIZES the neurons of each hidden layer, such as 512,512. Run by
the Python that has the peers; each has a fresh process and one thread, and what is not installed is skipped with the
reason. Each is used as its documentation shows, in its own fastest form that runs on a CPU. Where it has no adaptive
neuron it runs its plain recurrent one, which is less work; the note says so.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

N_UNITS, N_CLASSES, DENSITY = 700, 20, 0.011
TIME_LIMIT = 900.0  # [s] for one peer
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}


@dataclass(frozen=True)
class Peer:
    """The network of a package, the package, and in what it differs from what is asked for."""

    make: Callable[
        [str, tuple[int, ...]], Any
    ]  # neuron and sizes to a module: (step, batch, unit) to (.., class), spikes
    distribution: str
    notes: dict[str, str]
    is_jax: bool = False


PEERS: dict[str, Peer] = {}


def peer(name: str, **notes: str) -> Callable[[Callable], Callable]:
    def register(make: Callable[[str, tuple[int, ...]], Any]) -> Callable[[str, tuple[int, ...]], Any]:
        PEERS[name] = Peer(make, name, notes)
        return make

    return register


@peer("snntorch", adlif="recurrent, not adaptive")
def snntorch(neuron: str, sizes: tuple[int, ...]) -> Any:
    import snntorch as snn
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = [N_UNITS, *sizes]
            self.inputs = torch.nn.ModuleList(
                torch.nn.Linear(n, m, bias=False) for n, m in zip(layers[:-1], sizes, strict=True)
            )
            if "recurrent" in neuron:
                cells = [snn.RSynaptic(alpha=0.67, beta=0.82, linear_features=n) for n in sizes]
            else:
                cells = [snn.Synaptic(alpha=0.67, beta=0.82) for n in sizes]
            self.cells = torch.nn.ModuleList(cells)
            self.readout = torch.nn.Linear(sizes[-1], N_CLASSES, bias=False)
            self.integrator = snn.Leaky(beta=0.82, reset_mechanism="none")

        def forward(self, events: Any) -> tuple[Any, list[Any]]:
            recurrent = "recurrent" in neuron
            states: list[Any] = [cell.init_rsynaptic() if recurrent else cell.init_synaptic() for cell in self.cells]
            membrane = self.integrator.init_leaky()
            membranes, fired = [], []
            for value in events:
                for i, (weight, cell) in enumerate(zip(self.inputs, self.cells, strict=True)):
                    out = cell(weight(value), *states[i])
                    states[i] = out if recurrent else out[1:]
                    value = out[0]
                    fired.append(value)
                _, membrane = self.integrator(self.readout(value), membrane)
                membranes.append(membrane)
            return torch.stack(membranes), fired

    return Network()


@peer("spikingjelly", adlif="recurrent, not adaptive")
def spikingjelly(neuron: str, sizes: tuple[int, ...]) -> Any:
    import torch
    from spikingjelly.activation_based import functional, layer
    from spikingjelly.activation_based import neuron as neurons

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            modules: list[Any] = []
            for n, m in zip([N_UNITS, *sizes[:-1]], sizes, strict=True):
                modules += [layer.Linear(n, m, bias=False), layer.SynapseFilter(tau=2.5)]
                cell = neurons.LIFNode(tau=5.0, detach_reset=True, v_reset=None, decay_input=False)
                recurrent = "recurrent" in neuron
                modules.append(layer.LinearRecurrentContainer(cell, m, m, bias=False) if recurrent else cell)
            self.hidden = torch.nn.ModuleList(modules)
            self.readout = layer.Linear(sizes[-1], N_CLASSES, bias=False)
            self.integrator = layer.SynapseFilter(tau=5.0)
            functional.set_step_mode(self, "m")

        def forward(self, events: Any) -> tuple[Any, list[Any]]:
            functional.reset_net(self)
            fired = []
            for i, module in enumerate(self.hidden):
                events = module(events)
                if i % 3 == 2:
                    fired.append(events)
            return self.integrator(self.readout(events)), fired

    return Network()


def spyx(neuron: str, sizes: tuple[int, ...]) -> Any:
    import spyx.nn as snn
    from flax import nnx

    rngs, spike = nnx.Rngs(0), importlib.import_module("spyx").axn.superspike()
    modules: list[Any] = []
    for n, m in zip([N_UNITS, *sizes[:-1]], sizes, strict=True):
        modules.append(nnx.Linear(n, m, use_bias=False, rngs=rngs))
        cell = snn.RCuBaLIF if "recurrent" in neuron else snn.CuBaLIF
        modules.append(cell((m,), alpha=0.67, beta=0.82, activation=spike, rngs=rngs))
        if "recurrent" in neuron:  # its own are drawn with a deviation of 1, far above what n neurons bear
            modules[-1].recurrent_w[...] = modules[-1].recurrent_w[...] * (0.5 * m**-0.5)
    modules += [nnx.Linear(sizes[-1], N_CLASSES, use_bias=False, rngs=rngs), snn.LI((N_CLASSES,), beta=0.82, rngs=rngs)]
    return snn.Sequential(*modules)


PEERS["spyx"] = Peer(spyx, "spyx", {"adlif": "recurrent, not adaptive"}, is_jax=True)


@peer("norse")
def norse(neuron: str, sizes: tuple[int, ...]) -> Any:
    import norse.torch as snn
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            modules: list[Any] = []
            for n, m in zip([N_UNITS, *sizes[:-1]], sizes, strict=True):
                if neuron == "adlif, recurrent":
                    modules.append(snn.LSNNRecurrent(n, m))
                elif neuron == "lif, recurrent":
                    modules.append(snn.LIFRecurrent(n, m))
                else:
                    modules += [torch.nn.Linear(n, m, bias=False), snn.LIF()]
            self.hidden = torch.nn.ModuleList(modules)
            self.readout = torch.nn.Linear(sizes[-1], N_CLASSES, bias=False)
            self.integrator = snn.LI()

        def forward(self, events: Any) -> tuple[Any, list[Any]]:
            fired = []
            for module in self.hidden:
                if isinstance(module, torch.nn.Linear):
                    events = module(events)
                else:
                    events, _ = module(events)
                    fired.append(events)
            return self.integrator(self.readout(events))[0], fired

    return Network()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("neuron")
    parser.add_argument("batch", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("sizes")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="steps, of which the median is shown")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes = tuple(int(size) for size in arguments.sizes.split(","))
    if arguments.child:
        measured = PEERS[arguments.child]
        print(
            json.dumps(measure(measured, arguments.neuron, arguments.batch, arguments.steps, sizes, arguments.repeats))
        )
        return
    chosen = arguments.only.split(",") if arguments.only else list(PEERS)
    rows = [in_fresh_process(name, sys.argv[1:5], arguments.repeats, arguments.neuron) for name in chosen]
    print(json.dumps(rows) if arguments.json else "\n".join(map(str, rows)))


def in_fresh_process(name: str, shape: list[str], repeats: int, neuron: str) -> dict:
    """The row of one peer, or the reason why there is none."""
    try:
        version = metadata.version(PEERS[name].distribution)
    except metadata.PackageNotFoundError:
        return {"who": name, "skipped": "not installed"}
    note = PEERS[name].notes.get(neuron.partition(",")[0])
    row = {"who": f"{name} {version}" + (f" ({note})" if note else ""), "threads": 1}
    command = [sys.executable, __file__, *shape, "--repeats", str(repeats), "--child", name]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, env=os.environ | ONE_THREAD, check=False
        )
    except subprocess.TimeoutExpired:
        return row | {"skipped": f"took more than {TIME_LIMIT:.0f} s"}
    if done.returncode:
        return row | {"skipped": done.stderr.strip().splitlines()[-1][:200]}
    return row | json.loads(done.stdout.splitlines()[-1])


def measure(chosen: Peer, neuron: str, n_batch: int, n_steps: int, sizes: tuple[int, ...], repeats: int) -> dict:
    warnings.simplefilter("ignore")
    if chosen.is_jax:
        return measure_jax(chosen, neuron, n_batch, n_steps, sizes, repeats)
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = chosen.make(neuron, sizes)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    with torch.no_grad():  # inputs strong enough for some of the first layer to fire
        next(network.parameters()).mul_(6.0)

    def step(events: Any) -> list[Any]:
        labels = torch.arange(events.shape[1]) % N_CLASSES
        optimizer.zero_grad()
        membranes, fired = network(events)
        torch.nn.functional.cross_entropy(membranes.amax(dim=0), labels).backward()
        optimizer.step()
        return [spikes.detach() for spikes in fired]

    step(torch.zeros(3, 2, N_UNITS))  # loads what is loaded once
    events = (torch.rand(n_steps, n_batch, N_UNITS) < DENSITY).float()
    return cost_of(lambda: step(events), repeats)


def measure_jax(chosen: Peer, neuron: str, n_batch: int, n_steps: int, sizes: tuple[int, ...], repeats: int) -> dict:
    """The same of a network in JAX; how often it fires is not known from outside."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    work = jax_step(chosen, neuron, n_batch, n_steps, sizes)
    work()  # the second call compiles again
    return cost_of(work, repeats)


def jax_step(chosen: Peer, neuron: str, n_batch: int, n_steps: int, sizes: tuple[int, ...]) -> Callable[[], list[Any]]:
    """A function that trains once, compiled as a whole, on the device that JAX prefers."""
    import jax
    import numpy as np
    import optax
    import spyx.nn as snn
    from flax import nnx

    network = chosen.make(neuron, sizes)
    optimizer = nnx.Optimizer(network, optax.adam(1e-3), wrt=nnx.Param)
    events = jax.numpy.asarray(np.random.default_rng(0).random((n_steps, n_batch, N_UNITS)) < DENSITY, "float32")
    labels = jax.numpy.arange(n_batch) % N_CLASSES

    @nnx.jit
    def step(network: Any, optimizer: Any) -> Any:
        def loss_of(network: Any) -> Any:
            scores = snn.run(network, events)[0].max(axis=0)
            return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

        loss, gradients = nnx.value_and_grad(loss_of)(network)
        optimizer.update(network, gradients)
        return loss

    def work() -> list[Any]:
        jax.block_until_ready(step(network, optimizer))
        return []

    return work


def cost_of(work: Callable[[], list[Any]], repeats: int) -> dict:
    """Median times, memory, and the share of ones in what the work returns."""
    before = forget_highest()
    spikes = work()
    costs = []
    for _ in range(repeats):
        spikes = []  # lets go of them before the next are made
        before_step = time.process_time(), time.perf_counter(), time.thread_time()
        spikes = work()
        after_step = time.process_time(), time.perf_counter(), time.thread_time()
        costs.append([after - before for before, after in zip(before_step, after_step, strict=True)])
    highest = memory("VmHWM") - before
    shares = [float(layer.mean()) for layer in spikes]
    cpu, wall, own = (1e3 * statistics.median(column) for column in zip(*costs, strict=True))
    firing = sum(shares) / len(shares) if shares else None
    return {"cpu_ms": cpu, "wall_ms": wall, "own_ms": own, "mb": highest, "firing": firing}


def forget_highest() -> float:
    """The resident size [MB], from which on the highest is kept anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return memory("VmRSS")


def memory(field: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(field)) / 1024


if __name__ == "__main__":
    main()

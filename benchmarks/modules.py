"""What one training step costs through the modules of `spikedata.nn`, a plain PyTorch loop, snnTorch and norse.

    peers/bin/python benchmarks/modules.py [--batch N] [--steps N] [--rounds N] [--only NAME,...] [--json FILE]

A recurrent network 700-256-20: forward, cross-entropy of the largest membrane over time, backward, Adam, on random
spikes of 1.1 % density. Run by a Python that has this package and the peers; what is not installed is skipped. In each
round every network trains one step, one after the other, so that a busy machine slows all of them alike; CPU time of
one thread, medians over the rounds after a first step that is not counted. Memory is the highest resident size of a
process of its own above that before its first step of full size. Linux.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}

import torch
from kernel_peers import DENSITY, N_CLASSES, N_UNITS, PEERS, forget_highest, memory
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import spikedata.nn as snn

N_HIDDEN, GAIN, DT = 256, 3.0, 4e-3  # a gain with which some of the neurons fire
Step = Callable[[], float]


class PlainLoop(nn.Module):
    """The loop that one would write: recurrent LIF neurons and a leaky readout, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.params = snn.LIFParams()
        self.inputs = nn.Linear(N_UNITS, N_HIDDEN, bias=False)
        self.recurrent = nn.Linear(N_HIDDEN, N_HIDDEN, bias=False)
        self.readout = nn.Linear(N_HIDDEN, N_CLASSES, bias=False)
        nn.init.normal_(self.inputs.weight, std=GAIN * N_UNITS**-0.5)

    def forward(self, counts: Tensor) -> tuple[Tensor, Tensor]:
        alpha, beta = self.params.decays(DT)
        current = membrane = counts.new_zeros(len(counts), N_HIDDEN)
        slow = output = counts.new_zeros(len(counts), N_CLASSES)
        outputs, fired = [], []
        for drive in self.inputs(counts).unbind(1):
            spikes = snn.spike(membrane - 1.0, self.params.surrogate)
            membrane = beta * membrane + current - spikes.detach()
            current = alpha * current + drive + self.recurrent(spikes)
            outputs.append(output)
            output, slow = beta * output + slow, alpha * slow + self.readout(spikes)
            fired.append(spikes)
        return torch.stack(outputs, 1).amax(1), torch.stack(fired, 1)


class Modules(nn.Module):
    """The same of the modules of this package."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = snn.Linear(N_UNITS, N_HIDDEN, gain=GAIN)
        self.neurons = snn.LIF(N_HIDDEN, recurrent=True, dt=DT)
        self.readout = snn.Readout(N_HIDDEN, N_CLASSES, dt=DT)

    def forward(self, counts: Tensor) -> tuple[Tensor, Tensor]:
        spikes = self.neurons(self.inputs(counts))
        return self.readout(spikes), spikes


class TimeFirst(nn.Module):
    """A network of a peer, which takes the step as the first axis."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.network = PEERS[name].make("lif, recurrent", (N_HIDDEN,))
        with torch.no_grad():
            next(self.network.parameters()).mul_(6.0)  # as in kernel_peers.py

    def forward(self, counts: Tensor) -> tuple[Tensor, Tensor]:
        membranes, fired = self.network(counts.transpose(0, 1))
        return membranes.amax(0), torch.stack([spikes.detach() for spikes in fired])


MAKE: dict[str, Callable[[], nn.Module]] = {
    "spikedata.nn modules": Modules,
    "plain PyTorch loop": PlainLoop,
    "snntorch": lambda: TimeFirst("snntorch"),
    "norse": lambda: TimeFirst("norse"),
}


def training_step(name: str, n_batch: int, n_steps: int) -> Step:
    """A function that trains once and returns the share of hidden neurons that fired in a step."""
    torch.manual_seed(0)
    network = MAKE[name]()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    counts = (torch.rand(n_batch, n_steps, N_UNITS, generator=torch.Generator().manual_seed(0)) < DENSITY).float()
    labels = torch.arange(n_batch) % N_CLASSES

    def step() -> float:
        optimizer.zero_grad()
        logits, spikes = network(counts)
        cross_entropy(logits, labels).backward()
        optimizer.step()
        return float(spikes.detach().mean())

    return step


def memory_of(name: str, n_batch: int, n_steps: int) -> float:
    """The highest resident size [MB] of steps above that before."""
    training_step(name, 2, 3)()  # loads what is loaded once
    step = training_step(name, n_batch, n_steps)
    before = forget_highest()
    step()
    step()
    return memory("VmHWM") - before


def is_there(name: str) -> bool:
    try:
        training_step(name, 2, 3)()
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=128, metavar="N", help="clips in a step")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="time steps of a clip")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="of which the median is shown")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(MAKE)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the table there")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    size = arguments.batch, arguments.steps
    if arguments.memory_of:
        print(memory_of(arguments.memory_of, *size))
        return
    names = [name for name in (arguments.only or ",".join(MAKE)).split(",") if is_there(name)]
    work = {name: training_step(name, *size) for name in names}
    firing = {name: step() for name, step in work.items()}
    spent: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(arguments.rounds):
        for name, step in work.items():
            begin = time.process_time()
            step()
            spent[name].append(1e3 * (time.process_time() - begin))
    first = statistics.median(spent[names[0]])
    rows = [
        {
            "network": name,
            "cpu_ms": statistics.median(spent[name]),
            "times_ours": statistics.median(spent[name]) / first,
            "mb": in_fresh_process(name, size),
            "firing": firing[name],
        }
        for name in names
    ]
    print(f"700-{N_HIDDEN} (recurrent)-20, {size[0]} clips of {size[1]} steps\n\n{as_markdown(rows)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def in_fresh_process(name: str, size: tuple[int, int]) -> float:
    command = [sys.executable, __file__, "--batch", str(size[0]), "--steps", str(size[1]), "--memory-of", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def as_markdown(rows: list[dict]) -> str:
    lines = ["| network | CPU ms | times ours | MB | firing |", "|---|---:|---:|---:|---:|"]
    for row in rows:
        lines.append(
            f"| {row['network']} | {row['cpu_ms']:.0f} | {row['times_ours']:.1f} | {row['mb']:.0f} "
            f"| {row['firing']:.1%} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

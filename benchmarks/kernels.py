"""What one step of training costs: our fused kernels, our plain loops, the products of matrices alone, and peers.

    python benchmarks/kernels.py [--repeats N] [--size TEXT] [--only NAME,...] [--peers PYTHON] [--json]

A step is forward, backward and optimizer (Adam), on random events of 1.1 % density. Every row has a fresh process; CPU
and wall time are medians over the repeats after a first step that is not counted. Memory is the highest resident size
above that before the first step; a step on two clips has then loaded what is loaded once (compiled code and libraries,
some 80 MB of ours). `products` is what the products of matrices that a dense form needs take alone. With --peers, the
Python of an environment that has them, the rows of `benchmarks/kernel_peers.py` stand beside ours. Linux.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from kernel_peers import DENSITY, N_CLASSES, N_UNITS, cost_of
from torch import Tensor
from torch.nn.functional import cross_entropy

from spikedata.nn.kernels import (
    dense_events,
    kernel_threads,
    max_over_time,
    project_events,
    project_spikes,
    run_adlif,
    run_integrator,
    run_lif,
)
from spikedata.nn.neurons import (
    AdLIFFractions,
    AdLIFParams,
    IntegratorParams,
    LIFParams,
    adlif_coefficients,
    adlif_loop,
    leaky_integrator,
    lif_loop,
)

DT = 4e-3  # [s]
INPUT_GAIN = {"lif": 0.14, "lif, recurrent": 0.14, "adlif, recurrent": 2.0}  # so that about 5 % of all neurons fire
SIZES = {  # name: neuron, batch, steps, neurons of each hidden layer
    "700-128-20, 256 x 250": ("lif", 256, 250, (128,)),
    "700-128-20 recurrent, 256 x 250": ("lif, recurrent", 256, 250, (128,)),
    "700-512-512-20 adaptive recurrent, 128 x 100": ("adlif, recurrent", 128, 100, (512, 512)),
    "700-512-512-20 adaptive recurrent, 256 x 250": ("adlif, recurrent", 256, 250, (512, 512)),
}
FORMS = (("fused", 1), ("fused", 2), ("plain", 1), ("products", 1))


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        name, form, n_threads = arguments.child
        print(json.dumps(measure(name, form, int(n_threads), arguments.repeats)))
        return
    rows = []
    for name in (name for name in SIZES if (arguments.size or "") in name):
        for form, n_threads in FORMS:
            if not arguments.only or f"{form} {n_threads}" in arguments.only.split(","):
                rows.append(in_fresh_process(name, form, n_threads, arguments.repeats))
        if arguments.peers:
            rows += peers(arguments.peers, name, arguments.repeats)
    print(json.dumps(rows, indent=2) if arguments.json else as_markdown(rows))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="steps, of which the median is shown")
    parser.add_argument("--size", metavar="TEXT", help='only sizes with this in their names, such as "128 x 100"')
    parser.add_argument("--only", metavar="NAME,...", help='of ours, such as "fused 1,products 1"')
    parser.add_argument("--peers", metavar="PYTHON", help="the Python of an environment with the peers")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args()


def in_fresh_process(name: str, form: str, n_threads: int, repeats: int) -> dict:
    command = [sys.executable, __file__, "--repeats", str(repeats), "--child", name, form, str(n_threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def measure(name: str, form: str, n_threads: int, repeats: int) -> dict:
    """Median cost of a step, and what it needs of memory."""
    torch.set_num_threads(1)
    neuron, n_batch, n_steps, sizes = SIZES[name]
    if form == "products":
        work = products(neuron, n_batch * n_steps, n_batch, sizes)
    else:
        training_step(neuron, 2, 3, sizes, fused=form == "fused")()
        work = training_step(neuron, n_batch, n_steps, sizes, fused=form == "fused")
    with kernel_threads(n_threads):
        return {"size": name, "who": f"ours, {form}", "threads": n_threads, **cost_of(work, repeats)}


def random_events(n_batch: int, n_steps: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Lists of events: each unit fires with the same probability in each step."""
    rng = np.random.default_rng(seed)
    counts = rng.binomial(N_UNITS, DENSITY, n_batch * n_steps)
    units = np.concatenate([np.sort(rng.choice(N_UNITS, count, replace=False)) for count in counts])
    ends = np.concatenate([[0], np.cumsum(counts)])
    offsets = np.stack([ends[i : i + n_steps + 1] for i in range(0, n_batch * n_steps, n_steps)])
    return torch.from_numpy(units.astype(np.uint16)), torch.from_numpy(offsets)


def training_step(
    neuron: str, n_batch: int, n_steps: int, sizes: tuple[int, ...], *, fused: bool
) -> Callable[[], list[Tensor]]:
    """A function that trains once and returns the spikes of the hidden layers."""
    units, offsets = random_events(n_batch, n_steps)
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, N_CLASSES, n_batch))
    dense = None if fused else dense_events(units, offsets, N_UNITS, torch.float32)
    generator = torch.Generator().manual_seed(0)

    def weight(n_from: int, n_to: int, gain: float) -> Tensor:
        return (torch.randn(n_from, n_to, generator=generator) * gain).requires_grad_()

    inputs = [weight(N_UNITS, sizes[0], INPUT_GAIN[neuron])]
    inputs += [weight(n, m, 8.0 * n**-0.5) for n, m in pairwise(sizes)]
    recurrent = [weight(n, n, 0.5 * n**-0.5) if "recurrent" in neuron else None for n in sizes]
    readout = weight(sizes[-1], N_CLASSES, sizes[-1] ** -0.5)
    fractions = [AdLIFFractions(*torch.rand(4, n, generator=generator)) for n in sizes] if "adlif" in neuron else []
    trained = [*inputs, *(w for w in recurrent if w is not None), readout]
    trained += [values.requires_grad_() for layer in fractions for values in layer]
    optimizer = torch.optim.Adam(trained, lr=1e-3)
    lif, adlif, integrator = LIFParams(), AdLIFParams(), IntegratorParams()

    def layer(drive: Tensor, i: int) -> Tensor:
        if fractions:
            coefficients = adlif_coefficients(fractions[i], adlif, dt=DT)
            return (run_adlif if fused else adlif_loop)(drive, recurrent[i], coefficients, adlif)
        return (run_lif if fused else lif_loop)(drive, recurrent[i], lif, dt=DT)

    def step() -> list[Tensor]:
        optimizer.zero_grad()
        project = project_spikes if fused else torch.matmul
        drive = torch.matmul(dense, inputs[0]) if dense is not None else project_events(units, offsets, inputs[0])
        fired = []
        for i in range(len(sizes)):
            spikes = layer(drive, i)
            fired.append(spikes.detach())
            drive = project(spikes, inputs[i + 1] if i + 1 < len(sizes) else readout)
        membranes = (run_integrator if fused else leaky_integrator)(drive, integrator, dt=DT)
        scores = max_over_time(membranes) if fused else membranes.amax(dim=1)
        cross_entropy(scores, labels).backward()
        optimizer.step()
        return fired

    return step


def products(neuron: str, n_rows: int, n_batch: int, sizes: tuple[int, ...]) -> Callable[[], list[Tensor]]:
    """The products of one step: each weight forward, its gradient, and the gradient of what it was given."""
    layers = [N_UNITS, *sizes, N_CLASSES]
    values = torch.randn(n_rows, max(layers))
    into = torch.empty(n_rows * max(sizes))

    def multiply(n: int, m: int, rows: slice, backward: bool) -> None:
        weight = values[:n, :m]
        given, gradient = values[rows, :n], values[rows, :m]
        length = len(given)
        torch.mm(given, weight, out=into[: length * m].view(length, m))
        torch.mm(given.t(), gradient, out=into[: n * m].view(n, m))
        if backward:
            torch.mm(gradient, weight.t(), out=into[: length * n].view(length, n))

    def work() -> list[Tensor]:
        for n, m in pairwise(layers):
            multiply(n, m, slice(None), n != N_UNITS)
        if "recurrent" in neuron:
            for n in sizes:
                for first in range(0, n_rows, n_batch):
                    multiply(n, n, slice(first, first + n_batch), True)
        return []

    return work


def peers(python: str, name: str, repeats: int) -> list[dict]:
    script = Path(__file__).with_name("kernel_peers.py")
    neuron, n_batch, n_steps, sizes = SIZES[name]
    shape = [neuron, str(n_batch), str(n_steps), ",".join(map(str, sizes))]
    command = [python, str(script), *shape, "--repeats", str(repeats), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return []
    return [{"size": name, **row} for row in json.loads(done.stdout)]


def as_markdown(rows: list[dict]) -> str:
    lines = ["| size | who | threads | CPU ms | wall ms | MB | firing |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        if "skipped" in row:
            lines.append(f"| {row['size']} | {row['who']} | | {row['skipped']} | | | |")
            continue
        firing = "" if row["firing"] is None else f"{row['firing']:.1%}"
        numbers = f"{row['cpu_ms']:,.0f} | {row['wall_ms']:,.0f} | {row['mb']:,.0f} | {firing}"
        lines.append(f"| {row['size']} | {row['who']} | {row['threads']} | {numbers} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

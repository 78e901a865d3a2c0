"""What one step of training costs: our fused kernels, our plain loops, the products of matrices alone, and peers.

    python benchmarks/kernels.py [--repeats N] [--size TEXT] [--only NAME,...] [--peers PYTHON] [--ratios] [--json]

A step is forward, backward and optimizer (Adam), on random events of 1.1 % density. Every row has a fresh process; CPU
and wall time are medians over the repeats after a first step that is not counted. Memory is the highest resident size
above that before the first step; a step on two clips has then loaded what is loaded once (compiled code and libraries,
some 80 MB of ours). `products` is what the products of matrices that a dense form needs take alone; `needed` those that
remain where spikes are gathered, and `bytes` what reading and writing the layers takes: together a floor for this way
of computing. With --peers, the Python of an environment that has them, the rows of `benchmarks/kernel_peers.py` stand
beside ours. Linux.

With --ratios instead: what bfloat16 products and a second thread gain, from steps of all four kinds in turn in one
process, so that other programs disturb all alike. The gain of bfloat16 is one of CPU times. That of a second thread is
worked out from the CPU times of threads, since a wall time of two needs two processors that nobody else uses: the main
thread waits while others work, so a step takes its own time and half of theirs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
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
from spikedata.training.devices import at_precision

DT = 4e-3  # [s]
INPUT_GAIN = {"lif": 0.14, "lif, recurrent": 0.14, "adlif, recurrent": 2.0}  # so that about 5 % of all neurons fire
SIZES = {  # name: neuron, batch, steps, neurons of each hidden layer
    "700-128-20, 256 x 250": ("lif", 256, 250, (128,)),
    "700-128-20 recurrent, 256 x 250": ("lif, recurrent", 256, 250, (128,)),
    "700-512-512-20 adaptive recurrent, 128 x 100": ("adlif, recurrent", 128, 100, (512, 512)),
    "700-512-512-20 adaptive recurrent, 256 x 250": ("adlif, recurrent", 256, 250, (512, 512)),
}
FORMS = (("fused", 1), ("fused", 2), ("fused bfloat16", 1), ("plain", 1), ("products", 1), ("products bfloat16", 1),
    ("needed", 1), ("needed bfloat16", 1), ("bytes", 1),
)  # fmt: skip


def main() -> None:
    arguments = parse_arguments()
    if arguments.child:
        name, form, n_threads = arguments.child
        found = ratios(name, arguments.repeats) if form == "ratios" else None
        print(json.dumps(found or measure(name, form, int(n_threads), arguments.repeats)))
        return
    if arguments.ratios:
        chosen = [name for name in SIZES if (arguments.size or "") in name]
        found = [in_fresh_process(name, "ratios", 2, arguments.repeats) for name in chosen]
        print(json.dumps(found, indent=2) if arguments.json else ratios_as_markdown(found))
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
    parser.add_argument("--ratios", action="store_true", help="what bfloat16 and a second thread gain")
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
    form, _, precision = form.partition(" ")
    if form in ("products", "needed"):
        work = products(neuron, n_batch * n_steps, n_batch, sizes, needed_only=form == "needed")
    elif form == "bytes":
        work = copies(neuron, n_batch * n_steps, sizes)
    else:
        training_step(neuron, 2, 3, sizes, fused=form == "fused")()
        work = training_step(neuron, n_batch, n_steps, sizes, fused=form == "fused")
    with kernel_threads(n_threads), at_precision("medium" if precision else "highest"):
        return {
            "size": name,
            "who": f"ours, {form} {precision}".rstrip(),
            "threads": n_threads,
            **cost_of(work, repeats),
        }


def ratios(name: str, repeats: int) -> dict:
    """Medians over rounds: each has a step of every kind, so that they share what else the machine does."""
    torch.set_num_threads(1)
    neuron, n_batch, n_steps, sizes = SIZES[name]
    work = training_step(neuron, n_batch, n_steps, sizes, fused=True)
    kinds = [(precision, n) for precision in ("highest", "medium") for n in (1, 2)]
    costs: dict[tuple[str, int], list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for round_number in range(repeats + 1):
        for precision, n_threads in kinds:
            with kernel_threads(n_threads), at_precision(precision):
                before = time.process_time(), time.thread_time()
                work()
                spent, own = time.process_time() - before[0], time.thread_time() - before[1]
            if round_number:
                costs[precision, n_threads].append((1e3 * spent, 1e3 * own))
    single = {precision: costs[precision, 1] for precision in ("highest", "medium")}
    gain = [full[0] / half[0] for full, half in zip(single["highest"], single["medium"], strict=True)]
    threads = {
        precision: statistics.median(
            one[0] / (own + (both - own) / 2)
            for one, (both, own) in zip(single[precision], costs[precision, 2], strict=True)
        )
        for precision in single
    }
    return {
        "size": name,
        "rounds": repeats,
        "cpu_ms": {precision: statistics.median(spent for spent, _ in single[precision]) for precision in single},
        "own_ms": {precision: statistics.median(own for _, own in costs[precision, 2]) for precision in single},
        "bfloat16": statistics.median(gain),
        "second_thread": threads,
    }


def ratios_as_markdown(rows: list[dict]) -> str:
    lines = [
        "| size | CPU ms, float32 | CPU ms, bfloat16 | gain of bfloat16 | of a second thread, float32 | bfloat16 |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cpu, second = row["cpu_ms"], row["second_thread"]
        numbers = f"{cpu['highest']:,.0f} | {cpu['medium']:,.0f} | {row['bfloat16']:.2f}"
        lines.append(f"| {row['size']} | {numbers} | {second['highest']:.2f} | {second['medium']:.2f} |")
    return "\n".join(lines)


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


def copies(neuron: str, n_rows: int, sizes: tuple[int, ...]) -> Callable[[], list[Tensor]]:
    """A copy of as many bytes as a step must at least read and write for its hidden layers, half of them each.

    Forward, of each layer: the drive is written and read, membranes and spikes are written, the spikes read. Backward:
    the gradient of the spikes is written and read, the membranes are read, the gradient of the drive is written and
    read, by the product with each weight that leads to the layer and by the one that leads back.
    """
    n_passes = [5 + 4 + 1 + ("recurrent" in neuron) + (layer > 0) for layer in range(len(sizes))]
    given, copied = torch.zeros(2, n_rows * max(sizes))

    def work() -> list[Tensor]:
        for n, passes in zip(sizes, n_passes, strict=True):
            for _ in range(passes // 2):
                copied[: n_rows * n].copy_(given[: n_rows * n])
            if passes % 2:
                copied[: n_rows * n // 2].copy_(given[: n_rows * n // 2])
        return []

    return work


def products(
    neuron: str, n_rows: int, n_batch: int, sizes: tuple[int, ...], *, needed_only: bool = False
) -> Callable[[], list[Tensor]]:
    """The products of one step: each weight forward, its gradient, and the gradient of what it was given.

    Only the last is needed where few neurons fire: gradients are dense, while spikes can be gathered.
    """
    layers = [N_UNITS, *sizes, N_CLASSES]
    values = torch.randn(n_rows, max(layers))
    into = torch.empty(n_rows * max(sizes))

    def multiply(n: int, m: int, rows: slice, backward: bool) -> None:
        weight = values[:n, :m]
        given, gradient = values[rows, :n], values[rows, :m]
        length = len(given)
        if not needed_only:
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

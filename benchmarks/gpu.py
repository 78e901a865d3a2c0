"""What a GPU makes of the networks: steps per second and memory, plain loops and Triton kernels, beside other packages.

    python benchmarks/gpu.py [--out NAME] [--minutes 9] [--only TEXT] [--peers spyx,spikingjelly] [--json]
    python benchmarks/gpu.py --device cpu --quick          # a dry run, of tiny networks: its numbers mean nothing

For each network, first whether its Triton kernels agree with the plain loops on this card; then training steps
(forward, backward, Adam) on random events of 1.1 % density, per second, with the most memory that PyTorch held; then
one epoch of 8,150 clips that lie on the card as bytes, whole batches drawn there. Peers run where they can be imported,
each in its own fastest form; where they have no adaptive neuron they run their plain recurrent one. What does not fit
into the time is left out and named. Writes NAME.json and NAME.md, and prints the table.
"""

import argparse
import dataclasses
import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import torch
from kernel_peers import DENSITY, N_CLASSES, N_UNITS, PEERS
from torch import Tensor
from torch.nn.functional import cross_entropy

from spikedata.nn.kernels import gpu as choice
from spikedata.nn.networks import SpikingNetworkParams, make_network
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import AdLIFParams, LIFParams

N_CLIPS = 8_150  # of an epoch: the training clips of the Heidelberg Digits
SECONDS = 4.0  # for the steps of one row
QUICK = {"batch": 4, "steps": 6, "hidden": 8, "clips": 10}


class Size(NamedTuple):
    """A network, and the batches that it is trained with."""

    name: str
    neuron: str  # as kernel_peers.py names it
    params: SpikingNetworkParams
    batch: int


def sizes(quick: bool) -> list[Size]:
    published = SpikingNetworkParams(
        hidden=(128,),
        neuron=LIFParams(reset="zero"),
        initialization=InitializationParams(kind="uniform", input_gain=1.0, recurrent_gain=1.0, readout_gain=1.0),
        dt=4e-3,
    )
    orthogonal = InitializationParams(kind="orthogonal", input_gain=1.0, recurrent_gain=1.0)
    adaptive = SpikingNetworkParams(
        neuron=AdLIFParams(), readout="softmax_sum", bias=True, initialization=orthogonal, dt=4e-3
    )
    found = [
        Size("published, 700-128-20 recurrent", "lif, recurrent", published, 256),
        Size("published, 700-1024-20 recurrent", "lif, recurrent", dataclasses.replace(published, hidden=(1024,)), 256),
        Size("adaptive, 2 x 256", "adlif, recurrent", dataclasses.replace(adaptive, hidden=(256, 256), dt=1e-2), 128),
        Size("adaptive, 2 x 512", "adlif, recurrent", dataclasses.replace(adaptive, hidden=(512, 512)), 256),
    ]
    if not quick:
        return found
    small = (QUICK["hidden"],)
    return [
        size._replace(
            params=dataclasses.replace(
                size.params, hidden=small * len(size.params.hidden), duration=QUICK["steps"] * size.params.dt
            ),
            batch=QUICK["batch"],
        )
        for size in found
    ]


def main(words: list[str] | None = None) -> None:
    arguments = parse_arguments(words)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("no GPU: PyTorch finds none here; a dry run takes --device cpu --quick")
    device = torch.device(arguments.device)
    ends = time.monotonic() + 60 * arguments.minutes
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    chosen = [size for size in sizes(arguments.quick) if arguments.only in size.name]
    jobs: list[tuple[str, Callable[[], dict[str, Any]]]] = []
    for size in chosen:
        for form in ("plain", "Triton"):
            jobs.append(
                (f"{size.name}: {form}", lambda size=size, form=form: ours(size, form, device, arguments.quick))
            )
        for name in filter(None, arguments.peers.split(",")):
            jobs.append((f"{size.name}: {name}", lambda size=size, name=name: peer(size, name, device)))
    for name, job in jobs:
        if time.monotonic() > ends:
            left_out.append(name)
            continue
        print(name, file=sys.stderr, flush=True)
        try:
            rows.append(job())
        except Exception as error:  # of a package or compiler that this machine has and no other: the rest goes on
            rows.append({"size": name.partition(":")[0], "who": name.partition(": ")[2], "skipped": one_line(error)})
    result = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu, a dry run",
        "torch": torch.__version__,
        "triton": version_of("triton"),
        "rows": rows,
        "left_out": left_out,
    }
    text = as_markdown(result)
    if arguments.out:
        Path(f"{arguments.out}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        Path(f"{arguments.out}.md").write_text(text + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1) if arguments.json else text)


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu for a dry run")
    parser.add_argument("--quick", action="store_true", help="tiny networks")
    parser.add_argument("--minutes", type=float, default=9.0, metavar="N", help="after which no row is begun")
    parser.add_argument("--only", default="", metavar="TEXT", help="networks with this in their names")
    parser.add_argument("--peers", default="spyx,spikingjelly", metavar="NAME,...")
    parser.add_argument("--out", metavar="NAME", help="write NAME.json and NAME.md")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(words)


def random_counts(n_clips: int, n_steps: int, device: torch.device) -> Tensor:
    """Events of clips (clip, step, unit), one byte each, on the card."""
    generator = torch.Generator(device).manual_seed(0)
    counts = torch.empty(n_clips, n_steps, N_UNITS, dtype=torch.uint8, device=device)
    for first in range(0, n_clips, 256):
        part = counts[first : first + 256]
        part.copy_(torch.rand(part.shape, device=device, generator=generator) < DENSITY)
    return counts


def ours(size: Size, form: str, device: torch.device, quick: bool) -> dict[str, Any]:
    """Steps per second, memory, seconds of an epoch, and for Triton by how much it differs from the plain loops."""
    row: dict[str, Any] = {"size": size.name, "who": f"ours, {form}"}
    if form == "Triton" and (device.type != "cuda" or not choice.has_triton()):
        return row | {"skipped": "needs a GPU" if device.type != "cuda" else "triton is not installed"}
    network = made(size, device)
    n_steps = size.params.n_steps
    counts = random_counts(QUICK["clips"] if quick else N_CLIPS, n_steps, device)
    labels = torch.arange(len(counts), device=device) % N_CLASSES
    if form == "Triton":
        row |= agreement(size, counts[: size.batch].float(), labels[: size.batch], device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def step(chosen: Tensor) -> None:
        optimizer.zero_grad()
        cross_entropy(network(counts[chosen].float()).logits, labels[chosen]).backward()
        optimizer.step()

    with choice.triton_kernels(form == "Triton"):
        first = torch.arange(size.batch, device=device)
        row |= measured(lambda: step(first), device)
        began = time.perf_counter()
        for chosen in torch.randperm(len(counts), device=device).split(size.batch):
            step(chosen)
        wait_for(device)
    return row | {"epoch_s": time.perf_counter() - began, "clips": len(counts)}


def made(size: Size, device: torch.device) -> Any:
    generator = torch.Generator().manual_seed(0)
    return make_network(size.params, n_units=N_UNITS, n_classes=N_CLASSES, generator=generator).to(device)


def agreement(size: Size, inputs: Tensor, labels: Tensor, device: torch.device) -> dict[str, Any]:
    """By how much the Triton kernels differ from the plain loops: spikes, and gradients beside the largest."""
    found = []
    for allowed in (True, False):
        network = made(size, device)
        with choice.triton_kernels(allowed):
            activity = network(inputs)
            cross_entropy(activity.logits, labels).backward()
        found.append((activity.spikes, [weight.grad for weight in network.parameters()]))
    (fused, of_fused), (plain, of_plain) = found
    differ = sum(int((a != b).sum()) for a, b in zip(fused, plain, strict=True))
    apart = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(of_fused, of_plain, strict=True)]
    return {"spikes_that_differ": differ / sum(a.numel() for a in fused), "gradients_apart": max(apart)}


def measured(step: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Steps per second after two that do not count, and the most memory of PyTorch's."""
    for _ in range(2):
        step()
    wait_for(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    n, began = 0, time.perf_counter()
    while n < 3 or (time.perf_counter() - began < SECONDS and n < 200):
        step()
        n += 1
        if n % 10 == 0 or n < 3:
            wait_for(device)  # so that the clock sees what the card has done
    wait_for(device)
    seconds = time.perf_counter() - began
    memory = torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else float("nan")
    return {"steps_per_s": n / seconds, "mb": memory}


def wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peer(size: Size, name: str, device: torch.device) -> dict[str, Any]:
    """The same of another package: random events made anew on the card, and no epoch."""
    row = {"size": size.name, "who": f"{name} {version_of(name)}"}
    if name not in PEERS or importlib.util.find_spec(name) is None:
        return row | {"skipped": "cannot be imported"}
    known = PEERS[name]
    note = known.notes.get(size.neuron.partition(",")[0])
    row["who"] += f" ({note})" if note else ""
    if known.is_jax:
        return row | of_jax(size, name, device)
    network = known.make(size.neuron, size.params.hidden).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    events = random_counts(size.batch, size.params.n_steps, device).transpose(0, 1).float().contiguous()
    labels = torch.arange(size.batch, device=device) % N_CLASSES

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(network(events)[0].amax(dim=0), labels).backward()
        optimizer.step()

    return row | measured(step, device)


def of_jax(size: Size, name: str, device: torch.device) -> dict[str, Any]:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leave PyTorch some memory of the card
    jax = importlib.import_module("jax")
    if device.type == "cuda" and jax.default_backend() != "gpu":
        return {"skipped": f"JAX computes on {jax.default_backend()} here"}
    step = importlib.import_module("kernel_peers").jax_step(
        PEERS[name], size.neuron, size.batch, size.params.n_steps, size.params.hidden
    )
    found = measured(step, torch.device("cpu"))
    held = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return found | {"mb": held / 2**20 if held else float("nan")}


def version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def one_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:160]}"


def as_markdown(result: dict[str, Any]) -> str:
    lines = [
        f"{result['device']}; torch {result['torch']}, triton {result['triton']}",
        "",
        "| network | who | steps per s | MB | epoch [s] | spikes that differ | gradients apart |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        if "skipped" in row:
            lines.append(f"| {row['size']} | {row['who']} | {row['skipped']} | | | | |")
            continue
        epoch = f"{row['epoch_s']:.2f}" if "epoch_s" in row else ""
        differ = f"{row['spikes_that_differ']:.1e}" if "spikes_that_differ" in row else ""
        apart = f"{row['gradients_apart']:.1e}" if "gradients_apart" in row else ""
        numbers = f"{row['steps_per_s']:.1f} | {row['mb']:,.0f} | {epoch} | {differ} | {apart}"
        lines.append(f"| {row['size']} | {row['who']} | {numbers} |")
    if result["left_out"]:
        lines += ["", f"Left out, for want of time: {'; '.join(result['left_out'])}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

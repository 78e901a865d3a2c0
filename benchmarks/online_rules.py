"""Time and memory of the online rules against back-propagation through time, by the number of steps.

    python benchmarks/online_rules.py shd_train.h5 [--out online_rules] [--steps 100 300 1000 3000]

For a recurrent network 700-256-20 and 128 spoken digits: CPU time of a gradient by each rule in turn, in one process
and on one thread, and the median of their ratios to back-propagation; and how much more memory a process of its own
needs at most than before. Inputs are event lists. Writes OUT.json, OUT.md and OUT.png, and prints the table.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from spikedata.learning import online_gradients
from spikedata.nn.kernels import kernel_threads
from spikedata.nn.networks import SpikingNetwork, SpikingNetworkParams
from spikedata.nn.networks.initialization import InitializationParams
from spikedata.nn.neurons import ALIFParams, LIFParams
from spikedata.nn.threads import on_one_thread
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GRAY, INK, LEGEND, VERMILION, new_figure, styled
from spikedata.torch import SpikeDataset
from spikedata.training.batches import Grid, iterate_batches

RULES = ("bptt", "eprop", "superspike")
NEURONS = {
    "LIF": (LIFParams(reset="zero"), InitializationParams(kind="fluctuation")),
    "ALIF": (ALIFParams(), InitializationParams(input_gain=1.0, recurrent_gain=1.0, readout_gain=1.0)),
}
SECONDS, N_CLIPS = 1.0, 128


def network_and_batch(file, neuron, n_steps):
    """An untrained network, and the first clips of a file in steps of that number."""
    kind, initialization = NEURONS[neuron]
    dt = SECONDS / n_steps
    params = SpikingNetworkParams(
        hidden=(256,), neuron=kind, initialization=initialization, duration=SECONDS, dt=dt, readout="softmax_sum"
    )
    generator = torch.Generator().manual_seed(0)
    clips = SpikeDataset(SpikeDataset(file).events.select(np.arange(N_CLIPS)))
    network = SpikingNetwork(params, n_units=clips.n_units, n_classes=20, generator=generator)
    (inputs, labels), *_ = iterate_batches(clips, [np.arange(N_CLIPS)], Grid(dt, n_steps), layout="lists")
    return network, inputs, labels


def gradient(rule, network, inputs, labels):
    """One gradient; the number of spikes of each hidden neuron and clip."""
    network.zero_grad()
    if rule == "bptt":
        activity = network(inputs)
        cross_entropy(activity.logits, labels).backward()
        return float(activity.spikes[0].detach().sum() / activity.spikes[0][:, 0].numel())
    return float(online_gradients(network, inputs, labels, rule=rule).counts[0].mean())


@on_one_thread()
@kernel_threads(1)
def times(file, neuron, n_steps, repeats):
    """CPU seconds of each rule, in turn, and the spikes of a neuron in a clip."""
    network, inputs, labels = network_and_batch(file, neuron, n_steps)
    found = {rule: [] for rule in RULES}
    for repeat in range(repeats + 1):
        for rule in RULES:
            began = time.process_time()
            spikes = gradient(rule, network, inputs, labels)
            if repeat:  # the first time, kernels are loaded and buffers made
                found[rule].append(time.process_time() - began)
    return found, spikes


@on_one_thread()
@kernel_threads(1)
def memory(file, neuron, n_steps, rule):
    """Bytes that a process needs more than before, at most."""
    network, inputs, labels = network_and_batch(file, neuron, n_steps)
    small = network_and_batch(file, neuron, 10)
    gradient(rule, *small)  # loads the kernels
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # give back what is free, which would be used again unseen
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the most so far
    before = _memory("VmRSS")
    gradient(rule, network, inputs, labels)
    return _memory("VmHWM") - before


def _memory(name):
    """Bytes in use (VmRSS), or at most so far (VmHWM), as Linux counts them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def measure(file, neuron, n_steps, repeats):
    found, spikes = times(file, neuron, n_steps, repeats)
    line = {"neuron": neuron, "n_steps": n_steps, "spikes": round(spikes, 1)}
    for rule in RULES:
        ratios = np.divide(found[rule], found["bptt"])
        command = [sys.executable, __file__, str(file), "--memory", neuron, str(n_steps), rule]
        n_bytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        line[rule] = {
            "ms": round(1e3 * float(np.median(found[rule])), 1),
            "ratio": round(float(np.median(ratios)), 2),
            "megabytes": round(n_bytes / 1e6, 1),
        }
    return line


def table(lines):
    head = "| neurons | steps | spikes of a neuron | BPTT | e-prop | SuperSpike | memory: BPTT | e-prop | SuperSpike |"
    rows = [head, "|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for line in lines:
        seconds = [f"{line[rule]['ms']:.0f} ms" + f" ({line[rule]['ratio']:.2f})" * (rule != "bptt") for rule in RULES]
        megabytes = [f"{line[rule]['megabytes']:.0f} MB" for rule in RULES]
        rows.append(
            f"| {line['neuron']} | {line['n_steps']:,} | {line['spikes']} | {' | '.join(seconds + megabytes)} |"
        )
    return "\n".join(rows)


@styled
def draw(lines):
    """Memory and time against the number of steps."""
    figure = new_figure(7.2, 3.0)
    panels = figure.subplots(1, 2)
    colors, names = (INK, BLUE, VERMILION), ("BPTT", "e-prop", "SuperSpike")
    for neuron, style in (("LIF", "-"), ("ALIF", "--")):
        some = [line for line in lines if line["neuron"] == neuron]
        steps = [line["n_steps"] for line in some]
        for rule, color, name in zip(RULES, colors, names, strict=True):
            for panel, what in zip(panels, ("megabytes", "ms"), strict=True):
                values = [line[rule][what] for line in some]
                panel.plot(steps, values, style, color=color, marker="o", ms=3, label=f"{name}, {neuron}")
    for panel, label in zip(panels, ("Peak memory of a batch (MB)", "CPU time of a batch (ms)"), strict=True):
        panel.set(xscale="log", yscale="log", xlabel="Steps of a clip", ylabel=label)
        panel.grid(color=GRAY, alpha=0.3, lw=0.5)
    panels[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), **LEGEND)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("online_rules"))
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300, 1000, 3000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--memory", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.memory:
        print(memory(args.file, args.memory[0], int(args.memory[1]), args.memory[2]))
        sys.exit()
    measured = []
    for n in args.steps:
        for which in NEURONS:
            measured.append(measure(args.file, which, n, args.repeats))
            print(measured[-1], flush=True)
    args.out.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n")
    args.out.with_suffix(".md").write_text(table(measured) + "\n")
    save_figure(draw(measured), args.out.with_suffix(".png"), overwrite=True)
    print(table(measured))

"""Whether norse and snntorch fire the spikes of our networks, given their NIR files.

    spikedata encode heidelberg_digits "$(python -c 'import spikedata as sd; print(sd.embedded_corpus())')" shipped.h5
    spikedata train shipped.h5 --recipe recurrent --epochs 40 --out runs/recurrent
    python benchmarks/nir_readers.py shipped.h5 runs/recurrent ... [--clips 24] [--out NAME.json] [--json]

Each run is exported twice, in its own steps for norse and in steps of 0.1 ms for snntorch, and read back by both. Every
hidden spike of the clips is compared, and the readout's membranes. "As read" is the network as the reader makes it;
"with the lines" has those of docs/howto/export.md. Readers that are not installed are said and skipped; the exit status
is 1 if a spike differs "with the lines". `pip install norse snntorch nir` beside spikedata-audio[torch].
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from spikedata.baseline import load_run
from spikedata.events import bin_samples
from spikedata.export import to_nir
from spikedata.files.reader import SpikeFile
from spikedata.nn import class_scores

SNNTORCH_STEP = 1e-4  # [s]: snntorch takes every file at it
_LEAD = 2  # steps by which a reader's layer is ahead of ours


class Heard(NamedTuple):
    """What a network did: spikes of each hidden layer (clip, step, neuron), and membranes of the readout."""

    spikes: list[torch.Tensor]
    membranes: torch.Tensor


def hear_norse(path: Path, counts: torch.Tensor, *, as_read: bool = False) -> Heard:
    """Run a file with norse."""
    import nir
    import norse.torch

    graph = nir.read(path)
    network = norse.torch.from_nir(graph, dt=float(graph.metadata["step"]))
    hidden = [name for name, node in graph.nodes.items() if isinstance(node, nir.CubaLIF) and name != "readout"]
    for name in () if as_read else hidden:
        _reset_norse_like_ours(getattr(network, name).lif, graph.nodes[name])
    state, held, spikes, membranes = None, {}, [], []
    for now in counts.unbind(1):
        _, state = network(now, state)
        spikes.append([state.cache[name] for name in hidden])
        membranes.append(state.state["readout"][0][1].v)
        if not as_read:
            hold_back(state.cache, held, "_loop")
    return _heard(spikes, membranes)


def _reset_norse_like_ours(cell: Any, node: Any) -> None:
    """Let a spike reset after the decay of the next step: by another reset, or where that cannot do it, a new step."""
    if node.metadata["reset"] == "subtract":
        beta = 1 - cell.dt / float(node.tau_mem[0])
        cell.p = cell.p._replace(reset_method=lambda z, v, v_reset, threshold: v - z * threshold / beta)
        return

    def step(x: torch.Tensor, state: Any, p: Any, dt: float) -> tuple[torch.Tensor, Any]:
        fired = (state.v > p.v_th).to(x)
        v = (state.v + dt * p.tau_mem_inv * (x - state.v)) * (1 - fired)
        return (v > p.v_th).to(x), state._replace(v=v)

    cell.activation = step


def hear_snntorch(path: Path, counts: torch.Tensor, *, as_read: bool = False) -> Heard:
    """Run a file with snntorch."""
    import nir
    import snntorch
    from snntorch.import_nir import import_from_nir

    graph = nir.read(path)
    with contextlib.redirect_stdout(io.StringIO()):  # it tells of its work
        network = import_from_nir(graph)
    neurons = {name: module for name, module in network.named_children() if isinstance(module, snntorch.Synaptic)}
    for name, neuron in neurons.items():
        if not as_read and name != "readout":
            neuron.reset_delay = True
            reset = graph.nodes[name].metadata["reset"]
            neuron.state_function = neuron._base_sub if reset == "subtract" else neuron._base_zero
    hidden = sorted(neurons.keys() - {"readout"})
    fired: dict[str, torch.Tensor] = {}
    for name in hidden:
        neurons[name].register_forward_hook(lambda _, __, out, name=name: fired.update({name: out}))
    state, held, spikes, membranes = None, {}, [], []
    for now in counts.unbind(1):
        _, state = network(now, state)
        spikes.append([fired[name] for name in hidden])
        membranes.append(neurons["readout"].mem)
        if not as_read:
            hold_back(state, held, "_loop_prev_output")
    return _heard(spikes, membranes)


def hold_back(outputs: dict[str, Any], held: dict[str, torch.Tensor], ending: str) -> None:
    """Put what the loops have given now in the place of what they gave a step before."""
    for name in [name for name in outputs if name.endswith(ending)]:
        outputs[name], held[name] = held.get(name, torch.zeros_like(outputs[name])), outputs[name]


def _heard(spikes: list[list[torch.Tensor]], membranes: list[torch.Tensor]) -> Heard:
    return Heard([torch.stack(layer, dim=1) for layer in zip(*spikes, strict=True)], torch.stack(membranes, dim=1))


READERS: dict[str, Callable[..., Heard]] = {"norse": hear_norse, "snntorch": hear_snntorch}


def counts_of(spike_path: Path, network: Any, n_clips: int) -> torch.Tensor:
    """Spike counts (clip, step, unit) of clips from all over a file."""
    with SpikeFile(spike_path) as file:
        samples = [file[int(index)] for index in np.linspace(0, len(file) - 1, n_clips)]
    (clip, step, unit), counts = bin_samples(samples, dt=network.dt, n_steps=network.n_steps, n_units=network.n_units)
    dense = torch.zeros(len(samples), network.n_steps, network.n_units)
    dense[clip, step, unit] = torch.from_numpy(counts).float()
    return dense


def hear_ours(network: Any, counts: torch.Tensor) -> Heard:
    """Run our own network."""
    n_missing = -network.n_units % network.n_merged
    merged = torch.nn.functional.pad(counts, (0, n_missing)).unflatten(2, (-1, network.n_merged)).sum(3)
    activity = network(merged)
    return Heard(list(activity.spikes), activity.readout)


def compared(ours: Heard, theirs: Heard, readout: str) -> dict[str, Any]:
    """How much of what two networks did is equal; a layer of theirs is two steps ahead of ours for each below it."""
    common = either = differing = 0
    for number, (own, other) in enumerate(zip(ours.spikes, theirs.spikes, strict=True), start=1):
        lead = _LEAD * number
        a, b = own[:, lead:] > 0, other[:, :-lead] > 0
        common, either = common + int((a & b).sum()), either + int((a | b).sum())
        differing += int((a != b).sum()) + int(own[:, :lead].sum())
    lead = _LEAD * (len(ours.spikes) + 1)
    membranes = torch.nn.functional.pad(theirs.membranes, (0, 0, lead, 0))[:, : ours.membranes.shape[1]]
    own_scores, scores = (class_scores(each, readout) for each in (ours.membranes, membranes))
    return {
        "spikes": int(sum(layer.sum() for layer in ours.spikes)),
        "differing": differing,
        "equal_share": common / max(either, 1),
        "same_answers": int((own_scores.argmax(1) == scores.argmax(1)).sum()),
        "membrane_difference": float((ours.membranes - membranes).abs().max() / ours.membranes.abs().max()),
    }


def check(run_dir: Path, spike_path: Path, *, n_clips: int, readers: dict[str, Callable[..., Heard]]) -> list[dict]:
    """A row for each reader: what it fires as read, and with the lines."""
    network, card = load_run(run_dir)
    counts, rows = counts_of(spike_path, network, n_clips), []
    ours = hear_ours(network, counts)
    neuron = network.params.neurons[0]
    about = {
        "network": card.recipe.name, "hidden": list(network.params.hidden), "recurrent": network.params.recurrent,
        "reset": neuron.reset, "dt": network.dt, "clips": n_clips,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        for reader, hear in readers.items():
            path = Path(folder, f"{reader}.nir")
            to_nir(run_dir, path, dt=SNNTORCH_STEP if reader == "snntorch" else None)
            row = about | {"reader": f"{reader} {metadata.version(reader)}"}
            began = time.process_time()
            row["with_lines"] = compared(ours, hear(path, counts), network.params.readout)
            row["cpu_s"] = time.process_time() - began
            row["as_read"] = compared(ours, hear(path, counts, as_read=True), network.params.readout)
            rows.append(row)
    return rows


def table_of(rows: list[dict]) -> str:
    """Markdown."""
    lines = [
        "| network | reset | read by | hidden spikes | equal, as read | with the lines | same answers | membranes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        hidden = " + ".join(map(str, row["hidden"]))
        kind = "recurrent" if row["recurrent"] else "feed-forward"
        found, as_read = row["with_lines"], row["as_read"]
        equal = f"{found['equal_share']:.4%}" if found["differing"] else "all"
        lines.append(
            f"| `{row['network']}`: {hidden}, {kind}, {1e3 * row['dt']:g} ms | {row['reset']} | {row['reader']} "
            f"| {found['spikes']:,} | {as_read['equal_share']:.1%} | {equal} "
            f"| {found['same_answers']} of {row['clips']} | {found['membrane_difference']:.0e} |"
        )
    return "\n".join(lines)


@torch.no_grad()
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="spike file")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs with LIF neurons")
    parser.add_argument("--clips", type=int, default=24, help="clips, from all over the file")
    parser.add_argument("--out", type=Path, help="JSON to write")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    readers = {}
    for name, hear in READERS.items():
        try:
            metadata.version(name)
            readers[name] = hear
        except metadata.PackageNotFoundError:
            print(f"{name} is not installed: left out")
    rows = [row for run in args.runs for row in check(run, args.file, n_clips=args.clips, readers=readers)]
    text = json.dumps(rows, indent=1)
    if args.out is not None:
        args.out.write_text(text + "\n", encoding="utf-8")
    print(text if args.json else table_of(rows))
    return int(any(row["with_lines"]["differing"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

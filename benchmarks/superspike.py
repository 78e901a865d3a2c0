"""SuperSpike on its tasks: one neuron, a hidden layer and a picture, with each kind of feedback, and what it costs.

    python benchmarks/superspike.py OUT [--studies neuron,hidden,bitmap,cost] [--write]

Tasks and constants are those of Zenke and Ganguli, Neural Computation 30:1514 (2018); the picture is our own. Every
finished run is a line of OUT/runs.jsonl, and the same command goes on from there. `--write` puts docs/images/
superspike.json, its tables into docs/explanation/rules/superspike.md and the figures beside them, from the lines that
there are. Times are processor seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from spikedata.disk import write_atomically
from spikedata.events import Events, Sample
from spikedata.learning import SuperSpikeParams, learn_spike_trains
from spikedata.learning.feedback import FEEDBACK
from spikedata.plot import save_figure
from spikedata.plot.figure import BLUE, GREEN, INK, LEGEND, LINE, VERMILION, new_figure, styled

DOCS = Path(__file__).parents[1] / "docs"
COLORS = dict(zip(FEEDBACK, (BLUE, VERMILION, GREEN), strict=True))
N_POINTS = 60  # of a curve that is kept: means over equal parts of a training
SEEDS = {"neuron": 10, "hidden": 10, "bitmap": 5}
TRIALS = {"neuron": 1600, "hidden": 1600, "bitmap": 300}
SOLVED = 0.5  # unmatched spikes

# An update a trial; the rate falls to a tenth and a hundredth.
SINGLE = {"learning_rate": 1.0, "milestones": (600, 1200)}
# The picture: no gap between trials, an update each 0.5 s, 0.5 mV, a tenth of it from 400 s on, as the authors' run,
# which is 1,000 s long; ours, for want of time, 567 s.
PICTURE = {
    "learning_rate": 0.5, "milestones": (212,), "update_interval": 0.5, "resets": False, "dtype": "float32",
}  # fmt: skip
HETEROSYNAPTIC = 1e-6  # [1/mV], 1 in the authors' units
N_ROWS, N_COLUMNS, COLUMN = 200, 189, 10e-3  # of the picture; a column lasts 10 ms

Array = npt.NDArray[Any]
Line = dict[str, Any]


def clip_of(times: Array, units: Array, n_units: int, duration: float) -> Events:
    order = np.argsort(times, kind="stable")
    sample = Sample(times[order], units[order].astype(np.uint16), label=0, speaker=-1, duration=duration)
    return Events.from_samples([sample], keys=["pattern"], n_units=n_units)


def frozen_noise(rate: float, n_units: int, duration: float, *, seed: int) -> Events:
    """Poisson spikes that are the same in every trial."""
    rng = np.random.default_rng([seed, 10])
    n = rng.poisson(rate * n_units * duration)
    return clip_of(rng.uniform(0, duration, n), rng.integers(0, n_units, n), n_units, duration)


def five_times(duration: float = 0.5) -> Events:
    """Five equidistant spikes of one neuron."""
    return clip_of(np.linspace(0, duration, 7)[1:6], np.zeros(5), 1, duration)


def picture() -> Array:
    """A cochlea and the sound that enters it: a spiral that narrows, and a wave that dies away; True is a spike."""
    y, x = np.mgrid[0:N_ROWS, 0:N_COLUMNS]
    dx, dy = x - 104.0, y - 84.0
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx) % (2 * np.pi)
    image = radius < 5
    for turn in range(3):
        phase = angle + 2 * np.pi * turn
        middle = 78 * np.exp(-phase / 8.2)
        image |= (np.abs(radius - middle) < 1.2 + 6.5 * middle / 78) & (phase < 5.6 * np.pi)
    wave = 177 + 19 * np.exp(-x / 70) * np.sin(2 * np.pi * x / 21)
    return image | (np.abs(y - wave) < 4)


def raster(image: Array, *, seed: int) -> Events:
    """A picture as spikes: unit r fires once at a random time in column c where pixel (r, c) is set."""
    rng = np.random.default_rng([seed, 11])
    rows, columns = np.nonzero(image)
    times = (columns + rng.uniform(0, 1, len(columns))) * COLUMN
    return clip_of(times, rows, image.shape[0], image.shape[1] * COLUMN)


def settings(study: str) -> dict[str, dict[str, Any]]:
    """The variants of a study by name, as params."""
    if study == "neuron":
        return {"one neuron": SINGLE}
    if study == "hidden":
        return {name: {**SINGLE, "feedback": name} for name in FEEDBACK}
    plain = {name: {**PICTURE, "feedback": name} for name in FEEDBACK}
    heterosynaptic = {
        f"{name}, heterosynaptic": {**plain[name], "heterosynaptic": HETEROSYNAPTIC}
        for name in ("random", "uniform")  # random: as in the authors' run
    }
    return {**plain, **heterosynaptic}


def task_of(study: str, seed: int) -> tuple[Events, Events, int]:
    """Inputs, target and number of hidden neurons."""
    if study == "bitmap":  # one picture and one noise for all seeds, which differ in their weights
        return frozen_noise(5.0, 200, N_COLUMNS * COLUMN, seed=0), raster(picture(), seed=0), 256
    return frozen_noise(8.0, 100, 0.5, seed=seed), five_times(), 4 if study == "hidden" else 0


def run(study: str, setting: str, seed: int, out: Path) -> Line:
    """One training, as the line that is kept."""
    params = SuperSpikeParams(**settings(study)[setting])
    inputs, target, n_hidden = task_of(study, seed)
    records = []
    began = process_time()
    result = learn_spike_trains(
        inputs, target, params, n_trials=TRIALS[study], seed=seed, n_hidden=n_hidden, on_trial=records.append
    )
    seconds = process_time() - began
    if study == "bitmap":
        np.savez_compressed(
            out / f"{setting.replace(', ', '-')}-{seed}.npz", times=result.outputs.times, units=result.outputs.units
        )
    hidden = [record.n_hidden_spikes for record in records]
    return {
        "study": study,
        "setting": setting,
        "seed": seed,
        "n_target": len(target.times),
        "curve": [round(float(part.mean()), 4) for part in np.array_split(result.errors, N_POINTS)],
        "first": round(float(result.errors[0]), 4),
        "last": round(float(result.errors[-1]), 4),
        "hidden_spikes": [hidden[0], hidden[-1]],
        "output_spikes": records[-1].n_output_spikes,
        "silent_outputs": len(result.silent_outputs),
        "seconds": round(seconds, 2),
    }


def study(name: str, out: Path, lines: list[Line], seeds: int) -> None:
    """All runs of a study that are not there yet, seed by seed."""
    done = {(line["study"], line["setting"], line["seed"]) for line in lines if "setting" in line}
    for seed in range(seeds):
        for setting in settings(name):
            if (name, setting, seed) in done:
                continue
            line = run(name, setting, seed, out)
            lines.append(line)
            with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(f"{name}, {setting}, seed {seed}: {line['last']:.2f} in {line['seconds']} s", flush=True)


def cost() -> Line:
    """A trial of the one neuron with learning, beside back-propagation through time, and memory against steps."""
    inputs, target, _ = task_of("neuron", 0)
    params = SuperSpikeParams(**SINGLE)
    learn_spike_trains(inputs, target, params, n_trials=2)
    by_autograd(inputs, target, params, n_steps=50)
    ours, theirs = [], []
    for _ in range(5):  # in turns, so that both see the same machine
        began = process_time()
        learn_spike_trains(inputs, target, params, n_trials=40)
        ours.append((process_time() - began) / 40)
        began = process_time()
        by_autograd(inputs, target, params, n_steps=5000)
        theirs.append(process_time() - began)
    found = {"ms": 1e3 * statistics.median(ours), "autograd_ms": 1e3 * statistics.median(theirs), "memory": []}
    for n_steps in (1000, 5000, 20000):
        duration = n_steps * params.dt
        given, wanted = frozen_noise(8.0, 100, duration, seed=0), five_times(duration)
        sizes = [memory_of(given, wanted, params, duration), kept_by_autograd(given, wanted, params, n_steps)]
        found["memory"].append([n_steps, *sizes])
    return {"study": "cost", **found}


def memory_of(inputs: Events, target: Events, params: SuperSpikeParams, duration: float) -> int:
    """Bytes at the peak of a trial, with its spikes on the grid, which are 16 bytes each."""
    tracemalloc.start()
    learn_spike_trains(inputs, target, params, n_trials=1, duration=duration)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def dense(events: Events, n_steps: int, dt: float) -> Any:
    import torch

    counts = np.zeros((n_steps, events.n_units))
    steps = np.minimum((events.times / dt).astype(int), n_steps - 1)
    np.add.at(counts, (steps, events.units), 1)
    return torch.from_numpy(counts)


def by_autograd(inputs: Events, target: Events, params: SuperSpikeParams, n_steps: int) -> Any:
    """Gradient of the same trial by back-propagation through time, the path through the reset left out."""
    import torch

    from spikedata.nn.surrogate import SurrogateParams, spike

    given, wanted = dense(inputs, n_steps, params.dt), dense(target, n_steps, params.dt)
    weight = torch.full((1, inputs.n_units), 2.0, dtype=torch.float64, requires_grad=True)
    surrogate = SurrogateParams(shape="superspike", scale=params.steepness)
    drive = given @ weight.T
    current, membrane, error, filtered = torch.zeros(4, 1, dtype=torch.float64)
    resting, loss = torch.zeros(1), torch.zeros(())
    for step in range(n_steps):
        current = params.alpha * current + drive[step]
        membrane = membrane + params.gain * (current - membrane)
        membrane = membrane - torch.where(resting > 0, membrane, 0.0).detach()
        fired = spike(membrane - params.threshold, surrogate)
        membrane = membrane - torch.where(fired > 0, membrane, 0.0).detach()
        resting = torch.where(fired > 0, params.n_rest, resting - 1)
        error = params.alpha * error + wanted[step] - fired
        filtered = filtered + params.gain * (error - filtered)
        loss = loss + 0.5 * (filtered**2).sum()
    loss.backward()
    return weight.grad


def kept_by_autograd(inputs: Events, target: Events, params: SuperSpikeParams, n_steps: int) -> int:
    """Bytes of the tensors that autograd keeps for the way back, each storage once."""
    import torch

    storages: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        by_autograd(inputs, target, params, n_steps)
    return sum(storages.values())


def of_study(lines: list[Line], study: str) -> dict[str, list[Line]]:
    """The runs of a study by setting."""
    return {name: [li for li in lines if (li["study"], li.get("setting")) == (study, name)] for name in settings(study)}


def tables(lines: list[Line]) -> Iterator[str]:
    """One table of each study that has runs, as Markdown."""
    for study, title in (("neuron", "One neuron"), ("hidden", "Four hidden neurons")):
        found = {name: runs for name, runs in of_study(lines, study).items() if runs}
        if found:
            yield f"| {title} | seeds | before | after, median | worst | under {SOLVED} | CPU s a seed |"
            yield "|---|---:|---:|---:|---:|---:|---:|"
        for name, runs in found.items():
            last = [run["last"] for run in runs]
            yield (
                f"| {name} | {len(runs)} | {np.mean([run['first'] for run in runs]):.2f} | {np.median(last):.3f} "
                f"| {max(last):.2f} | {sum(error < SOLVED for error in last)} of {len(runs)} "
                f"| {np.mean([run['seconds'] for run in runs]):.1f} |"
            )
        if found:
            yield ""
    found = {name: runs for name, runs in of_study(lines, "bitmap").items() if runs}
    if found:
        yield "| Picture, 200-256-200 | seeds | before | after | after, per target spike | CPU s a seed |"
        yield "|---|---:|---:|---:|---:|---:|"
    for name, runs in found.items():
        first, last = [run["first"] for run in runs], [run["curve"][-1] for run in runs]
        share = [run["curve"][-1] / run["n_target"] for run in runs]
        yield (
            f"| {name} | {len(runs)} | {np.mean(first):.0f} | {np.mean(last):.0f}{deviation(last)} "
            f"| {np.mean(share):.2f} | {np.mean([run['seconds'] for run in runs]):.0f} |"
        )
    for line in lines:
        if line["study"] == "cost":
            yield ""
            yield "| Steps | SuperSpike [KB] | kept by autograd [KB] |"
            yield "|---:|---:|---:|"
            yield from (f"| {n:,} | {ours / 1e3:.0f} | {theirs / 1e3:,.0f} |" for n, ours, theirs in line["memory"])
            yield ""
            yield (
                f"A trial of 5,000 steps takes {line['ms']:.2f} ms with learning; the gradient of the same trial by "
                f"autograd takes {line['autograd_ms']:,.0f} ms, {line['autograd_ms'] / line['ms']:.0f} times as long."
            )


def deviation(values: list[float]) -> str:
    """The standard deviation, where there is one."""
    return f" ± {np.std(values, ddof=1):.0f}" if len(values) > 1 else ""


@styled
def draw_curves(lines: list[Line]) -> Figure:
    """Error against trials, mean over the seeds, a panel for each task."""
    figure = new_figure(7.5, 2.6)
    names = {"neuron": "One neuron", "hidden": "Four hidden neurons", "bitmap": "Picture"}
    for axes, (study, title) in zip(figure.subplots(1, 3), names.items(), strict=True):
        trials = [part.mean() + 1 for part in np.array_split(np.arange(TRIALS[study]), N_POINTS)]
        for name, runs in of_study(lines, study).items():
            if not runs:
                continue
            curves = np.array([run["curve"] for run in runs])
            color, style = COLORS.get(name.split(",")[0], INK), "--" if "," in name else "-"
            axes.plot(trials, curves.mean(axis=0), color=color, ls=style, lw=LINE, label=name)
            if study == "neuron":
                axes.plot(trials, curves.T, color=color, lw=0.5, alpha=0.3)
        axes.set(title=title, xlabel="Trial", ylabel="Unmatched spikes", yscale="log")
        axes.set_ylim(1e-3 if study != "bitmap" else None, None)  # down to nothing to speak of
        if study != "neuron" and axes.lines:
            axes.legend(**LEGEND)
    return figure


@styled
def draw_pictures(out: Path, lines: list[Line]) -> Figure:
    """The target, and what the outputs make of it after the last trial, of seed 0."""
    target = raster(picture(), seed=0)
    shown = [("target", target.times, target.units)]
    for name, runs in of_study(lines, "bitmap").items():
        path = out / f"{name.replace(', ', '-')}-0.npz"
        if path.exists() and runs:
            with np.load(path) as held:
                shown.append((name, held["times"], held["units"]))
    figure = new_figure(7.5, 4.2)
    panels = figure.subplots(2, 3, sharex=True, sharey=True).flat
    for axes in panels[len(shown) :]:
        axes.remove()
    for axes, (name, times, units) in zip(panels, shown, strict=False):
        axes.plot(times, units, ls="none", marker="o", ms=0.5, mew=0, color=INK, rasterized=True)
        axes.set(title=name, xlabel="Time (s)", ylabel="Output", ylim=(N_ROWS, 0), xlim=(0, N_COLUMNS * COLUMN))
    return figure


def write(out: Path, lines: list[Line]) -> None:
    """Tables and figures into the documents."""
    (DOCS / "images" / "superspike.json").write_text(
        "[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n", encoding="utf-8"
    )
    save_figure(draw_curves(lines), DOCS / "images" / "superspike_errors.png", overwrite=True)
    save_figure(draw_pictures(out, lines), DOCS / "images" / "superspike_picture.png", overwrite=True)
    page = DOCS / "explanation" / "rules" / "superspike.md"
    text = page.read_text(encoding="utf-8")
    begin, end = "<!-- superspike: begin -->", "<!-- superspike: end -->"
    new = "\n".join([begin, "", *tables(lines), "", end])
    text = re.sub(f"(?s){begin}.*{end}", lambda _: new, text)
    write_atomically(page, text.encode(), overwrite=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--studies", default="neuron,hidden,bitmap,cost")
    parser.add_argument("--seeds", type=int, help="of each setting; default: 10, 10 and 5")
    parser.add_argument("--write", action="store_true", help="put tables and figures into the documents")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "runs.jsonl"
    found = [json.loads(text) for text in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    for name in filter(None, args.studies.split(",")):
        if name == "cost":
            found = [line for line in found if line["study"] != "cost"] + [cost()]
            kept.write_text("".join(json.dumps(line) + "\n" for line in found), encoding="utf-8")
        else:
            study(name, args.out, found, args.seeds or SEEDS[name])
    print("\n".join(tables(found)))
    if args.write:
        write(args.out, found)

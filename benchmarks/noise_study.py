"""Words in noise and at several levels, heard by four front ends and one network.

    python benchmarks/noise_study.py AUDIO OUT [--front-ends NAME,...] [--seeds 0,1,2] [--workers 2] [--write] [--quick]

AUDIO holds the Heidelberg Digits (the 2,400 recordings, or all), of which Noisy Digits are made in OUT/noisy_digits
(`spikedata.corpora.noisy`). Every front end turns them into an array (step, input); one network with one recipe is
trained on each, in mixed noise and at mixed levels. Held-out speakers choose the epoch. Only when all networks are
trained is the test part opened, once for each network: five noise conditions at three levels.

Whatever is done is kept in OUT, and the same command goes on from there. Answers, history and cost are in JSON; the
table and the figure are made of them alone. `--write` puts them into docs/explanation/noise.md and docs/images/.
With `--one-noise --front-ends human,human-high,human-weight`, parts of the preset `human` are changed, and the networks
are asked about the validation part alone. `--quick` is a trial of the whole on a few clips, which says nothing about
any front end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cochlea import CochleaParams, SumnerHairCellParams, encode_many
from cochlea.sumner_hair_cell import CLASSES
from spikedata.acoustics import stream_of
from spikedata.acoustics.chance import draw_within
from spikedata.acoustics.levels import REFERENCE_PRESSURE
from spikedata.corpora import Clip, list_clips
from spikedata.corpora.audio import read_audio
from spikedata.corpora.noisy import MIXED, TEST_CONDITIONS, make_noisy_digits
from spikedata.disk import write_atomically

SEED = 0  # of spikes and levels; the networks have their own
DT, N_STEPS = 10e-3, 100  # the grid of every front end: 1 s, the longest of nearly all words
N_MERGED = 5  # neighboring channels that are one input
TEST_EVERY = 2  # every second take of a test word: 200 clips in each noise at each level, for the time that it takes
LEVELS = (45.0, 65.0, 85.0)  # [dB SPL], of the test
LEVEL_RANGE = (45.0, 85.0)  # of training and validation, drawn for each clip
RECIPE = {"matmul_precision": "medium", "batch_size": "64", "augmentation": "", "layout": "dense"}
INPUT_SHIFT, TIME_STRETCH = 40 / 700, 1.2  # augmentation: those of the recipe adlif_augmented, on arrays
SAMPLE_RATE = 48_000
MARKS = "<!-- noise study: begin -->", "<!-- noise study: end -->"
CONDITION_NAMES = ("clean", "20 dB", "10 dB", "5 dB", "0 dB")

LEGEND = """\
First table: words recognized in percent, mean and standard deviation over the seeds. Second table: the mean over the
levels and, in noise, over the four ratios; the 95 % intervals are those of a bootstrap over seeds and test clips,
within their speakers, and *less default* is the difference for the same clips. Two test speakers are no sample of
speakers, and the intervals do not cover the choice of them. *Cost* is processor time per second of sound, measured
while the front end made what is scored here, with all threads counted.

![Words recognized against the signal-to-noise ratio, at three levels](../images/noise.png)"""

Array = npt.NDArray[Any]
Sound = tuple[Array, float, str]  # waveform, level [dB SPL], name


class FrontEnd(NamedTuple):
    """A front end.

    Parameters
    ----------
    about : str
        What it is, for the table.
    hear : callable
        The arrays (step, input) of sounds, in their order; the second argument is the number of threads [1].
    hears_level : bool
        Whether it hears a sound's level; if not, one test at any level is a test at all of them.
    standardizes : bool
        Whether each input is brought to mean 0 and variance 1 over the training part. Otherwise all inputs are divided
        by one number, which brings their mean square to 1.
    """

    about: str
    hear: Callable[[Sequence[Sound], int], Iterator[Array]]
    hears_level: bool
    standardizes: bool


def spikes_of(params_at: Callable[[float], CochleaParams]) -> Callable[[Sequence[Sound], int], Iterator[Array]]:
    """The front end of an ear: spike counts in steps of 10 ms, five neighboring channels together."""

    def hear(sounds: Sequence[Sound], threads: int) -> Iterator[Array]:
        # `encode_many` takes one ear for all sounds, so sounds are taken together that are heard at one level.
        by_level: dict[float, list[int]] = {}
        for number, (_, level, _) in enumerate(sounds):
            by_level.setdefault(level, []).append(number)
        counts: dict[int, Array] = {}
        for level, numbers in by_level.items():
            params = params_at(level)
            clips = ((sounds[number][0], SAMPLE_RATE, sounds[number][2]) for number in numbers)
            for number, spikes in zip(numbers, encode_many(clips, params, seed=SEED, workers=threads), strict=True):
                counts[number] = count(spikes.times, spikes.units, params.n_channels)
        yield from (counts[number] for number in range(len(sounds)))

    return hear


def count(times: Array, units: Array, n_units: int) -> Array:
    """Spikes in each step and input."""
    n_inputs = -(-n_units // N_MERGED)
    steps = np.floor(times / DT + 1e-9).astype(np.int64)
    inside = steps < N_STEPS
    flat = steps[inside] * n_inputs + units[inside].astype(np.int64) // N_MERGED
    counts = np.bincount(flat, minlength=N_STEPS * n_inputs).reshape(N_STEPS, n_inputs)
    return np.minimum(counts, 255).astype(np.uint8)


N_MELS = 40
MEL_RANGE = (50.0, 16_000.0)  # [Hz]


def log_mel(sounds: Sequence[Sound], threads: int) -> Iterator[Array]:
    """librosa's mel spectrogram in dB SPL, frames of 25 ms every 10 ms; what is below 0 dB SPL is 0."""
    from librosa import power_to_db
    from librosa.feature import melspectrogram

    for waveform, level, _ in sounds:
        pressure = waveform * (REFERENCE_PRESSURE * 10 ** (level / 20) / np.sqrt(np.mean(np.square(waveform))))
        low, high = MEL_RANGE
        power = melspectrogram(
            y=(pressure / REFERENCE_PRESSURE).astype(np.float32), sr=SAMPLE_RATE, n_fft=2048, win_length=1200,
            hop_length=480, n_mels=N_MELS, fmin=low, fmax=high, norm=None,
        )  # fmt: skip
        decibels = power_to_db(power / np.square(np.hanning(1200).sum() / 2) / 2, ref=1.0, amin=1.0, top_db=None).T
        frames = np.zeros((N_STEPS, N_MELS), np.float16)
        frames[: min(N_STEPS, len(decibels))] = decibels[:N_STEPS]
        yield frames


def human_at(level: float) -> CochleaParams:
    params = CochleaParams.human()
    stimulus = replace(params.stimulus, level=None, level_db_spl=level, full_scale_db_spl=None)
    return replace(params, stimulus=stimulus)


def published_at(_: float) -> CochleaParams:
    return CochleaParams.published()


def default_at(_: float) -> CochleaParams:
    return CochleaParams()


def high_alone_at(level: float) -> CochleaParams:
    params = human_at(level)
    cells = params.hair_cell
    if not isinstance(cells, SumnerHairCellParams):
        raise TypeError(f"the preset human must have the hair cells of Sumner, got {type(cells).__name__}")
    shares = dict(zip(CLASSES, (1.0, 0.0, 0.0), strict=True))
    dealt = {name: replace(getattr(cells, name), share=share) for name, share in shares.items()}
    return replace(params, hair_cell=replace(cells, **dealt))


def small_weight_at(level: float) -> CochleaParams:
    params = human_at(level)
    return replace(params, bushy_cell=replace(params.bushy_cell, weight=SMALL_WEIGHT))


SMALL_WEIGHT = 6500.0  # [1/s] of the bushy cells, instead of 9,000: they fire less, and later reach their limit
STUDIED = ("published", "default", "human", "logmel")
FRONT_ENDS = {
    "published": FrontEnd("700 hair cells of 40 fibers, linear", spikes_of(published_at), False, False),
    "default": FrontEnd("3,500 hair cells of 8 fibers, linear", spikes_of(default_at), False, False),
    "human": FrontEnd("3,500 hair cells, three kinds of fibers, compression", spikes_of(human_at), True, False),
    "logmel": FrontEnd(f"log-mel of librosa, {N_MELS} bands, as currents", log_mel, True, True),
    "human-high": FrontEnd("human with fibers of high spontaneous rate alone", spikes_of(high_alone_at), True, False),
    "human-weight": FrontEnd(
        f"human with a weight of {SMALL_WEIGHT:,.0f} of the bushy cells", spikes_of(small_weight_at), True, False
    ),
}


# What the front ends hear


class Heard(NamedTuple):
    """A set of sounds to be heard: a folder of Noisy Digits at one level, or at levels drawn for each clip (None)."""

    folder: str
    level: float | None

    @property
    def name(self) -> str:
        return self.folder if self.level is None else f"{self.folder}_{self.level:.0f}-db-spl"


def sets_of(study: Study, front: FrontEnd) -> list[Heard]:
    tests = [Heard(folder, level) for folder in TEST_CONDITIONS for level in (LEVELS if front.hears_level else (None,))]
    return [*(Heard(folder, None) for folder in study.mixed), *tests]


def level_of(heard: Heard, clip: Clip) -> float:
    """The level of a clip [dB SPL]."""
    if heard.level is not None:
        return heard.level
    return round(draw_within(LEVEL_RANGE, stream_of(SEED, clip.name, purpose="level")))


def hear_all(study: Study, name: str, *, is_test: bool) -> None:
    """Hear every set of a front end that has not been heard yet."""
    front = FRONT_ENDS[name]
    is_warm = False
    for heard in sets_of(study, front):
        path = study.features / name / f"{heard.name}.npz"
        if path.exists() or (heard.folder in TEST_CONDITIONS) != is_test:
            continue
        clips = study.clips(heard.folder)
        sounds = [(read_audio(clip.path)[0], level_of(heard, clip), clip.name) for clip in clips]
        if not is_warm:  # kernels and tables are made once, and are no part of the cost of a sound
            is_warm = bool(list(front.hear(sounds[:1], 1)))
        began, cpu = perf_counter(), process_time()
        arrays = np.stack(list(front.hear(sounds, study.workers)))
        cost = process_time() - cpu
        duration = sum(waveform.size for waveform, *_ in sounds) / SAMPLE_RATE
        path.parent.mkdir(parents=True, exist_ok=True)
        save_arrays(
            path, inputs=arrays, labels=[clip.label for clip in clips], speakers=[clip.speaker for clip in clips],
            names=[clip.name for clip in clips], cpu_s=cost, sound_s=duration,
        )  # fmt: skip
        say(f"{name}: {heard.name}: {len(clips)} clips, {cost:.0f} CPU s, {cost / duration:.3f} CPU s per s, "
            f"{perf_counter() - began:.0f} s")  # fmt: skip


def save_arrays(path: Path, **arrays: Any) -> None:
    temporary = path.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays)
    temporary.replace(path)


class Data(NamedTuple):
    """What was heard: inputs (clip, step, input), classes and speakers of the clips, and what it cost."""

    inputs: Array
    labels: Array
    speakers: Array
    names: Array
    cpu_s: float
    sound_s: float


def load(study: Study, front: str, heard: Heard) -> Data:
    with np.load(study.features / front / f"{heard.name}.npz") as file:
        return Data(*(file[name] for name in Data._fields[:4]), float(file["cpu_s"]), float(file["sound_s"]))


class Scale(NamedTuple):
    """What is subtracted from the inputs, and what they are divided by."""

    offset: Array
    size: Array

    def apply(self, inputs: Array) -> Array:
        return ((inputs.astype(np.float32) - self.offset) / self.size).astype(np.float32)


def scale_of(front: FrontEnd, training: Array) -> Scale:
    """Brings the inputs of all front ends to the same size, as measured on the training part alone."""
    inputs = training.reshape(-1, training.shape[2]).astype(np.float64)
    if front.standardizes:
        return Scale(inputs.mean(axis=0).astype(np.float32), inputs.std(axis=0).astype(np.float32) + 1e-6)
    return Scale(np.float32(0.0), np.float32(np.sqrt(np.mean(np.square(inputs)))))


# Training


def train_one(study: Study, front: str, seed: int) -> None:
    """Train one network; its folder appears when it is complete."""
    import torch

    torch.set_num_threads(1)
    from spikedata.baseline import recipe_from
    from spikedata.baseline.runs.folder import weights_bytes
    from spikedata.nn.networks import make_network
    from spikedata.training.parallel import ALONE
    from spikedata.training.schedules import learning_rate_at
    from spikedata.training.step import Step, make_optimizer, train_epoch

    run = study.runs / front / f"seed-{seed}"
    if (run / "history.json").exists():
        return
    began, cpu = perf_counter(), process_time()
    parts = [load(study, front, Heard(folder, None)) for folder, part in study.mixed.items() if part == "train"]
    inputs, labels = np.concatenate([part.inputs for part in parts]), np.concatenate([part.labels for part in parts])
    scale = scale_of(FRONT_ENDS[front], inputs)
    inputs = scale.apply(inputs)
    chooses = load(study, front, Heard("validation", None))
    held_out = torch.from_numpy(scale.apply(chooses.inputs)), torch.from_numpy(chooses.labels.astype(np.int64))
    recipe = recipe_from("adlif_augmented", {**RECIPE, **({"epochs": "2"} if study.quick else {})})
    params, n_inputs = recipe.training, inputs.shape[2]
    if params is None:
        raise TypeError(f"the recipe {recipe.name} has no training")
    network = make_network(
        replace(recipe.network, n_merged=1), n_units=n_inputs, n_classes=20,
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    optimizer, rng = make_optimizer(network, params), np.random.default_rng(seed)
    history: list[dict[str, float]] = []
    best: tuple[float, float] = (-1.0, 0.0)
    weights = b""
    for epoch in range(1, params.epochs + 1):
        order = rng.permutation(len(labels))
        batches = [order[first : first + params.batch_size] for first in range(0, len(order), params.batch_size)]

        def steps(epoch: int = epoch, batches: list[Array] = batches) -> Iterator[Step]:
            for number, batch in enumerate(batches):
                rate = learning_rate_at(
                    params.schedule, learning_rate=params.learning_rate, history=(), factor=params.schedule_factor,
                    progress=(epoch - 1 + number / len(batches)) / params.epochs, patience=params.schedule_patience,
                    rise=params.schedule_rise,
                )  # fmt: skip
                drawn = torch.from_numpy(augment(inputs[batch], rng))
                yield Step(drawn, torch.from_numpy(labels[batch].astype(np.int64)), rate, 1.0)

        passage = train_epoch(
            network, optimizer, steps(), params, epoch=epoch, processes=ALONE,
            generator=torch.Generator().manual_seed(1000 * seed + epoch),
        )  # fmt: skip
        answers, loss = answers_of(network, held_out[0], held_out[1])
        accuracy = float(np.mean(answers == chooses.labels))
        history.append({"train_loss": passage.loss, "train_accuracy": passage.accuracy,
                        "validation_loss": loss, "validation_accuracy": accuracy})  # fmt: skip
        if (accuracy, -loss) > best:
            best, weights = (accuracy, -loss), weights_bytes(network)
    run.mkdir(parents=True, exist_ok=True)
    write_atomically(run / "weights.safetensors", weights, overwrite=True)
    done = {"front_end": front, "seed": seed, "recipe": recipe.to_json(), "n_inputs": n_inputs, "n_clips": len(labels),
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "offset": np.atleast_1d(scale.offset).tolist(), "size": np.atleast_1d(scale.size).tolist(),
            "cpu_s": process_time() - cpu, "history": history}  # fmt: skip
    write_atomically(run / "history.json", as_json(done), overwrite=True)
    took = f"{process_time() - cpu:.0f} CPU s, {perf_counter() - began:.0f} s"
    say(f"{front}, seed {seed}: validation {best[0]:.1%}, {took}")


def augment(inputs: Array, rng: np.random.Generator) -> Array:
    """Clips, each shifted along the inputs and stretched in time, as another speaker's would be."""
    n_clips, n_steps, n_inputs = inputs.shape
    most = round(INPUT_SHIFT * n_inputs)
    shifts = rng.integers(-most, most + 1, n_clips)
    speeds = TIME_STRETCH ** rng.uniform(-1, 1, n_clips)
    steps = np.rint(np.arange(n_steps)[None, :] * speeds[:, None]).astype(np.int64)
    places = np.arange(n_inputs)[None, :] - shifts[:, None]
    drawn = inputs[
        np.arange(n_clips)[:, None, None],
        np.minimum(steps, n_steps - 1)[:, :, None],
        np.clip(places, 0, n_inputs - 1)[:, None, :],
    ]
    drawn *= ((places >= 0) & (places < n_inputs))[:, None, :]
    return np.asarray(drawn)


def answers_of(network: Any, inputs: Any, labels: Any) -> tuple[Array, float]:
    """The classes that a network gives to clips, and its loss [nat]."""
    import torch

    network.eval()
    with torch.no_grad():
        logits = torch.cat([network(part).logits for part in inputs.split(200)])
    return logits.argmax(dim=1).numpy(), float(torch.nn.functional.cross_entropy(logits, labels))


# The test


def test_one(study: Study, front: str, seed: int) -> None:
    """Ask a trained network about every test clip, once."""
    import torch

    from spikedata.baseline import Recipe
    from spikedata.baseline.runs.folder import network_from

    path = study.results / f"{front}_seed-{seed}.json"
    if path.exists():
        return
    run = study.runs / front / f"seed-{seed}"
    made = json.loads((run / "history.json").read_text(encoding="utf-8"))
    recipe = Recipe.from_json(made["recipe"])
    weights = (run / "weights.safetensors").read_bytes()
    network = network_from(
        weights,
        replace(recipe, network=replace(recipe.network, n_merged=1)),
        n_units=made["n_inputs"],
        n_classes=20,
        sha256=hashlib.sha256(weights).hexdigest(),
    )
    scale = Scale(np.array(made["offset"], np.float32), np.array(made["size"], np.float32))
    answers, clips = {}, None
    for heard in sets_of(study, FRONT_ENDS[front]):
        if heard.folder in TEST_CONDITIONS:
            data = load(study, front, heard)
            labels = torch.from_numpy(data.labels.astype(np.int64))
            given, _ = answers_of(network, torch.from_numpy(scale.apply(data.inputs)), labels)
            answers[heard.name] = given.tolist()
            clips = [name.partition("/")[2] for name in data.names.tolist()]
            found = {"labels": data.labels.tolist(), "speakers": data.speakers.tolist()}
    epochs = [epoch["validation_accuracy"] for epoch in made["history"]]
    result = {
        "front_end": front, "seed": seed, "clips": clips, **found, "answers": answers,
        "validation_accuracy": max(epochs), "parameters": made["parameters"], "training_cpu_s": made["cpu_s"],
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, as_json(result), overwrite=True)


# The table and the figure


class Cell(NamedTuple):
    """The accuracy of a front end in a noise at a level: a row for each seed, a column for each clip."""

    right: Array

    @property
    def by_seed(self) -> Array:
        return self.right.mean(axis=1)


def summarize(study: Study, fronts: Sequence[str], seeds: Sequence[int]) -> dict[str, Any]:
    """All numbers of the study, from its JSON."""
    cells: dict[tuple[str, str, float], Cell] = {}
    rows: dict[str, dict[str, Any]] = {}
    for front in fronts:
        results = [
            json.loads((study.results / f"{front}_seed-{seed}.json").read_text(encoding="utf-8")) for seed in seeds
        ]
        labels, speakers = np.array(results[0]["labels"]), np.array(results[0]["speakers"])
        for heard in sets_of(study, FRONT_ENDS[front]):
            if heard.folder in TEST_CONDITIONS:
                right = np.array([result["answers"][heard.name] for result in results]) == labels
                for level in LEVELS if heard.level is None else (heard.level,):
                    cells[front, heard.folder, level] = Cell(right)
        costs = [load(study, front, heard) for heard in sets_of(study, FRONT_ENDS[front])]
        rows[front] = {
            "about": FRONT_ENDS[front].about,
            "hears_level": FRONT_ENDS[front].hears_level,
            "cpu_s_per_s": sum(data.cpu_s for data in costs) / sum(data.sound_s for data in costs),
            "validation_accuracy": [result["validation_accuracy"] for result in results],
            "parameters": results[0]["parameters"],
            "training_cpu_s": [result["training_cpu_s"] for result in results],
        }
    draws = resampled(labels, speakers, len(seeds))
    for front in fronts:
        for level in LEVELS:
            for folder in TEST_CONDITIONS:
                cell = cells[front, folder, level]
                rows[front].setdefault("accuracy", {})[f"{folder}_{level:.0f}"] = {
                    "by_seed": cell.by_seed.tolist(),
                    "by_speaker": {str(s): float(cell.right[:, speakers == s].mean()) for s in np.unique(speakers)},
                    "interval_95": interval(cell.right, draws),
                }
    noisy = [folder for folder in TEST_CONDITIONS if folder != "test-clean"]
    groups = {"clean": ["test-clean"], "noise": noisy, "all": list(TEST_CONDITIONS)}
    means: dict[str, Any] = {front: {} for front in fronts}
    for group, folders in groups.items():
        right = {
            front: np.mean([cells[front, folder, level].right for folder in folders for level in LEVELS], axis=0)
            for front in fronts
        }
        for front in fronts:
            others = {other: right[front] - right[other] for other in fronts if other != front}
            means[front][group] = spread(right[front], draws) | {
                "minus": {other: spread(difference, draws) for other, difference in others.items()}
            }
    return {
        "seeds": list(seeds), "n_clips": len(labels), "speakers": np.unique(speakers).tolist(), "levels": list(LEVELS),
        "conditions": list(TEST_CONDITIONS), "front_ends": rows, "means": means, "quick": study.quick,
    }  # fmt: skip


def resampled(labels: Array, speakers: Array, n_seeds: int, n_draws: int = 2000) -> list[tuple[Array, Array]]:
    """Draws of seeds and clips for the bootstrap: clips are drawn within their speaker, seeds among the seeds."""
    rng = np.random.default_rng(SEED)
    groups = [np.flatnonzero(speakers == speaker) for speaker in np.unique(speakers)]
    return [
        (rng.integers(n_seeds, size=n_seeds), np.concatenate([rng.choice(group, group.size) for group in groups]))
        for _ in range(n_draws)
    ]


def interval(values: Array, draws: list[tuple[Array, Array]]) -> list[float]:
    """The 95 % interval of a mean over seeds and clips, by the bootstrap."""
    means = [values[np.ix_(seeds, clips)].mean() for seeds, clips in draws]
    return np.percentile(means, [2.5, 97.5]).tolist()


def spread(values: Array, draws: list[tuple[Array, Array]]) -> dict[str, Any]:
    """The mean over seeds and clips, and its interval."""
    return {"mean": float(values.mean()), "interval_95": interval(values, draws)}


def as_markdown(summary: dict[str, Any]) -> str:
    head = ["front end", "level", *CONDITION_NAMES]
    lines = [f"| {' | '.join(head)} |", "|---|---|" + "---:|" * len(CONDITION_NAMES)]
    for front, row in summary["front_ends"].items():
        for level in LEVELS if row["hears_level"] else LEVELS[:1]:
            cells = [row["accuracy"][f"{folder}_{level:.0f}"] for folder in summary["conditions"]]
            shown = [f"{100 * np.mean(c['by_seed']):.1f} ± {100 * np.std(c['by_seed'], ddof=1):.1f}" for c in cells]
            heard = f"{level:.0f} dB SPL" if row["hears_level"] else "any"
            lines.append(f"| {front} | {heard} | {' | '.join(shown)} |")
    lines += [
        "",
        "| front end | clean | in noise | in noise, 95 % | less default, 95 % | validation | cost | parameters |",
        "|---|---:|---:|---|---|---:|---:|---:|",
    ]
    for front, row in summary["front_ends"].items():
        means = summary["means"][front]
        low, high = means["noise"]["interval_95"]
        less = means["noise"]["minus"].get("default")
        gain = (
            f"{signed(less['mean'])} ({signed(less['interval_95'][0])} to {signed(less['interval_95'][1])})"
            if less
            else ""
        )
        lines.append(
            f"| {front}: {row['about']} | {100 * means['clean']['mean']:.1f} | {100 * means['noise']['mean']:.1f} | "
            f"{100 * low:.1f} to {100 * high:.1f} | {gain} | {100 * np.mean(row['validation_accuracy']):.1f} | "
            f"{row['cpu_s_per_s']:.3f} | {row['parameters']:,} |"
        )
    return "\n".join(lines)


def signed(share: float) -> str:
    return f"{100 * share:+.1f}"


def draw(summary: dict[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"font.size": 8, "legend.frameon": False, "axes.titlesize": 9})
    figure, panels = plt.subplots(1, len(LEVELS), figsize=(10.5, 3.4), layout="constrained", sharey=True)
    places = np.arange(len(CONDITION_NAMES))
    for axes, level in zip(panels, LEVELS, strict=True):
        for number, (front, row) in enumerate(summary["front_ends"].items()):
            cells = [row["accuracy"][f"{folder}_{level:.0f}"] for folder in summary["conditions"]]
            mean = [100 * np.mean(cell["by_seed"]) for cell in cells]
            low, high = 100 * np.array([cell["interval_95"] for cell in cells]).T
            axes.plot(places, mean, "o-", color=f"C{number}", label=front, markersize=3)
            axes.fill_between(places, low, high, color=f"C{number}", alpha=0.15, linewidth=0)
        axes.axhline(5, color="0.6", linestyle=":", linewidth=0.8)
        axes.set(title=f"{level:.0f} dB SPL", xlabel="babble, signal-to-noise ratio", ylim=(0, 100))
        axes.set_xticks(places, CONDITION_NAMES)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("words recognized [%]")
    panels[-1].legend(loc="lower left")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def write_page(page: Path, table: str) -> None:
    """Put the table between its marks on the page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page.write_text(f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{after}", encoding="utf-8")


# The study


class Study:
    """Where everything of the study lies."""

    def __init__(self, audio: Path, out: Path, *, workers: int, quick: bool, one_noise: bool) -> None:
        self.audio, self.out, self.workers, self.quick = audio, out, workers, quick
        self.noisy, self.features = out / "noisy_digits", out / "features"
        self.runs, self.results = out / ("runs-of-one-noise" if one_noise else "runs"), out / "results"
        self.mixed = {folder: part for folder, part in MIXED.items() if not one_noise or folder != "train-2"}
        self._listed: dict[str, list[Clip]] = {}

    def prepare(self) -> None:
        """Make Noisy Digits, unless they are there."""
        self.out.mkdir(parents=True, exist_ok=True)
        if not self.noisy.exists():
            made = make_noisy_digits(self.audio, self.noisy)
            say(f"{made.n_clips} recordings, SHA-256 of their samples {made.sha256}")

    def clips(self, folder: str) -> list[Clip]:
        """The clips of a folder of Noisy Digits that are heard."""
        if not self._listed:
            listed = list_clips("noisy_digits", self.noisy).clips
            chosen = take_numbers(listed)
            for clip in listed:
                home = clip.name.partition("/")[0]
                is_heard = chosen[clip.name] % TEST_EVERY == 0 or home not in TEST_CONDITIONS
                if self.quick:  # the first take of four words of each speaker
                    is_heard = chosen[clip.name] == 0 and clip.label % 10 < 2
                if is_heard:
                    self._listed.setdefault(home, []).append(clip)
        return self._listed[folder]


def take_numbers(clips: Sequence[Clip]) -> dict[str, int]:
    """Which take of its word by its speaker each clip is, from 0."""
    trial = re.compile(r"_trial-([0-9]+)_")
    trials = {clip.name: int(trial.search(clip.name)[1]) for clip in clips}  # type: ignore[index]
    together: dict[tuple[str, int, int], list[str]] = {}
    for clip in clips:
        together.setdefault((clip.name.partition("/")[0], clip.speaker, clip.label), []).append(clip.name)
    return {name: n for names in together.values() for n, name in enumerate(sorted(names, key=trials.__getitem__))}


def in_processes(
    study: Study, work: Callable[[Study, str, int], None], tasks: list[tuple[str, int]], n_workers: int
) -> None:
    if n_workers == 1:
        for front, seed in tasks:
            work(study, front, seed)
        return
    with multiprocessing.get_context("spawn").Pool(n_workers, maxtasksperchild=1) as pool:
        pool.starmap(work, [(study, front, seed) for front, seed in tasks], chunksize=1)


def as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path, help="the Heidelberg Digits")
    parser.add_argument("out", type=Path, help="folder for all that the study makes")
    parser.add_argument(
        "--front-ends", default=",".join(STUDIED), metavar="NAME,...", help="some of: " + ", ".join(FRONT_ENDS)
    )
    parser.add_argument("--seeds", default="0,1,2", metavar="N,...", help="of the networks (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="default: %(default)s")
    parser.add_argument("--until", choices=("train", "test"), default="test", help="train: leaves the test part closed")
    parser.add_argument("--one-noise", action="store_true", help="train on each clip in its first noise; until train")
    parser.add_argument("--quick", action="store_true", help="a trial on a few clips")
    parser.add_argument("--write", action="store_true", help="write the table and the figure into docs")
    arguments = parser.parse_args()
    fronts, seeds = arguments.front_ends.split(","), [int(seed) for seed in arguments.seeds.split(",")]
    if unknown := set(fronts) - set(FRONT_ENDS):
        parser.error(f"no front end {', '.join(sorted(unknown))}; there are {', '.join(FRONT_ENDS)}")
    study = Study(
        arguments.audio, arguments.out, workers=arguments.workers, quick=arguments.quick, one_noise=arguments.one_noise
    )
    study.prepare()
    tasks = [(front, seed) for front in fronts for seed in seeds]
    for front in fronts:
        hear_all(study, front, is_test=False)
    in_processes(study, train_one, tasks, arguments.workers)
    if arguments.until == "train" or arguments.one_noise:
        return
    for front in fronts:
        hear_all(study, front, is_test=True)
    in_processes(study, test_one, tasks, 1)
    summary = summarize(study, fronts, seeds)
    write_atomically(study.out / "summary.json", as_json(summary), overwrite=True)
    table = as_markdown(summary)
    print(table)
    docs = Path(__file__).resolve().parents[1] / "docs"
    draw(summary, (docs / "images" if arguments.write else study.out) / "noise.png")
    if arguments.write:
        write_page(docs / "explanation" / "noise.md", f"{table}\n\n{LEGEND}")
        write_atomically(docs / "images" / "noise.json", as_json(summary), overwrite=True)


if __name__ == "__main__":
    main()

"""Make the networks that ship with the package, and measure them.

    python benchmarks/pretrained.py make HD48 [HD16 ...] --out RUNS [--only NAME] [--ship chosen] [--write]
    python benchmarks/pretrained.py hear AUDIO --network RUNS/digits/chosen [--clips 200]
    python benchmarks/pretrained.py hear AUDIO --network digits --speakers 4,5 [--clips 200]
    python benchmarks/pretrained.py latency [AUDIO_FILE]

`make` takes folders that each hold ..._train.h5 and, unless it is only to be validated on, ..._test.h5: the Heidelberg
Digits as `spikedata encode --split published` writes them with the default cochlea. It trains on the first one: a run
that holds speakers 6 and 8 out chooses the number of epochs, and a refit on all ten speakers of ..._train.h5 is what
ships (with `--ship chosen`, that run itself), with seed 0, which was fixed before anything was trained. Runs that are
in RUNS are kept. Without --write, no test clip is opened; with it, each test file is scored once, and the package's
files are written.

`hear` gives recordings to `spikedata.recognize` as they are, at 16 kHz, and between silence or faint noise: those that
chose the epochs of a run or, of a finished network, those of some speakers. `latency` measures a recording in this
process, which is warm, and in a fresh one.
"""

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import safetensors.torch
import soxr
import torch
from scipy.optimize import minimize_scalar

import spikedata as sd
from spikedata.baseline import Card, Recipe, load_run, read_card, read_chosen_run, recipe_from, refit_run, train_run
from spikedata.baseline.runs.card import tally
from spikedata.baseline.runs.data import read_run_data
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import card_bytes, network_from, read_split, weights_bytes
from spikedata.baseline.runs.inspect_run import class_logits
from spikedata.corpora import list_clips
from spikedata.disk import write_atomically
from spikedata.encoding.ear import ear_params
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.nn import Network
from spikedata.nn.quantization import quantize
from spikedata.recognition.pretrained import (
    NETWORKS,
    PRETRAINED,
    Measured,
    PretrainedCard,
    UsedFile,
    network_to_hear_with,
)

SEED = 0  # of training and split: fixed in advance, not the best of several
UNSEEN = (4, 5)  # speakers of the published test part who are not in its training part
ATTRIBUTION = (
    "Heidelberg Digits: Cramer, Stradmann, Schemmel, Zenke, The Heidelberg Spiking Data Sets for the Systematic "
    "Evaluation of Spiking Neural Networks, IEEE TNNLS 33:2744 (2022), CC BY 4.0"
)
LIMITS = (
    "It knows the twenty words zero to nine and null to neun and takes any sound for one of them. It was trained on "
    "{n} speakers in a quiet room, with one seed; accents, children, loud noise and telephones were not tested."
)


class Plan(NamedTuple):
    """What a network is made of."""

    about: str
    recipe: Recipe
    weights: str


PLANS = {
    "digits": Plan(
        "two recurrent layers of 256 adaptive LIF neurons",
        recipe_from("adlif_augmented", {"matmul_precision": "medium"}),
        "float32",
    ),
    "digits_tiny": Plan(
        "two recurrent layers of 128 adaptive LIF neurons, weights in eight bits",
        recipe_from("adlif_augmented", {"matmul_precision": "medium", "hidden": "128,128"}),
        "int8",
    ),
}


def stored(network: Network, kind: str) -> bytes:
    """The file of a network's weights."""
    if kind == "float32":
        return weights_bytes(network)
    return safetensors.torch.save({name: t.contiguous() for name, t in quantize(network.state_dict()).items()})


def digest_of(weights: bytes) -> str:
    return hashlib.sha256(weights).hexdigest()


def read_back(weights: bytes, card: Card) -> Network:
    """The network that the file of some weights gives, which is what ships."""
    sizes = {"n_units": card.data.n_units, "n_classes": len(card.data.keys)}
    return network_from(weights, card.recipe, sha256=digest_of(weights), **sizes)


def logits_of(network: Network, events: Events) -> npt.NDArray[np.float32]:
    """Class scores of all clips."""
    parts = np.array_split(np.arange(len(events)), -(-len(events) // 256))
    return np.concatenate([class_logits(network, list(events.select(part))) for part in parts])


def nll(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], temperature: float) -> float:
    """Mean negative log-likelihood of the labels [nat]."""
    scaled = torch.from_numpy(logits.astype(np.float64)) / temperature
    return float(torch.nn.functional.cross_entropy(scaled, torch.from_numpy(labels)))


def measured(clips: str, events: Events, network: Network, kind: str) -> Measured:
    """How many clips a network gets right."""
    (rate,) = np.unique(events.sample_rates)
    right = logits_of(network, events).argmax(axis=1) == events.labels
    return Measured(clips=clips, sample_rate=int(rate), weights=kind, tally=tally(right))


def in_short(score: Measured) -> str:
    low, high = score.tally.interval_95
    n = score.tally.n
    return (
        f"{score.clips}, {score.sample_rate:,} Hz, {score.weights}: {score.tally.accuracy:.1%} "
        f"({low:.1%} to {high:.1%}, n = {n})"
    )


def part_of(folder: Path, part: str) -> Path:
    """The file of a part."""
    found = sorted(folder.glob(f"*_{part}.h5"))
    if len(found) != 1:
        raise SystemExit(f"{folder}: must hold one ..._{part}.h5, has {len(found)}")
    return found[0]


def names_held_out(run: Path) -> set[str]:
    """The clips that chose the epoch of a run."""
    card = read_card(run)
    with SpikeFile(card.data.path) as file:
        sources = file.sources
    return {sources[index] for index in read_split(run, card, sources).part("validation")}


def held_out(folder: Path, run: Path) -> Events:
    """The clips that chose the epoch of a run, as a folder has them encoded."""
    names = names_held_out(run)
    _, events = read_run_data(part_of(folder, "train"), window=1.0)
    return events.select([index for index, name in enumerate(events.sources) if name in names])


def make(name: str, folders: list[Path], runs: Path, *, ship: str, write: bool) -> None:
    """Train a network, choose its epochs, train it again on all speakers, and write the package's files."""
    plan, train_file = PLANS[name], part_of(folders[0], "train")
    chosen_dir = runs / name / "chosen"
    shipped_dir = runs / name / ship
    progress: Any = lambda record: print(f"{name} {record}", file=sys.stderr, flush=True)  # noqa: E731
    options: dict[str, Any] = {"seed": SEED, "keep_finished": True, "device": "cpu", "on_epoch": progress}
    train_run(train_file, chosen_dir, recipe=plan.recipe, split="validation_by_speaker", split_seed=SEED, **options)
    chosen = load_run(chosen_dir)
    if chosen.card.split.speakers["validation"] != (6, 8):
        raise SystemExit(f"{chosen_dir}: the validation speakers must be 6 and 8")
    validation, kinds = [], dict.fromkeys(["float32", plan.weights])
    for folder in folders:
        events = held_out(folder, chosen_dir)
        for kind in kinds:
            network = read_back(stored(chosen.network, kind), chosen.card)
            validation.append(measured("held-out speakers 6 and 8", events, network, kind))
            print(f"{name}: {in_short(validation[-1])}", flush=True)
    events = held_out(folders[0], chosen_dir)
    logits = logits_of(read_back(stored(chosen.network, plan.weights), chosen.card), events)
    temperature = float(minimize_scalar(lambda t: nll(logits, events.labels, t), bounds=(0.1, 100), method="bounded").x)
    before, after = nll(logits, events.labels, 1.0), nll(logits, events.labels, temperature)
    print(f"{name}: temperature {temperature:.2f}, loss {before:.3f} before and {after:.3f} after it", flush=True)
    if ship == "refit":
        refit_run(train_file, shipped_dir, chosen=read_chosen_run(chosen_dir), **options)
    if not write:
        return
    shipped = load_run(shipped_dir)
    tests, data = [], [used(train_file, "training")]
    weights = stored(shipped.network, plan.weights)
    for folder in folders:
        if not any(folder.glob("*_test.h5")):
            continue
        test_file = part_of(folder, "test")
        data.append(used(test_file, "test"))
        if not any(entry.sha256 == data[-1].sha256 for entry in read_card(shipped_dir).tests):
            evaluate_run(shipped_dir, test_file)
        _, events = read_run_data(test_file, window=1.0)
        unseen = events.select(np.isin(events.speakers, UNSEEN))
        for kind in kinds:
            network = read_back(stored(shipped.network, kind), shipped.card)
            tests.append(measured("unseen speakers 4 and 5", unseen, network, kind))
            tests.append(measured("whole test file", events, network, kind))
    for score in tests:
        print(f"{name}: {in_short(score)}", flush=True)
    if shipped.card.data.provenance is None:
        raise SystemExit(f"{train_file}: does not say which cochlea made its spikes")
    preset, ear = ear_params(shipped.card.data.preset)
    card = PretrainedCard(
        name=name,
        about=plan.about,
        limits=LIMITS.format(n=len(shipped.card.split.speakers["train"])),
        classes=shipped.card.data.keys,
        recipe=shipped.card.recipe,
        seed=SEED,
        preset=preset,
        ear=ear,
        n_units=shipped.card.data.n_units,
        parameters=shipped.card.network.parameters,
        weights=plan.weights,
        sha256=digest_of(weights),
        temperature=round(temperature, 3),
        data=tuple(data),
        attribution=ATTRIBUTION,
        speakers_trained=shipped.card.split.speakers["train"],
        speakers_chose=chosen.card.split.speakers["validation"],
        validation=tuple(validation),
        tests=tuple(tests),
        commands=tuple(_without_folders(run, runs) for run in dict.fromkeys([chosen_dir, shipped_dir])),
        made_with=f"spikedata {shipped.card.environment.spikedata}, PyTorch {shipped.card.environment.torch}",
    )
    write_atomically(NETWORKS / f"{name}.safetensors", weights, overwrite=True)
    write_atomically(NETWORKS / f"{name}.json", card_bytes(card), overwrite=True)
    print(f"{name}: {len(weights):,} bytes in {NETWORKS / name}.safetensors")


def used(path: Path, use: str) -> UsedFile:
    data, events = read_run_data(path, window=1.0)
    (rate,) = np.unique(events.sample_rates)
    return UsedFile(file=path.name, sha256=data.sha256, corpus=data.corpus or "", sample_rate=int(rate), use=use)


def _without_folders(run: Path, runs: Path) -> str:
    card = read_card(run)
    return card.command.replace(card.data.path, card.data.file).replace(str(runs), "runs")


def padded(
    waveform: npt.NDArray[np.float64], sample_rate: int, noise: float | None, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """A word between 0.5 and 2 s of silence on either side, in noise of some level relative to the word [dB]."""
    before, after = (np.zeros(round(rng.uniform(0.5, 2.0) * sample_rate)) for _ in range(2))
    sound = np.concatenate([before, waveform, after])
    if noise is None:
        return sound
    level = 10 ** (noise / 20) * np.sqrt(np.square(waveform).mean())
    return np.asarray(sound + level * rng.standard_normal(sound.size))


def hear(audio: Path, network: str, speakers: tuple[int, ...], n_clips: int) -> None:
    """Recognize recordings as they are, at 16 kHz, and between silence and noise."""
    listing = list_clips("heidelberg_digits", audio)
    if Path(network).is_dir():
        names = names_held_out(Path(network))
        clips = [clip for clip in listing.clips if clip.name in names]
    else:
        clips = [clip for clip in listing.clips if clip.speaker in speakers]
    rng = np.random.default_rng(SEED)
    clips = [clips[index] for index in np.sort(rng.permutation(len(clips))[:n_clips])]
    ear = network_to_hear_with(network)
    right: dict[str, list[bool]] = {}
    same: dict[str, list[bool]] = {}
    for clip in clips:
        waveform, sample_rate = sd.read_audio(clip.path)
        at_16k = waveform if sample_rate == 16_000 else soxr.resample(waveform, sample_rate, 16_000, "VHQ")
        sounds = {f"as it is, {sample_rate:,} Hz": (waveform, sample_rate), "at 16 kHz": (at_16k, 16_000)}
        for noise in (None, -60.0, -40.0, -30.0):
            said = (
                "0.5 to 2 s of silence around it" if noise is None else f"0.5 to 2 s around it, noise at {noise:g} dB"
            )
            sounds[f"{said}, 16 kHz"] = (padded(at_16k, 16_000, noise, rng), 16_000)
        sounds["at 8 kHz"] = (soxr.resample(waveform, sample_rate, 8_000, "VHQ"), 8_000)
        words = {said: sd.recognize(sound, network=ear).word for said, sound in sounds.items()}
        for said, word in words.items():
            right.setdefault(said, []).append(word == listing.keys[clip.label])
            same.setdefault(said, []).append(word == words["at 16 kHz"])
    who = sorted({clip.speaker for clip in clips})
    print(f"{network}, speakers {', '.join(map(str, who))}, {len(clips)} recordings\n")
    print("| recording | right | 95 % interval | as at 16 kHz |\n|---|---:|---:|---:|")
    for said, hits in right.items():
        score = tally(np.array(hits))
        low, high = score.interval_95
        print(f"| {said} | {score.accuracy:.1%} | {low:.1%} to {high:.1%} | {np.mean(same[said]):.1%} |")


def latency(path: Path, repeats: int = 20) -> None:
    """Time from a file to its word, in a process that is warm and in a fresh one: medians, CPU time and wall time."""
    waveform, sample_rate = sd.read_audio(path)
    print(f"{path.name}: {len(waveform) / sample_rate:.2f} s at {sample_rate:,} Hz\n")
    print("| network | warm: CPU | wall | fresh process: CPU | wall |\n|---|---:|---:|---:|---:|")
    for name in PRETRAINED:
        network = sd.load_pretrained(name)
        sd.recognize(path, network=network)
        warm = _median_time(partial(sd.recognize, path, network=network), repeats)
        command = [sys.executable, "-m", "spikedata", "recognize", str(path), "--network", name, "--no-progress"]
        fresh = _median_time(partial(subprocess.run, command, check=True, capture_output=True), 3)
        print(f"| `{name}` | {1e3 * warm[0]:.0f} ms | {1e3 * warm[1]:.0f} ms | {fresh[0]:.1f} s | {fresh[1]:.1f} s |")


def _median_time(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """CPU time of this process and its children, and wall time [s]."""
    times = []
    for _ in range(repeats):
        before, started = os.times(), perf_counter()
        work()
        times.append((sum(os.times()[:4]) - sum(before[:4]), perf_counter() - started))
    cpu, wall = np.median(times, axis=0)
    return cpu, wall


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser("make")
    sub.add_argument("folders", nargs="+", type=Path)
    sub.add_argument("--out", type=Path, required=True)
    sub.add_argument("--only", choices=PLANS, action="append")
    sub.add_argument("--ship", choices=("refit", "chosen"), default="refit")
    sub.add_argument("--write", action="store_true", help="score the test files once, and write the package's files")
    sub = commands.add_parser("hear")
    sub.add_argument("audio", type=Path)
    sub.add_argument("--network", default="digits")
    sub.add_argument("--speakers", type=numbers, default=UNSEEN)
    sub.add_argument("--clips", type=int, default=200)
    sub = commands.add_parser("latency")
    sub.add_argument("file", nargs="?", type=Path)
    args = parser.parse_args()
    if args.command == "make":
        for name in args.only or PLANS:
            make(name, args.folders, args.out, ship=args.ship, write=args.write)
    elif args.command == "hear":
        hear(args.audio, args.network, args.speakers, args.clips)
    else:
        latency(args.file or sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac")

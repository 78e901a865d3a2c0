"""The baselines on the official files: SHD or SSC downloaded, recipes trained and refit, the test opened once a run.

    python benchmarks/official.py --out RUNS [--data-set shd|ssc] [--recipes A,B] [--seeds 0,1,2] [--epochs N]
                                  [--set PARAM=VALUE ...] [--files FOLDER] [--threads N] [--device NAME]

SHD: speakers 6 and 8 of shd_train.h5 are held out and choose the epoch; then the recipe is trained anew on all ten for
as many epochs (a refit of the first seed's choice), with every seed; shd_test.h5 is scored once for each run. SSC:
ssc_valid.h5 chooses the epoch, and the refit trains on ssc_train.h5 and ssc_valid.h5. With --files, files of these
names in a folder take the place of the download: the official ones, or those that this package makes of the same
recordings. The table says which they were, by their checksums.

Whatever stops it, the same command goes on where it was. OUT has the runs, official.md and official.json.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from spikedata import __version__
from spikedata.baseline import Card, Recipe, evaluate_run, read_card, read_chosen_run, recipe_from, refit_run, train_run
from spikedata.baseline.runs.folder import CARD
from spikedata.baseline.runs.group_summary import over_tested_clips
from spikedata.baseline.runs.statistics import over_all_seeds, over_seeds
from spikedata.disk import file_digest
from spikedata.downloads import download, origin_of
from spikedata.downloads.registry import files_of
from spikedata.downloads.remade import remade_files
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter

RECIPES = "adlif_augmented,cramer2022_coarse"
HELD_OUT = (6, 8)  # of SHD: the speakers who choose the epoch, as everywhere in docs/explanation/results.md
DATA_SETS = {"shd": ("shd_train", "shd_test"), "ssc": ("ssc_train", "ssc_valid", "ssc_test")}
PARTS = {"chosen": "held-out speakers choose", "refit": "refit on all"}
COLUMNS = (
    "recipe", "trained on", "runs", "epochs", "validation", "test", "95 %, seeds", "95 %, clips", "n",
    "unseen speakers", "opened", "CPU min a run",
)  # fmt: skip


class Source(NamedTuple):
    """A file of a data set, and what its checksum says it is."""

    name: str
    path: Path
    kind: str  # "official", "remade" or "unverified"
    sha256: str
    said: str


def main(words: list[str] | None = None) -> None:
    arguments = parse_arguments(words)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    recipes = [recipe_of(name, arguments.epochs, arguments.set) for name in arguments.recipes.split(",")]
    sources = find_files(arguments.data_set, arguments.files)
    for source in sources:
        say(f"{source.name}.h5: {source.said}")
    train_path, test_path = train_and_test(arguments.data_set, sources, out)
    for recipe in recipes:
        for run in make_runs(recipe, train_path, out, arguments):
            if not read_card(run).tests:  # a second look would be counted
                with CpuClock(out, run, epoch="test"):
                    evaluate_run(run, test_path)
        write_table(out, recipes, sources, arguments)  # what there is so far
    print((out / "official.md").read_text("utf-8"))


def parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="RUNS")
    parser.add_argument("--data-set", default="shd", choices=DATA_SETS)
    parser.add_argument("--files", type=Path, metavar="FOLDER", help="take the files of this folder, download nothing")
    parser.add_argument("--recipes", default=RECIPES, help="names with commas between")
    parser.add_argument("--seeds", default="0,1,2", type=lambda text: tuple(map(int, text.split(","))))
    parser.add_argument("--epochs", type=int, metavar="N", help="in place of the recipes' own")
    parser.add_argument("--set", action="append", default=[], metavar="PARAM=VALUE", help="param of all recipes")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser.parse_args(words)


def recipe_of(name: str, epochs: int | None, settings: list[str]) -> Recipe:
    """A recipe as it is named, or with other params."""
    usual = recipe_from(name)
    changed = dict(setting.split("=", 1) for setting in settings)
    if epochs is not None and usual.training is not None:
        changed["epochs"] = str(epochs)
    return recipe_from(name, changed)


def find_files(data_set: str, folder: Path | None) -> list[Source]:
    """The files of a data set: downloaded, or those in a folder. What is neither official nor remade is refused."""
    names = DATA_SETS[data_set]
    if folder is not None:
        for name in names:
            if not (folder / f"{name}.h5").is_file():
                raise FileNotFoundError(f"{folder / name}.h5: no such file")
    got = download(data_set, folder, on_progress=progress())
    found = dict(zip((file.name for file in files_of(data_set)), got.paths, strict=True))
    return [source_of(name, found[name]) for name in names]


def source_of(name: str, path: Path) -> Source:
    origin, sha256 = origin_of(path), file_digest(path, "sha256")
    said = str(origin)
    if origin.kind == "remade":
        known = next((known for known in remade_files() if known.sha256 == sha256), None)
        if known:
            said += f"; its SHA-256 is that of the known {known.name}.h5, preset {known.preset}"
    return Source(name, path, origin.kind, sha256, f"{said} (SHA-256 {sha256[:16]}…)")


def train_and_test(data_set: str, sources: list[Source], out: Path) -> tuple[Path, Path]:
    """The file to train on, which holds validation clips, too, and the one to test on."""
    *training, test = sources
    if data_set == "shd":
        return training[0].path, test.path
    joined = out / "ssc_train_and_valid.h5"
    if not joined.exists():
        join(dict(zip(("train", "validation"), (source.path for source in training), strict=True)), joined)
    return joined, test.path


def join(paths: dict[str, Path], joined: Path) -> None:
    """One file of several, in which each clip says its part; speakers keep their numbers."""
    files = {part: SpikeFile(path) for part, path in paths.items()}
    first = next(iter(files.values()))
    for part, file in files.items():
        if file.keys != first.keys or file.n_units != first.n_units:
            raise ValueError(f"{paths[part]}: must have the classes and units of {first.path}")
    options: dict[str, Any] = {"times_dtype": first.times_dtype.name, "n_units": first.n_units}
    with SpikeWriter(joined, keys=first.keys, **options) as writer:
        for part, file in files.items():
            for number, clip in enumerate(file):
                values = clip._asdict() | {"part": part, "source": clip.source or f"{part}-{number}"}
                writer.append(**values)
            file.close()


class CpuClock:
    """Notes the CPU time of a block, or of each epoch in it; a later note for an epoch takes the place of the first."""

    def __init__(self, out: Path, run: Path, *, epoch: int | str = "rest") -> None:
        self.path, self.run, self.epoch = out / "cpu.jsonl", run.relative_to(out).as_posix(), epoch
        self.since = time.process_time()

    def note(self, epoch: int | str) -> None:
        now = time.process_time()
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"run": self.run, "epoch": epoch, "cpu_s": round(now - self.since, 3)}) + "\n")
        self.since = now

    def __enter__(self) -> "CpuClock":
        self.since = time.process_time()
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.note(self.epoch)


def make_runs(recipe: Recipe, train_path: Path, out: Path, arguments: argparse.Namespace) -> Iterator[Path]:
    """Train with each seed, then refit what the first seed chose with each seed; finished runs are kept."""
    options = {"device": arguments.device, "threads": arguments.threads, "keep_finished": True}
    split: dict[str, Any] = {
        "split": "by_speaker",
        "split_seed": 0,
        "validation_speakers": HELD_OUT,
        "test_speakers": (),
    }
    if arguments.data_set == "ssc":
        split = {"split": "listed", "split_seed": 0}
    folder = out / recipe.name
    for part in PARTS:
        if part == "refit" and recipe.training is None:
            return
        for seed in arguments.seeds:
            run = folder / part / f"seed-{seed}"
            is_there = (run / CARD).exists()
            clock = CpuClock(out, run)

            def on_epoch(record: Any, run: Path = run, clock: CpuClock = clock) -> None:
                clock.note(record.epoch)
                validated = f", validation {record.validation_accuracy:.1%}" if record.is_validated else ""
                say(f"{run}: epoch {record.epoch}{validated}")

            if part == "chosen":
                train_run(train_path, run, recipe=recipe, seed=seed, on_epoch=on_epoch, **split, **options)
            else:
                chosen = read_chosen_run(folder / "chosen" / f"seed-{arguments.seeds[0]}")
                refit_run(train_path, run, chosen=chosen, seed=seed, on_epoch=on_epoch, **options)
            if not is_there:
                clock.note("rest")
            yield run


def write_table(out: Path, recipes: list[Recipe], sources: list[Source], arguments: argparse.Namespace) -> None:
    """official.json and official.md: what the runs that are there have scored."""
    rows = []
    for recipe in recipes:
        for part in PARTS:
            runs = [out / recipe.name / part / f"seed-{seed}" for seed in arguments.seeds]
            cards = {run: read_card(run) for run in runs if (run / CARD).exists()}
            if cards:
                rows.append(row_of(recipe, part, out, cards))
    command = ["benchmarks/official.py", *sys.argv[1:]]
    result = {
        "official": all(source.kind == "official" for source in sources),
        "data_set": arguments.data_set,
        "files": [source._asdict() | {"path": source.path.name} for source in sources],
        "rows": rows,
        "command": "python " + shlex.join(command),
        "spikedata": __version__,
        "torch": torch.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
    }
    (out / "official.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    (out / "official.md").write_text(as_markdown(result), encoding="utf-8")


def row_of(recipe: Recipe, part: str, out: Path, cards: dict[Path, Card]) -> dict[str, Any]:
    tests = [card.tests[-1] if card.tests else None for card in cards.values()]
    known = [test for test in tests if test]
    over, clips = over_all_seeds([test.score.accuracy if test else None for test in tests]), None
    if over is not None:
        clips = over_tested_clips(known)
    unseen = over_all_seeds([test.unseen.accuracy if test and test.unseen else None for test in tests])
    seconds = cpu_seconds(out)
    spent = [seconds.get(run.relative_to(out).as_posix()) for run in cards]
    first = next(iter(cards.values()))
    return {
        "recipe": recipe.name,
        "trained_on": PARTS[part],
        "speakers_trained": len(first.split.speakers["train"]),
        "clips_trained": first.split.n["train"],
        "seeds": [card.seed for card in cards.values()],
        "epochs": [card.training.best_epoch for card in cards.values()],
        "validation": vars(over_seeds([card.validation.accuracy for card in cards.values()])),
        "test": vars(over) if over else None,
        "test_accuracies": [test.score.accuracy for test in known],
        "interval_95_clips": list(clips.interval_95) if clips else None,
        "n": clips.n if clips else None,
        "unseen": vars(unseen) if unseen else None,
        "n_unseen": known[0].unseen.n if known and known[0].unseen else None,
        "times_opened": [test.times_opened for test in known],
        "cpu_seconds": spent,
        "parameters": first.network.parameters,
    }


def cpu_seconds(out: Path) -> dict[str, float]:
    """CPU time of each run: of every epoch the last note counts, since only then was it kept."""
    notes: dict[str, dict[str, float]] = {}
    for line in (out / "cpu.jsonl").read_text("utf-8").splitlines():
        note = json.loads(line)
        notes.setdefault(note["run"], {})[str(note["epoch"])] = note["cpu_s"]
    return {run: round(sum(by_epoch.values()), 3) for run, by_epoch in notes.items()}


def as_markdown(result: dict[str, Any]) -> str:
    title = "The official files" if result["official"] else "NOT the official files"
    lines = [f"**{title}** of {result['data_set'].upper()}:", ""]
    lines += [f"- {file['name']}.h5: {file['said']}" for file in result["files"]]
    lines += ["", f"| {' | '.join(COLUMNS)} |", "|---|---|" + "---:|" * (len(COLUMNS) - 2)]
    lines += [f"| {' | '.join(cells(row))} |" for row in result["rows"]]
    lines += ["", "The validation of a refit is that of the run that chose."]
    lines += [
        "",
        f"`{result['command']}`, spikedata-audio {result['spikedata']}, torch {result['torch']}, {result['machine']}",
    ]
    return "\n".join(lines) + "\n"


def cells(row: dict[str, Any]) -> list[str]:
    trained = f"{row['speakers_trained']} speakers, {row['clips_trained']:,} clips ({row['trained_on']})"
    spent = [seconds for seconds in row["cpu_seconds"] if seconds is not None]
    return [
        row["recipe"],
        trained,
        f"{len(row['seeds'])} (seeds {', '.join(map(str, row['seeds']))})",
        ", ".join(map(str, row["epochs"])),
        percent(row["validation"]),
        percent(row["test"]),
        interval(row["test"] and row["test"]["interval_95"]),
        interval(row["interval_95_clips"]),
        f"{row['n']:,}" if row["n"] else "-",
        percent(row["unseen"]) + (f" of {row['n_unseen']:,}" if row["n_unseen"] else ""),
        ", ".join(map(str, row["times_opened"])) or "-",
        f"{sum(spent) / len(spent) / 60:.1f}" if spent else "-",
    ]


def percent(over: dict[str, Any] | None) -> str:
    if over is None:
        return "-"
    spread = "" if over["deviation"] is None else f" ± {100 * over['deviation']:.1f}"
    return f"{100 * over['mean']:.1f}{spread} %"


def interval(bounds: list[float] | tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{100 * bounds[0]:.1f} to {100 * bounds[1]:.1f} %"


def progress() -> Any:
    """A line whenever a stage of a download begins."""
    seen = set()

    def report(stage: str, done: int, size: int) -> None:
        if stage not in seen:
            seen.add(stage)
            say(f"{stage}, {size / 1e6:,.0f} MB")

    return report


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")

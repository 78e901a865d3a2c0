"""How fast sound becomes spikes: CPU and wall time per second of sound, both presets, stage by stage.

    python benchmarks/encode.py [--clip FILE] [--repeats N] [--json]

Prints Markdown tables. CPU time counts all threads and is what to compare; wall time is what other programs leave over.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from cochlea import (
    CochleaParams,
    apply_ramps,
    as_waveform,
    auditory_nerve,
    basilar_membrane,
    bushy_cell,
    encode,
    encode_many,
    hair_cell,
    normalize_rms,
    place_hair_cells,
    resample,
)

SAMPLE_RATE = 48_000  # [Hz], of the sound that the benchmark makes
PUBLISHED_CONVERTER = 265 / 0.795  # CPU seconds per second of sound; measured: 265 CPU s for 0.795 s at 48 kHz
PRESETS = {"default (3,500 x 8)": CochleaParams(), "published (700 x 40)": CochleaParams.published()}
THREADS = (1, 2)
CLIPS_AT_ONCE = 4
CHANNELS_AT_ONCE = 10  # as `encode` takes them through the stages


@dataclass(frozen=True)
class Cost:
    """What one second of sound costs: seconds of processor and of clock."""

    cpu: float
    wall: float


def main() -> None:
    arguments = parse_arguments()
    waveform, sample_rate = read_clip(arguments.clip) if arguments.clip else (speech_like(), SAMPLE_RATE)
    duration = len(waveform) / sample_rate
    results = [measure(name, waveform, sample_rate, arguments.repeats) for name in PRESETS]
    report = {
        "sound": arguments.clip or "speech-like, made here",
        "sound_duration_s": duration,
        "sample_rate_hz": sample_rate,
        "processors": os.cpu_count(),
        "repeats": arguments.repeats,
        "published_converter_cpu_s_per_s": PUBLISHED_CONVERTER,
        "peak_memory_mb": peak_memory(),
        "presets": results,
    }
    print(json.dumps(report, indent=2) if arguments.json else as_markdown(report))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", metavar="FILE", help="a recording, one channel (default: a speech-like second)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="repeats, of which the median is shown")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def read_clip(path: str) -> tuple[np.ndarray, int]:
    import soundfile

    return soundfile.read(path)


def speech_like(duration: float = 1.0) -> np.ndarray:
    """Four syllables: a voice that glides under three formants, and a hiss before each."""
    rng = np.random.default_rng(0)
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 120 + 20 * np.sin(2 * np.pi * 1.5 * time)  # [Hz]
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = (500 + 200 * np.sin(2 * np.pi * 2 * time), 1500 + 400 * np.cos(2 * np.pi * 3 * time), 2600.0)
    voice = np.zeros_like(time)
    for harmonic in range(1, 41):
        gain = sum(np.exp(-(((harmonic * pitch - center) / 150) ** 2)) for center in formants)
        voice += (gain + 0.02) * np.sin(harmonic * phase)
    hiss = np.diff(rng.standard_normal(time.size + 2), 2)
    syllable = np.sin(2 * np.pi * 4 * time)
    return np.clip(syllable, 0, 1) * voice + 0.3 * np.clip(-syllable - 0.5, 0, 1) * hiss


def measure(name: str, waveform: np.ndarray, sample_rate: int, repeats: int) -> dict:
    """All figures of one preset, per second of sound unless said otherwise."""
    params, duration = PRESETS[name], len(waveform) / sample_rate
    first = cost(encode, waveform, sample_rate, params)
    encoded = [cost(encode, waveform, sample_rate, params) for _ in range(repeats)]
    clips = [(waveform, sample_rate, key) for key in range(CLIPS_AT_ONCE)]
    threads = {
        workers: [cost(encode_all, clips, params, workers) for _ in range(max(1, repeats // 2))] for workers in THREADS
    }
    stages = [stage_costs(waveform, sample_rate, params) for _ in range(repeats)]
    each = median(encoded, duration)
    return {
        "preset": name,
        "n_spikes": int(encode(waveform, sample_rate, params).times.size),
        "first_clip_s": asdict(first),
        "per_second": asdict(each),
        "times_faster": PUBLISHED_CONVERTER / each.cpu,
        "threads": {workers: asdict(median(runs, CLIPS_AT_ONCE * duration)) for workers, runs in threads.items()},
        "stages_cpu": {stage: statistics.median(run[stage] for run in stages) / duration for stage in stages[0]},
    }


def stage_costs(waveform: np.ndarray, sample_rate: int, params: CochleaParams) -> dict[str, float]:
    """CPU seconds of each stage; the stages are called as `encode` calls them."""
    spent: dict[str, float] = {}

    def timed(stage: str, compute: Callable, *arguments):
        start = time.process_time()
        result = compute(*arguments)
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - start
        return result

    rate_in = params.stimulus.sample_rate or sample_rate
    pressure = timed("stimulus", condition, waveform, sample_rate, rate_in, params)
    velocity, rate = timed("basilar membrane", basilar_membrane, pressure, rate_in, params.basilar_membrane)
    rng = np.random.default_rng(0)
    for first in range(0, params.n_channels, CHANNELS_AT_ONCE):
        places = range(first, min(first + CHANNELS_AT_ONCE, params.n_channels))
        cells = timed("places of the cells", place_hair_cells, velocity, params.hair_cell.n_per_place, places)
        probability = timed("hair cells", hair_cell, cells, rate, params.hair_cell)
        releases = timed("nerve fibers", auditory_nerve, probability, rate, params.auditory_nerve, rng)
        timed("bushy cells", fire, releases, len(places), rate, params)
    return spent


def condition(waveform: np.ndarray, sample_rate: int, new_rate: int, params: CochleaParams) -> np.ndarray:
    pressure = normalize_rms(resample(as_waveform(waveform), sample_rate, new_rate), params.stimulus.level)
    return apply_ramps(pressure, new_rate, params.stimulus.ramp_duration)


def fire(releases: np.ndarray, n_channels: int, rate: int, params: CochleaParams) -> tuple:
    fiber_spikes = releases.reshape(n_channels, -1, releases.shape[1]).sum(axis=1, dtype=np.uint16)
    return bushy_cell(fiber_spikes, rate, params.bushy_cell, n_fibers=params.n_fibers_per_channel)


def encode_all(clips: list, params: CochleaParams, workers: int) -> None:
    for _ in encode_many(clips, params, workers=workers):
        pass


def cost(compute: Callable, *arguments) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    compute(*arguments)
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def median(costs: list[Cost], duration: float) -> Cost:
    return Cost(
        statistics.median(each.cpu for each in costs) / duration,
        statistics.median(each.wall for each in costs) / duration,
    )


def peak_memory() -> float:
    """The most memory that this process has held [MB]."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


def as_markdown(report: dict) -> str:
    presets = report["presets"]
    speed = [
        [
            result["preset"],
            f"{result['n_spikes']:,}",
            f"{result['per_second']['cpu']:.2f}",
            f"{result['per_second']['wall']:.2f}",
            f"{result['times_faster']:,.0f}",
            f"{result['first_clip_s']['cpu']:.1f}",
        ]
        for result in presets
    ]
    threads = [
        [result["preset"], str(workers), f"{per_second['cpu']:.2f}", f"{per_second['wall']:.2f}"]
        for result in presets
        for workers, per_second in result["threads"].items()
    ]
    stages = [[result["preset"], *(f"{1e3 * cpu:.0f}" for cpu in result["stages_cpu"].values())] for result in presets]
    return "\n\n".join([
        f"{report['sound_duration_s']:.2f} s of sound at {report['sample_rate_hz'] / 1000:g} kHz ({report['sound']});"
        f" median of {report['repeats']} after the first; {report['processors']} processors;"
        f" peak memory {report['peak_memory_mb']:.0f} MB.\n"
        "The ratio is to the published converter's CPU time, measured: 265 CPU s for 0.795 s.",
        table(["preset", "spikes", "CPU s per s", "wall s per s", "times less CPU", "first clip [CPU s]"], speed),
        table(["preset", "threads", "CPU s per s", "wall s per s"], threads),
        table(["CPU ms per s", *presets[0]["stages_cpu"]], stages),
    ])  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()

"""How fast sound becomes spikes: CPU and wall time per second of sound, threads, first clip, memory, plain stages.

    python benchmarks/encode.py [--clip FILE] [--repeats N] [--long MINUTES] [--json]

Prints Markdown tables. CPU time counts all threads and is what to compare; wall time is what other programs leave over.
Memory and first clips are those of processes of their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from cochlea import (
    CochleaParams,
    auditory_nerve,
    basilar_membrane,
    bushy_cell,
    encode,
    encode_many,
    hair_cell,
    place_hair_cells,
    prepare_stimulus,
)

SAMPLE_RATE = 48_000  # [Hz], of the sound that the benchmark makes
PUBLISHED_CONVERTER = 265 / 0.795  # CPU seconds per second of sound; measured: 265 CPU s for 0.795 s at 48 kHz
PRESETS = {"default (3,500 x 8)": CochleaParams(), "published (700 x 40)": CochleaParams.published()}
THREADS = (1, 2)
CLIPS_AT_ONCE = 8
CHANNELS_AT_ONCE = 10  # that go through the plain stages together
ALONE = """
import json, pathlib, resource, sys, time
import numpy as np
import cochlea

def peak_memory():  # ru_maxrss would be that of the process which started this one, if that was larger
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)

duration, preset = float(sys.argv[1]), sys.argv[2]
params = cochlea.CochleaParams() if preset == "default" else cochlea.CochleaParams.published()
sound = np.random.default_rng(0).integers(-3000, 3000, round(duration * 48_000), dtype=np.int16)
before = peak_memory()
cpu, wall = time.process_time(), time.perf_counter()
cochlea.encode(sound, 48_000, params)
print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall,
                  "mb_before": before, "mb": peak_memory()}))
"""  # encodes noise in a process of its own


@dataclass(frozen=True)
class Cost:
    """What a piece of work costs: seconds of processor and of clock."""

    cpu: float
    wall: float


def main() -> None:
    arguments = parse_arguments()
    waveform, sample_rate = read_clip(arguments.clip) if arguments.clip else (speech_like(), SAMPLE_RATE)
    results = [measure(name, waveform, sample_rate, arguments.repeats, arguments.long) for name in PRESETS]
    report = {
        "sound": arguments.clip or "speech-like, made here",
        "sound_duration_s": len(waveform) / sample_rate,
        "sample_rate_hz": sample_rate,
        "processors": os.cpu_count(),
        "repeats": arguments.repeats,
        "published_converter_cpu_s_per_s": PUBLISHED_CONVERTER,
        "presets": results,
    }
    print(json.dumps(report, indent=2) if arguments.json else as_markdown(report))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", metavar="FILE", help="a recording, one channel (default: a speech-like second)")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help="repeats, of which the median is shown")
    parser.add_argument("--long", type=float, default=1.0, metavar="MINUTES", help="length of the long sound")
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


def measure(name: str, waveform: np.ndarray, sample_rate: int, repeats: int, long: float) -> dict:
    """All figures of one preset, per second of sound unless said otherwise."""
    params, duration = PRESETS[name], len(waveform) / sample_rate
    preset = name.split()[0]
    cost(encode, waveform, sample_rate, params)
    stage_costs(waveform, sample_rate, params)
    # engine and plain stages in turn, so that both meet the same state of the machine
    encoded, stages = [], []
    for _ in range(repeats):
        encoded.append(cost(encode, waveform, sample_rate, params))
        stages.append(stage_costs(waveform, sample_rate, params))
    each = median(encoded, duration)
    plain = {stage: statistics.median(run[stage] for run in stages) / duration for stage in stages[0]}
    clips = [(waveform, sample_rate, key) for key in range(CLIPS_AT_ONCE)]
    turns = [{workers: cost(encode_all, clips, params, workers) for workers in THREADS} for _ in range(repeats)]
    threads = {workers: median([turn[workers] for turn in turns], CLIPS_AT_ONCE * duration) for workers in THREADS}
    with tempfile.TemporaryDirectory() as empty:
        no_cache = alone(1.0, preset, NUMBA_CACHE_DIR=f"{empty}/kernels", SPIKEDATA_CACHE=f"{empty}/tables")
        cached = alone(1.0, preset, NUMBA_CACHE_DIR=f"{empty}/kernels", SPIKEDATA_CACHE=f"{empty}/tables")
    long_sound = alone(60 * long, preset)
    return {
        "preset": name,
        "n_spikes": int(encode(waveform, sample_rate, params).times.size),
        "per_second": asdict(each),
        "times_faster_than_converter": PUBLISHED_CONVERTER / each.cpu,
        "plain_stages_cpu": plain,
        "times_faster_than_plain_stages": sum(plain.values()) / each.cpu,
        "threads": {workers: asdict(each) for workers, each in threads.items()},
        "threads_ratio": statistics.median(turn[1].wall / turn[2].wall for turn in turns),
        "same_spikes": same_spikes(clips[:3], params),
        "first_clip_no_cache": no_cache,
        "first_clip_cached": cached,
        "two_seconds_mb": alone(2.0, preset)["mb"],
        "long_minutes": long,
        "long_cpu": long_sound["cpu"] / (60 * long),
        "long_mb": long_sound["mb"],
        "long_mb_of_sound": 60 * long * 48_000 * 2 / 1e6,
    }


def stage_costs(waveform: np.ndarray, sample_rate: int, params: CochleaParams) -> dict[str, float]:
    """CPU seconds of each plain stage."""
    spent: dict[str, float] = {}

    def timed(stage: str, compute: Callable, *arguments):
        start = time.process_time()
        result = compute(*arguments)
        spent[stage] = spent.get(stage, 0.0) + time.process_time() - start
        return result

    pressure, rate_in = timed("stimulus", prepare_stimulus, waveform, sample_rate, params.stimulus)
    velocity, rate = timed("basilar membrane", basilar_membrane, pressure, rate_in, params.basilar_membrane)
    rng = np.random.default_rng(0)
    for first in range(0, params.n_channels, CHANNELS_AT_ONCE):
        places = range(first, min(first + CHANNELS_AT_ONCE, params.n_channels))
        cells = timed("places of the cells", place_hair_cells, velocity, params.hair_cell.n_per_place, places)
        probability = timed("hair cells", hair_cell, cells, rate, params.hair_cell)
        releases = timed("nerve fibers", auditory_nerve, probability, rate, params.auditory_nerve, rng)
        timed("bushy cells", fire, releases, len(places), rate, params)
    return spent


def fire(releases: np.ndarray, n_channels: int, rate: int, params: CochleaParams) -> tuple:
    fiber_spikes = releases.reshape(n_channels, -1, releases.shape[1]).sum(axis=1, dtype=np.uint16)
    return bushy_cell(fiber_spikes, rate, params.bushy_cell, n_fibers=params.n_fibers_per_channel)


def encode_all(clips: list, params: CochleaParams, workers: int) -> list:
    return list(encode_many(clips, params, workers=workers))


def same_spikes(clips: list, params: CochleaParams) -> bool:
    """Whether the spikes are the same to the bit for any number of threads."""
    one, two = (encode_all(clips, params, workers) for workers in THREADS)
    return all(
        np.array_equal(a.times, b.times) and np.array_equal(a.units, b.units) for a, b in zip(one, two, strict=True)
    )


def alone(duration: float, preset: str, **environment: str) -> dict:
    """Cost and memory of encoding so many seconds of noise in a process of its own."""
    command = [sys.executable, "-c", ALONE, str(duration), preset]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def cost(compute: Callable, *arguments) -> Cost:
    cpu, wall = time.process_time(), time.perf_counter()
    compute(*arguments)
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def median(costs: list[Cost], duration: float) -> Cost:
    return Cost(
        statistics.median(each.cpu for each in costs) / duration,
        statistics.median(each.wall for each in costs) / duration,
    )


def as_markdown(report: dict) -> str:
    presets = report["presets"]
    speed = [
        [
            p["preset"],
            f"{p['n_spikes']:,}",
            f"{p['per_second']['cpu']:.3f}",
            f"{p['per_second']['wall']:.3f}",
            f"{p['times_faster_than_converter']:,.0f}",
            f"{p['times_faster_than_plain_stages']:.1f}",
        ]
        for p in presets
    ]
    threads = [
        [p["preset"], *(f"{p['threads'][n]['wall']:.3f}" for n in THREADS), f"{p['threads_ratio']:.2f}",
         "yes" if p["same_spikes"] else "NO"]
        for p in presets
    ]  # fmt: skip
    processes = [
        [p["preset"], f"{p['first_clip_no_cache']['wall']:.1f}", f"{p['first_clip_cached']['wall']:.2f}",
         f"{p['two_seconds_mb']:.0f}", f"{p['long_mb']:.0f}", f"{p['long_mb_of_sound']:.0f}", f"{p['long_cpu']:.3f}"]
        for p in presets
    ]  # fmt: skip
    stages = [[p["preset"], *(f"{1e3 * cpu:.0f}" for cpu in p["plain_stages_cpu"].values())] for p in presets]
    minutes = f"{presets[0]['long_minutes']:g} min"
    return "\n\n".join([
        f"{report['sound_duration_s']:.2f} s of sound at {report['sample_rate_hz'] / 1000:g} kHz ({report['sound']});"
        f" medians of {report['repeats']} after the first; {report['processors']} processors. The published converter:"
        f" {PUBLISHED_CONVERTER:.0f} CPU s per s.",
        table(["preset", "spikes", "CPU s per s", "wall s per s", "times less CPU than the published converter",
               "than our plain stages"], speed),
        table(["preset", *(f"wall s per s, {n} thread{'s' * (n > 1)}" for n in THREADS), "ratio", "same spikes"],
              threads),
        table(["preset", "first clip, nothing cached [s]", "first clip, cached [s]", "memory, 2 s clip [MB]",
               f"memory, {minutes} [MB]", "of it the sound [MB]", f"CPU s per s, {minutes}"], processes),
        table(["plain stages, CPU ms per s", *presets[0]["plain_stages_cpu"]], stages),
    ])  # fmt: skip


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()

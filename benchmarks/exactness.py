"""How exact the model is: membrane, hair cells and spikes beside an independent evaluation of the same equations.

    python benchmarks/exactness.py [--clip FILE] [--seeds N] [--json]

Prints a Markdown table. Takes a few minutes: the evaluation has a state for every fiber and draws for every step.
"""

import argparse
import importlib.util
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy import stats

from cochlea import CochleaParams, basilar_membrane, encode, hair_cell, place_hair_cells, prepare_stimulus, resample

SAMPLE_RATE = 48_000  # [Hz], of the sound that the benchmark makes
# Preset and the channels that are evaluated: the cells of the default are five times as many, so a fifth and the last.
PRESETS = {
    "published": (CochleaParams.published(), np.arange(700)),
    "default": (CochleaParams(), np.r_[0:700:5, 699]),
}
LIKELY = 1e-3  # release probabilities above it are compared by their ratio; it is 2.5e-3 at rest
CHANNELS_AT_ONCE = 50  # bounds the memory


def load_independent() -> ModuleType:
    """The tests' own evaluation of the model; they are no package, so it is loaded by its path."""
    path = Path(__file__).parents[1] / "tests" / "cochlea" / "independent.py"
    spec = importlib.util.spec_from_file_location("independent", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


independent = load_independent()
RATE = independent.RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", metavar="FILE", help="a recording, one channel (default: a made-up syllable)")
    parser.add_argument("--seeds", type=int, default=50, metavar="N", help="draws of the spikes, of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    waveform, sample_rate = read_clip(arguments.clip) if arguments.clip else (syllable(), SAMPLE_RATE)
    report = {
        "sound": Path(arguments.clip).name if arguments.clip else "a syllable, made here",
        "sound_duration_s": len(waveform) / sample_rate,
        "sample_rate_hz": sample_rate,
        "seeds": arguments.seeds,
        "presets": {
            name: measure(waveform, sample_rate, params, channels, arguments.seeds)
            for name, (params, channels) in PRESETS.items()
        },
    }
    print(json.dumps(report, indent=2) if arguments.json else as_markdown(report))


def read_clip(path: str) -> tuple[np.ndarray, int]:
    import soundfile

    return soundfile.read(path)


def syllable(duration: float = 0.4) -> np.ndarray:
    """A hiss, then a voice that falls under three formants."""
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * (130 * time - 50 * time**2)
    voice = np.zeros_like(time)
    for harmonic in range(1, 31):
        gain = sum(np.exp(-(((120 * harmonic - center) / 150) ** 2)) for center in (600, 1300, 2600))
        voice += (gain + 0.02) * np.sin(harmonic * phase)
    hiss = np.diff(np.random.default_rng(0).standard_normal(time.size + 2), 2)
    onset = np.clip((time - 0.25 * duration) / 0.02, 0, 1)
    return onset * voice + 0.2 * (1 - onset) * hiss


def measure(
    waveform: np.ndarray, sample_rate: int, params: CochleaParams, channels: np.ndarray, n_seeds: int
) -> dict[str, float | int]:
    """All figures of one preset."""
    velocity_errors, probability_errors, probability = deviations(waveform, sample_rate, params, channels)
    n_steps, n_cells = probability.shape[1], params.hair_cell.n_per_place
    ours = independent.summarize(encoded(waveform, sample_rate, params, n_seeds), n_steps, channels)
    fibers = independent.spikes(probability, n_seeds, np.random.default_rng(2022), cells_per_channel=n_cells)
    explicit = independent.summarize(((steps, channels[rows]) for steps, rows in fibers), n_steps, channels)
    z = independent.z_of_means(ours.counts, explicit.counts)
    return {
        "channels": channels.size,
        "cells": probability.shape[0],
        "velocity_error_worst": float(velocity_errors.max()),
        "velocity_error_median": float(np.median(velocity_errors)),
        "probability_error_worst": float(probability_errors.max()),
        "probability_error_median": float(np.median(probability_errors)),
        **statistics(ours, "ours"),
        **statistics(explicit, "explicit"),
        "z_of_total": float(total_z(ours.counts, explicit.counts)),
        "z_spread": float(z.std()),
        "z_largest": float(np.abs(z).max()),
        "z_largest_by_chance": float(stats.norm.isf(np.log(2) / 2 / channels.size)),  # the median
        "interval_chi_square_p": independent.interval_p(ours, explicit),
        "first_spike_ks_p": independent.latency_p(ours, explicit),
        "z_of_mean_first_spike": float(total_z(ours.first, explicit.first)),
    }


def deviations(
    waveform: np.ndarray, sample_rate: int, params: CochleaParams, channels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of velocity and release probability of each cell, and the probability as evaluated independently."""
    pressure, pressure_rate = prepare_stimulus(waveform, sample_rate, params.stimulus)
    velocity, rate = basilar_membrane(pressure, pressure_rate, params.basilar_membrane)
    published = params.basilar_membrane.convention == "published"
    heard = waveform if published else independent.high_passed(waveform, sample_rate)
    exact_pressure = independent.stimulus(resample(heard, sample_rate, pressure_rate), pressure_rate)
    velocity_errors, probability_errors, probabilities = [], [], []
    for block in np.array_split(channels, np.ceil(channels.size / CHANNELS_AT_ONCE)):
        if published:
            positions = independent.channel_positions()[block]
            exact_velocity = independent.published_velocity(exact_pressure, pressure_rate, positions)
        else:
            positions = independent.cell_positions(block)
            exact_velocity = independent.causal_velocity(exact_pressure, pressure_rate, positions)
        cells = np.concatenate(
            [place_hair_cells(velocity, params.hair_cell.n_per_place, range(k, k + 1)) for k in block]
        )
        exact_probability = independent.release_probability(exact_velocity, rate)
        error = np.abs(hair_cell(cells, rate, params.hair_cell) - exact_probability) / exact_probability
        velocity_errors.append(np.abs(cells - exact_velocity).max(axis=1) / np.abs(exact_velocity).max(axis=1))
        probability_errors.append(np.where(exact_probability > LIKELY, error, 0.0).max(axis=1))
        probabilities.append(exact_probability)
    return np.concatenate(velocity_errors), np.concatenate(probability_errors), np.concatenate(probabilities)


def encoded(
    waveform: np.ndarray, sample_rate: int, params: CochleaParams, n_seeds: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Steps and channels of the spikes of the package."""
    for seed in range(n_seeds):
        times, units = encode(waveform, sample_rate, params, seed=seed)
        yield np.round(times * RATE).astype(int), units


def statistics(draws: "independent.Draws", whose: str) -> dict[str, float]:
    """Mean and spread of the counts, named for the form that made them."""
    totals, variances = draws.counts.sum(axis=1), draws.counts.var(axis=0, ddof=1)
    return {
        f"total_{whose}": float(totals.mean()),
        f"total_error_{whose}": float(totals.std(ddof=1) / np.sqrt(totals.size)),
        f"fano_of_totals_{whose}": float(totals.var(ddof=1) / totals.mean()),
        f"fano_of_channels_{whose}": float(variances.sum() / draws.counts.mean(axis=0).sum()),
    }


def total_z(a: np.ndarray, b: np.ndarray) -> float:
    return independent.z_of_means(a.sum(axis=1, keepdims=True), b.sum(axis=1, keepdims=True))[0]


def as_markdown(report: dict) -> str:
    results = report["presets"].values()
    rows = [
        ("channels (hair cells) compared", "{channels} ({cells})"),
        ("velocity, error over the channel's peak: worst", "{velocity_error_worst:.1e}"),
        ("the same: median channel", "{velocity_error_median:.1e}"),
        (f"release probability above {LIKELY:g}, relative error: worst", "{probability_error_worst:.1e}"),
        ("the same: median channel", "{probability_error_median:.1e}"),
        ("spikes, ours", "{total_ours:.1f} ± {total_error_ours:.1f}"),
        ("spikes, explicit fibers", "{total_explicit:.1f} ± {total_error_explicit:.1f}"),
        ("their difference in standard errors", "{z_of_total:+.2f}"),
        ("the same per channel: spread (1 by chance)", "{z_spread:.3f}"),
        ("the same per channel: largest (by chance)", "{z_largest:.2f} ({z_largest_by_chance:.2f})"),
        ("intervals, chi-square: p", "{interval_chi_square_p:.2f}"),
        ("first spikes, Kolmogorov-Smirnov: p", "{first_spike_ks_p:.2f}"),
        ("mean first spike, difference in standard errors", "{z_of_mean_first_spike:+.2f}"),
        ("Fano factor of the total: ours, explicit", "{fano_of_totals_ours:.2f}, {fano_of_totals_explicit:.2f}"),
        ("Fano factor of the channels: ours, explicit", "{fano_of_channels_ours:.3f}, {fano_of_channels_explicit:.3f}"),
    ]
    heading = (
        f"{report['sound_duration_s']:.3f} s of sound at {report['sample_rate_hz'] / 1000:g} kHz ({report['sound']});"
        f" {report['seeds']} draws of each kind; ± is one standard error."
    )
    cells = [[name, *(form.format(**result) for result in results)] for name, form in rows]
    return f"{heading}\n\n{table(['', *report['presets']], cells)}"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


if __name__ == "__main__":
    main()

"""How far the model hears as an animal does: tuning, delays, rates, adaptation, phase locking, refractoriness.

    python benchmarks/physiology.py [--out docs/images] [--preset default|published] [--json]

Draws physiology_membrane.png and physiology_nerve.png, and prints the table of
docs/explanation/physiology.md. About a minute.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cochlea import CochleaParams, characteristic_frequencies
from cochlea.physiology.analysis import greenwood_frequency, rate_level
from cochlea.physiology.measurements import (
    TimeCourse,
    click_delays,
    membrane_tuning,
    phase_locking,
    rate_levels,
    time_course,
)
from cochlea.physiology.recording import spontaneous_times
from cochlea.physiology.spike_statistics import hazard_rate, interspike_intervals

PRESETS: dict[str, Callable[[], CochleaParams]] = {"default": CochleaParams, "published": CochleaParams.published}
LEVELS = np.arange(-50.0, 61.0, 5.0)  # [dB]; 0 is a tone of amplitude 1
ABOVE_THRESHOLD = (10.0, 20.0, 30.0)  # [dB], as Chimento and Schreiner took them
SEED = 0
# No divisors of 24 kHz, so that every phase of the tone is sampled [Hz]
FREQUENCIES = (101.0, 127.0, 251.0, 503.0, 701.0, 1009.0, 1511.0, 2003.0, 3011.0, 4013.0, 5021.0)
TUNING_SHOWN = np.array([1000.0, 4000.0, 8000.0])  # in the table [Hz]
DELAYS_SHOWN = np.array([150.0, 500.0, 1000.0, 4000.0])


def human_erb_quality(frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q_ERB by notched-noise masking (Glasberg, Moore 1990) and by otoacoustic emissions (Shera et al. 2002)."""
    return frequency / (24.7 * (4.37 * frequency / 1000 + 1)), 12.7 * (frequency / 1000) ** 0.3


def animal_delay(frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delays [s] that models of the nerve take for the cat (Zilany et al. 2014) and for humans (Harte et al. 2009)."""
    place = 11.9 * np.log10(0.8 + frequency / 456)  # of the cat, from its apex [mm]
    return 3.0e-3 * np.exp(-place / 12.5), 5.545e-3 * (frequency / 1000) ** -0.37


# Vector strength of the cat's fibers: the corners of a band through what is quoted of Johnson 1980, 0.8 to 0.9 below
# 1 kHz and under 0.1 at 5 kHz, falling between them by straight lines over the logarithm of the frequency.
FIBER_BAND = ((100.0, 1000.0, 5000.0), (0.8, 0.8, 0.03), (0.9, 0.9, 0.1))
# Chimento, Schreiner 1990 [ms]: rapid adaptation and short-term recovery, the mean and one standard deviation on either
# side; short-term adaptation, from 30 to 10 dB above the threshold.
CAT_RAPID, CAT_RECOVERY, CAT_SHORT_TERM = (2.7, 6.9), (75.0, 175.0), (74.0, 116.0)


SHADE = {"color": "0.85", "linewidth": 0}  # of an animal's band


class Row(NamedTuple):
    """One line of the table; the band is None where there is no figure to hold the model against."""

    measure: str
    values: list[float]
    unit: str
    animal: str
    bands: list[tuple[float, float]] | None

    @property
    def met(self) -> str:
        if self.bands is None:
            return "?"
        inside = [low <= value <= high for value, (low, high) in zip(self.values, self.bands, strict=True)]
        return "yes" if all(inside) else "partly" if any(inside) else "no"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", metavar="DIR", type=Path, help="where the figures go (default: none are drawn)")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    measured = measure(PRESETS[arguments.preset]())
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        draw_membrane(measured, arguments.out / "physiology_membrane.png")
        draw_nerve(measured, arguments.out / "physiology_nerve.png")
    rows = tabulate(measured)
    if arguments.json:
        print(json.dumps([row._asdict() | {"met": row.met} for row in rows], indent=2))
    else:
        print(as_markdown(rows))


def measure(params: CochleaParams) -> dict:
    """All experiments, by name."""
    rng = np.random.default_rng(SEED)
    channels = list(range(20, 700, 20))
    rates = rate_levels(1000.0, LEVELS, params, rng)
    threshold = rate_level(LEVELS, rates.steady).threshold

    def at_level(level: float) -> TimeCourse:
        return time_course(1000.0, level, params, rng, n_fibers=60_000)

    fiber_times, _ = spontaneous_times(1000.0, params, rng, n_bushy_cells=0)
    _, bushy_times = spontaneous_times(50.0, params, rng, n_bushy_cells=60)
    intervals = interspike_intervals(fiber_times, np.zeros(fiber_times.size))
    return {
        "positions": params.basilar_membrane.positions,
        "map": characteristic_frequencies(params.basilar_membrane),
        "tuning": membrane_tuning(channels, params),
        "click_delays": click_delays(channels, params),
        "rates": rates,
        "rate_level": rate_level(LEVELS, rates.steady),
        "courses": {above: at_level(threshold + above) for above in (*ABOVE_THRESHOLD, 55.0)},
        "fiber_rate": fiber_times.size / 1000,
        "bushy_rate": bushy_times.size / 3000,
        "intervals": intervals,
        "locking": phase_locking(FREQUENCIES, params, rng, n_bushy_cells=200),
    }


def tabulate(measured: dict) -> list[Row]:
    tuning, courses, locking = measured["tuning"], measured["courses"], measured["locking"]
    middle = (measured["positions"] > 0.25) & (measured["positions"] < 2.75)
    ratio = (measured["map"] / greenwood_frequency(measured["positions"]))[middle]

    def at(frequencies: np.ndarray, values: np.ndarray) -> list[float]:
        return np.interp(np.log(frequencies), np.log(tuning.best_frequency[::-1]), values[::-1]).tolist()

    def locked(values: np.ndarray, *frequencies: float) -> list[float]:
        return [float(values[FREQUENCIES.index(frequency)]) for frequency in frequencies]

    def fitted(part: str, field: str) -> list[float]:
        return [1e3 * getattr(getattr(courses[above], part), field) for above in ABOVE_THRESHOLD]

    erb_bands = list(zip(*human_erb_quality(TUNING_SHOWN), strict=True))
    delay_bands = [(1e3 * low, 1e3 * high) for low, high in zip(*animal_delay(DELAYS_SHOWN), strict=True)]
    loud = courses[55.0].histogram
    onset = (loud[50:90:2] + loud[51:91:2]).max() / 2
    rates = measured["rate_level"]
    return [
        Row("CF over Greenwood's CF, least and most, 0.25 to 2.75 cm from the base", [ratio.min(), ratio.max()], "",
            "1 (human, Greenwood 1990); met: within 16 %", [(0.84, 1.16)] * 2),
        Row("CF at the apex", [measured["map"][-1]], "Hz", "20 (human, Greenwood 1990)", [(15, 30)]),
        Row("Q_ERB at 1, 4, 8 kHz", at(TUNING_SHOWN, tuning.q_erb), "",
            f"{band(erb_bands)} (human; Glasberg and Moore 1990 to Shera et al. 2002)", erb_bands),
        Row("Q10 at 1, 4, 8 kHz", at(TUNING_SHOWN, tuning.q10), "", "no human figure", None),
        Row("group delay at 0.15, 0.5, 1, 4 kHz", at(DELAYS_SHOWN, 1e3 * tuning.delay), "ms",
            f"{band(delay_bands)} (cat, Zilany et al. 2014, to human, Harte et al. 2009)", delay_bands),
        Row("spontaneous rate of a fiber", [measured["fiber_rate"]], "/s",
            "18 to 100 in the largest of three groups (cat, Liberman 1978)", [(18, 100)]),
        Row("saturated rate of a fiber, 1 kHz", [rates.saturated], "/s", "150 to 300 (cat; unsure)", [(150, 300)]),
        Row("dynamic range, 10 to 90 % of the steady rate", [rates.dynamic_range], "dB",
            "20 to 30 (cat, Johnson 1980); whole range 41 on average (cat, Evans and Palmer 1980)", [(20, 41)]),
        Row("onset (2 ms) over steady rate, 55 dB above threshold", [onset / loud[250:345].mean()], "",
            "several; depends on ramp and bin", None),
        Row("rapid adaptation, 10, 20, 30 dB above threshold", fitted("adaptation", "tau_rapid"), "ms",
            "4.8 ± 2.1 at all levels (cat, Chimento and Schreiner 1990)", [CAT_RAPID] * 3),
        Row("short-term adaptation, same levels", fitted("adaptation", "tau_short_term"), "ms",
            "116, 83, 74 (same); met: within 25 %", [(87, 145), (62, 104), (55, 92)]),
        Row("short-term recovery, same levels", fitted("recovery", "tau_short_term"), "ms",
            "125 ± 50 (same)", [CAT_RECOVERY] * 3),
        Row("rate 0.1 s after a tone over the spontaneous rate, same levels",
            [courses[above].recovered for above in ABOVE_THRESHOLD], "", "no figure at hand", None),
        Row("shortest interval of a fiber", [1e3 * measured["intervals"].min()], "ms",
            "0.5 to 0.75 (cat; unsure), then a relative refractory period", [(0.5, 0.75)]),
        Row("vector strength of fibers at 0.5, 1, 5 kHz", locked(locking.fiber, 503.0, 1009.0, 5021.0), "",
            "0.8 to 0.9, 0.8 to 0.9, under 0.1 (cat, Johnson 1980)", [(0.8, 0.9), (0.8, 0.9), (0, 0.1)]),
        Row("vector strength of bushy cells at 125, 250, 500, 700 Hz",
            locked(locking.bushy, 127.0, 251.0, 503.0, 701.0), "",
            "0.9 or more in three of four below 700 Hz (cat's trapezoid body, Joris et al. 1994)", [(0.9, 1.0)] * 4),
        Row("spontaneous rate of a bushy cell", [measured["bushy_rate"]], "/s", "often tens (cat; unsure)", None),
    ]  # fmt: skip


def band(bands: list[tuple[float, float]]) -> str:
    return ", ".join(f"{low:.2g} to {high:.2g}" for low, high in bands)


def as_markdown(rows: list[Row]) -> str:
    lines = ["| measure | model | animal (source) | met? |", "|---|---|---|---|"]
    for row in rows:
        values = ", ".join(f"{value:.3g}" for value in row.values)
        lines.append(f"| {row.measure} | {values} {row.unit}".rstrip() + f" | {row.animal} | {row.met} |")
    return "\n".join(lines)


def draw_membrane(measured: dict, path: Path) -> None:
    from matplotlib.ticker import NullLocator

    figure, (place, width, delay) = new_figure(1, 3)
    positions, tuning = measured["positions"], measured["tuning"]
    human = greenwood_frequency(positions)
    place.fill_between(positions, 0.85 * human, 1.15 * human, **SHADE, label="human ± 15 % (Greenwood 1990)")
    place.plot(positions, measured["map"], label="model")
    place.set(xlabel="distance from the base [cm]", ylabel="characteristic frequency [Hz]", yscale="log")
    place.set_title("Place and frequency")

    frequency = tuning.best_frequency
    heard = np.geomspace(1000, 16_000, 50)
    human_q = human_erb_quality(heard)
    width.fill_between(heard, *human_q, **SHADE, label="human, $Q_{ERB}$ (Glasberg, Moore 1990\nto Shera et al. 2002)")
    width.plot(frequency, tuning.q_erb, label="model, $Q_{ERB}$")
    width.plot(frequency, tuning.q10, "--", label="model, $Q_{10}$")
    width.set(xlabel="characteristic frequency [Hz]", ylabel="Q [1]", xscale="log", yscale="log", ylim=(1, 100))
    width.set_yticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"])
    width.yaxis.set_minor_locator(NullLocator())
    width.set_title("Tuning width")

    heard = np.geomspace(100, 16_000, 50)
    slow = [1e3 * values for values in animal_delay(heard)]
    delay.fill_between(heard, *slow, **SHADE, label="cat (Zilany et al. 2014)\nto human (Harte et al. 2009)")
    delay.plot(frequency, 1e3 * np.abs(tuning.delay), label="model, group delay")
    sharp = frequency < 8000  # above, the velocity's rate of 24 kHz blurs a click
    click = 1e3 * np.abs(measured["click_delays"][sharp])
    delay.plot(frequency[sharp], click, ":", label="model, half of a click's energy")
    delay.plot(frequency, 3e3 / frequency, color="0.6", linewidth=0.8, label="three cycles")
    delay.set(xlabel="characteristic frequency [Hz]", ylabel="delay [ms]", xscale="log", yscale="log")
    delay.set_title("Traveling-wave delay")
    save(figure, path)


def draw_nerve(measured: dict, path: Path) -> None:
    figure, ((level, course, constants), (hazard, fiber, bushy)) = new_figure(2, 3)
    rates, summary, courses, locking = (measured[name] for name in ("rates", "rate_level", "courses", "locking"))
    level.axvspan(summary.threshold, summary.threshold + 41, **SHADE, label="41 dB (cat, Evans, Palmer 1980)")
    level.plot(LEVELS, rates.onset, label="fiber, onset")
    level.plot(LEVELS, rates.steady, label="fiber, steady")
    level.plot(LEVELS, rates.bushy, label="bushy cell, steady")
    level.axvline(20 * np.log10(0.3 * np.sqrt(2)), color="0.5", linestyle=":", label="a tone in encode()")
    level.set(xlabel="level re amplitude 1 [dB]", ylabel="rate [1/s]", ylim=(0, 680), title="Rate and level, 1 kHz")
    level.legend(loc="upper left")

    times = np.arange(courses[20.0].histogram.size) - 50.0
    for above in ABOVE_THRESHOLD:
        course.plot(times, courses[above].histogram, linewidth=0.8, label=f"{above:.0f} dB above threshold")
    course.set(xlabel="time after the onset [ms]", ylabel="rate of a fiber [1/s]", title="Adaptation, recovery; 1 kHz")

    for name, limits, color in (("short-term", CAT_SHORT_TERM, "C0"), ("rapid", CAT_RAPID, "C1")):
        constants.axhspan(*limits, color=color, alpha=0.2, linewidth=0, label=f"cat, {name} (Chimento, Schreiner 1990)")
        field = f"tau_{name.replace('-', '_')}"
        taus = [1e3 * getattr(courses[above].adaptation, field) for above in ABOVE_THRESHOLD]
        constants.plot(ABOVE_THRESHOLD, taus, "o-", color=color, label=f"model, {name}")
    constants.set(xlabel="level above threshold [dB]", ylabel="time constant [ms]", yscale="log", ylim=(1, 300))
    constants.set_title("Time constants of adaptation")

    ages = 1e3 * 5e-4 * np.arange(41)
    values = hazard_rate(measured["intervals"], bin_width=5e-4, n_bins=40)
    hazard.axvspan(0.5, 0.75, **SHADE, label="cat's dead time (unsure)")
    hazard.stairs(values, ages, label="model, in silence", baseline=None)
    hazard.set(xlabel="time since the last spike [ms]", ylabel="hazard [1/s]", title="Refractoriness of a fiber")

    fiber.fill_between(*FIBER_BAND, **SHADE, label="cat (Johnson 1980, corners)")
    fiber.plot(FREQUENCIES, locking.release, label="model, release")
    fiber.plot(FREQUENCIES, locking.fiber, "--", label="model, spikes")
    fiber.set(title="Phase locking of fibers")
    bushy.fill_between((100, 700), 0.9, 1.0, **SHADE, label="cat (Joris et al. 1994)")
    bushy.plot(FREQUENCIES, locking.bushy, label="model")
    bushy.set(title="Phase locking of bushy cells")
    for axes in (fiber, bushy):
        axes.set(xlabel="frequency [Hz]", ylabel="vector strength [1]", xscale="log", ylim=(0, 1.02))
    save(figure, path)


def new_figure(n_rows: int, n_columns: int):  # type: ignore[no-untyped-def]
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"font.size": 8, "legend.fontsize": 7, "legend.frameon": False, "axes.titlesize": 9})
    return plt.subplots(n_rows, n_columns, figsize=(10.5, 3.2 * n_rows), layout="constrained")


def save(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
    for axes in figure.axes:
        if not axes.get_legend():
            axes.legend()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()

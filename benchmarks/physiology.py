"""How far the model hears as an animal does: growth, tuning, delays, rates, adaptation, phase locking, modulation.

    python benchmarks/physiology.py [--out docs/images] [--presets default,human,published] [--json]

Draws physiology_membrane.png and physiology_nerve.png of the first preset and physiology_levels.png of all but
published, and prints the table of docs/explanation/physiology.md. Some two minutes.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cochlea import CochleaParams, characteristic_frequencies
from cochlea.physiology.analysis import RateLevel, TuningWidth, greenwood_frequency, rate_level
from cochlea.physiology.measurements import (
    ReceptorPotentials,
    TimeCourse,
    click_delays,
    membrane_tuning,
    modulation_transfer,
    phase_locking,
    rate_levels,
    receptor_potentials,
    time_course,
)
from cochlea.physiology.membrane_measurements import growth, growth_slope, tuning_at_level, two_tone_suppression
from cochlea.physiology.recording import fiber_classes, spontaneous_times
from cochlea.physiology.spike_statistics import hazard_rate, interspike_intervals

PRESETS: dict[str, Callable[[], CochleaParams]] = {
    "default": CochleaParams,
    "human": CochleaParams.human,
    "published": CochleaParams.published,
}
# The levels at which an ear is measured: dB re amplitude 1, or dB SPL where the pressure is in pascal
RELATIVE_LEVELS, ABSOLUTE_LEVELS = np.arange(-50.0, 61.0, 5.0), np.arange(-20.0, 101.0, 5.0)
GROWTH_LEVELS = np.arange(0.0, 111.0, 5.0)  # [dB], of the membrane
TUNING_LEVELS = (20.0, 35.0, 50.0, 65.0, 80.0)
SUPPRESSORS = (600.0, 1300.0)  # [Hz], of a tone of 1 kHz
SUPPRESSOR_LEVELS = (40.0, 50.0, 60.0, 70.0, 80.0)
MODULATIONS = (10.0, 30.0, 100.0, 200.0, 400.0, 700.0, 1000.0, 1500.0)  # [Hz]
ABOVE_THRESHOLD = (10.0, 20.0, 30.0)  # [dB], as Chimento and Schreiner took them
LOUD = 55.0  # [dB] above threshold, where the ratio of onset to steady rate is taken
SEED = 0
# No divisors of 24 kHz, so that every phase of the tone is sampled [Hz]
FREQUENCIES = (101.0, 127.0, 251.0, 503.0, 701.0, 1009.0, 1511.0, 2003.0, 3011.0, 4013.0, 5021.0)
# [Hz]; at divisors of the rate of the velocity, 24 kHz, few phases of a tone would be sampled
POTENTIAL_FREQUENCIES = (101.0, 211.0, 307.0, 503.0, 709.0, 1009.0, 2011.0, 3011.0, 4013.0)
TUNING_SHOWN = np.array([1000.0, 4000.0, 8000.0])  # in the table [Hz]
DELAYS_SHOWN = np.array([150.0, 500.0, 1000.0, 4000.0])
CLICKS_SHOWN = np.array([500.0, 1000.0, 4000.0])
CLICK_LEVELS = (40.0, 80.0)  # [dB SPL], of a tone as high as the click


def human_erb_quality(frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q_ERB by notched-noise masking (Glasberg, Moore 1990) and by otoacoustic emissions (Shera et al. 2002)."""
    return frequency / (24.7 * (4.37 * frequency / 1000 + 1)), 12.7 * (frequency / 1000) ** 0.3


def animal_delay(frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delays [s] that models of the nerve take for the cat (Zilany et al. 2014) and for humans (Harte et al. 2009)."""
    place = 11.9 * np.log10(0.8 + frequency / 456)  # of the cat, from its apex [mm]
    return 3.0e-3 * np.exp(-place / 12.5), 5.545e-3 * (frequency / 1000) ** -0.37


def brainstem_latency(frequency: np.ndarray, level: float) -> np.ndarray:
    """Latency [s] of the human cochlea to a tone burst, from wave V without its 5 ms (Neely et al. 1988)."""
    return 12.9e-3 * 5.0 ** (-level / 100) * (frequency / 1000) ** -0.413


# Vector strength of the cat's fibers: the corners of a band through what is quoted of Johnson 1980, 0.8 to 0.9 below
# 1 kHz and under 0.1 at 5 kHz, falling between them by straight lines over the logarithm of the frequency.
FIBER_BAND = ((100.0, 1000.0, 5000.0), (0.8, 0.8, 0.03), (0.9, 0.9, 0.1))
# Chimento, Schreiner 1990 [ms]: rapid adaptation and short-term recovery, the mean and one standard deviation on either
# side; short-term adaptation, from 30 to 10 dB above the threshold.
CAT_RAPID, CAT_RECOVERY, CAT_SHORT_TERM = (2.7, 6.9), (75.0, 175.0), (74.0, 116.0)


SHADE = {"color": "0.85", "linewidth": 0}  # of an animal's band


class Row(NamedTuple):
    """One line of the table for one ear; the band is None where there is no figure to hold the model against.

    Rows of one ear that lacks what is measured have no values; where there are more bands than values (classes of
    fibers), the first ones count.
    """

    measure: str
    values: list[float]
    unit: str
    animal: str
    bands: list[tuple[float, float]] | None

    @property
    def met(self) -> str:
        if self.bands is None or not self.values:
            return "?" if self.values else "-"
        pairs = zip(self.values, self.bands, strict=False)
        inside = [low <= value <= high for value, (low, high) in pairs]
        return "yes" if all(inside) else "partly" if any(inside) else "no"

    @property
    def text(self) -> str:
        return f"{', '.join(f'{value:.3g}' for value in self.values)} {self.unit}".rstrip() if self.values else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", metavar="DIR", type=Path, help="where the figures go (default: none are drawn)")
    parser.add_argument("--presets", default=",".join(PRESETS), help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    arguments = parser.parse_args()
    names = arguments.presets.split(",")
    if unknown := set(names) - set(PRESETS):
        parser.error(f"no preset {', '.join(sorted(unknown))}; there are {', '.join(PRESETS)}")
    measured = {name: measure(PRESETS[name]()) for name in names}
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        draw_membrane(measured[names[0]], arguments.out / "physiology_membrane.png")
        draw_nerve(measured[names[0]], arguments.out / "physiology_nerve.png")
        shown = {name: ear for name, ear in measured.items() if name != "published" or len(names) == 1}
        draw_levels(shown, arguments.out / "physiology_levels.png")
    tables = {name: tabulate(ear) for name, ear in measured.items()}
    if arguments.json:
        rows = {name: [row._asdict() | {"met": row.met} for row in table] for name, table in tables.items()}
        print(json.dumps(rows, indent=2))
    else:
        print(as_markdown(tables))


def measure(params: CochleaParams) -> dict:
    """All experiments, by name."""
    rng = np.random.default_rng(SEED)
    channels = list(range(20, 700, 20))
    in_pascal = params.stimulus.is_absolute
    levels = ABSOLUTE_LEVELS if in_pascal else RELATIVE_LEVELS
    classes = fiber_classes(params)
    rates = {
        name: rate_levels(1000.0, levels, params, rng, fiber_class=name, n_bushy_cells=200 if name == classes[0] else 0)
        for name in classes
    }
    summaries = {name: rate_level(levels, curve.steady) for name, curve in rates.items()}
    threshold = summaries[classes[0]].threshold

    def at_level(level: float, name: str) -> TimeCourse:
        return time_course(1000.0, level, params, rng, n_fibers=60_000, fiber_class=name)

    def slope(frequency: float) -> tuple[np.ndarray, float]:
        curve = growth(frequency, GROWTH_LEVELS, params, place_frequency=1000.0)
        return curve, growth_slope(GROWTH_LEVELS, curve, 40.0, 70.0)

    fiber_times, _ = spontaneous_times(1000.0, params, rng, n_bushy_cells=0)
    _, bushy_times = spontaneous_times(50.0, params, rng, n_bushy_cells=60)
    intervals = interspike_intervals(fiber_times, np.zeros(fiber_times.size))
    tuning = membrane_tuning(channels, params)
    loud = {name: onset_ratio(at_level(summaries[name].threshold + LOUD, name)) for name in classes}
    return {
        "params": params,
        "levels": levels,
        "unit": "dB SPL" if in_pascal else "dB re amplitude 1",
        "positions": params.basilar_membrane.positions,
        "map": characteristic_frequencies(params.basilar_membrane),
        "tuning": tuning,
        "growth": {"at CF": slope(1000.0), "an octave below": slope(500.0)},
        "level_tuning": level_tuning(params),
        "suppression": {
            frequency: two_tone_suppression(1000.0, 40.0, frequency, SUPPRESSOR_LEVELS, params)
            for frequency in SUPPRESSORS
        },
        "clicks": {level: click_delays(channels, params, level=level) for level in CLICK_LEVELS},
        "potentials": receptor_potentials(POTENTIAL_FREQUENCIES, params),
        "class_rates": rates,
        "class_levels": summaries,
        "rates": rates[classes[0]],
        "rate_level": summaries[classes[0]],
        "courses": {above: at_level(threshold + above, classes[0]) for above in ABOVE_THRESHOLD},
        "onset_ratios": loud,
        "fiber_rate": fiber_times.size / 1000,
        "bushy_rate": bushy_times.size / 3000,
        "intervals": intervals,
        "locking": phase_locking(FREQUENCIES, params, rng, n_bushy_cells=200, level=60.0 if in_pascal else 0.0),
        "modulation": modulation_transfer(4000.0, MODULATIONS, threshold + 15.0, params, rng, n_bushy_cells=100),
    }


def level_tuning(params: CochleaParams) -> dict[float, TuningWidth]:
    """The tuning of the place of 1 kHz at each level; a linear membrane is measured once."""
    if params.compression is None:
        return dict.fromkeys(TUNING_LEVELS, tuning_at_level(1000.0, TUNING_LEVELS[0], params))
    return {level: tuning_at_level(1000.0, level, params) for level in TUNING_LEVELS}


def onset_ratio(course: TimeCourse) -> float:
    """Largest rate in 2 ms over the steady rate."""
    histogram = course.histogram
    return float((histogram[50:90:2] + histogram[51:91:2]).max() / 2 / histogram[250:345].mean())


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

    def by_class(value: Callable[[RateLevel], float]) -> list[float]:
        return [value(summary) for summary in measured["class_levels"].values()]

    def clicks(level: float) -> Row:
        expected = 1e3 * brainstem_latency(CLICKS_SHOWN, level)
        bands = [(0.67 * latency, 1.33 * latency) for latency in expected]
        return Row(
            f"click latency at 0.5, 1, 4 kHz, {level:.0f} dB", at(CLICKS_SHOWN, 1e3 * measured["clicks"][level]), "ms",
            f"{', '.join(f'{latency:.2g}' for latency in expected)} (human wave V less 5 ms, Neely et al. 1988); "
            "met: within a third", bands,
        )  # fmt: skip

    erb_bands = list(zip(*human_erb_quality(TUNING_SHOWN), strict=True))
    delay_bands = [(1e3 * low, 1e3 * high) for low, high in zip(*animal_delay(DELAYS_SHOWN), strict=True)]
    widths, modulation = measured["level_tuning"], measured["modulation"]
    slow = MODULATIONS.index(100.0)
    return [
        Row("CF over Greenwood's CF, least and most, 0.25 to 2.75 cm from the base", [ratio.min(), ratio.max()], "",
            "1 (human, Greenwood 1990); met: within 16 %", [(0.84, 1.16)] * 2),
        Row("CF at the apex", [measured["map"][-1]], "Hz", "20 (human, Greenwood 1990)", [(15, 30)]),
        Row("growth of the membrane's velocity at CF, 1 kHz, 40 to 70 dB", [measured["growth"]["at CF"][1]], "dB/dB",
            "0.2 to 0.5 (chinchilla and human, as in Saremi et al. 2016)", [(0.15, 0.5)]),
        Row("the same an octave below CF", [measured["growth"]["an octave below"][1]], "dB/dB",
            "1 (chinchilla, same); met: within 0.1", [(0.9, 1.1)]),
        Row("Q_ERB at 1, 4, 8 kHz, low levels", at(TUNING_SHOWN, tuning.q_erb), "",
            f"{band(erb_bands)} (human; Glasberg and Moore 1990 to Shera et al. 2002)", erb_bands),
        Row("Q10 at 1, 4, 8 kHz, low levels", at(TUNING_SHOWN, tuning.q10), "", "no human figure; 5 to 10 (unsure)",
            [(5, 10)] * 3),
        Row("Q10 at 1 kHz and 20, 50, 80 dB", [widths[level].q10 for level in (20.0, 50.0, 80.0)], "",
            "falls with the level (chinchilla, as in Saremi et al. 2016)", None),
        Row("Q10 at 80 dB over that at 20 dB, 1 kHz", [widths[80.0].q10 / widths[20.0].q10], "", "below 0.7 (unsure)",
            [(0.0, 0.7)]),
        *(
            Row(f"suppression of 1 kHz at 40 dB by {1e-3 * frequency:g} kHz at 60, 80 dB",
                [round(float(curve[SUPPRESSOR_LEVELS.index(level)]), 2) for level in (60.0, 80.0)], "dB",
                "grows to 10 or 20 and more (chinchilla, as in Saremi et al. 2016; unsure)", [(3, 30), (10, 40)])
            for frequency, curve in measured["suppression"].items()
        ),
        Row("group delay at 0.15, 0.5, 1, 4 kHz, low levels", at(DELAYS_SHOWN, 1e3 * tuning.delay), "ms",
            f"{band(delay_bands)} (cat, Zilany et al. 2014, to human, Harte et al. 2009)", delay_bands),
        clicks(CLICK_LEVELS[0]),
        clicks(CLICK_LEVELS[1]),
        *potential_rows(measured["potentials"]),
        Row("spontaneous rate of a fiber, by class", by_class(lambda curve: curve.spontaneous), "/s",
            "above 18, 0.5 to 18, below 0.5 (cat, Liberman 1978)", [(18, 120), (0.5, 18), (0, 0.5)]),
        Row("threshold, by class, 1 kHz", by_class(lambda curve: curve.threshold), measured["unit"],
            "rises from high to low spontaneous rate (cat, Liberman 1978)", None),
        Row("saturated rate, by class, 1 kHz", by_class(lambda curve: curve.saturated), "/s",
            "150 to 300 (cat; unsure)", [(150, 300)] * 3),
        Row("dynamic range, 10 to 90 % of the steady rate, by class", by_class(lambda curve: curve.dynamic_range), "dB",
            "20 to 30 (cat, Johnson 1980), wider at low spontaneous rate (Evans and Palmer 1980: 41 on average, all of "
            "the range)", [(20, 41), (20, 60), (20, 60)]),
        Row(f"onset (2 ms) over steady rate, {LOUD:.0f} dB above threshold, by class",
            list(measured["onset_ratios"].values()), "", "several; depends on ramp and bin", None),
        Row("rapid adaptation, 10, 20, 30 dB above threshold", fitted("adaptation", "tau_rapid"), "ms",
            "4.8 ± 2.1 at all levels (cat, Chimento and Schreiner 1990)", [CAT_RAPID] * 3),
        Row("short-term adaptation, same levels", fitted("adaptation", "tau_short_term"), "ms",
            "116, 83, 74 (same); met: within 25 %", [(87, 145), (62, 104), (55, 92)]),
        Row("short-term recovery, same levels", fitted("recovery", "tau_short_term"), "ms",
            "125 ± 50 (same)", [CAT_RECOVERY] * 3),
        Row("rate 0.1 s after a tone over the spontaneous rate, same levels",
            [courses[above].recovered for above in ABOVE_THRESHOLD], "", "no figure at hand", None),
        Row("shortest interval of a fiber", [1e3 * measured["intervals"].min()], "ms",
            "0.5 to 0.75 (cat; unsure), then a relative refractory period", [(0.5, 0.76)]),
        Row("vector strength of fibers at 0.5, 1, 5 kHz", locked(locking.fiber, 503.0, 1009.0, 5021.0), "",
            "0.8 to 0.9, 0.8 to 0.9, under 0.1 (cat, Johnson 1980); met: within 0.05 of the first two",
            [(0.75, 0.95), (0.75, 0.95), (0, 0.1)]),
        Row("vector strength of bushy cells at 125, 250, 500, 700 Hz",
            locked(locking.bushy, 127.0, 251.0, 503.0, 701.0), "",
            "0.9 or more in three of four below 700 Hz (cat's trapezoid body, Joris et al. 1994)", [(0.9, 1.0)] * 4),
        Row("modulation gain of fibers at 100 Hz, CF 4 kHz, 15 dB above threshold", [modulation.fiber[slow]], "dB",
            "above 0, up to 6 (cat, Joris and Yin 1992; unsure)", [(0, 8)]),
        Row("the same of bushy cells", [modulation.bushy[slow]], "dB", "above that of fibers (cat; unsure)", [(0, 12)]),
        Row("modulation frequency at which the gain of fibers, and of bushy cells, is 3 dB below its best",
            [cutoff(modulation.fiber), cutoff(modulation.bushy)], "Hz", "600 to 1,500, fibers (cat, same; unsure)",
            [(600, 1500)]),
        Row("spontaneous rate of a bushy cell", [measured["bushy_rate"]], "/s", "often tens (cat; unsure)", None),
    ]  # fmt: skip


def potential_rows(potentials: ReceptorPotentials | None) -> list[Row]:
    """The rows of the receptor potential; an ear without one has no values."""
    resting = [] if potentials is None else [1e3 * potentials.resting]
    shown = [POTENTIAL_FREQUENCIES.index(frequency) for frequency in (101.0, 1009.0, 4013.0)]
    ratios = None if potentials is None else potentials.ac / potentials.dc
    corner = [] if ratios is None else [float(np.interp(0.5, (ratios / ratios[0])[::-1], POTENTIAL_FREQUENCIES[::-1]))]
    return [
        Row("resting potential of a hair cell", resting, "mV", "above -50 (guinea pig, Cody and Russell 1987); met: "
            "within 10 mV of it", [(-60, -35)]),
        Row("AC over DC receptor potential at 0.1, 1, 4 kHz", [] if ratios is None else ratios[shown].tolist(), "",
            "falls from 0.1 to 4 kHz (guinea pig, Russell and Sellick 1983)", None),
        Row("frequency at which that ratio has halved", corner, "Hz",
            "corners of 178 to 840 Hz, by cell (same)", [(178, 1200)]),
    ]  # fmt: skip


def cutoff(gains: np.ndarray) -> float:
    """The frequency [Hz] above that of the best gain at which the gain has fallen by 3 dB."""
    best = int(np.argmax(gains))
    falling = np.minimum.accumulate(gains[best:])
    return float(np.interp(3.0, falling[0] - falling, MODULATIONS[best:]))


def band(bands: list[tuple[float, float]]) -> str:
    return ", ".join(f"{low:.2g} to {high:.2g}" for low, high in bands)


def as_markdown(tables: dict[str, list[Row]]) -> str:
    shown = [name for name in tables if name != "published" or len(tables) == 1]
    columns = [*shown, *(["published, where it differs"] if len(shown) < len(tables) else [])]
    met = f"met? {', '.join(shown)}" if len(shown) > 1 else "met?"
    lines = [f"| measure | {' | '.join(columns)} | animal (source) | {met} |", "|---" * (len(columns) + 3) + "|"]
    for number, row in enumerate(tables[shown[0]]):
        rows = [tables[name][number] for name in shown]
        cells = [row.text for row in rows]
        if len(shown) < len(tables):
            published = tables["published"][number]
            cells.append(published.text if differs(row.values, published.values) else "")
        lines.append(f"| {row.measure} | {' | '.join(cells)} | {row.animal} | {', '.join(row.met for row in rows)} |")
    return "\n".join(lines)


def differs(values: Sequence[float], others: Sequence[float]) -> bool:
    """Whether two ears differ by more than the chance of the spikes."""
    return not np.allclose(values, others, rtol=0.12, atol=0.05)


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
    click = 1e3 * np.abs(measured["clicks"][CLICK_LEVELS[0]][sharp])
    delay.plot(frequency[sharp], click, ":", label="model, half of a click's energy")
    delay.plot(frequency, 3e3 / frequency, color="0.6", linewidth=0.8, label="three cycles")
    delay.set(xlabel="characteristic frequency [Hz]", ylabel="delay [ms]", xscale="log", yscale="log")
    delay.set_title("Traveling-wave delay")
    save(figure, path)


def draw_nerve(measured: dict, path: Path) -> None:
    figure, ((level, course, constants), (hazard, fiber, bushy)) = new_figure(2, 3)
    rates, summary, courses, locking = (measured[name] for name in ("rates", "rate_level", "courses", "locking"))
    level.axvspan(summary.threshold, summary.threshold + 41, **SHADE, label="41 dB (cat, Evans, Palmer 1980)")
    levels = measured["levels"]
    level.plot(levels, rates.onset, label="fiber, onset")
    level.plot(levels, rates.steady, label="fiber, steady")
    level.plot(levels, rates.bushy, label="bushy cell, steady")
    level.axvline(20 * np.log10(0.3 * np.sqrt(2)), color="0.5", linestyle=":", label="a tone in encode()")
    level.set(xlabel=f"level [{measured['unit']}]", ylabel="rate [1/s]", ylim=(0, 680), title="Rate and level, 1 kHz")
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


def draw_levels(ears: dict[str, dict], path: Path) -> None:
    figure, ((membrane, width, other), (nerve, potential, envelope)) = new_figure(2, 3)
    for number, (name, ear) in enumerate(ears.items()):
        color = f"C{number}"
        for (place, (curve, _)), style in zip(ear["growth"].items(), ("-", "--"), strict=True):
            # The unit of the velocity is each ear's own: all curves meet an octave below CF at 100 dB.
            anchor = ear["growth"]["an octave below"][0][GROWTH_LEVELS == 100.0][0] - 100.0
            membrane.plot(GROWTH_LEVELS, curve - anchor, style, color=color, label=f"{name}, {place}")
        width.plot(TUNING_LEVELS, [ear["level_tuning"][level].q10 for level in TUNING_LEVELS], "o-", label=name)
        for (frequency, curve), style in zip(ear["suppression"].items(), ("o--", "o-"), strict=True):
            other.plot(SUPPRESSOR_LEVELS, curve, style, color=color, label=f"{name}, by {1e-3 * frequency:g} kHz")
        for (kind, curve), style in zip(ear["class_rates"].items(), ("-", "--", ":"), strict=False):
            shift = 0.0 if ear["unit"] == "dB SPL" else -ear["rate_level"].threshold
            label = f"{name}, {kind}" + (" (0 dB: threshold)" if shift else "")
            nerve.plot(ear["levels"] + shift, curve.steady, style, color=color, label=label)
        if (potentials := ear["potentials"]) is not None:
            potential.plot(POTENTIAL_FREQUENCIES, potentials.ac / potentials.dc, "o-", color=color, label=name)
        envelope.plot(MODULATIONS, ear["modulation"].fiber, color=color, label=f"{name}, fiber")
        envelope.plot(MODULATIONS, ear["modulation"].bushy, "--", color=color, label=f"{name}, bushy cell")
    membrane.set(xlabel="level [dB]", ylabel="velocity [dB]", title="Growth of the membrane's velocity, 1 kHz")
    width.set(xlabel="level [dB]", ylabel="$Q_{10}$ [1]", ylim=(0, None), title="Tuning and level, 1 kHz")
    other.set(xlabel="level of the other tone [dB]", ylabel="suppression [dB]", title="1 kHz at 40 dB, suppressed")
    nerve.set(xlabel="level [dB SPL]", ylabel="steady rate [1/s]", title="Rate and level by class, 1 kHz")
    potential.axvspan(178, 840, **SHADE, label="corners (Russell, Sellick 1983)")
    potential.set(xlabel="frequency [Hz]", ylabel="AC over DC [1]", xscale="log", yscale="log")
    potential.set_title("Receptor potential")
    envelope.set(xlabel="modulation frequency [Hz]", ylabel="gain [dB]", xscale="log", ylim=(-20, 10))
    envelope.set_title("Modulation transfer, CF 4 kHz")
    save(figure, path)


def new_figure(n_rows: int, n_columns: int):  # type: ignore[no-untyped-def]
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update({"font.size": 8, "legend.fontsize": 7, "legend.frameon": False, "axes.titlesize": 9})
    return plt.subplots(n_rows, n_columns, figsize=(10.5, 3.2 * n_rows), layout="constrained")


def save(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
    for axes in figure.axes:
        if not axes.get_legend() and axes.get_legend_handles_labels()[0]:
            axes.legend()
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()

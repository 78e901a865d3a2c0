"""The published model, evaluated plainly: the judge of the fast forms.

Written from the equations and sharing no code with the package: the phase of the wave is integrated numerically, pools
and cells advance one step at a time in float64, and each of the 40 fibers has its own state. Slow, and meant to be.
Arrays are (place, sample) for signals and (step, seed, channel) for spikes, which are made step by step. At the end
stands what two sets of draws are compared by, for random numbers differ between any two forms of the model.

References
----------
Sieroka, Dosch, Rupp, JASA 120:297 (2006): the membrane. Meddis, JASA 79:702 (1986) and 83:1056 (1988): the hair cell.
Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022): fibers, bushy cells, and the conventions of the data.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import signal, special, stats

RATE = 24_000  # [Hz] of the velocity, for sound at 48 kHz
N_CHANNELS, N_FIBERS, CELLS_PER_CHANNEL = 700, 40, 5

# Membrane, CGS units
C0, ALPHA, OFFSET, DENSITY, DELTA, HEIGHT, MASS, LENGTH = 1e9, 3.0, 3500.0, 1.0, 0.15, 0.1, 0.05, 3.5
PITCH = LENGTH / (N_CHANNELS - 1)  # [cm]
BAND, FADE = 12_000, 100  # [Hz] what a velocity at 24 kHz can hold; the default fades the last of it out

# Hair cell: rates per second, then velocities and a quantity
REPLENISH, PERMEABILITY, LOSS, RETURN, REPROCESS, RELEASE = 5.05, 2000.0, 2500.0, 6580.0, 66.3, 50_000.0
A, B, CAPACITY = 5.0, 300.0, 1.0

# Nerve fibers and bushy cell [s]
DEAD_TIME, TAU_MEM, TAU_SYN, REFRACTORY = 1e-3, 1e-3, 0.5e-3, 1e-3
WEIGHT, THRESHOLD = 13_000.0 / 40, 1.0

# The phase is integrated by Gauss' rule with 8 nodes in panels of 50 um, where the integrand hardly changes: its
# sharpest feature, the resonance, is delta / alpha = 0.5 mm wide. What is left is rounding.
PANEL = 0.005  # [cm]
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(8)

SEEDS_AT_ONCE = 4  # of 28,000 fibers: their state stays in cache


def channel_positions() -> NDArray[np.float64]:
    """Distance of each channel from the base [cm], shape (700,)."""
    return np.linspace(0.0, LENGTH, N_CHANNELS)


def cell_positions(channels: ArrayLike) -> NDArray[np.float64]:
    """Distance from the base [cm] of the five hair cells of each channel: -0.4 to 0.4 of the pitch around its place."""
    return (channel_positions()[np.asarray(channels)][:, None] + PITCH * np.linspace(-0.4, 0.4, 5)).ravel()


def high_passed(waveform: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The waveform through two second-order sections of Butterworth's high-pass of order 4 at 20 Hz.

    To the response of each section at rest, that of the two states is added that leaves the least squares.
    """
    for angle in (np.pi / 8, 3 * np.pi / 8):
        pole = 2 * sample_rate * np.tan(np.pi * 20 / sample_rate)  # [rad/s]
        b, a = signal.bilinear([1, 0, 0], [1, 2 * np.sin(angle) * pole, pole**2], sample_rate)
        silence = np.zeros(waveform.size)
        free = np.array([signal.lfilter(b, a, silence, zi=state)[0] for state in np.eye(2)]).T
        forced = signal.lfilter(b, a, waveform)
        waveform = forced - free @ np.linalg.lstsq(free, forced, rcond=None)[0]
    return waveform


def stimulus(waveform: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The waveform at a root mean square of 0.3, with raised-cosine ramps of 30 ms (at most half of the clip)."""
    pressure = 0.3 * waveform / np.sqrt(np.mean(waveform**2))
    n = min(round(0.03 * sample_rate), waveform.size // 2)
    ramp = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / (2 * n - 1))
    envelope = np.ones(waveform.size)
    envelope[:n] *= ramp
    envelope[waveform.size - n :] *= ramp[::-1]
    return pressure * envelope


def transfer_function(frequencies: NDArray[np.float64], positions: ArrayLike) -> NDArray[np.complex128]:
    """Velocity over pressure in the exp(-i w t) convention, shape (place, frequency); frequencies above 0 [Hz]."""
    w = 2 * np.pi * np.asarray(frequencies)
    k = 2 * w / ALPHA * np.sqrt(2 / (HEIGHT * C0))
    j0, j1, y0, y1 = special.jv(0, k), special.jv(1, k), special.yv(0, k), special.yv(1, k)
    impedance = np.sqrt(2 * C0 / HEIGHT) * (1j * j0 + y0) / (j1 - 1j * y1)

    at, phase = 0.0, 2 * _g(w, 0.0) / ALPHA
    pressure_at_base = _pressure(phase, w, 0.0)
    response = np.empty((np.size(positions), w.size), np.complex128)
    for row, x in zip(response, np.asarray(positions), strict=True):
        phase = phase + _integral_of_g(w, at, x)
        at = x
        row[:] = 2 * w / _xi(w, x) * _pressure(phase, w, x) / pressure_at_base * impedance
    return response


def _xi(w: NDArray[np.float64], x: ArrayLike) -> NDArray[np.complex128]:
    resistance = DELTA * np.sqrt(C0 * MASS) * np.exp(-ALPHA * np.asarray(x) / 2)
    return C0 * np.exp(-ALPHA * np.asarray(x)) - OFFSET - MASS * w**2 - 1j * w * resistance


def _g(w: NDArray[np.float64], x: ArrayLike) -> NDArray[np.complex128]:
    return w * np.sqrt(DENSITY / (HEIGHT * _xi(w, x)))


def _pressure(phase: NDArray[np.complex128], w: NDArray[np.float64], x: float) -> NDArray[np.complex128]:
    # Far above the resonance the Hankel function falls below the smallest number; so does the velocity.
    return np.sqrt(phase / _g(w, x)) * special.hankel1(0, phase)


def _integral_of_g(w: NDArray[np.float64], start: float, stop: float) -> NDArray[np.complex128]:
    edges = np.linspace(start, stop, 1 + max(1, int(np.ceil(abs(stop - start) / PANEL))))
    total = np.zeros(w.size, np.complex128)
    for left, right in pairwise(edges):
        half = (right - left) / 2
        total += half * (NODE_WEIGHTS @ _g(w, left + half * (1 + NODES[:, None])))
    return total


def published_velocity(pressure: NDArray[np.float64], sample_rate: int, positions: ArrayLike) -> NDArray[np.float64]:
    """Velocity at half the rate of the sound, as the published converter has it, shape (place, n_samples // 2 + 1).

    The one-sided spectrum is itself transformed back and its real part kept: circular over the clip, anti-causal.
    """
    n_bins = pressure.size // 2 + 1
    frequencies = np.linspace(1.0, sample_rate / 2, n_bins)
    spectrum = np.fft.fft(pressure)[:n_bins]
    return np.fft.ifft(spectrum * transfer_function(frequencies, positions), axis=1).real


def causal_velocity(
    pressure: NDArray[np.float64], sample_rate: int, positions: ArrayLike, *, padding: float = 0.5
) -> NDArray[np.float64]:
    """Velocity at 24 kHz by linear convolution with the causal response, shape (place, n_steps).

    It holds what lies below 12 kHz, with a raised cosine over the last 100 Hz, for an abrupt edge would ring.
    `padding` seconds of silence follow the sound: 50 periods of the lowest characteristic frequency, 100 Hz, after
    which nothing is left of it to come round.
    """
    n_steps = int(np.ceil(pressure.size * RATE / sample_rate))
    # a period of whole hundredths of a second is a whole number of samples at any of the usual rates
    period = np.ceil(100 * (pressure.size / sample_rate + padding)) / 100
    n_in, n_out = round(period * sample_rate), round(period * RATE)
    frequencies = np.arange(n_in // 2 + 1) / period
    heard = (frequencies > 0) & (frequencies <= BAND)
    kept = 0.5 - 0.5 * np.cos(np.pi * np.minimum((BAND - frequencies[heard]) / FADE, 1))
    spectrum = np.fft.rfft(pressure, n_in)[heard] * kept * (n_out / n_in)
    response = np.zeros((np.size(positions), n_out // 2 + 1), np.complex128)
    response[:, 1 : 1 + spectrum.size] = spectrum * np.conj(transfer_function(frequencies[heard], positions))
    return np.fft.irfft(response, n_out, axis=1)[:, :n_steps]


def release_probability(velocity: NDArray[np.float64], rate: int = RATE) -> NDArray[np.float64]:
    """Probability per step that a ready fiber fires, shape (cell, sample): Euler steps from the resting equilibrium."""
    dt, emptying = 1 / rate, LOSS + RETURN
    at_rest = PERMEABILITY * A / (A + B)
    balance = [[REPLENISH + at_rest, 0, -REPROCESS], [-at_rest, emptying, 0], [0, -RETURN, REPROCESS]]
    n_cells, n_steps = velocity.shape
    q, c, w = (np.full(n_cells, pool) for pool in np.linalg.solve(balance, [REPLENISH * CAPACITY, 0, 0]))
    probability = np.empty((n_steps, n_cells))
    for t, v in enumerate(np.ascontiguousarray(velocity.T)):
        k = np.where(v + A > 0, PERMEABILITY * (v + A) / np.where(v + A > 0, v + A + B, 1.0), 0.0)
        dq = np.where(q < CAPACITY, REPLENISH * (CAPACITY - q), 0.0) + REPROCESS * w - k * q
        dc = k * q - emptying * c
        dw = RETURN * c - REPROCESS * w
        q, c, w = (np.maximum(pool + change * dt, 0.0) for pool, change in ((q, dq), (c, dc), (w, dw)))
        probability[t] = RELEASE * c * dt
    return np.ascontiguousarray(probability.T)


def fiber_spikes(
    probability: NDArray[np.float64], n_seeds: int, rng: np.random.Generator, *, cells_per_channel: int = 1
) -> NDArray[np.uint8]:
    """How many of the 40 fibers of each channel fire, shape (step, seed, channel); one draw per fiber and step."""
    n_cells, n_steps = probability.shape
    n_dead = round(DEAD_TIME * RATE)
    shape = (cells_per_channel, N_FIBERS // cells_per_channel, n_seeds, n_cells // cells_per_channel)
    ready_at = np.zeros(shape, np.int32)
    chance = np.empty(shape)
    counts = np.empty((n_steps, *shape[2:]), np.uint8)
    for t in range(n_steps):
        p = probability[:, t].reshape(-1, cells_per_channel).T
        rng.random(out=chance)
        fires = (chance < p[:, None, None]) & (ready_at <= t)
        ready_at[fires] = t + n_dead
        counts[t] = fires.view(np.uint8).sum(axis=(0, 1), dtype=np.uint8)
    return counts


def bushy_spikes(fiber_counts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the cell of each channel fires, shape (step, seed, channel).

    After the step of a spike the membrane rests at 0 for 1 ms; the current goes on.
    """
    dt, n_rest = 1 / RATE, round(REFRACTORY * RATE)
    current, membrane = np.zeros(fiber_counts.shape[1:]), np.zeros(fiber_counts.shape[1:])
    rest_until = np.full(fiber_counts.shape[1:], -1)
    fired = np.zeros(fiber_counts.shape, np.bool_)
    for t, count in enumerate(fiber_counts):
        current = current * np.exp(-dt / TAU_SYN) + count
        membrane = np.where(t > rest_until, membrane * np.exp(-dt / TAU_MEM) + current * WEIGHT * dt, 0.0)
        fired[t] = membrane >= THRESHOLD
        membrane[fired[t]] = 0.0
        rest_until[fired[t]] = t + n_rest
    return fired


def spikes(
    probability: NDArray[np.float64], n_seeds: int, rng: np.random.Generator, *, cells_per_channel: int = 1
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Steps and channels of the spikes of as many independent draws, each ordered by time."""
    for first in range(0, n_seeds, SEEDS_AT_ONCE):
        n = min(SEEDS_AT_ONCE, n_seeds - first)
        fired = bushy_spikes(fiber_spikes(probability, n, rng, cells_per_channel=cells_per_channel))
        for draw in range(n):
            yield np.nonzero(fired[:, draw])


class Draws(NamedTuple):
    """What is compared of many draws of the spikes of one sound.

    Parameters
    ----------
    counts : ndarray, shape (seed, channel)
        Spikes [1].
    first : ndarray, shape (seed, channel)
        Step of the first spike [1]; the number of steps where there is none.
    intervals : ndarray, shape (n_intervals,)
        Between successive spikes of a channel, of all draws and channels [1].
    """

    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    intervals: NDArray[np.int64]


def summarize(trains: Iterable[tuple[ArrayLike, ArrayLike]], n_steps: int, channels: ArrayLike) -> Draws:
    """The draws whose spikes stand at these (steps, channels), of the channels named."""
    wanted = np.asarray(channels)
    counts, first, intervals = [], [], []
    for train_steps, train_channels in trains:
        heard = np.isin(train_channels, wanted)
        steps, units = np.asarray(train_steps)[heard], np.searchsorted(wanted, np.asarray(train_channels)[heard])
        order = np.lexsort((steps, units))
        steps, units = steps[order], units[order]
        start = np.full(wanted.size, n_steps)
        np.minimum.at(start, units, steps)
        counts.append(np.bincount(units, minlength=wanted.size))
        first.append(start)
        intervals.append(np.diff(steps)[np.diff(units) == 0])
    return Draws(np.array(counts), np.array(first), np.concatenate(intervals))


def z_of_means(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Difference of the means over seeds in standard errors, shape (channel,); 0 where neither ever differs."""
    error = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
    return (a.mean(axis=0) - b.mean(axis=0)) / np.where(error > 0, error, np.inf)


def interval_p(a: Draws, b: Draws) -> float:
    """How likely a chi-square of this size is between two interval histograms of one distribution, in 30 equal bins."""
    edges = np.unique(np.quantile(np.concatenate([a.intervals, b.intervals]), np.arange(1, 30) / 30))
    table = [np.bincount(np.searchsorted(edges, each.intervals), minlength=edges.size + 1) for each in (a, b)]
    return float(stats.chi2_contingency(table).pvalue)


def latency_p(a: Draws, b: Draws) -> float:
    """How likely Kolmogorov's and Smirnov's distance of the first spikes is between two sets of one distribution."""
    return float(stats.ks_2samp(a.first.ravel(), b.first.ravel()).pvalue)

"""Poisson spikes: inputs drawn once and then frozen, so that a network meets the same ones in every trial."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.chance import stream_of, uniforms
from spikedata.checks import Count, NotNegative, Positive, Seed, checked
from spikedata.events import Events, Sample
from spikedata.events.sample import LARGEST_N_UNITS, UNKNOWN_SPEAKER


def spike_patterns(
    n_units: int = 100, *, n_clips: int = 1, rate: float = 8.0, duration: float = 0.5, seed: int = 0
) -> Events:
    """Frozen Poisson spikes: each clip is a pattern, and a class, of its own.

    The defaults are the inputs of one neuron in Zenke, Ganguli, Neural Computation 30:1514 (2018), figure 2; what it
    should answer is `equidistant_targets`.

    Parameters
    ----------
    n_units : int
        Number of units [1].
    n_clips : int
        Number of patterns [1]; the first ones are the same however many there are.
    rate : float
        Mean rate of each unit [Hz].
    duration : float
        Length of a pattern [s].
    seed : int
        Seed of all patterns.

    Returns
    -------
    Events
        Clips of independent Poisson processes; times in float64.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> events = spike_patterns(n_units=1000, rate=20.0, duration=1.0)
    >>> bool(abs(len(events.times) / 20_000 - 1) < 0.03)
    True
    """
    n_units, n_clips = checked("n_units", n_units, Count), checked("n_clips", n_clips, Count)
    rate, duration = checked("rate", rate, NotNegative), checked("duration", duration, Positive)
    seed = checked("seed", seed, Seed)
    samples = []
    for clip in range(n_clips):
        source = f"pattern/{clip:05}"
        times, units = poisson_spikes(stream_of(seed, source), rate, n_units=n_units, duration=duration)
        samples.append(
            Sample(times, units, label=clip, speaker=UNKNOWN_SPEAKER, source=source, n_units=n_units, duration=duration)
        )
    return Events.from_samples(samples, keys=[str(clip) for clip in range(n_clips)], n_units=n_units)


def poisson_spikes(
    rng: np.random.Generator, rate: float, *, n_units: int, duration: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint16]]:
    """Times and units of independent Poisson processes, sorted by time.

    Parameters
    ----------
    rng : numpy.random.Generator
        What is drawn from.
    rate : float
        Rate of each unit [Hz].
    n_units : int
        Number of units [1].
    duration : float
        Time in which the spikes fall [s].

    Returns
    -------
    times : ndarray of float64, shape (n_spikes,)
        Times [s], below the duration.
    units : ndarray of uint16, shape (n_spikes,)
        Unit of each spike.

    Raises
    ------
    ValueError
        If there are more units than a file can hold.
    """
    if n_units > LARGEST_N_UNITS:
        raise ValueError(f"n_units must be <= {LARGEST_N_UNITS}, got {n_units}")
    # the processes together are one of n_units times the rate, whose spikes fall on any unit alike
    together = rate * n_units
    pieces, last = [np.empty(0)], 0.0
    while together and last < duration:
        n_draws = 16 + math.ceil(1.1 * together * (duration - last))
        times = last + np.cumsum(-np.log1p(-uniforms(rng, n_draws))) / together
        pieces.append(times)
        last = float(times[-1])
    times = np.concatenate(pieces)
    times = times[times < duration]
    return times, (uniforms(rng, len(times)) * n_units).astype(np.uint16)

"""Delayed exclusive or: two stimuli, one after the other, of which each is there or not; the class is whether one is.

After Zenke, Ganguli: SuperSpike; Neural Computation 30:1514 (2018), figure 5. No unit and no sum of units tells the
classes apart, so a network needs a hidden layer, and it must remember the first stimulus until the second.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from spikedata.acoustics.chance import draw_below, draw_within, stream_of
from spikedata.checks import Bounds, Count, NotNegative, Order, Positive, Seed, checked
from spikedata.events import Events, Sample
from spikedata.events.sample import UNKNOWN_SPEAKER
from spikedata.tasks.poisson import poisson_spikes


def delayed_xor(
    n_clips: int = 1000,
    *,
    group_sizes: tuple[int, int, int] = (34, 33, 33),
    stimulus_duration: float = 0.01,
    stimulus_rate: float = 100.0,
    delay: float = 0.02,
    wait: float = 0.015,
    pause: tuple[float, float] = (0.05, 0.06),
    noise_rate: float = 4.0,
    seed: int = 0,
) -> Events:
    """Trials of the task, one clip each.

    In each trial the first group of units, the time reference, fires a frozen pattern at the start. The second group
    fires its own at the start too, if the first stimulus is there, and the third group its own ``delay`` later, if the
    second is there; each is there in half of the trials. At all other times the units fire noise, drawn anew for each
    trial. The defaults are those of the figure but for the delay, which is 0 there.

    Parameters
    ----------
    n_clips : int
        Number of trials [1].
    group_sizes : (int, int, int)
        Units of the time reference and of both stimuli [1].
    stimulus_duration : float
        Length of each frozen pattern [s].
    stimulus_rate : float
        Rate of the units in a frozen pattern [Hz].
    delay : float
        Time from the start of the first stimulus to that of the second [s]; 0 gives both at once.
    wait : float
        Time after the second stimulus in which the network should answer [s].
    pause : (float, float)
        Shortest and longest pause that follows in a trial [s], drawn evenly.
    noise_rate : float
        Rate of the noise of each unit [Hz].
    seed : int
        Seed of patterns and trials.

    Returns
    -------
    Events
        Class "1" has one of both stimuli, "0" both or none. The end of a clip is its duration.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> events = delayed_xor(8)
    >>> events.n_units, events.keys, events.labels
    (100, ('0', '1'), array([0, 1, 0, 1, 1, 1, 1, 0]))
    """
    n_clips = checked("n_clips", n_clips, Count)
    sizes = checked("group_sizes", group_sizes, Annotated[tuple[int, int, int], Bounds(at_least=1)])
    stimulus_duration = checked("stimulus_duration", stimulus_duration, Positive)
    stimulus_rate = checked("stimulus_rate", stimulus_rate, Positive)
    delay, wait = checked("delay", delay, NotNegative), checked("wait", wait, NotNegative)
    pause = checked("pause", pause, Annotated[tuple[float, float], Bounds(at_least=0), Order(rises=True)])
    noise_rate, seed = checked("noise_rate", noise_rate, NotNegative), checked("seed", seed, Seed)
    first_units, onsets = (0, sizes[0], sizes[0] + sizes[1]), (0.0, 0.0, delay)
    frozen = [
        poisson_spikes(stream_of(seed, f"stimulus/{group}"), stimulus_rate, n_units=size, duration=stimulus_duration)
        for group, size in enumerate(sizes)
    ]
    samples = []
    for clip in range(n_clips):
        source = f"delayed_xor/{clip:05}"
        first, second = (draw_below(2, stream_of(seed, source, purpose=f"stimulus {n}")) for n in (1, 2))
        length = delay + stimulus_duration + wait + draw_within(pause, stream_of(seed, source, purpose="pause"))
        rng = stream_of(seed, source, purpose="noise")
        times, units = poisson_spikes(rng, noise_rate, n_units=sum(sizes), duration=length)
        for is_there, first_unit, size, onset, (pattern, its_units) in zip(
            (True, first, second), first_units, sizes, onsets, frozen, strict=True
        ):
            if not is_there:
                continue
            # the pattern stands in the place of the noise, so that it is the same in every trial
            is_place = (units >= first_unit) & (units < first_unit + size)
            is_place &= (times >= onset) & (times < onset + stimulus_duration)
            times = np.concatenate([times[~is_place], pattern + onset])
            units = np.concatenate([units[~is_place], its_units + first_unit])
        order = np.lexsort((units, times))
        samples.append(
            Sample(
                times[order],
                units[order].astype(np.uint16),
                label=first ^ second,
                speaker=UNKNOWN_SPEAKER,
                source=source,
                n_units=sum(sizes),
                duration=length,
            )
        )
    return Events.from_samples(samples, keys=["0", "1"], n_units=sum(sizes))

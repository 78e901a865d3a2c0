"""What a window of time leaves out, and what to do where that is nearly everything.

A file whose times are in ms is a valid file in s: its clips last for minutes, and a network that looks at the first
second sees next to nothing. Whoever crops clips to a window therefore counts what is lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikedata.events.events import Events, latest_times
from spikedata.events.time_units import per_second

_log = logging.getLogger(__name__)

NEARLY_ALL = 0.9  # of the spikes [1]: above, a window is refused
_MUCH = 0.1  # of the spikes [1]: above, it is logged
_SHORTEST_CLIP = 0.01  # [s]; where the median clip is shorter, the unit that was given is doubted
LONGEST_CLIP = 60.0  # [s]; where the median clip is longer, another unit is more likely
_LATEST_START = 10  # lengths of a clip [1]; what begins later does not begin at 0
_UNITS = (("ms", "milliseconds", 1e3), ("us", "microseconds", 1e6), ("ns", "nanoseconds", 1e9))
_N_LOOKED_AT = 1000  # spikes that are looked at for whole numbers


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What of some clips falls outside a window.

    Parameters
    ----------
    window : float
        Length of the window, which begins at 0 [s].
    n_outside, n_spikes : int
        Spikes outside, and all spikes [1].
    n_silent, n_clips : int
        Clips without a spike, and all clips [1].
    median_start, median_end : float
        Median times of the first and last spike of the clips that have one [s].
    are_whole : bool
        Whether all times are whole numbers, which counted seconds are not [1].
    """

    window: float
    n_outside: int
    n_spikes: int
    n_silent: int
    n_clips: int
    median_start: float
    median_end: float
    are_whole: bool

    @property
    def share(self) -> float:
        """Fraction of the spikes that falls outside [1]."""
        return self.n_outside / self.n_spikes if self.n_spikes else 0.0

    @property
    def looks_like(self) -> str:
        """The unit that the times are more likely in: ms, us or ns; empty if they may well be in s."""
        return "" if self._begin_late else likely_unit(self.median_end)

    @property
    def advice(self) -> str:
        """Why that may be, and what to type for a file."""
        return self.advise(of_file=True)

    def advise(self, *, of_file: bool, read_as: str | None = None) -> str:
        """Why that may be, and what to type.

        Parameters
        ----------
        of_file : bool
            Whether the clips are those of a file, whose unit can be given when it is read.
        read_as : str, optional
            The unit that was given already, which then is no advice.
        """
        if self._begin_late:
            return f"the median clip begins at {self.median_start:,.1f} s: subtract the time at which each clip begins"
        lasts = f"the median clip lasts {self.median_end:,.{0 if self.median_end >= 100 else 1}f} s"
        samples = ", or samples@RATE if they count samples" if self.are_whole else ""
        is_read = of_file and read_as not in (None, "s")
        likely = self.looks_like
        if likely and is_read:  # as the numbers in the file are
            likely = likely_unit(self.median_end * per_second(read_as))
        for name, word, factor in _UNITS:
            if name == likely != read_as:
                as_words = f"times look like {word}: {lasts}{'' if is_read else ' as they are'}"
                if not of_file:
                    return f"{as_words}; divide Events.times by {factor:g}{samples and ', or by the sample rate'}"
                return f"{as_words}; give --time-unit {name} (time_unit={name!r}){samples}"
        longer = f"{lasts}; give a longer window (--duration, n_steps=)"
        if is_read:
            other = "ms" if read_as and read_as.startswith("samples") else "samples@RATE"
            return f"{longer}, or the unit of the times if it is not {read_as}: --time-unit {other}"
        return f"{longer}, or the unit of the times if it is not s: --time-unit ms{samples}" if of_file else longer

    def __str__(self) -> str:
        return f"{percent(self.share)} of the spikes fall outside {self.window:g} s"

    @property
    def _begin_late(self) -> bool:
        """Whether times are those of a clock that did not start with each clip."""
        length = self.median_end - self.median_start
        return self.median_start > max(self.window, _LATEST_START * length)


def likely_unit(end: float) -> str:
    """The unit that times are more likely in than s: ms, us or ns; empty if they may well be in s.

    Parameters
    ----------
    end : float
        Typical time of the last spike of a clip, in the unknown unit [1].

    Examples
    --------
    >>> likely_unit(1.1), likely_unit(800), likely_unit(800_000)
    ('', 'ms', 'us')
    """
    if end < LONGEST_CLIP:
        return ""
    return next((name for name, _, factor in _UNITS if end / factor < LONGEST_CLIP), "")


def find_outside(events: Events, window: float, indices: npt.NDArray[np.int64] | None = None) -> Outside:
    """Count the spikes at or after the end of a window.

    Parameters
    ----------
    events : Events
        Clips, sorted or not.
    window : float
        Length of the window, such as ``n_steps * dt`` [s].
    indices : ndarray of int64, shape (n,), optional
        Which clips to count. Default: all.

    Returns
    -------
    Outside

    Examples
    --------
    >>> from spikedata.events.sample import Sample
    >>> clip = Sample(np.array([0.2, 0.5, 1.0, 1.5]), np.zeros(4, np.uint16), label=0, speaker=0)
    >>> print(find_outside(Events.from_samples([clip], keys=["a"]), 1.0))
    50 % of the spikes fall outside 1 s
    """
    chosen = np.arange(len(events)) if indices is None else np.arange(len(events))[indices]
    n_each = np.diff(events.offsets)[chosen]
    n_spikes = int(n_each.sum())
    spiking = chosen[n_each > 0]
    ends, starts = latest_times(events)[spiking], events.times[events.offsets[spiking]].astype(np.float64)
    first = events.times[:_N_LOOKED_AT].astype(np.float64)
    return Outside(
        window=float(window),
        n_outside=n_spikes - int(_n_before(events, window, chosen).sum()),
        n_spikes=n_spikes,
        n_silent=int(np.count_nonzero(n_each == 0)),
        n_clips=len(chosen),
        median_start=float(np.median(starts)) if starts.size else 0.0,
        median_end=float(np.median(ends)) if ends.size else 0.0,
        are_whole=bool(first.any()) and bool(np.all(first == np.floor(first))),
    )


def joined_outside(parts: list[Outside]) -> Outside:
    """The counts of several sets of clips together, under the same window.

    Parameters
    ----------
    parts : list of Outside
        At least one; their medians are weighed by the clips.
    """
    weights = [max(1, part.n_clips) for part in parts]
    starts, ends = [part.median_start for part in parts], [part.median_end for part in parts]
    return Outside(
        window=parts[0].window,
        n_outside=sum(part.n_outside for part in parts),
        n_spikes=sum(part.n_spikes for part in parts),
        n_silent=sum(part.n_silent for part in parts),
        n_clips=sum(part.n_clips for part in parts),
        median_start=float(np.average(starts, weights=weights)),
        median_end=float(np.average(ends, weights=weights)),
        are_whole=all(part.are_whole for part in parts),
    )


def check_window(where: str, outside: Outside, *, time_unit: str | None, of_file: bool = True) -> None:
    """Raise if a window holds next to nothing, unless the user has said that times are in s; log if much is lost.

    Parameters
    ----------
    where : str
        What the message begins with, such as the name of the file.
    outside : Outside
        What falls outside.
    time_unit : str or None
        What the user has said: with "s", any window is meant.
    of_file : bool
        Whether the clips are those of a file.

    Raises
    ------
    ValueError
        If more than `NEARLY_ALL` of the spikes falls outside; the message names the likely unit.
    """
    if outside.share > NEARLY_ALL and time_unit != "s":
        read_as = f", read as {time_unit}" if time_unit else ""
        as_it_is = "--time-unit s takes them as they are" if of_file else "time_unit='s' takes them as they are"
        raise ValueError(
            f"{where}: {outside}{read_as}: {outside.advise(of_file=of_file, read_as=time_unit)}; {as_it_is}"
        )
    if outside.share > _MUCH:
        _log.warning("%s: %s", where, outside)
    if time_unit not in (None, "s") and 0 < outside.median_end < _SHORTEST_CLIP:
        lasts = f"{1000 * outside.median_end:.3g} ms"
        _log.warning(
            "%s: read as %s, the median clip lasts %s; is that the unit of its times?", where, time_unit, lasts
        )
    if outside.n_clips and not outside.n_spikes:
        _log.warning("%s: no clip has a spike", where)


def _n_before(events: Events, window: float, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of spikes of each clip before the end of a window."""
    begins, ends = events.offsets[chosen], events.offsets[chosen + 1]
    if not events.is_sorted:
        before = np.concatenate([[0], np.cumsum(events.times.astype(np.float64) < window)])
        return np.asarray(before[ends] - before[begins])
    low, high = begins.copy(), ends.copy()
    # a binary search in all clips at once, which touches few pages of a mapped file
    while (is_open := low < high).any():
        middle = (low + high) // 2
        is_before = np.zeros(len(low), np.bool_)
        is_before[is_open] = events.times[middle[is_open]].astype(np.float64) < window
        low = np.where(is_before, middle + 1, low)
        high = np.where(is_open & ~is_before, middle, high)
    return low - begins


def percent(share: float) -> str:
    """A share in percent with three digits, and never "100 %" of what is not all."""
    percent = 100 * share
    text = f"{percent:.3g}"
    if text == "100" and share < 1:
        text = "more than 99.9"
    return f"{text} %"

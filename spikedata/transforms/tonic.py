"""Clips as the events of tonic, and tonic's transforms on our data sets; nothing here imports tonic.

Tonic's events are one structured array per clip, with time ``t`` in whole microseconds, place ``x`` and polarity ``p``:
for audio the unit, and 1. Times are rounded to the nearest microsecond, so that a clip survives the way there and back;
tonic's own reader of SHD cuts them, and so differs by up to one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.checks import whole_number
from spikedata.events import Sample

TONIC_DTYPE = np.dtype([("t", np.int64), ("x", np.int64), ("p", np.int64)])  # as `tonic.datasets.SHD` has it
_PER_SECOND = 1e6  # tonic's unit of time is the microsecond


def to_tonic(sample: Sample) -> npt.NDArray[np.void]:
    """The spikes of a clip as an array of tonic's events.

    Parameters
    ----------
    sample : Sample
        The clip.

    Returns
    -------
    structured ndarray, shape (n_spikes,)
        Time ``t`` [µs], place ``x``, which is the unit [1], and polarity ``p``, which is 1 [1].

    Raises
    ------
    TypeError
        If it is no `Sample`.

    Examples
    --------
    >>> to_tonic(Sample(np.array([0.1, 0.3]), np.array([5, 9], np.uint16), label=0, speaker=2)).tolist()
    [(100000, 5, 1), (300000, 9, 1)]
    """
    if not isinstance(sample, Sample):
        raise TypeError(f"sample must be a spikedata.Sample, got {type(sample).__name__}")
    events = np.ones(len(sample.times), TONIC_DTYPE)
    events["t"], events["x"] = np.rint(np.asarray(sample.times) * _PER_SECOND), sample.units
    return events


def from_tonic(events: npt.NDArray[np.void], sample: Sample, *, n_units: int | None = None) -> Sample:
    """A clip with the spikes of an array of tonic's events.

    Parameters
    ----------
    events : structured ndarray, shape (n_spikes,)
        With the fields ``t`` [µs] and ``x`` [1], in any order of fields and events.
    sample : Sample
        What else is known of the clip.
    n_units : int, optional
        Number of units [1]. Default: that of the sample.

    Returns
    -------
    Sample
        Its spikes sorted by time.

    Raises
    ------
    TypeError
        If there are no such fields.
    ValueError
        If a time is negative or not finite, or a place is none of the units.

    Examples
    --------
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], np.uint16), label=3, speaker=2)
    >>> late = to_tonic(clip)[1:]
    >>> from_tonic(late, clip).times.tolist(), from_tonic(late, clip).label
    ([0.3], 3)
    """
    names = getattr(getattr(events, "dtype", None), "names", None) or ()
    if not {"t", "x"} <= set(names):
        found = f"an array of shape {events.shape}" if isinstance(events, np.ndarray) else type(events).__name__
        raise TypeError(f"events must be a structured array with fields t and x, got {found}")
    times, places = events["t"].astype(np.float64) / _PER_SECOND, events["x"].astype(np.float64)
    n_units = sample.n_units if n_units is None else n_units
    most = n_units or np.iinfo(np.uint16).max + 1
    for name, values, is_good, rule in (
        ("t", events["t"], (times >= 0) & (times < np.inf), "finite and >= 0"),
        ("x", events["x"], (places >= 0) & (places < most) & (places == np.floor(places)), f"whole, in 0..{most - 1}"),
    ):
        if not is_good.all():
            raise ValueError(f"tonic events: {name} must be {rule}, got {values[~is_good][0]}")
    order = np.argsort(times, kind="stable")
    duration = max(sample.duration, float(times.max(initial=0.0))) if sample.duration else 0.0
    return sample._replace(
        times=times[order], units=places[order].astype(np.uint16), n_units=n_units, duration=duration
    )


@dataclass(frozen=True)
class Tonic:
    """One of tonic's transforms for a `SpikeDataset`: a clip becomes tonic's events, transformed and turned back.

    It is one of single samples, so slower than those of this package, and draws from NumPy's global random numbers as
    tonic does: no seed of a data set makes it repeatable. What makes no events of events, such as ``ToFrame``, is for a
    `spikedata.torch.TonicDataset`.

    Parameters
    ----------
    transform : callable
        One of ``tonic.transforms``, or a ``Compose`` of such [1].
    n_units : int, optional
        Number of units after it [1], where it changes that, as ``Downsample`` does. Default: as before.

    Raises
    ------
    TypeError
        If it cannot be called.
    ValueError
        If the number of units is no whole number of at least 1.

    References
    ----------
    Lenz et al.: Tonic: event-based datasets and transformations; Zenodo, 2021.

    Examples
    --------
    >>> clip = Sample(np.array([0.1, 0.3]), np.array([5, 9], np.uint16), label=0, speaker=2, n_units=700)
    >>> Tonic(lambda events: events[events["x"] > 5])(clip).units.tolist()
    [9]
    """

    transform: Callable[[Any], Any]
    n_units: int | None = None

    def __post_init__(self) -> None:
        if not callable(self.transform) or isinstance(self.transform, type):
            raise TypeError(f"Tonic.transform must be one that is made, as TimeJitter(std=10), got {self.transform!r}")
        if self.n_units is not None:
            whole_number("Tonic.n_units", self.n_units, at_least=1)

    def __call__(self, sample: Sample) -> Sample:
        """The clip with its spikes transformed."""
        events = self.transform(to_tonic(sample))
        try:
            return from_tonic(events, sample, n_units=self.n_units)
        except TypeError:
            made = type(self.transform).__name__
            way_on = "what makes something else of events is for spikedata.torch.TonicDataset(..., transform=...)"
            raise TypeError(
                f"Tonic.transform must give events, got {type(events).__name__} from {made}; {way_on}"
            ) from None

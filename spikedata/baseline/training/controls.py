"""Controls by name: the same clips with something taken away, to show what the rest gives.

===============  ==============================================================================================
none             nothing taken away
times_shuffled   the clip's own times dealt out anew to its spikes: which unit fires when is lost, while the counts of
                 every unit and the number of spikes at every moment stay
counts_only      every spike at a time drawn anew: the counts of every unit stay, all timing is lost
time_reversed    the clip backwards: intervals, coincidences and counts stay, the order is turned round
===============  ==============================================================================================

What a control draws depends on the seed and the clip's number alone; while training, on the epoch too.
"""

from __future__ import annotations

import difflib

import numpy as np

from spikedata.events.events import Events
from spikedata.streams import streams_of
from spikedata.transforms import EventTransform, ShuffleTimes, TimeReversal

CONTROLS: dict[str, EventTransform | None] = {
    "none": None,
    "times_shuffled": ShuffleTimes(keep_envelope=True),
    "counts_only": ShuffleTimes(),
    "time_reversed": TimeReversal(),
}


def known_control(name: str) -> str:
    """The name of a control as ``CONTROLS`` has it.

    Parameters
    ----------
    name : str
        One of ``CONTROLS``; hyphens stand for underscores.

    Raises
    ------
    ValueError
        If there is no such control.

    Examples
    --------
    >>> known_control("counts-only")
    'counts_only'
    """
    known = name.replace("-", "_")
    if known not in CONTROLS:
        nearest = difflib.get_close_matches(known, CONTROLS) or CONTROLS
        raise ValueError(f"no control {name!r}; nearest: {', '.join(nearest)}")
    return known


def control_of(name: str) -> EventTransform | None:
    """The transform of a control, None for "none"; `known_control` says which there are."""
    return CONTROLS[known_control(name)]


def apply_control(events: Events, name: str, *, seed: int = 0) -> Events:
    """Clips under a control.

    Parameters
    ----------
    events : Events
        The clips, left as they are.
    name : str
        One of ``CONTROLS``.
    seed : int
        Of what is drawn [1].

    Raises
    ------
    ValueError
        If there is no such control.
    """
    transform = control_of(name)
    if transform is None or not len(events):
        return events
    return transform.transform_events(events, streams_of(seed, 0, np.arange(len(events))), source=events)

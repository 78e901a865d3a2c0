"""Transforms by name: the augmentations of a recipe, and the controls of its clips.

An augmentation is written as a line of text, "event_drop probability=0.1". A control removes some information from all
clips, or from the network, to show how much the rest can tell:

================  =============================================================================================
none              removes nothing
times_shuffled    the clip's times are permuted among its spikes: the count of every unit and the number of spikes at
                  every moment stay, but not which unit fires at which time
counts_only       every spike gets a random time: the count of every unit stays, all timing is lost
steps_shuffled    the network's steps of the clip are permuted: which units fire together stays, the order is lost
counts_equalized  every unit gets as many spikes, the clip's mean count: times stay where spikes do, rates are lost
time_reversed     the clip runs backwards: intervals, coincidences and counts stay, their order is reversed
propagation_cut   clips stay as they are, but the network carries nothing from step to step: see
                  `spikedata.nn.cut_propagation`
================  =============================================================================================

A control draws the same numbers for a clip of the same seed and number; in training, they change with the epoch.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from spikedata import transforms
from spikedata.events import Events
from spikedata.transforms import (
    Compose,
    EventTransform,
    Maybe,
    NormalizeCounts,
    ShuffleSteps,
    ShuffleTimes,
    TimeReversal,
)
from spikedata.transforms.streams import streams_of

_CHANCE = "chance"
_NOT_NAMED = {"Compose", "EventTransform", "Maybe", "ChannelMerge", "ChannelSelect", "Tonic"}
# merging and selecting change the number of units, which a recipe keeps but for its n_merged


def augmentation_of(lines: Sequence[str]) -> EventTransform | None:
    """The transform that applies a recipe's augmentations in order; None if there are none.

    Parameters
    ----------
    lines : sequence of str
        Each has the name of a transform and its params, such as "event_drop probability=0.1".

    Raises
    ------
    ValueError
        If a transform or param is unknown, missing or out of range.

    Examples
    --------
    >>> augmentation_of(["channel_jitter sigma=20", "event_drop probability=0.1 chance=0.5"])
    Compose(transforms=(ChannelJitter(sigma=20), Maybe(transform=EventDrop(probability=0.1), probability=0.5)))
    >>> augmentation_of(["chanel_jitter sigma=20"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: augmentation 'chanel_jitter sigma=20': no transform 'chanel_jitter'; nearest: channel_jitter, ...
    """
    return Compose(tuple(_transform_of(line) for line in lines)) if lines else None


def names_of_transforms() -> dict[str, Callable[..., EventTransform]]:
    """All transforms that a recipe can use, by name."""
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): getattr(transforms, name)
        for name in transforms.__all__
        if name not in _NOT_NAMED and name[0].isupper()
    }


def _transform_of(line: str) -> EventTransform:
    kinds = names_of_transforms()
    try:
        name, *words = line.split() or [""]
        kind = kinds[_known(name, kinds, "transform")]
        values = dict(_param_of(word) for word in words)
        chance = values.pop(_CHANCE, None)
        params = inspect.signature(kind).parameters
        for param in values:
            _known(param, params, "param")
        needed = [param for param, about in params.items() if about.default is about.empty]
        if not values.keys() >= set(needed):
            raise ValueError(
                f"needs {', '.join(needed)}, as {' '.join([name, *(f'{each}=NUMBER' for each in needed)])!r}"
            )
        transform = kind(**values)
        return transform if chance is None else Maybe(transform, float(chance))
    except (TypeError, ValueError) as error:
        raise ValueError(f"augmentation {line!r}: {error}") from None


def _known(name: str, names: Collection[str], what: str) -> str:
    if name not in names:
        nearest = difflib.get_close_matches(name, names, n=3) or names
        raise ValueError(f"no {what} {name!r}; nearest: {', '.join(nearest)}")
    return name


def _param_of(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise ValueError(f"params are written NAME=VALUE, got {word!r}")
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueError(f"{name} must be a number, True or False, got {text!r}") from None


#: Names of the controls.
CONTROLS = (
    "none", "times_shuffled", "counts_only", "steps_shuffled", "counts_equalized", "time_reversed", "propagation_cut",
)  # fmt: skip
#: The control that changes the network instead of the clips.
OF_NETWORK = "propagation_cut"


def known_control(name: str) -> str:
    """The name of a control, spelled as in ``CONTROLS``.

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


def control_of(name: str, *, dt: float = 10e-3, n_steps: int = 100) -> EventTransform | None:
    """The transform of a control; None for one that leaves clips as they are.

    Parameters
    ----------
    name : str
        One of ``CONTROLS``. `known_control` checks names that a user has typed.
    dt : float
        Length of a step of the network [s], for the control that permutes steps.
    n_steps : int
        Number of its steps.

    Raises
    ------
    ValueError
        If there is no such control.
    """
    match known_control(name):
        case "times_shuffled":
            return ShuffleTimes(keep_envelope=True)
        case "counts_only":
            return ShuffleTimes()
        case "steps_shuffled":
            return ShuffleSteps(dt=dt, n_steps=n_steps)
        case "counts_equalized":
            return NormalizeCounts(n_per_unit=None)
        case "time_reversed":
            return TimeReversal()
    return None


def apply_control(events: Events, name: str, *, seed: int = 0, dt: float = 10e-3, n_steps: int = 100) -> Events:
    """Clips under a control.

    Parameters
    ----------
    events : Events
        The clips, left as they are.
    name : str
        One of ``CONTROLS``; one that changes the network leaves the clips as they are.
    seed : int
        Of what is drawn [1].
    dt : float
        Length of a step of the network [s], for the control that permutes steps.
    n_steps : int
        Number of its steps.

    Raises
    ------
    ValueError
        If there is no such control.
    """
    transform = control_of(name, dt=dt, n_steps=n_steps)
    if transform is None or not len(events):
        return events
    return transform.transform_events(events, streams_of(seed, 0, np.arange(len(events))), source=events)

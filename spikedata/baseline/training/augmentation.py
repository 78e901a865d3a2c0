"""Augmentations as a recipe writes them: the name of a transform and its params, in one line of text each.

"channel_jitter sigma=20" is `spikedata.transforms.ChannelJitter(sigma=20)`. With "chance=0.3" beside, it comes over
three clips in ten.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from spikedata import transforms
from spikedata.transforms import Compose, EventTransform, Maybe

_CHANCE = "chance"
_NOT_NAMED = {"Compose", "EventTransform", "Maybe", "ChannelMerge"}  # the last: recipes have n_merged


def augmentation_of(lines: Sequence[str]) -> EventTransform | None:
    """The transform that a recipe's augmentations make in their order, None where there is none.

    Parameters
    ----------
    lines : sequence of str
        Each with the name of a transform and its params, as "event_drop probability=0.1".

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
    """Every transform that can be named, by its name in a recipe."""
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): getattr(transforms, name)
        for name in transforms.__all__
        if name not in _NOT_NAMED
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

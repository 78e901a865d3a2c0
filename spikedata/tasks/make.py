"""Tasks by name, and as spike files: what `spikedata make` does."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata import __version__
from spikedata.acoustics.chance import stream_of, uniforms
from spikedata.checks import Count, checked
from spikedata.disk import data_folder
from spikedata.events import Events
from spikedata.files.schema import TASK, Provenance
from spikedata.files.writer import SpikeWriter
from spikedata.named_params import nearest
from spikedata.tasks.bitmaps import read_bitmap
from spikedata.tasks.delayed_xor import delayed_xor
from spikedata.tasks.idx import Images, read_images
from spikedata.tasks.images import latency_images
from spikedata.tasks.poisson import spike_patterns
from spikedata.tasks.randman import randman
from spikedata.tasks.targets import bitmap_raster, equidistant_targets
from spikedata.tasks.yin_yang import PARTS as YIN_YANG_PARTS
from spikedata.tasks.yin_yang import yin_yang

_DIGITS = tuple("0123456789")
_CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
#: Class names of the data sets of images.
IMAGE_CLASSES: Mapping[str, tuple[str, ...]] = {"mnist": _DIGITS, "fashion_mnist": _CLOTHES}

_SHARE = 10  # one clip of ten validates and one tests, where nothing is published
_GIVEN = ("part", "images", "labels", "bitmap", "keys", "sources", "seed")  # not params: options, or what is made


class Task(NamedTuple):
    """A task that can be made by its name.

    Parameters
    ----------
    about : str
        What it is, in one line.
    function : callable
        The function whose keyword arguments are its params.
    citation : str
        Publication to cite; empty where that of the images stands in `spikedata.downloads.DATASETS`, or there is none.
    """

    about: str
    function: Callable[..., Events]
    citation: str = ""


_ZENKE_VOGELS = "Zenke, Vogels, Neural Computation 33:899 (2021)"
_ZENKE_GANGULI = "Zenke, Ganguli, Neural Computation 30:1514 (2018)"
_KRIENER = "Kriener, Göltz, Petrovici, The Yin-Yang dataset, NICE 2022, 107-111"

#: The tasks, by name.
TASKS: Mapping[str, Task] = {
    "randman": Task("smooth random manifolds, told apart by spike times alone", randman, _ZENKE_VOGELS),
    "yin_yang": Task("points of the plane in three classes, as latencies of 4 units and a bias", yin_yang, _KRIENER),
    "mnist": Task("handwritten digits as latencies of 784 pixels", latency_images),
    "fashion_mnist": Task("clothes as latencies of 784 pixels", latency_images),
    "delayed_xor": Task("whether one of two stimuli was there, one after the other", delayed_xor, _ZENKE_GANGULI),
    "patterns": Task("frozen Poisson inputs", spike_patterns, _ZENKE_GANGULI),
    "equidistant": Task("target: evenly spaced spikes", equidistant_targets, _ZENKE_GANGULI),
    "raster": Task("target: a picture as spikes, by default a cochlea", bitmap_raster, _ZENKE_GANGULI),
}


class Made(NamedTuple):
    """A task, and what it was made with.

    Parameters
    ----------
    events : Events
        Its clips.
    parts : tuple of str
        Part of each clip: train, validation or test; empty if the task is not divided.
    provenance : Provenance
        Name of the task, params and seed, as a file says them.
    """

    events: Events
    parts: tuple[str, ...]
    provenance: Provenance


def task_params(name: str) -> dict[str, Any]:
    """The params of a task, with their defaults.

    Parameters
    ----------
    name : str
        One of `TASKS`.

    Raises
    ------
    ValueError
        If there is no such task.

    Examples
    --------
    >>> task_params("equidistant")
    {'n_spikes': 5, 'n_units': 1, 'duration': 0.5}
    """
    signature = inspect.signature(_task(name).function)
    params = {key: one.default for key, one in signature.parameters.items() if key not in _GIVEN}
    return params | ({"n_clips": None} if name in IMAGE_CLASSES else {})


def make_task(
    name: str,
    *,
    part: str | None = None,
    seed: int | None = None,
    images: str | os.PathLike[str] | None = None,
    bitmap: str | os.PathLike[str] | None = None,
    **params: Any,
) -> Made:
    """A task by its name, divided into its parts.

    Yin-Yang and the images have published parts. Of other tasks to be classified one clip of ten validates and one
    tests, in each class of Randman; fewer than ten clips all train.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    part : {"train", "validation", "test"}, optional
        The only part to make. Default: all.
    seed : int, optional
        Seed of all that is drawn. Default: 0, and for Yin-Yang the published seeds.
    images : str or path-like, optional
        Where the images are, as `spikedata.tasks.idx.read_images` takes it. Default: where `spikedata.download` puts
        them.
    bitmap : str or path-like, optional
        Picture of the task "raster", in which dark pixels are spikes.
    **params
        Some of `task_params`; ``n_clips`` is the number of each class of Randman and of each part of Yin-Yang and of
        images, of which as many are drawn.

    Returns
    -------
    Made

    Raises
    ------
    ValueError
        If there is no such task, part or param, or a value is out of range.
    FileNotFoundError
        If there are no images, or no such picture.

    Examples
    --------
    >>> made = make_task("yin_yang", n_clips=3)
    >>> len(made.events), made.parts[::3]
    (9, ('train', 'validation', 'test'))
    """
    known = task_params(name)
    for given in params:
        if given not in known:
            near = nearest(given, known) or list(known)
            raise ValueError(f"{name} has no param {given!r}; nearest: {', '.join(near)}")
    for option, value, owners in (("images", images, IMAGE_CLASSES), ("bitmap", bitmap, ("raster",))):
        if value is not None and name not in owners:
            raise ValueError(f"{option} belongs to {' and '.join(owners)}, got it for {name}")
    written = {TASK: name, **known, **params}
    if name == "yin_yang":
        events, parts, more = _yin_yang(part, seed, params)
    elif name in IMAGE_CLASSES:
        place = data_folder() if images is None else images
        events, parts, more = _latency_images(name, place, part, seed, params)
    else:
        events, parts, more = _divided(name, part, seed, bitmap, params)
    text = json.dumps({**written, **more}, sort_keys=True)
    made = Provenance(package_version=__version__, params=text, seed=seed or 0, corpus=name, part=part or "")
    return Made(events, () if part else parts, made)


def write_task(made: Made, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a task as a spike file in the published layout.

    Times are stored as float32, which is exact to 2 ns below 30 ms; the float16 of the published files would move them
    by up to 8 us. The part of each clip stands in the file, so that `train --split listed` divides it.

    Parameters
    ----------
    made : Made
        From `make_task`.
    path : str or path-like
        The file.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the path exists and may not be replaced, or cannot be written.
    """
    events, parts = made.events, made.parts or ("",) * len(made.events)
    with SpikeWriter(
        path, keys=events.keys, mode="w" if overwrite else "x", n_units=events.n_units, provenance=made.provenance
    ) as writer:
        for sample, part in zip(events, parts, strict=True):
            writer.append(**sample._asdict(), part=part)


def _task(name: str) -> Task:
    if name not in TASKS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {name!r}")
    return TASKS[name]


def _chosen(parts: tuple[str, ...], part: str | None) -> tuple[str, ...]:
    if part is None:
        return parts
    if part not in parts:
        raise ValueError(f"part must be one of {', '.join(parts)}, got {part!r}" if parts else "the task has no parts")
    return (part,)


def _yin_yang(
    part: str | None, seed: int | None, params: Mapping[str, Any]
) -> tuple[Events, tuple[str, ...], dict[str, Any]]:
    chosen = _chosen(tuple(YIN_YANG_PARTS), part)
    seeds = {one: YIN_YANG_PARTS[one].seed for one in YIN_YANG_PARTS}
    if seed is not None:  # three seeds that no other seed gives
        seeds = {one: 3 * seed + number for number, one in enumerate(seeds)}
    each = [yin_yang(one, seed=seeds[one], **params) for one in chosen]
    return _joined(each), _names(chosen, each), {"seeds": list(seeds.values())}


def _latency_images(
    name: str, place: str | os.PathLike[str], part: str | None, seed: int | None, params: Mapping[str, Any]
) -> tuple[Events, tuple[str, ...], dict[str, Any]]:
    chosen = _chosen(("train", "test"), part)
    each, digest = [], blake2b(digest_size=8)
    code = {key: value for key, value in params.items() if key != "n_clips"}
    for one in ("train", "test"):  # both, for the file of one part says the same of the images as that of the other
        found = read_images(place, one, name=name)
        digest.update(found.images.tobytes())
        digest.update(found.labels.tobytes())
        if one not in chosen:
            continue
        if int(found.labels.max()) >= len(IMAGE_CLASSES[name]):
            raise ValueError(f"{place}: labels of {name} must be below 10, got {found.labels.max()}")
        numbers = _drawn(found, params.get("n_clips"), seed or 0, f"{name}/{one}")
        sources = [f"{name}/{one}/{number:05}" for number in numbers]
        images, labels = found.images[numbers], found.labels[numbers]
        each.append(latency_images(images, labels, keys=IMAGE_CLASSES[name], sources=sources, **code))
    return _joined(each), _names(chosen, each), {"images": digest.hexdigest()}


def _drawn(found: Images, n_clips: int | None, seed: int, key: str) -> npt.NDArray[np.int64]:
    """Numbers of as many images, drawn so that their order in the file, which may be by class, plays no part."""
    n_there = len(found.labels)
    if n_clips is None:
        return np.arange(n_there)
    n_clips = checked("n_clips", n_clips, Count)
    if n_clips > n_there:
        raise ValueError(f"n_clips must be at most {n_there}, the number of images of the part, got {n_clips}")
    return np.sort(np.argsort(uniforms(stream_of(seed, key), n_there), kind="stable")[:n_clips])


def _divided(
    name: str, part: str | None, seed: int | None, bitmap: str | os.PathLike[str] | None, params: Mapping[str, Any]
) -> tuple[Events, tuple[str, ...], dict[str, Any]]:
    options: dict[str, Any] = {} if name == "equidistant" else {"seed": seed or 0}
    more: dict[str, Any] = {}
    if name == "equidistant" and seed is not None:
        raise ValueError("equidistant draws nothing, so it takes no seed")
    if bitmap is not None:
        pixels = read_bitmap(bitmap)
        options["bitmap"], more["bitmap"] = pixels, Path(bitmap).name
    events = _task(name).function(**params, **options)
    if name not in ("randman", "delayed_xor"):
        _chosen((), part)
        return events, (), more
    number = np.arange(len(events))
    if name == "randman":  # of the clip within its class
        number -= np.searchsorted(events.labels, events.labels)
        n_each = len(events) // len(events.keys)
    else:
        n_each = len(events)
    n_less = n_each // _SHARE
    place = np.searchsorted([n_each - 2 * n_less, n_each - n_less], number, side="right")
    parts = tuple(("train", "validation", "test")[one] for one in place)
    chosen = _chosen(tuple(dict.fromkeys(parts)), part)
    return events.select(np.isin(parts, chosen)), tuple(one for one in parts if one in chosen), more


def _names(chosen: tuple[str, ...], each: list[Events]) -> tuple[str, ...]:
    return tuple(part for part, events in zip(chosen, each, strict=True) for _ in range(len(events)))


def _joined(each: list[Events]) -> Events:
    """The clips of several events of the same classes and units, one after the other."""
    first = each[0]
    lengths = np.concatenate([np.diff(events.offsets) for events in each])
    return Events(
        times=np.concatenate([events.times for events in each]),
        units=np.concatenate([events.units for events in each]),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        labels=np.concatenate([events.labels for events in each]),
        speakers=np.concatenate([events.speakers for events in each]),
        sources=tuple(source for events in each for source in events.sources),
        sample_rates=np.concatenate([events.sample_rates for events in each]),
        durations=np.concatenate([events.durations for events in each]),
        keys=first.keys,
        n_units=first.n_units,
    )

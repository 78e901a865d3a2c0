"""The metadata of a spike file: provenance, checksums and digest.

Besides the columns, which `spikedata.files.columns` lists, a file has root attributes ``spikedata_…`` with the
`Provenance`, the number of units, the number of samples as an end marker, and the `digest`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from spikedata.checks import Seed, checked
from spikedata.events.sample import UNKNOWN_SPEAKER, Sample

FORMAT_ATTRIBUTE = "spikedata_format"
VERSION_ATTRIBUTE = "spikedata_version"
PARAMS_ATTRIBUTE = "spikedata_params"
SEED_ATTRIBUTE = "spikedata_seed"
CORPUS_ATTRIBUTE = "spikedata_corpus"
UNITS_ATTRIBUTE = "spikedata_n_units"
SPLIT_ATTRIBUTE = "spikedata_split"
PART_ATTRIBUTE = "spikedata_part"
RUN_ATTRIBUTE = "spikedata_run"
SHARD_ATTRIBUTE = "spikedata_shard"
SCENE_ATTRIBUTE = "spikedata_scene"
DIGEST_ATTRIBUTE = "spikedata_digest"
COMPLETE_ATTRIBUTE = "spikedata_complete"  # the number of samples, written last

FORMAT = 1
TASK = "task"  # the param that names a task: spikes that no ear made

_LARGEST_ATTRIBUTE = 60_000  # bytes; HDF5 allows 64 KiB including its header
TEXTS_OF_PROVENANCE = {  # and the attributes that store them
    "package_version": VERSION_ATTRIBUTE,
    "params": PARAMS_ATTRIBUTE,
    "corpus": CORPUS_ATTRIBUTE,
    "split": SPLIT_ATTRIBUTE,
    "part": PART_ATTRIBUTE,
    "run": RUN_ATTRIBUTE,
    "shard": SHARD_ATTRIBUTE,
    "scene": SCENE_ATTRIBUTE,
}


class FormatError(ValueError):
    """A spike file that violates the format; the message names the file, the rule and the value."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How the spikes of a file were made.

    Parameters
    ----------
    package_version : str
        Version of the package that encoded the clips [1].
    params : str
        Params of the cochlea as JSON [1]; of a task (`spikedata.tasks`), its name as "task" and its params.
    seed : int
        Seed of the encoding [1].
    corpus : str
        Name of the corpus of the clips [1].
    split : str
        Name of the split of the corpus [1]; empty if it is not divided.
    part : str
        Part of the split in the file [1]; empty if it contains all parts.
    run : str
        Digest of everything that determines the content: recordings, params, seed, split, version [1].
    shard : str
        Share of the encoding in the file, such as "3/16" [1]; empty if it contains all.
    scene : str
        How the sounds were changed before they reached the cochlea, as JSON: a `spikedata.acoustics.Scene` and digests
        of the recordings that its noise is made of [1]. Empty if they were not changed.

    Raises
    ------
    ValueError
        If ``params`` or ``scene`` is not JSON, a text is too long for HDF5, or ``seed`` is no whole number of 63 bits.
    """

    package_version: str
    params: str
    seed: int
    corpus: str
    split: str = ""
    part: str = ""
    run: str = ""
    shard: str = ""
    scene: str = ""

    def __post_init__(self) -> None:
        for name in TEXTS_OF_PROVENANCE:
            size = len(getattr(self, name).encode())
            if size > _LARGEST_ATTRIBUTE:
                raise ValueError(f"Provenance.{name} must be at most {_LARGEST_ATTRIBUTE} bytes, got {size}")
        for name, text in (("params", self.params), ("scene", self.scene or "{}")):
            try:
                json.loads(text)
            except ValueError:
                raise ValueError(f"Provenance.{name} must be JSON, got {text[:40]!r} …") from None
        object.__setattr__(self, "seed", checked("Provenance.seed", self.seed, Seed))


def attributes_of(provenance: Provenance | None) -> dict[str, str | int]:
    """The root attributes that store a provenance; empty texts are omitted.

    Parameters
    ----------
    provenance : Provenance or None
        For None, there are no attributes.
    """
    if provenance is None:
        return {}
    texts = {place: getattr(provenance, name) for name, place in TEXTS_OF_PROVENANCE.items()}
    return {SEED_ATTRIBUTE: provenance.seed, **{place: text for place, text in texts.items() if text}}


def provenance_of(attributes: Mapping[str, str | int]) -> Provenance | None:
    """The provenance stored by `attributes_of`.

    Parameters
    ----------
    attributes : mapping of str to str or int
        The root attributes of a file.

    Raises
    ------
    ValueError
        If an attribute is invalid.
    """
    if SEED_ATTRIBUTE not in attributes:
        return None
    texts = {name: str(attributes.get(place, "")) for name, place in TEXTS_OF_PROVENANCE.items()}
    return Provenance(seed=int(attributes[SEED_ATTRIBUTE]), **texts)


def task_of(provenance: Provenance | None) -> str:
    """Name of the task whose spikes a file has; empty for those of a cochlea, or if unknown.

    Parameters
    ----------
    provenance : Provenance or None
        Of the file.
    """
    params = None if provenance is None else json.loads(provenance.params)
    return str(params.get(TASK, "")) if isinstance(params, dict) else ""


def unit_name_of(provenance: Provenance | None) -> str:
    """What a unit of a file is: "fiber" of the nerve where its params say so, "unit" of a task, otherwise "channel".

    Parameters
    ----------
    provenance : Provenance or None
        Of the file.
    """
    if task_of(provenance):
        return "unit"
    params = None if provenance is None else json.loads(provenance.params)
    return "fiber" if isinstance(params, dict) and params.get("output") == "nerve" else "channel"


def known_speakers(speakers: npt.ArrayLike) -> list[int]:
    """The known speakers, without repetition, in rising order.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample, -1 if unknown.

    Examples
    --------
    >>> known_speakers([3, -1, 0, 3])
    [0, 3]
    """
    return [int(speaker) for speaker in np.unique(np.asarray(speakers)) if speaker > UNKNOWN_SPEAKER]


def checksum(sample: Sample, class_name: str) -> int:
    """Eight bytes of BLAKE2b over everything that a file stores about one clip.

    Parameters
    ----------
    sample : Sample
        The clip, with its ``times`` in the stored type.
    class_name : str
        Name of the sample's class.

    Returns
    -------
    int
        The digest, below 2**64.
    """
    digest = blake2b(digest_size=8)
    times = np.ascontiguousarray(sample.times)
    digest.update(times.astype(times.dtype.newbyteorder("<"), copy=False).tobytes())
    digest.update(np.asarray(sample.units, dtype="<u2").tobytes())
    digest.update(json.dumps([class_name, sample.speaker, sample.source, sample.sample_rate]).encode())
    return int.from_bytes(digest.digest(), "little")


def digest(columns: Mapping[str, npt.NDArray[Any] | Sequence[str]], attributes: Mapping[str, str | int]) -> str:
    """Thirty-two hexadecimal digits over everything in a file except the spikes, whose checksums are included.

    Parameters
    ----------
    columns : mapping of str to ndarray or sequence of str
        The columns by name, except the rows of spikes.
    attributes : mapping of str to str or int
        The root attributes by name, except the digest itself.
    """
    content = blake2b(digest_size=16)
    content.update(json.dumps(attributes, sort_keys=True).encode())
    for name, values in sorted(columns.items()):
        content.update(f"{name} {len(values)} ".encode())
        if isinstance(values, np.ndarray):
            # independent of the stored width; whole numbers above 2**63 wrap around, which loses nothing
            content.update(values.astype("<f8" if values.dtype.kind == "f" else "<i8").tobytes())
        else:
            content.update("\0".join(values).encode())
    return content.hexdigest()

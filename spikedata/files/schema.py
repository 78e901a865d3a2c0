"""What a spike file says of itself as a whole: provenance, checksums and digest.

What stands beside the columns, which `spikedata.files.columns` lists: root attributes ``spikedata_…`` with the
`Provenance`, the number of units, an end marker and the `digest`.
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
DIGEST_ATTRIBUTE = "spikedata_digest"
COMPLETE_ATTRIBUTE = "spikedata_complete"  # the number of samples, written last

FORMAT = 1

_LARGEST_ATTRIBUTE = 60_000  # bytes; HDF5 takes 64 KiB with its own header
TEXTS_OF_PROVENANCE = {  # and where they stand
    "package_version": VERSION_ATTRIBUTE,
    "params": PARAMS_ATTRIBUTE,
    "corpus": CORPUS_ATTRIBUTE,
    "split": SPLIT_ATTRIBUTE,
    "part": PART_ATTRIBUTE,
    "run": RUN_ATTRIBUTE,
    "shard": SHARD_ATTRIBUTE,
}


class FormatError(ValueError):
    """A spike file that breaks a rule; the message names the file, the rule and the value found."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How the spikes of a file were made.

    Parameters
    ----------
    package_version : str
        Version of the package that encoded the clips [1].
    params : str
        The cochlea's parameters as JSON [1].
    seed : int
        Seed of the encoding [1].
    corpus : str
        Name of the corpus that the clips came from [1].
    split : str
        How the corpus was divided [1]; empty where it was not.
    part : str
        Which part of the split the file holds [1]; empty where it holds all.
    run : str
        Digest of all that decides on the content: recordings, params, seed, split, version [1].
    shard : str
        Which share of a run the file holds, as "3/16" [1]; empty where it holds all.

    Raises
    ------
    ValueError
        If ``params`` is not JSON, a text is too long for HDF5, or ``seed`` is no whole number that fits 63 bits.
    """

    package_version: str
    params: str
    seed: int
    corpus: str
    split: str = ""
    part: str = ""
    run: str = ""
    shard: str = ""

    def __post_init__(self) -> None:
        for name in TEXTS_OF_PROVENANCE:
            size = len(getattr(self, name).encode())
            if size > _LARGEST_ATTRIBUTE:
                raise ValueError(f"Provenance.{name} must be at most {_LARGEST_ATTRIBUTE} bytes, got {size}")
        try:
            json.loads(self.params)
        except ValueError:
            raise ValueError(f"Provenance.params must be JSON, got {self.params[:40]!r} …") from None
        object.__setattr__(self, "seed", checked("Provenance.seed", self.seed, Seed))


def attributes_of(provenance: Provenance | None) -> dict[str, str | int]:
    """Root attributes that say how spikes were made; texts that say nothing are left away.

    Parameters
    ----------
    provenance : Provenance or None
        None gives no attribute.
    """
    if provenance is None:
        return {}
    texts = {place: getattr(provenance, name) for name, place in TEXTS_OF_PROVENANCE.items()}
    return {SEED_ATTRIBUTE: provenance.seed, **{place: text for place, text in texts.items() if text}}


def provenance_of(attributes: Mapping[str, str | int]) -> Provenance | None:
    """What `attributes_of` was given.

    Parameters
    ----------
    attributes : mapping of str to str or int
        Root attributes of a file.

    Raises
    ------
    ValueError
        If one of them breaks a rule.
    """
    if SEED_ATTRIBUTE not in attributes:
        return None
    texts = {name: str(attributes.get(place, "")) for name, place in TEXTS_OF_PROVENANCE.items()}
    return Provenance(seed=int(attributes[SEED_ATTRIBUTE]), **texts)


def known_speakers(speakers: npt.ArrayLike) -> list[int]:
    """Every speaker that is known, once, in rising order.

    Parameters
    ----------
    speakers : array_like of int, shape (n_samples,)
        Speaker of each sample, -1 where unknown.

    Examples
    --------
    >>> known_speakers([3, -1, 0, 3])
    [0, 3]
    """
    return [int(speaker) for speaker in np.unique(np.asarray(speakers)) if speaker != UNKNOWN_SPEAKER]


def checksum(sample: Sample, class_name: str) -> int:
    """Eight bytes of BLAKE2b over all that a file says of one clip.

    Parameters
    ----------
    sample : Sample
        Its ``times`` in the dtype in which they are stored.
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
    """Thirty-two hexadecimal digits over all that a file says beside its spikes, and the checksums of those.

    Parameters
    ----------
    columns : mapping of str to ndarray or sequence of str
        What the file holds by name, the rows of spikes apart.
    attributes : mapping of str to str or int
        Its root attributes by name, the digest itself apart.
    """
    content = blake2b(digest_size=16)
    content.update(json.dumps(attributes, sort_keys=True).encode())
    for name, values in sorted(columns.items()):
        content.update(f"{name} {len(values)} ".encode())
        if isinstance(values, np.ndarray):
            # whatever the width in which they are stored; above 2**63 a whole number wraps, in one way
            content.update(values.astype("<f8" if values.dtype.kind == "f" else "<i8").tobytes())
        else:
            content.update("\0".join(values).encode())
    return content.hexdigest()

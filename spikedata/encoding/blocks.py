"""Cut the clips of an encoding into blocks that can be made anywhere, at any time, in any order."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import NamedTuple

import cochlea
from spikedata import __version__
from spikedata.checks import Seed, checked
from spikedata.corpora import Clip
from spikedata.files.schema import Provenance

PRESETS = {"default": cochlea.CochleaParams, "published": cochlea.CochleaParams.published}
OWN = "own"  # what files call params that are those of no preset

_MEAN_CLIPS, _MOST_CLIPS = 32, 128  # of a block
_MOST_BYTES = 2**25  # of audio files in a block, so that long recordings need no more memory than short ones


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that decides on the spikes of a clip beside its audio.

    Parameters
    ----------
    corpus : str
        Name of the corpus [1].
    keys : tuple of str
        Class names [1].
    preset : {"default", "published", "own"}
        Params of the cochlea [1].
    seed : int
        Seed of the data set [1].
    own : CochleaParams, optional
        Those of the preset "own" [1].

    Raises
    ------
    ValueError
        If there is no such preset, or the seed is no whole number or out of its range.
    """

    corpus: str
    keys: tuple[str, ...]
    preset: str
    seed: int
    own: cochlea.CochleaParams | None = None

    def __post_init__(self) -> None:
        if self.preset not in PRESETS and (self.preset != OWN or self.own is None):
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset!r}")
        object.__setattr__(self, "seed", checked("seed", self.seed, Seed))

    @property
    def params(self) -> cochlea.CochleaParams:
        """Params of the cochlea."""
        return PRESETS[self.preset]() if self.own is None else self.own

    @property
    def times_dtype(self) -> str:
        """How times are stored: as in the published files where they are imitated."""
        return "float16" if self.preset == "published" else "float32"

    @property
    def provenance(self) -> Provenance:
        """What a file says of how its spikes were made."""
        described = json.dumps({"preset": self.preset, **asdict(self.params)}, sort_keys=True)
        return Provenance(package_version=__version__, params=described, seed=self.seed, corpus=self.corpus)


class Member(NamedTuple):
    """A clip of an encoding, the part of a split that it belongs to (or ""), and its file's size and age."""

    clip: Clip
    part: str
    size: int
    modified: int


class Block(NamedTuple):
    """Neighboring clips that are encoded and kept together.

    Parameters
    ----------
    members : tuple of Member
        The clips.
    name : str
        A digest of all that decides on its content: an equal name is an equal block.
    """

    members: tuple[Member, ...]
    name: str


def find_members(clips: Sequence[Clip], parts: Sequence[str]) -> list[Member]:
    """The clips with the sizes of their files; a file that is not there has none, and fails when it is read.

    Parameters
    ----------
    clips : sequence of Clip
        The clips.
    parts : sequence of str
        Part of each.
    """
    members = []
    for clip, part in zip(clips, parts, strict=True):
        try:
            status = clip.path.stat()
            members.append(Member(clip, part, status.st_size, status.st_mtime_ns))
        except OSError:
            members.append(Member(clip, part, -1, 0))
    return members


def name_run(job: Job, members: Sequence[Member], split: str) -> str:
    """Digest of all that decides on the content of an encoding's files; the place of the corpus does not.

    Parameters
    ----------
    job : Job
        What decides on the spikes.
    members : sequence of Member
        All clips, those of other shards included.
    split : str
        How they were divided.
    """
    return _digest(job, [[m.clip.name, m.clip.label, m.clip.speaker, m.part, m.size] for m in members], split)


def cut_blocks(job: Job, members: Sequence[Member]) -> Iterator[Block]:
    """The clips in blocks.

    A clip's own name decides whether a block ends with it, so that a recording that comes, goes or changes renames
    its own block and leaves the others as they are.

    Parameters
    ----------
    job : Job
        What decides on the spikes.
    members : sequence of Member
        The clips.
    """
    first, n_bytes = 0, 0
    for index, member in enumerate(members, start=1):
        n_bytes += member.size
        is_last = zlib.crc32(member.clip.name.encode()) % _MEAN_CLIPS == 0 or index == len(members)
        if is_last or index - first == _MOST_CLIPS or n_bytes >= _MOST_BYTES:
            block = tuple(members[first:index])
            yield Block(block, _digest(job, [[*m.clip[1:], m.part, m.size, m.modified] for m in block], ""))
            first, n_bytes = index, 0


def _digest(job: Job, members: list[list[str | int]], split: str) -> str:
    content = blake2b(digest_size=16)
    content.update(json.dumps([asdict(job.provenance), job.keys, split]).encode())
    for member in members:
        content.update(json.dumps(member).encode())
    return content.hexdigest()

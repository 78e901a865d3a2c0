"""Divide the clips of an encoding into blocks that can be encoded anywhere, at any time and in any order."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

import cochlea
from spikedata import __version__
from spikedata.acoustics import Scene
from spikedata.checks import Seed, checked
from spikedata.corpora import Clip
from spikedata.encoding.surroundings import Pool, scene_text
from spikedata.files.schema import Provenance

PRESETS = {
    "default": cochlea.CochleaParams,
    "published": cochlea.CochleaParams.published,
    "human": cochlea.CochleaParams.human,
}
OWN = "own"  # the preset stored in files whose params are those of no preset

_MEAN_CLIPS, _MOST_CLIPS = 32, 128  # clips in a block: on average, and at most
_MOST_BYTES = 2**25  # audio files of a block, so that long recordings need no more memory than short ones


@dataclass(frozen=True, kw_only=True)
class Job:
    """What determines the spikes of a clip, apart from its audio and its name.

    Parameters
    ----------
    corpus : str
        Name of the corpus [1].
    keys : tuple of str
        Class names [1].
    preset : {"default", "published", "human", "own"}
        Params of the cochlea [1].
    seed : int
        Seed of the data set [1].
    own : CochleaParams, optional
        The params of the preset "own" [1].
    scene : Scene, optional
        How sounds are changed before they are encoded [1].
    pool : Pool, optional
        The recordings of which the noise of the scene is made [1].

    Raises
    ------
    ValueError
        If the preset is unknown, or the seed is not a whole number or out of range.
    """

    corpus: str
    keys: tuple[str, ...]
    preset: str
    seed: int
    own: cochlea.CochleaParams | None = None
    scene: Scene | None = None
    pool: Pool | None = None

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
        """Data type of the stored times: float16 for the preset "published", as in the published files."""
        return "float16" if self.preset == "published" else "float32"

    @property
    def provenance(self) -> Provenance:
        """The provenance that a file stores."""
        described = json.dumps({"preset": self.preset, **asdict(self.params)}, sort_keys=True)
        made = Provenance(package_version=__version__, params=described, seed=self.seed, corpus=self.corpus)
        return made if self.scene is None else replace(made, scene=scene_text(self.scene, self.pool))


class Member(NamedTuple):
    """A clip, its part of the split (or ""), and size [byte] and time of last change [ns] of its file."""

    clip: Clip
    part: str
    size: int
    modified: int


class Block(NamedTuple):
    """Consecutive clips that are encoded and stored together.

    Parameters
    ----------
    members : tuple of Member
        The clips.
    name : str
        A digest of everything that determines its content, so that blocks with the same name are equal.
    """

    members: tuple[Member, ...]
    name: str


def find_members(clips: Sequence[Clip], parts: Sequence[str]) -> list[Member]:
    """The clips with the sizes of their files. A missing file gets the size -1 here and fails when it is read.

    Parameters
    ----------
    clips : sequence of Clip
        The clips.
    parts : sequence of str
        Part of the split of each clip, or "".
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
    """Digest of everything that determines the files of an encoding; it does not depend on where the corpus is.

    Parameters
    ----------
    job : Job
        What determines the spikes.
    members : sequence of Member
        All clips, including those of other shards.
    split : str
        Name of the split.
    """
    return _digest(job, [[m.clip.name, m.clip.label, m.clip.speaker, m.part, m.size] for m in members], split)


def cut_blocks(job: Job, members: Sequence[Member]) -> Iterator[Block]:
    """The clips, divided into blocks.

    A clip's own name decides whether it is the last of its block. If a recording is added, removed or changed, only its
    own block is renamed and encoded again; if noise is made of it, all are.

    Parameters
    ----------
    job : Job
        What determines the spikes.
    members : sequence of Member
        The clips.
    """
    first, n_bytes = 0, 0
    noise: list[list[str | int]] = [] if job.pool is None else [[job.pool.state]]
    for index, member in enumerate(members, start=1):
        n_bytes += member.size
        is_last = zlib.crc32(member.clip.name.encode()) % _MEAN_CLIPS == 0 or index == len(members)
        if is_last or index - first == _MOST_CLIPS or n_bytes >= _MOST_BYTES:
            block = tuple(members[first:index])
            described: list[list[str | int]] = [[*m.clip[1:4], m.part, m.size, m.modified] for m in block]
            yield Block(block, _digest(job, [*noise, *described], ""))
            first, n_bytes = index, 0


def _digest(job: Job, members: list[list[str | int]], split: str) -> str:
    content = blake2b(digest_size=16)
    made = asdict(job.provenance)
    if not made["scene"]:  # as before there were any, so that files of then are still known
        del made["scene"]
    content.update(json.dumps([made, job.keys, split]).encode())
    for member in members:
        content.update(json.dumps(member).encode())
    return content.hexdigest()

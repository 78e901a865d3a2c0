"""Encode blocks of clips into spike files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import NamedTuple

from spikedata.acoustics import Drawn
from spikedata.corpora.audio import AudioError
from spikedata.encoding.blocks import Block, Job, Member
from spikedata.encoding.clips import EncodedClip, encode_each
from spikedata.events import Sample
from spikedata.files.writer import SpikeWriter


class BlockTask(NamedTuple):
    """The task of a worker on another machine, which finds the audio at the same path.

    Parameters
    ----------
    job : Job
        What determines the spikes.
    block : Block
        The clips.
    may_skip : bool
        Whether unusable recordings are left out.
    """

    job: Job
    block: Block
    may_skip: bool


class EncodedBlock(NamedTuple):
    """The result of a `BlockTask`.

    Parameters
    ----------
    content : bytes
        The block as a spike file.
    sound_duration : float
        Total length of its clips [s].
    cpu_time : float
        CPU time of the worker [s].
    """

    content: bytes
    sound_duration: float
    cpu_time: float


def encode_blocks(
    blocks: Iterable[Block],
    job: Job,
    place_of: Callable[[Block], Path],
    *,
    workers: int | None = None,
    may_skip: bool = False,
    on_clip: Callable[[float], None] | None = None,
) -> None:
    """Encode blocks one after the other and write each when it is complete.

    The clips of all blocks form one stream, so that threads do not idle at the end of a block.

    Parameters
    ----------
    blocks : iterable of Block
        The clips.
    job : Job
        What determines the spikes.
    place_of : callable
        Returns the path of a block.
    workers : int, optional
        Threads [1]; default: one per processor.
    may_skip : bool
        Whether unusable recordings are left out and listed in the file of the block.
    on_clip : callable, optional
        Called after each clip with its length [s], 0 for a clip that was left out.

    Raises
    ------
    AudioError, FileNotFoundError
        If a recording is unusable; the blocks before it are written.
    NoiseError
        If no noise can be made for the scene.
    OutputError
        If a block cannot be written.
    """
    listed = list(blocks)
    members = ((number, member) for number, block in enumerate(listed) for member in block.members)
    clips = (((number, member), member.clip) for number, member in members)
    making = _BlocksInTheMaking(listed, job, place_of, on_clip or (lambda _: None))
    with closing(encode_each(clips, job, workers=workers, to_first_fault=not may_skip)) as stream:
        for encoded in stream:
            if encoded.error is not None and not may_skip:
                raise encoded.error
            making.take(encoded)


def encode_elsewhere(task: BlockTask) -> EncodedBlock:
    """Encode one block on one thread and return the file as bytes; runs on a worker of a cluster.

    Parameters
    ----------
    task : BlockTask
        The block, and how to encode it.

    Raises
    ------
    AudioError, FileNotFoundError, NoiseError, OutputError
        As in `encode_blocks`.
    """
    started, durations = process_time(), [0.0]
    with TemporaryDirectory(prefix="spikedata-") as room:
        path = Path(room) / "block.h5"
        try:
            encode_blocks(
                [task.block], task.job, lambda _: path, workers=1, may_skip=task.may_skip, on_clip=durations.append
            )
        except AudioError as error:
            raise AudioError(str(error)) from None  # its cause may be one that cannot be sent
        return EncodedBlock(path.read_bytes(), sum(durations), process_time() - started)


class _BlocksInTheMaking:
    """Collects the clips of a block and writes the block when it has all of them."""

    def __init__(
        self, blocks: list[Block], job: Job, place_of: Callable[[Block], Path], on_clip: Callable[[float], None]
    ) -> None:
        self._blocks, self._job, self._place_of, self._on_clip = blocks, job, place_of, on_clip
        self._samples: list[tuple[Sample, str, Drawn]] = []
        self._faults: list[str] = []
        self._remarks: list[str] = []

    def take(self, encoded: EncodedClip[tuple[int, Member]]) -> None:
        """Take the next clip, or record the reason why it was left out."""
        (number, member), spikes = encoded.token, encoded.spikes
        clip = member.clip
        if spikes is None:
            self._faults.append(encoded.fault)
        else:
            times, units = spikes.times.astype(self._job.times_dtype), spikes.units
            sample = Sample(
                times, units, clip.label, clip.speaker, clip.name, encoded.sample_rate, duration=encoded.duration
            )
            self._samples.append((sample, member.part, encoded.drawn))
            self._remarks += [encoded.remark] if encoded.remark else []
        if len(self._samples) + len(self._faults) == len(self._blocks[number].members):
            self._write(self._blocks[number])
        self._on_clip(encoded.duration)

    def _write(self, block: Block) -> None:
        job = self._job
        with SpikeWriter(
            self._place_of(block),
            keys=job.keys,
            mode="w",
            times_dtype=job.times_dtype,
            n_units=job.params.n_units,
            provenance=job.provenance,
        ) as writer:
            for sample, part, drawn in self._samples:
                writer.append(**sample._asdict() | drawn._asdict(), part=part)
            for fault in self._faults:
                writer.note_skipped(fault)
            for remark in self._remarks:
                writer.note_remark(remark)
        self._samples, self._faults, self._remarks = [], [], []

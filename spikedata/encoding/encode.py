"""Encode recordings into spike files: in parallel, resumable, and with the same bytes on any number of workers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Literal, NamedTuple

from cochlea import CochleaParams
from spikedata.acoustics import Scene
from spikedata.checks import checked, whole_number
from spikedata.corpora import Listing, list_source
from spikedata.corpora.audio import AudioError
from spikedata.corpora.source import Source
from spikedata.disk import OutputError, write_atomically
from spikedata.encoding.assemble import Total, assemble, none_usable
from spikedata.encoding.blocks import PRESETS, Block, cut_blocks
from spikedata.encoding.cluster import map_on_cluster
from spikedata.encoding.folder import BlockFolder, blocks_folder
from spikedata.encoding.plan import Plan, check_outputs, find_made, making_parents, plan_encoding
from spikedata.encoding.work import BlockTask, encode_blocks, encode_elsewhere
from spikedata.files.reader import SpikeFile
from spikedata.splits import Split, make_split

__all__ = ["PRESETS", "Encoding", "encode", "encode_clips"]


class Encoding(NamedTuple):
    """The result of an encoding.

    Parameters
    ----------
    outputs : tuple of str
        The files.
    n_clips, n_spikes : int
        Number of clips and of spikes in them [1].
    n_kept : int
        Clips that an earlier, interrupted call had encoded [clips].
    sound_duration : float
        Total length of the clips that this call encoded [s].
    wall_time, cpu_time : float
        Wall time of this call, and CPU time of this process and of the cluster's workers [s].
    skipped : tuple of str
        For each clip that was left out, the reason.
    corpus : str
        Name of the corpus.
    unfit : tuple of str
        Audio files in the folder of the corpus that do not belong to it or cannot be used, and faulty lines of a table.
    remarks : tuple of str
        For each clip whose offset is larger than its sound, if the params keep the offset, a line that says so.
    reasons : dict of str to str
        Why they are not used, by name; names without a reason do not belong to the corpus.
    notes : tuple of str
        What was assumed about the recordings, and classes that are left without a clip: a line each.
    """

    outputs: tuple[str, ...]
    n_clips: int
    n_spikes: int
    n_kept: int
    sound_duration: float
    wall_time: float
    cpu_time: float
    skipped: tuple[str, ...]
    corpus: str
    unfit: tuple[str, ...]
    remarks: tuple[str, ...]
    reasons: Mapping[str, str]
    notes: tuple[str, ...]


def encode(
    source: Source | Listing,
    out: str | os.PathLike[str],
    *,
    corpus: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | Split | None = None,
    preset: str = "default",
    params: CochleaParams | None = None,
    scene: Scene | None = None,
    seed: int = 0,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    cluster: str | None = None,
    on_error: Literal["fail", "skip"] = "fail",
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Encoding:
    """Encode recordings into a spike file, as the command ``spikedata encode`` does.

    Parameters
    ----------
    source : path-like, sequence of path-like, or Listing
        A folder with one folder of recordings for each class, or a flat one; one or several files; a table with the
        columns path and label, and optionally speaker and part; the folder of the corpus named by `corpus`; or a
        listing made by `spikedata.corpora.list_clips`.
    out : str or path-like
        The spike file, a name with ``.h5``; with `split`, the folder for the files of the parts. Missing folders above
        it are created.
    corpus : str, optional
        One of `spikedata.corpora.CORPORA`. Default: as in `spikedata.corpora.list_source`.
    columns : dict of str to str, optional
        For a table with other columns: those that hold path, label, speaker and split.
    split : str or Split, optional
        The name of a split, made by `spikedata.splits.make_split` with the same seed; or a split of the clips.
    preset, params, scene, seed, workers, shard, cluster, on_error, overwrite, on_progress
        As in `encode_clips`; with "skip", missing recordings and faulty lines of a table are left out, too.

    Returns
    -------
    Encoding

    Raises
    ------
    AudioError, FileNotFoundError, OutputError, ClusterError, NoiseError, ValueError, TypeError
        As in `spikedata.corpora.list_source`, `spikedata.splits.make_split` and `encode_clips`.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "recordings/beep").mkdir(parents=True)
    ...     beep = numpy.sin(2 * numpy.pi * 1000 * numpy.arange(1600) / 16000)
    ...     soundfile.write(f"{folder}/recordings/beep/1.wav", beep, 16000)
    ...     done = encode(f"{folder}/recordings", f"{folder}/spikes/words.h5", preset="published")
    >>> done.n_clips, done.corpus
    (1, 'folder')
    """
    _check(workers, shard, on_error)
    listing = _list(source, corpus, columns, on_error)
    return encode_clips(
        listing,
        out,
        split=make_split(listing, split, seed=seed) if isinstance(split, str) else split,
        preset=preset,
        params=params,
        scene=scene,
        seed=seed,
        workers=workers,
        shard=shard,
        cluster=cluster,
        on_error=on_error,
        overwrite=overwrite,
        on_progress=on_progress,
    )


def encode_clips(
    listing: Listing,
    out: str | os.PathLike[str],
    *,
    preset: str = "default",
    params: CochleaParams | None = None,
    scene: Scene | None = None,
    seed: int = 0,
    workers: int | None = None,
    split: Split | None = None,
    shard: tuple[int, int] | None = None,
    cluster: str | None = None,
    on_error: Literal["fail", "skip"] = "fail",
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Encoding:
    """Encode the clips of a listing into spike files, which appear only when they are complete.

    The random numbers of a clip are keyed by its name within the corpus, so its spikes depend only on its audio, its
    name, the params and the seed. The preset "published" stores times in float16, as the published files do; otherwise
    they are float32.

    Finished blocks of clips are kept in a folder beside the output, with the suffix ``.parts``. An encoding that was
    interrupted in any way is resumed when it is called again. The resulting files do not depend on interruptions,
    workers, shards or a cluster. A file that the same encoding made before is left as it is.

    Parameters
    ----------
    listing : Listing
        The clips, from `spikedata.corpora.list_clips`.
    out : str or path-like
        The spike file; with `split`, the folder for the files of the parts. Missing folders above it are created.
    preset : {"default", "published", "human"}
        Params of the cochlea.
    params : CochleaParams, optional
        Params to use instead of a preset. The files store them under the preset "own", with times in float32.
    scene : Scene, optional
        How sounds are changed before they are encoded: noise, level, speed, room. What is drawn for a clip depends on
        its name and the seed, and is stored with it (`SpikeFile.drawn`). Babble and speech-shaped noise of a clip are
        made of clips of its own part of the split. With a level, the preset "human" hears each sound at its own level.
    seed : int
        Seed of the data set.
    workers : int, optional
        Threads [1]; default: one per processor.
    split : Split, optional
        Which clips go into which file, by their numbers in the listing; clips in no part are left out.
    shard : (int, int), optional
        (3, 16) encodes only the third sixteenth of the clips, into a file beside `out`;
        `spikedata.encoding.merge.merge_shards` joins the shards.
    cluster : str, optional
        Address of a Dask scheduler, or its scheduler file, whose workers then encode the clips.
    on_error : {"fail", "skip"}
        Whether an unusable recording ends the encoding, or is left out and reported.
    overwrite : bool
        Whether existing files at the output paths may be replaced.
    on_progress : callable, optional
        Called with the number of finished clips and of all clips, first with those of an interrupted call.

    Returns
    -------
    Encoding

    Raises
    ------
    AudioError, FileNotFoundError
        If a recording is unusable and `on_error` is "fail", or if all recordings are unusable.
    OutputError
        If a file cannot be written, or another process is writing it.
    ClusterError
        If the cluster cannot be reached or fails.
    NoiseError
        If no noise can be made for the scene: a folder without recordings, noise that is silent or too short.
    ValueError, TypeError
        If an argument is invalid: an unknown preset, a shard out of range, a split of other clips, a level that the
        params do not hear, …
    """
    started, cpu_started = perf_counter(), process_time()
    _check(workers, shard, on_error)
    plan = plan_encoding(
        listing, Path(out), preset=preset, params=params, seed=seed, split=split, shard=shard, scene=scene
    )
    with making_parents(plan.whole):
        totals = find_made(plan.outputs, plan.provenance)
        outputs = {part: path for part, path in plan.outputs.items() if part not in totals}
        check_outputs(outputs.values(), plan.whole, overwrite=overwrite)
        progress = _Progress(len(plan.members), on_progress or (lambda *_: None))
        if outputs:
            with BlockFolder(plan.whole) as folder:
                blocks = list(cut_blocks(plan.job, plan.members))
                missing = folder.missing(blocks, may_skip=on_error == "skip")
                progress.begin(sum(len(block.members) for block in missing))
                if cluster is None:
                    encode_blocks(
                        missing,
                        plan.job,
                        folder.place_of,
                        workers=workers,
                        may_skip=on_error == "skip",
                        on_clip=progress.add_clip,
                    )
                else:
                    _encode_on_cluster(missing, plan, folder, cluster, on_error == "skip", progress)
                pieces = [folder.place_of(block) for block in blocks]
                totals |= _put_together(plan, outputs, pieces, folder.path, overwrite)
                folder.remove()
        else:
            _tidy(plan)
    skipped = next(iter(totals.values())).skipped
    return Encoding(
        outputs=tuple(map(str, plan.outputs.values())),
        n_clips=sum(total.n_clips for total in totals.values()),
        n_spikes=sum(total.n_spikes for total in totals.values()),
        n_kept=progress.n_kept,
        sound_duration=progress.duration,
        wall_time=perf_counter() - started,
        cpu_time=process_time() - cpu_started + progress.cpu_time,
        skipped=skipped,
        corpus=listing.corpus,
        unfit=listing.unfit,
        remarks=next(iter(totals.values())).remarks,
        reasons=listing.reasons,
        notes=(*listing.notes, *plan.notes, *_notes_on_lost_classes(plan, skipped)),
    )


def _list(
    source: Source | Listing, corpus: str | None, columns: Mapping[str, str] | None, on_error: Literal["fail", "skip"]
) -> Listing:
    """The clips of a source in any of its forms."""
    if not isinstance(source, Listing):
        return list_source(source, corpus, missing=on_error, columns=columns)
    if corpus not in (None, source.corpus):
        raise ValueError(f"corpus must be {source.corpus!r}, as in the listing, or omitted, got {corpus!r}")
    if columns is not None:
        raise ValueError(f"columns are those of a table, got a listing of {source.corpus}")
    return source


def _notes_on_lost_classes(plan: Plan, skipped: Sequence[str]) -> Iterator[str]:
    """The classes none of whose recordings could be used."""
    if not skipped:
        return
    label_of = {member.clip.name: member.clip.label for member in plan.members}
    n_clips = Counter(label_of.values())
    lost: dict[int, list[str]] = {}
    for reason in skipped:
        colons = (index for index, letter in enumerate(reason) if letter == ":")  # a name may have one, too
        name = next((reason[:colon] for colon in colons if reason[:colon] in label_of), None)
        if name is not None:
            lost.setdefault(label_of[name], []).append(reason)
    for label, reasons in sorted(lost.items()):
        if len(reasons) == n_clips[label]:
            of_them = "its recording was" if len(reasons) == 1 else f"all of its {len(reasons):,} recordings were"
            yield f"class {plan.job.keys[label]!r} has no clip: {of_them} skipped, first {reasons[0]}"


def _check(workers: int | None, shard: tuple[int, int] | None, on_error: str) -> None:
    if workers is not None:
        whole_number("workers", workers, at_least=1)
    if on_error not in ("fail", "skip"):
        raise ValueError(f"on_error must be 'fail' or 'skip', got {on_error!r}")
    if shard is not None:
        checked("shard, such as (3, 16),", shard, tuple[int, int])


class _Progress:
    """Counts clips and the duration of their sound, and reports the counts."""

    def __init__(self, n_clips: int, report: Callable[[int, int], None]) -> None:
        self._n_clips, self._report = n_clips, report
        self._n_done = self.n_kept = n_clips
        self.duration = self.cpu_time = 0.0

    def begin(self, n_missing: int) -> None:
        """Report the clips that an interrupted call had finished, all but `n_missing`."""
        self._n_done = self.n_kept = self._n_clips - n_missing
        self._report(self._n_done, self._n_clips)

    def add_clip(self, duration: float) -> None:
        """Count one finished clip."""
        self.add(1, duration)

    def add(self, n_clips: int, duration: float, cpu_time: float = 0.0) -> None:
        """Count finished clips; `cpu_time` [s] is that of other processes."""
        self._n_done += n_clips
        self.duration += duration
        self.cpu_time += cpu_time
        self._report(self._n_done, self._n_clips)


def _encode_on_cluster(
    missing: list[Block], plan: Plan, folder: BlockFolder, cluster: str, may_skip: bool, progress: _Progress
) -> None:
    tasks = (BlockTask(plan.job, block, may_skip) for block in missing)
    with closing(map_on_cluster(encode_elsewhere, tasks, address=cluster, describe=_describe)) as results:
        for number, encoded in results:
            write_atomically(folder.place_of(missing[number]), encoded.content, overwrite=True)
            progress.add(len(missing[number].members), encoded.sound_duration, encoded.cpu_time)


def _tidy(plan: Plan) -> None:
    """Remove the blocks left by a process that was killed after its files were in place."""
    if blocks_folder(plan.whole).is_dir():
        with suppress(OutputError), BlockFolder(plan.whole) as folder:  # removed at its end if empty
            for block in cut_blocks(plan.job, plan.members):
                folder.place_of(block).unlink(missing_ok=True)


def _describe(task: BlockTask) -> str:
    members = task.block.members
    return f"{len(members)} clips, {members[0].clip.name} to {members[-1].clip.name}"


def _require_clips(plan: Plan, pieces: list[Path]) -> None:
    """Raise if all recordings of the single file, or of a part of the split, were left out."""
    empty = {member.part for member in plan.members}
    faults: list[str] = []
    for piece in pieces:
        if not empty:
            return
        with SpikeFile(piece) as file:
            empty.difference_update(file.parts)
            faults += file.skipped
    for part in sorted(empty):
        names = tuple(f"{member.clip.name}: " for member in plan.members if member.part == part)
        first = next((line for line in faults if line.startswith(names)), faults[0])
        raise AudioError(f"{plan.outputs[part]}: {none_usable(len(names), first)}")


def _put_together(
    plan: Plan, outputs: dict[str, Path], pieces: list[Path], scratch: Path, overwrite: bool
) -> dict[str, Total]:
    """Make the outputs from their blocks; refuse if no recording of a file could be used."""
    if not plan.provenance.shard:
        _require_clips(plan, pieces)
    return assemble(
        pieces,
        outputs,
        keys=plan.job.keys,
        times_dtype=plan.job.times_dtype,
        n_units=plan.job.params.n_units,
        provenance=plan.provenance,
        scratch=scratch,
        overwrite=overwrite,
    )

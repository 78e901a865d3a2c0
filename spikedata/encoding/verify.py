"""Check whether a spike file is undamaged, and whether its recordings still give its spikes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import cochlea
from spikedata import __version__
from spikedata.acoustics import Drawn, Scene
from spikedata.corpora import CORPORA, Clip, Listing, list_clips
from spikedata.disk import file_digest
from spikedata.downloads.origin import published_sums
from spikedata.downloads.remade import Remade, are_remade, remade_clips, remade_of
from spikedata.encoding.blocks import OWN, PRESETS, Job
from spikedata.encoding.clips import encode_each
from spikedata.encoding.ear import params_of
from spikedata.encoding.surroundings import Pool, make_pool, pool_of_folder, scene_from
from spikedata.events import Sample
from spikedata.files.columns import CHECKSUM
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance, task_of
from spikedata.splits import SPLITS, make_split

Report = Callable[[str, int, int], None]
_OF_THE_DIGITS = 48_000  # [Hz], the sample rate of the Heidelberg Digits


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The result for a file without faults.

    Parameters
    ----------
    path : Path
        The file [1].
    n_clips, n_spikes : int
        Number of clips and of spikes in it [1].
    has_checksums : bool
        Whether this package wrote the file, so that every clip and the metadata have checksums, all of which match [1].
    md5, sha256 : str
        MD5 and SHA-256 of the whole file in hexadecimal digits [1].
    published : str or None
        Name of the published file to which it is identical, byte by byte [1].
    remade : Remade or None
        The file that this package makes of the recordings of a published one, if it has the same spikes [1].
    n_remade : int
        Number of clips that are among those of the remade files of the same preset; 0 where none are known [1].
    n_compared : int
        Clips whose recordings were encoded again and gave the same spikes [1].
    notes : tuple of str
        Further notes for the user [1].
    """

    path: Path
    n_clips: int
    n_spikes: int
    has_checksums: bool
    md5: str
    sha256: str
    published: str | None
    remade: Remade | None
    n_remade: int
    n_compared: int
    notes: tuple[str, ...]


def verify_file(
    path: str | os.PathLike[str],
    *,
    audio: str | os.PathLike[str] | None = None,
    columns: Mapping[str, str] | None = None,
    noise: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    on_progress: Report | None = None,
    time_unit: str | None = None,
    n_units: int | None = None,
) -> Verified:
    """Read a whole spike file and check everything that can be checked.

    In files written by this package, these are the structure, every checksum, and the digest of labels, names and
    provenance. Files by other writers have no checksums: their structure and the range of every value are checked, and
    their MD5 is compared with those of the published files.

    Parameters
    ----------
    path : str or path-like
        The file.
    audio : str or path-like, optional
        The recordings, as for `spikedata.corpora.list_clips`. Each is encoded again, and its class and spikes are
        compared with those in the file.
    columns : dict of str to str, optional
        The columns of the table `audio`, as they were given to `encode`.
    noise : str or path-like, optional
        The folder of the noise, if the file was made with one.
    workers : int, optional
        Threads for encoding [1]; default: one per processor.
    on_progress : callable, optional
        Called with "reading" or "encoding", the number of finished clips and of all clips.
    time_unit, n_units
        What a file by another writer does not say, as `SpikeFile` takes it.

    Returns
    -------
    Verified

    Raises
    ------
    FileNotFoundError
        If the file, or the folder of recordings, does not exist.
    FormatError
        If the file is damaged, or a recording is missing, cannot be read, or gives different spikes.
    ValueError
        If `audio` is given but the file cannot be compared: it has no provenance, or this version would encode
        differently.

    Examples
    --------
    >>> import tempfile
    >>> from spikedata.files.writer import SpikeWriter
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with SpikeWriter(f"{folder}/x.h5", keys=["zero"]) as writer:
    ...         writer.append([0.1, 0.2], [5, 699], label=0, speaker=3)
    ...     found = verify_file(f"{folder}/x.h5")
    >>> found.n_clips, found.n_spikes, found.has_checksums
    (1, 2, True)
    """
    report = on_progress or (lambda *_: None)
    with SpikeFile(path, time_unit=time_unit, n_units=n_units) as file:
        n_clips, n_spikes, is_ours = len(file), _read_all(file, report), file.is_ours
        notes = _notes_on_clips(file)
        remade = remade_of(file.spikes_digest) if is_ours else None
        n_remade = _count_remade(file)
        notes += _note_on_unlike(file, n_remade)
        if audio is not None:
            notes += _compare(file, _find_origin(file, Path(audio), columns, noise), workers, report)
        elif noise is not None:
            raise ValueError(f"{path}: the noise is of use with the recordings alone: give audio (--deep), too")
    md5 = file_digest(path, "md5")
    published = published_sums().get(md5)
    if not is_ours and published is None:
        notes += _notes_on_foreign(Path(path))
    return Verified(
        path=Path(path),
        n_clips=n_clips,
        n_spikes=n_spikes,
        has_checksums=is_ours,
        md5=md5,
        sha256=file_digest(path, "sha256"),
        published=published,
        remade=remade,
        n_remade=n_remade,
        n_compared=0 if audio is None else n_clips,
        notes=notes,
    )


def format_verified(verified: Verified) -> str:
    """The result as text.

    Parameters
    ----------
    verified : Verified
        From `verify_file`.
    """
    v = verified
    if v.published is not None:
        state = f"the published {v.published}.h5, byte by byte"
    else:
        state = "all checksums match" if v.has_checksums else "the structure is intact; there are no checksums"
    lines = [f"{v.path}: {v.n_clips:,} clips, {v.n_spikes:,} spikes: {state}"]
    if v.remade is not None:
        like = (
            "byte by byte"
            if v.sha256 == v.remade.sha256
            else f"in a file that version {v.remade.version} did not write"
        )
        lines.append(f"  these are the spikes of the remade {v.remade.name}.h5, preset {v.remade.preset}, {like}")
    elif v.n_remade == v.n_clips > 0:
        lines.append("  all clips are among those of the remade Heidelberg Digits of this preset")
    lines += [f"  MD5      {v.md5}", f"  SHA-256  {v.sha256}"]
    if v.n_compared:
        lines.append(f"  {v.n_compared:,} recordings were encoded again and gave the same spikes")
    return "\n".join([*lines, *(f"  note  {note}" for note in v.notes)])


def _read_all(file: SpikeFile, report: Report) -> int:
    """Number of spikes in a file; reading a row checks it."""
    n_spikes = 0
    report("reading", 0, len(file))
    for first, events in file.iter_events():
        n_spikes += events.times.size
        report("reading", first + len(events), len(file))
    return n_spikes


def _notes_on_clips(file: SpikeFile) -> tuple[str, ...]:
    lists = (("recordings left out", file.skipped), ("remarks on clips", file.remarks))
    return tuple(f"{what} when the file was made: {len(lines)}, first {lines[0]}" for what, lines in lists if lines)


def _compare(file: SpikeFile, origin: _Origin, workers: int | None, report: Report) -> tuple[str, ...]:
    """Compare a file with its recordings, encoded again; returns notes on the comparison."""
    n_clips = len(file)
    report("encoding", 0, n_clips)
    _compare_with_recordings(file, origin, workers=workers, on_clip=lambda n_done: report("encoding", n_done, n_clips))
    return _describe_origin(file, origin)


class _Origin(NamedTuple):
    """The recordings of a file and how they were encoded.

    Parameters
    ----------
    listing : Listing
        The recordings.
    job : Job
        What determines the spikes.
    made : Provenance
        The provenance of the file.
    """

    listing: Listing
    job: Job
    made: Provenance


def _find_origin(
    file: SpikeFile, audio: Path, columns: Mapping[str, str] | None, noise: str | os.PathLike[str] | None
) -> _Origin:
    """The recordings of a file and how they were encoded.

    Raises
    ------
    FileNotFoundError
        If the folder or manifest does not exist.
    ValueError
        If the file has no provenance, this version would encode differently, or no recording matches.
    """
    made = file.provenance
    if made is None:
        raise ValueError(f"{file.path}: has no provenance, so it cannot be compared with recordings")
    if task_of(made):
        raise ValueError(f"{file.path}: has the task {task_of(made)}, which was not encoded from recordings")
    preset = _preset_of(made)
    if preset not in (*PRESETS, OWN):
        raise ValueError(f"{file.path}: was not made with a known preset ({', '.join(PRESETS)})")
    params = _params_of(made, file)
    if made.corpus not in CORPORA:
        raise ValueError(f"{file.path}: was made from {made.corpus!r}, which is none of {', '.join(CORPORA)}")
    job = Job(corpus=made.corpus, keys=file.keys, preset=preset, seed=made.seed, own=params if preset == OWN else None)
    if job.params != params or job.times_dtype != file.times_dtype.name:
        versions = f"the file was made by version {made.package_version}, this is {__version__}"
        raise ValueError(f"{file.path}: its preset {preset!r} differs from that of this version: {versions}")
    listing = list_clips(made.corpus, audio, missing="skip", columns=columns)
    return _Origin(listing, _in_scene(job, made, file, listing, noise), made)


def _in_scene(
    job: Job, made: Provenance, file: SpikeFile, listing: Listing, noise: str | os.PathLike[str] | None
) -> Job:
    """The job with the scene of a file and the recordings of its noise, which must be those of then."""
    try:
        scene, wanted = scene_from(made.scene) if made.scene else (None, {})
    except ValueError as error:
        raise ValueError(f"{file.path}: {error}") from None
    if scene is None or scene.noise_folder is None:
        if noise is not None:
            raise ValueError(f"{file.path}: was not made with noise of a folder, got {os.fspath(noise)}")
    elif noise is None:
        rule = f"was made with noise of the folder {scene.noise_folder!r}: say where it is"
        raise ValueError(f"{file.path}: {rule}, --noise FOLDER (noise=)")
    if scene is None or not wanted:
        return replace(job, scene=scene)
    for pool in _pools(scene, made, file, listing, noise):
        found = dict(pool.digests)
        if wanted == found or (made.part and wanted.get(made.part) == found.get(made.part)):
            return replace(job, scene=scene, pool=pool)
    where = os.fspath(noise) if noise is not None else "these recordings"
    raise ValueError(f"{file.path}: its noise was made of recordings that differ from {where}, or are not all there")


def _pools(
    scene: Scene, made: Provenance, file: SpikeFile, listing: Listing, noise: str | os.PathLike[str] | None
) -> Iterator[Pool]:
    """The recordings that the noise may have been made of, the likeliest first."""
    if noise is not None:
        yield pool_of_folder(os.fspath(noise))
    elif not made.split:
        yield make_pool(listing.clips)
    else:
        part_of = dict(zip(file.sources, file.parts, strict=True))
        members = [clip for clip in listing.clips if clip.name in part_of]
        yield make_pool(members, [part_of[clip.name] or made.part for clip in members])
        for name in SPLITS:  # recordings left out, or in other shards and parts, are not in the file, but in its noise
            with suppress(ValueError):  # one that needs more than its name, or that these recordings do not allow
                split = make_split(listing, name, seed=made.seed)
                if split.name == made.split:
                    numbered = [(number, part) for part, numbers in split.parts.items() for number in numbers.tolist()]
                    clips, parts = [listing.clips[number] for number, _ in numbered], [part for _, part in numbered]
                    yield make_pool(clips, parts)


def _preset_of(made: Provenance) -> str:
    params = json.loads(made.params)
    return str(params.get("preset", "")) if isinstance(params, dict) else ""


def _params_of(made: Provenance, file: SpikeFile) -> cochlea.CochleaParams:
    try:
        return params_of(made)
    except ValueError as error:
        raise ValueError(f"{file.path}: its params are not valid in this version: {error}") from None


def _compare_with_recordings(
    file: SpikeFile, origin: _Origin, *, workers: int | None, on_clip: Callable[[int], None]
) -> None:
    """Encode every recording of a file again and compare sample rate, class and spikes.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    origin : _Origin
        Its recordings and how they were encoded.
    workers : int, optional
        Threads [1]; default: one per processor.
    on_clip : callable
        Called with the number of finished clips.

    Raises
    ------
    FormatError
        If a recording is missing, cannot be used or gives different spikes; the others are still compared.
    """
    clips = {clip.name: clip for clip in origin.listing.clips}
    unread: dict[int, str] = {}
    differing: dict[int, str] = {}

    def find_recordings() -> Iterator[tuple[tuple[int, Sample, Clip], Clip]]:
        for index, sample in enumerate(file):
            clip = clips.get(sample.source)
            if clip is None:
                unread[index] = f"{sample.source}: no such recording"
            else:
                yield (index, sample, clip), clip

    with closing(encode_each(find_recordings(), origin.job, workers=workers)) as stream:
        for encoded in stream:
            (index, sample, clip), spikes = encoded.token, encoded.spikes
            if spikes is None:
                unread[index] = encoded.fault
            else:
                class_name = origin.listing.keys[clip.label]
                stored = spikes.times.astype(file.times_dtype).astype(np.float64)
                fault = _compare_facts(file.keys[sample.label], class_name, sample, encoded.sample_rate)
                fault = fault or _compare_durations(sample, encoded.duration)
                fault = fault or _compare_drawn(file, index, encoded.drawn)
                fault = fault or _compare_spikes(sample, stored, spikes.units)
                if fault:
                    differing[index] = f"{sample.source}: {fault}"
            on_clip(index + 1)
    faults = [
        f"{len(found)} of {len(file)} {what}, first {found[min(found)]}"
        for what, found in (("clips differ", differing), ("recordings are missing or cannot be used", unread))
        if found
    ]
    if faults:
        raise FormatError(f"{file.path}: does not match its recordings: {'; '.join(faults)}")


def _compare_facts(stored_class: str, class_name: str, sample: Sample, sample_rate: int) -> str:
    """How class or sample rate differ; empty if they agree."""
    if stored_class != class_name:
        return f"class {stored_class!r}, its recording is of class {class_name!r}"
    if sample.sample_rate != sample_rate:
        return f"{sample.sample_rate} Hz, its recording has {sample_rate} Hz"
    return ""


def _compare_durations(sample: Sample, duration: float) -> str:
    """How the length differs; empty if it agrees, or the file was made before files had one."""
    if sample.duration and sample.duration != duration:
        return f"{sample.duration} s long, its recording is {duration} s long"
    return ""


def _compare_drawn(file: SpikeFile, index: int, drawn: Drawn) -> str:
    """What differs of what was drawn for a clip; empty if nothing does."""
    for name, value in drawn._asdict().items():
        stored = float(file.drawn[name][index]) if name in file.drawn else getattr(Drawn(), name)
        if stored != value:
            return f"{name} {stored:g}, its recording is given {value:g}"
    return ""


def _compare_spikes(sample: Sample, times: np.ndarray, units: np.ndarray) -> str:
    """The first difference in the spikes; empty if they are equal."""
    if len(times) != len(sample.times):
        return f"{len(sample.times)} spikes, its recording gives {len(times)}"
    wrong = np.flatnonzero((times != sample.times) | (units != sample.units))
    if not wrong.size:
        return ""
    i = wrong[0]
    stored, given = f"{sample.times[i]:g} s, unit {sample.units[i]}", f"{times[i]:g} s, unit {units[i]}"
    return f"spike {i} at {stored}, its recording gives {given}"


def _describe_origin(file: SpikeFile, origin: _Origin) -> tuple[str, ...]:
    """Notes on differences that are not faults: another version of the package, recordings not in the file."""
    notes = []
    if origin.made.package_version != __version__:
        notes.append(f"made by version {origin.made.package_version}, compared by {__version__}")
    n_more = len(origin.listing.clips) - len(file) - len(file.skipped)
    if n_more > 0 and not origin.made.split and not origin.made.shard:
        notes.append(f"recordings of the corpus that are not in the file: {n_more}")
    return tuple(notes)


def _count_remade(file: SpikeFile) -> int:
    """Number of clips that are known of the remade files."""
    made = file.provenance
    if not file.is_ours or made is None or made.corpus != "heidelberg_digits":
        return 0
    return int(are_remade(file.columns.numbers(CHECKSUM), _preset_of(made)).sum())


def _note_on_unlike(file: SpikeFile, n_remade: int) -> tuple[str, ...]:
    """A note on clips that should have had known spikes."""
    made = file.provenance
    if made is None or made.seed or made.scene or made.corpus != "heidelberg_digits" or n_remade == len(file):
        return ()
    preset = _preset_of(made)
    if not remade_clips(preset).size or set(file.sample_rates) != {_OF_THE_DIGITS}:  # a copy at another rate
        return ()
    which = "its spikes are" if n_remade == 0 else f"{len(file) - n_remade:,} of its {len(file):,} clips are"
    return (f"{which} not those of the remade Heidelberg Digits, preset {preset}",)


def _notes_on_foreign(path: Path) -> tuple[str, ...]:
    names = {name: md5 for md5, name in published_sums().items()}
    unlike = f"its MD5 is not that of a published file with a known MD5 ({', '.join(names)})"
    if path.stem in names:
        unlike = f"it is not the published {path.stem}.h5, whose MD5 is {names[path.stem]}"
    return ("written by other software, without checksums: a changed spike or label cannot be detected", unlike)

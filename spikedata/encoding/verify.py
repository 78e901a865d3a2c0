"""Find out whether a spike file is whole, and whether its recordings still give its spikes."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

import cochlea
from spikedata import __version__
from spikedata.corpora import CORPORA, Listing, list_clips
from spikedata.corpora.audio import AudioError, read_sound
from spikedata.disk import file_digest
from spikedata.downloads.origin import published_sums
from spikedata.encoding.blocks import OWN, PRESETS, Job
from spikedata.events import Sample
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError, Provenance
from spikedata.named_params import read_tables, with_values


class Origin(NamedTuple):
    """What the spikes of a file should come from.

    Parameters
    ----------
    listing : Listing
        The recordings.
    job : Job
        How they were encoded.
    made : Provenance
        What the file says.
    """

    listing: Listing
    job: Job
    made: Provenance


def find_origin(file: SpikeFile, audio: Path) -> Origin:
    """What a file was made of and how, if this version can repeat it.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    audio : Path
        The recordings, as `spikedata.corpora.list_clips` takes them.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or manifest.
    ValueError
        If the file does not say how it was made, this version would make it in another way, or no recording fits.
    """
    made = file.provenance
    if made is None:
        raise ValueError(f"{file.path}: does not say how it was made, so it cannot be compared with recordings")
    preset = _preset_of(made)
    own = _own_params(made, file) if preset == OWN else None
    if preset not in PRESETS and own is None:
        raise ValueError(f"{file.path}: was made with params of its own, not with a preset ({', '.join(PRESETS)})")
    if made.corpus not in CORPORA:
        raise ValueError(f"{file.path}: was made from {made.corpus!r}, which is none of {', '.join(CORPORA)}")
    job = Job(corpus=made.corpus, keys=file.keys, preset=preset, seed=made.seed, own=own)
    if job.provenance.params != made.params or job.times_dtype != file.times_dtype.name:
        versions = f"version {made.package_version} made the file, this is {__version__}"
        raise ValueError(f"{file.path}: its preset {preset!r} is not that of this version: {versions}")
    return Origin(list_clips(made.corpus, audio, missing="skip"), job, made)


def describe_origin(file: SpikeFile, origin: Origin) -> tuple[str, ...]:
    """What else a user should know who compares a file with its recordings.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    origin : Origin
        What it comes from.
    """
    notes = []
    if origin.made.package_version != __version__:
        notes.append(f"made by version {origin.made.package_version}, compared by {__version__}")
    n_more = len(origin.listing.clips) - len(file) - len(file.skipped)
    if n_more > 0 and not origin.made.split and not origin.made.shard:
        notes.append(f"recordings of the corpus that are not in the file: {n_more}")
    return tuple(notes)


def compare_with_recordings(
    file: SpikeFile, origin: Origin, *, workers: int | None, on_clip: Callable[[int], None]
) -> None:
    """Encode every recording of a file again and compare sample rate, class and spikes.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    origin : Origin
        What it comes from.
    workers : int, optional
        Threads [1]; default: one per processor.
    on_clip : callable
        Called with the number of clips done.

    Raises
    ------
    FormatError
        If any recording is missing, cannot be read or gives something else; the others are compared all the same.
    """
    clips = {clip.name: clip for clip in origin.listing.clips}
    waiting: deque[tuple[int, Sample]] = deque()
    unread: dict[int, str] = {}
    differing: dict[int, str] = {}

    def read_recordings() -> Iterator[tuple[np.ndarray, int, str]]:
        for index, sample in enumerate(file):
            clip = clips.get(sample.source)
            if clip is None:
                unread[index] = f"{sample.source}: no such recording"
                continue
            try:
                waveform, sample_rate = read_sound(clip.path)
            except (AudioError, OSError) as error:
                unread[index] = str(error).replace(str(clip.path), clip.name, 1)
                continue
            fault = _compare_facts(file.keys[sample.label], origin.listing.keys[clip.label], sample, sample_rate)
            if fault:
                differing[index] = f"{sample.source}: {fault}"
                continue
            waiting.append((index, sample))
            yield waveform, sample_rate, sample.source

    job = origin.job
    for spikes in cochlea.encode_many(read_recordings(), job.params, seed=job.seed, workers=workers):
        index, sample = waiting.popleft()
        stored = spikes.times.astype(file.times_dtype).astype(np.float64)
        fault = _compare_spikes(sample, stored, spikes.units)
        if fault:
            differing[index] = f"{sample.source}: {fault}"
        on_clip(index + 1)
    faults = [
        f"{len(found)} of {len(file)} {what}, first {found[min(found)]}"
        for what, found in (("clips differ", differing), ("recordings are missing or cannot be read", unread))
        if found
    ]
    if faults:
        raise FormatError(f"{file.path}: not what its recordings give: {'; '.join(faults)}")


def _preset_of(made: Provenance) -> str:
    params = json.loads(made.params)
    return str(params.get("preset", "")) if isinstance(params, dict) else ""


def _own_params(made: Provenance, file: SpikeFile) -> cochlea.CochleaParams:
    content = json.loads(made.params)
    content.pop("preset")
    try:
        return with_values(cochlea.CochleaParams(), read_tables(content), what="the cochlea")
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file.path}: its params are not those of this version: {error}") from None


def _compare_facts(stored_class: str, class_name: str, sample: Sample, sample_rate: int) -> str:
    """What differs before any spike does, or nothing."""
    if stored_class != class_name:
        return f"class {stored_class!r}, its recording is of class {class_name!r}"
    if sample.sample_rate != sample_rate:
        return f"{sample.sample_rate} Hz, its recording has {sample_rate} Hz"
    return ""


def _compare_spikes(sample: Sample, times: np.ndarray, units: np.ndarray) -> str:
    """What differs, or nothing."""
    if len(times) != len(sample.times):
        return f"{len(sample.times)} spikes, its recording gives {len(times)}"
    wrong = np.flatnonzero((times != sample.times) | (units != sample.units))
    if not wrong.size:
        return ""
    i = wrong[0]
    stored, given = f"{sample.times[i]:g} s, unit {sample.units[i]}", f"{times[i]:g} s, unit {units[i]}"
    return f"spike {i} at {stored}, its recording gives {given}"


Report = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found of a file in which nothing is wrong.

    Parameters
    ----------
    path : Path
        The file [1].
    n_clips, n_spikes : int
        What is in it [1].
    has_checksums : bool
        Whether this package wrote it, so that every clip and all that the file says of itself have checksums, which
        fit [1].
    md5 : str
        Of the whole file, in hexadecimal digits [1].
    published : str or None
        Name of the published file that it is, byte by byte [1].
    n_compared : int
        Clips whose recordings were encoded again and gave the same spikes [1].
    notes : tuple of str
        What else a user should know [1].
    """

    path: Path
    n_clips: int
    n_spikes: int
    has_checksums: bool
    md5: str
    published: str | None
    n_compared: int
    notes: tuple[str, ...]


def verify_file(
    path: str | os.PathLike[str],
    *,
    audio: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    on_progress: Report | None = None,
) -> Verified:
    """Read all of a spike file and check whatever can be checked.

    Of files that this package wrote: the structure, every checksum, and the digest over labels, names and provenance.
    Files of other writers have no checksums: the structure and the range of every value are checked, and the MD5 is
    held against those of the published files.

    Parameters
    ----------
    path : str or path-like
        The file.
    audio : str or path-like, optional
        The recordings, as `spikedata.corpora.list_clips` takes them: each is then encoded again, and its class and
        spikes must be those of the file.
    workers : int, optional
        Threads for that [1]; default: one per processor.
    on_progress : callable, optional
        Called with "reading" or "encoding", the number of clips done, and of all.

    Returns
    -------
    Verified

    Raises
    ------
    FileNotFoundError
        If there is no such file, or no such folder of recordings.
    FormatError
        If the file is damaged, or a recording is missing, cannot be read, or gives other spikes.
    ValueError
        If `audio` is given and nothing can be compared: the file does not say how it was made, or this version would
        make it in another way.

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
    with SpikeFile(path) as file:
        n_clips, n_spikes, is_ours = len(file), _read_all(file, report), file.is_ours
        notes = _notes_on_skipped(file)
        if audio is not None:
            notes += _compare(file, Path(audio), workers, report)
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
        published=published,
        n_compared=0 if audio is None else n_clips,
        notes=notes,
    )


def format_verified(verified: Verified) -> str:
    """What was found, to read.

    Parameters
    ----------
    verified : Verified
        As `verify_file` gives it.
    """
    v = verified
    if v.published is not None:
        state = f"the published {v.published}.h5, byte by byte"
    else:
        state = "all checksums fit" if v.has_checksums else "the structure is whole; there are no checksums"
    lines = [f"{v.path}: {v.n_clips:,} clips, {v.n_spikes:,} spikes: {state}", f"  MD5   {v.md5}"]
    if v.n_compared:
        lines.append(f"  {v.n_compared:,} recordings were encoded again and gave the same spikes")
    return "\n".join([*lines, *(f"  note  {note}" for note in v.notes)])


def _read_all(file: SpikeFile, report: Report) -> int:
    """Number of spikes; reading a row checks it."""
    n_spikes = 0
    report("reading", 0, len(file))
    for first, events in file.iter_events():
        n_spikes += events.times.size
        report("reading", first + len(events), len(file))
    return n_spikes


def _notes_on_skipped(file: SpikeFile) -> tuple[str, ...]:
    if not file.skipped:
        return ()
    return (f"recordings left out when the file was made: {len(file.skipped)}, first {file.skipped[0]}",)


def _compare(file: SpikeFile, audio: Path, workers: int | None, report: Report) -> tuple[str, ...]:
    """Encode the recordings again; what is worth a note about that."""

    origin, n_clips = find_origin(file, audio), len(file)
    report("encoding", 0, n_clips)
    compare_with_recordings(file, origin, workers=workers, on_clip=lambda n_done: report("encoding", n_done, n_clips))
    return describe_origin(file, origin)


def _notes_on_foreign(path: Path) -> tuple[str, ...]:
    names = {name: md5 for md5, name in published_sums().items()}
    unlike = f"its MD5 is that of no published file whose MD5 is known ({', '.join(names)})"
    if path.stem in names:
        unlike = f"it is not the published {path.stem}.h5, whose MD5 is {names[path.stem]}"
    return ("written by others, without checksums: a changed spike or label cannot be told from a true one", unlike)

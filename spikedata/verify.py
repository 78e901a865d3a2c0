"""Find out whether a spike file is whole, and whether its recordings still give its spikes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spikedata.disk import file_digest
from spikedata.downloads.origin import published_sums
from spikedata.files.reader import SpikeFile

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
    from spikedata.encoding.comparison import compare_with_recordings, describe_origin, find_origin  # loads the cochlea

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

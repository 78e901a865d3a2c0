"""A clip, and a listing of clips: the form in which every corpus is listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from spikedata.printable import number_of

#: The English digits, zero to nine.
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LARGEST_SPEAKER = 2**16 - 1  # the largest number that a spike file can store
UNKNOWN_SPEAKER = -1  # as stored in a spike file


class Recording(NamedTuple):
    """Where the sound of a clip is, if it is not all of the file at the clip's name.

    Parameters
    ----------
    path : str
        The path within the corpus, as the disk spells it.
    first, end : int
        The first sample of the clip, and the one after its last; 0 for all of the recording [1].
    """

    path: str
    first: int = 0
    end: int = 0


class Clip(NamedTuple):
    """One recording of a corpus. It stores no path of its own, since a corpus may have millions of clips.

    Parameters
    ----------
    root : Path
        The folder to which the name is relative, shared by all clips of a corpus.
    name : str
        Clip id: the path within the corpus, with forward slashes and in Unicode's composed form (NFC). It is unique,
        and does not depend on where the corpus is stored.
    label : int
        Index of the class in the class names of the listing.
    speaker : int
        Number of the speaker; -1 if unknown.
    recording : Recording, optional
        Where its sound is, if it is not all of the file at its name.

    Examples
    --------
    >>> Clip(Path("words"), "cat/1.wav", label=0, speaker=-1).path.as_posix()
    'words/cat/1.wav'
    """

    root: Path
    name: str
    label: int
    speaker: int
    recording: Recording | None = None

    @property
    def path(self) -> Path:
        """Path of the recording."""
        return self.root / (self.name if self.recording is None else self.recording.path)

    def cut(self, waveform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The samples of the clip, of those of its recording.

        Parameters
        ----------
        waveform : ndarray of float64, shape (n_samples,)
            The whole recording [1].
        """
        if self.recording is None or not self.recording.end:
            return waveform
        return waveform[self.recording.first : self.recording.end]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The clips of a corpus. `spikedata.splits.make_split` accepts a listing as it accepts a spike file.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    keys : tuple of str
        Class names.
    clips : tuple of Clip
        In the order of their names.
    unfit : tuple of str
        Names of audio files that do not belong to the corpus or cannot be used, and of linked folders, which are not
        followed (their names end in a slash).
    speaker_names : tuple of str
        Names of the speakers by number; empty if the corpus numbers its speakers itself, or they are unknown.
    parts : dict of str to tuple of str, optional
        Clip ids by part: the corpus's own division, not checked yet (`spikedata.splits.split_as_listed` checks it).
        None if the corpus has none.
    parts_from : str
        Origin of the division: the names of its lists.
    reasons : dict of str to str
        For names in `unfit`: why they are, where they do not merely belong to something else.
    notes : tuple of str
        What was assumed about the recordings, and what else a user should know of them: a line each.
    """

    corpus: str
    keys: tuple[str, ...]
    clips: tuple[Clip, ...]
    unfit: tuple[str, ...]
    speaker_names: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] | None = None
    parts_from: str = ""
    reasons: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each clip, shape (n_clips,)."""
        return np.fromiter((clip.label for clip in self.clips), np.int64, len(self.clips))

    @property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each clip, shape (n_clips,)."""
        return np.fromiter((clip.speaker for clip in self.clips), np.int64, len(self.clips))

    @property
    def sources(self) -> tuple[str, ...]:
        """Name of each clip."""
        return tuple(clip.name for clip in self.clips)


class HasUnfit(Protocol):
    """What `describe_unfit` needs of a `Listing`, or of an `Encoding` made from one."""

    @property
    def corpus(self) -> str:
        """Name of the corpus."""

    @property
    def unfit(self) -> tuple[str, ...]:
        """Names of audio files that do not belong to it."""

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why they do not, by name."""


def describe_unfit(listing: HasUnfit, n_shown: int | None = 3) -> str:
    """A line for each reason why audio files are not in the listing; empty if there are none.

    Parameters
    ----------
    listing : Listing, or Encoding of one
        The listing.
    n_shown : int, optional
        Largest number of names shown for each reason [1]; None shows all.

    Examples
    --------
    >>> describe_unfit(Listing(corpus="fsdd", keys=DIGITS, clips=(), unfit=("noise.wav", "tone.wav")), n_shown=1)
    "2 names do not fit fsdd and are left out: 'noise.wav' and 1 more"
    >>> print(describe_unfit(Listing(corpus="fsdd", keys=(), clips=(), unfit=("a.m4a",), reasons={"a.m4a": "…"})))
    1 recording is left out: 'a.m4a': …
    """
    names_for: dict[str, list[str]] = {}
    for name in listing.unfit:
        names_for.setdefault(listing.reasons.get(name, ""), []).append(name)
    lines = []
    for reason, names in names_for.items():
        n_unfit, verb = len(names), "is" if len(names) == 1 else "are"
        if reason:
            counted = number_of(n_unfit, "recording")
        else:
            counted = "1 name does not fit" if n_unfit == 1 else f"{n_unfit} names do not fit"
            counted += f" {listing.corpus} and"
        listed = shown(names, n_unfit if n_shown is None else n_shown)
        lines.append(f"{counted} {verb} left out: {listed}{reason and ': '}{reason}")
    return "\n".join(lines)


def shown(names: Sequence[str], n_shown: int = 3) -> str:
    """The first names, quoted, and the number of further ones.

    Parameters
    ----------
    names : sequence of str
        The names.
    n_shown : int
        Largest number of names shown [1].
    """
    more = f" and {len(names) - n_shown} more" if len(names) > n_shown else ""
    return ", ".join(map(repr, names[:n_shown])) + more


def spelled_as(name: str, places: Mapping[str, str]) -> Recording | None:
    """The recording of a name that the disk spells in another way; None if it spells it so.

    Parameters
    ----------
    name : str
        Clip id.
    places : dict of str to str
        Paths within the corpus by clip id, where they differ.
    """
    return Recording(places[name]) if name in places else None


def number_by_name(names: Iterable[str]) -> dict[str, int]:
    """Numbers of the distinct names, from 0 in sorted order.

    Parameters
    ----------
    names : iterable of str
        The names, with repetitions.
    """
    return {name: number for number, name in enumerate(sorted(set(names)))}


def require_storable_speakers(where: object, largest: int) -> None:
    """Raise unless a spike file can store the speaker numbers.

    Parameters
    ----------
    where : object
        The folder or file, for the message.
    largest : int
        The largest speaker number.

    Raises
    ------
    ValueError
        If the number is too large.
    """
    if largest > LARGEST_SPEAKER:
        raise ValueError(f"{where}: speaker numbers must be <= {LARGEST_SPEAKER}, got {largest}")

"""A clip and a listing of clips: what every corpus gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LARGEST_SPEAKER = 2**16 - 1  # what a spike file holds
UNKNOWN_SPEAKER = -1  # as a spike file says it


class Clip(NamedTuple):
    """One recording of a corpus. A corpus may have millions: no path of its own is kept.

    Parameters
    ----------
    root : Path
        The folder that the name is relative to; all clips of a corpus share it.
    name : str
        Its path within the corpus, with forward slashes: what tells it from all others, wherever the corpus lies.
    label : int
        Index of its class among the corpus's keys.
    speaker : int
        Number of its speaker; -1 where the corpus does not tell speakers apart.

    Examples
    --------
    >>> Clip(Path("words"), "cat/1.wav", label=0, speaker=-1).path.as_posix()
    'words/cat/1.wav'
    """

    root: Path
    name: str
    label: int
    speaker: int

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.root / self.name


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The clips of a corpus; `spikedata.splits.make_split` takes it as it takes a spike file.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    keys : tuple of str
        Class names.
    clips : tuple of Clip
        In the order of their names.
    unfit : tuple of str
        Names of audio files that lie there but do not belong to the corpus or cannot be used, and of linked folders,
        which are not entered (those end in a slash).
    speaker_names : tuple of str
        Name of each speaker by number; empty where the corpus numbers its speakers itself or does not tell them apart.
    parts : dict of str to tuple of str, optional
        Names by part: the division that the corpus brings, as it stands there, not checked yet (`split_as_listed`
        does). None where it brings none.
    parts_from : str
        Where that division stands.
    """

    corpus: str
    keys: tuple[str, ...]
    clips: tuple[Clip, ...]
    unfit: tuple[str, ...]
    speaker_names: tuple[str, ...] = ()
    parts: Mapping[str, tuple[str, ...]] | None = None
    parts_from: str = ""

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
    """What `describe_unfit` asks of a listing, and of what was made of one."""

    @property
    def corpus(self) -> str:
        """Name of the corpus."""

    @property
    def unfit(self) -> tuple[str, ...]:
        """Names that do not belong to it."""


def describe_unfit(listing: HasUnfit, n_shown: int = 3) -> str:
    """One line on what lies there but is not in the listing; empty where all of it is.

    Parameters
    ----------
    listing : Listing, or Encoding of one
        What was listed.
    n_shown : int
        How many names to show at most [1].

    Examples
    --------
    >>> describe_unfit(Listing(corpus="fsdd", keys=DIGITS, clips=(), unfit=("noise.wav", "tone.wav")), n_shown=1)
    "2 names do not fit fsdd and are left out: 'noise.wav' and 1 more"
    """
    n_unfit = len(listing.unfit)
    if not n_unfit:
        return ""
    counted = "1 name does not fit" if n_unfit == 1 else f"{n_unfit} names do not fit"
    verb = "is" if n_unfit == 1 else "are"
    return f"{counted} {listing.corpus} and {verb} left out: {shown(listing.unfit, n_shown)}"


def shown(names: Sequence[str], n_shown: int = 3) -> str:
    """The first names, quoted, and how many more there are.

    Parameters
    ----------
    names : sequence of str
        The names.
    n_shown : int
        How many to show at most [1].
    """
    more = f" and {len(names) - n_shown} more" if len(names) > n_shown else ""
    return ", ".join(map(repr, names[:n_shown])) + more


def number_by_name(names: Iterable[str]) -> dict[str, int]:
    """Number of each distinct name, in sorted order from 0.

    Parameters
    ----------
    names : iterable of str
        Names, each any number of times.
    """
    return {name: number for number, name in enumerate(sorted(set(names)))}


def require_storable_speakers(where: object, largest: int) -> None:
    """Raise unless a spike file can hold the numbers of the speakers.

    Parameters
    ----------
    where : object
        The folder or file, for the message.
    largest : int
        The largest number of a speaker.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if largest > LARGEST_SPEAKER:
        raise ValueError(f"{where}: speaker numbers must be <= {LARGEST_SPEAKER}, got {largest}")

"""The twelve-class task of Speech Commands: ten words, any other word, and silence.

Ten words are to be recognized among others, with a tenth as many recordings of other words and of silence in each part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.corpora.audio import AudioError, read_audio
from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, Recording
from spikedata.corpora.walk import find_audio
from spikedata.splits.published import which_set

SPEECH_COMMANDS_12 = "speech_commands_12"

# Words and shares: the defaults of train.py in tensorflow/examples/speech_commands. Names of the other classes: the
# folders of speech_commands_test_set_v0.02. Sorted, so that a file of that archive has the same classes.
_COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
_SILENCE, _UNKNOWN = "_silence_", "_unknown_"
TWELVE_CLASSES = tuple(sorted((_SILENCE, _UNKNOWN, *_COMMANDS)))
_PERCENTAGE = 10  # of unknown words and of silence, by the number of commands in a part [percent]

_NOISE = "_background_noise_"
_PIECE = 1.0  # [s]
_GRID = 64  # places in a second where a piece may begin
# The parts of each noise, as shares of its length like those of the speakers: no stretch of it is in two parts.
_STRETCHES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}


def to_twelve_classes(listing: Listing, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The twelve-class task of a listing of Speech Commands, always with parts. The background noise is read.

    Unknown words are the recordings of other words whose names have the smallest hashes. Silence is pieces of one
    second of the background noise, evenly over those that begin at whole seconds or, where these are too few, at
    fractions; pieces without sound are passed over. Parts are those of the corpus's lists, or of the speakers' hashes
    if it has none. The choice depends on the set of recordings and not on their order or folder.

    Parameters
    ----------
    listing : Listing
        All clips of Speech Commands.
    missing : {"fail", "skip"}
        Whether a noise that cannot be read is an error or is reported as unfit.

    Returns
    -------
    Listing
        Ids of words are those of the corpus; a piece of noise is called ``_silence_/pink_noise.wav/0012000``, with the
        number of its first sample.

    Raises
    ------
    ValueError
        If one of the ten words has no recordings, the lists name others, or the folder is that of the test set.
    AudioError
        If a noise cannot be read.

    References
    ----------
    Warden, arXiv 1804.03209 (2018), section 7.
    """
    root = listing.clips[0].root
    if {_SILENCE, _UNKNOWN} & set(listing.keys):
        raise ValueError(f"{root}: has the folder {_UNKNOWN!r}: the published test set is encoded as 'folder'")
    if absent := [word for word in _COMMANDS if word not in listing.keys]:
        raise ValueError(
            f"{root}: the twelve-class task needs recordings of {', '.join(_COMMANDS)}, got no {absent[0]!r}"
        )
    part_of = _parts_by_name(listing)
    noises, reasons = _read_noises(root, missing)
    chosen: list[Clip] = []
    parts: dict[str, tuple[str, ...]] = {}
    for part, stretch in _STRETCHES.items():
        clips = [clip for clip in listing.clips if part_of[clip.name] == part]
        commands = [clip for clip in clips if listing.keys[clip.label] in _COMMANDS]
        others = [clip for clip in clips if listing.keys[clip.label] not in _COMMANDS]
        n_more = ceil(len(commands) * _PERCENTAGE / 100)
        of_part = [
            *(clip._replace(label=TWELVE_CLASSES.index(listing.keys[clip.label])) for clip in commands),
            *(clip._replace(label=TWELVE_CLASSES.index(_UNKNOWN)) for clip in sorted(others, key=_hash_of)[:n_more]),
            *(_piece_of(root, noise, first) for noise, first in _choose_pieces(noises, stretch, n_more)),
        ]
        chosen += of_part
        parts[part] = tuple(sorted(clip.name for clip in of_part))
    chosen.sort(key=lambda clip: clip.name)
    return replace(
        listing,
        corpus=SPEECH_COMMANDS_12,
        keys=TWELVE_CLASSES,
        clips=tuple(chosen),
        unfit=tuple(sorted([*listing.unfit, *reasons])),
        reasons={**listing.reasons, **reasons},
        parts={part: names for part, names in parts.items() if names},
        parts_from=listing.parts_from or "hashes of the speakers",
        notes=(*listing.notes, *_notes(listing, chosen, noises)),
    )


class _Noise(NamedTuple):
    """A long recording of noise: name, path, number of samples, sample rate [Hz], and where a piece may begin."""

    name: str
    path: str
    n_samples: int
    sample_rate: int
    beginnings: npt.NDArray[np.int64]  # first samples of the pieces that have sound, on the finest grid
    places: npt.NDArray[np.int64]  # their places on the grid


def _parts_by_name(listing: Listing) -> dict[str, str]:
    if listing.parts is None:
        return {n: which_set(n, validation_percentage=10, testing_percentage=10) for n in listing.sources}
    part_of = {name: part for part, names in listing.parts.items() for name in names}
    if strangers := part_of.keys() - set(listing.sources):
        raise ValueError(
            f"{listing.parts_from}: names {len(strangers)} recordings that do not exist, first {min(strangers)!r}"
        )
    return part_of


def _read_noises(root: Path, missing: Literal["fail", "skip"]) -> tuple[list[_Noise], dict[str, str]]:
    if not (root / _NOISE).is_dir():
        return [], {}
    found = find_audio(root / _NOISE, may_skip=missing == "skip")
    noises, reasons = [], {f"{_NOISE}/{name}": reason for name, reason in found.unfit.items()}
    for name in found.names:
        path = root / _NOISE / found.places.get(name, name)
        try:
            waveform, sample_rate = read_audio(path)
        except (AudioError, OSError) as error:
            if missing == "fail":
                raise
            reasons[f"{_NOISE}/{name}"] = str(error).removeprefix(f"{path}: ")
            continue
        places = np.arange(max(0, int((waveform.size / sample_rate - _PIECE) * _GRID) + 1))
        firsts = places * sample_rate // _GRID
        changes = np.concatenate(([0], np.cumsum(waveform[1:] != waveform[:-1])))
        has_sound = changes[firsts + _length(sample_rate) - 1] > changes[firsts]
        noises.append(
            _Noise(name, found.places.get(name, name), waveform.size, sample_rate, firsts[has_sound], places[has_sound])
        )
    return noises, reasons


def _length(sample_rate: int) -> int:
    return int(_PIECE * sample_rate)


def _choose_pieces(noises: Sequence[_Noise], stretch: tuple[float, float], n_pieces: int) -> list[tuple[_Noise, int]]:
    """So many pieces that lie wholly in a stretch of the noises, evenly over it; all that there are if too few."""
    pieces: list[tuple[_Noise, int]] = []
    for step in (_GRID >> power for power in range(_GRID.bit_length())):  # whole seconds, halves, quarters, …
        pieces = [(noise, first) for noise in noises for first in _beginnings(noise, stretch, step)]
        if len(pieces) >= n_pieces:
            return [pieces[index * len(pieces) // n_pieces] for index in range(n_pieces)]
    return pieces


def _beginnings(noise: _Noise, stretch: tuple[float, float], step: int) -> Iterator[int]:
    low, high = (share * noise.n_samples for share in stretch)
    is_taken = (noise.beginnings >= low) & (noise.beginnings + _length(noise.sample_rate) <= high)
    # the grid begins with the stretch, so that it has as many whole seconds as fit
    first_place = int(noise.places[is_taken][0]) if is_taken.any() else 0
    yield from noise.beginnings[is_taken & ((noise.places - first_place) % step == 0)].tolist()


def _piece_of(root: Path, noise: _Noise, first: int) -> Clip:
    name, place = f"{_SILENCE}/{noise.name}/{first:07}", f"{_NOISE}/{noise.path}"
    piece = Recording(place, first, first + _length(noise.sample_rate))
    return Clip(root, name, TWELVE_CLASSES.index(_SILENCE), UNKNOWN_SPEAKER, piece)


def _hash_of(clip: Clip) -> str:
    return blake2b(clip.name.encode(), digest_size=8).hexdigest() + clip.name


def _notes(listing: Listing, chosen: Sequence[Clip], noises: Sequence[_Noise]) -> Iterator[str]:
    n_clips: Mapping[str, int] = {
        key: sum(clip.label == label for clip in chosen) for label, key in enumerate(TWELVE_CLASSES)
    }
    others = [word for word in listing.keys if word not in _COMMANDS]
    n_others = sum(listing.keys[clip.label] in others for clip in listing.clips)
    of_others = f"of {n_others:,} recordings of {len(others)} other words"
    yield f"{_UNKNOWN}: {n_clips[_UNKNOWN]:,} {of_others}, chosen by the hashes of their names"
    if noises:
        yield f"{_SILENCE}: {n_clips[_SILENCE]:,} pieces of 1 s of {len(noises)} files in {_NOISE}"
    else:
        yield f"{_SILENCE}: no clips, since there is no {_NOISE} beside the words"

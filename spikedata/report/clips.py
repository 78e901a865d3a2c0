"""The clips that a page plays: which ones, and their spikes and sound in few bytes.

Spikes are cells of a grid of time steps by units, sorted and written as the gaps between them, 7 bits to a
byte, in base64. A clip of 0.7 s with 8,000 spikes takes 14 kB. A step is a two-thousandth of the
clip, less than a pixel.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.acoustics.speed import change_speed
from spikedata.corpora import CORPORA, Clip, list_clips
from spikedata.corpora.audio import read_sound
from spikedata.corpora.source import list_source
from spikedata.encoding.hear import stored_frequencies
from spikedata.events import Sample
from spikedata.files.reader import SpikeFile
from spikedata.report.charts import round_step
from spikedata.report.page import shortened

N_STEPS = 2000  # of time in a clip
SOUND_RATE = 16_000  # [Hz] of the sound on a page, unless the recording has less
FREQUENCY_TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)  # [Hz]
_WHOLE = 2**15  # [1] of 16 bits


class Tick(NamedTuple):
    """A mark on the scale of channels.

    Attributes
    ----------
    unit : float
        Where it is: the number of the unit, between two if the frequency is.
    name : str
        What is written there.
    """

    unit: float
    name: str


def order_of_choice(
    labels: npt.NDArray[np.int64], speakers: npt.NDArray[np.int64], *, seed: int
) -> npt.NDArray[np.int64]:
    """The numbers of all clips in an order of which every beginning is balanced over classes and speakers.

    Each class gives a clip in turn, and the turns of a class go round the speakers, beginning with another one for each
    class; which clip of a speaker it is, and the order of classes and speakers, is drawn.

    Parameters
    ----------
    labels, speakers : ndarray of int64, shape (n_clips,)
        Class and speaker of each clip.
    seed : int
        Of what is drawn.

    Examples
    --------
    >>> order = order_of_choice(np.repeat([0, 1], 50), np.tile([0, 1], 50), seed=0)
    >>> np.repeat([0, 1], 50)[order[:4]].tolist(), sorted(np.tile([0, 1], 50)[order[:4]].tolist())
    ([0, 1, 0, 1], [0, 0, 1, 1])
    """
    if not len(labels):
        return np.empty(0, np.int64)
    rng = np.random.default_rng(seed)
    class_of = _drawn_ranks(labels, rng)
    speaker_of = _drawn_ranks(speakers, rng)
    lot = rng.permutation(len(labels))
    n_speakers = int(speaker_of.max()) + 1
    turn = _rank_within(class_of * n_speakers + speaker_of, lot)  # of a clip among those of its class and speaker
    place = (speaker_of - class_of) % n_speakers  # of its speaker in the round of its class
    in_class = _rank_within(class_of, turn * n_speakers + place)
    return np.lexsort((class_of, in_class))


def pack_sample(sample: Sample, *, at_least: float = 0.0) -> dict[str, Any]:
    """The spikes of a clip as the script of a page reads them.

    Parameters
    ----------
    sample : Sample
        The clip.
    at_least : float
        To where its scale of time reaches, even if the clip is shorter [s].

    Returns
    -------
    dict
        Its length and the end of its scale [s] as ``length`` and ``end``, the number of its spikes as ``count``, of
        steps as ``steps``, and ``spikes``.
    """
    end = max(float(sample.duration), float(np.max(sample.times, initial=at_least))) or 1.0
    steps = np.minimum((sample.times / end * N_STEPS).astype(np.int64), N_STEPS - 1)
    spikes = pack_cells(steps, sample.units.astype(np.int64), sample.n_units)
    length = float(sample.duration) or float(np.max(sample.times, initial=0.0))
    return {
        "end": round(end, 6),
        "length": round(length, 6),
        "count": len(sample.times),
        "steps": N_STEPS,
        "spikes": spikes,
    }


def pack_cells(steps: npt.NDArray[np.int64], units: npt.NDArray[np.int64], n_units: int) -> str:
    """Cells of a grid as gaps between their numbers, 7 bits to a byte, in base64.

    Parameters
    ----------
    steps, units : ndarray of int64, shape (n_spikes,)
        Step and unit of each spike, in any order.
    n_units : int
        Number of units: the number of a cell is ``step * n_units + unit``.

    Examples
    --------
    >>> base64.b64decode(pack_cells(np.array([0, 2]), np.array([5, 0]), 100)).hex()
    '05c301'
    """
    gaps = np.diff(np.sort(steps * n_units + units), prepend=0)
    n_bytes = np.ones(len(gaps), np.int64)
    for bits in (7, 14, 21, 28):
        n_bytes += gaps >= 1 << bits
    starts = np.cumsum(n_bytes) - n_bytes
    written = np.zeros(int(n_bytes.sum()), np.uint8)
    for place in range(5):
        has = n_bytes > place
        more = np.where(n_bytes[has] > place + 1, 128, 0)
        written[starts[has] + place] = (gaps[has] >> 7 * place & 127) | more
    return base64.b64encode(written.tobytes()).decode()


def recordings_of(
    file: SpikeFile, audio: str | os.PathLike[str], *, columns: Mapping[str, str] | None = None
) -> dict[str, Clip]:
    """The recordings in a folder by clip id, found as the file's own corpus is read.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    audio : str or path-like
        The recordings, as they were given to `encode`.
    columns : mapping, optional
        Columns of a table, as they were given to `encode`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there are no such recordings, or the file does not say which recording each clip is of.
    """
    if len(file) and not any(file.sources):
        raise ValueError(f"{file.path}: does not say of which recording each clip is, so leave out --audio")
    corpus = file.provenance.corpus if file.provenance is not None else None
    if corpus in CORPORA:
        listing = list_clips(str(corpus), Path(audio), missing="skip", columns=columns)
    else:
        listing = list_source(audio, missing="skip", columns=columns)
    return {clip.name: clip for clip in listing.clips}


def pack_sound(
    clip: Clip | None, sample: Sample, *, file: str, audio: str | os.PathLike[str], index: int, speed: float = 1.0
) -> str:
    """The sound of a clip at 16 kHz as FLAC in base64: all browsers play it, and it begins where the spikes do.

    MP3 takes a third of the bytes, but begins up to 70 ms late where a browser does not know its encoder's delay.

    Parameters
    ----------
    clip : Clip or None
        The recording; None if the folder has none of that id.
    sample : Sample
        Its spikes in the file.
    file, audio, index
        The spike file, the folder, and the number of the clip, for messages.
    speed : float
        Times the speed of the recording at which it was encoded [1]; it is heard so, or it would end before or after
        its spikes.

    Raises
    ------
    ValueError
        If it is not there, or is not the recording that was encoded.
    AudioError
        If it cannot be read.
    """
    import soundfile
    import soxr

    what = f"clip {index} of {file}"
    if clip is None:
        raise ValueError(f"{audio}: has no recording {sample.source!r}, {what}; give the folder that was encoded")
    waveform, sample_rate = read_sound(clip.path)
    waveform = change_speed(clip.cut(waveform), speed)
    duration = len(waveform) / sample_rate
    if (sample.duration and sample.duration != duration) or sample.sample_rate not in (0, sample_rate):
        was = f"{sample.duration:.3f} s at {sample.sample_rate} Hz"
        raise ValueError(
            f"{clip.path}: is not the recording of {what}: it has {duration:.3f} s at {sample_rate} Hz, that had {was}"
        )
    if sample_rate > SOUND_RATE:
        waveform = soxr.resample(waveform, sample_rate, SOUND_RATE)
        sample_rate = SOUND_RATE
    whole = np.max(np.abs(waveform), initial=1.0)  # only what would be clipped is made softer
    written = io.BytesIO()
    levels = np.round(waveform / whole * (_WHOLE - 1)).astype(np.int16)
    soundfile.write(written, levels, sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(written.getvalue()).decode()


def speed_of(file: SpikeFile, index: int) -> float:
    """Times the speed of its recording at which a clip was encoded [1].

    Parameters
    ----------
    file : SpikeFile
        The open file.
    index : int
        Number of the clip.
    """
    return float(file.drawn["speed"][index]) if "speed" in file.drawn else 1.0


def frequencies_of(file: SpikeFile) -> npt.NDArray[np.float64] | None:
    """The characteristic frequency [Hz] of each unit of a file; None where the file does not say it.

    Parameters
    ----------
    file : SpikeFile
        An open file.
    """
    found = stored_frequencies(file.provenance)
    return found if found is not None and len(found) == file.n_units else None  # not of channels that were merged


def ticks_of(n_units: int, frequencies: npt.NDArray[np.float64] | None) -> list[Tick]:
    """Marks for a scale of units: round frequencies, or numbers of units where those are not known.

    Parameters
    ----------
    n_units : int
        Number of units.
    frequencies : ndarray of float, shape (n_units,), or None
        Characteristic frequency of each unit [Hz], falling.

    Examples
    --------
    >>> [tick.name for tick in ticks_of(700, np.geomspace(1500, 90, 700))]
    ['100', '200', '500', '1k']
    """
    if frequencies is not None:
        heard = [f for f in FREQUENCY_TICKS if frequencies[-1] <= f <= frequencies[0]]
        places = np.interp(heard, frequencies[::-1], np.arange(n_units)[::-1])
        return [Tick(round(float(at), 2), short_hertz(f)) for at, f in zip(places, heard, strict=True)]
    step = max(int(round_step(n_units / 7)), 1)
    return [Tick(unit, str(unit)) for unit in range(0, n_units, step)]


def pack_scale(n_units: int, frequencies: npt.NDArray[np.float64] | None) -> dict[str, Any]:
    """The scale of units as the script of a page reads it.

    Parameters
    ----------
    n_units, frequencies
        As `ticks_of` takes them.

    Returns
    -------
    dict
        The number of units as ``units``, the marks as ``ticks``, and where frequencies are known some 50 of them [Hz]
        as ``hertz``.
    """
    scale: dict[str, Any] = {
        "units": n_units,
        "ticks": [list(tick) for tick in ticks_of(n_units, frequencies)],
    }
    if frequencies is not None:
        scale["hertz"] = np.round(frequencies[:: max(len(frequencies) // 50, 1)], 1).tolist()
    return scale


def short_hertz(frequency: int) -> str:
    """A round frequency [Hz] in few letters.

    Parameters
    ----------
    frequency : int
        [Hz]

    Examples
    --------
    >>> short_hertz(200), short_hertz(2000)
    ('200', '2k')
    """
    return f"{frequency // 1000}k" if frequency >= 1000 else str(frequency)


def names_in_use(names: Sequence[str], used: Sequence[int]) -> tuple[list[str], dict[int, int]]:
    """The names that occur, and the place of each number among them.

    Parameters
    ----------
    names : sequence of str
        All names.
    used : sequence of int
        Numbers that occur.
    """
    numbers = sorted(set(used))
    return [shortened(names[number]) for number in numbers], {number: place for place, number in enumerate(numbers)}


def _drawn_ranks(values: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Numbers from 0 for the distinct values, in an order that is drawn."""
    found, which = np.unique(values, return_inverse=True)
    return rng.permutation(len(found))[which]


def _rank_within(groups: npt.NDArray[np.int64], keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The place of each element among those of its group, by its key."""
    order = np.lexsort((keys, groups))
    _, first, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    ranks = np.empty(len(groups), np.int64)
    ranks[order] = np.arange(len(groups)) - np.repeat(first, sizes)
    return ranks

"""Clips to a spike file: the one place, beside the command line, that knows both packages."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict
from time import perf_counter, process_time
from typing import Literal, NamedTuple

import numpy as np

import cochlea
from spikedata import __version__
from spikedata.audio import AudioError, read_sound
from spikedata.corpora import Clip, Listing
from spikedata.schema import Provenance
from spikedata.writer import SpikeWriter

PRESETS: dict[str, Callable[[], cochlea.CochleaParams]] = {
    "default": cochlea.CochleaParams,
    "published": cochlea.CochleaParams.published,
}


class Encoding(NamedTuple):
    """What an encoding did.

    Parameters
    ----------
    n_clips : int
        Clips written [clips].
    n_spikes : int
        Spikes of all of them [spikes].
    sound_duration : float
        Length of all of them [s].
    wall_time, cpu_time : float
        What it took [s].
    skipped : tuple of str
        Why each clip that could not be used was left out.
    """

    n_clips: int
    n_spikes: int
    sound_duration: float
    wall_time: float
    cpu_time: float
    skipped: tuple[str, ...]


def encode_clips(
    listing: Listing,
    path: str | os.PathLike[str],
    *,
    preset: str = "default",
    seed: int = 0,
    workers: int | None = None,
    on_error: Literal["fail", "skip"] = "fail",
    overwrite: bool = False,
    on_clip: Callable[[Clip], None] | None = None,
) -> Encoding:
    """Encode the clips of a corpus into a spike file, which appears when it is whole.

    Each clip's spikes are keyed by its name within the corpus, so they depend on nothing but its audio, the preset and
    the seed. The published preset stores times as the published files do, in float16; else they are float32.

    Parameters
    ----------
    listing : Listing
        The clips, as `spikedata.corpora.list_clips` gives them.
    path : str or path-like
        The spike file to write.
    preset : {"default", "published"}
        Params of the cochlea.
    seed : int
        Seed of the data set.
    workers : int, optional
        Threads; default: one per processor. The file does not depend on it.
    on_error : {"fail", "skip"}
        Whether a recording that cannot be used ends the encoding or is left out and reported.
    overwrite : bool
        Whether a file at `path` may be replaced.
    on_clip : callable, optional
        Called with each clip once it is encoded.

    Returns
    -------
    Encoding

    Raises
    ------
    AudioError, FileNotFoundError
        If a recording cannot be used and `on_error` is "fail", or none can.
    OutputError
        If the file cannot be written.
    ValueError
        If the preset is unknown.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
    params = PRESETS[preset]()
    started, cpu_started = perf_counter(), process_time()
    skipped: list[str] = []
    waiting: deque[tuple[Clip, int, float]] = deque()

    def read_clips() -> Iterator[tuple[np.ndarray, int, str]]:
        for clip in listing.clips:
            try:
                waveform, sample_rate = read_sound(clip.path)
            except (AudioError, FileNotFoundError) as error:
                if on_error == "fail":
                    raise
                skipped.append(str(error))
                continue
            waiting.append((clip, sample_rate, waveform.size / sample_rate))
            yield waveform, sample_rate, clip.name

    n_spikes, duration, n_clips = 0, 0.0, 0
    writer = SpikeWriter(
        path,
        keys=listing.keys,
        mode="w" if overwrite else "x",
        times_dtype="float16" if preset == "published" else "float32",
        n_units=params.n_channels,
        provenance=_provenance(listing.corpus, preset, params, seed),
    )
    with writer:
        for spikes in cochlea.encode_many(read_clips(), params, seed=seed, workers=workers):
            clip, sample_rate, seconds = waiting.popleft()
            writer.append(
                spikes.times,
                spikes.units,
                label=clip.label,
                speaker=clip.speaker,
                source=clip.name,
                sample_rate=sample_rate,
            )
            n_clips, n_spikes, duration = n_clips + 1, n_spikes + spikes.times.size, duration + seconds
            if on_clip:
                on_clip(clip)
        if not n_clips:
            raise AudioError(f"{path}: not written: none of {len(listing.clips)} recordings can be used: {skipped[0]}")
    return Encoding(n_clips, n_spikes, duration, perf_counter() - started, process_time() - cpu_started, tuple(skipped))


def _provenance(corpus: str, preset: str, params: cochlea.CochleaParams, seed: int) -> Provenance:
    described = json.dumps({"preset": preset, **asdict(params)}, sort_keys=True)
    return Provenance(package_version=__version__, params=described, seed=seed, corpus=corpus)

"""One recording at a time: its spikes, and which frequencies the channels of spikes respond to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import cochlea
from spikedata.corpora.audio import read_sound
from spikedata.events import Sample
from spikedata.files.schema import Provenance


class Heard(NamedTuple):
    """A recording and its spikes.

    Parameters
    ----------
    waveform : ndarray of float64, shape (n_samples,)
        The recording [1].
    sample_rate : int
        [Hz]
    sample : Sample
        Its spikes; of label 0, by an unknown speaker, with the name of the file as clip id.
    """

    waveform: npt.NDArray[np.float64]
    sample_rate: int
    sample: Sample


def hear(path: str | os.PathLike[str], params: cochlea.CochleaParams | None = None, *, seed: int = 0) -> Heard:
    """Read a recording and encode it, as a file of it alone has it.

    Parameters
    ----------
    path : str or path-like
        The recording, in any format that `spikedata.corpora.audio.read_sound` takes.
    params : CochleaParams, optional
        Default: ``CochleaParams()``.
    seed : int
        Seed of the encoding.

    Raises
    ------
    FileNotFoundError, AudioError
        As `spikedata.corpora.audio.read_sound`.
    """
    params = cochlea.CochleaParams() if params is None else params
    waveform, sample_rate = read_sound(path)
    name = Path(path).name
    spikes = cochlea.encode(waveform, sample_rate, params, seed=seed, key=name)
    duration = len(waveform) / sample_rate
    sample = Sample(spikes.times, spikes.units, 0, -1, name, sample_rate, params.n_channels, duration)
    return Heard(waveform, sample_rate, sample)


def channel_frequencies(params: cochlea.CochleaParams) -> npt.NDArray[np.float64]:
    """The characteristic frequency [Hz] of each channel, falling, shape (n_channels,).

    Parameters
    ----------
    params : CochleaParams
    """
    return cochlea.characteristic_frequencies(params.basilar_membrane)


def stored_frequencies(provenance: Provenance | None) -> npt.NDArray[np.float64] | None:
    """The characteristic frequency [Hz] of each channel of a spike file; None where its provenance does not say it.

    Parameters
    ----------
    provenance : Provenance or None
        Of the file; a published one has none, and another version of this package may have other params.
    """
    stored = json.loads(provenance.params) if provenance is not None else {}
    try:
        membrane = cochlea.BasilarMembraneParams(**stored["basilar_membrane"])
        return cochlea.characteristic_frequencies(membrane)
    except (KeyError, TypeError, ValueError):
        return None

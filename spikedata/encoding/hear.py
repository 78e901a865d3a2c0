"""One recording at a time: its spikes, and which frequencies the units of spikes respond to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import cochlea
from spikedata.corpora.audio import read_sound
from spikedata.encoding.ear import params_of
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
    sample = Sample(spikes.times, spikes.units, 0, -1, name, sample_rate, params.n_units, duration)
    return Heard(waveform, sample_rate, sample)


def unit_frequencies(params: cochlea.CochleaParams) -> npt.NDArray[np.float64]:
    """The characteristic frequency [Hz] of each unit, falling, shape (n_units,).

    A channel has that of its place. The fibers of a channel share the way to the next between them, in the order of
    their hair cells.

    Parameters
    ----------
    params : CochleaParams
    """
    of_places = cochlea.characteristic_frequencies(params.basilar_membrane)
    if params.output == "bushy_cells":
        return of_places
    # like the hair cells, they stand around their place, so the outermost are almost half a distance beyond the ends
    logs = np.log(of_places)
    logs = np.concatenate([[2 * logs[0] - logs[1]], logs, [2 * logs[-1] - logs[-2]]])
    at = (np.arange(params.n_units) + 0.5) / params.n_fibers_per_channel + 0.5
    return np.exp(np.interp(at, np.arange(len(logs)), logs))


def stored_frequencies(provenance: Provenance | None) -> npt.NDArray[np.float64] | None:
    """The characteristic frequency [Hz] of each unit of a spike file; None where its provenance does not say it.

    Parameters
    ----------
    provenance : Provenance or None
        Of the file; a published one has none, and another version of this package may have other params.
    """
    try:
        return None if provenance is None else unit_frequencies(params_of(provenance))
    except ValueError:
        return None

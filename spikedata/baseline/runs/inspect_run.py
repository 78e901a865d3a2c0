"""Look inside a trained network: its spikes and readout for one clip."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from spikedata.baseline.runs.folder import load_run
from spikedata.events import Events, Sample
from spikedata.torch import SpikeDataset
from spikedata.training.batches import iterate_batches
from spikedata.training.scoring import grid_of


class ClipActivity(NamedTuple):
    """Hidden spikes and readout of a network for one clip.

    Attributes
    ----------
    dt : float
        Length of a step [s].
    hidden_spikes : ndarray of float32, shape (step, hidden)
        0 or 1.
    readout : ndarray of float32, shape (step, class)
        Membranes of the readout [1].
    logits : ndarray of float32, shape (class,)
        Score of each class [1]; the highest is the network's answer.
    """

    dt: float
    hidden_spikes: npt.NDArray[np.float32]
    readout: npt.NDArray[np.float32]
    logits: npt.NDArray[np.float32]


def watch_clip(run_dir: str | os.PathLike[str], sample: Sample) -> ClipActivity:
    """Run one clip through the network of a run.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    sample : Sample
        The clip; its units must be those that the network was trained on.

    Returns
    -------
    ClipActivity

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run, or it is damaged.
    """
    network = load_run(run_dir).network
    keys = [str(label) for label in range(network.n_classes)]
    clip = SpikeDataset(Events.from_samples([sample], keys=keys, n_units=network.n_units))
    inputs, _ = next(iterate_batches(clip, [np.zeros(1, np.int64)], grid_of(network)))
    with torch.no_grad():
        activity = network(inputs)
    hidden, readout, logits = activity.hidden_spikes[0], activity.readout[0], activity.logits[0]
    return ClipActivity(network.dt, hidden.numpy(), readout.numpy(), logits.numpy())

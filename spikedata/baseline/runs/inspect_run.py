"""Look inside a trained network: its spikes and readout for one clip, its class scores for several."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from spikedata.baseline.recipes.own_network import OwnNetwork
from spikedata.baseline.runs.folder import load_run
from spikedata.events import Events, Sample
from spikedata.nn.networks import Activity, MakeModule, Network
from spikedata.torch import SpikeDataset
from spikedata.training.batches import iterate_batches
from spikedata.training.scoring import grid_of, layout_of


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


def watch_clip(
    run_dir: str | os.PathLike[str], sample: Sample, *, network: str | MakeModule | OwnNetwork | None = None
) -> ClipActivity:
    """Run one clip through the network of a run.

    Parameters
    ----------
    run_dir : str or path-like
        What `train_run` made.
    sample : Sample
        The clip; its units must be those that the network was trained on.
    network : str, class or callable, optional
        The code of a network of one's own, as `load_run` takes it.

    Returns
    -------
    ClipActivity

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run, or it is damaged.
    """
    return watch(load_run(run_dir, network=network).network, sample)


def watch(network: Network, sample: Sample) -> ClipActivity:
    """The same as `watch_clip`, of a network that is loaded already.

    Parameters
    ----------
    network : Network
        In evaluation mode, on the CPU.
    sample : Sample
        The clip; its units must be those that the network was trained on.

    Raises
    ------
    ValueError
        If the clip has another number of units.
    """
    activity = _activity(network, [sample])
    hidden, readout, logits = activity.hidden_spikes[0], activity.readout[0], activity.logits[0]
    return ClipActivity(network.dt, hidden.numpy(), readout.numpy(), logits.numpy())


def class_logits(network: Network, samples: Sequence[Sample]) -> npt.NDArray[np.float32]:
    """The class scores of some clips, shape (n_clips, n_classes) [1]: the highest of a row is the network's answer.

    Parameters
    ----------
    network : Network
        In evaluation mode, on the CPU.
    samples : sequence of Sample
        At least one clip; all must have the network's units.

    Raises
    ------
    ValueError
        If the clips have another number of units.
    """
    return np.asarray(_activity(network, samples).logits.numpy())


@torch.no_grad()
def _activity(network: Network, samples: Sequence[Sample]) -> Activity:
    keys = [str(label) for label in range(network.n_classes)]
    clips = SpikeDataset(Events.from_samples(samples, keys=keys, n_units=network.n_units))
    chosen, layout = [np.arange(len(samples))], layout_of(network, "dense")
    inputs, _ = next(iterate_batches(clips, chosen, grid_of(network), layout=layout))
    activity: Activity = network(inputs)
    return activity

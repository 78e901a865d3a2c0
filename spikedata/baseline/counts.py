"""The reference that knows no time: a linear classifier on the number of spikes in each unit.

What a spiking network must beat to have used the spikes' timing. It is made as strong as a linear classifier can fairly be:
square roots of counts (which make Poisson noise even), standardized on the training part; multinomial logistic regression
solved to its optimum (it is convex), once for each of a range of L2 strengths, of which the validation part chooses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spikedata.baseline.batches import bin_clips
from spikedata.baseline.networks import Activity
from spikedata.baseline.training import EpochRecord, Trained, evaluate
from spikedata.events import Events

_LARGEST_ITERATIONS = 500


@dataclass(frozen=True, kw_only=True)
class CountParams:
    """What the linear classifier counts, and how strongly its weights are held small.

    Attributes
    ----------
    duration : float
        Window from the start of a clip whose spikes are counted [s].
    strengths : tuple of float
        L2 strengths to choose from [1]: half of one times the sum of squared weights is added to the mean cross-entropy.

    Raises
    ------
    ValueError
        If the duration is not positive, or there is no strength, or one is not positive.
    """

    duration: float = 1.0
    strengths: tuple[float, ...] = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3)

    def __post_init__(self) -> None:
        if not 0 < self.duration < math.inf:
            raise ValueError(f"CountParams.duration must be > 0, got {self.duration}")
        if not self.strengths or not all(0 < strength < math.inf for strength in self.strengths):
            raise ValueError(f"CountParams.strengths must be numbers > 0, at least one, got {self.strengths}")


class CountClassifier(nn.Module):
    """Linear classifier on square roots of spike counts.

    It is used like a `spikedata.baseline.networks.RecurrentNetwork`, with one step that lasts as long as its window.

    Parameters
    ----------
    params : CountParams
        Window and strengths.
    n_units : int
        Units of the input [1].
    n_classes : int
        Classes to tell apart [1].
    """

    def __init__(self, params: CountParams, *, n_units: int, n_classes: int) -> None:
        super().__init__()
        self.params = params
        self.dt, self.n_steps, self.n_units, self.n_classes = params.duration, 1, n_units, n_classes
        self.weight = nn.Parameter(torch.zeros(n_units, n_classes))
        self.bias = nn.Parameter(torch.zeros(n_classes))

    def forward(self, events: Tensor) -> Activity:
        """Return a readout of one step for events (batch, step, unit); the hidden layer is empty."""
        features = events.sum(dim=1).sqrt()
        readout = torch.addmm(self.bias, features, self.weight)
        return Activity(readout[:, None, :], events.new_zeros(len(events), 1, 0))


def fit_counts(
    training: Events,
    validation: Events,
    params: CountParams,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Trained:
    """Fit the linear classifier once per L2 strength and keep the one that did best on the validation part.

    There is no chance in it: the problem is convex and is solved to its optimum.

    Parameters
    ----------
    training, validation : Events
        Clips to learn from, and clips to choose the strength by.
    params : CountParams
        Window and strengths.
    on_epoch : callable, optional
        Given the record of each strength, in the given order, as if it were an epoch.

    Returns
    -------
    Trained
        ``best_epoch`` counts the strengths from 1.

    Raises
    ------
    ValueError
        If a part holds no clip.
    """
    features = _features(training, params.duration)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0.0)
    standardized = (features - mean) * scale
    start = np.zeros((training.n_units + 1, len(training.keys)))
    trained: list[tuple[EpochRecord, CountClassifier]] = []
    for epoch, strength in enumerate(params.strengths, start=1):
        began = time.perf_counter()
        start = _logistic_regression(standardized, training.labels, strength, start)
        weight = start[:-1] * scale[:, None]
        classifier = CountClassifier(params, n_units=training.n_units, n_classes=len(training.keys)).eval()
        with torch.no_grad():
            classifier.weight.copy_(torch.from_numpy(weight))
            classifier.bias.copy_(torch.from_numpy(start[-1] - mean @ weight))
        on_training, on_validation = evaluate(classifier, training), evaluate(classifier, validation)
        record = EpochRecord(
            epoch=epoch,
            train_loss=on_training.loss,
            train_accuracy=on_training.accuracy,
            validation_loss=on_validation.loss,
            validation_accuracy=on_validation.accuracy,
            hidden_spikes=0.0,
            seconds=time.perf_counter() - began,
        )
        trained.append((record, classifier))
        if on_epoch is not None:
            on_epoch(record)
    best, classifier = max(trained, key=lambda pair: pair[0].rank)
    return Trained(classifier, tuple(record for record, _ in trained), best.epoch)


def _features(events: Events, duration: float) -> npt.NDArray[np.float64]:
    """Square roots of counts, (clip, unit)."""
    clips = bin_clips(events, dt=duration, n_steps=1)
    features = np.zeros((clips.n_clips, clips.n_units))
    features[np.repeat(np.arange(clips.n_clips), np.diff(clips.offsets)), clips.codes] = np.sqrt(clips.counts)
    return features


def _logistic_regression(
    features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], strength: float, start: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return weights and, in the last row, biases (unit + 1, class) at the optimum."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    n_clips = len(labels)
    is_label = np.eye(start.shape[1])[labels]

    def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        solution = flat.reshape(start.shape)
        weight, bias = solution[:-1], solution[-1]
        log_probability = log_softmax(features @ weight + bias, axis=1)
        error = (np.exp(log_probability) - is_label) / n_clips
        loss = -(log_probability * is_label).sum() / n_clips + strength / 2 * (weight**2).sum()
        gradient = np.concatenate([features.T @ error + strength * weight, error.sum(axis=0)[None]])
        return loss, gradient.ravel()

    found = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": _LARGEST_ITERATIONS})
    return found.x.reshape(start.shape)

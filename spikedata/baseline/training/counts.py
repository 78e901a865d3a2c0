"""The reference that knows no time: a linear classifier on the number of spikes in each unit.

What a spiking network must beat to have used the spikes' timing. It is made as strong as a linear classifier
can fairly be: square roots of counts (which make Poisson noise even), standardized on the training part;
multinomial logistic regression solved to its optimum (it is convex), once for each of a range of L2 strengths,
of which the validation part chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from spikedata.baseline.networks import CountClassifier, CountParams
from spikedata.baseline.training.epochs import EpochRecord, Trained
from spikedata.baseline.training.scoring import evaluate
from spikedata.batching import dense_batch
from spikedata.events import Events

_LARGEST_ITERATIONS = 500


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
    for name, events in (("training", training), ("validation", validation)):
        if not len(events):
            raise ValueError(f"{name} part: holds no clip")
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
            learning_rate=0.0,
            seconds=time.perf_counter() - began,
        )
        trained.append((record, classifier))
        if on_epoch is not None:
            on_epoch(record)
    best, classifier = max(trained, key=lambda pair: pair[0].rank)
    return Trained(classifier, tuple(record for record, _ in trained), best.epoch)


def _features(events: Events, duration: float) -> npt.NDArray[np.float64]:
    """Square roots of counts, (clip, unit)."""
    counts = dense_batch(events, np.arange(len(events)), dt=duration, n_steps=1)
    return np.sqrt(counts[:, 0].astype(np.float64))


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

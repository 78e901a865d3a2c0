"""A reference without time: a linear classifier on the number of spikes in each unit.

A spiking network must beat it to show that it uses the timing of spikes. It is made as strong as a linear classifier
can fairly be: square roots of counts (which stabilize the variance of Poisson noise), standardized on the training
part; multinomial logistic regression, which is convex, solved to its optimum for each of several L2 strengths, among
which the validation part chooses.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from spikedata.events import Events
from spikedata.events.batching import dense_batch, without_warning
from spikedata.nn.networks import CountClassifier, CountParams
from spikedata.training.history import EpochRecord, Trained
from spikedata.training.scoring import evaluate

_LARGEST_ITERATIONS = 10_000  # a few dozen are enough unless the strength is almost 0
_TOLERANCE = 1e-5  # of the gradient of the mean loss [1]; the loss is then within 1e-6 of its minimum
_BIAS_OF_ABSENT = -30.0  # of a class without training clips; its optimum would be -inf
_logger = logging.getLogger(__name__)


def fit_counts(
    training: Events,
    validation: Events,
    params: CountParams,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trained:
    """Fit the linear classifier once per L2 strength and keep the one that did best on the validation part.

    The result is deterministic: the problem is convex and is solved to its optimum.

    Parameters
    ----------
    training, validation : Events
        Clips to fit, and clips to choose the strength on.
    params : CountParams
        Window and strengths.
    on_epoch : callable, optional
        Called with the record of each strength, in order, as if it were an epoch.
    on_progress : callable, optional
        Called with the number of clips fitted and scored and how many there will be at all strengths, first with 0.

    Returns
    -------
    Trained
        ``best_epoch`` counts the strengths from 1.

    Raises
    ------
    ValueError
        If a part holds no clip.
    """
    n_clips, n_strengths = len(training) + len(validation), len(params.strengths)
    report = on_progress or (lambda *_: None)
    report(0, n_clips * n_strengths)
    for name, events in (("training", training), ("validation", validation)):
        if not len(events):
            raise ValueError(f"{name} part: holds no clip")
    features = _features(training, params.duration)
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1), 0.0)
    standardized = (features - mean) * scale
    solver = _Solver(standardized, training.labels, n_classes=len(training.keys))
    trained: list[tuple[EpochRecord, CountClassifier]] = []
    for epoch, strength in enumerate(params.strengths, start=1):
        began = time.perf_counter()
        solution = solver.solve(strength)
        weight = solution[:-1] * scale[:, None]
        classifier = CountClassifier(params, n_units=training.n_units, n_classes=len(training.keys)).eval()
        with torch.no_grad():
            classifier.weight.copy_(torch.from_numpy(weight))
            classifier.bias.copy_(torch.from_numpy(solution[-1] - mean @ weight))
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
        report(n_clips * epoch, n_clips * n_strengths)
    best, classifier = max(trained, key=lambda pair: pair[0].rank)
    return Trained(classifier, tuple(record for record, _ in trained), best.epoch)


def _features(events: Events, duration: float) -> npt.NDArray[np.float64]:
    """Square roots of counts, (clip, unit)."""
    with without_warning():
        counts = dense_batch(events, np.arange(len(events)), dt=duration, n_steps=1)
    return np.sqrt(counts[:, 0].astype(np.float64))


class _Solver:
    """Multinomial logistic regression at one strength after the other, each starting from the last solution.

    Parameters
    ----------
    features : ndarray of float64, shape (n_clips, n_units)
        Standardized.
    labels : ndarray of int64, shape (n_clips,)
        Class of each clip.
    n_classes : int
        Number of classes [1].
    """

    def __init__(self, features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], *, n_classes: int) -> None:
        from sklearn.linear_model import LogisticRegression

        self._features, self._labels, self._n_classes = features, labels, n_classes
        self._present = np.unique(labels)
        self._model = LogisticRegression(tol=_TOLERANCE, max_iter=_LARGEST_ITERATIONS, warm_start=True)

    def solve(self, strength: float) -> npt.NDArray[np.float64]:
        """Weights and, in the last row, biases (unit + 1, class) at the optimum.

        Minimized is the mean cross-entropy plus half the strength times the sum of squared weights.
        """
        solution = np.zeros((self._features.shape[1] + 1, self._n_classes))
        solution[-1, np.setdiff1d(np.arange(self._n_classes), self._present)] = _BIAS_OF_ABSENT
        if len(self._present) > 1:
            solution[:, self._present] = self._fit(strength)
        return solution

    def _fit(self, strength: float) -> npt.NDArray[np.float64]:
        from sklearn.exceptions import ConvergenceWarning
        from threadpoolctl import threadpool_limits

        # scikit-learn weighs the summed cross-entropy by C against half the squared weights. Of two classes it has
        # one row w, where ours are -w/2 and w/2, whose squares sum to half of w's.
        is_binary = len(self._present) == 2
        self._model.C = (2 if is_binary else 1) / (strength * len(self._labels))
        # With products this small, several BLAS threads mostly wait for each other: 20 times the CPU time.
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said below
            self._model.fit(self._features, self._labels)
        if self._model.n_iter_[0] >= _LARGEST_ITERATIONS:
            _logger.warning("counts: strength %g is not at its optimum after %d steps", strength, _LARGEST_ITERATIONS)
        found = np.concatenate([self._model.coef_, self._model.intercept_[:, None]], axis=1).T
        return found * [-0.5, 0.5] if is_binary else found

import numpy as np
import pytest

from spikedata.events import Events, Sample
from spikedata.nn.networks import CountParams
from spikedata.training.counts import fit_counts
from spikedata.training.scoring import evaluate

PARAMS = CountParams(duration=0.5, strengths=(1.0, 0.1, 0.01))


def _events(n_clips, seed, contrast=6.0):
    """Class k has more spikes in unit k, at random times."""
    rng = np.random.default_rng(seed)
    clips = []
    for index in range(n_clips):
        label = index % 3
        counts = rng.poisson(4.0 + contrast * (np.arange(5) == label))
        units = np.repeat(np.arange(5), counts).astype(np.uint16)
        clips.append(Sample(np.sort(rng.uniform(0, 0.5, len(units))), units, label, 0))
    return Events.from_samples(clips, keys=("a", "b", "c"), n_units=5)


def test_counts_that_differ_are_told_apart():
    trained = fit_counts(_events(150, 0), _events(60, 1), PARAMS)
    assert evaluate(trained.network, _events(90, 2)).accuracy > 0.85


def test_there_is_no_chance_in_it():
    first, second = (fit_counts(_events(60, 0), _events(30, 1), PARAMS) for _ in range(2))
    assert np.array_equal(first.network.weight.detach(), second.network.weight.detach())


def test_each_strength_is_tried_and_the_best_on_validation_kept():
    validation = _events(60, 1, contrast=2.0)
    trained = fit_counts(_events(60, 0, contrast=2.0), validation, PARAMS)
    ranks = [record.rank for record in trained.history]
    assert len(ranks) == 3
    assert trained.best_epoch == ranks.index(max(ranks)) + 1
    best = trained.history[trained.best_epoch - 1]
    score = evaluate(trained.network, validation)
    assert (score.accuracy, score.loss) == (best.validation_accuracy, best.validation_loss)


def test_a_stronger_l2_fits_the_training_part_less():
    losses = [record.train_loss for record in fit_counts(_events(60, 0), _events(30, 1), PARAMS).history]
    assert losses == sorted(losses, reverse=True)


def _gradient(network, events, strength):
    """Of the mean cross-entropy plus half the strength times the squared weights of the standardized counts."""
    n_classes = len(events.keys)
    features = np.sqrt([np.bincount(clip.units, minlength=5) for clip in events])
    weight, bias = network.weight.detach().numpy().astype(float), network.bias.detach().numpy().astype(float)
    logits = features @ weight + bias
    probability = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    error = (probability - np.eye(n_classes)[events.labels]) / len(events)
    deviation = features.std(axis=0)
    standardized = (features - features.mean(axis=0)) / deviation
    return standardized.T @ error + strength * weight * deviation[:, None], error.sum(axis=0)


@pytest.mark.parametrize("present", [(0, 1, 2), (0, 2), (1,)])
@pytest.mark.parametrize("strength", [10.0, 0.3, 1e-3, 1e-7])
def test_any_strength_and_number_of_classes_is_solved_to_the_optimum(present, strength):
    events = _events(90, 0).select(np.flatnonzero(np.isin(np.arange(90) % 3, present)))
    network = fit_counts(events, events, CountParams(duration=0.5, strengths=(strength,))).network
    for gradient in _gradient(network, events, strength):
        np.testing.assert_allclose(gradient, 0, atol=5e-5)  # the solver's tolerance, and weights in float32


def test_the_solution_is_the_optimum():
    events, strength = _events(90, 0), 0.05
    network = fit_counts(events, events, CountParams(duration=0.5, strengths=(strength,))).network
    counts = np.array([np.bincount(clip.units, minlength=5) for clip in events])
    features = np.sqrt(counts)
    weight, bias = network.weight.detach().numpy().astype(float), network.bias.detach().numpy().astype(float)
    logits = features @ weight + bias
    probability = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    deviation = features.std(axis=0)
    error = (probability - np.eye(3)[events.labels]) / len(events)
    standardized = (features - features.mean(axis=0)) / deviation
    gradient = standardized.T @ error + strength * weight * deviation[:, None]
    np.testing.assert_allclose(gradient, 0, atol=1e-4)  # the tolerance at which L-BFGS stops
    np.testing.assert_allclose(error.sum(axis=0), 0, atol=1e-4)


def test_a_unit_that_never_varies_gets_no_weight():
    clips = [clip._replace(units=np.where(clip.units == 4, 3, clip.units).astype(np.uint16)) for clip in _events(60, 0)]
    events = Events.from_samples(clips, keys=("a", "b", "c"), n_units=5)
    network = fit_counts(events, events, PARAMS).network
    assert not network.weight[4].any()
    assert network.weight[:3].abs().sum() > 0


def test_spikes_after_the_window_do_not_count():
    events = _events(30, 0)
    late = Sample(np.array([0.5, 0.6]), np.array([0, 1], np.uint16), 0, 0)
    clips = [
        clip._replace(times=np.append(clip.times, late.times), units=np.append(clip.units, late.units))
        for clip in events
    ]
    with_late = Events.from_samples(clips, keys=("a", "b", "c"), n_units=5)
    network = fit_counts(events, events, PARAMS).network
    assert evaluate(network, with_late).loss == evaluate(network, events).loss


def test_an_empty_part_is_an_error():
    with pytest.raises(ValueError, match="training part: holds no clip"):
        fit_counts(_events(30, 0).select([]), _events(30, 0), PARAMS)
    with pytest.raises(ValueError, match="validation part: holds no clip"):
        fit_counts(_events(30, 0), _events(30, 0).select([]), PARAMS)

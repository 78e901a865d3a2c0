import math

import pytest
import torch

from spikedata.nn.networks.activity import READOUTS, Activity, class_scores
from spikedata.training.losses import LOSSES, ActivityParams, activity_penalty, classification_loss


def _activity(readout, kind):
    return Activity(class_scores(readout, kind), readout, ())


@pytest.fixture
def readout():
    return torch.randn(4, 7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def spikes():
    return (torch.rand(5, 9, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) < 0.3).double()


LABELS = torch.tensor([0, 2, 1, 1])


def test_the_loss_is_the_negative_logarithm_of_the_true_class(readout):
    logits = readout.amax(dim=1)
    by_hand = -sum(
        math.log(math.exp(row[label]) / sum(math.exp(x) for x in row))
        for row, label in zip(logits.tolist(), LABELS.tolist(), strict=True)
    )
    assert classification_loss(_activity(readout, "max"), LABELS).item() == pytest.approx(by_hand / 4)


def test_with_summed_softmaxes_the_loss_is_that_of_their_sum(readout):
    summed = sum(torch.softmax(readout[:, step], dim=1) for step in range(7))
    by_hand = torch.nn.CrossEntropyLoss()(summed, LABELS)
    torch.testing.assert_close(classification_loss(_activity(readout, "softmax_sum"), LABELS), by_hand)


def test_smoothing_moves_part_of_the_target_to_all_classes(readout):
    activity = _activity(readout, "last")
    log_probability = torch.log_softmax(activity.logits, dim=1)
    target = 0.9 * torch.eye(3, dtype=torch.float64)[LABELS] + 0.1 / 3
    found = classification_loss(activity, LABELS, label_smoothing=0.1)
    torch.testing.assert_close(found, -(target * log_probability).sum(dim=1).mean())


def test_the_binary_loss_is_one_decision_for_each_class(readout):
    activity = _activity(readout, "max")
    by_hand = 0.0
    for scores, label in zip(activity.logits.tolist(), LABELS.tolist(), strict=True):
        total = sum(math.exp(x) for x in scores)
        for k, score in enumerate(scores):
            p = math.exp(score) / total
            by_hand -= math.log(p) if k == label else math.log(1 - p)
    found = classification_loss(activity, LABELS, kind="binary_cross_entropy")
    assert found.item() == pytest.approx(by_hand / 4, rel=1e-12)


def test_the_binary_loss_of_a_certain_error_is_finite():
    scores = torch.tensor([[0.0, 200.0, 0.0]], requires_grad=True)
    activity = Activity(scores, scores[:, None], ())
    loss = classification_loss(activity, torch.tensor([0]), kind="binary_cross_entropy")
    assert loss.item() == pytest.approx(400 - math.log(2), rel=1e-4)
    loss.backward()
    assert torch.isfinite(scores.grad).all()


def test_the_loss_of_steps_is_the_mean_over_steps(readout):
    found = classification_loss(_activity(readout, "max"), LABELS, kind="step_cross_entropy")
    by_hand = sum(torch.nn.CrossEntropyLoss()(readout[:, step], LABELS) for step in range(7)) / 7
    torch.testing.assert_close(found, by_hand)


def test_an_unknown_loss_is_refused(readout):
    with pytest.raises(ValueError, match="no loss 'hinge'; there are: cross_entropy, binary_cross_entropy, step_cross"):
        classification_loss(_activity(readout, "max"), LABELS, kind="hinge")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", READOUTS)
def test_gradients_of_every_loss_of_every_readout_are_differences(kind, loss, readout):
    readout.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda value: classification_loss(_activity(value, kind), LABELS, label_smoothing=0.1, kind=loss), (readout,)
    )


def test_by_default_the_penalty_is_that_of_runs_made_before(spikes):
    params = ActivityParams(lower_threshold=3.0, lower_strength=0.7, upper_threshold=2.0, upper_strength=0.3)
    per_neuron = spikes.sum(dim=1)
    lacking = torch.relu(3.0 - per_neuron).square().mean()
    excess = torch.relu(per_neuron.mean(dim=1) - 2.0).square().mean()
    torch.testing.assert_close(activity_penalty([spikes], params), 0.7 * lacking + 0.3 * excess)


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("lower_level", ["neuron", "population"])
@pytest.mark.parametrize("upper_level", ["neuron", "population"])
def test_norm_and_levels_do_what_they_say(norm, power, lower_level, upper_level, spikes):
    params = ActivityParams(
        lower_threshold=2.9, lower_strength=0.5, upper_threshold=2.1, upper_strength=2.0,
        norm=norm, lower_level=lower_level, upper_level=upper_level,
    )  # fmt: skip
    counts = [[sum(spikes[clip, :, neuron].tolist()) for neuron in range(6)] for clip in range(5)]
    levels = {"neuron": [n for row in counts for n in row], "population": [sum(row) / 6 for row in counts]}
    lower, upper = levels[lower_level], levels[upper_level]
    by_hand = 0.5 * sum(max(0.0, 2.9 - n) ** power for n in lower) / len(lower)
    by_hand += 2.0 * sum(max(0.0, n - 2.1) ** power for n in upper) / len(upper)
    assert activity_penalty([spikes], params).item() == pytest.approx(by_hand)


@pytest.mark.parametrize(("norm", "lower_norm"), [("l1", "l2"), ("l2", "l1")])
def test_the_lower_bound_may_have_a_norm_of_its_own(norm, lower_norm, spikes):
    """Zenke & Vogels (2021) square what a neuron lacks, but not what a layer has too much."""
    lower, upper = {"lower_threshold": 2.9, "lower_strength": 0.5}, {"upper_threshold": 2.1, "upper_strength": 2.0}
    both = activity_penalty([spikes], ActivityParams(**lower, **upper, norm=norm, lower_norm=lower_norm))
    below = activity_penalty([spikes], ActivityParams(**lower, upper_strength=0.0, norm=lower_norm))
    above = activity_penalty([spikes], ActivityParams(lower_strength=0.0, **upper, norm=norm))
    assert below > 0
    assert above > 0
    torch.testing.assert_close(both, below + above)


def test_layers_add_up(spikes):
    params = ActivityParams()
    both = activity_penalty([spikes, 1 - spikes], params)
    torch.testing.assert_close(both, activity_penalty([spikes], params) + activity_penalty([1 - spikes], params))


def test_activity_within_the_bounds_is_free():
    spikes = torch.ones(2, 5, 3)
    assert activity_penalty([spikes], ActivityParams(lower_threshold=5.0, upper_threshold=5.0)).item() == 0.0


def test_without_hidden_layers_there_is_no_penalty():
    assert activity_penalty((), ActivityParams()).item() == 0.0


def test_the_lower_bound_asks_silent_neurons_for_spikes():
    spikes = torch.zeros(1, 4, 2, requires_grad=True)
    activity_penalty([spikes], ActivityParams(lower_strength=1.0)).backward()
    assert (spikes.grad < 0).all()


def test_the_upper_bound_asks_busy_neurons_for_fewer():
    spikes = torch.ones(1, 40, 2, requires_grad=True)
    activity_penalty([spikes], ActivityParams(upper_strength=1.0)).backward()
    assert (spikes.grad > 0).all()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lower_strength": -1}, "lower_strength must be >= 0, got -1"),
        ({"upper_threshold": math.inf}, "upper_threshold must be finite, got inf"),
        ({"norm": "l3"}, "norm must be one of l1, l2, got 'l3'"),
        ({"lower_norm": "l3"}, "lower_norm must be one of same, l1, l2, got 'l3'"),
        ({"upper_level": "layer"}, "upper_level must be one of neuron, population, got 'layer'"),
    ],
)
def test_numbers_that_mean_nothing_are_refused(values, message):
    with pytest.raises(ValueError, match=rf"ActivityParams\.{message}"):
        ActivityParams(**values)


def test_a_bound_on_each_neuron_stands_beside_the_one_on_all():
    spikes = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [1.0, 1.0]]])  # 3 and 1 spikes, 2 on average
    both = ActivityParams(
        lower_strength=0.0,
        upper_threshold=1.0,
        upper_strength=1.0,
        norm="l1",
        neuron_threshold=1.0,
        neuron_strength=0.5,
    )
    assert activity_penalty([spikes], both).item() == pytest.approx(1.0 + 0.5 * (2.0**2 + 0.0) / 2)

import math

import pytest
import torch

from spikedata.nn.networks.activity import READOUTS, Activity, class_scores

READOUT = torch.tensor([[[0.0, 3.0], [5.0, 1.0], [2.0, 2.5]]], dtype=torch.float64)


def test_the_maximum_is_taken_over_time():
    assert class_scores(READOUT, "max").tolist() == [[5.0, 3.0]]


def test_the_last_step_is_the_last():
    assert class_scores(READOUT, "last").tolist() == [[2.0, 2.5]]


def test_the_sum_of_softmaxes_adds_up_to_the_steps():
    scores = class_scores(READOUT, "softmax_sum")
    by_hand = sum(torch.softmax(step, dim=0) for step in READOUT[0])
    torch.testing.assert_close(scores[0], by_hand)
    assert scores.sum().item() == pytest.approx(3.0)


def test_an_unknown_readout_is_refused():
    with pytest.raises(ValueError, match="no readout 'sum'; there are: max, softmax_sum, last, mean, exp_mean"):
        class_scores(READOUT, "sum")


def test_the_mean_is_that_over_time():
    torch.testing.assert_close(class_scores(READOUT, "mean"), torch.tensor([[7 / 3, 6.5 / 3]], dtype=torch.float64))


def test_the_weighted_mean_counts_each_step_less_than_the_one_before():
    weights = [math.exp(-n / 3) / 3 for n in range(3)]
    by_hand = [sum(w * step[k].item() for w, step in zip(weights, READOUT[0], strict=True)) for k in range(2)]
    assert class_scores(READOUT, "exp_mean")[0].tolist() == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("kind", READOUTS)
def test_every_readout_gives_one_score_for_each_class_and_a_gradient(kind):
    readout = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert class_scores(readout, kind).shape == (3, 4)
    assert torch.autograd.gradcheck(lambda value: class_scores(value, kind), (readout,))


def test_hidden_spikes_are_those_of_the_last_layer():
    first, second = torch.zeros(1, 3, 4), torch.ones(1, 3, 2)
    assert Activity(READOUT[:, 0], READOUT, (first, second)).hidden_spikes is second


def test_without_hidden_layers_there_is_no_column_of_hidden_spikes():
    assert Activity(READOUT[:, 0], READOUT, ()).hidden_spikes.shape == (1, 3, 0)

import pytest
import torch

from spikedata.nn.networks.activity import Activity, class_scores

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
    with pytest.raises(ValueError, match="no readout 'mean'; there are: max, softmax_sum, last"):
        class_scores(READOUT, "mean")


def test_hidden_spikes_are_those_of_the_last_layer():
    first, second = torch.zeros(1, 3, 4), torch.ones(1, 3, 2)
    assert Activity(READOUT[:, 0], READOUT, (first, second)).hidden_spikes is second


def test_without_hidden_layers_there_is_no_column_of_hidden_spikes():
    assert Activity(READOUT[:, 0], READOUT, ()).hidden_spikes.shape == (1, 3, 0)

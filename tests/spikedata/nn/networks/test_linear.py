import pytest
import torch

from spikedata.nn.networks.linear import CountClassifier, CountParams


def _classifier():
    classifier = CountClassifier(CountParams(duration=0.7), n_units=5, n_classes=3)
    with torch.no_grad():
        classifier.weight.copy_(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
        classifier.bias.copy_(torch.tensor([0.5, -0.5, 0.0]))
    return classifier.double()


def test_scores_are_linear_in_square_roots_of_counts(make_spikes):
    classifier, spikes = _classifier(), make_spikes()
    by_hand = spikes.sum(dim=1).sqrt() @ classifier.weight + classifier.bias
    torch.testing.assert_close(classifier(spikes).logits, by_hand)


def test_the_linear_classifier_does_not_know_time(make_spikes):
    classifier, spikes = _classifier(), make_spikes()
    backward = classifier(spikes.flip(1))
    assert torch.equal(classifier(spikes).logits, backward.logits)
    assert backward.readout.shape == (4, 1, 3)
    assert backward.hidden_spikes.shape == (4, 1, 0)


def test_dense_spikes_and_lists_get_the_same_scores(make_spikes, as_lists):
    classifier, spikes = _classifier(), make_spikes()
    assert torch.equal(classifier(as_lists(spikes)).logits, classifier(spikes).logits)


def test_the_linear_classifier_sees_one_step():
    classifier = _classifier()
    assert (classifier.dt, classifier.n_steps, classifier.n_merged) == (0.7, 1, 1)


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r"inputs must be \(batch, step, 5\), got \(2, 1, 6\)"):
        _classifier()(torch.zeros(2, 1, 6))


@pytest.mark.parametrize("bad", [{"duration": 0}, {"strengths": ()}, {"strengths": (1.0, 0.0)}])
def test_the_linear_classifier_refuses_numbers_that_mean_nothing(bad):
    with pytest.raises(ValueError, match=rf"CountParams\.{next(iter(bad))} must be"):
        CountParams(**bad)

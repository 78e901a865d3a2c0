import math

import pytest
import torch
from torch import nn

from spikedata.nn.networks.delays import Delays, RecurrentDelays, anneal_delays, delay_width, triangle_width
from spikedata.nn.neurons import delayed

LONGEST = 6


def _delays(n_from=5, n_to=3, seed=0):
    return Delays(n_from, n_to, longest=LONGEST, generator=torch.Generator().manual_seed(seed)).double()


def _set(delays, steps):
    with torch.no_grad():
        delays.steps.copy_(torch.as_tensor(steps, dtype=torch.float64))
    return delays


def _one_spike(step, n_steps=10):
    spikes = torch.zeros(1, n_steps, 1, dtype=torch.float64)
    spikes[0, step] = 1.0
    return spikes


@pytest.mark.parametrize(("steps", "arrival"), [(0.0, 2), (3.0, 5), (2.6, 5), (3.4, 5), (6.0, 8)])
def test_in_evaluation_a_spike_arrives_as_many_whole_steps_later_as_its_delay_says(steps, arrival):
    delays = _set(_delays(1, 1), [[steps]]).eval()
    drive = delays(_one_spike(2), torch.tensor([[7.0]], dtype=torch.float64))
    assert drive[0, :, 0].nonzero().tolist() == [[arrival]]
    assert drive[0, arrival, 0].item() == 7.0


def test_what_arrives_after_the_last_step_is_dropped():
    delays = _set(_delays(1, 1), [[6.0]]).eval()
    assert not delays(_one_spike(5), torch.ones(1, 1, dtype=torch.float64)).any()


def test_each_connection_has_its_own_delay():
    delays = _set(_delays(1, 2), [[1.0, 4.0]]).eval()
    drive = delays(_one_spike(0), torch.ones(1, 2, dtype=torch.float64))
    assert drive[0].nonzero().tolist() == [[1, 0], [4, 1]]


def test_in_training_a_spike_is_spread_like_a_gaussian():
    delays = _set(_delays(1, 1), [[2.3]])
    anneal_delays(delays, 0.1)
    width = delay_width(0.1, longest=LONGEST)
    bell = [math.exp(-(((k - 2.3) / width) ** 2) / 2) for k in range(LONGEST + 1)]
    drive = delays(_one_spike(1), torch.tensor([[2.0]], dtype=torch.float64))[0, :, 0]
    by_hand = [0.0] + [2.0 * value / sum(bell) for value in bell] + [0.0, 0.0]
    torch.testing.assert_close(drive, torch.tensor(by_hand, dtype=torch.float64))


def test_each_connection_injects_its_weight_in_all():
    torch.testing.assert_close(_delays().kernel().sum(dim=0), torch.ones(5, 3, dtype=torch.float64))


@pytest.mark.parametrize("training", [True, False])
def test_dense_spikes_and_lists_arrive_alike(make_spikes, as_lists, training):
    spikes, delays = make_spikes(), _delays().train(training)
    weight = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(delays(as_lists(spikes), weight), delays(spikes, weight))


def test_delays_may_be_longer_than_a_clip(make_spikes, as_lists):
    spikes, delays = make_spikes(n_steps=3), _delays()
    weight = torch.ones(5, 3, dtype=torch.float64)
    torch.testing.assert_close(delays(as_lists(spikes), weight), delays(spikes, weight))


def test_gradients_of_delays_and_weights_are_differences(make_spikes):
    spikes, delays = make_spikes(n_clips=2, n_steps=8), _delays()
    weight = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)

    def drive(weight, steps):
        return torch.func.functional_call(delays, {"steps": steps}, (spikes, weight))

    assert torch.autograd.gradcheck(drive, (weight, delays.steps))


def test_a_delay_outside_its_range_counts_as_the_end_and_can_come_back():
    outside, end = _set(_delays(1, 1), [[8.0]]), _set(_delays(1, 1), [[6.0]])
    for delays in (outside, end):
        delays.kernel()[3].sum().backward()
    assert torch.equal(outside.kernel(), end.kernel())
    assert outside.steps.grad.item() == end.steps.grad.item() < 0


def test_the_width_falls_over_the_first_quarter_of_the_training():
    widths = [delay_width(progress, longest=20) for progress in (0.0, 0.125, 0.25, 0.6, 1.0)]
    assert widths == pytest.approx([10.0, math.sqrt(10.0 * 0.5), 0.5, 0.5, 0.5])


def test_the_width_is_part_of_the_state():
    delays, other = _delays(), _delays(seed=1)
    anneal_delays(nn.ModuleList([delays]), 0.2)
    other.load_state_dict(delays.state_dict())
    assert other.width == delays.width < 3.0
    assert torch.equal(other.kernel(), delays.kernel())


def test_progress_outside_the_training_is_refused():
    with pytest.raises(ValueError, match=r"progress must be in 0\.\.1, got 1\.5"):
        anneal_delays(_delays(), 1.5)


def _recurrent(steps, progress=0.0):
    delays = RecurrentDelays(len(steps), longest=LONGEST, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        delays.tens.copy_(torch.tensor(steps, dtype=torch.float64) / 10)
    anneal_delays(delays, progress)
    return delays


@pytest.mark.parametrize(("steps", "sent"), [(0.0, 0), (2.6, 3), (6.0, 6), (-1.0, 0), (9.0, 6)])
def test_in_evaluation_a_spike_is_sent_to_its_layer_at_a_whole_step(steps, sent):
    kernel = _recurrent([steps]).eval()()
    assert kernel.flatten().nonzero().tolist() == [[sent]]
    assert kernel.sum().item() == 1.0


def test_at_the_end_of_training_a_delay_is_interpolated_between_two_steps():
    delays = _recurrent([2.25], progress=1.0)
    expected = torch.tensor([0.0, 0.0, 0.75, 0.25, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert delays.width.item() == pytest.approx(2 * 0.95**100)
    torch.testing.assert_close(delays().flatten(), expected, rtol=0, atol=0.02)


def test_in_training_a_spike_is_spread_as_a_triangle_that_narrows():
    shares = [_recurrent([3.0], progress)().flatten() for progress in (0.0, 0.3, 0.6)]
    for share, progress in zip(shares, (0.0, 0.3, 0.6), strict=True):
        width = 1 + triangle_width(progress, longest=LONGEST)
        heights = torch.tensor([max(0.0, width - abs(k - 3.0)) for k in range(LONGEST + 1)], dtype=torch.float64)
        torch.testing.assert_close(share, heights / heights.sum(), rtol=1e-6, atol=1e-8)
    assert [(share > 0).sum().item() for share in shares] == [5, 3, 3]


def test_the_gradient_of_a_delay_within_a_layer_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(2)
    spikes = (torch.rand(12, 3, 4, generator=generator) < 0.3).double()  # (step, clip, neuron)
    weight, objective = torch.randn(4, 4, generator=generator).double(), torch.randn(12, 3, 4, generator=generator)
    delays = _recurrent([0.4, 2.3, 3.7, 5.6], progress=0.2)

    def arrives(tens):
        kernel = torch.func.functional_call(delays, {"tens": tens}, ())
        sent = [delayed(list(spikes[: n + 1]), kernel) for n in range(12)]
        return (torch.stack(sent) @ weight * objective).sum()

    assert torch.autograd.gradcheck(arrives, (delays.tens.detach().clone().requires_grad_(),))


def test_a_delay_outside_its_bounds_can_be_trained_back():
    delays = _recurrent([-2.0, 9.0], progress=0.3)
    (delays() * torch.arange(7.0).double()[:, None]).sum().backward()
    assert (delays.tens.grad > 0).all()  # a longer one would arrive later


def test_delays_within_a_layer_start_all_over_their_range():
    delays = RecurrentDelays(2000, longest=30, generator=torch.Generator().manual_seed(0))
    steps = delays.tens.detach() * 10
    assert 0 <= steps.min() < 0.1
    assert 29.9 < steps.max() <= 30

import pytest

from spikedata.nn.networks.inputs import count_inputs, count_steps, is_whole


@pytest.mark.parametrize(("duration", "dt", "n_steps"), [(1.0, 4e-3, 250), (1.4, 14e-3, 100), (1.0, 0.5e-3, 2000)])
def test_rounding_does_not_cost_a_step(duration, dt, n_steps):
    assert count_steps(duration, dt) == n_steps
    assert is_whole(duration, dt)


def test_half_a_step_is_not_whole():
    assert not is_whole(0.105, 0.01)


@pytest.mark.parametrize(("n_units", "n_merged", "n_inputs"), [(700, 5, 140), (700, 1, 700), (12, 5, 3), (3, 5, 1)])
def test_the_last_input_may_stand_for_fewer_units(n_units, n_merged, n_inputs):
    assert count_inputs(n_units, n_merged) == n_inputs

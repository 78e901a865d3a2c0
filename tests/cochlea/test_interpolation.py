import numpy as np
import pytest

from cochlea.interpolation import cubic_weights

POSITIONS = np.linspace(0, 3, 31)


@pytest.mark.parametrize("coefficients", [(1,), (2, -1), (0.5, 1, 3), (-1, 2, 0.3, 4)])
def test_a_cubic_is_reproduced_exactly(coefficients):
    nodes = np.polyval(coefficients, np.arange(4))
    np.testing.assert_allclose(cubic_weights(POSITIONS) @ nodes, np.polyval(coefficients, POSITIONS), atol=1e-12)


def test_a_node_has_the_whole_weight_of_itself():
    np.testing.assert_allclose(cubic_weights(np.arange(4.0)), np.eye(4), atol=1e-15)


def test_the_weights_sum_to_one_outside_too():
    np.testing.assert_allclose(cubic_weights(np.linspace(-1, 4, 51)).sum(axis=-1), 1.0, atol=1e-12)


def test_the_weights_stand_on_the_last_axis():
    assert cubic_weights(np.zeros((2, 3))).shape == (2, 3, 4)

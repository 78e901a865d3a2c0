import numpy as np
import pytest

from cochlea.interpolation import lagrange_weights

POSITIONS = np.linspace(0, 3, 31)


@pytest.mark.parametrize("n_nodes", [4, 5, 6])
@pytest.mark.parametrize("coefficients", [(1,), (2, -1), (0.5, 1, 3), (-1, 2, 0.3, 4)])
def test_a_polynomial_of_lower_degree_is_reproduced_exactly(coefficients, n_nodes):
    nodes = np.polyval(coefficients, np.arange(n_nodes))
    interpolated = lagrange_weights(POSITIONS, n_nodes) @ nodes
    np.testing.assert_allclose(interpolated, np.polyval(coefficients, POSITIONS), atol=1e-12)


def test_a_node_has_the_whole_weight_of_itself():
    np.testing.assert_allclose(lagrange_weights(np.arange(4.0), 4), np.eye(4), atol=1e-15)


def test_the_weights_sum_to_one_outside_too():
    np.testing.assert_allclose(lagrange_weights(np.linspace(-1, 6, 51), 6).sum(axis=-1), 1.0, atol=1e-12)


def test_the_weights_stand_on_the_last_axis():
    assert lagrange_weights(np.zeros((2, 3)), 4).shape == (2, 3, 4)

"""The elementary functions against those of the C library, whose error is below the tolerance."""

import math

import numpy as np
import pytest
from scipy import special

from cochlea import elementary

RNG = np.random.default_rng(0)
TOLERANCE = 4e-15  # twice the largest error found, of the larger of 1 and the exact value


@pytest.mark.parametrize(
    ("ours", "exact", "values"),
    [
        (elementary.log, math.log, np.exp(RNG.uniform(-700, 700, 1000))),
        (elementary.log1p, math.log1p, RNG.uniform(-0.999, 3, 1000)),
        (elementary.arcsinh, math.asinh, RNG.uniform(0, 5000, 1000)),
        (elementary.sinh, math.sinh, RNG.uniform(-20, 20, 1000)),
        (elementary.bessel_i0, special.i0, RNG.uniform(-20, 20, 1000)),
        (lambda x: elementary.sin_cos(x)[0], math.sin, RNG.uniform(-1e5, 1e5, 1000)),
        (lambda x: elementary.sin_cos(x)[1], math.cos, RNG.uniform(-1e5, 1e5, 1000)),
    ],
)
def test_a_function_is_that_of_the_c_library(ours, exact, values) -> None:
    for value in values.tolist():
        assert abs(ours(value) - exact(value)) <= TOLERANCE * max(1.0, abs(exact(value)))


def test_the_exponential_is_exact_relative_to_itself() -> None:
    for value in RNG.uniform(-700, 700, 1000).tolist():
        assert elementary.exp(value) == pytest.approx(math.exp(value), rel=1e-15)


def test_the_exponential_has_ends() -> None:
    assert elementary.exp(-1e4) == 0.0
    assert elementary.exp(1e4) == math.inf
    assert math.isnan(elementary.exp(math.nan))


def test_small_hazards_keep_their_precision() -> None:
    for value in np.geomspace(1e-12, 0.2, 50).tolist():
        assert elementary.log1p(-value) == pytest.approx(math.log1p(-value), rel=2e-15)


def test_an_angle_is_that_of_atan2_in_all_quadrants() -> None:
    for x, y in [*RNG.standard_normal((1000, 2)).tolist(), [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -2.0]]:
        assert elementary.angle(x, y) == pytest.approx(math.atan2(y, x), abs=1e-15)

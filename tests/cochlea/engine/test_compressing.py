"""The kernel that mixes the active and the passive velocity, judged by the plain form."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.compilation import compiled
from cochlea.compression import CompressionParams, compress
from cochlea.engine.compressing import ROWS, compress_tile, log_of_two

RATE = 24_000
WITHIN = 3e-5  # of the larger velocity: the logarithm is within 2e-6, and float32 has 6e-8 in each of 128 steps
EARS = {
    "plain": CompressionParams(),
    "slow": CompressionParams(time_constant=0.01, exponent=0.5),
    "linear": CompressionParams(exponent=1.0),
    "limiting": CompressionParams(exponent=0.0),
    "efferents": CompressionParams(efferent_attenuation=20.0, efferent_time_constant=0.01),
}


def velocities(n_steps: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Tiles (step, row) of velocities from far below to far above a knee of 1."""
    rng, size = np.random.default_rng(n_steps), np.geomspace(1e-3, 1e5, ROWS)
    active, passive = (size * rng.standard_normal((n_steps, ROWS)) for _ in range(2))
    return (3 * active).astype(np.float32), passive.astype(np.float32)


def at_rest() -> NDArray[np.float32]:
    return np.stack([np.zeros(ROWS), np.ones(ROWS)]).astype(np.float32)


@compiled()
def logarithms(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    for i in range(x.size):
        out[i] = log_of_two(x[i])


def test_the_logarithm_is_that_of_numpy():
    x = np.geomspace(1e-30, 1e30, 100_001).astype(np.float32)
    out = np.empty_like(x)
    logarithms(x, out)
    np.testing.assert_allclose(out, np.log2(x.astype(float)), atol=1e-5)  # float32 has 4e-6 at 100
    np.testing.assert_allclose(out[50_000:55_000], np.log2(x[50_000:55_000].astype(float)), atol=2.5e-6)


def test_the_logarithm_of_1_is_0():
    out = np.empty(1, np.float32)
    logarithms(np.ones(1, np.float32), out)
    assert out[0] == 0.0


@pytest.mark.parametrize("ear", EARS)
@pytest.mark.parametrize("n_steps", [1, 7, 128])
def test_a_tile_is_mixed_as_in_the_plain_form(ear: str, n_steps: int) -> None:
    params, (active, passive) = EARS[ear], velocities(n_steps)
    knees = np.linspace(0.5, 2, ROWS)
    expected = compress(active.T.astype(float), passive.T.astype(float), RATE, knees, params).T
    tile = active.copy()
    constants = params.kernel_constants(RATE)
    compress_tile(tile, passive, n_steps, constants, (1 / knees).astype(np.float32), at_rest())
    assert np.all(np.abs(tile - expected) <= WITHIN * np.maximum(np.abs(active), np.abs(passive)))


@pytest.mark.parametrize("ear", EARS)
def test_tiles_go_on_where_the_last_one_ended(ear: str) -> None:
    params, (active, passive) = EARS[ear], velocities(100)
    constants, per_knee = params.kernel_constants(RATE), np.ones(ROWS, np.float32)
    whole, state = active.copy(), at_rest()
    compress_tile(whole, passive, 100, constants, per_knee, state)
    parts, again = active.copy(), at_rest()
    for first, last in ((0, 1), (1, 60), (60, 100)):
        compress_tile(parts[first:last], passive[first:last], last - first, constants, per_knee, again)
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(again, state)


def test_steps_that_are_not_in_use_are_left_alone() -> None:
    active, passive = velocities(128)
    tile, state = active.copy(), at_rest()
    compress_tile(tile, passive, 50, CompressionParams().kernel_constants(RATE), np.ones(ROWS, np.float32), state)
    np.testing.assert_array_equal(tile[50:], active[50:])


def test_silence_stays_silent() -> None:
    tile, state = np.zeros((128, ROWS), np.float32), at_rest()
    compress_tile(tile, tile.copy(), 128, CompressionParams().kernel_constants(RATE), np.ones(ROWS, np.float32), state)
    assert not tile.any()
    np.testing.assert_array_equal(state, at_rest())

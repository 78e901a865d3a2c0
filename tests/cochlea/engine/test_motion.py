"""The velocity that the engine's kernels get, judged by the plain stages: one membrane or two, and cut in segments."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.basilar_membrane import memory
from cochlea.compression import CompressionParams, compressive_membrane
from cochlea.engine import traveling_wave
from cochlea.engine.compressing import ROWS
from cochlea.engine.motion import _tiers, motion_of_block, set_in_motion
from cochlea.engine.periodic import kernel_polynomials
from cochlea.engine.tiles import STEPS
from cochlea.engine.velocity_tiles import load_tile, source_points
from cochlea.model import CochleaParams
from cochlea.stimulus import pascal
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND

HUMAN = CochleaParams.human()
# Of the largest velocity of each place. What a membrane remembers is cut off where it has fallen to 1e-4 of a click, at
# another time in the plain form, where all places are transformed over the same stretch; of noise, more is left.
REMEMBERED = 1e-3


def membrane(n_places: int, damping: float = 0.02) -> BasilarMembraneParams:
    return replace(HUMAN.basilar_membrane, n_places=n_places, damping=damping)


def noise(duration: float, sample_rate: int, level: float) -> NDArray[np.float64]:
    """Noise at a level, which begins and ends smoothly, and which is soft now and then."""
    n = int(duration * sample_rate)
    white = np.convolve(np.random.default_rng(n).standard_normal(n + 1), np.hanning(16)[1:-1])[:n]
    white *= np.hanning(n) * (1.001 + np.sin(2 * np.pi * 3 * np.arange(n) / sample_rate))
    return white * pascal(level) / np.sqrt(np.mean(np.square(white)))


def as_the_kernels_get_it(
    pressure: NDArray[np.float64],
    sample_rate: int,
    params: BasilarMembraneParams,
    compression: CompressionParams | None,
) -> tuple[NDArray[np.float32], int]:
    """The velocity of all places, (place, step), tile after tile."""
    rate, moved, stretches = set_in_motion(pressure, sample_rate, params, compression)
    rooms: list[NDArray[np.complex64]] = []
    pieces = []
    for stretch in stretches:
        of_blocks = []
        for number, block in enumerate(moved.blocks):
            motion = motion_of_block(moved, stretch, number, rooms)
            source = np.full((source_points(STEPS, motion.pitch, motion.passive_pitch), ROWS), np.nan, np.float32)
            tiles = []
            for first in range(0, len(stretch.steps), STEPS):
                n_tile = min(STEPS, len(stretch.steps) - first)
                tile, passive = np.full((2, STEPS, ROWS), np.nan, np.float32)
                load_tile(*motion, first, n_tile, kernel_polynomials(), source, passive, tile)
                tiles.append(tile[:n_tile, N_BEYOND : N_BEYOND + len(block)].T)
            of_blocks.append(np.concatenate(tiles, axis=1))
        pieces.append(np.concatenate(of_blocks))
    return np.concatenate(pieces, axis=1), rate


def assert_alike(measured: NDArray[np.floating], expected: NDArray[np.floating], tolerance: float) -> None:
    assert measured.shape == expected.shape
    largest = np.abs(expected).max(axis=1, keepdims=True)
    assert np.all(np.abs(measured - expected) <= tolerance * largest)


@pytest.mark.parametrize("compression", [None, CompressionParams(), CompressionParams(efferent_attenuation=15.0)])
@pytest.mark.parametrize("level", [20.0, 90.0])
@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_the_velocity_is_that_of_the_plain_stages(
    compression: CompressionParams | None, level: float, sample_rate: int
) -> None:
    pressure = noise(0.5, sample_rate, level)
    expected, rate = compressive_membrane(pressure, sample_rate, membrane(130), compression)
    measured, its_rate = as_the_kernels_get_it(pressure, sample_rate, membrane(130), compression)
    assert its_rate == rate
    assert_alike(measured, expected, REMEMBERED)


@pytest.mark.parametrize("n_places", [1, 63, 64, 65, 200])
def test_any_number_of_places_compresses(n_places: int) -> None:
    pressure = noise(0.2, 48_000, 70.0)
    expected, _ = compressive_membrane(pressure, 48_000, membrane(n_places), CompressionParams())
    measured, _ = as_the_kernels_get_it(pressure, 48_000, membrane(n_places), CompressionParams())
    assert_alike(measured, expected, REMEMBERED)


def test_a_long_sound_compresses_as_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    # At 48 kHz: places above half the rate of a sound hardly move, and there is some ringing at the cuts.
    pressure = noise(2.0, 48_000, 75.0)
    whole, _ = compressive_membrane(pressure, 48_000, membrane(66), CompressionParams())
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.7)
    pieces, _ = as_the_kernels_get_it(pressure, 48_000, membrane(66), CompressionParams())
    assert_alike(pieces, whole, REMEMBERED)


def test_the_membrane_of_the_presets_is_moved_as_before() -> None:
    # One stretch for all blocks, and no kernel that mixes.
    pressure = noise(0.3, 48_000, 80.0)
    params = BasilarMembraneParams(n_places=130)
    _, moved, stretches = set_in_motion(pressure, 48_000, params, None)
    (stretch,) = stretches
    assert all(segment is stretch.active[0] for segment in stretch.active)
    assert stretch.passive is None
    assert motion_of_block(moved, stretch, 0, []).passive_grid.shape[0] == 0


def test_a_block_is_given_the_time_that_it_remembers() -> None:
    params = membrane(700)
    needed = [memory(params, 12_000, place=place) for place in range(63, 700, 64)]
    lengths, of_block = _tiers(needed)
    assert all(lengths[tier] >= need for tier, need in zip(of_block, needed, strict=True))
    assert all(lengths[tier] < 2.01 * need for tier, need in zip(of_block, needed, strict=True))
    assert len(lengths) < len(needed)


def test_a_motion_leaves_the_other_blocks_alone() -> None:
    pressure = noise(0.1, 48_000, 80.0)
    _, moved, stretches = set_in_motion(pressure, 48_000, membrane(130), CompressionParams())
    (stretch,) = stretches
    motion = motion_of_block(moved, stretch, 1, [])
    source = np.zeros((source_points(STEPS, motion.pitch, motion.passive_pitch), ROWS), np.float32)
    tile, passive = np.zeros((2, STEPS, ROWS), np.float32)
    load_tile(*motion, 0, STEPS, kernel_polynomials(), source, passive, tile)
    assert moved.state[1, 0].any()
    assert not moved.state[[0, 2], 0].any()

"""The velocity of a few places and a piece of sound at a time, judged by that of all places and the whole sound."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.basilar_membrane import basilar_membrane
from cochlea.engine import traveling_wave
from cochlea.engine.periodic import N_TAPS, kernel_polynomials
from cochlea.engine.traveling_wave import Velocity, cut_into_segments, room_needed, velocity_of_rows
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import N_BEYOND

CONVENTIONS = ("causal", "published")
BLOCK = 64  # places whose velocity is asked for at once
FEW_PLACES = 65  # one more than a block

# Of the largest velocity of each place.
ROUNDING = 3e-6  # float32: up to 2e-6 where a stretch is long
# Both forms let a sound's answer wrap around a stretch that is longer by what the membrane remembers, 1e-4 after a
# click; where a stretch can only be cut coarsely (rates with few common factors), their stretches differ.
WRAPPING = 1e-4
# Two places share a complex transform, whose rounding errors are those of the larger one. In a few samples of the
# published convention, where all but the lowest and the highest frequencies are missing, one place may move a hundred
# times less than its neighbor.
SHORT_CLIP = 3e-4
# Where a long sound is cut: of a place in the middle of the membrane next to nothing is left after a segment's guard,
# 5e-6; of the slowest ones, what the membrane remembers, up to 1.7e-4 of noise. The fastest ring for longer than their
# guard at a limit of the band that lies below their own frequency: that of a slow sound, and that of the half spectrum.
CUTTING = 1e-5
FORGETTING = 3e-4
RINGING = 4e-3

every_convention = pytest.mark.parametrize("convention", CONVENTIONS)


def params_of(convention: str, n_places: int = FEW_PLACES) -> BasilarMembraneParams:
    return BasilarMembraneParams(n_places=n_places, convention=convention)


def noise(n_samples: int) -> NDArray[np.float64]:
    """Noise that grows smoothly from 0 and holds next to nothing at half its rate, where a sound would ring."""
    white = np.random.default_rng(n_samples).standard_normal(n_samples + 1)
    return np.convolve(white, np.hanning(16)[1:-1])[:n_samples]


def rows_of(velocity: Velocity, n_steps: int) -> NDArray[np.floating]:
    """The rows of a velocity at its steps, shape (row, step), by the definition of its fields."""
    rows = velocity.grid.transpose(0, 2, 1).reshape(-1, velocity.grid.shape[1])
    position = velocity.start + velocity.pitch * np.arange(n_steps)
    if velocity.aligned:
        return rows[:, position.astype(int)]
    before = np.floor(position)
    taps = np.polyval(kernel_polynomials()[:, None, :], 2 * (position - before)[:, None] - 1)
    points = before.astype(int)[:, None] + np.arange(N_TAPS) - (N_TAPS // 2 - 1)
    return np.einsum("rst,st->rs", rows[:, points % rows.shape[1]], taps)


def in_pieces(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[NDArray[np.floating], int]:
    """The velocity of all places, block after block and segment after segment, and its rate."""
    rate, table, segments = cut_into_segments(pressure, sample_rate, params)
    pieces = []
    for segment in segments:
        blocks = []
        for first in range(0, params.n_places, BLOCK):
            last = min(first + BLOCK, params.n_places)
            room = np.full(room_needed(segment, BLOCK + 2 * N_BEYOND), np.nan, np.complex64)
            velocity = velocity_of_rows(segment, slice(first, last + 2 * N_BEYOND), table, room)
            blocks.append(rows_of(velocity, len(segment.steps))[N_BEYOND:][: last - first])
        pieces.append(np.concatenate(blocks))
    return np.concatenate(pieces, axis=1), rate


def largest(velocity: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.abs(velocity).max(axis=1, keepdims=True)


# Whatever the length and the rate. Of 1 to 4 samples each counts; 2016 and 2017 make 1009 steps of the published
# convention, a prime, and 4801 samples are prime themselves.
@every_convention
@pytest.mark.parametrize("n_samples", [1, 2, 3, 4, 20, 113, 481, 1009, 2016, 2017, 4801])
@pytest.mark.parametrize("sample_rate", [8000, 11_025, 16_000, 22_050, 24_000, 44_099, 44_100, 48_000, 96_000, 192_000])
def test_the_velocity_is_that_of_the_plain_form(convention: str, sample_rate: int, n_samples: int) -> None:
    params, pressure = params_of(convention), noise(n_samples)
    expected, rate = basilar_membrane(pressure, sample_rate, params)
    measured, its_rate = in_pieces(pressure, sample_rate, params)
    assert its_rate == rate
    assert measured.shape == expected.shape
    peak, tolerance = largest(expected), ROUNDING
    if convention == "published" and n_samples < 300:
        tolerance = SHORT_CLIP
    if convention == "causal":
        # an answer may be largest after the end of the sound
        peak = largest(basilar_membrane(np.r_[pressure, np.zeros(sample_rate // 4)], sample_rate, params)[0])
        if sample_rate in (11_025, 44_099, 44_100):
            tolerance = WRAPPING
    assert np.all(np.abs(measured - expected) <= tolerance * peak)


@every_convention
@pytest.mark.parametrize("n_places", [1, 2, 3, 63, 64, 127, 700])
def test_any_number_of_places_can_be_asked_for(convention: str, n_places: int) -> None:
    params, pressure = params_of(convention, n_places), noise(2017)
    expected, _ = basilar_membrane(pressure, 48_000, params)
    measured, _ = in_pieces(pressure, 48_000, params)
    assert measured.shape == expected.shape
    assert np.all(np.abs(measured - expected) <= ROUNDING * largest(expected))


@every_convention
def test_a_row_hardly_depends_on_the_rows_that_are_asked_for_with_it(convention: str) -> None:
    pressure = noise(4801)
    _, table, segments = cut_into_segments(pressure, 48_000, params_of(convention))
    segment = next(segments)

    def ask(first: int, last: int) -> NDArray[np.floating]:
        room = np.empty(room_needed(segment, last - first), np.complex64)
        return rows_of(velocity_of_rows(segment, slice(first, last), table, room), len(segment.steps))

    together = ask(10, 31)
    alone = np.concatenate([ask(row, row + 1)[:1] for row in range(10, 31)])
    assert np.all(np.abs(together[:21] - alone) <= ROUNDING * largest(alone))
    assert np.all(np.abs(together[21]) <= ROUNDING * largest(alone)[-1])  # beside the last of an odd number: nothing


@every_convention
def test_silence_moves_nothing(convention: str) -> None:
    assert not in_pieces(np.zeros(4801), 48_000, params_of(convention))[0].any()


@every_convention
def test_the_pressure_is_not_changed(convention: str) -> None:
    pressure = noise(4801)
    in_pieces(pressure, 48_000, params_of(convention))
    np.testing.assert_array_equal(pressure, noise(4801))


# Long sounds: here everything beyond 0.2 s is long.
@pytest.fixture
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.2)


@every_convention
@pytest.mark.usefixtures("_short_segments")
@pytest.mark.parametrize(
    ("sample_rate", "n_samples"),
    # within a segment; a segment, and a sample less and more; whole segments; a rest; rates with few common factors
    [(48_000, 100), (48_000, 9599), (48_000, 9600), (48_000, 9601), (48_000, 19_199), (48_000, 19_200),
     (48_000, 19_201), (48_000, 48_000), (48_000, 50_003), (8000, 8191), (44_100, 44_101), (44_099, 100_001),
     (192_000, 192_001)],
)  # fmt: skip
def test_segments_hold_every_step_once_and_in_order(convention: str, sample_rate: int, n_samples: int) -> None:
    rate, _, segments = cut_into_segments(np.zeros(n_samples), sample_rate, params_of(convention, 4))
    steps = [segment.steps for segment in segments]
    n_steps = -(-n_samples * rate // sample_rate) if convention == "causal" else n_samples // 2 + 1
    assert [step for piece in steps for step in piece] == list(range(n_steps))
    if sample_rate != 44_099:  # which has only whole seconds in common with the rate of the velocity
        assert max(len(piece) for piece in steps) <= 0.21 * rate


@every_convention
@pytest.mark.usefixtures("_short_segments")
@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 48_000])
def test_a_sound_in_segments_moves_the_membrane_as_in_one_piece(convention: str, sample_rate: int) -> None:
    params, pressure = params_of(convention), noise(sample_rate + 1)
    expected, _ = basilar_membrane(pressure, sample_rate, params)
    measured, _ = in_pieces(pressure, sample_rate, params)
    assert measured.shape == expected.shape
    error = np.abs(measured - expected).max(axis=1) / largest(expected)[:, 0]
    assert error[20:40].max() < CUTTING
    assert error[40:].max() < FORGETTING
    assert error[:20].max() < (RINGING if convention == "published" or sample_rate == 16_000 else CUTTING)

import numpy as np
import pytest

from cochlea.basilar_membrane import basilar_membrane
from cochlea.hair_cell import HairCellParams, hair_cell, place_hair_cells
from cochlea.transfer_function import BasilarMembraneParams, transfer_function

PARAMS = HairCellParams()
RATE = 24_000
VELOCITY = np.random.default_rng(0).standard_normal((17, 600)) * np.geomspace(1, 3000, 17)[:, None]


def by_samples(velocity, sample_rate, params):
    """The equations in their plainest form: one Euler step after another, in float64."""
    p, dt = params, 1 / sample_rate
    q, c, w = (np.full(velocity.shape[0], pool) for pool in p.resting_pools)
    probability = np.empty(velocity.shape)
    for t, v in enumerate(velocity.T.astype(np.float64)):
        drive = v + p.permeability_offset
        k = np.where(drive > 0, p.permeability * drive / (drive + p.permeability_scale), 0.0)
        dq = np.where(q < p.capacity, p.replenishment * (p.capacity - q), 0.0) + p.reprocessing * w - k * q
        dc = k * q - (p.loss + p.reuptake) * c
        dw = p.reuptake * c - p.reprocessing * w
        q, c, w = (np.maximum(pool + change * dt, 0.0) for pool, change in ((q, dq), (c, dc), (w, dw)))
        probability[:, t] = p.release * c * dt
    return probability


def tone(amplitude, duration=0.3):
    time = np.arange(round(duration * RATE)) / RATE
    return amplitude * np.sin(2 * np.pi * 1000 * time)


def rate_of(probability, start, stop):
    """Mean releases per second of a ready fiber between two times [s]."""
    return probability[..., round(start * RATE) : round(stop * RATE)].mean(axis=-1) * RATE


@pytest.mark.parametrize("params", [PARAMS, HairCellParams(replenishment=11.11, permeability=1000.0, capacity=2.0)])
def test_the_resting_pools_are_in_equilibrium(params):
    q, c, w = params.resting_pools
    k = params.permeability * params.permeability_offset / (params.permeability_offset + params.permeability_scale)
    assert params.replenishment * (params.capacity - q) + params.reprocessing * w - k * q == pytest.approx(0, abs=1e-9)
    assert k * q == pytest.approx((params.loss + params.reuptake) * c)
    assert params.reuptake * c == pytest.approx(params.reprocessing * w)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-4), (np.float64, 1e-11)])
def test_silence_stays_at_the_resting_equilibrium(dtype, tolerance):
    probability = hair_cell(np.zeros((1, RATE), dtype), RATE, PARAMS)
    resting = PARAMS.release * PARAMS.resting_pools[1] / RATE
    np.testing.assert_allclose(probability, resting, rtol=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-3), (np.float64, 1e-11)])
def test_the_kernel_follows_the_equations(dtype, tolerance):
    velocity = VELOCITY.astype(dtype)
    probability = hair_cell(velocity, RATE, PARAMS)
    assert probability.dtype == dtype
    expected = by_samples(velocity, RATE, PARAMS)
    # relative, but for probabilities that have died
    np.testing.assert_allclose(probability, expected, rtol=tolerance, atol=tolerance * 1e-3)


def test_the_kernel_follows_the_equations_for_other_params():
    params = HairCellParams(
        replenishment=11.11, permeability=1000.0, permeability_offset=4.0, permeability_scale=200.0, loss=1250.0,
        reuptake=16_667.0, reprocessing=250.0, release=30_000.0, capacity=2.0,
    )  # fmt: skip
    expected = by_samples(VELOCITY, RATE, params)
    np.testing.assert_allclose(hair_cell(VELOCITY, RATE, params), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(
    "params",
    [
        # one pool each that a step empties by more than it holds
        HairCellParams(permeability=40_000.0),
        HairCellParams(loss=30_000.0),
        HairCellParams(reprocessing=40_000.0),
    ],
)
def test_no_pool_falls_below_zero(params):
    expected = by_samples(VELOCITY, RATE, params)
    np.testing.assert_allclose(hair_cell(VELOCITY, RATE, params), expected, rtol=1e-9, atol=1e-15)


def test_a_free_pool_above_its_capacity_is_not_drained():
    params = HairCellParams(reprocessing=5.0)  # so much waits for reprocessing that it overfills the free pool
    velocity = np.concatenate([np.full(2 * RATE, -10.0), np.zeros(100)])[None]
    expected = by_samples(velocity, RATE, params)
    np.testing.assert_allclose(hair_cell(velocity, RATE, params), expected, rtol=1e-9, atol=1e-15)
    k = params.permeability * params.permeability_offset / (params.permeability_offset + params.permeability_scale)
    free = expected[0, 2 * RATE] / (params.release * k / RATE**2)
    assert free > params.capacity


@pytest.mark.parametrize("n_cells", [1, 15, 16, 17])
@pytest.mark.parametrize("n_samples", [1, 127, 128, 129])
def test_a_cell_does_not_depend_on_its_neighbors(n_cells, n_samples):
    velocity = VELOCITY[:n_cells, :n_samples]
    alone = np.concatenate([hair_cell(row[None].copy(), RATE, PARAMS) for row in velocity])
    np.testing.assert_array_equal(hair_cell(velocity, RATE, PARAMS), alone)


def test_what_comes_later_does_not_change_what_was():
    whole = hair_cell(VELOCITY, RATE, PARAMS)
    np.testing.assert_array_equal(hair_cell(VELOCITY[:, :300], RATE, PARAMS), whole[:, :300])


def test_probabilities_are_never_negative_and_never_nan():
    brutal = np.array([[1e4, -1e4] * 100, [1e30] * 200, [-1e30] * 200, [0.0] * 199 + [1e38]], np.float32)
    probability = hair_cell(brutal, RATE, PARAMS)
    assert np.all(probability >= 0)


def test_the_velocity_is_not_changed():
    velocity = VELOCITY.copy()
    hair_cell(velocity, RATE, PARAMS)
    np.testing.assert_array_equal(velocity, VELOCITY)


def test_a_louder_tone_releases_more_in_the_steady_state():
    # below an amplitude of A, 5, the permeability is nearly linear and a tone releases as silence does
    velocity = np.array([tone(amplitude) for amplitude in (0, 10, 30, 100, 300, 1000)])
    assert np.all(np.diff(rate_of(hair_cell(velocity, RATE, PARAMS), 0.2, 0.3)) > 0)


def test_a_tone_releases_most_at_its_onset():
    probability = hair_cell(tone(1000.0)[None], RATE, PARAMS)[0]
    assert rate_of(probability, 0, 0.005) > 3 * rate_of(probability, 0.2, 0.3)


def test_release_is_exhausted_after_a_tone_and_recovers():
    velocity = np.concatenate([tone(1000.0), np.zeros(RATE)])[None]
    probability = hair_cell(velocity, RATE, PARAMS)[0]
    resting = PARAMS.release * PARAMS.resting_pools[1] / RATE
    assert probability[round(0.302 * RATE)] < 0.25 * resting
    assert probability[-1] == pytest.approx(resting, rel=1e-3)


def test_a_finer_step_hardly_changes_the_rate():
    fine = np.interp(np.arange(0, 7200, 0.25), np.arange(7200), tone(100.0))[None]
    coarse = rate_of(hair_cell(tone(100.0)[None], RATE, PARAMS)[0], 0.1, 0.3)
    finer = 4 * RATE * hair_cell(fine, 4 * RATE, PARAMS)[0, round(0.1 * 4 * RATE) :].mean()
    assert coarse == pytest.approx(finer, rel=0.02)


def test_a_rate_at_which_the_steps_explode_is_refused():
    with pytest.raises(ValueError, match=r"hair_cell needs a sample_rate above 4540 Hz to be stable, got 4000"):
        hair_cell(VELOCITY, 4000, PARAMS)


def test_no_pool_may_be_faster_than_the_steps():
    with pytest.raises(ValueError, match=r"needs a sample_rate above 50002\.5 Hz to be stable, got 24000"):
        hair_cell(VELOCITY, RATE, HairCellParams(permeability=1e5))


@pytest.mark.parametrize("field", ["replenishment", "permeability", "loss", "release", "capacity"])
@pytest.mark.parametrize("value", [0, -1.0])
def test_params_out_of_range_are_refused(field, value):
    with pytest.raises(ValueError, match=rf"^HairCellParams\.{field} must be > 0, got {value}"):
        HairCellParams(**{field: value})


@pytest.mark.parametrize(("value", "rule"), [(0, ">= 1, got 0"), (2.5, r"a whole number >= 1, got 2\.5")])
def test_a_place_has_a_whole_number_of_cells(value, rule):
    with pytest.raises(ValueError, match=rf"^HairCellParams\.n_per_place must be {rule}"):
        HairCellParams(n_per_place=value)


@pytest.mark.parametrize("n_per_place", [2, 5])
def test_a_cubic_field_is_interpolated_exactly(n_per_place):
    def field(x):
        return np.array([1.0, 0.5 * x - 2, 0.1 * x**2, 0.02 * x**3 - x])

    velocity = np.array([field(x) for x in np.arange(9.0)])
    offsets = (np.arange(n_per_place) + 0.5) / n_per_place - 0.5
    expected = np.array([field(place + offset) for place in range(9) for offset in offsets])
    np.testing.assert_allclose(place_hair_cells(velocity, n_per_place), expected, atol=1e-12)


def test_one_cell_per_place_is_the_place_itself():
    cells = place_hair_cells(VELOCITY, 1)
    assert np.shares_memory(cells, VELOCITY)
    np.testing.assert_array_equal(cells, VELOCITY)


@pytest.mark.parametrize("n_per_place", [1, 4, 5])
def test_the_cells_of_some_places_are_a_part_of_all_cells(n_per_place):
    some = place_hair_cells(VELOCITY, n_per_place, range(3, 9))
    np.testing.assert_array_equal(some, place_hair_cells(VELOCITY, n_per_place)[3 * n_per_place : 9 * n_per_place])


def test_the_middle_cell_of_five_stands_at_its_place():
    np.testing.assert_allclose(place_hair_cells(VELOCITY, 5)[2::5], VELOCITY, atol=1e-9)


def test_too_few_places_cannot_be_interpolated():
    with pytest.raises(ValueError, match="place_hair_cells needs at least 4 places to interpolate between, got 3"):
        place_hair_cells(VELOCITY[:3], 5)


@pytest.mark.parametrize(
    ("place", "tolerance"),
    # the outermost cells of the apex lie beyond the last place: 2.5e-4
    [(0, 2e-6), (1, 2e-6), (100, 2e-6), (250, 2e-6), (400, 2e-5), (550, 5e-5), (698, 2e-4), (699, 5e-4)],
)
def test_interpolated_cells_move_as_the_exact_membrane_does(speech, place, tolerance):
    params = BasilarMembraneParams()
    # Nothing is cut off at the edge of the band, and the silence lasts until the slowest place has come to rest.
    sound = np.convolve(speech[2400:7200] * np.hanning(4800), np.hanning(16), "same")
    sound = np.r_[sound, np.zeros(14_400)]
    velocity, _ = basilar_membrane(sound, 48_000, params)
    cells = place_hair_cells(velocity, 5, range(place, place + 1))
    pitch = params.length / 699
    positions = params.positions[place] + np.array([-0.4, -0.2, 0.0, 0.2, 0.4]) * pitch
    n_steps = sound.size // 2
    n_bins = n_steps // 2 + 1
    exact = np.zeros((5, n_bins), complex)
    exact[:, 1:] = transfer_function(np.arange(1, n_bins) * 24_000 / n_steps, positions, params)
    faded = np.clip((12_000 - np.arange(n_bins) * 24_000 / n_steps) / 100, 0, 1)  # the last 100 Hz of the band
    spectrum = np.fft.rfft(sound)[:n_bins] * np.sin(np.pi / 2 * faded) ** 2
    expected = np.fft.irfft(spectrum * exact.conj(), n_steps, axis=1) / 2
    assert np.abs(cells - expected).max() < tolerance * np.abs(expected).max()

import numpy as np
import pytest

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve

RATE = 24_000
FINE = 1_000_000  # [Hz], where steps hardly round a time
N_DEAD = 24  # steps of 1 ms
# Rest, an onset, a modulated tone: up to 0.5 per step, as loud as speech gets.
PROBABILITY = np.concatenate([np.full(100, 0.003), np.full(60, 0.5), 0.06 + 0.05 * np.sin(np.arange(240) / 4)])
N_TRIALS = 2000


def explicit_fibers(probability, n_cells, n_fibers, rng):
    """Every fiber by itself: it fires with the probability of the step unless it fired less than 24 steps ago."""
    last = np.full((n_cells, n_fibers), -N_DEAD)
    counts = np.empty((n_cells, probability.size), np.int64)
    for t, p in enumerate(probability):
        fires = (rng.random(last.shape, np.float32) < p) & (t - last >= N_DEAD)
        last[fires] = t
        counts[:, t] = fires.sum(axis=1)
    return counts


def draw(probability, n_cells, n_fibers, seed):
    rows = np.tile(np.asarray(probability, np.float32), (n_cells, 1))
    counts = auditory_nerve(rows, RATE, AuditoryNerveParams(n_fibers=n_fibers), np.random.default_rng(seed))
    return counts.astype(np.int64)


@pytest.fixture(scope="module", params=[8, 40])
def populations(request):
    """The same trials twice: as the model draws them, and fiber by fiber."""
    drawn = draw(PROBABILITY, N_TRIALS, request.param, seed=1)
    return drawn, explicit_fibers(PROBABILITY, N_TRIALS, request.param, np.random.default_rng(2))


def z_of_means(a, b):
    return (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt((a.var(axis=0) + b.var(axis=0)) / a.shape[0])


def test_each_step_has_the_mean_count_of_explicit_fibers(populations):
    z = z_of_means(*populations)
    # 400 steps: the spread of z is 1 +- 0.035 (neighbors are correlated: 0.05), its largest value below 4.5
    assert np.std(z) == pytest.approx(1, abs=0.2)
    assert np.abs(z).max() < 4.5


def test_each_step_has_the_variance_of_explicit_fibers(populations):
    drawn, explicit = ((counts - counts.mean(axis=0)) ** 2 for counts in populations)
    z = z_of_means(drawn, explicit)
    assert np.std(z) == pytest.approx(1, abs=0.2)
    assert np.abs(z).max() < 5  # squares have heavier tails


@pytest.mark.parametrize("lag", [1, 12, 23, 24, 25, 48])
def test_counts_are_correlated_in_time_as_those_of_explicit_fibers(populations, lag):
    centered = [counts - counts.mean(axis=0) for counts in populations]
    drawn, explicit = ((c[:, lag:] * c[:, :-lag]).sum(axis=1) for c in centered)
    assert abs(z_of_means(drawn, explicit)) < 4


def test_the_total_of_a_trial_varies_as_with_explicit_fibers(populations):
    drawn, explicit = (counts.sum(axis=1) for counts in populations)
    assert abs(z_of_means(drawn, explicit)) < 4
    # the ratio of two variances of 2000 trials has a standard deviation of 4.5 %
    assert drawn.var() / explicit.var() == pytest.approx(1, abs=0.18)


def test_the_intervals_of_one_fiber_are_the_dead_time_and_a_geometric_wait():
    p = 0.05
    steps = np.flatnonzero(draw(np.full(2_000_000, p), 1, 1, seed=3)[0])
    waits = np.diff(steps) - N_DEAD
    assert waits.min() == 0  # never within the dead time, and at once after it
    observed = np.bincount(np.minimum(waits, 100), minlength=101)
    expected = waits.size * np.append(p * (1 - p) ** np.arange(100), (1 - p) ** 100)
    chi_square = np.sum((observed - expected) ** 2 / expected)
    assert abs(chi_square - 100) < 4 * np.sqrt(200)


@pytest.mark.parametrize("probability", [0.002, 0.5, 1.0])
def test_no_fiber_fires_twice_within_the_dead_time(probability):
    counts = draw(np.full(5000, probability), 20, 3, seed=4)
    in_dead_time = np.apply_along_axis(np.convolve, 1, counts, np.ones(N_DEAD, int))
    assert in_dead_time.max() <= 3


RECOVERING = AuditoryNerveParams(n_fibers=1, tau_refractory=0.75e-3, tau_relative=0.5e-3)


def draw_recovering(probability, n_cells, seed, params=RECOVERING):
    rows = np.tile(np.asarray(probability, np.float32), (n_cells, 1))
    return auditory_nerve(rows, RATE, params, np.random.default_rng(seed)).astype(np.int64)


def test_a_fiber_that_recovers_never_fires_within_the_absolute_time():
    intervals = np.diff(np.flatnonzero(draw_recovering(np.full(400_000, 0.9), 1, seed=21)[0]))
    assert intervals.min() == 18  # 0.75 ms


def test_a_fiber_recovers_exponentially():
    # A ready fiber fires at once, so an interval is the dead time.
    extra = np.diff(np.flatnonzero(draw_recovering(np.ones(400_000), 1, seed=22)[0])) - 18
    for wait in (6, 12, 24, 48):  # steps; half a step of rounding
        recovered = 1 - np.exp(-(wait - 0.5) / 12)
        assert np.mean(extra < wait) == pytest.approx(recovered, abs=4 * np.sqrt(0.25 / extra.size))
    assert extra.max() == round(12 * np.log(2 * 1024))  # the longest of the equally probable times


@pytest.mark.parametrize("drive", [20.0, 120.0, 350.0, 1000.0])
def test_the_rate_of_a_recovering_fiber_falls_by_its_dead_time(drive):
    seconds = 100
    probability = 1 - np.exp(-drive / RATE)
    rate = draw_recovering(np.full(seconds * RATE // 10, probability), 10, seed=23).sum() / seconds
    expected = drive / (1 + drive * 1.25e-3)
    assert rate == pytest.approx(expected, abs=4 * np.sqrt(expected / seconds), rel=0.005)


def test_the_mean_dead_time_is_the_sum_of_both_parts():
    assert RECOVERING.dead_times(FINE).mean() / FINE == pytest.approx(1.25e-3, rel=1e-3)


def test_many_fibers_recover_as_one_does():
    many = AuditoryNerveParams(n_fibers=30, tau_refractory=0.75e-3, tau_relative=0.5e-3)
    probability = np.tile(PROBABILITY, 5)
    together = draw_recovering(probability, 400, 24, many).sum(axis=0)
    alone = draw_recovering(probability, 12_000, 25).sum(axis=0)
    z = (together - alone) / np.sqrt(np.maximum(together + alone, 1))
    assert np.std(z) == pytest.approx(1, abs=0.1)


def test_without_a_relative_time_there_is_one_dead_time():
    np.testing.assert_array_equal(AuditoryNerveParams(tau_refractory=0.75e-3).dead_times(RATE), [18])


def test_cells_may_have_unequal_numbers_of_fibers():
    rows = np.ones((3, 100), np.float32)
    counts = auditory_nerve(rows, RATE, AuditoryNerveParams(), np.random.default_rng(0), n_fibers=[0, 2, 5])
    np.testing.assert_array_equal(counts.max(axis=1), [0, 2, 5])


@pytest.mark.parametrize("n_fibers", [[1, 2], [1.0, 2.0, 3.0], [1, -1, 2], 3])
def test_numbers_of_fibers_that_do_not_fit_are_refused(n_fibers):
    with pytest.raises(ValueError, match="n_fibers must be 3 whole numbers >= 0, one per cell, got"):
        auditory_nerve(np.ones((3, 4)), RATE, AuditoryNerveParams(), np.random.default_rng(0), n_fibers=n_fibers)


def test_certainty_fires_all_fibers_and_then_none_for_the_dead_time():
    counts = draw(np.ones(100), 5, 8, seed=5)
    expected = np.zeros(100)
    expected[::N_DEAD] = 8
    np.testing.assert_array_equal(counts, np.tile(expected, (5, 1)))


def test_a_probability_above_one_is_certainty():
    np.testing.assert_array_equal(draw(np.full(100, 3.0), 5, 8, seed=5), draw(np.ones(100), 5, 8, seed=5))


def test_impossibility_fires_none():
    assert not draw(np.zeros(1000), 5, 40, seed=6).any()


def test_without_refractoriness_every_step_is_binomial():
    rows = np.full((200, 1000), 0.3, np.float32)
    params = AuditoryNerveParams(n_fibers=10, tau_refractory=0.0)
    counts = auditory_nerve(rows, RATE, params, np.random.default_rng(7))
    assert counts.mean() == pytest.approx(3.0, abs=4 * np.sqrt(2.1 / counts.size))
    assert counts.var() == pytest.approx(2.1, abs=4 * 2.1 * np.sqrt(2 / counts.size))


def test_a_dead_time_of_no_whole_steps_is_rounded_up():
    params = AuditoryNerveParams(n_fibers=1, tau_refractory=2.5 / RATE)
    counts = auditory_nerve(np.ones((1, 10), np.float32), RATE, params, np.random.default_rng(8))
    np.testing.assert_array_equal(counts[0], [1, 0, 0, 1, 0, 0, 1, 0, 0, 1])


def test_the_same_generator_gives_the_same_spikes():
    np.testing.assert_array_equal(draw(PROBABILITY, 3, 8, seed=9), draw(PROBABILITY, 3, 8, seed=9))


def test_another_generator_gives_other_spikes():
    assert not np.array_equal(draw(PROBABILITY, 3, 8, seed=9), draw(PROBABILITY, 3, 8, seed=10))


def test_cells_fire_independently():
    totals = draw(np.full(400, 0.02), 4000, 8, seed=11).sum(axis=1)
    neighbors = np.corrcoef(totals[:-1], totals[1:])[0, 1]
    assert abs(neighbors) < 4 / np.sqrt(4000)


def test_the_probability_is_not_changed():
    probability = np.tile(PROBABILITY.astype(np.float32), (2, 1))
    auditory_nerve(probability, RATE, AuditoryNerveParams(), np.random.default_rng(0))
    np.testing.assert_array_equal(probability[0], PROBABILITY.astype(np.float32))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("n_fibers", 0, ">= 1 and <= 1000000, got 0"),
        ("n_fibers", 2.5, r"a whole number >= 1 and <= 1000000, got 2\.5"),
        ("tau_refractory", -1e-3, r"in 0\.\.1, got -0\.001"),
        ("tau_refractory", float("inf"), "finite, got inf"),
        ("tau_relative", -1e-3, r">= 0 and <= 0\.1, got -0\.001"),
        ("tau_relative", 0.2, r">= 0 and <= 0\.1, got 0\.2"),
    ],
)
def test_params_out_of_range_are_refused(field, value, rule):
    with pytest.raises(ValueError, match=rf"^AuditoryNerveParams\.{field} must be {rule}"):
        AuditoryNerveParams(**{field: value})

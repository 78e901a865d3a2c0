import numpy as np
import pytest
from scipy.stats import t

from spikedata.baseline.runs.statistics import (
    OverSeeds,
    numbers_of_ranges,
    over_clips,
    over_seeds,
    ranges_text,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("n_correct", "n", "low", "high"),
    # 81 of 263, 15 of 148 and 0 of 20: Newcombe, Statistics in Medicine 17:857 (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_that_of_published_tables(n_correct, n, low, high):
    assert wilson_interval(n_correct, n) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_is_the_same_for_failures_and_within_0_and_1():
    low, high = wilson_interval(7, 40)
    assert wilson_interval(33, 40) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(5, 5)[1] == 1.0


@pytest.mark.parametrize(("n_correct", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_an_interval_of_nothing_is_an_error(n_correct, n):
    with pytest.raises(ValueError, match="n_correct must be in"):
        wilson_interval(n_correct, n)


def test_the_interval_over_seeds_is_that_of_student():
    scores = [0.71, 0.69, 0.74, 0.70]
    found = over_seeds(scores)
    expected = t.interval(0.95, df=3, loc=np.mean(scores), scale=np.std(scores, ddof=1) / 2)
    assert found.interval_95 == pytest.approx(expected)
    assert (found.n, found.deviation) == (4, pytest.approx(np.std(scores, ddof=1)))


def test_one_seed_has_no_deviation():
    assert over_seeds([0.7]) == OverSeeds(1, 0.7, None, None)


def test_no_seed_is_an_error():
    with pytest.raises(ValueError, match="there must be a score, got none"):
        over_seeds([])


def test_an_interval_of_the_mean_ends_where_accuracies_do():
    low, high = over_seeds([0.9, 0.99]).interval_95
    assert (low > 0, high) == (True, 1.0)
    assert over_seeds([0.01, 0.1]).interval_95[0] == 0.0


def _over_clips_by_hand(tests):
    found = {}
    for clips, wrong in tests:
        for clip in clips.tolist():
            found.setdefault(clip, []).append(clip not in wrong.tolist())
    return len(found), sum(sum(said) / len(said) for said in found.values()) / len(found)


@pytest.mark.parametrize("seed", range(20))
def test_each_clip_counts_once_whatever_runs_tested_it(seed):
    rng = np.random.default_rng(seed)
    tests = []
    for _ in range(rng.integers(1, 8)):
        clips = rng.permutation(40)[: rng.integers(1, 41)]
        tests.append((clips, clips[rng.random(len(clips)) < rng.random()]))
    n, accuracy = _over_clips_by_hand(tests)
    found = over_clips(tests)
    assert (found.n, found.accuracy) == (n, pytest.approx(accuracy))
    assert found.interval_95 == wilson_interval(round(accuracy * n), n)


def test_more_runs_on_the_same_clips_make_no_interval_narrower():
    test = (np.arange(20), np.arange(5))
    assert over_clips([test] * 10) == over_clips([test])
    missing_seed = [test] * 23 + [(np.arange(10), np.arange(3))]
    assert over_clips(missing_seed).n == 20


def test_no_clip_is_an_error():
    with pytest.raises(ValueError, match="there must be a clip that was tested, got none"):
        over_clips([])


@pytest.mark.parametrize("seed", range(10))
def test_numbers_come_back_from_their_ranges(seed):
    numbers = np.flatnonzero(np.random.default_rng(seed).random(200) < seed / 10)
    assert numbers_of_ranges(ranges_text(np.random.default_rng(seed).permutation(numbers))).tolist() == numbers.tolist()


@pytest.mark.parametrize("text", ["a", "1-", "-1", "1-2-3", "1;2"])
def test_what_is_no_range_is_one_clear_error(text):
    with pytest.raises(ValueError, match="clips must be numbers and ranges of them"):
        numbers_of_ranges(text)

import math

import numpy as np
import pytest
from scipy import stats

from spikedata.compilation import compiled
from spikedata.transforms.passes import _HEIGHTS, fill_words, normal_of

N_DRAWS = 400_000
STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
SMALLEST_P = 1e-4  # of a test of fit


@compiled
def fill_normals(words, draws):
    for i in range(words.size):
        draws[i] = normal_of(words[i])


@pytest.fixture(scope="module")
def draws():
    words, draws = np.empty(N_DRAWS, np.uint64), np.empty(N_DRAWS)
    fill_words(np.uint64(1), words)
    fill_normals(words, draws)
    return draws


def test_the_layers_close_at_the_top_of_the_bell():
    assert _HEIGHTS[-1] == 1
    # the last but one edge, where another layer of the same area would begin, is that of the published table
    assert math.isclose(math.sqrt(-2 * math.log(_HEIGHTS[-2])), 0.2152418959132737, rel_tol=1e-6)


def test_mean_variance_skewness_and_kurtosis_are_those_of_the_normal_distribution(draws):
    for found, expected, variance in (
        (draws.mean(), 0, 1),
        (draws.var(), 1, 2),
        (stats.skew(draws), 0, 6),
        (stats.kurtosis(draws), 0, 24),
    ):
        assert abs(found - expected) < STANDARD_ERRORS * math.sqrt(variance / N_DRAWS)


def test_the_distribution_is_normal(draws):
    assert stats.kstest(draws, "norm").pvalue > SMALLEST_P


@pytest.mark.parametrize("edge", [2.0, 3.0, 3.6541528853610088, 4.0])
def test_each_tail_holds_its_share(draws, edge):
    expected = N_DRAWS * stats.norm.sf(edge)
    for found in (np.count_nonzero(draws > edge), np.count_nonzero(draws < -edge)):
        assert abs(found - expected) < STANDARD_ERRORS * math.sqrt(expected)


def test_neighboring_draws_are_not_correlated(draws):
    assert abs(np.corrcoef(draws[1:], draws[:-1])[0, 1]) < STANDARD_ERRORS / math.sqrt(N_DRAWS)

"""The streams of random numbers against the generator's published answers, and as samples of a distribution."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from cochlea.engine.chance import DRAWS, _fill_bits, _to_exponentials, fill_exponentials

N_COUNTERS = DRAWS // 4
NO_WORDS = (0, 0, 0, 0)
HIGHEST_WORD = 2**32 - 1
HIGHEST_BLOCK = 2**32 // N_COUNTERS - 1  # its counters end with the highest word
# float32 rounds the difference of two numbers of up to 16 = log(2**23), by 1e-6 at most each
TOLERANCE = 2e-6
# Samples are compared within four standard errors. The seeds are fixed: a second run throws no dice.
STANDARD_ERRORS = 4


def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Philox4x32-10 as its authors write it: ten rounds on whole numbers."""
    (left0, right0, left1, right1), (key0, key1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * left0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * left1, 2**32)
        left0, right0, left1, right1 = high1 ^ right0 ^ key0, low1, high0 ^ right1 ^ key1, low0
        key0, key1 = (key0 + 0x9E3779B9) % 2**32, (key1 + 0xBB67AE85) % 2**32
    return left0, right0, left1, right1


def expected_bits(block: int, cell: int, words: tuple[int, ...]) -> NDArray[np.uint32]:
    """A block of a stream: the first words of its counters, then the second, third and fourth ones."""
    counters = [(N_COUNTERS * block + i, cell, *words[:2]) for i in range(N_COUNTERS)]
    return np.array([philox(counter, words[2:]) for counter in counters], np.uint32).T.ravel()


def bits_of(block: int, cell: int, words: tuple[int, ...]) -> NDArray[np.uint32]:
    bits = np.empty(DRAWS, np.uint32)
    _fill_bits(block, cell, np.array(words, np.uint32), bits)
    return bits


def draws_of(block: int, cell: int, words: tuple[int, ...]) -> NDArray[np.float32]:
    bits, draws = np.empty(DRAWS, np.uint32), np.empty(DRAWS, np.float32)
    fill_exponentials(block, cell, np.array(words, np.uint32), bits, draws)
    return draws


# The counter of each answer is number `i` of a block: of the known answers of Random123, the authors' library.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((HIGHEST_WORD,) * 4, (HIGHEST_WORD,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),  # the digits of pi
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_the_generator_gives_the_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], answer: tuple[int, ...]
) -> None:
    block, i = divmod(counter[0], N_COUNTERS)
    assert tuple(bits_of(block, counter[1], (*counter[2:], *key))[i::N_COUNTERS]) == answer
    assert philox(counter, key) == answer


STREAMS = [
    (0, 0, NO_WORDS),
    (1, 3499, (5, 0, 7, 0)),
    (HIGHEST_BLOCK, HIGHEST_WORD, (HIGHEST_WORD,) * 4),
    (123_456, 2**31 + 1, (0xDEADBEEF, 0x01234567, 0x89ABCDEF, 0xFEDCBA98)),
]


@pytest.mark.parametrize(("block", "cell", "words"), STREAMS)
def test_a_block_is_that_of_the_published_rounds(block: int, cell: int, words: tuple[int, ...]) -> None:
    np.testing.assert_array_equal(bits_of(block, cell, words), expected_bits(block, cell, words))


@pytest.mark.parametrize(("block", "cell", "words"), STREAMS)
def test_a_number_is_the_logarithm_of_the_upper_bits(block: int, cell: int, words: tuple[int, ...]) -> None:
    upper = expected_bits(block, cell, words) // 2**9
    np.testing.assert_allclose(draws_of(block, cell, words), -np.log((upper + 0.5) / 2**23), rtol=0, atol=TOLERANCE)


@pytest.fixture(scope="module")
def every_exponential() -> NDArray[np.float32]:
    """The number that each of the 2**23 upper bits gives, shape (2**23,)."""
    exponentials = np.empty((2**23 // DRAWS, DRAWS), np.float32)
    upper = np.arange(2**23, dtype=np.uint32).reshape(exponentials.shape)
    for bits, draws in zip(upper << np.uint32(9), exponentials, strict=True):
        _to_exponentials(bits, draws, draws.view(np.int32))
    return exponentials.ravel()


def test_every_exponential_is_the_logarithm(every_exponential: NDArray[np.float32]) -> None:
    expected = -np.log((np.arange(2**23) + 0.5) / 2**23)
    assert np.abs(every_exponential - expected).max() < TOLERANCE


def test_greater_bits_never_give_a_greater_exponential(every_exponential: NDArray[np.float32]) -> None:
    assert np.all(np.diff(every_exponential) <= TOLERANCE / 2)  # the series of two neighboring exponents meet


def test_the_lower_bits_do_not_count() -> None:
    exponentials = np.empty((2, DRAWS), np.float32)
    upper = np.arange(DRAWS, dtype=np.uint32) << np.uint32(23)
    for lower, draws in zip((0, 2**9 - 1), exponentials, strict=True):
        _to_exponentials(upper | np.uint32(lower), draws, draws.view(np.int32))
    np.testing.assert_array_equal(*exponentials)


def test_what_the_room_held_does_not_matter() -> None:
    bits, draws = np.full(DRAWS, HIGHEST_WORD, np.uint32), np.full(DRAWS, np.nan, np.float32)
    fill_exponentials(1, 2, np.array((3, 4, 5, 6), np.uint32), bits, draws)
    np.testing.assert_array_equal(draws, draws_of(1, 2, (3, 4, 5, 6)))


def test_no_two_streams_of_a_seed_share_a_counter() -> None:
    # For one key Philox is a permutation of the counters: two equal results would be two equal counters.
    edges = (0, 1, 2**16, HIGHEST_WORD)
    cells = (0, 1, 2, 3499, 2**16, 2**31, HIGHEST_WORD)
    blocks = (0, 1, 2, 2**12, 2**16 - 1, 2**16, 2**27, HIGHEST_BLOCK)
    streams = list(product(blocks, cells, edges, edges))
    results = np.concatenate([bits_of(block, cell, (*clip, 8, 9)).reshape(4, -1).T for block, cell, *clip in streams])
    assert results.shape == (N_COUNTERS * len(streams), 4)
    assert np.unique(results, axis=0).shape == results.shape


NAMES = ["block", "cell", "low word of key", "high word of key", "low word of seed", "high word of seed"]


@pytest.mark.parametrize("highest", [False, True], ids=["lowest bit", "highest bit"])
@pytest.mark.parametrize("name", NAMES)
def test_another_block_cell_key_or_seed_turns_half_of_the_bits(name: str, highest: bool) -> None:
    stream, i = [17, 1000, 41, 42, 43, 44], NAMES.index(name)
    original = bits_of(*stream[:2], tuple(stream[2:]))
    stream[i] ^= (HIGHEST_BLOCK + 1 if name == "block" else 2**32) // 2 if highest else 1
    turned = original ^ bits_of(*stream[:2], tuple(stream[2:]))
    share = np.unpackbits(turned.view(np.uint8)).mean()
    assert share == pytest.approx(0.5, abs=STANDARD_ERRORS * 0.5 / np.sqrt(32 * DRAWS))


@pytest.fixture(scope="module")
def population() -> NDArray[np.float64]:
    """The first blocks of neighboring cells, shape (cell, number)."""
    streams = [[draws_of(block, cell, (1, 0, 2, 0)) for block in range(40)] for cell in range(200)]
    return np.array(streams, np.float64).reshape(200, -1)


@pytest.mark.parametrize(("power", "moment", "variance"), [(1, 1, 1), (2, 2, 20), (3, 6, 684)])
def test_the_moments_are_those_of_the_exponential_distribution(
    population: NDArray[np.float64], power: int, moment: int, variance: int
) -> None:
    error = STANDARD_ERRORS * np.sqrt(variance / population.size)
    assert np.mean(population**power) == pytest.approx(moment, abs=error)


def test_the_numbers_are_distributed_exponentially(population: NDArray[np.float64]) -> None:
    assert stats.kstest(population.ravel(), "expon").pvalue > 0.01


@pytest.mark.parametrize("position", range(0, DRAWS, 21))
def test_each_place_in_a_block_is_distributed_exponentially(population: NDArray[np.float64], position: int) -> None:
    assert stats.kstest(population[:, position::DRAWS].ravel(), "expon").pvalue > 0.01


def test_neighboring_cells_are_independent(population: NDArray[np.float64]) -> None:
    correlation = np.corrcoef(population[:-1].ravel(), population[1:].ravel())[0, 1]
    assert abs(correlation) < STANDARD_ERRORS / np.sqrt(population.size)


@pytest.mark.parametrize("lag", [1, 2, N_COUNTERS, DRAWS])
def test_the_numbers_of_a_stream_are_independent(population: NDArray[np.float64], lag: int) -> None:
    # a lag of `N_COUNTERS`: two words of one counter; of `DRAWS`: two blocks
    correlation = np.corrcoef(population[:, :-lag].ravel(), population[:, lag:].ravel())[0, 1]
    assert abs(correlation) < STANDARD_ERRORS / np.sqrt(population.size)


@pytest.mark.parametrize("word", range(4), ids=NAMES[2:])
def test_neighboring_keys_and_seeds_are_independent(population: NDArray[np.float64], word: int) -> None:
    words = np.array((1, 0, 2, 0))
    words[word] += 1
    others = [[draws_of(block, cell, tuple(words)) for block in range(40)] for cell in range(50)]
    correlation = np.corrcoef(population[:50].ravel(), np.ravel(others))[0, 1]
    assert abs(correlation) < STANDARD_ERRORS / np.sqrt(population[:50].size)

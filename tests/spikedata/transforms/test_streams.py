import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikedata.transforms.streams import GOLDEN, mixed, streams_of, substreams, uniforms

NUMBERS = st.integers(0, 2**63 - 1)

# The first outputs of SplitMix64 started at 1234567, as its many implementations agree on.
PUBLISHED_START = 1234567
PUBLISHED = [6457827717110365317, 3203168211198807973, 9817491932198370423]

N_STREAMS = 20_000
# Five standard errors: a true statement fails once in 1.7 million runs, and the draws here never change.
STANDARD_ERRORS = 5


def test_the_numbers_are_those_of_splitmix64():
    start = np.full(3, PUBLISHED_START, np.uint64)
    assert mixed(start + np.arange(1, 4, dtype=np.uint64) * GOLDEN).tolist() == PUBLISHED


@given(NUMBERS, NUMBERS, st.lists(NUMBERS, max_size=8))
def test_a_stream_depends_on_its_own_clip_only(seed, epoch, indices):
    together = streams_of(seed, epoch, indices)
    assert together.tolist() == [int(streams_of(seed, epoch, [index])[0]) for index in indices]


@given(NUMBERS, NUMBERS)
def test_no_two_clips_of_an_epoch_share_a_stream(seed, epoch):
    assert len(set(streams_of(seed, epoch, np.arange(1000)).tolist())) == 1000


@given(NUMBERS, NUMBERS, st.integers(1, 2**40))
def test_other_seeds_and_epochs_give_other_streams(seed, epoch, step):
    streams = streams_of(seed, epoch, [0])
    assert streams != streams_of((seed + step) % 2**63, epoch, [0])
    assert streams != streams_of(seed, (epoch + step) % 2**63, [0])


def test_seed_and_epoch_do_not_stand_for_each_other():
    assert streams_of(1, 2, [3]) != streams_of(2, 1, [3])


@pytest.mark.parametrize(("seed", "epoch", "index"), [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (2**63, 0, 0)])
def test_numbers_out_of_range_are_refused(seed, epoch, index):
    with pytest.raises(ValueError, match="must be >= 0 and <= 9223372036854775807, got"):
        streams_of(seed, epoch, [index])


def test_uniform_numbers_have_their_mean_and_variance():
    draws = uniforms(streams_of(0, 0, np.arange(N_STREAMS)), 3)
    assert draws.min() >= 0
    assert draws.max() < 1
    standard_error = np.sqrt(1 / 12 / N_STREAMS)
    np.testing.assert_allclose(draws.mean(axis=1), 0.5, atol=STANDARD_ERRORS * standard_error)
    np.testing.assert_allclose(draws.var(axis=1), 1 / 12, atol=STANDARD_ERRORS * np.sqrt(1 / 180 / N_STREAMS))


def test_the_numbers_of_a_clip_are_not_correlated_with_those_of_the_next_or_of_a_substream():
    streams = streams_of(0, 0, np.arange(N_STREAMS))
    draws = uniforms(streams, 2)
    others = [draws[1], np.roll(draws[0], 1), uniforms(substreams(streams, 0), 1)[0], uniforms(streams ^ GOLDEN, 1)[0]]
    found = [np.corrcoef(draws[0], other)[0, 1] for other in others]
    np.testing.assert_allclose(found, 0, atol=STANDARD_ERRORS / np.sqrt(N_STREAMS))


def test_substreams_differ_from_their_stream_and_from_each_other():
    streams = streams_of(0, 0, np.arange(100))
    words = np.concatenate([streams, *(substreams(streams, number) for number in range(10))])
    assert len(set(words.tolist())) == words.size

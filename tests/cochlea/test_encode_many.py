import itertools
import threading

import numpy as np
import pytest

from cochlea.model import CochleaParams, Spikes, encode, encode_many
from cochlea.transfer_function import BasilarMembraneParams

SMALL = CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=70))
CLIPS = [(np.random.default_rng(key).standard_normal(480 * (key + 1)), 48_000, key) for key in range(6)]


def same(a: Spikes, b: Spikes) -> bool:
    return np.array_equal(a.times, b.times) and np.array_equal(a.units, b.units)


@pytest.mark.parametrize("workers", [1, 2, None])
def test_a_clip_does_not_depend_on_its_neighbors_or_the_workers(workers):
    alone = [encode(waveform, rate, SMALL, seed=5, key=key) for waveform, rate, key in CLIPS]
    together = list(encode_many(CLIPS, SMALL, seed=5, workers=workers))
    assert len(together) == len(alone)
    assert all(same(a, b) for a, b in zip(together, alone, strict=True))


def test_the_whole_cochlea_does_not_depend_on_the_workers():
    one, two = (list(encode_many(CLIPS[:3], workers=workers)) for workers in (1, 2))
    assert all(same(a, b) for a, b in zip(one, two, strict=True))


def test_no_clips_give_no_spikes():
    assert list(encode_many([], SMALL)) == []


def test_an_error_is_raised_in_the_turn_of_its_clip():
    results = encode_many([CLIPS[0], (np.zeros((2, 2)), 48_000, 1), CLIPS[2]], SMALL, workers=2)
    assert isinstance(next(results), Spikes)
    with pytest.raises(ValueError, match="one-dimensional"):
        next(results)


def test_an_error_can_take_the_place_of_the_spikes_of_its_clip():
    faulty = [CLIPS[0], (np.zeros((2, 2)), 48_000, 1), (np.ones(9), 500, 2), CLIPS[3], (np.zeros(480), 48_000, 4)]
    results = list(encode_many(faulty, SMALL, workers=2, return_exceptions=True, refuse_silence=True))
    assert [type(result) for result in results] == [Spikes, ValueError, ValueError, Spikes, ValueError]
    assert [str(error) for error in results if isinstance(error, ValueError)] == [
        "a waveform must be one-dimensional (mono), got shape (2, 2)",
        "sample_rate must be a whole number of Hz, at least 1000, got 500",
        "silent: all 480 samples are 0",
    ]
    assert same(results[3], encode(*CLIPS[3][:2], SMALL, key=3))


def test_an_error_of_the_clips_themselves_is_raised_all_the_same():
    def failing():
        yield CLIPS[0]
        raise OSError("no disk")

    results = encode_many(failing(), SMALL, workers=1, return_exceptions=True)
    assert isinstance(next(results), Spikes)
    with pytest.raises(OSError, match="no disk"):
        next(results)


def test_an_endless_list_of_clips_is_read_only_a_few_ahead():
    read = []

    def endless():
        for key in itertools.count():
            read.append(key)
            yield CLIPS[0][0], 48_000, key

    n_threads = threading.active_count()
    results = encode_many(endless(), SMALL, workers=2)
    next(results)
    next(results)
    results.close()
    assert len(read) <= 2 + 2 * 2
    assert threading.active_count() == n_threads


def test_what_has_not_begun_when_the_results_are_closed_is_dropped():
    begun, gate = [], threading.Event()

    class Recording:
        def __init__(self, key):
            self.key = key

        def __array__(self, dtype=None, copy=None):
            begun.append(self.key)
            if self.key > 0:
                gate.wait(10)
            return CLIPS[0][0]

    results = encode_many(((Recording(key), 48_000, key) for key in range(9)), SMALL, workers=1)
    next(results)
    opening = threading.Timer(0.3, gate.set)  # while close() waits for the clip that has begun
    opening.start()
    results.close()
    opening.join()
    assert len(begun) <= 2


@pytest.mark.parametrize(
    ("workers", "rule"),
    [
        (0, ">= 1, got 0"),
        (-1, ">= 1, got -1"),
        (2.5, r"a whole number >= 1, got 2\.5"),
        (True, "a whole number >= 1"),
    ],
)
def test_there_is_at_least_one_worker(workers, rule):
    with pytest.raises(ValueError, match=f"^workers must be {rule}"):
        next(encode_many(CLIPS, SMALL, workers=workers))

"""Random numbers of a clip: keyed, independent, and the same everywhere."""

import numpy as np
import pytest

from spikedata.acoustics.chance import draw_below, draw_within, normals, stream_of, uniforms

# Of the 200,000 numbers below: five standard deviations of a mean, a variance and a fourth moment.
MEAN_ERROR, VARIANCE_ERROR, KURTOSIS_ERROR = 0.012, 0.016, 0.055
N_DRAWS = 200_000


def test_the_same_seed_clip_epoch_and_purpose_give_the_same_numbers():
    assert np.array_equal(uniforms(stream_of(3, "a.wav", 2, "snr"), 5), uniforms(stream_of(3, "a.wav", 2, "snr"), 5))


@pytest.mark.parametrize(
    "other", [(4, "a.wav", 2, "snr"), (3, "b.wav", 2, "snr"), (3, "a.wav", 3, "snr"), (3, "a.wav", 2, "level")]
)
def test_whatever_differs_gives_other_numbers(other):
    assert not np.isin(uniforms(stream_of(3, "a.wav", 2, "snr"), 5), uniforms(stream_of(*other), 5)).any()


def test_the_first_numbers_of_a_stream_are_these_on_every_machine():
    assert uniforms(stream_of(0, "a.wav"), 2).tolist() == [0.9900924317338674, 0.1250369919702916]
    assert normals(stream_of(0, "a.wav"), 2).tolist() == [-0.1290130615234375, -1.749237060546875]


def test_uniform_numbers_fill_their_range_evenly():
    drawn = uniforms(stream_of(0, "x"), N_DRAWS)
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    counts = np.histogram(drawn, 20, (0, 1))[0]
    assert np.sum((counts - N_DRAWS / 20) ** 2 / (N_DRAWS / 20)) < 50  # chi square of 19, p = 1e-4


def test_normal_numbers_have_mean_0_variance_1_and_kurtosis_2_9():
    drawn = normals(stream_of(0, "x"), N_DRAWS)
    assert abs(drawn.mean()) < MEAN_ERROR
    assert abs(drawn.var() - 1) < VARIANCE_ERROR
    assert abs(np.mean(drawn**4) - 2.9) < KURTOSIS_ERROR


def test_normal_numbers_follow_each_other_without_memory():
    drawn = normals(stream_of(0, "x"), N_DRAWS)
    lags = [float(np.mean(drawn[:-lag] * drawn[lag:])) for lag in (1, 2, 3, 7)]
    assert max(map(abs, lags)) < MEAN_ERROR


def test_a_range_is_drawn_from_its_low_to_its_high_end():
    drawn = [draw_within((-5.0, 20.0), stream_of(0, f"{n}")) for n in range(500)]
    assert -5.0 <= min(drawn) < -4.5
    assert 19.5 < max(drawn) < 20.0


def test_a_single_number_is_not_drawn():
    assert draw_within(7.5, stream_of(0, "a")) == 7.5


def test_choices_are_drawn_evenly():
    counts = np.bincount([draw_below(5, stream_of(1, f"{n}")) for n in range(2000)], minlength=5)
    assert counts.size == 5
    assert counts.min() > 320  # of 400: four and a half standard deviations


@pytest.mark.parametrize(
    ("seed", "key", "epoch"), [(-1, "a", 0), (0.5, "a", 0), (0, "a", -1), (0, 7, 0), (2**63, "a", 0)]
)
def test_what_is_no_seed_clip_or_epoch_is_refused_by_name(seed, key, epoch):
    with pytest.raises(ValueError, match=r"^(seed|key|epoch) must be "):
        stream_of(seed, key, epoch)

import math
from pathlib import Path

import numpy as np
import pytest

from spikedata.tasks import latency_images
from spikedata.tasks.idx import read_images

ALL_VALUES = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
SHARED = Path(__file__).parents[4] / "shared" / "images"


def times_of(events):
    times = np.full(events.n_units, np.inf)
    times[events[0].units] = events[0].times
    return times


@pytest.mark.parametrize(("value", "x"), [(255, 1.0), (153, 0.6), (52, 52 / 255)])
def test_log_latency_is_its_equation_at_the_ends_and_in_the_middle(value, x):
    found = times_of(latency_images(ALL_VALUES, [0]))[value]
    assert found == pytest.approx(0.02 * math.log(x / (x - 0.2)), rel=1e-12)


def test_the_brightest_pixel_fires_after_four_and_a_half_milliseconds():
    assert times_of(latency_images(ALL_VALUES, [0]))[255] == pytest.approx(4.46e-3, abs=5e-6)


def test_the_threshold_itself_does_not_fire():
    times = times_of(latency_images(ALL_VALUES, [0]))
    assert np.isinf(times[:52]).all()  # 51/255 is 0.2
    assert np.isfinite(times[52:]).all()


def test_a_pixel_barely_above_the_threshold_is_dropped_beyond_the_end_of_the_clip():
    times = times_of(latency_images(ALL_VALUES, [0], duration=0.07))
    assert np.isinf(times[52])  # 79 ms
    assert 0.06 < times[53] < 0.07  # 66 ms
    assert times[np.isfinite(times)].max() < 0.07


def test_the_linear_code_leaves_out_black_and_nearly_black():
    times = times_of(latency_images(ALL_VALUES, [0], code="linear", t_max=0.03))
    assert np.isinf(times[:2]).all()
    np.testing.assert_allclose(times[2:], 0.03 * (1 - np.arange(2, 256) / 255), rtol=1e-12, atol=1e-18)


def test_brighter_is_earlier_in_both_codes():
    for code in ("log", "linear"):
        times = times_of(latency_images(ALL_VALUES, [0], code=code))
        assert (np.diff(times[np.isfinite(times)]) < 0).all()


def test_pixels_are_units_row_after_row():
    image = np.zeros((1, 3, 4), np.uint8)
    image[0, 1, 2] = 255
    assert latency_images(image, [0])[0].units.tolist() == [6]


def test_a_dark_image_is_silent():
    assert len(latency_images(np.zeros((2, 3, 3), np.uint8), [0, 1]).times) == 0


@pytest.mark.parametrize(
    ("images", "labels", "options", "error", "rule"),
    [
        (np.zeros((1, 2, 2)), [0], {}, TypeError, "images must be uint8, got float64"),
        (
            np.zeros((2, 2), np.uint8),
            [0],
            {},
            ValueError,
            r"\(n_clips, height, width\), got an array of shape \(2, 2\)",
        ),
        (np.zeros((2, 2, 2), np.uint8), [0], {}, ValueError, "labels must be 2, one for each image"),
        (ALL_VALUES, [0], {"code": "rate"}, ValueError, "code must be one of log, linear, got 'rate'"),
        (ALL_VALUES, [0], {"threshold": 1}, ValueError, "threshold must be > 0 and < 1, got 1"),
    ],
)
def test_what_means_nothing_is_refused(images, labels, options, error, rule):
    with pytest.raises(error, match=rule):
        latency_images(images, labels, **options)


@pytest.mark.skipif(not (SHARED / "mnist.npz").is_file(), reason="the images are not on this machine")
@pytest.mark.parametrize(("name", "above", "of_log"), [("mnist", 150, 126), ("fashion_mnist", 383, 331)])
def test_images_fire_as_many_spikes_as_measured(name, above, of_log):
    found = read_images(SHARED / f"{name}.npz", "test")
    some = np.random.default_rng(0).permutation(10_000)[:1000]
    images, labels = found.images[some], found.labels[some]
    linear, log = (latency_images(images, labels, code=code) for code in ("linear", "log"))
    assert len(linear.times) / 1000 == pytest.approx(above, rel=0.05)
    assert len(log.times) / 1000 == pytest.approx(of_log, rel=0.05)

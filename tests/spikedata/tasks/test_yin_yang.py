import hashlib

import numpy as np
import pytest

from spikedata.tasks import yin_yang, yin_yang_points
from spikedata.tasks.yin_yang import PARTS


def published(size, seed):
    """The published rule, in its own words and order of comparisons."""
    rng, points, classes = np.random.RandomState(seed), [], []
    for _ in range(size):
        goal = rng.randint(3)
        while True:
            x, y = rng.rand(2) * 2.0 * 0.5
            if np.sqrt((x - 0.5) ** 2 + (y - 0.5) ** 2) > 0.5:
                continue
            right, left = np.sqrt((x - 0.75) ** 2 + (y - 0.5) ** 2), np.sqrt((x - 0.25) ** 2 + (y - 0.5) ** 2)
            is_yin = right <= 0.1 or (left > 0.1 and left <= 0.25) or (y > 0.5 and right > 0.25)
            if (2 if right < 0.1 or left < 0.1 else int(is_yin)) == goal:
                break
        points.append((x, y))
        classes.append(goal)
    return np.array(points), np.array(classes)


@pytest.mark.parametrize("part", PARTS)
def test_the_parts_are_the_published_ones_point_for_point(part):
    points, labels = yin_yang_points(part)
    wanted, classes = published({"train": 5000}.get(part, 1000), {"train": 42, "validation": 41, "test": 40}[part])
    assert np.array_equal(points[:, :2], wanted)
    assert np.array_equal(labels, classes)


def test_the_test_part_is_the_same_on_every_machine():
    points, labels = yin_yang_points("test")
    text = "\n".join(f"{x:.9f} {y:.9f} {label}" for (x, y), label in zip(points[:, :2], labels, strict=True))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "b1f74f8e6bc197f7"


def test_the_other_coordinates_are_mirrored():
    points, _ = yin_yang_points(n_clips=50)
    assert np.array_equal(points[:, 2:], 1 - points[:, :2])


def test_classes_are_balanced_as_they_are_drawn():
    assert np.bincount(yin_yang_points()[1]).tolist() == [1681, 1702, 1617]


def test_fewer_points_are_the_first_ones():
    assert np.array_equal(yin_yang_points(n_clips=7)[0], yin_yang_points()[0][:7])


def test_a_value_becomes_a_time_and_the_bias_fires_at_its_own():
    events = yin_yang("test", n_clips=20, t_min=0.01, t_max=0.05, bias_time=0.02)
    points, _ = yin_yang_points("test", n_clips=20)
    for sample, point in zip(events, points, strict=True):
        order = np.argsort(sample.units)
        np.testing.assert_allclose(sample.times[order], [*(0.01 + 0.04 * point), 0.02], rtol=1e-12)
    assert events.durations.tolist() == [0.05] * 20


def test_without_a_bias_there_are_four_units():
    assert yin_yang(n_clips=2, bias_time=None).n_units == 4


def test_the_clip_holds_a_late_bias():
    assert yin_yang(n_clips=1, bias_time=0.04).durations.tolist() == [0.04]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"part": "valid"}, "part must be one of train, validation, test, got 'valid'"),
        ({"t_min": 0.02, "t_max": 0.01}, "t_max must be > 0.02, got 0.01"),
        ({"seed": -1}, "seed must be >= 0 and <= 4294967295, got -1"),
        ({"n_clips": 0}, "n_clips must be >= 1, got 0"),
    ],
)
def test_what_means_nothing_is_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        yin_yang(**change)

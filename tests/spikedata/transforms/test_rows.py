from itertools import pairwise

import numpy as np

from spikedata.events import latest_times
from spikedata.transforms.rows import widened


def test_every_half_float_that_a_time_can_be_is_widened_exactly():
    times = np.arange(0x7C00, dtype=np.uint16).view(np.float16)
    wide = widened(times)
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, times.astype(np.float32))


def test_negative_zero_is_zero():
    assert widened(np.array([-0.0], np.float16)).tolist() == [0]


def test_times_of_other_widths_are_not_copied():
    times = np.array([0.1, 0.2])
    assert widened(times) is times


def test_the_latest_time_is_found_whatever_the_order(make):
    events = make([0, 1, 50, 0, 30], is_sorted=False, dtype=np.float16)
    rows = pairwise(events.offsets)
    assert latest_times(events).tolist() == [events.times[begin:end].max(initial=0) for begin, end in rows]
    ordered = make([0, 1, 50, 0, 30])
    assert latest_times(ordered).tolist() == [clip.times.max(initial=0) for clip in ordered]

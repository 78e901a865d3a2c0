import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikedata.transforms import Blend, ChannelMerge, Compose, CutMix, NoiseEvents
from spikedata.transforms.mixing import _CLASSMATES, partners_of
from spikedata.transforms.streams import streams_of

STANDARD_ERRORS = 5  # a true statement fails once in 1.7 million runs, and the draws here never change
ROUNDING = 1e-6  # [s], of float32 times of about a second


def pairs(events, clip):
    row = slice(events.offsets[clip], events.offsets[clip + 1])
    return list(zip(events.times[row].tolist(), events.units[row].tolist(), strict=True))


def test_noise_is_a_poisson_number_of_events(make, apply):
    events = make([2] * 2000, duration=1e-9, dtype=np.float64)
    events.times[1::2] = 0.5
    added = np.diff(apply(NoiseEvents(rate=0.1), events).offsets) - 2
    mean = 0.1 * 700 * 0.5
    assert abs(added.mean() - mean) < STANDARD_ERRORS * np.sqrt(mean / 2000)
    assert abs(added.var() / mean - 1) < STANDARD_ERRORS * np.sqrt(2 / 2000 + 1 / (mean * 2000))


def test_noise_is_uniform_in_time_and_units_and_follows_the_events(make, apply):
    events = make([10] * 200)
    noisy = apply(NoiseEvents(rate=1), events)
    noise_times, noise_units = [], []
    for clip in range(200):
        found = pairs(noisy, clip)
        assert found[:10] == pairs(events, clip)
        latest = events.times[events.offsets[clip + 1] - 1]
        noise_times += [time / latest for time, _ in found[10:]]
        noise_units += [unit for _, unit in found[10:]]
    n_noise = len(noise_times)
    assert max(noise_times) <= 1 + ROUNDING
    assert abs(np.mean(noise_times) - 0.5) < STANDARD_ERRORS / np.sqrt(12 * n_noise)
    assert abs(np.mean(noise_units) - 349.5) < STANDARD_ERRORS * 700 / np.sqrt(12 * n_noise)
    assert (min(noise_units), max(noise_units)) == (0, 699)


def test_no_noise_of_no_rate(make, apply):
    events = make([10, 0])
    np.testing.assert_array_equal(apply(NoiseEvents(rate=0), events).times, events.times)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 4))
def test_partners_are_of_the_same_class(make, seed, n_clips, n_classes):
    events = make([3] * n_clips, n_classes=n_classes)
    draws = np.random.default_rng(seed).random(n_clips)
    assert (events.labels[partners_of(events, draws, events)] == events.labels).all()


def test_every_clip_of_the_class_is_as_likely_a_partner(make):
    source = make([1] * 30, n_classes=3)
    events = source.select(np.zeros(5000, int))
    counts = np.bincount(partners_of(events, np.random.default_rng(0).random(5000), source), minlength=30)
    np.testing.assert_allclose(counts[::3], 500, atol=STANDARD_ERRORS * np.sqrt(450))
    assert counts.sum() == counts[::3].sum()


def test_what_is_known_of_a_source_is_forgotten_with_it(make, apply):
    n_before = len(_CLASSMATES)
    events = make([5, 5])
    apply(Blend(share=0.5), events)
    assert len(_CLASSMATES) == n_before + 1
    del events
    gc.collect()
    assert len(_CLASSMATES) == n_before


@pytest.mark.parametrize("transform", [Blend(share=0.5), CutMix(largest_share=0.5)])
def test_a_class_that_the_source_lacks_is_named(transform, make, apply):
    events = make([5, 5, 5])
    with pytest.raises(ValueError, match="the source has no clip of class '2'"):
        apply(transform, events, source=events.select([0, 1]))


def test_mixing_after_merging_channels_is_refused(make, apply):
    wrong = Compose([ChannelMerge(n_merged=10), Blend(share=0.5)])
    with pytest.raises(ValueError, match="partners have 700 units and events 70: merge channels afterwards"):
        apply(wrong, make([5]))


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_blend_takes_its_share_of_both_clips(share, make, apply):
    source = make([20_000, 30_000], n_classes=1, dtype=np.float64)
    own = set(pairs(source, 0))
    for seed in range(6):
        streams = streams_of(seed, 0, [0])
        blended = set(
            pairs(Blend(share=share, is_aligned=False).transform_events(source.select([0]), streams, source), 0)
        )
        others = blended - own
        if others or share == 0:
            break
    assert abs(len(blended & own) - (1 - share) * 20_000) <= STANDARD_ERRORS * np.sqrt(share * (1 - share) * 20_000)
    assert abs(len(others) - share * 30_000) <= STANDARD_ERRORS * np.sqrt(share * (1 - share) * 30_000)
    assert others <= set(pairs(source, 1))


def test_aligned_clips_have_their_centers_halfway_between(make, apply):
    source = make([4000, 4000], n_classes=1, dtype=np.float64)
    source.times[:] += 10  # far from 0, where nothing is dropped
    source.times[:4000] += 3
    source.units[:4000] = source.units[:4000] // 10 + 200
    source.units[4000:] = source.units[4000:] // 10 + 400
    means = [(source.times[row].mean(), source.units[row].mean()) for row in (slice(0, 4000), slice(4000, 8000))]
    halfway = np.mean(means, axis=0)
    blended = [apply(Blend(share=0.5), source, indices=[0], seed=seed) for seed in range(8)]
    centers = np.array([(clip.times.mean(), clip.units.mean()) for clip in blended])
    with_itself, with_other = np.array(means[0]), halfway
    is_other = abs(centers[:, 0] - with_other[0]) < abs(centers[:, 0] - with_itself[0])
    assert 0 < np.count_nonzero(is_other) < 8
    # about 4000 events are left: their means scatter by 0.29 s and 20 units over the root of that, plus half a unit
    # of rounding in the shift
    tolerance = np.array([0.29, 20]) * STANDARD_ERRORS / np.sqrt(4000) + [0, 0.5]
    assert (abs(centers[is_other] - with_other) < tolerance).all()
    assert (abs(centers[~is_other] - with_itself) < tolerance).all()


@pytest.mark.parametrize(("unit", "time"), [(699, 3.0), (0, 0.0)])
def test_alignment_drops_what_leaves_the_range(unit, time, make, apply):
    source = make([2000, 2000], n_classes=1, dtype=np.float64)
    units, times = source.units[:2000].astype(int), source.times[:2000]
    source.units[2000:], source.times[2000:] = unit, time
    units = units + int(np.rint((unit - units.mean()) / 2))
    times = times + (time - times.mean()) / 2
    n_in_range = np.count_nonzero((units >= 0) & (units < 700) & (times >= 0))
    found = [apply(Blend(share=0), source, indices=[0], seed=seed) for seed in range(8)]
    # a clip that met itself stays as it is
    assert {clip.times.size for clip in found} == {2000, n_in_range}
    assert all(clip.times.min() >= 0 and clip.units.max() < 700 for clip in found)


def test_a_blend_with_a_silent_clip_is_not_moved(make, apply):
    source = make([0, 500], n_classes=1, dtype=np.float64)
    for seed in range(8):
        assert set(pairs(apply(Blend(share=0.5), source, indices=[1], seed=seed), 0)) <= set(pairs(source, 1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([np.float16, np.float32, np.float64]))
def test_cut_mix_replaces_one_span_of_time(make, apply, seed, dtype):
    source = make([300, 300], n_classes=1, dtype=dtype)
    own, other = set(pairs(source, 0)), set(pairs(source, 1))
    found = set(pairs(apply(CutMix(largest_share=0.6), source, indices=[0], seed=seed), 0))
    lost, won = own - found, found - own
    assert won <= other
    changed = sorted(time for time, _ in lost | won)
    if changed:
        assert changed[-1] - changed[0] <= 0.6 + ROUNDING
        own_inside, other_inside = (
            {pair for pair in clip if changed[0] <= pair[0] <= changed[-1]} for clip in (own, other)
        )
        assert (lost, won) == (own_inside - other, other_inside - own)


def test_a_partner_in_cut_mix_gives_half_of_the_share_on_the_average(make, apply):
    source = make([500] * 400, n_classes=1, dtype=np.float64)
    mixed = apply(CutMix(largest_share=0.5), source)
    shares = [1 - len(set(pairs(mixed, clip)) & set(pairs(source, clip))) / 500 for clip in range(400)]
    assert abs(np.mean(shares) - 0.25) < STANDARD_ERRORS * 0.5 / np.sqrt(12 * 400) + 1 / 400  # itself, at times

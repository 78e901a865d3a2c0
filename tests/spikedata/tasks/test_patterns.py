import numpy as np
import pytest

from spikedata.tasks import bitmap_raster, cochlea_bitmap, delayed_xor, equidistant_targets, spike_patterns
from spikedata.tasks.bitmaps import read_bitmap


def test_frozen_inputs_are_poisson():
    events = spike_patterns(n_units=2000, rate=8.0, duration=0.5, seed=1)
    counts = np.bincount(events.units, minlength=2000)
    assert counts.mean() == pytest.approx(4.0, abs=4 * 2 / np.sqrt(2000))
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.15)
    assert np.histogram(events.times, 5, (0, 0.5))[0] == pytest.approx(np.full(5, 1600), abs=4 * np.sqrt(1600))


def test_inputs_are_the_same_however_many_patterns_there_are():
    one, three = spike_patterns(n_clips=1), spike_patterns(n_clips=3)
    assert one[0].times.tolist() == three[0].times.tolist()
    assert three[1].times.tolist() != three[2].times.tolist()


def test_a_rate_of_zero_is_silence():
    assert len(spike_patterns(rate=0.0).times) == 0


def test_targets_divide_the_clip_evenly():
    events = equidistant_targets(n_units=2)
    assert events.times.reshape(5, 2)[:, 0] == pytest.approx(np.linspace(0, 0.5, 7)[1:6])
    assert events.units.tolist() == [0, 1] * 5


def test_each_pixel_is_a_spike_of_its_row_in_its_column():
    bitmap = np.random.default_rng(0).random((7, 9)) < 0.4
    events = bitmap_raster(bitmap, column_duration=0.02, seed=3)
    found = np.zeros_like(bitmap)
    found[events.units, (events.times // 0.02).astype(int)] = True
    assert np.array_equal(found, bitmap)
    assert len(events.times) == bitmap.sum()
    assert events.durations.tolist() == [pytest.approx(0.18)]


def test_the_cochlea_fills_its_picture():
    bitmap = cochlea_bitmap()
    assert bitmap.shape == (200, 189)
    assert bitmap.any(axis=0).all()
    assert bitmap.any(axis=1).all()
    assert 0.05 < bitmap.mean() < 0.2


def test_other_bitmaps_are_refused():
    with pytest.raises(ValueError, match=r"True or False, \(n_units, n_columns\), got int64 of shape \(2, 2\)"):
        bitmap_raster(np.eye(2, dtype=np.int64))


@pytest.mark.parametrize("kind", ["gray", "color", "opacity", "numpy"])
def test_dark_pixels_of_a_picture_are_true(tmp_path, kind):
    from matplotlib.image import imsave

    bitmap = np.random.default_rng(0).random((5, 6)) < 0.5
    shade = np.where(bitmap, 0.1, 0.9)
    if kind == "numpy":
        np.save(tmp_path / "x.npy", (255 * shade).astype(np.uint8))
    elif kind == "gray":
        imsave(tmp_path / "x.png", shade, cmap="gray", vmin=0, vmax=1)
    elif kind == "color":
        imsave(tmp_path / "x.png", np.stack([shade] * 3, axis=2))
    else:  # black everywhere, but transparent where it is bright
        imsave(tmp_path / "x.png", np.stack([0 * shade] * 3 + [1 - shade], axis=2))
    path = tmp_path / ("x.npy" if kind == "numpy" else "x.png")
    assert np.array_equal(read_bitmap(path), bitmap)


def test_what_is_no_picture_is_refused_in_one_line(tmp_path):
    for name, rule in (
        ("x.png", "cannot be read as a picture"),
        ("x.npy", "cannot be read"),
        ("x.jpg", "must be .png"),
    ):
        (tmp_path / name).write_bytes(b"no picture")
        with pytest.raises(ValueError, match=rule):
            read_bitmap(tmp_path / name)


def test_the_class_is_whether_one_of_both_stimuli_was_there():
    events = delayed_xor(60, noise_rate=0.0, delay=0.03)
    for sample in events:
        given = [bool(((sample.units >= low) & (sample.units < high)).any()) for low, high in ((34, 67), (67, 100))]
        assert sample.label == given[0] ^ given[1]
    assert set(events.labels) == {0, 1}


def test_stimuli_are_frozen_and_one_comes_later():
    events = delayed_xor(60, noise_rate=0.0, delay=0.03)
    patterns = {}
    for sample in events:
        for group, (low, high) in enumerate(((0, 34), (34, 67), (67, 100))):
            mine = (sample.units >= low) & (sample.units < high)
            if mine.any():
                patterns.setdefault(group, set()).add((tuple(sample.times[mine]), tuple(sample.units[mine])))
    assert [len(patterns[group]) for group in range(3)] == [1, 1, 1]
    starts = [min(next(iter(patterns[group]))[0]) for group in range(3)]
    assert max(starts[:2]) < 0.01
    assert 0.03 <= starts[2] < 0.04


def test_noise_leaves_the_stimuli_as_they_are():
    quiet, noisy = delayed_xor(10, noise_rate=0.0), delayed_xor(10, noise_rate=50.0)
    assert quiet.labels.tolist() == noisy.labels.tolist()
    for still, loud in zip(quiet, noisy, strict=True):
        is_reference = (loud.units < 34) & (loud.times < 0.01)
        assert loud.times[is_reference].tolist() == still.times[still.units < 34].tolist()
        assert len(loud.times) > len(still.times)


def test_a_trial_does_not_depend_on_how_many_there_are():
    few, many = delayed_xor(3), delayed_xor(9)
    assert few[2].times.tolist() == many[2].times.tolist()


def test_the_length_of_a_trial_is_drawn():
    lengths = delayed_xor(50, delay=0.0).durations
    assert ((lengths >= 0.075) & (lengths <= 0.085)).all()
    assert len(set(lengths)) == 50

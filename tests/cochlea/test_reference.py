"""The published preset against the published converter's own results on one recording, and the model on real speech."""

from types import SimpleNamespace

import numpy as np
import pytest

from cochlea.auditory_nerve import auditory_nerve
from cochlea.basilar_membrane import basilar_membrane
from cochlea.bushy_cell import bushy_cell
from cochlea.hair_cell import hair_cell
from cochlea.model import CochleaParams, encode
from cochlea.stimulus import apply_ramps, as_waveform, normalize_rms

PARAMS = CochleaParams.published()
RATE = 24_000
N_SEEDS = 20


@pytest.fixture(scope="module")
def reference(shared):
    path = shared / "reference" / "published_converter_one_clip.npz"
    if not path.is_file():
        pytest.skip(f"the reference results are not there: {path.parent.name}/{path.name}")
    with np.load(path) as arrays:
        return SimpleNamespace(**arrays)


@pytest.fixture(scope="module")
def velocity(reference):
    return basilar_membrane(reference.stim, int(reference.fs_in), PARAMS.basilar_membrane)[0]


@pytest.fixture(scope="module")
def probability(velocity):
    return hair_cell(velocity, RATE, PARAMS.hair_cell)


@pytest.fixture(scope="module")
def draws(probability):
    """Fiber spikes in all, spikes per channel and inter-spike intervals [steps] of 20 seeds."""
    releases, counts, intervals = [], [], []
    for seed in range(N_SEEDS):
        fiber_spikes = auditory_nerve(probability, RATE, PARAMS.auditory_nerve, np.random.default_rng(seed))
        steps, channels = bushy_cell(fiber_spikes, RATE, PARAMS.bushy_cell, n_fibers=40)
        releases.append(fiber_spikes.sum())
        counts.append(np.bincount(channels, minlength=700))
        intervals.append(np.diff(steps)[np.diff(channels) == 0])
    return SimpleNamespace(releases=np.array(releases), counts=np.array(counts), intervals=np.concatenate(intervals))


def z_of_means(a, b):
    """Difference of the means of two sets of draws over its standard error, by the pooled variance."""
    n_a, n_b = len(a), len(b)
    variance = (a.var(axis=0) * n_a + b.var(axis=0) * n_b) / (n_a + n_b - 2)
    return (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt(variance * (1 / n_a + 1 / n_b))


def test_the_stimulus_is_that_of_the_published_converter(reference):
    # its command line's default: a Hann window over the whole clip
    pressure = apply_ramps(normalize_rms(as_waveform(reference.raw), 0.3), int(reference.fs_in), np.inf)
    np.testing.assert_allclose(pressure, reference.stim, atol=1e-12)


def test_the_velocity_is_that_of_the_published_converter(reference, velocity):
    error = np.abs(velocity[reference.channels] - reference.bm).max(axis=1)
    assert np.max(error / np.abs(reference.bm).max(axis=1)) < 1e-5
    rms = np.sqrt(np.square(velocity, dtype=np.float64).mean(axis=1))
    np.testing.assert_allclose(rms, reference.bm_rms_all, rtol=1e-5)


def test_the_release_probability_is_that_of_the_published_converter(reference, probability):
    ours = probability[reference.channels]
    likely = reference.p > 1e-3
    # the velocity's 1e-5 of its peak, where the velocity itself is small
    np.testing.assert_allclose(ours[likely], reference.p[likely], rtol=2e-4)
    np.testing.assert_allclose(ours, reference.p, atol=1e-6)
    np.testing.assert_allclose(probability.mean(axis=1), reference.p_mean_all, rtol=5e-5)
    np.testing.assert_allclose(probability.max(axis=1), reference.p_max_all, rtol=5e-5)


def test_as_many_fibers_fire(reference, draws):
    assert abs(z_of_means(draws.releases, reference.releases)) < 3.5


def test_as_many_bushy_cells_fire(reference, draws):
    assert abs(z_of_means(draws.counts.sum(axis=1), reference.counts.sum(axis=1))) < 3.5


def test_the_total_varies_as_much(reference, draws):
    # the ratio of the deviations of 20 and 100 draws is uncertain by 17 %
    ratio = draws.counts.sum(axis=1).std() / reference.counts.sum(axis=1).std()
    assert 0.5 < ratio < 1.6


def test_every_channel_fires_as_often(reference, draws):
    z = z_of_means(draws.counts, reference.counts)
    assert np.std(z) == pytest.approx(1, abs=0.12)  # 700 channels: 1 +- 0.03
    assert abs(np.mean(z)) < 4 / np.sqrt(700)
    assert np.abs(z).max() < 4.5


def test_the_intervals_between_spikes_are_distributed_alike(reference, draws):
    edges = np.r_[25, 40:100:5, 100:300:20, 300:1000:100, 2000]
    ours = np.histogram(np.minimum(draws.intervals, 1999), edges)[0]  # as the reference has it
    theirs = np.add.reduceat(reference.isi_hist, edges[:-1])
    expected = (ours + theirs) / (ours.sum() + theirs.sum())
    chi_square = sum(np.sum((n - n.sum() * expected) ** 2 / (n.sum() * expected)) for n in (ours, theirs))
    n_free = edges.size - 2
    # intervals follow one another and are not quite independent: five standard deviations
    assert chi_square < n_free + 5 * np.sqrt(2 * n_free)


# Real recordings


@pytest.fixture(scope="module")
def recordings(shared):
    """The word "sechs" of six speakers, 48 kHz."""
    soundfile = pytest.importorskip("soundfile")
    paths = sorted((shared / "audio" / "heidelberg_digits").glob("lang-german_speaker-0[0-5]_trial-*_digit-6.flac"))
    if not paths:
        pytest.skip("the recordings are not there: audio/heidelberg_digits")
    first_of_speaker = {path.name.split("_")[1]: path for path in reversed(paths)}
    return [soundfile.read(path) for path in first_of_speaker.values()]


def test_real_words_have_as_many_spikes_as_in_the_published_data_set(recordings):
    counts = [encode(waveform, rate, PARAMS).times.size for waveform, rate in recordings]
    # five of class "sechs" in the published file: 5568, 8034, 5620, 5243, 6263; mean 6146, standard deviation 1120
    assert np.mean(counts) == pytest.approx(6146, abs=4 * 1120 * np.sqrt(1 / 5 + 1 / len(counts)))
    assert all(3506 <= count <= 12_289 for count in counts)  # least and most of 24 random digits


def test_both_presets_hear_the_same_real_word(recordings):
    waveform, rate = recordings[0]
    default, published = encode(waveform, rate), encode(waveform, rate, PARAMS)
    assert default.times.size == pytest.approx(published.times.size, rel=0.1)
    per_ten = [np.bincount(spikes.units // 10, minlength=70) for spikes in (default, published)]
    assert np.corrcoef(*per_ten)[0, 1] > 0.98


def test_a_real_word_starts_and_ends_with_spikes(recordings):
    for waveform, rate in recordings[:2]:
        times = encode(waveform, rate).times
        assert times[0] < 0.03
        assert times[-1] > waveform.size / rate - 0.03

import numpy as np
import pytest

from cochlea.stimulus import StimulusParams, apply_ramps, as_sample_rate, as_waveform, normalize_rms, resample

NOISE = np.random.default_rng(0).standard_normal(1001)


def rms(waveform):
    return np.sqrt(np.mean(np.square(waveform)))


def test_the_root_mean_square_is_the_level():
    assert rms(normalize_rms(NOISE, 0.3)) == pytest.approx(0.3, rel=1e-12)


def test_silence_stays_silent():
    np.testing.assert_array_equal(normalize_rms(np.zeros(10), 0.3), np.zeros(10))


@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e200, 1e307])
def test_neither_faint_nor_loud_sounds_lose_their_shape(factor):
    with np.errstate(all="raise", under="ignore"):
        scaled = normalize_rms(NOISE * factor, 0.3)
    # a number near 1e-310 has only about twelve binary digits left of its last place
    np.testing.assert_allclose(scaled, normalize_rms(NOISE, 0.3), atol=1e-12)


def test_ramps_rise_from_zero_and_fall_back_to_it():
    ramped = apply_ramps(np.ones(4800), 48_000, 0.03)
    np.testing.assert_allclose(ramped, ramped[::-1])
    assert ramped[0] == 0.0
    assert np.all(np.diff(ramped[:1440]) > 0)


def test_the_middle_of_a_sound_is_not_ramped():
    np.testing.assert_array_equal(apply_ramps(np.ones(4800), 48_000, 0.03)[1440:-1440], 1.0)


def test_a_ramp_passes_half_at_half_its_length():
    assert apply_ramps(np.ones(48_000), 48_000, 0.03)[720] == pytest.approx(0.5, abs=0.001)


def test_an_endless_ramp_is_one_hann_window():
    np.testing.assert_allclose(apply_ramps(np.ones(500), 48_000, np.inf), np.hanning(500), atol=1e-15)


def test_no_ramp_leaves_the_sound_as_it_is():
    np.testing.assert_array_equal(apply_ramps(NOISE, 48_000, 0.0), NOISE)


@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_a_sound_shorter_than_its_ramps_keeps_its_length(n_samples):
    assert apply_ramps(np.ones(n_samples), 48_000, 0.03).shape == (n_samples,)


@pytest.mark.parametrize("prepare", [
    as_waveform,
    lambda waveform: normalize_rms(waveform, 0.3),
    lambda waveform: apply_ramps(waveform, 48_000, 0.03),
    lambda waveform: resample(waveform, 16_000, 48_000),
])  # fmt: skip
def test_the_waveform_is_not_changed(prepare):
    waveform = NOISE.copy()
    prepare(waveform)
    np.testing.assert_array_equal(waveform, NOISE)


@pytest.mark.parametrize(
    ("dtype", "samples", "expected"),
    [
        (np.int16, [-32768, 0, 16384], [-1.0, 0.0, 0.5]),
        (np.int8, [-128, 0, 64], [-1.0, 0.0, 0.5]),
        (np.uint8, [0, 128, 192], [-1.0, 0.0, 0.5]),
        (np.int32, [-(2**31), 0, 2**30], [-1.0, 0.0, 0.5]),
        (np.float32, [-1.0, 0.0, 0.5], [-1.0, 0.0, 0.5]),
    ],
)
def test_every_sample_type_reaches_from_minus_one_to_one(dtype, samples, expected):
    np.testing.assert_array_equal(as_waveform(np.array(samples, dtype)), expected)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros((2, 3)), r"one-dimensional \(mono\), got shape \(2, 3\)"),
        (1.0, r"one-dimensional \(mono\), got shape \(\)"),
        ([], r"at least one sample, got 0"),
        ([1j], r"integer or real samples, got complex128"),
        (["a"], r"integer or real samples, got <U1"),
        ([True], r"integer or real samples, got bool"),
        ([0.0, np.nan], r"finite, got nan at sample 1"),
        ([np.inf], r"finite, got inf at sample 0"),
    ],
)
def test_a_waveform_that_cannot_be_heard_is_refused(waveform, message):
    with pytest.raises(ValueError, match=message):
        as_waveform(waveform)


@pytest.mark.parametrize("sample_rate", [0, -48_000, 999, 24_000.5, float("nan"), float("inf")])
def test_a_sample_rate_is_a_whole_number_of_at_least_a_kilohertz(sample_rate):
    with pytest.raises(ValueError, match=r"sample_rate must be a whole number of Hz, at least 1000, got"):
        as_sample_rate(sample_rate)


@pytest.mark.parametrize("sample_rate", [8000, 8000.0, np.float32(8000), np.int64(8000)])
def test_a_sample_rate_may_come_as_any_number(sample_rate):
    assert as_sample_rate(sample_rate) == 8000
    assert type(as_sample_rate(sample_rate)) is int


@pytest.mark.parametrize(("sample_rate", "new_rate"), [(16_000, 48_000), (44_100, 48_000), (48_000, 8000)])
def test_a_tone_resampled_is_the_tone_sampled_at_the_new_rate(sample_rate, new_rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(sample_rate // 2) / sample_rate)
    expected = np.sin(2 * np.pi * 440 * np.arange(new_rate // 2) / new_rate)
    middle = slice(new_rate // 20, -new_rate // 20)  # the filter has its own onset
    # the ripple that SciPy's standard filter has in its pass band
    np.testing.assert_allclose(resample(tone, sample_rate, new_rate)[middle], expected[middle], atol=2e-3)


def test_resampling_to_the_same_rate_changes_nothing():
    np.testing.assert_array_equal(resample(NOISE, 8000, 8000), NOISE)


@pytest.mark.parametrize("n_samples", [1, 2, 1001])
def test_resampling_keeps_the_duration(n_samples):
    assert resample(NOISE[:n_samples], 44_100, 48_000).size == -(-n_samples * 48_000 // 44_100)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("level", 0, r"must be > 0 and <= 1e\+06, got 0"),
        ("level", float("inf"), "must be finite, got inf"),
        ("ramp_duration", -0.01, r"must be >= 0, got -0\.01"),
        ("sample_rate", 999, "must be >= 1000, got 999"),
        ("sample_rate", 48_000.0, r"must be a whole number >= 1000 or None, got 48000\.0"),
        ("sample_rate", 0, "must be >= 1000, got 0"),
    ],
)
def test_params_out_of_range_are_refused(field, value, rule):
    with pytest.raises(ValueError, match=rf"^StimulusParams\.{field} {rule}"):
        StimulusParams(**{field: value})


def test_an_endless_ramp_is_allowed():
    assert StimulusParams(ramp_duration=np.inf).ramp_duration == np.inf

from dataclasses import replace

import numpy as np
import pytest

from cochlea.model import CochleaParams, encode
from cochlea.stimulus import (
    StimulusParams,
    apply_ramps,
    as_sample_rate,
    as_waveform,
    normalize_rms,
    pascal,
    prepare_and_judge,
    prepare_stimulus,
    resample,
)

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
        ("high_pass", 0.0, r"must be >= 1 and <= 400, got 0\.0"),
        ("high_pass", 500.0, r"must be >= 1 and <= 400, got 500\.0"),
    ],
)
def test_params_out_of_range_are_refused(field, value, rule):
    with pytest.raises(ValueError, match=rf"^StimulusParams\.{field} {rule}"):
        StimulusParams(**{field: value})


def test_an_endless_ramp_is_allowed():
    assert StimulusParams(ramp_duration=np.inf).ramp_duration == np.inf


# What lies below hearing. A sound of 0.5 s, like a word: a vowel of 120 Hz that swells and fades.

TIME = np.arange(8000) / 16_000
SOUND = 0.03 * np.hanning(8000) * sum(np.sin(2 * np.pi * 120 * h * TIME) / h for h in range(1, 20))
RMS = rms(SOUND)


def to_bits(waveform, n_bits):
    return np.round(waveform * 2.0 ** (n_bits - 1)) / 2.0 ** (n_bits - 1)


DISTURBANCES = {
    "offset 0.1": np.full(8000, 0.1),
    "offset 0.5": np.full(8000, 0.5),
    "offset -5": np.full(8000, -5.0),
    "ramp": np.linspace(-0.5, 0.9, 8000),
    "curve": (TIME - 0.2) ** 2,
    "microphone that is switched on": 0.5 * np.exp(-TIME / 0.1),
    "rumble of 5 Hz": 20 * RMS * np.cos(2 * np.pi * 5 * TIME + 1),
    "rumble of 10 Hz": 5 * RMS * np.cos(2 * np.pi * 10 * TIME + 1),
    "loud rumble of 10 Hz": 20 * RMS * np.cos(2 * np.pi * 10 * TIME + 1),
    "offset and ramp and rumble": 0.3 + TIME + 5 * RMS * np.cos(2 * np.pi * 7 * TIME),
}


@pytest.mark.parametrize("disturbance", DISTURBANCES.values(), ids=DISTURBANCES)
def test_what_lies_below_hearing_does_not_set_the_level(disturbance):
    clean, _ = prepare_stimulus(SOUND, 16_000, StimulusParams())
    disturbed, _ = prepare_stimulus(SOUND + disturbance, 16_000, StimulusParams())
    # The sound in it. One pass leaves 1/16 of a rumble of 10 Hz, which is then 0.05 of the power of a sound that was
    # five times fainter; more passes delay the sound at 120 Hz.
    assert np.dot(disturbed, clean) / np.dot(clean, clean) == pytest.approx(1, abs=0.08)


@pytest.mark.parametrize("name", ["offset 0.1", "offset 0.5", "offset -5", "ramp"])
def test_an_offset_or_a_drift_changes_no_spike(name):
    # the pressure differs by rounding, which may shift a spike: three of a thousand
    clean, disturbed = (encode(waveform, 16_000) for waveform in (SOUND, SOUND + DISTURBANCES[name]))
    assert disturbed.times.size == pytest.approx(clean.times.size, rel=0.003)
    per_ten = [np.bincount(spikes.units // 10, minlength=70) for spikes in (clean, disturbed)]
    assert np.corrcoef(*per_ten)[0, 1] > 0.999


@pytest.mark.parametrize(("name", "tolerance"), [("rumble of 10 Hz", 0.03), ("loud rumble of 10 Hz", 0.1)])
def test_a_rumble_leaves_the_number_of_spikes_as_it_is(name, tolerance):
    # The number varies by 1 % from key to key. The passes that a rumble 20 times louder takes also take the lowest
    # frequencies of the sound. Without a filter, there are 3,186 and 736 spikes for 8,318.
    disturbed, clean = (encode(waveform, 16_000).times.size for waveform in (SOUND + DISTURBANCES[name], SOUND))
    assert disturbed == pytest.approx(clean, rel=tolerance)


def test_an_offset_of_8_bit_samples_is_none_of_the_sound():
    samples = np.round(128 + 127 * (SOUND + 0.3)).astype(np.uint8)
    clean = np.round(128 + 127 * SOUND).astype(np.uint8)
    with_offset, without = (encode(waveform, 16_000).times.size for waveform in (samples, clean))
    assert with_offset == pytest.approx(without, rel=0.03)


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 1e9), (1e-308, 0.0), (1e291, 1e300), (1e307, -1e308)])
def test_an_offset_costs_no_more_than_the_rounding_of_the_samples(factor, offset):
    expected, _ = prepare_stimulus(SOUND, 16_000, StimulusParams())
    with np.errstate(all="raise", under="ignore"):
        pressure, _ = prepare_stimulus(factor * SOUND + offset, 16_000, StimulusParams())
    rounding = max(abs(offset) * 2.0**-53, 2.0**-1074) / factor / RMS  # of each sample, relative to the sound
    assert rms(pressure - expected) < (1e-9 + 2 * rounding) * rms(expected)


def test_the_published_converter_keeps_an_offset():
    published = CochleaParams.published().stimulus
    pressure, _ = prepare_stimulus(np.full(48_000, 0.5) + 1e-3 * np.sin(np.arange(48_000)), 48_000, published)
    assert pressure[10_000:-10_000].mean() == pytest.approx(0.3, rel=0.01)  # the level


def test_without_a_high_pass_the_default_keeps_it_too():
    pressure, _ = prepare_stimulus(SOUND + 5.0, 16_000, StimulusParams(high_pass=None))
    assert pressure[4000] == pytest.approx(0.3, rel=0.05)


def test_a_sound_in_half_of_the_clip_keeps_its_shape_over_a_rumble():
    # a pass that finds little to remove is taken back, so that a drift alone does not change the sound
    sound = np.where(TIME < 0.25, SOUND, 0.0)
    clean, drifting = (prepare_stimulus(sound + drift, 16_000, StimulusParams())[0] for drift in (0.0, 100 * TIME))
    np.testing.assert_allclose(drifting, clean, atol=1e-9)


INAUDIBLE = {
    "constant": np.full(8000, 0.1),
    "ramp": np.linspace(0.0, 0.9, 8000),
    "curve": (TIME - 0.2) ** 2,
    "5 Hz": 0.5 * np.cos(2 * np.pi * 5 * TIME + 1),
    "10 Hz": 0.5 * np.sin(2 * np.pi * 10 * TIME),
    "decay": 0.5 * np.exp(-TIME / 0.2),
}


@pytest.mark.parametrize("n_bits", [8, 16, 24, 50])
@pytest.mark.parametrize("name", INAUDIBLE)
def test_a_recording_of_what_cannot_be_heard_is_silent(name, n_bits):
    prepared = prepare_and_judge(to_bits(INAUDIBLE[name], n_bits), 16_000, StimulusParams())
    assert prepared.silence.startswith("silent: all 8000 samples" if name == "constant" else "silent: nothing is left")
    np.testing.assert_array_equal(prepared.pressure, 0.0)


@pytest.mark.parametrize("name", INAUDIBLE)
@pytest.mark.parametrize("share", [0.05, 1.0])
def test_a_faint_sound_among_what_cannot_be_heard_is_not_silent(name, share):
    waveform = to_bits(INAUDIBLE[name] + share * SOUND, 16)
    assert prepare_and_judge(waveform, 16_000, StimulusParams()).silence == ""


@pytest.mark.parametrize("frequency", [25, 30, 100, 7000])
def test_a_tone_that_can_be_heard_is_not_silent(frequency):
    tone = 0.01 * np.sin(2 * np.pi * frequency * TIME)
    assert prepare_and_judge(tone + 0.5, 16_000, StimulusParams()).silence == ""


def test_clicks_of_full_scale_are_no_rounding():
    clicks = (np.sin(2 * np.pi * 10 * TIME) > 0).astype(float)
    assert prepare_and_judge(clicks, 16_000, StimulusParams()).silence == ""


@pytest.mark.parametrize(
    ("waveform", "silence"),
    [
        (np.zeros(100), "silent: all 100 samples are 0"),
        (np.full(100, 0.25), "silent: all 100 samples are 0.25"),
        ([0.0], "silent: its only sample is 0"),
        ([0.5], ""),  # a click
        (np.linspace(0, 1, 100), ""),
    ],
)
def test_without_a_high_pass_a_recording_is_silent_if_its_samples_are_equal(waveform, silence):
    assert prepare_and_judge(waveform, 16_000, StimulusParams(high_pass=None)).silence == silence


@pytest.mark.parametrize("params", [CochleaParams(), CochleaParams.published()])
def test_silence_evokes_spontaneous_spikes_unless_it_is_refused(params):
    assert encode(np.zeros(8000), 16_000, params).times.size > 0
    with pytest.raises(ValueError, match=r"^silent: all 8000 samples are 0$"):
        encode(np.zeros(8000), 16_000, params, refuse_silence=True)


# Levels in dB SPL


AS_RECORDED = StimulusParams(level=None, full_scale_db_spl=94.0, ramp_duration=0.0)


def db_spl(pressure):
    return 20 * np.log10(rms(pressure) / 20e-6)


def test_94_decibels_are_a_pascal():
    assert pascal(94) == pytest.approx(1.0024, rel=1e-4)
    assert pascal(0) == 20e-6
    assert pascal(-20) == pytest.approx(2e-6)


@pytest.mark.parametrize("level", [-20.0, 0.0, 45.0, 65.5, 120.0])
@pytest.mark.parametrize("factor", [1e-200, 1e-4, 1.0, 1e200])
def test_every_sound_is_brought_to_its_sound_pressure_level(level, factor):
    params = StimulusParams(level=None, level_db_spl=level, ramp_duration=0.0)
    assert db_spl(prepare_stimulus(factor * NOISE, 48_000, params)[0]) == pytest.approx(level, abs=1e-9)


@pytest.mark.parametrize("full_scale", [60.0, 94.0, 110.0])
@pytest.mark.parametrize("factor", [1e-6, 0.01, 1.0])
def test_a_sound_as_recorded_keeps_its_level(full_scale, factor):
    params = StimulusParams(level=None, full_scale_db_spl=full_scale, ramp_duration=0.0, high_pass=None)
    prepared, _ = prepare_stimulus(factor * NOISE, 48_000, params)
    np.testing.assert_allclose(prepared, factor * NOISE * pascal(full_scale), rtol=1e-12)
    assert db_spl(prepared) == pytest.approx(full_scale + 20 * np.log10(factor * rms(NOISE)), abs=1e-9)


def test_what_lies_below_hearing_has_no_part_in_the_level_of_a_sound_as_recorded():
    # An offset of 1 would be 94 dB SPL.
    tone = 0.01 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    assert db_spl(prepare_stimulus(1.0 + tone, 48_000, AS_RECORDED)[0]) == pytest.approx(94 - 40 - 3.01, abs=0.01)


def test_a_recording_at_another_rate_keeps_its_level():
    params = replace(AS_RECORDED, sample_rate=48_000)
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    assert db_spl(prepare_stimulus(tone, 16_000, params)[0]) == pytest.approx(94 - 20 - 3.01, abs=0.1)


@pytest.mark.parametrize("level", [120.01, 140.0])
def test_a_recording_above_120_decibels_is_refused(level):
    loud = NOISE / rms(NOISE) * 10 ** ((level - 94) / 20)
    with pytest.raises(
        ValueError, match=rf"^the level of a sound must be <= 120 dB SPL, got {level:.1f}; see full_scal"
    ):
        prepare_stimulus(loud, 48_000, replace(AS_RECORDED, high_pass=None))


@pytest.mark.parametrize("factor", [1e30, 1e100, 1e300])
@pytest.mark.parametrize("full_scale", [0.0, 200.0])
def test_a_recording_as_large_as_a_float_can_be_is_refused_in_one_line(factor, full_scale):
    with pytest.raises(ValueError, match=r"^the level of a sound must be <= 120 dB SPL, got [\dinf.]+; see full_scale"):
        prepare_stimulus(factor * NOISE, 48_000, replace(AS_RECORDED, full_scale_db_spl=full_scale))


def test_a_recording_just_below_120_decibels_is_heard():
    loud = NOISE / rms(NOISE) * 10 ** ((119.99 - 94) / 20)
    assert db_spl(prepare_stimulus(loud, 48_000, replace(AS_RECORDED, high_pass=None))[0]) == pytest.approx(119.99)


@pytest.mark.parametrize("factor", [0.0, 1e-100, 1e-310])
def test_a_recording_that_is_all_but_silent_is_not_made_louder(factor):
    assert rms(prepare_stimulus(factor * NOISE, 48_000, AS_RECORDED)[0]) < 1e-50


@pytest.mark.parametrize("params", [AS_RECORDED, StimulusParams(level=None, level_db_spl=65.0)])
def test_silence_stays_silent_at_any_level(params):
    prepared = prepare_and_judge(np.zeros(480), 48_000, params)
    assert not prepared.pressure.any()
    assert prepared.silence == "silent: all 480 samples are 0"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"level_db_spl": 65.0}, "level=0.3, level_db_spl=65.0"),
        ({"full_scale_db_spl": 94.0}, "level=0.3, full_scale_db_spl=94.0"),
        ({"level": None}, "none"),
        ({"level": None, "level_db_spl": 65.0, "full_scale_db_spl": 94.0}, "level_db_spl=65.0, full_scale_db_spl=94.0"),
    ],
)
def test_the_level_is_set_in_exactly_one_way(fields, found):
    with pytest.raises(ValueError, match=rf"^StimulusParams\.level must be .* exactly one is a number, got {found}$"):
        StimulusParams(**fields)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"level_db_spl": 121.0}, "level_db_spl must be >= -20 and <= 120, got 121.0"),
        ({"level_db_spl": -21.0}, "level_db_spl must be >= -20 and <= 120, got -21.0"),
        ({"full_scale_db_spl": 201.0}, "full_scale_db_spl must be >= 0 and <= 200, got 201.0"),
    ],
)
def test_levels_beyond_hearing_are_refused(fields, rule):
    with pytest.raises(ValueError, match=rule):
        StimulusParams(level=None, **fields)

"""The preset `human`: what it hears, how loud a sound must be, and that its parts work together."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.compression import CompressionParams
from cochlea.fiber_classes import deal_fibers
from cochlea.hair_cell import HairCellParams
from cochlea.model import CochleaParams, Spikes, encode, encode_many
from cochlea.physiology.analysis import tuning_width
from cochlea.stimulus import StimulusParams, pascal
from cochlea.sumner_hair_cell import sumner_hair_cell
from cochlea.transfer_function import transfer_function
from cochlea.transfer_table import characteristic_frequencies

HUMAN = CochleaParams.human()
NERVE = HUMAN.auditory_nerve
MEMBRANE = HUMAN.basilar_membrane
RATE = MEMBRANE.sample_rate
# Threshold of fibers of high spontaneous rate by frequency [dB SPL]: 10 spikes per second above it.
AUDIOGRAM = {125: 23.8, 250: 15.0, 500: 7.5, 1000: 5.0, 2000: 10.7, 4000: 9.1, 6000: 8.6, 8000: 12.9}


def place_of(frequency: float) -> int:
    return int(np.argmin(np.abs(np.log(characteristic_frequencies(MEMBRANE) / frequency))))


def velocity_at_0_db(frequency: float, place: int) -> float:
    """Peak velocity [m/s] of a place for a tone at 0 dB SPL, which no place compresses."""
    gain = np.abs(transfer_function([frequency], [MEMBRANE.positions[place]], MEMBRANE)[0, 0])
    return float(np.sqrt(2) * pascal(0) * MEMBRANE.velocity_scale * gain)


def thresholds(frequency: float) -> NDArray[np.float64]:
    """Level of a tone that adds 10 spikes per second to those of silence, for each class of fibers [dB SPL]."""
    frequency = characteristic_frequencies(MEMBRANE)[place_of(frequency)]
    levels, time = np.arange(-20.0, 60.0), np.arange(int(0.2 * RATE)) / RATE
    size = velocity_at_0_db(frequency, place_of(frequency)) * 10 ** (levels / 20)
    tones = size[:, None] * np.sin(2 * np.pi * frequency * time) * np.minimum(1, time / 0.01)
    release = sumner_hair_cell(tones, RATE, HUMAN.hair_cell)[:, :, time.size // 2 :].mean(axis=-1) * RATE
    rate = release / (1 + release * (NERVE.tau_refractory + NERVE.tau_relative))
    return np.array([np.interp(row[0] + 10, row, levels) for row in rate])


def tone(level: float, frequency: float = 1000.0, duration: float = 0.2, sample_rate: int = 48_000) -> NDArray:
    """In pascal, to be heard as it is."""
    return (
        np.sqrt(2)
        * pascal(level)
        * np.sin(2 * np.pi * frequency * np.arange(int(duration * sample_rate)) / sample_rate)
    )


# Full scale is a pascal: 93.98 dB SPL.
AS_RECORDED = replace(HUMAN, stimulus=StimulusParams(level=None, full_scale_db_spl=float(20 * np.log10(1 / 20e-6))))


# Calibration


@pytest.mark.parametrize("frequency", AUDIOGRAM)
def test_the_fibers_of_high_spontaneous_rate_have_the_audiogram(frequency):
    assert thresholds(frequency)[0] == pytest.approx(AUDIOGRAM[frequency], abs=0.5)


def test_a_fiber_of_1_kilohertz_hears_from_0_to_10_decibels_on():
    assert 0 < thresholds(1000)[0] < 10


def test_fibers_of_low_spontaneous_rate_need_10_to_20_decibels_more():
    high, medium, low = thresholds(1000)
    assert high + 5 < medium < low < high + 20


def test_the_membrane_at_1_kilohertz_moves_100_times_more_than_the_stapes():
    # The stapes moves at 8.235e-9 m/s at 0 dB SPL, measured (Lopez-Poveda and Meddis 2001, from Goode and others): a
    # gain of 40 to 45 dB, as at the apex of animals.
    place = place_of(1000)
    assert 20 * np.log10(velocity_at_0_db(1000, place) / 8.235e-9) == pytest.approx(42.3, abs=0.5)


def test_the_threshold_of_a_hair_cell_is_reached_at_5_decibels():
    # 6 dB re 1 um/s, by Sumner and others (2003)
    level = 20 * np.log10(2e-6 / velocity_at_0_db(1000, place_of(1000)))
    assert level == pytest.approx(5.4, abs=0.3)


@pytest.mark.parametrize("frequency", [250, 500, 1000, 2000, 4000, 8000])
def test_soft_tones_are_tuned_sharply(frequency):
    frequencies = frequency * np.geomspace(0.3, 2, 4000)
    gain = np.abs(transfer_function(frequencies, [MEMBRANE.positions[place_of(frequency)]], MEMBRANE)[0])
    assert 4.9 <= tuning_width(frequencies, gain).q10 <= 10


# Spikes


def near(spikes: Spikes, frequency: float) -> int:
    """Number of spikes from within 5 channels of the place of a frequency."""
    return int(np.sum(np.abs(spikes.units.astype(int) - place_of(frequency)) <= 5))


def test_the_louder_a_tone_is_the_more_spikes_it_evokes():
    counts = [encode(tone(level), 48_000, AS_RECORDED).times.size for level in (0, 20, 40, 60, 80, 100)]
    assert all(np.diff(counts[1:]) > 0), counts


def test_a_soft_tone_is_heard_at_its_place_alone():
    soft, silence = encode(tone(20), 48_000, AS_RECORDED), encode(np.zeros(9600), 48_000, AS_RECORDED)
    assert near(soft, 1000) > 20 * max(1, near(silence, 1000))
    assert near(soft, 300) < 10
    assert near(soft, 4000) < 10


def test_the_level_of_the_recording_does_not_matter_unless_it_is_calibrated():
    quiet, loud = (encode(factor * tone(60), 48_000, HUMAN) for factor in (0.01, 1.0))
    np.testing.assert_array_equal(quiet.times, loud.times)
    quiet, loud = (encode(factor * tone(60), 48_000, AS_RECORDED) for factor in (0.01, 1.0))
    assert loud.times.size > 1.5 * quiet.times.size


def test_a_sound_as_recorded_at_the_level_of_the_preset_gives_its_spikes():
    sound = tone(65)
    as_recorded, at_level = encode(sound, 48_000, AS_RECORDED), encode(sound, 48_000, HUMAN)
    assert as_recorded.times.size == pytest.approx(at_level.times.size, rel=0.01)


def test_a_recording_that_is_too_loud_is_refused():
    with pytest.raises(ValueError, match=r"must be <= 120 dB SPL, got 13\d"):
        encode(tone(135), 48_000, AS_RECORDED)


def test_silence_is_spontaneous_in_the_nerve():
    spikes = encode(np.zeros(24_000), 48_000, replace(HUMAN, output="nerve"))
    dealt = deal_fibers(HUMAN.n_hair_cells, NERVE.n_fibers, HUMAN.hair_cell)
    kinds = np.concatenate([np.repeat([0, 1, 2], cell) for cell in dealt.T])
    rates = np.bincount(kinds[spikes.units], minlength=3) / np.bincount(kinds) / 0.5
    assert rates[0] == pytest.approx(97.8, abs=0.8)  # 107 but for relative refractoriness and jitter
    assert rates[1] == pytest.approx(6.2, abs=0.5)
    assert rates[2] < 0.1


def test_hardly_a_bushy_cell_fires_in_silence():
    assert encode(np.zeros(48_000), 48_000, HUMAN).times.size < 0.1 * 700


def test_a_tone_of_60_decibels_leaves_most_channels_alone():
    # Without the second filter, 420 of the 700 channels would respond: all those of higher frequencies.
    spikes = encode(tone(60), 48_000, AS_RECORDED)
    assert 30 < np.sum(np.bincount(spikes.units, minlength=700) > 10) < 110


@pytest.mark.parametrize("level", [60, 90])
def test_bushy_cells_fire_some_300_times_a_second_in_the_steady_state(level):
    spikes = encode(tone(level), 48_000, AS_RECORDED)
    steady = spikes.units[spikes.times > 0.1]
    assert 250 < np.sort(np.bincount(steady, minlength=700) / 0.1)[-10:].mean() < 350


# Together


def few(params: CochleaParams = HUMAN, n_places: int = 70, **changes: object) -> CochleaParams:
    return replace(params, basilar_membrane=replace(params.basilar_membrane, n_places=n_places), **changes)


@pytest.mark.parametrize(
    "params",
    [
        few(n_places=1, hair_cell=replace(HUMAN.hair_cell, n_per_place=1)),
        few(n_places=16, hair_cell=replace(HUMAN.hair_cell, n_per_place=1)),
        few(n_places=130),
        few(output="nerve"),
        few(compression=None),
        few(compression=CompressionParams(efferent_attenuation=15.0)),
        replace(HUMAN, basilar_membrane=replace(MEMBRANE, middle_ear=None, n_places=70)),
        replace(HUMAN, basilar_membrane=replace(MEMBRANE, sample_rate=48_000, n_places=70)),
        few(hair_cell=HairCellParams(), auditory_nerve=CochleaParams().auditory_nerve),
        few(AS_RECORDED),
    ],
    ids=["1", "16", "130", "nerve", "linear", "efferents", "no middle ear", "48 kHz", "Meddis", "as recorded"],
)
@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
def test_any_combination_of_its_parts_encodes(params, sample_rate):
    spikes = encode(tone(70, 500, 0.1, sample_rate), sample_rate, params)
    assert np.all(np.diff(spikes.times) >= 0)
    assert np.all((spikes.times >= 0) & (spikes.times < 0.1 + 1e-3))
    assert spikes.units.max(initial=0) < params.n_units


def test_spikes_do_not_depend_on_the_number_of_threads():
    clips = [
        (tone(level, frequency, 0.1), 48_000, f"{level} {frequency}") for level in (30, 70) for frequency in (300, 3000)
    ]
    one, two = (list(encode_many(clips, few(AS_RECORDED), workers=workers)) for workers in (1, 2))
    for (waveform, rate, key), a, b in zip(clips, one, two, strict=True):
        np.testing.assert_array_equal(a.times, b.times)
        np.testing.assert_array_equal(a.units, b.units)
        np.testing.assert_array_equal(encode(waveform, rate, few(AS_RECORDED), key=key).times, a.times)


def test_the_beginning_of_a_long_sound_is_encoded_as_that_of_a_short_one():
    # 2.5 s is a segment: what comes after it cannot change what was before, but by what is left at its guard.
    sound = tone(60, 440, 6.0, 16_000)
    long, short = (encode(each, 16_000, few(AS_RECORDED)) for each in (sound, sound[:64_000]))
    early = [np.sort(spikes.times[spikes.times < 2.0]) for spikes in (long, short)]
    assert early[0].size == pytest.approx(early[1].size, rel=0.005)


def test_the_presets_differ_in_what_their_params_say():
    assert HUMAN.n_units == 700
    assert HUMAN.n_hair_cells == 3500
    assert replace(HUMAN, output="nerve").n_units == 28_000
    assert not CochleaParams().stimulus.is_absolute
    assert HUMAN.stimulus.is_absolute

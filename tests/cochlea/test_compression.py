"""The level-dependent membrane: what it does to tones, and what it leaves alone."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea.basilar_membrane import basilar_membrane
from cochlea.compression import CompressionParams, compress, compressive_membrane, knee_velocities
from cochlea.model import CochleaParams
from cochlea.physiology.analysis import TuningWidth, tuning_width
from cochlea.physiology.membrane_measurements import growth_slope
from cochlea.stimulus import StimulusParams, apply_ramps, pascal
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_table import characteristic_frequencies

PARAMS = CompressionParams()
MEMBRANE = BasilarMembraneParams(damping=0.02)
HUMAN = CochleaParams.human()
RATE = 24_000
PLACE = 2.069  # [cm] from the base, where the active membrane responds best to 1,004 Hz
FREQUENCY = 1004.0

# Measured on the equations, apart from this package [dB re the passive velocity at CF]: at a level of the tone at CF,
# and an octave below.
LEVELS = np.arange(0, 120, 10)
AT_CF = [31.7, 41.7, 51.7, 61.7, 67.9, 70.2, 72.5, 75.1, 80.3, 89.5, 99.7, 109.8]
BELOW_CF = [6.3, 16.3, 26.3, 36.3, 45.3, 54.9, 64.7, 74.6, 84.5, 94.5, 104.5, 114.5]
DERIVED = 0.03  # relative tolerance of such values


def decibels(ratio: NDArray[np.number]) -> NDArray[np.float64]:
    return np.asarray(20 * np.log10(np.abs(ratio)))


def velocities_at(frequency: float, place: float = PLACE) -> tuple[complex, complex]:
    """Of the active and of the passive membrane, for a pressure of amplitude 1."""
    passive = replace(MEMBRANE, damping=PARAMS.passive_damping)
    return tuple(complex(transfer_function([frequency], [place], each)[0, 0]) for each in (MEMBRANE, passive))


def tone(velocity: complex, frequency: float, duration: float = 0.1) -> NDArray[np.float64]:
    time = np.arange(int(duration * RATE)) / RATE
    return np.real(velocity * np.exp(-2j * np.pi * frequency * time))


def amplitude(velocity: NDArray[np.floating], frequency: float) -> float:
    """Of the component at a frequency, in the second half, which is a whole number of periods."""
    half = velocity.size // 2
    n = round(np.floor(half / RATE * frequency) / frequency * RATE)
    part = velocity[half : half + n]
    return float(2 / n * np.abs(np.sum(part * np.exp(2j * np.pi * frequency * np.arange(n) / RATE))))


def grown(frequency: float) -> NDArray[np.float64]:
    """Input-output function at `PLACE` [dB re the passive velocity at CF]."""
    reference = abs(velocities_at(FREQUENCY)[1])
    knee = 2 / np.pi * reference * 10 ** (PARAMS.knee / 20)
    active, passive = (tone(each, frequency) for each in velocities_at(frequency))
    levels = 10 ** (LEVELS[:, None] / 20)
    out = compress(levels * active, levels * passive, RATE, np.full(LEVELS.size, knee), PARAMS)
    return np.array([decibels(amplitude(row, frequency) / reference) for row in out])


# The equations that the tables hold


@pytest.mark.parametrize(
    ("damping", "gain", "q10"),
    [(0.02, 18.0, 9.7), (0.03, 14.4, 6.0), (0.05, 9.7, 3.5), (0.1, 3.5, 1.9), (0.3, -5.5, 1.1), (0.5, -9.1, 0.86)],
)
def test_less_damping_makes_a_place_more_sensitive_and_sharper(damping: float, gain: float, q10: float) -> None:
    frequencies = np.geomspace(100, 3000, 20_000)
    of, reference = (
        np.abs(transfer_function(frequencies, [PLACE], BasilarMembraneParams(damping=each))[0])
        for each in (damping, 0.15)
    )
    assert decibels(of.max() / reference.max()) == pytest.approx(gain, rel=DERIVED)
    assert tuning_width(frequencies, of).q10 == pytest.approx(q10, rel=0.05)  # of two digits


def test_the_active_membrane_is_32_decibels_above_the_passive_one_at_its_frequency_and_2_an_octave_below() -> None:
    active, passive = velocities_at(FREQUENCY)
    assert decibels(active / passive) == pytest.approx(31.7, rel=DERIVED)
    active, passive = velocities_at(FREQUENCY / 2)
    assert decibels(active / passive) == pytest.approx(1.8, abs=0.15)


# Tones


def test_a_tone_at_its_place_grows_as_derived() -> None:
    np.testing.assert_allclose(grown(FREQUENCY), AT_CF, rtol=DERIVED)


def test_a_tone_an_octave_below_grows_as_derived() -> None:
    np.testing.assert_allclose(grown(FREQUENCY / 2), BELOW_CF, rtol=DERIVED)


def test_growth_is_compressive_from_40_to_70_decibels_and_linear_below_30_and_above_90() -> None:
    out = grown(FREQUENCY)
    assert 0.2 < growth_slope(LEVELS, out, 40, 70) < 0.3
    assert growth_slope(LEVELS, out, 0, 30) == pytest.approx(1, abs=1e-6)
    assert growth_slope(LEVELS, out, 90, 110) == pytest.approx(1, abs=0.05)


def test_growth_an_octave_below_is_linear() -> None:
    assert growth_slope(LEVELS, grown(FREQUENCY / 2), 0, 110) == pytest.approx(1, abs=0.03)


def test_the_velocity_rises_with_the_level_but_for_a_decibel() -> None:
    # The velocities of the two membranes are 110 degrees apart at CF, and partly cancel where they are equally large.
    active, passive = velocities_at(FREQUENCY)
    share = np.geomspace(1e-3, 1, 400)
    mixed = decibels(share * active + (1 - share) * passive)
    assert np.minimum(0, np.diff(mixed)).sum() > -1.3


def tuning_with(share: float) -> TuningWidth:
    """Of a place that mixes the active membrane at a share."""
    frequencies = np.geomspace(100, 3000, 20_000)
    passive = replace(MEMBRANE, damping=PARAMS.passive_damping)
    active, other = (transfer_function(frequencies, [PLACE], each)[0] for each in (MEMBRANE, passive))
    return tuning_width(frequencies, np.abs(share * active + (1 - share) * other))


@pytest.mark.parametrize(("share", "q10"), [(1.0, 9.5), (0.3, 4.4), (0.1, 1.6), (0.0, 1.1)])
def test_tuning_gets_broader_as_the_share_of_the_active_membrane_falls(share: float, q10: float) -> None:
    assert tuning_with(share).q10 == pytest.approx(q10, rel=0.05)  # of two digits


def test_the_best_frequency_falls_by_a_third_of_an_octave_from_soft_to_loud() -> None:
    octaves = np.log2(tuning_with(1.0).best_frequency / tuning_with(0.0).best_frequency)
    assert octaves == pytest.approx(0.36, rel=0.05)


def test_two_tones_suppress_each_other() -> None:
    # A loud tone below compresses the place of a soft one.
    active, passive = (tone(each, FREQUENCY) for each in velocities_at(FREQUENCY))
    more_active, more_passive = (1e3 * tone(each, 500.0) for each in velocities_at(500.0))
    knee = [2 / np.pi * abs(velocities_at(FREQUENCY)[1]) * 10 ** (15 / 20)]
    alone = compress(active[None], passive[None], RATE, knee, PARAMS)[0]
    both = compress((active + more_active)[None], (passive + more_passive)[None], RATE, knee, PARAMS)[0]
    assert decibels(amplitude(both, FREQUENCY) / amplitude(alone, FREQUENCY)) < -10


# What it leaves alone


def noise(n_places: int = 3, n_samples: int = 2000) -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((n_places, n_samples)).astype(np.float32)


def test_below_its_knee_the_membrane_is_the_active_one() -> None:
    active, passive = noise(), noise() / 2
    out = compress(active, passive, RATE, np.full(3, 10.0), PARAMS)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, active, rtol=1e-6)


def test_far_above_its_knee_the_membrane_is_the_passive_one() -> None:
    out = compress(noise(), 0.5 * noise(), RATE, np.full(3, 1e-9), PARAMS)
    np.testing.assert_allclose(out[:, 100:], 0.5 * noise()[:, 100:], rtol=1e-4, atol=1e-4)


def test_an_exponent_of_1_does_not_compress() -> None:
    out = compress(noise(), noise() / 2, RATE, np.full(3, 1e-6), replace(PARAMS, exponent=1.0))
    np.testing.assert_allclose(out, noise(), rtol=1e-6)


def test_silence_stays_silent() -> None:
    assert not compress(np.zeros((2, 100)), np.zeros((2, 100)), RATE, np.ones(2), PARAMS).any()


def test_a_place_does_not_depend_on_its_neighbors() -> None:
    together = compress(noise(), 2 * noise(), RATE, [0.1, 0.2, 0.3], PARAMS)
    alone = compress(noise()[1:2], 2 * noise()[1:2], RATE, [0.2], PARAMS)
    np.testing.assert_array_equal(together[1], alone[0])


def test_the_input_is_not_changed() -> None:
    active, passive = noise(), 2 * noise()
    compress(active, passive, RATE, np.ones(3), PARAMS)
    np.testing.assert_array_equal(active, noise())
    np.testing.assert_array_equal(passive, 2 * noise())


# Efferents


def test_efferents_attenuate_a_loud_tone_slowly_and_up_to_their_depth() -> None:
    params = CompressionParams(efferent_attenuation=20.0, efferent_time_constant=0.1)
    time = np.arange(RATE) / RATE
    passive = np.sin(2 * np.pi * 1000 * time)[None]
    active = 100 * passive  # so that nearly all of the velocity is active
    knee = [1e-3]
    free = compress(active, passive, RATE, knee, CompressionParams())[0]
    held = compress(active, passive, RATE, knee, params)[0]
    share = np.abs(held).reshape(-1, 240).max(axis=1) / np.abs(free).reshape(-1, 240).max(axis=1)
    assert share[0] > 0.95
    assert np.all(np.diff(share) < 1e-6)
    # A share of 0.6 % is left of the active membrane, and a tenth of it after the efferents.
    assert share[-1] < 0.75


def test_efferents_leave_soft_sounds_alone() -> None:
    params = CompressionParams(efferent_attenuation=20.0)
    np.testing.assert_allclose(compress(noise(), noise() / 2, RATE, np.full(3, 10.0), params), noise(), rtol=1e-6)


def test_20_decibels_of_efferents_take_nine_tenths() -> None:
    assert CompressionParams(efferent_attenuation=20.0).efferent_depth == pytest.approx(0.9)
    assert CompressionParams().efferent_depth == 0.0


# The knees


@pytest.mark.parametrize("middle_ear", [None, "human"])
@pytest.mark.parametrize("scale", [1.0, 5.8e-5])
def test_every_place_has_its_knee_at_the_same_level(middle_ear: str | None, scale: float) -> None:
    membrane = replace(MEMBRANE, n_places=50, middle_ear=middle_ear, velocity_scale=scale, velocity_exponent=1.5)
    knees = knee_velocities(membrane, PARAMS, 12_000)
    frequencies = characteristic_frequencies(membrane)
    passive = replace(membrane, damping=PARAMS.passive_damping)
    for place in (10, 20, 30, 40, 49):
        gain = np.abs(transfer_function([frequencies[place]], [membrane.positions[place]], passive)[0, 0])
        expected = 2 / np.pi * np.sqrt(2) * 20e-6 * 10 ** (35 / 20) * scale * gain
        assert knees[place] == pytest.approx(expected, rel=0.01)  # the passive gain falls by 3 % per 1 % of frequency


def test_ten_decibels_more_raise_every_knee_by_the_square_root_of_ten() -> None:
    membrane = replace(MEMBRANE, n_places=20)
    higher = knee_velocities(membrane, replace(PARAMS, knee=45.0), 12_000)
    np.testing.assert_allclose(higher, np.sqrt(10) * knee_velocities(membrane, PARAMS, 12_000))


# The membrane as a whole


def human_membrane(n_places: int = 30) -> BasilarMembraneParams:
    return replace(HUMAN.basilar_membrane, n_places=n_places)


def sound(level: float, frequency: float = 1000.0, duration: float = 0.2) -> NDArray[np.float64]:
    time = np.arange(int(duration * 48_000)) / 48_000
    return apply_ramps(np.sqrt(2) * pascal(level) * np.sin(2 * np.pi * frequency * time), 48_000, 0.02)


def test_a_soft_sound_is_heard_by_the_active_membrane_alone() -> None:
    membrane = human_membrane()
    expected, rate = basilar_membrane(sound(0), 48_000, membrane)
    measured, its_rate = compressive_membrane(sound(0), 48_000, membrane, PARAMS)
    assert its_rate == rate
    np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_without_compression_the_membrane_is_linear() -> None:
    membrane = human_membrane()
    quiet, _ = compressive_membrane(sound(20), 48_000, membrane, None)
    loud, _ = compressive_membrane(sound(80), 48_000, membrane, None)
    np.testing.assert_allclose(loud, 1000 * quiet, rtol=1e-4, atol=1e-2 * np.abs(quiet).max())


def test_at_its_place_a_tone_of_the_human_ear_grows_by_a_quarter() -> None:
    membrane = human_membrane(50)
    frequencies = characteristic_frequencies(membrane)
    place = int(np.argmin(np.abs(np.log(frequencies / 1000))))
    levels = np.arange(30, 90, 10)
    rms = []
    for level in levels:
        velocity, _ = compressive_membrane(sound(level, frequencies[place]), 48_000, membrane, HUMAN.compression)
        rms.append(np.sqrt(np.mean(np.square(velocity[place, 1200:-1200], dtype=float))))
    assert 0.2 < growth_slope(levels, decibels(np.array(rms)), 40, 70) < 0.3


# Bad input


def test_velocities_of_unequal_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"passive must have the shape of active, \(3, 2000\), got \(2, 2000\)"):
        compress(noise(), noise(2), RATE, np.ones(3), PARAMS)


@pytest.mark.parametrize("knees", [[1.0, 1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, np.nan, 1.0]])
def test_knees_that_are_none_are_refused(knees: list[float]) -> None:
    with pytest.raises(ValueError, match="knees must be 3 numbers > 0, one per place"):
        compress(noise(), noise(), RATE, knees, PARAMS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"stimulus": StimulusParams()},
            "compression must be None where the level is relative, got stimulus.level=0.3",
        ),
        (
            {"basilar_membrane": replace(HUMAN.basilar_membrane, convention="published")},
            "compression must be None in the published convention",
        ),
        (
            {"basilar_membrane": replace(HUMAN.basilar_membrane, damping=0.3)},
            r"CompressionParams.passive_damping must be > 0.3, that of the active membrane, got 0.3",
        ),
    ],
)
def test_an_ear_that_compresses_what_it_cannot_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(HUMAN, **change)

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special

from cochlea.basilar_membrane import basilar_membrane
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_table import characteristic_frequencies

PARAMS = BasilarMembraneParams()
PUBLISHED = BasilarMembraneParams(convention="published")
FEW_PLACES = 15  # from 22.5 kHz to 100 Hz, for comparisons that evaluate every frequency exactly
NOISE = np.random.default_rng(0).standard_normal(4801)


def by_integration(frequency, x, params):
    """The equations of the paper one by one; the phase is integrated numerically, the Hankel functions are unscaled."""
    w, alpha = 2 * np.pi * frequency, params.stiffness_decay

    def xi(x):
        stiffness = params.stiffness * np.exp(-alpha * x) - params.stiffness_offset
        resistance = params.damping * np.sqrt(params.stiffness * params.mass) * np.exp(-alpha * x / 2)
        return stiffness - params.mass * w**2 - 1j * w * resistance

    def g(x):
        return w * np.sqrt(params.density / (params.height * xi(x)))

    def pressure(x):
        phase, _ = integrate.quad(g, 0, x, complex_func=True, epsabs=0, epsrel=1e-11, limit=500)
        phase += 2 * g(0) / alpha
        return np.sqrt(phase / g(x)) * special.hankel1(0, phase)

    k = 2 * w / alpha * np.sqrt(2 / (params.height * params.stiffness))
    impedance = np.sqrt(2 * params.stiffness / params.height) * (
        (1j * special.jv(0, k) + special.yv(0, k)) / (special.jv(1, k) - 1j * special.yv(1, k))
    )
    return 2 * w / xi(x) * pressure(x) / pressure(0) * impedance


@pytest.mark.parametrize("exponent", [0.0, 1.5])
def test_the_curvature_is_a_place_less_the_mean_of_two(exponent):
    frequencies, d = np.geomspace(100, 10_000, 50), 0.025
    plain = BasilarMembraneParams(damping=0.05)
    curved = replace(plain, curvature_distance=d, velocity_exponent=exponent)
    before, here, behind = transfer_function(frequencies, [1.5 - d, 1.5, 1.5 + d], plain)
    tilt = (plain.frequency_scale * np.exp(-plain.stiffness_decay * 1.5 / 2)) ** exponent
    expected = tilt * (here - (before + behind) / 2)
    np.testing.assert_allclose(transfer_function(frequencies, [1.5], curved)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("place", [1.1, 1.4, 1.8])  # [cm]: about 4, 2.5 and 1.4 kHz
def test_the_curvature_of_the_wave_is_tuned_more_sharply_than_its_velocity(place):
    frequencies = np.geomspace(100, 10_000, 4000)
    below = []
    for d in (0.0, 0.025):
        params = BasilarMembraneParams(damping=0.05, curvature_distance=d)
        gain = np.abs(transfer_function(frequencies, [place], params)[0])
        best = frequencies[np.argmax(gain)]
        below.append([20 * np.log10(np.interp(best * f, frequencies, gain) / gain.max()) for f in (0.5, 0.25)])
    velocity, curvature = below
    assert -25 < velocity[0] < -15
    assert curvature[0] < -45
    assert curvature[1] < -65


def click(n_samples, at):
    waveform = np.zeros(n_samples)
    waveform[at] = 1.0
    return waveform


def median_energy_times(velocity):
    """The step by which half of a channel's energy has passed."""
    energy = np.cumsum(np.square(velocity, dtype=np.float64), axis=1)
    return np.array([np.searchsorted(row, row[-1] / 2) for row in energy])


def relative_to_peak(velocity, expected):
    """The largest error of each channel over the channel's peak."""
    return np.abs(velocity - expected).max(axis=1) / np.abs(expected).max(axis=1)


@pytest.mark.parametrize("x", [0.0, 0.1, 0.6, 1.3, 2.2, 3.1, 3.5])
def test_the_closed_form_equals_numerical_integration(x):
    frequencies = np.array([1.0, 20, 90, 110, 400, 473, 1000, 2120, 4480, 9500, 15_000, 22_500])
    expected = np.array([by_integration(frequency, x, PARAMS) for frequency in frequencies])
    measured = transfer_function(frequencies, [x], PARAMS)[0]
    # unscaled Hankel functions lose their digits and vanish far above the characteristic frequency
    heard = np.abs(expected) > 1e-9 * np.abs(expected).max()
    np.testing.assert_allclose(measured[heard], expected[heard], rtol=1e-8)
    assert np.all(np.abs(measured[~heard]) < 1e-8 * np.abs(expected).max())


def test_the_closed_form_holds_for_other_params():
    params = BasilarMembraneParams(
        stiffness=3e8, stiffness_decay=2.5, stiffness_offset=100.0, damping=0.3, height=0.2, mass=0.02, density=1.1
    )
    frequencies = np.array([50.0, 700, 3000, 9000])
    expected = np.array([by_integration(frequency, 1.0, params) for frequency in frequencies])
    np.testing.assert_allclose(transfer_function(frequencies, [1.0], params)[0], expected, rtol=1e-8)


def test_the_phase_runs_on_without_jumps_along_the_membrane():
    phases = np.angle(transfer_function([100.0, 1000, 10_000], np.linspace(0, 1.0, 1001), PARAMS))
    assert np.abs(np.diff(np.unwrap(phases, axis=0), axis=0)).max() < 0.1


@pytest.mark.parametrize(
    ("place", "frequency"),
    [(0, 22_500), (50, 14_100), (100, 9500), (150, 6500), (200, 4480), (300, 2120), (400, 1000), (500, 473),
     (600, 221), (650, 150), (699, 100)],
)  # fmt: skip
def test_the_characteristic_frequencies_are_those_of_the_published_converter(place, frequency):
    # 1 %: the reference values have three digits, the frequencies stand 0.4 % apart
    assert characteristic_frequencies(PARAMS)[place] == pytest.approx(frequency, rel=0.01)


def test_the_characteristic_frequency_falls_from_base_to_apex():
    frequencies = characteristic_frequencies(PARAMS)
    assert np.all(np.diff(frequencies) <= 0)
    assert np.unique(frequencies[::5]).size == 140


def test_the_characteristic_frequencies_follow_the_human_map():
    # Greenwood, JASA 87:2592 (1990), equation 1; a stiffness that falls exponentially bends away at the ends
    middle = (PARAMS.positions > 0.25) & (PARAMS.positions < 2.75)
    greenwood = 165.4 * (10 ** (2.1 * (1 - PARAMS.positions[middle] / 3.5)) - 0.88)
    np.testing.assert_allclose(characteristic_frequencies(PARAMS)[middle], greenwood, rtol=0.16)


def test_a_place_hardly_hears_what_lies_above_twice_its_frequency():
    places = np.arange(100, 700, 100)
    for place, frequency in zip(places, characteristic_frequencies(PARAMS)[places], strict=True):
        gain = np.abs(transfer_function([frequency, 2 * frequency + 100], [PARAMS.positions[place]], PARAMS)[0])
        assert gain[1] < 1e-4 * gain[0]


# Steps after a click at which half of the energy has passed, in [ms]; within half a percent or half a step.
DELAYS = pytest.mark.parametrize(("place", "delay"), [(300, 1.0), (500, 5.0), (600, 10.85), (699, 23.55)])


@pytest.fixture(scope="module")
def answers():
    """The answers to a click in the middle of 0.4 s at 48 kHz, in both conventions."""
    return {
        params.convention: basilar_membrane(click(19_200, 9600), 48_000, params)[0] for params in (PARAMS, PUBLISHED)
    }


@DELAYS
def test_a_place_answers_a_click_after_it(answers, place, delay):
    measured = (median_energy_times(answers["causal"])[place] - 4800) / 24.0
    assert measured == pytest.approx(delay, rel=0.005, abs=0.05)


@DELAYS
def test_a_place_answers_a_click_before_it_in_the_published_convention(answers, place, delay):
    measured = (median_energy_times(answers["published"])[place] - 4800) / 24.0
    assert measured == pytest.approx(-delay, rel=0.005, abs=0.05)


def test_hardly_any_energy_precedes_a_click(answers):
    energy = np.square(answers["causal"], dtype=np.float64)
    before = energy[:, :4800].sum(axis=1) / energy.sum(axis=1)
    # Places above 8 kHz ring at the edge of the band, 12 kHz; below, the equations are causal but for this much.
    assert before[130:].max() < 1e-3


def test_velocities_superpose():
    a, b = NOISE, NOISE[::-1] ** 3
    params = BasilarMembraneParams(n_places=FEW_PLACES)
    together, _ = basilar_membrane(2.0 * a - b, 48_000, params)
    apart = 2.0 * basilar_membrane(a, 48_000, params)[0] - basilar_membrane(b, 48_000, params)[0]
    assert relative_to_peak(together, apart).max() < 1e-5  # float32


def test_a_later_sound_moves_the_membrane_later():
    params = BasilarMembraneParams(n_places=FEW_PLACES)
    velocity, _ = basilar_membrane(np.r_[NOISE, np.zeros(1200)], 48_000, params)
    later, _ = basilar_membrane(np.r_[np.zeros(240), NOISE, np.zeros(960)], 48_000, params)
    # 1e-3: what is left of a response, in the slowest place, where the next period of the transform begins
    assert relative_to_peak(later[:, 120:], velocity[:, :-120]).max() < 1e-3


def test_the_end_of_a_sound_does_not_come_back_at_its_start(answers):
    at_the_end, _ = basilar_membrane(click(9600, 9599), 48_000, PARAMS)
    early = np.abs(at_the_end[130:, :2400]).max(axis=1)
    assert np.max(early / np.abs(answers["causal"][130:]).max(axis=1)) < 1e-3


def tone_bursts(sample_rate):
    """0.1 s of bursts of tones that hold nothing above 3.5 kHz."""
    time = np.arange(round(0.1 * sample_rate)) / sample_rate
    bursts = [(0.03, 0.005, 250.0), (0.05, 0.003, 1200.0), (0.06, 0.002, 2500.0)]
    return sum(np.exp(-(((time - at) / width) ** 2)) * np.sin(2 * np.pi * hz * time) for at, width, hz in bursts)


@pytest.mark.parametrize("sample_rate", [8000, 16_000, 44_100, 48_000])
def test_the_rate_of_the_recording_does_not_matter(sample_rate):
    expected, _ = basilar_membrane(tone_bursts(24_000), 24_000, PARAMS)
    velocity, rate = basilar_membrane(tone_bursts(sample_rate), sample_rate, PARAMS)
    assert rate == 24_000
    assert relative_to_peak(velocity, expected).max() < 1e-4


@pytest.mark.parametrize("n_samples", [480, 481, 2882, 4801])
def test_the_published_form_follows_its_definition(n_samples):
    params = BasilarMembraneParams(n_places=FEW_PLACES, convention="published")
    n_half = n_samples // 2 + 1
    exact = transfer_function(np.linspace(1, 24_000, n_half), params.positions, params)
    expected = np.fft.ifft(np.fft.fft(NOISE[:n_samples])[:n_half] * exact, axis=1).real
    velocity, rate = basilar_membrane(NOISE[:n_samples], 48_000, params)
    assert rate == 24_000
    assert velocity.shape == expected.shape
    assert relative_to_peak(velocity, expected).max() < 1e-4


@pytest.mark.parametrize(("sample_rate", "n_samples"), [(48_000, 4801), (16_000, 801), (44_100, 2000)])
def test_the_causal_form_is_the_convolution_with_the_exact_response(sample_rate, n_samples):
    params = BasilarMembraneParams(n_places=FEW_PLACES)
    sound = np.convolve(NOISE[:n_samples], np.hanning(16), "same")  # nothing is cut off at the edge of the band
    n_in, n_out = sample_rate, 24_000  # one second: all responses have died
    n_bins = min(n_in, n_out) // 2 + 1
    exact = np.zeros((FEW_PLACES, n_bins), complex)
    exact[:, 1:] = transfer_function(np.arange(1, n_bins), params.positions, params)
    faded = np.clip((12_000 - np.arange(n_bins)) / 100, 0, 1)  # the last 100 Hz below half the velocity's rate
    spectrum = np.fft.rfft(sound, n_in)[:n_bins] * np.sin(np.pi / 2 * faded) ** 2
    if n_in < n_out:
        spectrum[-1] /= 2  # the bin at half the rate of the sound stands for itself and its mirror image
    expected = np.fft.irfft(spectrum * exact.conj(), n_out, axis=1) * n_out / n_in
    velocity, _ = basilar_membrane(sound, sample_rate, params)
    # What is left of a response in the slowest place after 20 periods, and, at 16 kHz, of the ringing of the sound's
    # own band limit, which wraps around stretches of different length.
    error = relative_to_peak(velocity, expected[:, : velocity.shape[1]])
    assert error.max() < 3e-4
    assert np.median(error) < 1e-4


@pytest.mark.parametrize(
    ("n_samples", "sample_rate", "expected"),
    [(1, 48_000, 1), (2, 48_000, 1), (3, 48_000, 2), (4801, 48_000, 2401), (1, 8000, 3), (441, 44_100, 240),
     (7, 24_001, 7)],
)  # fmt: skip
def test_a_causal_velocity_lasts_as_long_as_the_sound(n_samples, sample_rate, expected):
    velocity, rate = basilar_membrane(NOISE[:n_samples], sample_rate, PARAMS)
    assert velocity.shape == (700, expected)
    assert (velocity.dtype, rate) == (np.float32, 24_000)
    assert np.isfinite(velocity).all()


@pytest.mark.parametrize(("n_samples", "expected"), [(1, 1), (2, 2), (3, 2), (4800, 2401), (4801, 2401)])
def test_a_published_velocity_has_one_sample_per_kept_frequency(n_samples, expected):
    velocity, rate = basilar_membrane(NOISE[:n_samples], 48_000, PUBLISHED)
    assert velocity.shape == (700, expected)
    assert (velocity.dtype, rate) == (np.float32, 24_000)
    assert np.isfinite(velocity).all()


def test_silence_moves_nothing():
    velocity, _ = basilar_membrane(np.zeros(100), 48_000, PARAMS)
    assert not velocity.any()


def test_the_sound_is_not_changed():
    sound = NOISE.copy()
    for params in (PARAMS, PUBLISHED):
        basilar_membrane(sound, 48_000, params)
    np.testing.assert_array_equal(sound, NOISE)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("n_places", 0, "must be >= 1 and <= 65536, got 0"),
        ("n_places", 700.0, r"must be a whole number >= 1 and <= 65536, got 700\.0"),
        ("convention", "acausal", "must be one of causal, published, got 'acausal'"),
        ("sample_rate", 16_000, "must be >= 24000, got 16000"),
        ("length", 0, "must be > 0, got 0"),
        ("stiffness", -1e9, r"must be > 0, got -1000000000\.0"),
        ("damping", float("inf"), "must be finite, got inf"),
        ("mass", float("nan"), "must be a number > 0, got nan"),
        ("stiffness_offset", 3e4, r"must be < 27536\.4, the stiffness at the apex, got 30000\.0"),
    ],
)
def test_params_out_of_range_are_refused(field, value, rule):
    with pytest.raises(ValueError, match=rf"^BasilarMembraneParams\.{field} {rule}"):
        BasilarMembraneParams(**{field: value})

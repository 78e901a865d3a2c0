import numpy as np
import pytest
from scipy.signal import butter, sosfreqz

from cochlea.high_pass import ORDER, high_pass

RATE = 16_000
TIME = np.arange(RATE) / RATE
NOISE = np.random.default_rng(0).standard_normal(RATE)


def tone(frequency, phase=1.0):
    return np.cos(2 * np.pi * frequency * TIME + phase)


@pytest.mark.parametrize("rate", [1000, 8000, 48_000])
@pytest.mark.parametrize("frequency", [10, 20, 40, 200])
def test_a_tone_passes_as_scipys_butterworth_filter_says(frequency, rate):
    wave = np.exp(2j * np.pi * frequency * np.arange(2 * rate) / rate)
    passed = high_pass(wave.real, rate, 20.0) + 1j * high_pass(wave.imag, rate, 20.0)
    expected = sosfreqz(butter(ORDER, 20.0, "highpass", output="sos", fs=rate), [frequency], fs=rate)[1]
    # phase and amplitude, once the onset has decayed, and with it to 1e-10 what is not fitted of it
    np.testing.assert_allclose((passed / wave)[rate:], expected[0], atol=1e-6)


def test_half_of_the_power_passes_at_the_cutoff():
    assert np.mean(high_pass(tone(50), RATE, 50.0)[RATE // 2 :] ** 2) == pytest.approx(0.25, rel=0.01)


@pytest.mark.parametrize("offset", [0.1, 5.0, -1e9])
def test_an_offset_leaves_no_trace(offset):
    # a number of that size is rounded by up to 2**-53 of it, and so is the sum with the sound
    tolerance = 1e-11 + 4 * abs(offset) * 2.0**-53
    np.testing.assert_allclose(high_pass(NOISE + offset, RATE, 20.0), high_pass(NOISE, RATE, 20.0), atol=tolerance)


def test_a_linear_drift_leaves_no_trace_from_the_first_sample_on():
    np.testing.assert_allclose(high_pass(NOISE + 50 * TIME, RATE, 20.0), high_pass(NOISE, RATE, 20.0), atol=1e-10)


@pytest.mark.parametrize("rate", [1000, 192_000, 10_000_000])
@pytest.mark.parametrize("cutoff", [1.0, 400.0])
def test_nothing_is_left_of_a_straight_line(rate, cutoff):
    assert np.abs(high_pass(np.linspace(-1, 3, 5000), rate, cutoff)).max() < 1e-11


@pytest.mark.parametrize("n_samples", [1, 2])
def test_nothing_is_left_of_a_sound_too_short_to_be_heard(n_samples):
    assert np.abs(high_pass(NOISE[:n_samples], RATE, 20.0)).max() < 1e-15


@pytest.mark.parametrize("n_samples", [0, 3, 50])
def test_a_sound_shorter_than_the_filter_keeps_its_length_and_is_finite(n_samples):
    filtered = high_pass(NOISE[:n_samples], RATE, 20.0)
    assert filtered.shape == (n_samples,)
    assert np.isfinite(filtered).all()


def test_the_filter_is_causal_but_for_the_onset():
    late = NOISE.copy()
    late[RATE * 3 // 4 :] *= 3  # after the onset that is fitted, 0.5 s
    before = slice(0, RATE * 3 // 4)
    np.testing.assert_allclose(high_pass(late, RATE, 20.0)[before], high_pass(NOISE, RATE, 20.0)[before], atol=1e-9)


def test_a_click_stays_where_it_is():
    click = np.zeros(4800)
    click[2000] = 1.0
    assert np.argmax(high_pass(click, 48_000, 20.0)) == 2000


def test_the_waveform_is_not_changed_and_may_hold_integers():
    waveform = np.arange(-50, 50, dtype=np.int16)
    filtered = high_pass(waveform, 8000, 20.0)
    assert filtered.dtype == np.float64
    np.testing.assert_array_equal(waveform, np.arange(-50, 50))


@pytest.mark.parametrize(
    ("cutoff", "rate", "rule"),
    [
        (0.5, 8000, "cutoff must be >= 1 and <= 400, got 0.5"),
        (401.0, 8000, "cutoff must be >= 1 and <= 400, got 401"),
        (float("inf"), 8000, "cutoff must be finite, got inf"),
        (20.0, 999, "sample_rate must be >= 1000, got 999"),
    ],
)
def test_what_is_out_of_range_is_refused(cutoff, rate, rule):
    with pytest.raises(ValueError, match=f"^{rule}"):
        high_pass(NOISE, rate, cutoff)

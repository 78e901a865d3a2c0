"""Sounds and params that nobody should pass but somebody will: one clear line, or a right answer without a warning."""

import numpy as np
import pytest

from cochlea.auditory_nerve import AuditoryNerveParams, auditory_nerve
from cochlea.basilar_membrane import basilar_membrane
from cochlea.bushy_cell import BushyCellParams, bushy_cell
from cochlea.hair_cell import HairCellParams, hair_cell, place_hair_cells
from cochlea.model import CochleaParams, encode, encode_many
from cochlea.stimulus import StimulusParams, apply_ramps, normalize_rms, prepare_stimulus, resample
from cochlea.transfer_function import BasilarMembraneParams, transfer_function

PRESETS = {"default": CochleaParams(), "published": CochleaParams.published()}
RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_099, 44_100, 48_000, 96_000, 192_000)
NOISE = np.random.default_rng(0).standard_normal(4800)
TONE_COUNT = {"default": 2318, "published": 2268}  # of 0.3 s of 440 Hz


@pytest.fixture(params=PRESETS, scope="module")
def preset(request):
    return request.param


def assert_sound(spikes, duration):
    # the last step of the published convention stands up to one step past the end
    assert np.all(np.diff(spikes.times) >= 0)
    assert np.all((spikes.times >= 0) & (spikes.times < duration + 1 / 24_000))
    assert spikes.units.max(initial=0) < 700


@pytest.mark.parametrize("sample_rate", RATES)
def test_every_rate_gives_the_same_tone(preset, sample_rate):
    tone = np.sin(2 * np.pi * 440 * np.arange(int(0.3 * sample_rate)) / sample_rate)
    spikes = encode(tone, sample_rate, PRESETS[preset])
    assert_sound(spikes, 0.3)
    # four standard deviations of a count whose Fano factor is below 1
    assert spikes.times.size == pytest.approx(TONE_COUNT[preset], abs=4 * np.sqrt(TONE_COUNT[preset]))


@pytest.mark.parametrize("n_samples", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("sample_rate", [8_000, 48_000])
def test_a_sound_of_few_samples_has_few_spikes(preset, n_samples, sample_rate):
    spikes = encode(NOISE[:n_samples], sample_rate, PRESETS[preset])
    assert_sound(spikes, n_samples / sample_rate)
    assert spikes.times.size < 60


def test_a_silent_second_is_spontaneous(preset):
    spikes = encode(np.zeros(48_000), 48_000, PRESETS[preset])
    assert_sound(spikes, 1.0)
    # bushy cells fire 0.775 times per second; six standard deviations
    assert spikes.times.size == pytest.approx(0.775 * 700, abs=6 * np.sqrt(0.775 * 700))


@pytest.mark.parametrize(
    ("waveform", "meaning"),
    [
        (np.ones(4800), "constant"),
        (np.clip(10 * NOISE, -1, 1), "clipped"),
        (np.r_[np.zeros(2000), 1.0, np.zeros(2000)], "a click"),
        (NOISE * 1e300, "as large as a float can be"),
        (np.sign(NOISE) * 5e-324, "as small as a float can be"),
        ((3000 * NOISE).astype(np.int16), "16 bits"),
        (np.full(4800, np.iinfo(np.int64).min), "the lowest integer"),
        ((128 + 30 * NOISE).astype(np.uint8), "8 bits without a sign"),
        (NOISE.astype(np.float16), "half precision"),
        (list(NOISE[:480]), "a list"),
        (NOISE[::2][::-1], "a view with strides"),
    ],
)
def test_an_odd_sound_is_encoded(preset, waveform, meaning):
    before = np.array(waveform, copy=True)
    spikes = encode(waveform, 48_000, PRESETS[preset])
    assert_sound(spikes, len(waveform) / 48_000)
    np.testing.assert_array_equal(waveform, before)


def test_a_read_only_sound_is_encoded():
    waveform = NOISE.copy()
    waveform.flags.writeable = False
    np.testing.assert_array_equal(encode(waveform, 48_000).times, encode(NOISE, 48_000).times)


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        ([0.0, np.nan, 1.0], "must be finite, got nan at sample 1"),
        ([0.0, 1.0, -np.inf], "must be finite, got -inf at sample 2"),
        ([], "at least one sample, got 0"),
        (np.ones((2, 100)), r"one-dimensional \(mono\), got shape \(2, 100\)"),
        (None, r"one-dimensional \(mono\), got shape \(\)"),
        (np.ones(10, complex), "integer or real samples, got complex128"),
        (np.ones(10, bool), "integer or real samples, got bool"),
        (["a", "b"], "integer or real samples, got <U1"),
        ([None, 1.0], "integer or real samples, got object"),
        ([[0.0], [0.0, 1.0]], r"one-dimensional \(mono\), got rows of unequal length"),
    ],
)
def test_what_is_no_sound_is_refused(waveform, message):
    with pytest.raises(ValueError, match=message):
        encode(waveform, 48_000)


@pytest.mark.parametrize(
    "sample_rate",
    [0, -48_000, 999, 8000.5, np.nan, np.inf, "48000", None, True, [8000], np.array([8000])],
)
def test_a_rate_that_is_none_is_refused(sample_rate):
    with pytest.raises(ValueError, match="sample_rate must be a whole number of Hz, at least 1000, got"):
        encode(NOISE, sample_rate)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BasilarMembraneParams(n_places=0), "n_places must be >= 1 and <= 65536, got 0"),
        (lambda: BasilarMembraneParams(n_places=70_000), "n_places must be >= 1 and <= 65536, got 70000"),
        (lambda: BasilarMembraneParams(sample_rate=8000), "sample_rate must be >= 24000, got 8000"),
        (lambda: BasilarMembraneParams(damping=-0.1), "damping must be >= 0.02, got -0.1"),
        (lambda: BasilarMembraneParams(damping=1e-3), "damping must be >= 0.02, got 0.001"),
        (lambda: BasilarMembraneParams(mass=np.nan), "mass must be a number > 0, got nan"),
        (lambda: BasilarMembraneParams(length=10.0), "stiffness_offset must be <"),
        (lambda: HairCellParams(release=0.0), "release must be > 0, got 0.0"),
        (lambda: HairCellParams(n_per_place=2.5), "n_per_place must be a whole number >= 1, got 2.5"),
        (lambda: AuditoryNerveParams(n_fibers=0), "n_fibers must be >= 1 and <= 1000000, got 0"),
        (lambda: AuditoryNerveParams(tau_refractory=10.0), "tau_refractory must be in 0..1, got 10.0"),
        (lambda: BushyCellParams(tau_mem=0.0), "tau_mem must be > 0, got 0.0"),
        (lambda: BushyCellParams(threshold=np.inf), "threshold must be finite, got inf"),
        (lambda: StimulusParams(level=1e300), r"level must be > 0 and <= 1e\+06, got 1e\+300"),
        (lambda: StimulusParams(ramp_duration=-1.0), "ramp_duration must be >= 0, got -1.0"),
    ],
)
def test_params_out_of_their_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_params_of_the_wrong_stage_are_refused():
    with pytest.raises(TypeError, match=r"CochleaParams\.bushy_cell must be BushyCellParams, got None"):
        CochleaParams(bushy_cell=None)


@pytest.mark.parametrize("params", [{}, {"hair_cell": {"n_per_place": 3}}, HairCellParams(), 0, CochleaParams])
def test_what_is_no_params_object_is_refused_by_encode(params):
    with pytest.raises(TypeError, match=r"^params must be CochleaParams, got "):
        encode(NOISE, 48_000, params)
    with pytest.raises(TypeError, match=r"^params must be CochleaParams, got "):
        next(encode_many([(NOISE, 48_000, 0)], params))


def test_a_dict_in_place_of_params_is_told_how_to_become_some():
    with pytest.raises(
        TypeError,
        match=r"hair_cell must be HairCellParams or SumnerHairCellParams, got .*; HairCellParams\(\*\*values\) builds",
    ):
        CochleaParams(hair_cell={"n_per_place": 3})


STAGES = {
    "prepare_stimulus": lambda values, rate, params: prepare_stimulus(values, rate, params),
    "basilar_membrane": lambda values, rate, params: basilar_membrane(values, rate, params),
    "hair_cell": lambda values, rate, params: hair_cell(values, rate, params),
    "auditory_nerve": lambda values, rate, params: auditory_nerve(values, rate, params, np.random.default_rng(0)),
    "bushy_cell": lambda values, rate, params: bushy_cell(values, rate, params, n_fibers=8),
}
GOOD = {  # what each stage takes
    "prepare_stimulus": (NOISE[:48], StimulusParams()),
    "basilar_membrane": (NOISE[:48], BasilarMembraneParams(n_places=5)),
    "hair_cell": (NOISE[None, :48], HairCellParams()),
    "auditory_nerve": (np.full((1, 48), 0.1), AuditoryNerveParams()),
    "bushy_cell": (np.ones((1, 48), np.int64), BushyCellParams()),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_takes_a_list_as_it_takes_an_array(stage):
    values, params = GOOD[stage]
    found, expected = (STAGES[stage](v, 24_000, params) for v in (values.tolist(), values))
    parts = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    for ours, theirs in parts:
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_refuses_what_it_cannot_take_in_one_line(stage):
    values, params = GOOD[stage]
    wrong = [values[None], values.ravel()[0], values + 1j, [["a"]], [[1.0], [1.0, 2.0]], None]
    for bad in wrong:
        with pytest.raises(ValueError, match=r"^(a waveform|\w+) must .*, got [^\n]*$"):
            STAGES[stage](bad, 24_000, params)
    for rate in (0, -1, 24_000.5, np.nan, "24000", None):
        with pytest.raises(ValueError, match="sample_rate"):
            STAGES[stage](values, rate, params)
    for other in ({}, None, CochleaParams(), type(params)):
        with pytest.raises(TypeError, match=rf"^params must be {type(params).__name__}, got "):
            STAGES[stage](values, 24_000, other)


def test_a_velocity_of_integers_is_no_silence():
    velocity = (100 * NOISE[None]).astype(np.int64)
    expected = hair_cell(velocity.astype(np.float64), 24_000, HairCellParams())
    np.testing.assert_array_equal(hair_cell(velocity, 24_000, HairCellParams()), expected)


def test_a_nerve_without_a_generator_is_refused():
    with pytest.raises(TypeError, match=r"^rng must be Generator, got 0$"):
        auditory_nerve(np.full((1, 48), 0.1), 24_000, AuditoryNerveParams(), 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resample([1.0, 2.0], 16_000, 0), "new_rate must be >= 1, got 0"),
        (lambda: resample([1.0, 2.0], 16_000.5, 8_000), r"sample_rate must be a whole number >= 1, got 16000\.5"),
        (
            lambda: resample(np.ones((2, 2)), 16_000, 8_000),
            r"waveform must be an array \(sample,\), got shape \(2, 2\)",
        ),
        (lambda: apply_ramps([1.0, 2.0], 16_000, np.nan), "ramp_duration must be a number >= 0, got nan"),
        (lambda: normalize_rms("a", 1.0), r"waveform must be an array \(sample,\) of real numbers, got <U1"),
        (lambda: place_hair_cells(np.ones((4, 9)), 0), "n_per_place must be >= 1, got 0"),
        (
            lambda: transfer_function(1000.0, [1.0], BasilarMembraneParams()),
            r"frequencies must be an array \(frequency,\)",
        ),
        (
            lambda: bushy_cell(np.ones((1, 9), int), 24_000, BushyCellParams(), n_fibers=0),
            "n_fibers must be >= 1, got 0",
        ),
        (lambda: bushy_cell(np.ones((1, 9)), 24_000, BushyCellParams(), n_fibers=8), "of integers, got float64"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_membrane_that_overflows_is_refused():
    params = CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=2, height=1e-30))
    with pytest.raises(ValueError, match=r"height=1e-30.* has no finite response 0|-"):
        encode(NOISE, 48_000, params)


def test_hair_cells_that_would_be_unstable_are_refused():
    with pytest.raises(ValueError, match=r"above 5e\+08 Hz to be stable, got 24000"):
        encode(NOISE, 48_000, CochleaParams(hair_cell=HairCellParams(permeability=1e9)))


@pytest.mark.parametrize(
    "params",
    [
        CochleaParams(hair_cell=HairCellParams(release=1e9)),
        CochleaParams(hair_cell=HairCellParams(capacity=1e30)),
        CochleaParams(hair_cell=HairCellParams(permeability_scale=1e-30)),
        CochleaParams(bushy_cell=BushyCellParams(weight=1e12, tau_refractory=0)),
        CochleaParams(auditory_nerve=AuditoryNerveParams(tau_refractory=0, n_fibers=1)),
        CochleaParams(stimulus=StimulusParams(level=1e6, ramp_duration=np.inf)),
        CochleaParams(stimulus=StimulusParams(level=1e-30, sample_rate=1000)),
        CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=5, damping=0.02)),
        CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=5, damping=10.0)),
        CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=5, length=0.01)),
    ],
)
def test_extreme_params_give_spikes_without_a_warning(params):
    assert_sound(encode(NOISE, 48_000, params), 0.1)


@pytest.mark.slow
def test_an_hour_of_sound_is_encoded():
    few = CochleaParams(basilar_membrane=BasilarMembraneParams(n_places=4), hair_cell=HairCellParams(n_per_place=1))
    hour = np.random.default_rng(0).integers(-3000, 3000, 3600 * 8000).astype(np.int16)
    spikes = encode(hour, 8000, few)
    assert_sound(spikes, 3600.0)
    # as many in each quarter: the state of the cells is carried on without drift
    quarters = np.histogram(spikes.times, np.linspace(0, 3600, 5))[0]
    assert np.all(np.abs(quarters - quarters.mean()) < 6 * np.sqrt(quarters.mean()))

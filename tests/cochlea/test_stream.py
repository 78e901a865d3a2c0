"""A sound heard block by block, judged by `encode`, which hears it whole."""

import tracemalloc
from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from numpy.typing import NDArray

import cochlea
from cochlea import CochleaParams, Spikes, StimulusParams, Stream, encode
from cochlea.basilar_membrane import memory
from cochlea.engine import traveling_wave
from cochlea.high_pass import RunningHighPass, high_pass
from cochlea.stimulus import apply_ramps, resample
from cochlea.stream import _Ramps, _Resampler

RATE = 16_000
EAR = CochleaParams().with_channels(64)
FULL = 95.0  # [dB SPL]
BLOCKS = {"one": (1,), "odd": (7, 0, 160, 1), "long": (20_000,), "mixed": (3, 5_000, 0, 64, 997)}


def sound(seconds: float, rate: int = RATE, seed: int = 0) -> NDArray[np.float64]:
    """Noise that swells and fades, on an offset."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal(time.size)
    return 0.02 + 0.2 * noise * np.sin(2 * np.pi * 2.1 * time) ** 2


def pushed(stream: Stream, waveform: NDArray[np.float64], lengths: tuple[int, ...] = (160,)) -> list[Spikes]:
    """What each block, and the end, brings."""
    found, first, turn = [], 0, 0
    while first < waveform.size:
        n = lengths[turn % len(lengths)]
        found.append(stream.push(waveform[first : first + n]))
        first, turn = first + n, turn + 1
    return [*found, stream.finish()]


def joined(found: list[Spikes]) -> Spikes:
    return Spikes(np.concatenate([each.times for each in found]), np.concatenate([each.units for each in found]))


def assert_same(found: list[Spikes], wanted: Spikes) -> None:
    together = joined(found)
    assert np.array_equal(together.times, wanted.times)
    assert np.array_equal(together.units, wanted.units)


def without_filter(params: CochleaParams) -> CochleaParams:
    return replace(params, stimulus=replace(params.stimulus, high_pass=None))


@pytest.mark.parametrize("lengths", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("seconds", [0.05, 0.7])
def test_blocks_of_any_length_give_the_spikes_of_the_whole_sound(seconds, lengths):
    waveform = sound(seconds)
    stream = Stream(RATE, without_filter(EAR), full_scale_db_spl=FULL, seed=3, key="a sound")
    found = pushed(stream, waveform, lengths)
    assert_same(found, encode(waveform, RATE, stream.params, seed=3, key="a sound"))
    assert joined(found).times.size > 0


@pytest.mark.parametrize("excess", [-1, 0, 1, 2, 4_000])
def test_a_sound_about_as_long_as_a_segment_is_cut_as_encode_cuts_it(excess):
    waveform = sound(2.5)
    waveform = np.concatenate([waveform, waveform])[: round(2.5 * RATE) + excess]
    stream = Stream(RATE, without_filter(EAR), full_scale_db_spl=FULL)
    assert_same(pushed(stream, waveform, (1_234,)), encode(waveform, RATE, stream.params))


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("ear", ["default", "human"])
@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
def test_a_sound_of_many_segments_gives_the_spikes_of_the_whole_one(monkeypatch, rate, ear, output):
    monkeypatch.setattr(traveling_wave, "LONGEST_SEGMENT", 0.2)
    params = {"default": CochleaParams, "human": CochleaParams.human}[ear]().with_channels(64)
    params = replace(params, output=output)
    waveform = sound(0.65, rate)
    stream = Stream(rate, params, full_scale_db_spl=FULL)
    found = pushed(stream, waveform, (997,))
    assert_same(found, encode(waveform, rate, stream.params))
    assert sum(each.times.size > 0 for each in found) > 1  # they do not all come at the end


def test_a_sound_that_is_resampled_gives_the_spikes_of_the_whole_one():
    params = replace(EAR, stimulus=StimulusParams(level=None, full_scale_db_spl=FULL, sample_rate=32_000))
    waveform = sound(0.4, 44_100)
    assert_same(pushed(Stream(44_100, params), waveform, (441,)), encode(waveform, 44_100, params))


def test_integers_are_scaled_as_in_a_whole_recording():
    waveform = (2**14 * sound(0.2)).astype(np.int16)
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL)
    assert_same(pushed(stream, waveform), encode(waveform, RATE, stream.params))


def test_silence_evokes_the_spontaneous_spikes_of_silence():
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL)
    assert_same(pushed(stream, np.zeros(RATE)), encode(np.zeros(RATE), RATE, stream.params))


@pytest.mark.parametrize("hop", [0.01, 0.0937, 1.0])
def test_with_any_hop_the_blocks_do_not_matter(hop):
    waveform = sound(0.5)
    few, many = (pushed(Stream(RATE, EAR, full_scale_db_spl=FULL, hop=hop), waveform, n) for n in ((4_000,), (33, 1)))
    assert_same(few, joined(many))


def test_with_a_short_hop_few_spikes_move_and_only_by_a_little():
    waveform = sound(1.0)
    stream = Stream(RATE, full_scale_db_spl=FULL, hop=0.1)
    whole, heard = encode(waveform, RATE, stream.params), joined(pushed(stream, waveform))
    assert heard.times.size == pytest.approx(whole.times.size, rel=0.01)
    same = set(zip(*whole, strict=True)) & set(zip(*heard, strict=True))
    assert len(same) > 0.92 * whole.times.size  # of noise; of speech, 98 %


def test_spikes_come_no_later_than_the_latency_says():
    waveform = sound(1.2)
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL, hop=0.05)
    wanted = joined(pushed(Stream(RATE, EAR, full_scale_db_spl=FULL, hop=0.05), waveform))
    n_heard = 0
    for n_samples in range(160, waveform.size, 160):
        n_heard += stream.push(waveform[n_samples - 160 : n_samples]).times.size
        if n_samples >= 0.6 * RATE:  # past the onset, for which the high-pass filter waits
            assert n_heard >= np.searchsorted(wanted.times, n_samples / RATE - stream.latency)


def test_times_rise_from_block_to_block():
    times = joined(pushed(Stream(RATE, EAR, full_scale_db_spl=FULL, hop=0.05), sound(1.0))).times
    assert (np.diff(times) >= 0).all()


def test_the_latency_is_hop_ringing_and_ramp():
    no_ramp = replace(EAR, stimulus=StimulusParams(level=None, full_scale_db_spl=FULL, ramp_duration=0.0))
    assert Stream(RATE, no_ramp, hop=0.05).latency == pytest.approx(0.1, abs=0.01)
    assert Stream(RATE, EAR, full_scale_db_spl=FULL, hop=0.05).latency == pytest.approx(0.13, abs=0.01)
    assert 2.58 <= Stream(RATE, EAR, full_scale_db_spl=FULL).latency < 2.7


def test_memory_does_not_grow_with_the_sound():
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL, hop=0.1)
    block = sound(0.5)
    for _ in range(4):
        stream.push(block)
    tracemalloc.start()
    for _ in range(20):
        stream.push(block)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    needed = memory(EAR.basilar_membrane, 12_000) + stream.latency + 0.5
    assert stream._heard.size <= ceil(needed * RATE) + RATE // 5
    assert grown < 5e5


def test_an_empty_block_brings_nothing_and_an_unheard_stream_has_no_spikes():
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL)
    assert [part.size for part in (*stream.push([]), *stream.push(np.empty(0, np.int16)), *stream.finish())] == [0] * 6


def test_the_block_is_left_as_it_is():
    block = sound(0.5)
    before = block.copy()
    pushed(Stream(RATE, EAR, full_scale_db_spl=FULL), block, (8_000,))
    assert np.array_equal(block, before)


def test_a_finished_stream_takes_no_more():
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL)
    stream.finish()
    with pytest.raises(ValueError, match=r"^finish must not be called on a stream that is finished; make another one$"):
        stream.finish()
    with pytest.raises(ValueError, match=r"^push must not be called on a stream that is finished"):
        stream.push([0.1])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ([0.0, np.nan], "^a waveform must be finite, got nan at sample 1$"),
        (["a"], "^a waveform must hold integer or real samples, got <U1$"),
        (np.zeros((2, 5)), r"^a waveform must be one-dimensional \(mono\), got shape \(2, 5\)$"),
        ([1j], "^a waveform must hold integer or real samples, got complex128$"),
        (np.empty(0, bool), "^a waveform must have at least one sample, got 0$"),
    ],
)
def test_a_block_that_is_no_sound_is_refused_and_the_stream_goes_on(block, message):
    waveform = sound(0.2)
    stream = Stream(RATE, EAR, full_scale_db_spl=FULL)
    found = [stream.push(waveform[:1_000])]
    with pytest.raises(ValueError, match=message):
        stream.push(block)
    assert_same([*found, stream.push(waveform[1_000:]), stream.finish()], encode(waveform, RATE, stream.params))


def test_a_sound_that_is_too_loud_is_refused_and_ends_the_stream():
    stream = Stream(RATE, EAR, full_scale_db_spl=150)
    stream.push(sound(1.0))
    with pytest.raises(ValueError, match=r"^the level of a sound must be <= 120 dB SPL, got 13\d\.\d; see"):
        stream.push(sound(2.0))
    with pytest.raises(ValueError, match="is finished"):
        stream.finish()
    with pytest.raises(ValueError, match="must be <= 120 dB SPL"):
        pushed(Stream(RATE, EAR, full_scale_db_spl=150), sound(0.1))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (CochleaParams(), r"^StimulusParams.level must be None in a stream, got 0\.3: the level of a sound is known"),
        (CochleaParams.human(), r"^StimulusParams.level_db_spl must be None in a stream, got 65\.0"),
        (CochleaParams.published(), "^BasilarMembraneParams.convention must be causal in a stream, got published"),
        (
            CochleaParams(stimulus=StimulusParams(level=None, full_scale_db_spl=90.0, ramp_duration=np.inf)),
            "^StimulusParams.ramp_duration must be <= 1 s in a stream, got inf$",
        ),
    ],
)
def test_params_that_need_the_end_of_the_sound_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        Stream(RATE, params)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hop": 3.0}, r"^hop must be >= 0\.01 and <= 2\.5, got 3\.0$"),
        ({"hop": np.nan}, "^hop must be"),
        ({"sample_rate": 0}, "^sample_rate must be a whole number of Hz"),
        ({"seed": -1}, "^seed must be"),
        ({"full_scale_db_spl": 1e3}, "^StimulusParams.full_scale_db_spl must be"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Stream(**{"sample_rate": RATE, "full_scale_db_spl": FULL, **arguments})
    with pytest.raises(TypeError, match=r"^params must be CochleaParams"):
        Stream(RATE, "human")  # type: ignore[arg-type]


@pytest.mark.parametrize("n_samples", [1, 700, 5_000, 20_000])
def test_the_running_high_pass_is_that_of_the_whole_sound(n_samples):
    waveform = sound(n_samples / RATE)
    running = RunningHighPass(RATE, 20.0)
    found = np.concatenate([*(running.push(part) for part in np.array_split(waveform.copy(), 9)), running.finish()])
    assert np.allclose(found, high_pass(waveform, RATE, 20.0), rtol=0, atol=1e-13)  # the offset is another one


@pytest.mark.parametrize("n_samples", [1, 30, 3_000])
@pytest.mark.parametrize("rates", [(16_000, 48_000), (44_100, 16_000), (8_000, 11_025)])
def test_resampling_and_ramps_are_those_of_the_whole_sound_to_the_bit(n_samples, rates):
    waveform = sound(n_samples / RATE)
    resampler, ramps = _Resampler(*rates), _Ramps(RATE, 0.03)
    parts = np.array_split(waveform, 7)
    resampled = [*(resampler.push(part) for part in parts), resampler.finish(np.empty(0))]
    assert np.array_equal(np.concatenate(resampled), resample(waveform, *rates))
    ramped = [*(ramps.push(part) for part in parts), ramps.finish(np.empty(0))]
    assert np.array_equal(np.concatenate(ramped), apply_ramps(waveform, RATE, 0.03))


def test_streams_of_two_keys_draw_other_numbers():
    one, other = (
        joined(pushed(Stream(RATE, EAR, full_scale_db_spl=FULL, key=key), sound(0.3))) for key in ("one", "other")
    )
    assert not np.array_equal(one.times, other.times)
    assert cochlea.Stream is Stream

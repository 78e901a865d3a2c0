"""Words as they are spoken: found as in a whole recording, and answered soon."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import spikedata as sd
from spikedata.corpora.audio import MicrophoneError
from spikedata.recognition import Listener, Microphone, Player, find_words, listen, recognize
from spikedata.recognition.listening import RunningWords, Spotted
from spikedata.recognition.pretrained import network_to_hear_with

RATE = 16_000


def tone(seconds: float, level: float = 0.3, pitch: float = 1000.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


def quiet(seconds: float, level: float = 1e-4, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(round(seconds * RATE))


def spotted(*parts: np.ndarray, block: int = 320) -> list[Spotted]:
    words, waveform = RunningWords(RATE), np.concatenate(parts)
    found = [each for first in range(0, waveform.size, block) for each in words.push(waveform[first : first + block])]
    return [*found, *words.finish()]


def ended(*parts: np.ndarray, block: int = 320) -> list[tuple[int, int]]:
    return [(each.start, each.stop) for each in spotted(*parts, block=block) if each.is_ended and not each.is_faint]


SENTENCE = (
    quiet(0.7), tone(0.4), quiet(0.6, seed=1), tone(0.15), quiet(0.25, seed=2), tone(0.2, 0.1), quiet(0.5, seed=3),
    tone(0.3, 0.5), quiet(0.9, seed=4),
)  # fmt: skip


def test_words_are_found_where_they_are_found_in_the_whole_recording():
    whole = find_words(np.concatenate(SENTENCE), RATE)
    assert len(whole) == 3
    for streamed, found in zip(ended(*SENTENCE), whole, strict=True):
        assert streamed == pytest.approx((found.start, found.stop), abs=0.02 * RATE)


@pytest.mark.parametrize("name", ["lang-english_speaker-04_trial-0_digit-8", "lang-german_speaker-05_trial-0_digit-8"])
def test_a_recorded_word_is_cut_as_in_the_whole_recording(name):
    waveform, rate = sd.read_audio(sd.embedded_corpus() / f"{name}.flac")
    (whole,) = find_words(waveform, rate)
    words = RunningWords(rate)
    (streamed,) = [each for each in [*words.push(waveform), *words.finish()] if each.is_ended]
    assert (streamed.start, streamed.stop) == (whole.start, whole.stop)


@pytest.mark.parametrize("block", [1, 97, 4_000, 10**6])
def test_what_is_found_does_not_depend_on_the_blocks(block):
    parts = SENTENCE[:5] if block == 1 else SENTENCE
    assert spotted(*parts, block=block) == spotted(*parts)


def test_a_word_is_given_once_and_in_order():
    found = ended(*SENTENCE, *SENTENCE)
    assert len(found) == 6
    assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_a_word_has_ended_after_03_s_of_quiet_and_may_have_after_012_s():
    words = RunningWords(RATE)
    words.push(np.concatenate([quiet(0.5), tone(0.4)]))
    came = {}
    for number in range(1, 50):
        for each in words.push(quiet(0.01, seed=number)):
            came[each.is_ended] = number * 10
    assert came[False] == pytest.approx(140, abs=20)  # [ms]
    assert came[True] == pytest.approx(310, abs=20)


@pytest.mark.parametrize(
    "parts",
    [
        (np.zeros(3 * RATE),),
        (quiet(3.0, 0.1),),
        (quiet(1.0), np.r_[0.9, np.zeros(10)], quiet(1.0)),
        (quiet(0.5, 1e-7), tone(0.4, 3e-4), quiet(0.5, 1e-7)),
        (),
    ],
    ids=["silence", "noise", "click", "whisper of the circuit", "nothing"],
)
def test_nothing_is_heard_where_nothing_is_said(parts):
    assert ended(*(parts or (np.zeros(0),))) == []


def test_a_breath_between_words_is_no_word():
    assert len(ended(quiet(0.5), tone(0.4), quiet(0.6), tone(0.3, 0.01), quiet(0.6), tone(0.3), quiet(0.4))) == 2


def test_what_is_kept_does_not_grow_with_the_sound():
    words = RunningWords(RATE)
    for turn in range(40):
        words.push(np.concatenate([quiet(0.5, seed=turn), tone(0.5)]))
    assert words._waveform.size < 12 * RATE
    assert words._energies.size < 1_200


@pytest.fixture(scope="module")
def tones(tones_run):
    return network_to_hear_with(str(tones_run))


def test_each_word_is_recognized_as_by_itself(tones):
    parts = [quiet(0.5), tone(0.1, pitch=300.0), quiet(0.5), tone(0.1, pitch=3000.0), quiet(0.5)]
    heard = list(listen([np.concatenate(parts)], RATE, network=tones))
    assert [each.recognition.word for each in heard] == ["low", "high"]
    alone = recognize((np.concatenate(parts[:3]), RATE), network=tones)
    assert heard[0].recognition.scores == pytest.approx(alone.scores)
    assert heard[0].end == pytest.approx(0.61, abs=0.02)
    assert heard[1].recognition.start == heard[1].start == pytest.approx(1.07, abs=0.02)


def test_a_word_that_goes_on_is_answered_anew(tones):
    parts = quiet(0.5), tone(0.1), quiet(0.2), tone(0.1), quiet(0.6)
    waveform = np.concatenate(parts)
    heard = list(listen([waveform], RATE, network=tones, provisional=True))
    assert [each.is_final for each in heard] == [False, False, True]
    assert heard[0].end < heard[1].end == heard[2].end
    assert heard[1].recognition is heard[2].recognition  # it was computed once
    assert len(list(listen([waveform], RATE, network=tones))) == 1


def test_what_sounds_for_longer_than_a_word_is_named_and_not_guessed(tones):
    (heard,) = listen([np.concatenate([quiet(0.5), tone(2.5), quiet(0.6)])], RATE, network=tones)
    assert heard.recognition is None
    assert heard.note == "sounds for 2.7 s without a pause, a word for at most 2 s"


def test_a_player_that_does_not_wait_reckons_the_latency(tones):
    player = Player((np.concatenate([quiet(0.5), tone(0.2), quiet(0.1)]), RATE), in_real_time=False)
    (heard,) = listen(player, network=tones)
    assert 0.29 < heard.latency < 1.5
    assert len(player.seconds) == round(player.duration / 0.02)


def test_a_player_gives_each_block_when_it_has_been_said(tones):
    player = Player((np.concatenate([quiet(0.3), tone(0.1)]), RATE), silence=0.1)
    began = time.perf_counter()
    blocks = list(player)
    assert time.perf_counter() - began >= 0.5
    assert np.array_equal(np.concatenate(blocks)[: round(0.4 * RATE)], np.concatenate([quiet(0.3), tone(0.1)]))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ([np.inf], "^a waveform must be finite, got inf at sample 0$"),
        (np.zeros((2, 2)), r"^a waveform must be one-dimensional \(mono\), got shape \(2, 2\)$"),
        (["one"], "^a waveform must hold integer or real samples"),
        ([1e9], r"^samples must be within 1e\+06 times full scale, got 1e\+09$"),
    ],
)
def test_a_block_that_is_no_sound_is_refused_and_the_listener_goes_on(tones, block, message):
    listener = Listener(RATE, network=tones)
    with pytest.raises(ValueError, match=message):
        listener.push(block)
    assert listener.push([]) == listener.push(np.zeros(100, np.int16)) == listener.finish() == []
    with pytest.raises(ValueError, match=r"^push must not be called on a listener that is finished"):
        listener.push([0.0])
    with pytest.raises(ValueError, match=r"^finish must not be called on a listener that is finished"):
        listener.finish()


def test_blocks_need_a_sample_rate_and_a_source_has_its_own(tones):
    with pytest.raises(ValueError, match=r"^sample_rate must be given with blocks, got None$"):
        listen([np.zeros(10)], network=tones)
    with pytest.raises(ValueError, match=r"^sample_rate must be that of its source, 16000, got 8000$"):
        listen(Player((np.zeros(10), RATE)), 8_000, network=tones)
    with pytest.raises(ValueError, match="no pretrained network and no folder of a run 'none'"):
        listen([np.zeros(10)], RATE, network="none")


class FakeSoundDevice:
    """`sounddevice` as far as it is used: its stream calls back three times when it is started."""

    class PortAudioError(Exception):
        pass

    def __init__(self, fault: str = "", lost: bool = False) -> None:
        self.fault, self.lost, self.opened = fault, lost, []

    def query_devices(self, device, kind):
        if device == 7:
            raise ValueError("No input device matching 7")
        if device is None and self.fault == "none":
            raise self.PortAudioError("Error querying device -1")
        return {"default_samplerate": 44_100.0}

    def InputStream(self, **options):
        if self.fault == "busy":
            raise self.PortAudioError("Error opening InputStream: Device unavailable [PaErrorCode -9985]")
        self.opened.append(options)

        def start():
            for number in range(3):
                block = np.full((options["blocksize"], 1), 0.1 * number, np.float32)
                options["callback"](block, len(block), None, self.lost)

        return SimpleNamespace(start=start, close=lambda: self.opened.append("closed"))


def test_a_microphone_gives_blocks_at_the_rate_of_the_device(monkeypatch):
    fake = FakeSoundDevice(lost=True)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with Microphone(2, seconds=0.05) as source:
        blocks = list(source)
    assert source.sample_rate == fake.opened[0]["samplerate"] == 44_100
    assert [float(block[0]) for block in blocks] == pytest.approx([0.0, 0.1, 0.2])
    assert blocks[0].shape == (882,)
    assert blocks[0].dtype == np.float64
    assert fake.opened[-1] == "closed"
    assert source.n_lost == 3
    assert 0.0 < source.clock() < 60.0


@pytest.mark.parametrize(
    ("fake", "device", "message"),
    [
        (FakeSoundDevice(), 7, r"^no microphone 7: No input device matching 7; python -m sounddevice lists"),
        (FakeSoundDevice("none"), None, r"^no microphone: Error querying device -1; python -m sounddevice lists"),
        (FakeSoundDevice("busy"), None, r"^no microphone: Error opening InputStream: Device unavailable"),
    ],
)
def test_a_microphone_that_is_not_there_is_told_in_one_line(monkeypatch, fake, device, message):
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    with pytest.raises(MicrophoneError, match=message), Microphone(device):
        pass


def test_a_library_that_is_not_there_is_told_with_what_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MicrophoneError, match=r"needs sounddevice: pip install 'spikedata-audio\[microphone\]'$"):
        Microphone()
    monkeypatch.delitem(sys.modules, "sounddevice")
    tmp_path.joinpath("sounddevice.py").write_text("raise OSError('PortAudio library not found')", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MicrophoneError, match=r"^PortAudio library not found: .*apt install libportaudio2$"):
        Microphone()


def test_a_microphone_must_be_entered(monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", FakeSoundDevice())
    with pytest.raises(ValueError, match="must be entered"):
        next(iter(Microphone()))

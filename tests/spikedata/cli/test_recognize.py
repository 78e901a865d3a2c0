"""`spikedata recognize`: a line for each recording, on a network that needs no training."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import cochlea
import spikedata.recognition
from spikedata.cli import main
from spikedata.recognition import Heard, MicrophoneError, Recognition

SPIKES = cochlea.Spikes(np.array([0.1, 0.2]), np.array([3, 5], np.uint16))


@pytest.fixture
def heard(monkeypatch):
    """What `recognize` was given, and answers by the name of the file, since these tests are of the command alone."""
    calls: list[dict[str, object]] = []

    def recognize(path, *, network):
        calls.append({"path": path, "network": network})
        if "bad" in path:
            raise ValueError(f"{path}: silent: all 3 samples are 0")
        notes = ("has 2 words; this is the loudest, at 0.00 to 0.50 s",) if "two" in path else ()
        scores = {"seven": 0.75, "sieben": 0.2, "one": 0.05}
        return Recognition(
            word="seven", score=0.75, scores=scores, spikes=SPIKES, start=0.25, stop=0.5, notes=notes
        )  # fmt: skip

    monkeypatch.setattr(spikedata.recognition, "recognize", recognize)
    monkeypatch.setattr(
        "spikedata.recognition.pretrained.network_to_hear_with", lambda name, params: SimpleNamespace(name=name)
    )
    return calls


def test_a_line_names_the_word_its_score_and_the_runners_up(heard, capsys):
    assert main(["recognize", "a.wav", "longer.wav"]) == 0
    expected = "a.wav       seven  75.0%  sieben 20.0%  one 5.0%\nlonger.wav  seven  75.0%  sieben 20.0%  one 5.0%\n"
    assert capsys.readouterr().out == expected


def test_top_says_how_many_words_are_shown(heard, capsys):
    assert main(["recognize", "a.wav", "--top", "1"]) == 0
    assert capsys.readouterr().out == "a.wav  seven  75.0%\n"


def test_notes_go_to_standard_error_and_name_their_file(heard, capsys):
    assert main(["recognize", "a.wav", "two.wav"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == ["two.wav: has 2 words; this is the loudest, at 0.00 to 0.50 s"]


def test_one_unusable_recording_does_not_stop_the_others(heard, capsys):
    assert main(["recognize", "bad.wav", "a.wav"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("a.wav  seven")
    assert printed.err.splitlines() == [
        "spikedata: bad.wav: silent: all 3 samples are 0",
        "spikedata: 1 of 2 recordings were not recognized",
    ]


def test_a_single_unusable_recording_is_the_error(heard, capsys):
    assert main(["recognize", "bad.wav"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "spikedata: bad.wav: silent: all 3 samples are 0\n")


def test_a_folder_is_told_from_its_files(heard, capsys, tmp_path):
    assert main(["recognize", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"spikedata: {tmp_path}: is a folder; name its files: {tmp_path / '*.wav'}\n"


def test_json_has_each_recording_with_its_scores(heard, capsys):
    assert main(["recognize", "two.wav", "bad.wav", "--top", "2", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    note = "has 2 words; this is the loudest, at 0.00 to 0.50 s"
    assert found["recognized"] == [
        {
            "file": "two.wav", "word": "seven", "score": 0.75, "scores": {"seven": 0.75, "sieben": 0.2},
            "spikes": 2, "start": 0.25, "stop": 0.5, "notes": [note],
        }
    ]  # fmt: skip
    assert found["files"] == ["two.wav", "bad.wav"]
    assert (found["clips"], found["spikes"], found["network"]) == (1, 2, "digits")
    assert found["skipped"] == ["bad.wav: silent: all 3 samples are 0"]
    assert (found["error"], found["status"]) == ("1 of 2 recordings were not recognized", 1)


def test_an_unknown_network_is_one_line(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.ones(1000), 16_000)
    assert main(["recognize", str(tmp_path / "a.wav"), "--network", "digts"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("spikedata: no pretrained network and no folder of a run 'digts'; nearest: digits")


@pytest.fixture
def spoken(monkeypatch):
    """What `listen` was given; it hears a word, and a sound that is none."""
    sources: list[object] = []

    def listen(source, *, network):
        sources.append(source)
        list(source)
        scores = {"seven": 0.75, "sieben": 0.2, "one": 0.05}
        word = Recognition(word="seven", score=0.75, scores=scores, spikes=SPIKES, start=0.25, stop=0.5)
        yield Heard(recognition=word, start=0.25, end=0.4, latency=0.375)
        yield Heard(recognition=None, start=3.0, end=6.0, note="sounds for 3.0 s without a pause", latency=0.3)

    monkeypatch.setattr(spikedata.recognition, "listen", listen)
    monkeypatch.setattr(
        "spikedata.recognition.pretrained.network_to_hear_with", lambda name, params: SimpleNamespace(name=name)
    )
    return sources


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(160), 16_000)
    return str(path)


def test_a_recording_is_played_and_each_word_printed_with_its_latency(spoken, capsys, recording):
    assert main(["recognize", recording, "--stream", "--as-fast-as-possible", "--top", "2"]) == 0
    printed = capsys.readouterr()
    word, summary = printed.out.splitlines()
    assert word == "   0.25 s  seven  75.0%  sieben 20.0%  0.38 s after its end"
    assert summary.startswith(
        "1 word; answers come 0.38 s after a word's end (95 % within 0.38 s); computing takes 0.0"
    )
    assert printed.err == f"{recording}, 3.00 s: sounds for 3.0 s without a pause\n"


def test_json_has_each_word_with_its_latency(spoken, capsys, recording):
    assert main(["recognize", recording, "no.wav", "--stream", "--as-fast-as-possible", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [one["latency"] for one in found["heard"]] == [0.375, 0.3]
    assert found["heard"][0]["word"] == "seven"
    assert found["heard"][1]["notes"] == ["sounds for 3.0 s without a pause"]
    assert found["skipped"] == ["no.wav: no such file"]
    assert 0 <= found["load"] < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "recognize takes either a FILE or --microphone, got neither"),
        (["a.wav", "--microphone"], "recognize takes either a FILE or --microphone, got both"),
        (["a.wav", "--device", "1"], "--device goes with --microphone"),
        (["a.wav", "--seconds", "1"], "--seconds goes with --microphone"),
        (["--microphone", "--stream"], "--stream goes with a FILE"),
        (["a.wav", "--as-fast-as-possible"], "--as-fast-as-possible goes with --stream"),
    ],
)
def test_options_that_do_not_fit_are_refused(spoken, capsys, words, message):
    assert main(["recognize", *words]) == 2
    assert capsys.readouterr().err == f"spikedata: {message}\n"


@pytest.fixture
def microphone(monkeypatch):
    """Stands in for the microphone, and what it was asked for."""
    asked: list[object] = []

    class Fake:
        sample_rate, n_lost = 48_000, 2

        def __init__(self, device, *, seconds):
            asked.extend([device, seconds])
            if device == "none":
                raise MicrophoneError("no microphone 'none': no such device")

        def __enter__(self):
            return self

        def __exit__(self, *_):
            asked.append("closed")

        def __iter__(self):
            yield np.zeros(10)
            if asked[0] == "interrupted":
                raise KeyboardInterrupt

    monkeypatch.setattr(spikedata.recognition, "Microphone", Fake)
    return asked


def test_words_from_a_microphone_are_printed_as_they_are_spoken(spoken, microphone, capsys):
    assert main(["recognize", "--microphone", "--device", "3", "--seconds", "1.5", "--top", "1"]) == 0
    printed = capsys.readouterr()
    assert microphone == [3, 1.5, "closed"]
    assert printed.out.splitlines()[0] == "   0.25 s  seven  75.0%  0.38 s after its end"
    assert printed.err.splitlines() == [
        "listening at 48,000 Hz; Ctrl-C ends it",
        "microphone, 3.00 s: sounds for 3.0 s without a pause",
        "microphone: 2 blocks of sound were lost: the machine did not keep up",
    ]


def test_ctrl_c_ends_listening_as_usual(spoken, microphone, capsys):
    assert main(["recognize", "--microphone", "--device", "interrupted"]) == 0
    assert capsys.readouterr().out == "0 words\n"


def test_a_microphone_that_is_not_there_is_a_source_that_is_not_available(spoken, microphone, capsys):
    assert main(["recognize", "--microphone", "--device", "none"]) == 4
    assert capsys.readouterr().err == "spikedata: no microphone 'none': no such device\n"

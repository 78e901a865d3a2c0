"""`spikedata recognize`: a line for each recording, on a network that needs no training."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import cochlea
import spikedata.recognition
from spikedata.cli import main
from spikedata.recognition import Recognition

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

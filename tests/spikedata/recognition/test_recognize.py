"""The word in a recording, by a run of one's own."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cochlea
import spikedata as sd
from spikedata.baseline import Run, load_run, recipe_from
from spikedata.baseline.runs.folder import read_card, write_card
from spikedata.corpora.audio import AudioError
from spikedata.recognition.pretrained import network_to_hear_with

from .conftest import RATE, tone


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


@pytest.fixture(scope="module")
def ear(tones_run):
    return network_to_hear_with(tones_run)


def test_a_run_recognizes_recordings_that_it_was_not_trained_on(ear):
    words = {pitch: sd.recognize((tone(pitch), RATE), network=ear).word for pitch in (310.0, 2900.0)}
    assert words == {310.0: "low", 2900.0: "high"}


def test_a_file_and_its_samples_give_the_same_scores_by_any_name(ear, tones_run, tmp_path):
    samples = tone(310.0)
    for name in ("one.wav", "another name.flac"):
        soundfile.write(tmp_path / name, samples, RATE)
    heard = sd.recognize(tmp_path / "one.wav", network=tones_run)
    assert sd.recognize(tmp_path / "another name.flac", network=ear).scores == heard.scores
    read, _ = sd.read_audio(tmp_path / "one.wav")
    assert sd.recognize((read, RATE), network=ear).scores == heard.scores


def test_scores_are_probabilities_in_falling_order(ear):
    heard = sd.recognize((tone(2900.0), RATE), network=ear)
    values = list(heard.scores.values())
    assert set(heard.scores) == {"high", "middle", "low"}
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1.0)
    assert (heard.word, heard.score) == next(iter(heard.scores.items()))


def test_the_spikes_are_those_of_the_word_alone(ear):
    waveform = np.concatenate([silence(1.0), tone(310.0), silence(1.0)])
    heard = sd.recognize((waveform, RATE), network=ear)
    word = waveform[round(heard.start * RATE) : round(heard.stop * RATE)]
    expected = cochlea.encode(word, RATE)
    assert np.array_equal(heard.spikes.times, expected.times)
    assert np.array_equal(heard.spikes.units, expected.units)
    assert (heard.start, heard.stop) == pytest.approx((0.97, 1.23), abs=0.021)


def test_of_several_words_the_loudest_is_recognized_and_that_is_said(ear):
    waveform = np.concatenate([tone(310.0), silence(0.6), 2 * tone(2900.0), silence(0.6), tone(320.0)])
    heard = sd.recognize((waveform, RATE), network=ear)
    assert heard.word == "high"
    assert heard.notes[0] == f"has 3 words; this is the loudest, at {heard.start:.2f} to {heard.stop:.2f} s"


def test_a_steady_sound_is_taken_whole_and_that_is_said(ear):
    heard = sd.recognize((tone(310.0), RATE), network=ear)
    assert (heard.start, heard.stop) == (0.0, 0.1)
    assert heard.notes == ("nothing stands out from its noise, so all of it is taken for the word",)


def test_a_word_longer_than_the_window_is_noted(ear):
    (note,) = sd.recognize((np.r_[silence(0.2), tone(310.0, 1.4)], RATE), network=ear).notes
    assert note == "the word lasts 1.44 s, of which the network hears the first 1 s"


def test_a_low_score_is_noted_with_what_the_network_knows(ear):
    heard = sd.recognize((tone(310.0), RATE), network=replace(ear, temperature=1e9, name="mine"))
    expected = "no word stands out: 'low' 33%, 'middle' 33%; mine knows only 3 words (high, low, middle)"
    assert heard.notes[-1] == expected


def test_stereo_and_integer_samples_in_a_file_are_read(ear, tmp_path):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([tone(310.0), tone(310.0)], axis=1), RATE, subtype="PCM_16")
    assert sd.recognize(path, network=ear).word == "low"


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (np.zeros(RATE), r"silent: all 16000 samples are 0"),
        (np.full(RATE, 0.2), r"silent: all 16000 samples are 0\.2"),
        (0.1 * np.random.default_rng(0).standard_normal(3 * RATE), r"no word stands out from its noise"),
        (tone(300.0, 0.02), r"lasts 0\.020 s, which is too short for a word"),
        (tone(300.0, 5.0), r"sounds for 5\.1 s without a pause, must be a single word of at most 2 s"),
    ],
)
def test_what_holds_no_word_is_refused_in_one_line_that_names_the_file(ear, tmp_path, waveform, message):
    waveform = np.concatenate([waveform, np.zeros(4 * len(waveform))]) if message.startswith("sounds") else waveform
    with pytest.raises(ValueError, match=f"^{message}$"):
        sd.recognize((waveform, RATE), network=ear)
    soundfile.write(tmp_path / "x.wav", waveform, RATE, subtype="DOUBLE")
    with pytest.raises(ValueError, match=rf"^{tmp_path / 'x.wav'}: {message}$"):
        sd.recognize(tmp_path / "x.wav", network=ear)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("nowhere.wav", FileNotFoundError, r"nowhere\.wav: no such file"),
        ((np.zeros((2, 10)), RATE), ValueError, r"must be one-dimensional \(mono\), got shape \(2, 10\)"),
        ((np.array([0.0, np.nan]), RATE), ValueError, r"must be finite, got nan at sample 1"),
        ((np.zeros(10), 10), ValueError, r"sample_rate must be .* at least 1000, got 10"),
        (np.zeros(10), TypeError, r"source must be a path or \(waveform, sample_rate\), got ndarray"),
    ],
)
def test_what_is_no_recording_is_refused(ear, source, error, message):
    with pytest.raises(error, match=message):
        sd.recognize(source, network=ear)


def test_a_file_that_is_no_recording_is_named(ear, tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match=r"x\.wav: "):
        sd.recognize(tmp_path / "x.wav", network=ear)


def refused(run: Path, match: str, **options: object) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=match):
        sd.recognize((tone(310.0), RATE), network=run, **options)


def test_an_unknown_name_suggests_the_nearest():
    refused(
        "digts", r"^no pretrained network and no folder of a run 'digts'; nearest: digits, digits_tiny; there are: "
    )


def test_a_folder_without_a_run_is_refused(tmp_path):
    refused(tmp_path, r"is not a run: no card\.json")


def test_a_folder_of_several_runs_asks_for_one(tones_run):
    refused(tones_run.parent, r"holds several runs; name one of them, as .*run$")


def test_a_run_without_weights_is_refused(own_run):
    (own_run / "weights.safetensors").unlink()
    refused(own_run, r"weights\.safetensors: no such file")


def test_a_run_with_other_weights_is_refused(own_run):
    path = own_run / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    refused(own_run, r"run: damaged: weights\.safetensors is not the one of the card: its SHA-256 differs")


def test_a_run_of_another_version_is_refused(own_run):
    card = json.loads((own_run / "card.json").read_text("utf-8"))
    (own_run / "card.json").write_text(json.dumps({**card, "card_format": 99}), "utf-8")
    refused(own_run, r"card\.json: card_format must be 4, got 99")


def test_spikes_of_another_cochlea_are_refused(own_run):
    card = read_card(own_run)
    params = json.loads(card.data.provenance.params)
    for changed, match in (
        ({**params, "outer_hair_cell": {"gain": 3}}, "the cochlea has no param 'outer_hair_cell.gain'"),
        ({name: stage for name, stage in params.items() if name != "bushy_cell"}, r"cochlea's bushy_cell\..* not said"),
    ):
        made = replace(card.data.provenance, params=json.dumps(changed))
        write_card(own_run, replace(card, data=replace(card.data, provenance=made)))
        refused(own_run, rf"run: its spikes are of another version of the cochlea \(0\.1\.0\): .*{match}")


def test_a_run_that_does_not_say_its_cochlea_asks_for_it(own_run):
    card = read_card(own_run)
    write_card(own_run, replace(card, data=replace(card.data, provenance=None)))
    refused(own_run, r"does not say which cochlea made its spikes \(origin unknown\); .*--preset default, or params=")
    heard = sd.recognize((tone(310.0), RATE), network=own_run, params=cochlea.CochleaParams())
    assert heard.word == "low"


def test_a_cochlea_with_other_units_is_refused(own_run):
    card = read_card(own_run)
    write_card(own_run, replace(card, data=replace(card.data, provenance=None)))
    few = cochlea.CochleaParams(basilar_membrane=cochlea.BasilarMembraneParams(n_places=70))
    refused(own_run, r"run: listens to 700 units, but these params of the cochlea give 70", params=few)


def test_another_cochlea_than_that_of_the_data_is_refused(tones_run):
    refused(tones_run, r"says itself which cochlea made its spikes", params=cochlea.CochleaParams.published())


def test_a_run_under_a_control_is_refused(own_run, monkeypatch):
    network, card = load_run(own_run)
    card = replace(card, recipe=recipe_from("feedforward", {"control": "counts_only"}))
    monkeypatch.setattr("spikedata.recognition.pretrained.load_run", lambda _: Run(network, card))
    refused(own_run, r"was trained under the control 'counts_only', which a recording is not")

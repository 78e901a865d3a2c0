"""The networks that ship with the package, on real recordings of speakers whom they were not trained on."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import cochlea
import spikedata as sd
from spikedata.baseline.runs.inspect_run import class_logits
from spikedata.cli import main
from spikedata.cli.recognize import NAMES
from spikedata.corpora import Clip, list_clips
from spikedata.events import Sample
from spikedata.nn.quantization import dequantize, quantize
from spikedata.recognition import PRETRAINED, PretrainedCard, find_words
from spikedata.recognition import pretrained as module

UNSEEN = (4, 5)
SIZES = {"digits": 1_000_000, "digits_tiny": 100_000}  # [byte], the largest that a file of weights may be


@pytest.fixture(scope="module")
def clips() -> list[tuple[Clip, str]]:
    """The first recording of each word by each unseen speaker, with the word."""
    listing = list_clips("heidelberg_digits", sd.embedded_corpus())
    first: dict[tuple[int, int], Clip] = {}
    for clip in listing.clips:
        if clip.speaker in UNSEEN:
            first.setdefault((clip.speaker, clip.label), clip)
    assert len(first) == 40
    return [(clip, listing.keys[clip.label]) for clip in first.values()]


@pytest.fixture(scope="module")
def heard(clips) -> list[tuple[sd.recognition.Recognition, Clip, str]]:
    """A quarter of them as `digits` recognizes them: the cochlea takes longer than all else, so once for all tests."""
    digits = sd.load_pretrained("digits")
    return [(sd.recognize(clip.path, network=digits), clip, word) for clip, word in clips[::4]]


def samples_of(heard) -> list[Sample]:
    return [Sample(one.spikes.times, one.spikes.units, 0, -1) for one, _, _ in heard]


@pytest.fixture(scope="module", params=PRETRAINED)
def pretrained(request) -> Iterator[sd.recognition.Pretrained]:
    return sd.load_pretrained(request.param)


def test_the_names_are_those_of_the_command_line():
    assert PRETRAINED == NAMES


def test_a_card_says_what_the_network_is(pretrained):
    card = pretrained.card
    assert card.name == pretrained.name
    assert card.parameters == sum(weights.numel() for weights in pretrained.network.parameters())
    assert (card.n_units, len(card.classes)) == (pretrained.network.n_units, pretrained.network.n_classes)
    assert not {*card.speakers_trained, *card.speakers_chose} & {*UNSEEN}
    assert card.validation
    assert card.tests
    assert PretrainedCard.from_json(json.loads(json.dumps(card.to_json()))) == card


def test_the_files_stay_small(pretrained):
    path = module.NETWORKS / f"{pretrained.name}.safetensors"
    assert path.stat().st_size <= SIZES[pretrained.name]


def test_the_grid_is_that_of_the_network(pretrained):
    network = pretrained.network
    assert (pretrained.dt, pretrained.n_steps, pretrained.n_units) == (network.dt, network.n_steps, 700)
    assert pretrained.duration == pytest.approx(1.0)


def test_eight_of_ten_words_of_unseen_speakers_are_right(pretrained, heard):
    labels = class_logits(pretrained.network, samples_of(heard)).argmax(axis=1)
    assert sum(pretrained.classes[label] == word for label, (_, _, word) in zip(labels, heard, strict=True)) >= 8


@pytest.mark.slow
def test_most_words_of_unseen_speakers_are_right(pretrained, clips):
    right = [sd.recognize(clip.path, network=pretrained).word == word for clip, word in clips]
    assert np.mean(right) >= (0.85 if pretrained.name == "digits" else 0.75)


def between(waveform: np.ndarray, rate: int, before: float, after: float, noise: float) -> np.ndarray:
    sound = np.concatenate([np.zeros(round(before * rate)), waveform, np.zeros(round(after * rate))])
    level = noise * np.sqrt(np.square(waveform).mean())
    return sound + level * np.random.default_rng(0).standard_normal(len(sound))


@pytest.mark.parametrize(
    ("which", "before", "after", "noise"), [(1, 0.5, 2.0, 0.0), (4, 2.0, 0.5, 1e-3), (8, 1.0, 1.0, 1e-2)]
)
def test_silence_and_faint_noise_around_a_word_change_nothing(heard, which, before, after, noise):
    plain, clip, _ = heard[which]
    waveform, rate = sd.read_audio(clip.path)
    padded = sd.recognize((between(waveform, rate, before, after, noise), rate))
    assert padded.word == plain.word
    assert padded.start == pytest.approx(before + plain.start, abs=0.1)


def test_the_spikes_are_those_that_encode_gives_for_the_word(heard):
    recognized, clip, _ = heard[0]
    waveform, rate = sd.read_audio(clip.path)
    (word,) = find_words(waveform, rate)
    expected = cochlea.encode(waveform[word.start : word.stop], rate, sd.load_pretrained("digits").ear)
    assert np.array_equal(recognized.spikes.times, expected.times)
    assert np.array_equal(recognized.spikes.units, expected.units)


def test_the_highest_score_is_that_of_the_logits(heard):
    digits, (recognized, *_) = sd.load_pretrained("digits"), heard[0]
    logits = torch.from_numpy(class_logits(digits.network, samples_of(heard[:1]))[0]).double() / digits.temperature
    expected = dict(zip(digits.classes, torch.softmax(logits, dim=0).tolist(), strict=True))
    assert recognized.scores == pytest.approx(expected)
    assert list(recognized.scores) == sorted(expected, key=expected.__getitem__, reverse=True)


def test_a_quantized_network_answers_nearly_as_the_float_one(heard):
    digits, samples = sd.load_pretrained("digits"), samples_of(heard)
    before = class_logits(digits.network, samples)
    digits.network.load_state_dict(dequantize(quantize(digits.network.state_dict())))
    after = class_logits(digits.network, samples)
    assert not np.array_equal(before, after)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert np.abs(before - after).mean() < 0.1 * before.std()


def test_another_sample_rate_gives_the_same_word(heard):
    recognized, clip, _ = heard[0]
    waveform, rate = sd.read_audio(clip.path)
    assert sd.recognize((cochlea.resample(waveform, rate, 48_000), 48_000)).word == recognized.word


def test_the_command_recognizes_files(heard, capsys):
    paths = [str(clip.path) for _, clip, _ in heard[:2]]
    assert main(["recognize", *paths, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for entry, path, (recognized, *_) in zip(found["recognized"], paths, heard, strict=False):
        assert (entry["file"], entry["word"], entry["score"]) == (path, recognized.word, recognized.score)
        assert list(entry["scores"]) == list(recognized.scores)[:3]


def test_an_unknown_network_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"^no pretrained network 'digts'; nearest: digits, digits_tiny; there are"):
        sd.load_pretrained("digts")


@pytest.fixture
def own_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's networks, to be damaged."""
    folder = Path(shutil.copytree(module.NETWORKS, tmp_path / "networks"))
    monkeypatch.setattr(module, "NETWORKS", folder)
    return folder


def test_damaged_weights_are_refused(own_networks):
    path = own_networks / "digits.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    match = r"^pretrained network 'digits' is damaged: .* its SHA-256 differs; install spikedata-audio anew$"
    with pytest.raises(ValueError, match=match):
        sd.load_pretrained("digits")


def test_a_card_of_another_version_is_refused(own_networks):
    path = own_networks / "digits.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"pretrained_format": 99}), "utf-8")
    with pytest.raises(ValueError, match=r"is damaged: pretrained_format must be 1, got 99; install"):
        sd.load_pretrained("digits")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"temperature": 0.0}, "card.temperature must be > 0, got 0"),
        ({"temperature": float("nan")}, "card.temperature must be a number > 0, got nan"),
        ({"classes": ["seven"] * 20}, "card.classes must be distinct"),
        ({"n_units": 10**9}, "card.n_units must be 700, as its ear has, got 1000000000"),
    ],
)
def test_a_card_whose_numbers_cannot_be_is_refused(own_networks, change, rule):
    path = own_networks / "digits.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(ValueError, match=rf"^pretrained network 'digits' is damaged: {rule}"):
        sd.load_pretrained("digits")


def test_a_card_of_brackets_is_refused(own_networks):
    (own_networks / "digits.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"^pretrained network 'digits' is damaged: "):
        sd.load_pretrained("digits")


def test_an_empty_name_is_no_network():
    with pytest.raises(ValueError, match=r"^no pretrained network and no folder of a run ''; there are: digits"):
        sd.recognize((np.ones(16_000), 16_000), network="")


def test_lost_weights_are_refused(own_networks):
    (own_networks / "digits.safetensors").unlink()
    with pytest.raises(ValueError, match=r"^pretrained network 'digits' is damaged: .*digits\.safetensors"):
        sd.load_pretrained("digits")


def test_a_sample_rate_below_all_that_were_tested_is_noted(clips):
    digits = sd.load_pretrained("digits")
    assert digits.sample_rates == (16_000, 48_000)
    waveform, rate = sd.read_audio(clips[0][0].path)
    low = cochlea.resample(waveform, rate, 8_000)
    assert "is sampled at 8,000 Hz; the network was tested from 16,000 Hz on" in sd.recognize((low, 8_000)).notes


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import spikedata as sd
try:
    sd.recognize
except ModuleNotFoundError as error:
    print(error)
from spikedata.cli import main
sys.exit(main(["recognize", sys.argv[1]]))
"""


def test_without_pytorch_the_extra_is_named(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.ones(10), 16_000)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "x.wav")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    remedy = "torch is not installed: pip install 'spikedata-audio[torch]'"
    assert done.stdout == f"spikedata.recognize needs PyTorch; {remedy}\n"
    assert (done.returncode, done.stderr) == (1, f"spikedata: {remedy}\n")

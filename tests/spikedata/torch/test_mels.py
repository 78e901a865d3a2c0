"""Recordings as mel bands: what they are, and that every network takes them for spikes."""

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader

from spikedata.acoustics import LogMelParams, log_mel
from spikedata.nn.networks import SequenceParams, SpikingNetworkParams, make_network
from spikedata.torch import MelDataset
from spikedata.training.losses import classification_loss

RATE = 16_000


def tone(frequency, seconds=0.5, rate=RATE):
    return 0.3 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


@pytest.fixture
def words(tmp_path):
    for word, frequency in (("low", 400), ("high", 3000)):
        (tmp_path / word).mkdir()
        for take in range(3):
            soundfile.write(tmp_path / word / f"{take}.wav", tone(frequency + 10 * take, 0.3 + take / 10), RATE)
    return tmp_path


def test_a_sound_is_of_mean_0_and_deviation_1():
    frames = log_mel(np.random.default_rng(0).normal(0, 0.1, RATE), RATE)  # 1 s, more than 80 frames
    assert frames.shape == (80, 40)
    assert frames.dtype == np.float32
    assert frames.mean() == pytest.approx(0, abs=1e-6)
    assert frames.std() == pytest.approx(1, abs=1e-5)


def test_a_short_sound_repeats_its_last_frame():
    frames = log_mel(tone(500, 0.2), RATE)
    assert np.array_equal(frames[21:], np.repeat(frames[20:21], 59, axis=0))
    assert not np.array_equal(frames[20], frames[19])
    assert frames[:21].mean() == pytest.approx(0, abs=1e-6)  # of its own frames


def test_a_higher_tone_is_in_a_higher_band():
    peaks = [int(log_mel(tone(f), RATE)[10:40].mean(axis=0).argmax()) for f in (200, 600, 1500, 4000)]
    assert peaks == sorted(set(peaks))


def test_loudness_plays_no_part():
    sound = np.random.default_rng(0).normal(0, 0.1, RATE)
    np.testing.assert_allclose(log_mel(sound, RATE), log_mel(sound / 50, RATE), atol=1e-4)


def test_a_sound_at_another_rate_gives_the_same_bands():
    first, second = log_mel(tone(800, 1.0), RATE), log_mel(tone(800, 1.0, 48_000), 48_000)
    assert np.abs(first - second)[2:78, :30].mean() < 0.1


def test_silence_is_zeros():
    assert not log_mel(np.zeros(1000), RATE).any()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"n_fft": 256}, "LogMelParams.n_fft must be at least 400, the frame, got 256"),
        ({"preemphasis": 1.0}, "LogMelParams.preemphasis must be >= 0 and < 1, got 1.0"),
        ({"step": 1e-6}, "LogMelParams.step must be at least one sample, got 1e-06"),
    ],
)
def test_params_that_mean_nothing_are_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        LogMelParams(**change)


def test_a_folder_is_served_as_currents(words):
    dataset = MelDataset(words)
    batch, labels = next(iter(DataLoader(dataset, batch_size=6)))
    assert batch.shape == (6, 80, 40)
    assert batch.dtype == torch.float32
    assert labels.tolist() == dataset.labels.tolist()
    assert sorted(dataset.classes) == ["high", "low"]
    assert torch.equal(batch[3], dataset[3][0])


def test_a_part_has_its_clips_and_items_are_copies(words):
    dataset = MelDataset(words)
    part = dataset.select([4, 1])
    assert part.sources == (dataset.sources[4], dataset.sources[1])
    wanted = dataset[4][0].clone()
    part[0][0].zero_()
    assert torch.equal(dataset[4][0], wanted)


@pytest.mark.parametrize("params", [SpikingNetworkParams(hidden=(12,)), SequenceParams(hidden=(12,), n_merged=1)])
def test_a_network_learns_from_currents(words, params):
    currents, labels = next(iter(DataLoader(MelDataset(words), batch_size=6)))
    network = make_network(params, n_units=40, n_classes=2, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        losses.append(classification_loss(network(currents), labels))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


def test_currents_reach_neurons_as_by_a_product():
    generator = torch.Generator().manual_seed(0)
    currents = torch.randn(2, 7, 5, generator=generator, dtype=torch.float64)
    network = make_network(SpikingNetworkParams(hidden=(3,)), n_units=5, n_classes=2, generator=generator).double()
    drive = network.layers[0].projection(currents)
    torch.testing.assert_close(drive, currents @ network.layers[0].projection.weight)


def test_the_bands_are_their_equation():
    from librosa.filters import mel

    sound = np.random.default_rng(1).normal(0, 0.1, 3000)
    lifted = np.append(sound[:1], sound[1:] - 0.95 * sound[:-1])
    window = np.zeros(512)
    window[56:456] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)  # 25 ms, in the middle of the transform
    padded = np.concatenate([np.zeros(256), lifted, np.zeros(256)])
    frames = np.array([padded[first : first + 512] * window for first in range(0, 3001, 160)])
    power = np.abs(np.fft.rfft(frames)) ** 2 @ mel(sr=RATE, n_fft=512, n_mels=40).T
    bands = np.log10(power)
    wanted = (bands - bands.mean()) / bands.std()
    found = log_mel(sound, RATE)
    np.testing.assert_allclose(found[: len(wanted)], wanted, atol=1e-4)

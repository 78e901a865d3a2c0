"""Which clips a page has, and that their spikes and sound are those of the file."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora import Clip
from spikedata.events import Sample
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
from spikedata.report import report_data_set
from spikedata.report.clips import N_STEPS, order_of_choice, pack_cells, pack_sample, pack_sound, ticks_of


def unpack(packed: str) -> list[int]:
    """Cells as the script of a page reads them."""
    found, cell, gap, shift = [], 0, 0, 0
    for byte in base64.b64decode(packed):
        gap |= (byte & 127) << shift
        shift += 7
        if not byte & 128:
            cell += gap
            found.append(cell)
            gap = shift = 0
    return found


@pytest.mark.parametrize("n_units", [1, 64, 700, 1024, 65_536])
def test_cells_come_back_as_they_were(n_units: int) -> None:
    rng = np.random.default_rng(n_units)
    steps, units = rng.integers(0, N_STEPS, 500), rng.integers(0, n_units, 500)
    steps[:2], units[:2] = (0, N_STEPS - 1), (0, n_units - 1)

    assert unpack(pack_cells(steps, units, n_units)) == sorted(steps * n_units + units)
    assert unpack(pack_cells(steps[:0], units[:0], n_units)) == []


def test_a_spike_stands_where_it_was_to_less_than_a_pixel() -> None:
    times = np.array([0.0, 0.25, 0.5])
    sample = Sample(times, np.array([0, 7, 699], np.uint16), 0, 0, n_units=700, duration=0.5)

    packed = pack_sample(sample)

    cells = np.array(unpack(packed["spikes"]))
    assert (cells % 700).tolist() == [0, 7, 699]
    assert np.all(np.abs((cells // 700 + 0.5) / N_STEPS * packed["end"] - times) <= 0.5 / N_STEPS)


@pytest.mark.parametrize(
    ("times", "duration", "end"), [([], 0.0, 1.0), ([0.2], 0.0, 0.2), ([0.2], 0.9, 0.9), ([1.2], 0.9, 1.2)]
)
def test_the_scale_of_time_reaches_over_sound_and_spikes(times: list[float], duration: float, end: float) -> None:
    sample = Sample(np.array(times), np.zeros(len(times), np.uint16), 0, 0, n_units=10, duration=duration)
    assert pack_sample(sample)["end"] == end


def test_every_beginning_of_the_draw_is_balanced() -> None:
    rng = np.random.default_rng(0)
    labels, speakers = rng.integers(0, 7, 5000), rng.integers(0, 12, 5000)

    order = order_of_choice(labels, speakers, seed=0)

    assert sorted(order) == list(range(5000))
    for n in (7, 28, 84):
        assert np.bincount(labels[order[:n]], minlength=7).tolist() == [n // 7] * 7
    assert np.bincount(speakers[order[:84]], minlength=12).tolist() == [7] * 12
    assert len(set(zip(labels[order[:84]], speakers[order[:84]], strict=True))) == 84
    assert order[:84].tolist() != order_of_choice(labels, speakers, seed=1)[:84].tolist()


def test_a_rare_class_and_a_rare_speaker_are_drawn_first_and_not_again() -> None:
    labels = np.array([0] * 98 + [1, 1])
    speakers = np.array([0] * 97 + [1, 0, 1])
    order = order_of_choice(labels, speakers, seed=0)
    assert sorted(labels[order[:4]]) == [0, 0, 1, 1]
    assert sorted(speakers[order[:2]]) == [0, 1]


def test_the_sound_is_that_of_the_recording(recordings: Path, hostile: Path) -> None:
    with SpikeFile(hostile) as file:
        sample = file[3]
    packed = pack_sound(Clip(recordings, "3.wav", 3, 0), sample, file="x.h5", audio=recordings, index=3)

    waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(packed)))
    recorded, was = soundfile.read(recordings / "3.wav")
    assert rate == was
    assert np.abs(waveform - recorded).max() <= 2 / 2**15


def test_a_fast_recording_is_heard_at_16_khz_and_begins_where_it_did(tmp_path: Path) -> None:
    click = np.zeros(48_000)
    click[24_000] = 0.9
    soundfile.write(tmp_path / "click.wav", click, 48_000)
    sample = Sample(np.array([0.5]), np.zeros(1, np.uint16), 0, 0, "click.wav", 48_000, 10, 1.0)

    packed = pack_sound(Clip(tmp_path, "click.wav", 0, 0), sample, file="x.h5", audio=tmp_path, index=0)

    waveform, rate = soundfile.read(io.BytesIO(base64.b64decode(packed)))
    assert (rate, len(waveform), int(np.abs(waveform).argmax())) == (16_000, 16_000, 8_000)


def test_a_recording_that_was_encoded_faster_is_heard_faster(tmp_path: Path) -> None:
    click = np.zeros(16_000)
    click[8_000] = 0.9
    soundfile.write(tmp_path / "click.wav", click, 16_000)
    sample = Sample(np.array([0.4]), np.zeros(1, np.uint16), 0, 0, "click.wav", 16_000, 10, 0.8)

    packed = pack_sound(Clip(tmp_path, "click.wav", 0, 0), sample, file="x.h5", audio=tmp_path, index=0, speed=1.25)

    waveform, _ = soundfile.read(io.BytesIO(base64.b64decode(packed)))
    assert (len(waveform), int(np.abs(waveform).argmax())) == (12_800, 6_400)


def test_a_recording_that_is_missing_or_another_is_named(recordings: Path, hostile: Path, tmp_path: Path) -> None:
    for index in range(12):
        soundfile.write(tmp_path / f"{index}.wav", np.ones(800) * 0.1, 8_000)
    with pytest.raises(ValueError, match=r"\d+\.wav: is not the recording of clip \d+ of .*: it has 0.100 s"):
        report_data_set(hostile, tmp_path / "page.html", audio=tmp_path)
    for index in range(1, 12):
        (tmp_path / f"{index}.wav").unlink()
    with pytest.raises(ValueError, match=r"has no recording '.*', clip \d+ of .*; give the folder that was encoded"):
        report_data_set(hostile, tmp_path / "page.html", audio=tmp_path)
    assert not (tmp_path / "page.html").exists()


def test_a_file_that_names_no_recording_takes_no_sound(recordings: Path, tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        writer.append([0.1], [5], label=0, speaker=0)
    with pytest.raises(ValueError, match="does not say of which recording each clip is, so leave out --audio"):
        report_data_set(tmp_path / "x.h5", tmp_path / "page.html", audio=recordings)


@pytest.mark.parametrize("n_units", [1, 2, 64, 700, 1024, 65_536])
def test_a_scale_without_frequencies_has_some_round_marks(n_units: int) -> None:
    ticks = ticks_of(n_units, None)
    assert ticks[0] == (0, "0")
    assert 1 <= len(ticks) <= 8

"""What `info` says of a spike file."""

import json
from pathlib import Path

import h5py
import pytest

from spikedata.files.info import describe_file, format_description
from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = Provenance(package_version="0.1.0", params='{"preset": "default"}', seed=7, corpus="folder")
    with SpikeWriter(tmp_path / "x.h5", keys=["cat", "dog"], provenance=made) as writer:
        writer.append([0.25, 0.5], [0, 699], label=0, speaker=4, sample_rate=16_000)
        writer.append([], [], label=0, speaker=5, sample_rate=8_000)
    return tmp_path / "x.h5"


def test_a_description_counts_what_is_in_the_file(path: Path) -> None:
    described = describe_file(path)

    assert described["samples"] == 2
    assert described["classes"] == {"cat": 2, "dog": 0}
    assert described["speakers"] == {4: 1, 5: 1}
    assert described["spikes"] == {"total": 2, "min": 0, "mean": 1.0, "max": 2}
    assert described["last_spike"] == {"min": 0.0, "mean": 0.25, "max": 0.5}
    assert described["rate_per_channel"]["max"] == 2.0
    assert described["sample_rates"] == [8_000, 16_000]
    assert described["samples_without_spikes"] == 1
    assert described["total_time"] == 0.5
    assert described["silent_channels"] == 698
    assert [channel for channel, rate in enumerate(described["rate_by_channel"]) if rate] == [0, 699]


def test_a_description_names_preset_and_seed(path: Path) -> None:
    assert "preset default, seed 7" in format_description(describe_file(path))


def test_a_file_tells_its_part_and_what_was_left_out(tmp_path: Path) -> None:
    made = Provenance(
        package_version="0", params="{}", seed=7, corpus="folder", split="by hand", part="test", shard="1/2"
    )
    with SpikeWriter(tmp_path / "x.h5", keys=["cat"], provenance=made) as writer:
        writer.append([0.25], [0], label=0, speaker=4)
        writer.note_skipped("cat/1.wav: silent")

    described = describe_file(tmp_path / "x.h5")
    lines = format_description(described).splitlines()

    assert described["left_out"] == ["cat/1.wav: silent"]
    assert "  left out    1 recording, first cat/1.wav: silent" in lines
    assert "  holds       part test of the split: by hand; shard 1/2" in lines


@pytest.mark.parametrize("part", ["", "test"])
def test_a_part_of_the_published_split_is_not_divided_so_again(tmp_path: Path, part: str) -> None:
    made = Provenance(package_version="0", params="{}", seed=7, corpus="heidelberg_digits", part=part)
    with SpikeWriter(tmp_path / "x.h5", keys=["zero"], provenance=made) as writer:
        for speaker in (3, 4, 5):
            for trial in range(20):
                source = f"lang-english_speaker-{speaker:02}_trial-{trial}_digit-0.flac"
                writer.append([0.25], [0], label=0, speaker=speaker, source=source)

    assert ("published" in describe_file(tmp_path / "x.h5")["splits"]) == (not part)


def test_a_file_without_spikes_has_no_rate(tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["cat"]) as writer:
        writer.append([], [], label=0, speaker=0)

    described = describe_file(tmp_path / "x.h5")

    assert described["rate_per_channel"]["max"] == 0.0
    assert "provenance" in format_description(described)


def test_a_person_reads_what_is_in_the_file(path: Path) -> None:
    assert format_description(describe_file(path)).splitlines() == [
        f"{path}: 2 clips, 2 classes, 2 speakers, 700 channels",
        "  spikes      2; per clip 1 (0..2); 1 clip without any",
        "  last spike  0.250 s (0.000..0.500); stored as float32",
        "  rate        0.0 per second and channel (0.0..2.0); 698 channels without spikes",
        "  channels    0-99: 0.0, 100-199: 0.0, 200-299: 0.0, 300-399: 0.0, 400-499: 0.0, 500-599: 0.0, "
        "600-699: 0.0 per second",
        "  classes     cat: 2, dog: 0",
        "  speakers    4, 5 (1 each)",
        "  recordings  8000 Hz, 16000 Hz",
        "  duration    not in the file; 0.5 s together until the last spikes",
        "  columns     spikes/times, spikes/units, labels, extra/speaker, extra/sample_rate, extra/checksum, "
        "extra/keys, extra/source",
        "  integrity   2 rows checked; all checksums match",
        "  splits      validation_by_speaker",
        "  made by     spikedata-audio 0.1.0 from folder, preset default, seed 7",
    ]


def test_a_description_is_json(path: Path) -> None:
    described = describe_file(path)
    assert json.loads(json.dumps(described))["splits"] == described["splits"]


def test_a_file_of_another_writer_has_no_checksums_and_no_speakers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, dtype, row in (("times", "f4", [0.1, 0.2]), ("units", "u2", [3, 5])):
            rows = file.create_dataset(f"spikes/{name}", (1,), h5py.vlen_dtype(dtype))
            rows[0] = row
        file["labels"] = [0]

    described = describe_file(tmp_path / "x.h5")
    text = format_description(described)

    assert described["integrity"] == {"rows_checked": 1, "checksums_fit": None}
    assert "1 clip, 1 class, speakers unknown, 700 channels" in text
    assert "1 row checked; no checksums in the file" in text
    assert "splits      none" in text


def test_many_speakers_are_counted_not_listed(tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["cat"]) as writer:
        for index in range(90):
            writer.append([0.5], [7], label=0, speaker=index % 60)

    assert "  speakers    60 (1 to 2 each)" in format_description(describe_file(tmp_path / "x.h5"))


def test_channels_are_fewer_than_bands(tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["cat"], n_units=2) as writer:
        writer.append([0.25, 0.5], [1, 1], label=0, speaker=0)

    assert "  channels    0: 0.0, 1: 4.0 per second" in format_description(describe_file(tmp_path / "x.h5"))

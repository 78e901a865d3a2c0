"""What `info` says of a spike file."""

from pathlib import Path

import pytest

from spikedata.info import describe_file, format_description
from spikedata.schema import Provenance
from spikedata.writer import SpikeWriter


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


def test_a_description_names_preset_and_seed(path: Path) -> None:
    assert "preset default, seed 7" in format_description(describe_file(path))


def test_a_file_without_spikes_has_no_rate(tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["cat"]) as writer:
        writer.append([], [], label=0, speaker=0)

    described = describe_file(tmp_path / "x.h5")

    assert described["rate_per_channel"]["max"] == 0.0
    assert "provenance" in format_description(described)

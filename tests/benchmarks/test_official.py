import json

import numpy as np
import pytest

from spikedata.baseline import read_card
from spikedata.downloads import ChecksumError
from spikedata.events import Sample
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter

SMALL = ["--recipes", "feedforward", "--seeds", "0,1", "--epochs", "2", "--set", "hidden=6", "--set", "n_merged=1"]
CORPORA = {"shd": "heidelberg_digits", "ssc": "speech_commands"}


@pytest.fixture
def official(script):
    return script("official")


@pytest.fixture
def write(tmp_path):
    def write_file(name, speakers, corpus=None):
        """A file of three classes under an official name, as this package would remake it of the same recordings."""
        data_set, _, part = name.partition("_")
        part = "validation" if part == "valid" else part
        made = Provenance(
            package_version="0", params='{"preset": "published"}', seed=0, corpus=corpus or CORPORA[data_set], part=part
        )
        rng = np.random.default_rng(len(name))
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        with SpikeWriter(folder / f"{name}.h5", keys=("a", "b", "c"), n_units=12, provenance=made) as writer:
            for speaker in speakers:
                for take in range(2):
                    for label in range(3):
                        times = np.sort(rng.uniform(0.0, 0.5, 20))
                        units = rng.integers(4 * label, 4 * label + 4, 20).astype(np.uint16)
                        clip = Sample(times, units, label, speaker, f"{part}-{speaker}-{label}-{take}.wav", 48_000)
                        writer.append(**clip._asdict())
        return folder

    return write_file


@pytest.fixture
def shd(write):
    write("shd_train", (0, 1, 6, 8))
    return write("shd_test", (0, 4, 5))


def run(official, folder, out, *more):
    official.main(["--files", str(folder), "--out", str(out), *SMALL, *more])
    return json.loads((out / "official.json").read_text("utf-8"))


def test_speakers_6_and_8_choose_and_then_train_and_the_test_part_is_opened_once(official, shd, tmp_path, capsys):
    out = tmp_path / "runs"
    result = run(official, shd, out)
    chosen, refit = result["rows"]
    assert (chosen["speakers_trained"], refit["speakers_trained"]) == (2, 4)
    assert chosen["times_opened"] == refit["times_opened"] == [1, 1]
    assert chosen["n"] == 18
    assert chosen["n_unseen"] == refit["n_unseen"] == 12  # speakers 4 and 5
    card = read_card(out / "feedforward" / "chosen" / "seed-1")
    assert card.split.speakers["validation"] == (6, 8)
    assert all(seconds > 0 for row in result["rows"] for seconds in row["cpu_seconds"])
    assert capsys.readouterr().out == (out / "official.md").read_text("utf-8") + "\n"


def test_the_same_command_goes_on_and_opens_nothing_again(official, shd, tmp_path):
    out = tmp_path / "runs"
    before = run(official, shd, out, "--recipes", "feedforward", "--seeds", "0")
    weights = (out / "feedforward" / "refit" / "seed-0" / "weights.safetensors").read_bytes()
    after = run(official, shd, out)
    assert (out / "feedforward" / "refit" / "seed-0" / "weights.safetensors").read_bytes() == weights
    assert [row["times_opened"] for row in after["rows"]] == [[1, 1], [1, 1]]
    assert [row["cpu_seconds"][0] for row in after["rows"]] == [row["cpu_seconds"][0] for row in before["rows"]]


def test_the_table_says_that_remade_files_are_not_the_official_ones(official, shd, tmp_path):
    out = tmp_path / "runs"
    assert run(official, shd, out, "--seeds", "0")["official"] is False
    text = (out / "official.md").read_text("utf-8")
    assert text.startswith("**NOT the official files** of SHD:")
    assert text.count("remade from heidelberg_digits (preset published, spikedata-audio 0), not the official file") == 2


def test_another_file_under_an_official_name_is_refused(official, write, tmp_path):
    write("shd_train", (0, 1, 6, 8), corpus="audiomnist")
    folder = write("shd_test", (4, 5))
    with pytest.raises(ChecksumError, match=r"must be the published shd_train\.h5"):
        run(official, folder, tmp_path / "runs")


def test_a_file_that_is_not_there_is_named(official, write, tmp_path):
    folder = write("shd_train", (0, 1, 6, 8))
    with pytest.raises(FileNotFoundError, match=r"shd_test\.h5: no such file"):
        run(official, folder, tmp_path / "runs")


def test_the_validation_file_of_ssc_chooses_and_then_trains(official, write, tmp_path):
    write("ssc_train", (0, 1, 2))
    write("ssc_valid", (3,))
    folder, out = write("ssc_test", (4, 5)), tmp_path / "runs"
    chosen, refit = run(official, folder, out, "--data-set", "ssc", "--seeds", "0")["rows"]
    assert (chosen["clips_trained"], refit["clips_trained"]) == (18, 24)
    assert (chosen["n"], refit["n"]) == (12, 12)
    with SpikeFile(out / "ssc_train_and_valid.h5") as joined, SpikeFile(folder / "ssc_valid.h5") as valid:
        assert joined.parts == ("train",) * 18 + ("validation",) * 6
        assert np.array_equal(joined[18].times, valid[0].times)
        assert np.array_equal(joined.labels[18:], valid.labels)

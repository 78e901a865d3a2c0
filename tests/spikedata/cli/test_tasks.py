"""The command that makes a task."""

import json
from pathlib import Path

import numpy as np
import pytest

from spikedata.cli import main
from spikedata.files.reader import SpikeFile


def test_make_writes_a_file_and_says_its_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.h5"

    assert main(["make", "randman", str(out), "--n-clips", "20", "--alpha", "1.5", "--seed", "3"]) == 0
    assert capsys.readouterr().out == f"{out}: 200 clips of randman, 4,000 spikes; train 160, validation 20, test 20\n"
    with SpikeFile(out) as file:
        params = json.loads(file.provenance.params)
        assert (params["alpha"], params["n_clips"], file.provenance.seed) == (1.5, 20, 3)


def test_make_as_json_is_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.h5"

    assert main(["make", "yin_yang", str(out), "--n-clips", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"file": str(out), "clips": 6, "spikes": 30, "parts": {"train": 2, "validation": 2, "test": 2}}


def test_a_part_is_made_alone(tmp_path: Path) -> None:
    assert main(["make", "yin_yang", str(tmp_path / "x.h5"), "--part", "test", "--n-clips", "3", "-q"]) == 0
    with SpikeFile(tmp_path / "x.h5") as file:
        assert (len(file), file.provenance.part) == (3, "test")


def test_params_are_numbers_texts_rows_and_none(tmp_path: Path) -> None:
    words = ["make", "delayed_xor", str(tmp_path / "x.h5"), "--n-clips", "2", "--group-sizes", "5,4,3", "-q"]
    assert main([*words, "--pause", "0.1,0.2", "--delay=0"]) == 0
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.n_units == 12
    assert main(["make", "yin_yang", str(tmp_path / "y.h5"), "--n-clips", "2", "--bias-time", "none", "-q"]) == 0
    with SpikeFile(tmp_path / "y.h5") as file:
        assert file.n_units == 4
    words = ["make", "randman", str(tmp_path / "z.h5"), "--n-clips", "2", "--definition", "released", "-q"]
    assert main(words) == 0


def test_images_are_read_where_they_are_said_to_be(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(4, dtype=np.uint8)
    pictures = {f"{part}_images": rng.integers(0, 256, (4, 3, 3), np.uint8) for part in ("train", "test")}
    np.savez(tmp_path / "m.npz", train_labels=labels, test_labels=labels, **pictures)
    words = ["make", "fashion_mnist", str(tmp_path / "x.h5"), "--images", str(tmp_path / "m.npz"), "--code", "linear"]

    assert main([*words, "-q"]) == 0
    with SpikeFile(tmp_path / "x.h5") as file:
        assert file.parts == ("train",) * 4 + ("test",) * 4


def test_images_that_were_not_downloaded_are_said_to_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEDATA_HOME", str(tmp_path))

    assert main(["make", "mnist", str(tmp_path / "x.h5")]) == 1
    error = capsys.readouterr().err
    assert "has no train-images-idx3-ubyte, packed or not; spikedata download mnist fetches them" in error
    assert error.count("\n") == 1


def test_the_list_shows_every_param(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["make", "--list"]) == 0
    text = capsys.readouterr().out
    assert "yin_yang" in text
    assert "--bias-time          0.0" in text
    assert main(["make", "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"]["randman"]["params"]["alpha"] == 1.0


@pytest.mark.parametrize(
    ("words", "status", "rule"),
    [
        (["randman"], 2, "the file to make is not given: spikedata make randman OUT.h5"),
        (["randman", "x.h5", "--alpha", "rough"], 2, "--alpha must be a number, got 'rough'"),
        (["randman", "x.h5", "--n-clips", "2.5"], 2, "--n-clips must be a whole number, got '2.5'"),
        (["randman", "x.h5", "--alpha", "inf"], 2, "--alpha must be finite, got 'inf'"),
        (["randman", "x.h5", "--aplha", "2"], 1, "randman has no param 'aplha'; nearest: alpha"),
        (["randman", "x.h5", "--alpha", "-1"], 1, "alpha must be > 0, got -1.0"),
        (["raster", "x.h5", "--bitmap", "none.png"], 1, "none.png: no such file"),
    ],
)
def test_what_does_not_fit_is_one_line(
    words: list[str],
    status: int,
    rule: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["make", *words]) == status
    assert capsys.readouterr().err == f"spikedata: {rule}\n"
    assert not (tmp_path / "x.h5").exists()


def test_an_unknown_task_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["make", "randmann", "x.h5"])
    assert "got 'randmann'; nearest: randman" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_replaced_before_it_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.h5").write_text("mine")

    assert main(["make", "equidistant", str(tmp_path / "x.h5")]) == 5
    assert (tmp_path / "x.h5").read_text() == "mine"
    assert main(["make", "equidistant", str(tmp_path / "x.h5"), "--overwrite", "-q"]) == 0

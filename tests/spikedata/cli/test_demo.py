"""The demo: whole, or not there."""

from pathlib import Path

import pytest

from spikedata.cli.demo import format_demo, run_demo
from spikedata.disk import OutputError
from spikedata.encoding import encode
from spikedata.files.reader import SpikeFile


def fail(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "encode_clips", fail)

    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path / "demo")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_no_demo_made_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        run_demo(tmp_path)
    with pytest.raises(OutputError, match="was not made by a demo"):
        run_demo(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


@pytest.mark.slow
def test_the_demo_makes_spikes_scores_and_pictures_twice(tmp_path: Path) -> None:
    run_demo(tmp_path / "demo")
    result = run_demo(tmp_path / "demo", overwrite=True)

    with SpikeFile(tmp_path / "demo" / "digits.h5") as file:
        assert len(file) == 680
    assert {Path(picture).stem for picture in result["pictures"]} == {"word", "hidden", "learning_curve", "confusion"}
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in result["pictures"])
    chance = result["scores"]["recurrent"]["chance"]
    assert result["scores"]["recurrent"]["interval_95"][0] > 2 * chance
    assert "recurrent" in format_demo(result)

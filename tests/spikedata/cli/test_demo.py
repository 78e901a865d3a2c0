"""The demo: whole, or not there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikedata.baseline import recipe_from
from spikedata.cli import demo, main
from spikedata.cli.demo import format_demo, run_demo
from spikedata.corpora import Listing, embedded, embedded_corpus, list_clips
from spikedata.disk import OutputError
from spikedata.encoding import encode
from spikedata.files.reader import SpikeFile
from spikedata.recognition import PRETRAINED

TINY = recipe_from(demo.RECIPE, {"hidden": "8", "epochs": "2"})


def fail(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def few_clips() -> Listing:
    """German sixes and sevens of one training, two validation and two test speakers, six clips in all."""
    whole = list_clips("heidelberg_digits", embedded_corpus())
    said = {0: (6, 7), 6: (6,), 8: (7,), 4: (7,), 5: (6,)}  # digits by speaker
    names = {f"lang-german_speaker-{who:02d}_trial-0_digit-{d}.flac" for who, digits in said.items() for d in digits}
    return replace(whole, clips=tuple(clip for clip in whole.clips if clip.name in names))


@pytest.fixture(scope="session")
def done(few_clips: Listing, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    """A demo of little work: its folder, its result, and the stages that it reported."""
    out = tmp_path_factory.mktemp("demo") / "out"
    stages: list[str] = []
    result = run_demo(out, listing=few_clips, recipe=TINY, on_progress=lambda stage, *_: stages.append(stage))
    return out, result, list(dict.fromkeys(stages))


def test_the_demo_makes_spikes_networks_scores_answers_and_pictures(done, few_clips: Listing) -> None:
    out, result, _ = done
    with SpikeFile(out / "digits.h5") as file:
        assert len(file) == len(few_clips.clips) == 6
    assert {Path(picture).stem for picture in result["pictures"]} == {"word", "hidden", "learning_curve", "confusion"}
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in result["pictures"])
    assert [Path(page).name for page in result["pages"]] == ["recordings.html", "network.html"]
    assert all(Path(page).read_text("utf-8").startswith("<!doctype html>") for page in result["pages"])
    assert {name: score["n"] for name, score in result["scores"].items()} == {"counts": 2, "network": 2}
    assert result["recognized"]["true"] == "sieben"
    assert len(result["recognized"]["answers"]) == 1 + bool(PRETRAINED)


@pytest.mark.skipif(not PRETRAINED, reason="the pretrained networks are not in this installation")
def test_the_network_that_ships_recognizes_the_shown_clip(done) -> None:
    _, result, _ = done
    answer = result["recognized"]["answers"][1]
    assert (answer["answer"], answer["score"] > 0.5) == ("sieben", True)


def test_no_test_speaker_is_in_training(done) -> None:
    from spikedata.baseline.runs.folder import read_card

    card = read_card(done[0] / "network")
    assert card.split.speakers == {"train": (0,), "validation": (6, 8), "test": (4, 5)}
    assert card.tests[-1].times_opened == 1


def test_every_step_that_takes_long_reports_its_progress(done) -> None:
    assert done[2] == ["encode", "train counts", f"train {demo.RECIPE}"]


def test_the_table_says_what_is_true_and_what_was_answered(done) -> None:
    _, result, _ = done
    table = format_demo(result)
    for said in ("chance 5.0%", "n = 2", "95 % interval", "which says “sieben”", "just trained", "pretrained"):
        assert said in table
    wrong = {**result["recognized"], "answers": [{"network": "one", "answer": "neun", "score": 0.4}]}
    assert "“neun”, score 0.40: wrong" in format_demo({**result, "recognized": wrong})


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


def test_without_the_recordings_an_earlier_demo_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".made-by-spikedata-demo").touch()
    monkeypatch.setattr(embedded.resources, "files", lambda _: tmp_path)

    assert main(["demo", "--out", str(tmp_path / "demo"), "--overwrite"]) == 1
    assert "the recordings that ship with the package are missing; install spikedata-audio again" in (
        capsys.readouterr().err
    )
    assert (tmp_path / "demo").is_dir()


@pytest.mark.slow
def test_the_whole_demo_is_far_above_chance_and_may_be_repeated(tmp_path: Path) -> None:
    run_demo(tmp_path / "demo")
    result = run_demo(tmp_path / "demo", overwrite=True)

    with SpikeFile(tmp_path / "demo" / "digits.h5") as file:
        assert len(file) == 680
    assert result["scores"]["network"]["interval_95"][0] > 0.5
    assert result["scores"]["network"]["accuracy"] > result["scores"]["counts"]["accuracy"]
    assert [answer["answer"] for answer in result["recognized"]["answers"]] == ["sieben", "sieben"]

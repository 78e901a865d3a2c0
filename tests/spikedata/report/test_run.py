"""Pages of runs: what stands on their cards stands there, and no test part is opened."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikedata.baseline.recipes.catalog import recipe_from
from spikedata.baseline.runs.evaluation import evaluate_run
from spikedata.baseline.runs.folder import CARD, read_card, read_split
from spikedata.baseline.runs.groups import train_group
from spikedata.baseline.runs.inspect_run import watch_clip
from spikedata.baseline.runs.train import train_run
from spikedata.events import Events
from spikedata.files.reader import SpikeFile
from spikedata.nn.networks import READOUTS
from spikedata.plot.network import RULES
from spikedata.report import report, report_board, report_run

RECIPE = recipe_from("recurrent", {"epochs": "2", "hidden": "8", "duration": "0.2", "n_merged": "2"})
SPEAKERS = {"validation_speakers": (1,), "test_speakers": (2,)}


def text_of(page: Path) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text("utf-8")))


def data_of(page: Path) -> dict[str, Any]:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"))[1])


@pytest.fixture
def spikes(make_events: Callable[..., Events], write_spikes: Callable[..., Path]) -> Path:
    return write_spikes(make_events(takes=2))


@pytest.fixture
def run(spikes: Path, tmp_path: Path) -> Path:
    train_run(spikes, tmp_path / "run", recipe=RECIPE, **SPEAKERS)
    return tmp_path / "run"


def test_a_run_has_its_scores_and_opens_no_test_part(run: Path, tmp_path: Path) -> None:
    before = (run / CARD).read_bytes()

    made = report_run(run, tmp_path / "page.html")

    card, said = read_card(run), text_of(tmp_path / "page.html")
    assert (run / CARD).read_bytes() == before
    assert made.kind == "run"
    assert f"{card.validation.accuracy:.1%}" in said
    assert "The test part has not been opened" in said
    assert "speakers 2 are held out for the test" in said
    assert card.network.sha256 in said
    assert "6 clips of the validation part, which chose the epoch; the test part stays closed." in said


def test_the_score_of_a_test_is_there_with_how_often_it_was_opened(run: Path, tmp_path: Path) -> None:
    card = evaluate_run(run)
    evaluate_run(run)
    report_run(run, tmp_path / "page.html")

    score, said = card.tests[0].score, text_of(tmp_path / "page.html")
    assert "opened 2 times" in said
    assert f"{score.interval_95[0]:.1%} to {score.interval_95[1]:.1%}" in said
    cells = re.findall(r'<td class="q\d(?: true)?">(\d*)</td>', (tmp_path / "page.html").read_text("utf-8"))
    assert [int(cell or 0) for cell in cells][:9] == [n for row in score.confusion for n in row]


def test_the_network_is_watched_on_the_clips_that_chose(run: Path, spikes: Path, tmp_path: Path) -> None:
    report_run(run, tmp_path / "page.html", clips=3)

    data = data_of(tmp_path / "page.html")
    with SpikeFile(spikes) as file:
        split = read_split(run, read_card(run), file.sources)
        samples = {clip["n"]: file[clip["n"]] for clip in data["clips"]}
    assert len(samples) == 3
    assert {*samples} <= {*split.part("validation").tolist()}
    assert {clip["c"] for clip in data["clips"]} == {0, 1, 2}
    for clip in data["clips"]:
        activity = watch_clip(run, samples[clip["n"]])
        names = data["classes"]
        assert names[clip["answer"]] == ("up", "down", "mixed")[activity.logits.argmax()]
        assert clip["hidden"]["units"] == 8
        assert clip["readout"]["steps"] == len(activity.readout)
        assert float(clip["readout"]["high"]) == pytest.approx(activity.readout.max(), rel=0.01)


def test_a_run_without_its_data_says_so_and_shows_the_rest(run: Path, spikes: Path, tmp_path: Path) -> None:
    moved = spikes.rename(tmp_path / "elsewhere.h5")

    made = report_run(run, tmp_path / "page.html")

    assert made.clips == 0
    assert made.notes == ("No clip is shown: spikes.h5: no such file; --data FILE says where it is.",)
    assert made.notes[0] in text_of(tmp_path / "page.html")
    assert "Confusions" in text_of(tmp_path / "page.html")
    assert report_run(run, tmp_path / "page.html", data=moved, overwrite=True).clips == 6


def test_other_data_than_those_of_the_run_are_refused(
    run: Path, make_events: Callable[..., Events], write_spikes: Callable[..., Path], tmp_path: Path
) -> None:
    other = write_spikes(make_events(takes=2, seed=1), "other.h5")
    with pytest.raises(
        ValueError, match=r"other\.h5: is not the file that the run was trained on: its SHA-256 differs"
    ):
        report_run(run, tmp_path / "page.html", data=other)
    with pytest.raises(FileNotFoundError, match=r"no\.h5: no such file"):
        report_run(run, tmp_path / "page.html", data=tmp_path / "no.h5")


def test_the_readout_is_shown_as_it_decides(spikes: Path, tmp_path: Path) -> None:
    recipe = recipe_from("se_adlif", {"epochs": "1", "hidden": "8,8", "duration": "0.2", "n_merged": "2"})
    train_run(spikes, tmp_path / "run", recipe=recipe, **SPEAKERS)

    report_run(tmp_path / "run", tmp_path / "page.html")

    assert recipe.network.readout == "softmax_sum"
    assert "The readout over time: largest share over time wins" in text_of(tmp_path / "page.html")
    for clip in data_of(tmp_path / "page.html")["clips"]:
        assert 0 <= float(clip["readout"]["low"]) <= 0.334  # the shares of three classes add up to 1
        assert 0.333 <= float(clip["readout"]["high"]) <= 1


@pytest.mark.parametrize("readout", READOUTS)
def test_every_readout_is_shown_with_its_rule(readout: str, spikes: Path, tmp_path: Path) -> None:
    params = {"epochs": "1", "hidden": "8", "duration": "0.2", "n_merged": "2", "readout": readout}
    train_run(spikes, tmp_path / "run", recipe=recipe_from("recurrent", params), **SPEAKERS)

    report_run(tmp_path / "run", tmp_path / "page.html", clips=1)

    assert f"The readout over time: {RULES[readout]}" in text_of(tmp_path / "page.html")


@pytest.mark.parametrize("name", ["counts", "gru"])
def test_a_network_that_does_not_spike_has_a_page(name: str, spikes: Path, tmp_path: Path) -> None:
    values = {"duration": "0.2"} | ({"epochs": "1", "hidden": "4"} if name == "gru" else {})
    train_run(spikes, tmp_path / "run", recipe=recipe_from(name, values), **SPEAKERS)

    report_run(tmp_path / "run", tmp_path / "page.html")

    assert all("hidden" not in clip for clip in data_of(tmp_path / "page.html")["clips"])


def test_a_page_of_a_run_is_the_same_each_time(run: Path, tmp_path: Path) -> None:
    report_run(run, tmp_path / "one.html")
    report_run(run, tmp_path / "other.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()


def test_the_kind_of_a_page_is_what_the_path_is(spikes: Path, run: Path, tmp_path: Path) -> None:
    train_group(spikes, tmp_path / "group", recipe=RECIPE, seeds=(0, 1), **SPEAKERS)
    (tmp_path / "runs").mkdir()
    run.rename(tmp_path / "runs" / "one")
    out = tmp_path / "page.html"

    def kind(*paths: Path) -> str:
        return report(paths, out, overwrite=True).kind

    assert kind(spikes) == "data set"
    assert kind(tmp_path / "runs" / "one") == "run"
    assert kind(tmp_path / "group") == "group"
    assert "seed-0" in text_of(out)
    assert kind(tmp_path) == "board"
    assert kind(tmp_path / "runs", tmp_path / "group") == "board"
    with pytest.raises(ValueError, match="is not the folder of a run"):
        kind(tmp_path / "group", spikes)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        kind(tmp_path / "nothing")
    with pytest.raises(ValueError, match="is a group of runs, whose page has no clips; leave out --clips"):
        report(tmp_path / "group", out, overwrite=True, clips=3)
    with pytest.raises(ValueError, match="is a spike file, so leave out --data"):
        report(spikes, out, overwrite=True, data=spikes)
    with pytest.raises(ValueError, match="is a folder of runs, so leave out --audio"):
        report(tmp_path, out, overwrite=True, audio=tmp_path)


def test_the_board_has_every_mark_and_says_what_it_means(run: Path, tmp_path: Path) -> None:
    evaluate_run(run)
    evaluate_run(run)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / CARD).write_text("{")

    made = report_board(tmp_path, tmp_path / "page.html")

    said = text_of(tmp_path / "page.html")
    assert re.search(r"\d % \(1\)", said)
    assert "(1) test part opened 2 times" in said
    assert "is not JSON" in made.notes[0]
    assert np.char.count(said, "Left out:") == 1

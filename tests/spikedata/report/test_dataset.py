"""The page of a spike file: its size, and files of every kind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter
from spikedata.report import report_data_set


def data_of(page: Path) -> dict[str, Any]:
    content = page.read_text("utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', content)[1])


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", " ", page.read_text("utf-8"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A file of ours with any number of clips of random spikes."""

    def write(n_clips: int, *, n_units: int = 700, n_spikes: int = 50, keys: tuple[str, ...] = ("a", "b", "c")) -> Path:
        rng = np.random.default_rng(0)
        path = tmp_path / "x.h5"
        with SpikeWriter(path, keys=keys, n_units=n_units) as writer:
            for index in range(n_clips):
                times, units = np.sort(rng.uniform(0, 0.5, n_spikes)), rng.integers(0, n_units, n_spikes)
                writer.append(times, units, label=index % len(keys), speaker=index % 4, duration=0.5)
        return path

    return write


def test_a_file_without_clips_has_a_page(write: Callable[..., Path], tmp_path: Path) -> None:
    made = report_data_set(write(0), tmp_path / "page.html")
    assert made.clips == 0
    assert "The file has no clips." in text_of(tmp_path / "page.html")


def test_a_silent_clip_has_a_page(write: Callable[..., Path], tmp_path: Path) -> None:
    assert report_data_set(write(1, n_spikes=0), tmp_path / "page.html").clips == 1
    assert "Rates by channel" not in text_of(tmp_path / "page.html")


@pytest.mark.parametrize("n_units", [1, 64, 1024])
def test_any_number_of_units_has_a_page(n_units: int, write: Callable[..., Path], tmp_path: Path) -> None:
    report_data_set(write(3, n_units=n_units), tmp_path / "page.html")
    assert data_of(tmp_path / "page.html")["units"] == n_units


def test_a_file_by_another_program_has_a_page_that_says_what_is_not_known(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        for name, dtype in (("times", np.float32), ("units", np.uint16)):
            rows = file.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(dtype))
            for index in range(3):
                rows[index] = np.arange(5, dtype=dtype) / (10 if name == "times" else 1)
        file["labels"] = np.array([0, 1, 1], np.uint8)

    made = report_data_set(tmp_path / "other.h5", tmp_path / "page.html")

    said = text_of(tmp_path / "page.html")
    assert made.clips == 3
    assert "speakers who are not known" in said
    assert "The file itself does not say how many units it has." in said
    assert "another program wrote it" in said
    assert data_of(tmp_path / "page.html")["ticks"][1] == [100, "100"]


def test_of_many_clips_a_balanced_part_is_shown_and_said(write: Callable[..., Path], tmp_path: Path) -> None:
    made = report_data_set(write(300), tmp_path / "page.html", clips=60)

    clips = data_of(tmp_path / "page.html")["clips"]
    assert made.clips == len(clips) == 60
    assert np.bincount([clip["c"] for clip in clips]).tolist() == [20, 20, 20]
    assert np.bincount([clip["s"] for clip in clips]).tolist() == [15, 15, 15, 15]
    assert "60 of 300 clips, drawn with a seed and balanced over classes and speakers." in text_of(
        tmp_path / "page.html"
    )
    assert made.notes[0] == "60 of 300 clips are on the page"


def test_a_page_is_as_small_as_it_has_to_be(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(60, n_spikes=3000)
    made = report_data_set(path, tmp_path / "page.html", max_size=0.2)
    assert 0 < made.clips < 60
    assert 190_000 < made.bytes == (tmp_path / "page.html").stat().st_size <= 200_000

    with pytest.raises(
        ValueError, match=r"needs 0\.[3-9] MB, more than --max-size 0.2: give fewer --clips than 50, or"
    ):
        report_data_set(path, tmp_path / "more.html", max_size=0.2, clips=50)
    with pytest.raises(ValueError, match=r"needs 0\.1 MB, more than --max-size 0.01: give --max-size 0.1"):
        report_data_set(path, tmp_path / "more.html", max_size=0.01)
    assert not (tmp_path / "more.html").exists()


def test_a_thousand_classes_are_listed_in_part(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(1000, n_spikes=2, keys=tuple(f"word {n}" for n in range(1000)))
    made = report_data_set(path, tmp_path / "page.html")
    assert "800 more, with 1 to 1 clips each." in text_of(tmp_path / "page.html")
    assert made.bytes < 200_000


def test_a_long_name_is_cut_in_its_middle(write: Callable[..., Path], tmp_path: Path) -> None:
    report_data_set(write(4, keys=("x" * 50_000, "b")), tmp_path / "page.html")
    assert (tmp_path / "page.html").stat().st_size < 100_000


def test_a_damaged_file_has_no_page(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(20)
    with h5py.File(path, "r+") as file:
        units = file["spikes/units"][3]
        units[0] ^= 1
        file["spikes/units"][3] = units
    with pytest.raises(FormatError, match="sample 3: damaged, its checksum does not match"):
        report_data_set(path, tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()

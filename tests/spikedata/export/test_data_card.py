"""The card of a data set: Hugging Face loads the folder by its front matter, Croissant's library takes the JSON-LD."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import spikedata as sd
from spikedata.cli import main
from spikedata.downloads import Origin
from spikedata.events import Events
from spikedata.export import export_file, write_data_card
from spikedata.files.schema import Provenance

NAMES = ["up", 'do | wn, "x"', "fünf\n五", "null\x7f", "yes: no # '"]


@pytest.fixture
def folder(make_events: Callable[..., Events], write_spikes: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with the spikes of four speakers of a known corpus."""
    write_spikes(make_events(), "words.h5", corpus="fsdd")
    return tmp_path


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()
    return datasets.load_dataset(str(folder), cache_dir=str(folder / "cache"))


def croissant(folder: Path, caplog: pytest.LogCaptureFixture, *, cited: bool = True) -> Any:
    """The data set as Croissant's library sees it, which must find neither errors nor anything recommended missing."""
    mlcroissant = pytest.importorskip("mlcroissant")
    caplog.set_level(logging.WARNING)
    found = mlcroissant.Dataset(str(folder / "croissant.json"))
    assert str(found.metadata.ctx.conforms_to.value) == "http://mlcommons.org/croissant/1.1"
    missed = "".join(record.message for record in caplog.records if record.name == "absl")
    assert missed.count("is recommended") == (not cited)
    return found


@pytest.mark.filterwarnings("default")
def test_a_folder_with_parts_is_loaded_by_both_libraries(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pyarrow")
    for part in ("train", "validation", "test"):
        export_file(folder / "words.h5", to="parquet", part=part, split="by_speaker")
    done = write_data_card(folder / "words.h5", creator="A. Name", url="https://example.org/words")

    assert done.notes == ()
    assert done.described == ("words.h5", "words_train.parquet", "words_validation.parquet", "words_test.parquet")
    text = (folder / "README.md").read_text("utf-8")
    assert "No speaker is in two parts." in text
    assert "CC BY-SA 4.0" in text
    dataset = load(folder, monkeypatch)
    assert {part: len(rows) for part, rows in dataset.items()} == {"train": 30, "validation": 15, "test": 15}
    assert dataset["test"].features["label"].names == ["up", "down", "mixed"]
    records = list(croissant(folder, caplog).records("clips_validation"))
    assert len(records) == 15
    assert len(records[0]["clips_validation/times"]) == 48


@pytest.mark.filterwarnings("default")
def test_a_spike_file_alone_is_loaded_with_its_class_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with sd.SpikeWriter(tmp_path / "x.h5", keys=NAMES, times_dtype="float16") as writer:
        for label in range(len(NAMES)):
            writer.append([0.1, 0.25][:label], [5, 6][:label], label=label, speaker=-1, source=f"{label}.wav")
    done = write_data_card(tmp_path / "x.h5")

    assert "the license is not known" in done.notes[0]
    dataset = load(tmp_path, monkeypatch)["train"]
    assert dataset.features["labels"].names == NAMES
    assert [row["spikes"]["units"] for row in dataset] == [[], [5], [5, 6], [5, 6], [5, 6]]
    assert dataset[0]["extra"] == {"speaker": -1, "source": "0.wav", "sample_rate": 0}
    records = list(croissant(tmp_path, caplog, cited=False).records("classes"))
    assert len(records) == 5
    text = (tmp_path / "README.md").read_text("utf-8")
    assert '| do \\| wn, "x" | 1 |' in text
    assert "| fünf 五 | 1 |" in text


@pytest.mark.filterwarnings("default")
def test_tables_are_described_where_there_is_no_parquet(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    export_file(folder / "words.h5", to="csv")
    done = write_data_card(folder / "words.h5", license="mit", creator="A. Name", url="https://example.org")

    assert done.described == ("words.h5", "words_csv/clips.csv", "words_csv/spikes.csv")
    found = croissant(folder, caplog)
    assert len(list(found.records("clips"))) == 60
    assert next(iter(found.records("spikes")))["spikes/unit"] >= 0


def test_exports_of_another_file_are_not_described(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    export_file(folder / "words.h5", to="parquet")
    export_file(folder / "words.h5", to="csv")
    with sd.SpikeWriter(folder / "words.h5", keys=["other"], mode="w") as writer:
        writer.append([0.1], [5], label=0, speaker=0)
    (folder / "words_2.parquet").write_text("no parquet")
    done = write_data_card(folder / "words.h5")

    assert done.described == ("words.h5",)
    left_out = [note.partition(":")[0] for note in done.notes if "no export of words.h5 as it is now" in note]
    assert left_out == ["words.parquet", "words_2.parquet", "words_csv"]


def test_the_card_says_what_the_file_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(folder / "words.h5"), "--json"]) == 0

    done = json.loads(capsys.readouterr().out)
    assert (done["file"], done["clips"], done["spikes"]) == (str(folder / "README.md"), 60, 2880)
    text = (folder / "README.md").read_text("utf-8")
    for said in (
        'license: "cc-by-sa-4.0"', "| up | 20 |", "| 3 | 15 |", "seed 0", "Jackson et al.", "all checksums match",
        "| spikes | 2,880; per clip 48 (48 to 48) |",
    ):  # fmt: skip
        assert said in text
    file = json.loads((folder / "croissant.json").read_text("utf-8"))["distribution"][0]
    assert file["contentSize"] == f"{(folder / 'words.h5').stat().st_size} B"
    assert file["sha256"] in text


def test_a_file_by_others_has_a_card_that_says_what_is_not_known(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, dtype in (("times", "f4"), ("units", "u2")):
            rows = file.create_dataset(f"spikes/{name}", (1,), h5py.vlen_dtype(np.dtype(dtype)))
            rows[0] = np.array([0, 1], dtype)
        file["labels"] = np.array([0], "u2")
        file["extra/keys"] = np.array([b"\x1b[31mred"])
    write_data_card(tmp_path / "x.h5")

    text = (tmp_path / "README.md").read_text("utf-8")
    assert "\x1b" not in text
    for said in ("Not known: the file has no provenance", "The speaker of 1 clips is unknown", "not in the file"):
        assert said in text
    assert "extra" not in text.partition("---\n\n")[0]


def test_a_published_file_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "shd_test.h5", "w") as file:
        for name, dtype in (("times", "f2"), ("units", "u2")):
            rows = file.create_dataset(f"spikes/{name}", (1,), h5py.vlen_dtype(np.dtype(dtype)))
            rows[0] = np.array([0, 1], dtype)
        file["labels"] = np.array([0], "u2")
    official = Origin(kind="official", published="shd_test", corpus="heidelberg_digits", md5="207a")
    monkeypatch.setattr("spikedata.data_facts.origin_of", lambda _: official)
    write_data_card(tmp_path / "shd_test.h5")

    text = (tmp_path / "README.md").read_text("utf-8")
    assert "shd_test.h5 is official (shd_test.h5 as published)." in text
    assert "Spiking Heidelberg Digits: CC BY 4.0" in text
    assert '  - "en"\n  - "de"\n' in text


def test_the_part_of_a_divided_corpus_is_the_split_that_is_loaded(tmp_path: Path) -> None:
    made = Provenance(package_version="0", params="{}", seed=0, corpus="fsdd", split="by speaker", part="test")
    with sd.SpikeWriter(tmp_path / "test.h5", keys=["a"], provenance=made) as writer:
        writer.append([0.1], [5], label=0, speaker=0)
    write_data_card(tmp_path / "test.h5")

    text = (tmp_path / "README.md").read_text("utf-8")
    assert '- split: "test"\n        path: "test.h5"' in text
    assert "from the corpus fsdd, test of the split “by speaker”" in text


def write_part(path: Path, speakers: tuple[int, ...], *, keys: tuple[str, ...] = ("a", "b"), **made: Any) -> Path:
    provenance = Provenance(
        **{"package_version": "0", "params": "{}", "corpus": "fsdd", "seed": 0, "split": "x"} | made
    )
    with sd.SpikeWriter(path, keys=keys, provenance=provenance) as writer:
        for speaker in speakers:
            writer.append([0.1] * speaker, [5] * speaker, label=speaker % 2, speaker=speaker, source=f"{speaker}.wav")
    return path


def test_parts_of_a_merged_file_that_load_as_one_split_are_said(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with sd.SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        for part in ("train", "test", "train"):
            writer.append([0.1], [5], label=0, speaker=0, part=part)
    note = (
        "x.h5: its parts (train 2, test 1) are loaded as one split, 'train'; export each: spikedata export x.h5 --to "
    )
    assert any(line.startswith(note) for line in write_data_card(tmp_path / "x.h5").notes)
    for part in ("train", "test"):
        export_file(tmp_path / "x.h5", to="parquet", part=part)
    said = write_data_card(tmp_path / "x.h5", overwrite=True)
    assert not [line for line in said.notes if "one split" in line]
    assert said.described == ("x.h5", "x_train.parquet", "x_test.parquet")


@pytest.mark.filterwarnings("default")
def test_the_parts_of_a_divided_corpus_have_one_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "digits"
    folder.mkdir()
    paths = [write_part(folder / f"{n}.h5", w, part=n) for n, w in (("test", (4, 5)), ("train", (1, 2, 3)))]
    assert main(["card", *map(str, paths), "--json"]) == 0

    done = json.loads(capsys.readouterr().out)
    assert (done["clips"], done["spikes"], done["described"]) == (5, 15, ["train.h5", "test.h5"])
    text = (folder / "README.md").read_text("utf-8")
    for said in (
        "# digits, spikes of fsdd",
        "No speaker is in two parts.",
        "| a | 2 |",
        "per clip 3 (1 to 5)",
        "5 rows",
    ):
        assert said in text
    assert {part: len(rows) for part, rows in load(folder, monkeypatch).items()} == {"train": 3, "test": 2}
    assert main(["card", str(paths[1]), str(write_part(folder / "more.h5", (3, 4), part="more")), "--overwrite"]) == 0
    assert "The parts share speakers: 3." in (folder / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({"keys": ("a", "c"), "part": "test"}, "test.h5: has other classes than .*train.h5"),
        ({"seed": 1, "part": "test"}, "test.h5: was made in another way than .*train.h5"),
        ({"part": "train"}, "are both part 'train'"),
    ],
)
def test_files_that_are_no_parts_of_one_data_set_have_no_card(other: dict[str, Any], line: str, tmp_path: Path) -> None:
    paths = [write_part(tmp_path / "train.h5", (1, 2), part="train"), write_part(tmp_path / "test.h5", (3, 4), **other)]

    with pytest.raises(ValueError, match=line):
        write_data_card(paths)
    assert not (tmp_path / "README.md").exists()


def test_a_card_is_replaced_if_asked_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "README.md").write_text("mine")

    assert main(["card", str(folder / "words.h5")]) == 5
    assert "README.md: exists already, will not replace it" in capsys.readouterr().err
    assert not (folder / "croissant.json").exists()
    assert main(["card", str(folder / "words.h5"), "--overwrite", "-q"]) == 0
    assert main(["card", str(folder / "words.h5"), "--out", str(folder / "none")]) == 5
    assert "no folder" in capsys.readouterr().err


def test_a_file_outside_the_folder_is_said(folder: Path) -> None:
    (folder / "upload").mkdir()
    done = write_data_card(folder / "words.h5", folder / "upload")

    assert done.described == ("../words.h5",)
    assert "../words.h5: lies outside the folder of the card" in done.notes[-1]

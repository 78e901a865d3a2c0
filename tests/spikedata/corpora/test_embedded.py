"""The recordings that ship with the package: whole, by the rule, and of people."""

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from spikedata.corpora import embedded, embedded_corpus, list_clips
from spikedata.corpora.catalog import HEIDELBERG_KEYS
from spikedata.splits import make_split

FOLDER = embedded_corpus()
TEST_SPEAKERS = (4, 5)


def read_manifest() -> list[dict[str, str]]:
    with (FOLDER / "manifest.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_every_recording_is_the_one_of_the_manifest() -> None:
    lines = read_manifest()
    assert {line["file"] for line in lines} == {path.name for path in FOLDER.glob("*.flac")}
    for line in lines:
        assert hashlib.sha256((FOLDER / line["file"]).read_bytes()).hexdigest() == line["sha256"], line["file"]


def test_the_corpus_lists_what_the_manifest_says() -> None:
    listing = list_clips("heidelberg_digits", FOLDER)
    assert (listing.corpus, listing.keys, listing.unfit) == ("heidelberg_digits", HEIDELBERG_KEYS, ())
    said = {line["file"]: (int(line["label"]), line["class_name"], int(line["speaker"])) for line in read_manifest()}
    assert {clip.name: (clip.label, listing.keys[clip.label], clip.speaker) for clip in listing.clips} == said


def test_each_speaker_says_each_class_as_often_as_the_rule_says() -> None:
    lines = read_manifest()
    counts = Counter((int(line["speaker"]), int(line["label"])) for line in lines)
    assert counts == {
        (speaker, label): 2 if speaker in TEST_SPEAKERS else 3 for speaker in range(12) for label in range(20)
    }
    assert all(f"_trial-{line['take']}_" in line["file"] for line in lines)


def test_the_recordings_fit_8_megabytes_at_16_khz() -> None:
    assert sum(path.stat().st_size for path in FOLDER.glob("*.flac")) < 8e6
    for path in FOLDER.glob("*_digit-7.flac"):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("FLAC", "PCM_16", 1, 16_000)
        assert 0.2 < info.duration < 1.5


def test_authors_license_and_changes_stand_beside_the_recordings() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    assert all(name in readme for name in ("Cramer", "Stradmann", "Schemmel", "Zenke", "CC BY 4.0", "Changes made"))
    assert (FOLDER / "LICENSE").read_text("utf-8").startswith("Attribution 4.0 International")


def test_they_are_split_by_speaker() -> None:
    split = make_split(list_clips("heidelberg_digits", FOLDER), "by_speaker")
    assert split.speakers_apart


@pytest.mark.parametrize("there", [(), ("README.md",), ("manifest.csv",)])
def test_an_installation_without_the_recordings_says_so(
    there: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in there:
        (tmp_path / "heidelberg_digits").mkdir()
        (tmp_path / "heidelberg_digits" / name).touch()
    monkeypatch.setattr(embedded.resources, "files", lambda _: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"heidelberg_digits: the recordings that ship .* install"):
        embedded_corpus()

"""`encode` takes what a user has: a folder, a table, a corpus by name; and leaves nothing behind where it refuses."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.cli import main
from spikedata.corpora import list_clips
from spikedata.corpora.audio import AudioError
from spikedata.disk import OutputError
from spikedata.encoding.encode import encode, encode_clips
from spikedata.encoding.merge import merge_shards
from spikedata.encoding.verify import verify_file
from spikedata.files.info import describe_file
from spikedata.files.reader import SpikeFile
from spikedata.splits import Split


@pytest.fixture
def words(tmp_path):
    """Class folders of two words with 12 recordings each, and a table of them."""
    lines = ["path,label,speaker"]
    for index in range(24):
        word = ("no", "yes")[index % 2]
        path = tmp_path / "words" / word / f"{index}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(index).normal(0, 0.1, 400), 8_000)
        lines.append(f"words/{word}/{index}.wav,{word},{['ann', 'ben', 'cem', 'dan'][index // 2 % 4]}")
    (tmp_path / "words.csv").write_text("\n".join(lines))
    return tmp_path / "words"


def test_a_folder_a_table_and_a_corpus_by_name_are_taken(words, tmp_path):
    folder = encode(str(words), tmp_path / "folder.h5", preset="published")
    table = encode(tmp_path / "words.csv", tmp_path / "table.h5", preset="published")
    named = encode(words, tmp_path / "named.h5", corpus="folder", preset="published")
    listed = encode(list_clips("folder", words), tmp_path / "listed.h5", preset="published")
    assert [done.corpus for done in (folder, table, named, listed)] == ["folder", "manifest", "folder", "folder"]
    files = [(tmp_path / f"{name}.h5").read_bytes() for name in ("folder", "named", "listed")]
    assert len(set(files)) == 1
    with SpikeFile(tmp_path / "table.h5") as file:
        assert set(file.speakers.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("source", [None, 5, ["a.wav", None]])
def test_what_names_no_recordings_is_refused(tmp_path, source):
    with pytest.raises(ValueError, match=r"the recordings must be a path or a list of paths, got "):
        encode(source, tmp_path / "x.h5")


def test_a_named_split_divides_what_is_encoded(words, tmp_path):
    done = encode(tmp_path / "words.csv", tmp_path / "out", split="by_speaker", preset="published")
    assert [Path(path).name for path in done.outputs] == [f"manifest_{p}.h5" for p in ("train", "validation", "test")]
    speakers = [set(describe_file(path)["speakers"]) for path in done.outputs]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 4


def test_class_folders_are_divided_by_the_split_that_needs_no_speakers(words, tmp_path, capsys):
    out = tmp_path / "out"
    with pytest.raises(
        ValueError, match=r"24 of 24 samples have an unknown speaker .* --split stratified_shared_speakers"
    ):
        encode(words, out, split="by_speaker")
    assert not out.exists()
    command = ["encode", "folder", str(words), str(out), "--preset", "published", "-q", "--split"]
    assert main([*command, "by_speaker"]) == 1
    assert "--split stratified_shared_speakers" in capsys.readouterr().err
    assert main([*command, "stratified_shared_speakers"]) == 0
    assert describe_file(out / "folder_test.h5")["samples_of_unknown_speaker"] > 0


def test_a_folder_of_a_known_corpus_is_shown_the_way(tmp_path):
    soundfile.write(tmp_path / "0_jim_0.wav", np.random.default_rng(0).normal(0, 0.1, 400), 8_000)
    done = encode(tmp_path, tmp_path / "x.h5", preset="published")
    assert any("named as in fsdd; the corpus 'fsdd' knows their classes" in note for note in done.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "ignore"}, "on_error must be 'fail' or 'skip', got 'ignore'"),
        ({"workers": 1.5}, r"workers must be a whole number >= 1, got 1\.5"),
        ({"shard": 3}, r"shard, such as \(3, 16\), must be two whole numbers, got 3"),
        ({"shard": (3, 2)}, r"shard must be \(index, count\)"),
        ({"seed": -1}, "seed must be >= 0 and <= 9223372036854775807, got -1"),
        ({"preset": "loud"}, "preset must be one of default, published, human, got 'loud'"),
        ({"split": Split("larger", {"train": [99]})}, "sample 99, must be < 24"),
    ],
)
def test_a_refusal_leaves_no_folder_behind(words, tmp_path, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        encode(words, tmp_path / "new" / "er" / "x.h5", **options)
    assert not (tmp_path / "new").exists()


def test_folders_above_the_output_are_made(words, tmp_path):
    out = tmp_path / "new" / "er" / "x.h5"
    encode(words, out, preset="published")
    shards = [encode(words, tmp_path / "s" / "x.h5", preset="published", shard=(i, 2)).outputs[0] for i in (1, 2)]
    merge_shards(shards, tmp_path / "m" / "x.h5")
    assert (tmp_path / "m" / "x.h5").read_bytes() == out.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["x.h5"]


def test_a_folder_that_cannot_be_made_is_a_fault_of_the_output(words, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"x\.h5: cannot be written: Not a directory"):
        encode(words, tmp_path / "file" / "new" / "x.h5")


def test_recordings_that_fail_leave_no_folder_behind(tmp_path):
    silent = tmp_path / "words" / "no" / "0.wav"
    silent.parent.mkdir(parents=True)
    soundfile.write(silent, np.zeros(400), 8_000)
    with pytest.raises(AudioError, match="silent"):
        encode(tmp_path / "words", tmp_path / "new" / "er" / "x.h5")
    assert not (tmp_path / "new").exists()


@pytest.fixture
def forbidden(words, monkeypatch):
    """One recording that may not be read, for root either."""
    path = words / "no" / "4.wav"
    inner = os.open

    def refuse(file, *args, **options):
        if file == path:
            raise PermissionError(13, "Permission denied", str(file))
        return inner(file, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    return path


def test_a_recording_that_may_not_be_read_is_its_own_fault(words, forbidden, tmp_path, capsys):
    out = tmp_path / "x.h5"
    command = ["encode", "folder", str(words), str(out), "--preset", "published", "--no-progress", "--on-error"]
    assert main([*command, "fail"]) == 1
    assert f"{forbidden}: cannot be read: Permission denied" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "skip"]) == 0
    assert "skipped: no/4.wav: cannot be read: Permission denied" in capsys.readouterr().err
    with SpikeFile(out) as file:
        assert (len(file), file.skipped) == (23, ("no/4.wav: cannot be read: Permission denied",))
    found = verify_file(out, audio=words)
    assert found.n_compared == 23
    assert any("left out when the file was made: 1" in note for note in found.notes)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), PermissionError(13, "Permission denied")])
def test_whatever_error_one_recording_gives_is_skipped(words, tmp_path, monkeypatch, error):
    from spikedata.encoding import clips

    inner = clips.read_sound

    def read_sound(path):
        if path.name == "4.wav":
            raise error
        return inner(path)

    monkeypatch.setattr(clips, "read_sound", read_sound)
    done = encode_clips(list_clips("folder", words), tmp_path / "x.h5", preset="published", on_error="skip")
    assert (done.n_clips, len(done.skipped)) == (23, 1)

"""The commands that make a spike file of recordings."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.cli import main
from spikedata.cli.progress import Progress
from spikedata.files.reader import SpikeFile


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Recordings named as the Heidelberg Digits: six speakers, two digits."""
    root = tmp_path / "digits"
    root.mkdir()
    rng = np.random.default_rng(2)
    for speaker in range(6):
        for digit in range(2):
            name = f"lang-english_speaker-{speaker:02}_trial-0_digit-{digit}.flac"
            soundfile.write(root / name, rng.uniform(-0.5, 0.5, 480), 48_000)
    return root


def test_encode_writes_a_file_and_prints_one_line(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", "folder", str(corpus), str(tmp_path / "x.h5")]) == 0

    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1
    assert "2 clips" in printed.out
    assert printed.err == ""
    with SpikeFile(tmp_path / "x.h5") as file:
        assert len(file) == 2


def test_the_same_encoding_again_keeps_what_is_there(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["encode", "folder", str(corpus), str(tmp_path / "x.h5")]
    assert main([*command, "-q"]) == 0
    made = (tmp_path / "x.h5").stat().st_mtime_ns

    assert main(command) == 0
    assert re.search(r"x\.h5: 2 clips \(2 kept from before\), [\d,]+ spikes\n", capsys.readouterr().out)
    assert (tmp_path / "x.h5").stat().st_mtime_ns == made


def test_another_encoding_does_not_replace_what_is_there(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["encode", "folder", str(corpus), str(tmp_path / "x.h5"), "-q"]
    assert main(command) == 0

    assert main([*command, "--seed", "1"]) == 5
    assert capsys.readouterr().err.count("\n") == 1
    assert main([*command, "--seed", "1", "--overwrite"]) == 0


def test_encode_with_a_split_writes_a_file_for_each_part(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", "heidelberg_digits", str(digits), str(tmp_path / "shd"), "--preset", "published", "--json"]
    assert main([*words, "--split", "published"]) == 0

    outputs = json.loads(capsys.readouterr().out)["files"]
    assert {Path(output).name for output in outputs} == {"shd_train.h5", "shd_test.h5"}
    with SpikeFile(tmp_path / "shd/shd_test.h5") as file:
        assert {4, 5} <= set(file.speakers.tolist())


def test_shards_that_are_merged_are_the_whole(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["encode", "heidelberg_digits", str(digits)]
    assert main([*words, str(tmp_path / "whole.h5"), "-q"]) == 0
    for index in (3, 1, 2):
        assert main([*words, str(tmp_path / "x.h5"), "--shard", f"{index}/3", "-q"]) == 0
    shards = [str(tmp_path / f"x.shard-000{index}-of-0003.h5") for index in (2, 3, 1)]
    assert main(["merge", *shards, "--out", str(tmp_path / "x.h5")]) == 0

    assert re.fullmatch(r".*x\.h5: 12 clips, [\d,]+ spikes\n", capsys.readouterr().out)
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_merge_without_a_shard_gives_one_line_and_status_1(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", "heidelberg_digits", str(digits), str(tmp_path / "x.h5"), "--shard", "1/2", "-q"]
    assert main(words) == 0

    assert main(["merge", str(tmp_path / "x.shard-0001-of-0002.h5"), "--out", str(tmp_path / "x.h5")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "x.h5").exists()


def test_skipped_recordings_are_reported_and_counted(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(12):
        (corpus / f"cat/bad-{index:02}.wav").write_bytes(b"no sound")
    (corpus / "alone.wav").write_bytes(b"no class")

    assert main(["encode", "folder", str(corpus), str(tmp_path / "x.h5"), "--on-error", "skip"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12
    assert "bad-00.wav" in lines[0]
    assert lines[10] == "skipped: 2 more; -v shows all"
    assert "alone.wav" in lines[11]


def test_a_recording_that_cannot_be_used_gives_one_line_and_status_1(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "cat/bad.wav").write_bytes(b"no sound")

    assert main(["encode", "folder", str(corpus), str(tmp_path / "x.h5")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "bad.wav" in error


# What is encoded: the corpus may be left out


def test_files_and_flat_folders_are_encoded_as_one_class(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(corpus / "cat/1.wav"), str(corpus / "dog/1.wav")]
    calls = {
        "files": [*files],
        "one": [files[0]],
        "named_flat": ["folder", str(corpus / "cat")],
        "named_file": ["folder", files[0]],
    }
    for name, words in calls.items():
        assert main(["encode", *words, str(tmp_path / f"{name}.h5"), "--preset", "published"]) == 0
        assert "called like the folder" in capsys.readouterr().err
    content = {}
    for name in calls:
        with SpikeFile(tmp_path / f"{name}.h5") as file:
            content[name] = (file.keys, file.sources)
    assert content["files"] == (("words",), ("cat/1.wav", "dog/1.wav"))
    assert content["one"] == content["named_flat"] == content["named_file"]
    assert content["one"] == (("cat",), ("1.wav",))
    assert main(["verify", str(tmp_path / "files.h5"), "--deep", str(corpus)]) == 0


def test_a_table_is_encoded_by_the_columns_that_are_named(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "table.tsv").write_text("File\tword\tset\tage\ncat/1.wav\tmiau\tTRAIN\t\ndog/1.wav\tmiau\tdev\t3\n")
    words = ["encode", str(corpus / "table.tsv"), str(tmp_path / "out"), "--preset", "published", "--split", "listed"]
    assert main([*words, "--columns", "path=File,label=word,split=set"]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"manifest_train.h5", "manifest_validation.h5"}
    made, table = str(tmp_path / "out/manifest_train.h5"), str(corpus / "table.tsv")
    assert main(["verify", made, "--deep", table, "--columns", "path=File,label=word,split=set"]) == 0
    assert main([*words, "--overwrite"]) == 1
    assert "say --columns path=File,label=word" in capsys.readouterr().err


def test_what_is_left_out_is_said_with_its_reason_in_words_and_in_json(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for name in ("eel/1.m4a", "eel/2.webm", "fox/1.wav"):
        (corpus / name).parent.mkdir(exist_ok=True)
        (corpus / name).write_bytes(b"no sound")
    words = ["encode", str(corpus), str(tmp_path / "x.h5"), "--preset", "published", "--on-error", "skip"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "2 recordings are left out: 'eel/1.m4a', 'eel/2.webm': needs a decoder: pip install 'spike" in said
    assert "note: there is no class 'eel': none of its 2 recordings can be used" in said
    assert "note: class 'fox' has no clip: its recording was skipped, first fox/1.wav: " in said

    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["file"], record["clips"], len(record["skipped"])) == (str(tmp_path / "x.h5"), 2, 1)
    assert record["unfit"] == list(record["reasons"]) == ["eel/1.m4a", "eel/2.webm"]
    assert any("'eel'" in note for note in record["notes"])
    assert any("'fox'" in note for note in record["notes"])


def test_a_class_in_two_unicode_forms_is_one_key_in_the_file_and_its_recordings_are_verified(
    corpus: Path, tmp_path: Path
) -> None:
    for form, name in (("NFC", "cat"), ("NFD", "dog")):
        (corpus / name).rename(corpus / unicodedata.normalize(form, "fünf"))
    next(corpus.glob("fu*")).joinpath("1.wav").rename(next(corpus.glob("fu*")) / "2.wav")
    out = str(tmp_path / "x.h5")
    assert main(["encode", str(corpus), out, "--preset", "published", "-q"]) == 0
    with SpikeFile(out) as file:
        assert (file.keys, file.sources) == (("fünf",), ("fünf/1.wav", "fünf/2.wav"))
    assert main(["verify", out, "--deep", str(corpus), "-q"]) == 0


@pytest.mark.parametrize("out", ["out.csv", "out", "take.wav", "out.h5.gz"])
def test_a_spike_file_has_a_name_that_says_so(
    corpus: Path, tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", str(corpus), str(tmp_path / out)]) == 5
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "a spike file has a name with .h5, as " in error
    assert [path.name for path in tmp_path.iterdir()] == ["words"]


@pytest.mark.parametrize(
    ("words", "status", "rule"),
    [
        (["nowhere", "x.h5"], 1, "nowhere: no such file or folder"),
        (["folder", "nowhere.wav", "x.h5"], 1, "nowhere.wav: no such folder"),
        (["nowhere.wav", "b.wav", "x.h5"], 1, "nowhere.wav: no such file or folder"),
        (["folder", "x.h5"], 2, "the recordings of folder are not given: spikedata encode folder AUDIO x.h5"),
        (["folder", "x", "x.h5", "--columns", "path=a"], 1, "the corpus must be 'manifest', got 'folder'"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(
    words: list[str], status: int, rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["encode", *words]) == status
    error = capsys.readouterr().err
    assert rule in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["folder", "a", "b.h5", "--columns", "path"], "must be ROLE=NAME with commas between, .* got 'path'"),
        (["folder", "a", "b.h5", "--columns", "path=a,path=b"], "must be ROLE=NAME with commas between"),
        (["folders", "a", "b"], "CORPUS: must be one of heidelberg_digits, .*, got 'folders'"),
        (["folder", "a", "b", "--split", "even"], "--split: must be one of by_speaker, .*, got 'even'"),
        (["folder", "a", "b", "--shard", "0/4"], "a shard is I/N with 1 <= I <= N, as 3/16, got '0/4'"),
        (["folder", "a", "b", "--shard", "5/4"], "a shard is I/N with 1 <= I <= N, as 3/16, got '5/4'"),
        (["folder", "a", "b", "--shard", "4"], "a shard is I/N with 1 <= I <= N, as 3/16, got '4'"),
    ],
)
def test_wrong_usage_of_encode_names_the_rule(words: list[str], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["encode", *words])

    assert left.value.code == 2
    assert re.search(rule, capsys.readouterr().err)


def test_a_cluster_that_is_not_there_gives_one_line_and_status_4(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    nowhere = str(tmp_path / "scheduler.json")

    assert main(["encode", "folder", str(corpus), str(tmp_path / "x.h5"), "--cluster", nowhere]) == 4
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def many_clips(tmp_path: Path) -> Path:
    """More clips than a block holds."""
    root = tmp_path / "words"
    (root / "cat").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for index in range(150):
        soundfile.write(root / f"cat/{index}.wav", rng.uniform(-0.5, 0.5, 80), 16_000)
    return root


def test_an_interruption_says_what_is_kept_and_the_same_command_goes_on(
    many_clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["encode", "folder", str(many_clips), str(tmp_path / "x.h5"), "--workers", "1"]
    parts = tmp_path / "x.h5.parts"

    def interrupt_once_a_block_is_done(self: Progress, done: int, total: int) -> None:
        if any(parts.glob("*.h5")):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "at", interrupt_once_a_block_is_done)
        assert main(command) == 130
    assert capsys.readouterr() == (
        "",
        f"spikedata: interrupted; finished clips are kept (1 block in {parts}), and the same command goes on from "
        "there\n",
    )

    assert main(command) == 0
    assert re.search(r"150 clips \(\d+ kept from before\)", capsys.readouterr().out)
    assert {path.name for path in tmp_path.iterdir()} == {"words", "x.h5"}


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")
def test_control_c_before_a_block_is_done_leaves_one_line_and_no_file(tmp_path: Path) -> None:
    root = tmp_path / "words"
    (root / "house").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for index in range(60):  # all of them in one block
        soundfile.write(root / f"house/{index}.wav", rng.uniform(-0.5, 0.5, 4 * 16_000), 16_000)
    # a shell that runs its jobs in the background has them ignore the signal
    heed = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heed}; from spikedata.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "encode", "folder", str(root), str(tmp_path / "x.h5")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (tmp_path / "x.h5.parts").is_dir():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)  # at the beginning of 240 s of sound
    _, error = process.communicate(timeout=60)

    assert process.returncode == 130
    assert error == "spikedata: interrupted; no clip was done yet; the same command begins anew\n"
    assert {path.name for path in tmp_path.iterdir()} == {"words"}

"""What --json prints: one object, one vocabulary for all commands, errors too."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from spikedata.cli import build_parser, main
from spikedata.cli.output import VOCABULARY
from spikedata.corpora import embedded_corpus
from spikedata.downloads import ChecksumError, Download, Verification
from spikedata.files.writer import SpikeWriter

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "command_line.md"
# one way to call each command, in the order in which one makes what the next needs
CALLS = {
    "synth": ["--words", "{root}/words.txt", "--out", "{root}/spoken", "--speakers", "1", "--takes", "1"],
    "noisy-digits": ["{digits}", "--out", "{root}/noisy"],
    "make": ["yin_yang", "{root}/yin_yang.h5", "--n-clips", "20"],
    "encode": ["folder", "{root}/noises", "{root}/noises.h5", "--shard", "1/1"],
    "merge": ["{root}/noises.shard-0001-of-0001.h5", "--out", "{root}/noises.h5"],
    "info": ["{root}/noises.h5"],
    "verify": ["{root}/noises.h5"],
    "plot": ["{spikes}", "--out", "{root}/x.png"],
    "export": ["{root}/noises.h5", "--to", "npz"],
    "card": ["{root}/noises.h5", "--license", "cc0-1.0"],
    "recognize": [str(embedded_corpus() / "lang-english_speaker-04_trial-0_digit-7.flac")],
    "report": ["{root}/noises.h5", "--out", "{root}/noises.html"],
    "train": ["{spikes}", "--recipe", "counts", "--out", "{root}/run"],
    "evaluate": ["{root}/run"],
    "probe": ["{root}/run"],
    "quantize": ["{root}/run"],
    "leaderboard": ["{root}"],
    "recipes": [],
    "params": ["counts"],
    "download": ["shd", "--dry-run"],
    "doctor": [],
}
TYPES = {"file": str, "files": list, "skipped": list, "error": str}  # all other words are numbers
TELLS = {
    "synth": {"file", "clips"},
    "noisy-digits": {"file", "clips"},
    "make": {"file", "clips", "spikes"},
    "encode": {"file", "files", "clips", "spikes", "skipped", "kept"},
    "merge": {"file", "files", "clips", "spikes", "skipped"},
    "info": {"file", "clips", "spikes", "skipped"},
    "verify": {"file", "clips", "spikes", "compared"},
    "plot": {"file"},
    "export": {"file", "clips", "spikes"},
    "card": {"file"},
    "recognize": {"files", "clips", "spikes", "skipped"},
    "report": {"file", "clips", "bytes"},
    "train": {"file", "clips"},
    "evaluate": {"file", "clips"},
    "probe": {"file", "clips"},
    "quantize": {"file", "clips"},
    "leaderboard": {"file", "skipped"},
    "download": {"file", "files"},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    (folder / "words.txt").write_text("one\n")
    rng = np.random.default_rng(1)
    for name in ("cat/1.wav", "dog/1.wav"):
        (folder / "noises" / name).parent.mkdir(parents=True)
        soundfile.write(folder / "noises" / name, rng.uniform(-0.5, 0.5, 160), 16_000)
    return folder


@pytest.fixture(scope="module")
def told(root: Path, spike_path: Path, one_take: Path) -> dict[str, dict[str, Any]]:
    """What each command says, by its name."""
    capture = pytest.MonkeyPatch()
    records: dict[str, dict[str, Any]] = {}
    for command, words in CALLS.items():
        lines: list[str] = []
        capture.setattr("spikedata.cli.write_out", lines.append)
        capture.setattr("spikedata.corpora.noisy._TAKES", dict.fromkeys(("english", "german"), ((0,),) * 12))
        given = [word.format(root=root, spikes=spike_path, digits=one_take) for word in words]
        main([command, *given, "--json", "--no-progress"])
        capture.undo()
        assert len(lines) == 1, f"{command} prints one object"
        records[command] = json.loads(lines[0])
    return records


def names_of_commands() -> set[str]:
    (commands,) = (action for action in build_parser()._actions if action.dest == "command")
    return set(commands.choices)  # type: ignore[arg-type]


def test_every_command_is_walked() -> None:
    assert set(CALLS) == names_of_commands() - {"demo"}, "tell this file how the command is called"


@pytest.mark.parametrize("command", CALLS)
def test_a_command_speaks_the_vocabulary(command: str, told: dict[str, dict[str, Any]]) -> None:
    record = told[command]
    if command != "doctor":  # which may find something
        assert "error" not in record
    assert record.keys() >= TELLS.get(command, set())
    assert not record.keys() & {name for names in VOCABULARY.values() for name in names}
    for word in record.keys() & VOCABULARY.keys():
        assert isinstance(record[word], TYPES.get(word, int)), word
        if TYPES.get(word) is list:
            assert all(isinstance(entry, str) for entry in record[word]), word


def test_the_file_that_is_named_is_there(root: Path, told: dict[str, dict[str, Any]]) -> None:
    assert Path(told["encode"]["file"]) == root / "noises.shard-0001-of-0001.h5"
    for command in TELLS.keys() - {"download"}:
        assert Path(told[command]["file"]).exists(), command


def test_counts_are_those_of_the_file(told: dict[str, dict[str, Any]]) -> None:
    assert {told[command]["clips"] for command in ("encode", "merge", "info", "verify")} == {2}
    assert len({told[command]["spikes"] for command in ("encode", "merge", "info", "verify")}) == 1
    assert told["train"]["clips"] == 36
    assert told["evaluate"]["clips"] == told["evaluate"]["tests"][-1]["score"]["n"]


def test_the_documents_explain_every_word() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", DOCS.read_text("utf-8"), flags=re.MULTILINE))
    assert explained >= {*VOCABULARY, "error", "status"}


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    def call(*words: object) -> SimpleNamespace:
        try:
            status = main([*map(str, words), "--json"])
        except SystemExit as left:
            status = left.code
        captured = capsys.readouterr()
        assert captured.out.count("\n") == 1
        assert captured.err.count("Traceback") == 0
        return SimpleNamespace(
            status=status, record=json.loads(captured.out), line=captured.err.rstrip("\n").rpartition("\n")[2]
        )

    return call


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["info", "{tmp}/none.h5"], 1),
        (["info", "{tmp}/text.h5"], 3),
        (["plot", "{spikes}", "--out", "{tmp}/text.png"], 5),
        (["train", "{spikes}", "--out", "{tmp}/r"], 2),  # found by us
        (["train", "{spikes}"], 2),  # and by argparse
        (["info", "{spikes}", "--fly"], 2),
        (["fly"], 2),
        (["encode", "folder", "{tmp}/none", "{tmp}/x.h5"], 1),
        (["leaderboard", "{tmp}"], 1),
    ],
)
def test_an_error_is_an_object_and_a_line(
    words: list[str], status: int, say: Callable[..., SimpleNamespace], spike_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.h5").write_text("no spikes")
    (tmp_path / "text.png").write_text("no picture")
    said = say(*(word.format(spikes=spike_path, tmp=tmp_path) for word in words))
    assert said.status == said.record["status"] == status
    assert said.line.endswith(f": {said.record['error']}")


def test_an_interruption_is_an_error_too(
    say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch, spike_path: Path
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spikedata.files.info.describe_file", interrupt)
    said = say("info", spike_path)
    assert (said.status, said.record["status"]) == (130, 130)
    assert said.record["error"].startswith("interrupted; ")


def test_a_bug_of_ours_is_an_error_too_and_shows_its_traceback(
    monkeypatch: pytest.MonkeyPatch, spike_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("spikedata.files.info.describe_file", fail)
    with pytest.raises(KeyError):
        main(["info", str(spike_path), "--json"])
    assert json.loads(capsys.readouterr().out) == {"error": "KeyError: 'x'", "status": 1}


def test_a_missing_library_is_an_error_too(
    say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch, spike_path: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.setitem(sys.modules, name, None)
    said = say("plot", spike_path, "--out", tmp_path / "x.png")
    assert said.record["error"].endswith(" is not installed: pip install 'spikedata-audio[plot]'")
    assert said.record["status"] == said.status == 1


def test_a_missing_library_that_the_installed_metadata_do_not_know_is_no_traceback(
    say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch, spike_path: Path
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ModuleNotFoundError("No module named 'newer_library'", name="newer_library.core")

    monkeypatch.setattr("spikedata.export.export_file", fail)
    said = say("export", spike_path, "--to", "aer")
    assert said.record["error"].startswith(
        "newer_library.core is not installed, and no extra of spikedata-audio as it "
    )
    assert said.record["status"] == said.status == 1


def test_what_was_found_stands_beside_the_error(
    say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Verification(name="shd_test", path=Path("d/shd_test.h5"), n_files=1, missing=(), changed=("shd_test.h5",),
                         notes=(), is_deep=True)  # fmt: skip
    monkeypatch.setattr("spikedata.downloads.verify_download", lambda *_, **__: [found])
    said = say("verify", "shd_test", "--deep")
    assert said.status == said.record.pop("status") == 3
    assert "shd_test.h5: not as it was" in said.record.pop("error")
    assert said.record.pop("parts")[0]["file"] == "d/shd_test.h5"
    assert said.record == {"file": "d/shd_test.h5", "files": ["d/shd_test.h5"], "ok": False}
    assert issubclass(ChecksumError, OSError | ValueError)


def test_a_download_speaks_the_vocabulary(say: Callable[..., SimpleNamespace], monkeypatch: pytest.MonkeyPatch) -> None:
    done = Download(name="shd", paths=(Path("d/shd_train.h5"), Path("d/shd_test.h5")), n_bytes=5, notes=())
    monkeypatch.setattr("spikedata.downloads.download", lambda *_, **__: done)
    said = say("download", "shd")
    assert said.record == {
        "file": "d", "name": "shd", "files": ["d/shd_train.h5", "d/shd_test.h5"], "bytes": 5, "notes": [],
    }  # fmt: skip


def test_what_was_left_out_is_listed_whole(say: Callable[..., SimpleNamespace], corpus: Path, tmp_path: Path) -> None:
    for index in range(12):
        (corpus / "cat" / f"bad{index}.wav").write_bytes(b"no sound")
    said = say("encode", "folder", corpus, tmp_path / "x.h5", "--on-error", "skip", "-q")
    assert (said.record["clips"], len(said.record["skipped"])) == (2, 12)
    assert say("info", tmp_path / "x.h5").record["skipped"] == said.record["skipped"]


def test_what_is_no_number_is_null(say: Callable[..., SimpleNamespace], tmp_path: Path) -> None:
    with SpikeWriter(tmp_path / "x.h5", keys=["a"]) as writer:
        writer.append([], [], label=0, speaker=-1)
    assert say("info", tmp_path / "x.h5").record["clips"] == 1

"""The commands that get a data set or the recordings behind it; the downloads themselves have their own tests."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata import downloads
from spikedata.cli import main
from spikedata.disk import OutputError
from spikedata.downloads import ChecksumError, Download, DownloadError


@pytest.fixture
def fetch(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], list[tuple[object, ...]]]:
    """Put something in the place of `download`: a result, or an exception; gives the list of its calls."""

    def put(outcome: object) -> list[tuple[object, ...]]:
        calls: list[tuple[object, ...]] = []

        def download(name: str, root: str | None = None, **options: object) -> object:
            calls.append((name, root, options["form"]))
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        monkeypatch.setattr(downloads, "download", download)
        return calls

    return put


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


FETCHED = Download(name="fsdd", paths=(Path("data/fsdd"),), n_bytes=15_000_000, notes=("checked as a git tree",))


def test_download_prints_where_the_files_are(
    fetch: Callable[[object], list[tuple[object, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    calls = fetch(FETCHED)

    assert main(["download", "fsdd", "--root", "data"]) == 0
    assert calls == [("fsdd", "data", "zip")]
    assert capsys.readouterr() == (f"{Path('data/fsdd')}\nchecked as a git tree\n", "")


def test_download_as_json_is_one_object(
    fetch: Callable[[object], list[tuple[object, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(FETCHED)

    assert main(["download", "fsdd", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["name"], printed["bytes"]) == ("fsdd", 15_000_000)
    assert printed["files"] == [str(Path("data/fsdd"))]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DownloadError("shd_test.h5.zip: no host has it"), 4),
        (ChecksumError("shd_test.h5.zip: MD5 is 00, must be 15"), 3),
        (OutputError("data: no space left"), 5),
    ],
)
def test_a_download_that_fails_gives_one_line_and_its_status(
    fetch: Callable[[object], list[tuple[object, ...]]],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    status: int,
) -> None:
    fetch(error)

    assert main(["download", "shd_test"]) == status
    assert capsys.readouterr() == ("", f"spikedata: {error}\n")


def test_an_interrupted_download_says_that_it_goes_on(
    fetch: Callable[[object], list[tuple[object, ...]]], capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(KeyboardInterrupt())

    assert main(["download", "shd"]) == 130
    assert capsys.readouterr().err == (
        "spikedata: interrupted; what was fetched is kept, and the same command goes on from there\n"
    )


def test_an_unknown_name_is_wrong_usage_and_shows_all_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["download", "imagenet"])

    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "must be one of shd, ssc, heidelberg_digits" in error
    assert "'imagenet'" in error


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("words", [["download"], ["download", "--list"]])
def test_download_without_a_name_lists_all_names(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0

    printed = capsys.readouterr().out
    assert {line.split()[0] for line in printed.splitlines()[1:]} == set(downloads.DATASETS)
    assert all(name in printed.split() for name in downloads.NAMES)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("name", ["shd", "ssc_valid", "heidelberg_digits", "speech_commands", "fsdd", "audiomnist"])
def test_a_dry_run_shows_all_that_is_known_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["download", name, "--root", str(tmp_path / "data"), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["parts"][0]
    assert main(["download", name, "--root", str(tmp_path / "data"), "--dry-run"]) == 0
    shown = capsys.readouterr().out

    assert not plan["is_there"]
    for known in (*plan["urls"], plan["license"], plan["citation"], plan["file"]):
        assert known in shown
    assert list(tmp_path.iterdir()) == []

"""Who holds a folder or a file is alone in it, however many processes come and go."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from spikedata import disk
from spikedata.disk import OutputError, WorkFolder, holding

# Each process goes in and out; whoever is in has made a file that nobody else can make until it is gone again.
_FOLDER = """
import os, random, sys, time
from pathlib import Path
from spikedata.disk import OutputError
from spikedata.disk import WorkFolder
folder, witness, n_in, end = Path(sys.argv[1]), sys.argv[2], 0, time.time() + 3
while time.time() < end:
    try:
        room = WorkFolder(folder, busy="busy")
    except OutputError as error:
        assert str(error).startswith("busy"), error
        continue
    os.close(os.open(witness, os.O_CREAT | os.O_EXCL))
    (folder / "work").write_text("half")
    time.sleep(random.random() * 1e-4)
    assert (folder / "work").is_file()
    os.unlink(witness)
    room.remove() if random.random() < 0.7 else room.leave()
    n_in += 1
print(n_in)
"""
_WITHOUT_LOCKS = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
_FILE = """
import sys
from pathlib import Path
from spikedata.disk import holding
path = Path(sys.argv[1])
for _ in range(50):
    with holding(path):
        path.write_text(str(int(path.read_text()) + 1))
"""


def _without_locks(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def _run_together(code: str, words: list[list[str]]) -> list[str]:
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *argv], stdout=subprocess.PIPE, text=True) for argv in words
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return outputs


@pytest.mark.parametrize("kind", ["", pytest.param(_WITHOUT_LOCKS, marks=pytest.mark.slow)], ids=["", "without locks"])
def test_processes_that_come_and_go_are_never_two_in_a_folder(kind: str, tmp_path: Path) -> None:
    folder, witness = tmp_path / "a" / "b" / "run.training", tmp_path / "witness"
    outputs = _run_together(kind + _FOLDER, [[str(folder), str(witness)]] * 4)
    # nobody was kept out for good, though a soft lock is not fair and a machine may be busy
    assert all(int(output) > 0 for output in outputs)
    WorkFolder(folder, busy="busy").remove()
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["", _WITHOUT_LOCKS], ids=["", "without locks"])
def test_no_change_of_a_file_is_lost(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text("0")
    _run_together(kind + _FILE, [[str(path)]] * 4)
    assert path.read_text() == "200"
    assert [entry.name for entry in tmp_path.iterdir()] == ["card.json"]


def test_folders_above_are_made_and_go_with_it(tmp_path: Path) -> None:
    room = WorkFolder(tmp_path / "runs" / "new" / "run.training", busy="busy")
    (tmp_path / "runs" / "note").write_text("of somebody else")
    room.remove()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["note"]


def test_who_is_kept_out_leaves_all_as_it_is(tmp_path: Path) -> None:
    room = WorkFolder(tmp_path / "run.training", busy="busy")
    with pytest.raises(OutputError, match="busy"):
        WorkFolder(tmp_path / "run.training", busy="busy")
    assert (tmp_path / "run.training" / ".lock").is_file()
    room.leave()
    WorkFolder(tmp_path / "run.training", busy="busy").remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(OutputError, match=r"run\.training: cannot be written: "):
        WorkFolder(tmp_path / "runs" / "run.training", busy="busy")


def test_a_lock_beside_a_file_that_is_gone_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"card\.json: no folder"), holding(tmp_path / "none" / "card.json"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, 524, errno.ENOSYS, errno.EINVAL, errno.EPERM])
def test_a_file_system_without_locks_keeps_others_out_all_the_same(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    folder = tmp_path / "run.training"
    room = WorkFolder(folder, busy="busy")
    with pytest.raises(
        OutputError, match=rf"busy \(process {os.getpid()} on .*; if it is gone, remove .*\.lock\.owner"
    ):
        WorkFolder(folder, busy="busy")
    with pytest.MonkeyPatch.context() as with_locks:  # another host has mounted it with locks
        with_locks.setattr(fcntl, "flock", real)
        with pytest.raises(OutputError, match=r"busy \(process"):
            WorkFolder(folder, busy="busy")
    (folder / "checkpoint").write_text("of a day")
    room.leave()
    WorkFolder(folder, busy="busy").remove()
    assert list(tmp_path.iterdir()) == []


def test_a_soft_lock_of_a_killed_process_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, sys; from pathlib import Path; from spikedata.disk import WorkFolder\n"
    code += "room = WorkFolder(Path(sys.argv[1]), busy='busy'); os._exit(9)"
    folder = tmp_path / "run.training"
    subprocess.run([sys.executable, "-c", _WITHOUT_LOCKS + code, folder], check=False)
    assert (folder / ".lock.owner").is_file()
    monkeypatch.setattr(fcntl, "flock", _without_locks)
    WorkFolder(folder, busy="busy").remove()
    assert list(tmp_path.iterdir()) == []


def test_a_soft_lock_that_says_nothing_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", _without_locks)
    (tmp_path / ".lock.owner").touch()  # of a process that was killed before it wrote its name
    with pytest.raises(OutputError, match=r"busy \(if none is, remove .*\.lock\.owner\)"):
        WorkFolder(tmp_path, busy="busy")
    (tmp_path / ".lock.owner").unlink()
    WorkFolder(tmp_path, busy="busy").leave()


def _enter(folder: Path, *, interrupted_at: int) -> WorkFolder | None:
    """Enter a folder, and send Control-C before the n-th of the lines of disk.py and filelock that run."""
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        line = frame.f_code.co_filename, frame.f_lineno
        if line[0] != disk.__file__ and "filelock" not in line[0]:
            return None
        if event == "line" and line not in lines:
            lines.add(line)
            if len(lines) == interrupted_at:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    # a shell lets its jobs in the background ignore Control-C, and the tests may be one
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.settrace(trace)
    try:
        room = WorkFolder(folder, busy="busy")
    except KeyboardInterrupt:
        return None
    finally:
        sys.settrace(before)
        signal.signal(signal.SIGINT, handler)
    assert len(lines) < interrupted_at, "nobody heard of the interruption"
    return room


@pytest.fixture(params=["", pytest.param("without locks", marks=pytest.mark.slow)])
def _kind_of_file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(fcntl, "flock", _without_locks)


@pytest.mark.usefixtures("_kind_of_file_system")
def test_an_interruption_on_the_way_into_a_folder_leaves_nothing(tmp_path: Path) -> None:
    for line in count(1):
        room = _enter(tmp_path / "runs" / "new" / "run.training", interrupted_at=line)
        if room is not None:
            room.remove()
            break
        assert list(tmp_path.iterdir()) == [], f"interrupted before line {line}"
    assert line > 20


@pytest.mark.usefixtures("_kind_of_file_system")
def test_an_interruption_on_the_way_into_a_folder_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("of a day")
    for line in count(1):
        room = _enter(tmp_path, interrupted_at=line)
        (room or WorkFolder(tmp_path, busy="busy")).leave()  # the next one gets in
        assert (tmp_path / "checkpoint").read_text() == "of a day"
        if room is not None:
            break
    assert line > 20


def test_an_interruption_while_a_file_is_held_leaves_no_lock(tmp_path: Path) -> None:
    def hold() -> None:
        with holding(tmp_path / "card.json"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hold()
    assert list(tmp_path.iterdir()) == []

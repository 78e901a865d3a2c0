"""File systems that lack what others have: locks, the syncing of folders, permissions, renames from elsewhere."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedata import disk
from spikedata.disk import OutputError, put_in_place, write_atomically
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter

_SOURCE = Path(__file__).with_name("odd_file_system.c")
_ENOTSUPP = 524


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that makes the system calls of a process those of an odd file system."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler, and Linux")
    library = tmp_path_factory.mktemp("odd") / "odd.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True)
    return library


@pytest.fixture
def spikes(tmp_path: Path) -> Path:
    path = tmp_path / "a.h5"
    with SpikeWriter(path, keys=["one"]) as writer:
        writer.append([0.1], [3], label=0, speaker=0)
    return path


_READ_AND_WRITE = """
import os, sys
from pathlib import Path
from spikedata.disk import OutputError, WorkFolder, holding, write_atomically
from spikedata.files.reader import SpikeFile
from spikedata.files.writer import SpikeWriter
folder, numbers = Path(sys.argv[1]), sys.argv[2].split(",")
for number in numbers:  # the library looks at the variables at each call
    for name in ("LOCK", "FOLDER_SYNC", "FOLDER_OPEN", "CHMOD", "LINK"):
        os.environ[f"ODD_{name}"] = number
    with SpikeFile(folder / "a.h5") as file, SpikeFile(folder / "a.h5") as twice:
        assert len(file) == len(twice) == 1
    with SpikeWriter(folder / f"{number}.h5", keys=["one"], scratch=folder) as writer:
        writer.append([0.1], [3], label=0, speaker=0)
    with holding(folder / "card.json"):
        write_atomically(folder / "card.json", number.encode(), overwrite=True)
    room = WorkFolder(folder / "work", busy="busy")
    try:
        WorkFolder(folder / "work", busy="busy")
    except OutputError:
        room.remove()
"""


def test_a_file_system_without_locks_and_syncing_is_read_and_written(
    preloaded: Path, spikes: Path, tmp_path: Path
) -> None:
    numbers = [errno.ENOLCK, errno.EOPNOTSUPP, _ENOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO, errno.EPERM]
    command = [sys.executable, "-c", _READ_AND_WRITE, tmp_path, ",".join(map(str, numbers))]
    done = subprocess.run(
        command, env=os.environ | {"LD_PRELOAD": str(preloaded)}, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    made = {"a.h5", "card.json"} | {f"{number}.h5" for number in numbers}
    assert {path.name for path in tmp_path.iterdir()} == made


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_that_does_not_sync_files_is_no_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_bytes_that_are_lost_while_syncing_are_an_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OutputError, match="a: cannot be written: "):
        write_atomically(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fault", [None, errno.ENOSPC])
def test_a_file_from_another_file_system_is_whole_or_not_there(
    fault: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, here = Path.replace, tmp_path / "here"
    (tmp_path / "elsewhere").write_bytes(b"new")
    here.mkdir()
    (here / "a").write_bytes(b"old")

    def replace(source: Path, target: Path) -> Path:
        if source.parent != here:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(source, target)

    def copyfile(source: Path, target: Path) -> None:
        target.write_bytes(b"ne")
        raise OSError(fault, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    if fault:
        monkeypatch.setattr(disk.shutil, "copyfile", copyfile)
        with pytest.raises(OutputError, match="a: cannot be written: No space left on device"):
            put_in_place(tmp_path / "elsewhere", here / "a", overwrite=True)
    else:
        put_in_place(tmp_path / "elsewhere", here / "a", overwrite=True)
        assert not (tmp_path / "elsewhere").exists()
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {"a": b"old" if fault else b"new"}


@pytest.mark.slow
def test_a_library_that_needs_a_lock_to_write_is_helped(preloaded: Path, spikes: Path, tmp_path: Path) -> None:
    pytest.importorskip("neo")
    pytest.importorskip("nixio")
    command = [sys.executable, "-m", "spikedata", "export", spikes, "--to", "neo", "--out", tmp_path / "x.nix"]
    odd = os.environ | {"LD_PRELOAD": str(preloaded), "ODD_LOCK": str(errno.ENOLCK)}
    refused = subprocess.run(command, env=odd, capture_output=True, text=True, check=False)
    told = "its file system has no locks; set HDF5_USE_FILE_LOCKING=FALSE to write without\n"
    assert (refused.returncode, refused.stderr.endswith(told)) == (5, True)
    subprocess.run(command, env=odd | {"HDF5_USE_FILE_LOCKING": "FALSE"}, capture_output=True, check=True)
    assert (tmp_path / "x.nix").is_file()


def test_a_file_that_another_process_has_locked_is_not_read_without_its_lock(
    spikes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = h5py.File

    def open_file(*args: object, **options: object) -> h5py.File:
        assert "locking" not in options
        raise BlockingIOError(11, "Unable to open file (unable to lock file, errno = 11, error message = 'x')")

    monkeypatch.setattr(h5py, "File", open_file)
    with pytest.raises((FormatError, BlockingIOError), match=r"a\.h5: "):
        SpikeFile(spikes)
    monkeypatch.setattr(h5py, "File", real)
    with SpikeFile(spikes) as file:
        np.testing.assert_array_equal(file[0].units, [3])

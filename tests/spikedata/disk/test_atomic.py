import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spikedata.disk import OutputError, check_output, write_atomically

KILLED_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
from spikedata.disk import write_atomically
Path.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
write_atomically(sys.argv[1], b"new" * 100_000, overwrite=True)
"""


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_holds_what_was_written(tmp_path):
    write_atomically(tmp_path / "a.bin", b"content")
    assert (tmp_path / "a.bin").read_bytes() == b"content"
    assert names_in(tmp_path) == ["a.bin"]


def test_a_new_file_has_the_usual_permissions(tmp_path):
    write_atomically(tmp_path / "a.bin", b"")
    (tmp_path / "b.bin").touch()
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "b.bin").stat().st_mode


def test_an_existing_file_is_not_replaced_unasked(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"a\.bin: exists already"):
        write_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_an_existing_file_is_replaced_when_asked(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    write_atomically(tmp_path / "a.bin", b"new", overwrite=True)
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "target.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to("target.bin")
    write_atomically(tmp_path / "link.bin", b"new", overwrite=True)
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "target.bin").read_bytes() == b"new"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_no_output(tmp_path, overwrite):
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path, overwrite=overwrite)


def test_a_device_is_not_replaced():
    with pytest.raises(OutputError, match="/dev/null: is not a regular file"):
        check_output("/dev/null", overwrite=True)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"a\.bin: no folder '.*missing'"):
        check_output(tmp_path / "missing" / "a.bin")


def test_a_folder_that_may_not_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OutputError, match=r"a\.bin: folder '.*' is not writable"):
        check_output(tmp_path / "a.bin")


def test_checking_leaves_nothing_behind(tmp_path):
    check_output(tmp_path / "a.bin")
    assert names_in(tmp_path) == []


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"a\.bin: cannot be written: No space left"):
        write_atomically(tmp_path / "a.bin", b"new", overwrite=True)
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.bin", b"new")
    assert names_in(tmp_path) == []


def test_a_killed_writer_leaves_the_old_file_and_no_litter_that_looks_like_data(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"old")
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_THE_RENAME, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert list(tmp_path.glob("*.h5")) == [path]
    assert all(
        name.startswith(".spikedata-") and name.endswith(".part") for name in names_in(tmp_path) if name != "a.h5"
    )


def test_an_output_error_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="no folder"):
        write_atomically(Path(tmp_path, "missing", "a.bin"), b"")


def test_a_word_is_no_answer_to_whether_to_replace(tmp_path):
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"^overwrite must be True or False, got 'no'$"):
        check_output(tmp_path / "x", overwrite="no")
    assert (tmp_path / "x").read_bytes() == b"mine"

"""Processes that are killed, race each other, or run out of room, and what the next one finds."""

import contextlib
import io
import subprocess
import time
import zipfile
from dataclasses import replace

import pytest

from spikedata.disk import OutputError
from spikedata.downloads.fetching import fetch_file
from spikedata.downloads.manifest import HIDDEN
from spikedata.downloads.partial import size_of

PATIENCE = 30.0  # [s], more than any step takes on a busy machine


def quiet(stage, done, size):
    pass


def zipped(content):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.h5", content)
    return archive.getvalue()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def wait_until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_killed_while_downloading_the_next_goes_on_from_there(file, tmp_path, params, host, start_child):
    host.faults = ["hold"]
    child = start_child(file, tmp_path)
    partial, size = tmp_path / HIDDEN / "x.h5.zip.part", len(host.pages["/x.h5.zip"])
    wait_until(lambda: size_of(partial) == size // 2)
    child.kill()
    child.wait()
    assert not (tmp_path / "x.h5").exists()

    result = fetch_file(file, tmp_path, params, quiet)
    assert result.paths[0].read_bytes() == bytes(range(256)) * 4000
    assert result.n_bytes == size - size // 2
    assert host.asked[1] == ("/x.h5.zip", f"bytes={size // 2}-", '"one"')


def test_killed_while_unpacking_the_next_unpacks_anew_without_fetching(file, tmp_path, params, host, start_child):
    child = start_child(file, tmp_path, stop_at="unpack")
    assert [child.stdout.readline().strip() for _ in range(2)] == ["begins", "unpack x.h5.zip"]
    child.kill()
    child.wait()
    assert not (tmp_path / "x.h5").exists()
    assert (tmp_path / HIDDEN / "x.h5.room").is_dir()

    result = fetch_file(file, tmp_path, params, quiet)
    assert result.paths[0].read_bytes() == bytes(range(256)) * 4000
    assert result.n_bytes == 0
    assert len(host.asked) == 1
    assert names_in(tmp_path / HIDDEN) == ["x.h5.lock", "x.h5.manifest.json"]


def test_two_processes_fetch_once(file, tmp_path, host, start_child):
    host.faults = ["hold"]
    children = [start_child(file, tmp_path) for _ in range(2)]
    assert [child.stdout.readline().strip() for child in children] == ["begins"] * 2
    wait_until(lambda: host.asked)
    host.may_go_on.set()
    ends = [child.communicate(timeout=PATIENCE)[0].strip() for child in children]
    size = len(host.pages["/x.h5.zip"])
    assert sorted(ends) == ["ends 0", f"ends {size}"]
    assert [asked for _, asked, _ in host.asked] == [None, f"bytes={size // 2}-"]  # the second ends what was held


@pytest.mark.parametrize(  # the second finds out when the last few bytes leave the buffer
    ("where", "largest"), [("x.h5.zip.part", 100_000), ("x.h5.zip.part", 1_024_100), ("x.h5", 100_000)]
)
def test_a_disk_that_takes_no_more_is_said_and_what_arrived_is_kept(
    file, tmp_path, params, host, start_child, where, largest
):
    if where == "x.h5":  # an archive that is smaller than what it holds
        host.pages["/x.h5.zip"] = zipped(bytes(range(256)) * 4000)
        file = replace(file, checksum=None)
    child = start_child(file, tmp_path, largest=largest)
    _, message = child.communicate(timeout=PATIENCE)
    last = message.strip().splitlines()[-1]
    assert last.startswith("spikedata.disk.OutputError: ")
    assert f"{where}: cannot be written: File too large; make room or name another folder" in last
    assert not (tmp_path / "x.h5").exists()
    assert fetch_file(file, tmp_path, params, quiet).n_bytes < len(host.pages["/x.h5.zip"])


@contextlib.contextmanager
def small_disk(folder, n_bytes):
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(folder)]
    try:
        mounted = subprocess.run(options, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_after_making_room_all_is_well(file, tmp_path, params, host):
    host.says_length = False  # or the lack of room is noticed before a byte is written
    folder = tmp_path / "disk"
    with small_disk(folder, 1_600_000):
        (folder / "other").write_bytes(bytes(1_000_000))
        with pytest.raises(
            OutputError, match=r"x\.h5\.zip\.part: cannot be written: No space left on device; make room"
        ):
            fetch_file(file, folder, params, quiet)
        assert names_in(folder) == [HIDDEN, "other"]
        (folder / "other").unlink()
        with pytest.raises(OutputError, match=r"x\.h5: cannot be written: No space left on device"):
            fetch_file(file, folder, params, quiet)
        subprocess.run(["mount", "-o", "remount,size=9000000", str(folder)], check=True)
        assert fetch_file(file, folder, params, quiet).n_bytes == 0
        assert (folder / "x.h5").stat().st_size == 256 * 4000

"""Full disks and folders that may not be written to: one line, status 5, and nothing lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from spikedata.cli import CANNOT_WRITE, DONE
from spikedata.corpora import Listing
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.folder import blocks_folder
from spikedata.files.reader import SpikeFile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="disks are mounted and files limited as on Linux")

GROWTH = (1, 1.5, 2, 3, 4, 6, 8, 12, 16, 32)  # MiB; room for a block, then for more, at last for all


@pytest.fixture(scope="module")
def whole(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    encode_clips(listing, path, preset="published")
    return path


@pytest.fixture(scope="module")
def shards(listing: Listing, whole: Path) -> list[str]:
    return [encode_clips(listing, whole, preset="published", shard=(n, 3)).outputs[0] for n in (1, 2, 3)]


def mount(options: str, folder: Path) -> None:
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("disks may be mounted by root alone")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("disks may not be mounted here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("size=1m", folder)
    yield folder
    subprocess.run(["umount", folder], check=True)


def resize(disk: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def give_more_and_more(
    attempt: Callable[[int], tuple[int, str]], out: Path, growth: Sequence[float] = GROWTH
) -> list[str]:
    """Try with more and more bytes until it works; what was said before."""
    said = []
    for size in growth:
        status, error = attempt(int(size * 2**20))
        if status == DONE:
            break
        assert status == CANNOT_WRITE, error
        assert error.startswith(f"spikedata: {out}"), error
        assert error.count("\n") == 1, error
        assert not out.exists()
        assert not list(out.parent.rglob(".spikedata-*"))
        said.append(error)
    return said


def count_kept(out: Path) -> int:
    kept = 0
    for path in blocks_folder(out).glob("*.h5"):
        with SpikeFile(path) as file:
            kept += len(file)
    return kept


def test_an_encoding_goes_on_where_a_disk_was_full(run, noises, whole, disk):
    out, kept = disk / "x.h5", []

    def attempt(size: int) -> tuple[int, str]:
        resize(disk, size)
        said = run("encode", "folder", noises, out, "--preset", "published", "-q")
        kept.append(count_kept(out))
        return said

    said = give_more_and_more(attempt, out)
    assert "No space left on device" in said[0]
    assert kept[:-1] == sorted(kept[:-1])
    assert max(kept) == 150  # the disk was also full when all blocks were there
    assert len(set(kept)) > 2  # and when some were
    assert out.read_bytes() == whole.read_bytes()
    assert list(disk.iterdir()) == [out]


def test_a_merge_is_made_where_a_disk_was_full(run, shards, whole, disk):
    out = disk / "x.h5"

    def attempt(size: int) -> tuple[int, str]:
        resize(disk, size)
        return run("merge", *shards, "--out", out, "-q")

    assert "No space left on device" in give_more_and_more(attempt, out)[0]
    assert out.read_bytes() == whole.read_bytes()
    assert list(disk.iterdir()) == [out]


def test_an_encoding_goes_on_where_files_were_limited(run, noises, whole, tmp_path):
    out = tmp_path / "x.h5"
    words = ("encode", "folder", noises, out, "--preset", "published", "-q")
    assert "File too large" in give_more_and_more(lambda size: run(*words, limit=size), out, GROWTH[::3])[0]
    assert out.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [out]


def test_a_merge_is_made_where_files_were_limited(run, shards, whole, tmp_path):
    out = tmp_path / "x.h5"
    words = ("merge", *shards, "--out", out, "-q")
    assert "File too large" in give_more_and_more(lambda size: run(*words, limit=size), out, GROWTH[::3])[0]
    assert out.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [out]


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be written to, by root neither."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if os.geteuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
    else:
        mount("ro", folder)
        yield folder
        subprocess.run(["umount", folder], check=True)


def test_an_encoding_in_a_folder_that_may_not_be_written_to_is_refused(run, noises, read_only):
    for name, options in (("x.h5", []), ("parts", ["--split", "stratified_shared_speakers"])):
        out = read_only / name
        refusal = f"spikedata: {out}: folder {str(read_only)!r} is not writable\n"
        assert run("encode", "folder", noises, out, *options) == (CANNOT_WRITE, refusal)


def test_a_merge_in_a_folder_that_may_not_be_written_to_is_refused(run, shards, read_only):
    out = read_only / "x.h5"
    refusal = f"spikedata: {out}: folder {str(read_only)!r} is not writable\n"
    assert run("merge", *shards, "--out", out) == (CANNOT_WRITE, refusal)

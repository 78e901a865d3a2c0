"""An encoding that was stopped goes on: no clip lost, none twice, the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import soundfile
from filelock import FileLock

from spikedata.corpora import Listing, list_clips
from spikedata.corpora.audio import AudioError
from spikedata.disk import OutputError
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.folder import blocks_folder
from spikedata.files.reader import SpikeFile

ENCODE = """
import sys
from spikedata.corpora import list_clips
from spikedata.encoding.encode import encode_clips
encode_clips(list_clips("folder", sys.argv[1]), sys.argv[2], preset="published", workers=1)
"""


class Stopped(Exception):
    """What a test stops an encoding with."""


def stop_after(n_clips: int):
    def stop(n_done: int, _: int) -> None:
        if n_done >= n_clips:
            raise Stopped

    return stop


def encode(listing: Listing, path: Path, **options):
    return encode_clips(listing, path, preset="published", **options)


@pytest.fixture(scope="module")
def whole(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    encode(listing, path)
    return path


@pytest.mark.parametrize(
    "n_clips", [0, 149, 150, pytest.param(60, marks=pytest.mark.slow), pytest.param(100, marks=pytest.mark.slow)]
)
def test_a_stopped_encoding_goes_on_and_gives_the_same_bytes(listing, whole, tmp_path, n_clips):
    path = tmp_path / "x.h5"
    with pytest.raises(Stopped):
        encode(listing, path, on_progress=stop_after(n_clips))
    assert not path.exists()
    kept = sum(len(SpikeFile(block)) for block in blocks_folder(path).glob("*.h5"))
    assert n_clips - 128 <= kept <= n_clips

    done = encode(listing, path)
    assert (done.n_kept, done.n_clips) == (kept, 150)
    assert path.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_progress_begins_with_the_clips_that_are_kept(listing, tmp_path):
    with pytest.raises(Stopped):
        encode(listing, tmp_path / "x.h5", on_progress=stop_after(140))
    told: list[tuple[int, int]] = []
    done = encode(listing, tmp_path / "x.h5", on_progress=lambda *state: told.append(state))
    assert told == [(n, 150) for n in range(done.n_kept, 151)]


@pytest.mark.skipif(os.name != "posix", reason="processes are killed as on POSIX")
def test_a_killed_encoding_goes_on_and_gives_the_same_bytes(noises, listing, whole, tmp_path):
    path = tmp_path / "x.h5"
    wait = random.Random(0)
    n_killed = 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", ENCODE, noises, path])
        while child.poll() is None and not list(blocks_folder(path).glob("*.h5")):
            time.sleep(0.01)  # until there is something to lose
        time.sleep(wait.uniform(0, 0.3))
        child.send_signal(signal.SIGKILL)
        n_killed += child.wait() == -signal.SIGKILL
        assert not path.exists() or path.read_bytes() == whole.read_bytes()
    assert n_killed
    encode(listing, path)
    assert path.read_bytes() == whole.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["x.h5"]


def test_a_damaged_block_is_made_again(listing, whole, tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(Stopped):
        encode(listing, path, on_progress=stop_after(140))
    for block in blocks_folder(path).glob("*.h5"):
        content = bytearray(block.read_bytes())
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
        block.write_bytes(content)
    assert encode(listing, path).n_kept == 0
    assert path.read_bytes() == whole.read_bytes()


def test_an_encoding_that_is_done_is_not_done_again(listing, whole):
    before = whole.stat()
    done = encode(listing, whole)
    assert (done.n_kept, done.n_clips, done.sound_duration) == (150, 150, 0.0)
    assert (whole.stat().st_mtime_ns, whole.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_another_encoding_does_not_take_the_place_of_one_that_is_done(listing, whole):
    with pytest.raises(OutputError, match=r"x\.h5: exists already, will not replace it \(--overwrite does\)$"):
        encode(listing, whole, seed=1)


def test_another_seed_takes_nothing_from_an_interrupted_encoding(listing, tmp_path):
    with pytest.raises(Stopped):
        encode(listing, tmp_path / "x.h5", on_progress=stop_after(140))
    assert encode(listing, tmp_path / "x.h5", seed=1).n_kept == 0


def test_a_recording_that_changed_is_encoded_again(noises, tmp_path):
    root = shutil.copytree(noises, tmp_path / "noises")
    path = tmp_path / "x.h5"
    with pytest.raises(Stopped):
        encode(list_clips("folder", root), path, on_progress=stop_after(150))
    waveform, rate = soundfile.read(root / "cat/0.wav")
    soundfile.write(root / "cat/0.wav", waveform[::-1], rate)
    encode(list_clips("folder", root), path)
    encode(list_clips("folder", root), tmp_path / "anew.h5")
    assert path.read_bytes() == (tmp_path / "anew.h5").read_bytes()


def test_what_was_done_before_a_bad_recording_is_kept_while_it_is_mended(noises, tmp_path):
    root, path = shutil.copytree(noises, tmp_path / "noises"), tmp_path / "x.h5"
    last = list_clips("folder", root).clips[-1].path
    good = last.read_bytes()
    last.write_text("no sound")
    with pytest.raises(AudioError, match="not a readable recording"):
        encode(list_clips("folder", root), path)
    last.write_bytes(good)
    assert encode(list_clips("folder", root), path).n_kept > 50


def test_a_block_that_lacks_recordings_is_made_again_where_none_may_lack(noises, tmp_path):
    root, path = shutil.copytree(noises, tmp_path / "noises"), tmp_path / "x.h5"
    first = list_clips("folder", root).clips[0].path
    good = first.read_bytes()
    times = first.stat()
    first.write_bytes(bytes(len(good)))
    os.utime(first, ns=(times.st_atime_ns, times.st_mtime_ns))  # so that nothing but the gap tells
    with pytest.raises(Stopped):
        encode(list_clips("folder", root), path, on_error="skip", on_progress=stop_after(150))
    with pytest.raises(AudioError):
        encode(list_clips("folder", root), path)
    done = encode(list_clips("folder", root), path, on_error="skip")
    assert (done.n_clips, len(done.skipped)) == (149, 1)
    with SpikeFile(path) as file:
        assert file.skipped == done.skipped
    assert done.skipped[0].startswith("cat/0.wav: ")


def test_two_processes_do_not_make_the_same_file(listing, tmp_path):
    blocks_folder(tmp_path / "x.h5").mkdir()
    with (
        FileLock(blocks_folder(tmp_path / "x.h5") / ".lock"),
        pytest.raises(OutputError, match=r"x\.h5: another process is making it"),
    ):
        encode(listing, tmp_path / "x.h5")
    encode(listing, tmp_path / "x.h5")


def test_leftovers_of_a_killed_process_are_removed(listing, tmp_path):
    folder = blocks_folder(tmp_path / "x.h5")
    folder.mkdir()
    (folder / ".spikedata-1-abc.part").write_bytes(b"half a block")
    with pytest.raises(Stopped):
        encode(listing, tmp_path / "x.h5", on_progress=stop_after(140))
    assert not list(folder.glob(".spikedata-*"))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_file_does_not_depend_on_the_number_of_workers(listing, whole, tmp_path, workers):
    encode(listing, tmp_path / "x.h5", workers=workers)
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()


def test_one_bad_clip_at_each_end_of_a_block_is_skipped(noises, tmp_path):
    root = shutil.copytree(noises, tmp_path / "noises")
    clips = list_clips("folder", root).clips
    for index in (0, 1, 75, 148, 149):
        clips[index].path.write_text("no sound")
    listing = list_clips("folder", root)
    done = encode(listing, tmp_path / "x.h5", on_error="skip")
    assert [line.split(":")[0] for line in done.skipped] == [clips[i].name for i in (0, 1, 75, 148, 149)]
    with SpikeFile(tmp_path / "x.h5") as file:
        bad = {0, 1, 75, 148, 149}
        assert file.sources == tuple(clip.name for index, clip in enumerate(clips) if index not in bad)
    good = replace(listing, clips=tuple(clip for index, clip in enumerate(listing.clips) if index not in bad))
    encode(good, tmp_path / "good.h5")
    with SpikeFile(tmp_path / "x.h5") as file, SpikeFile(tmp_path / "good.h5") as expected:
        assert file.read_events().times.tobytes() == expected.read_events().times.tobytes()


def test_an_output_that_was_damaged_since_is_made_again_where_asked(listing, whole, tmp_path):
    path = Path(shutil.copy(whole, tmp_path / "x.h5"))
    with h5py.File(path, "a") as file:
        file["spikes/units"][5] = file["spikes/units"][5][::-1]
    with pytest.raises(OutputError, match=r"x\.h5: exists already"):
        encode(listing, path)
    encode(listing, path, overwrite=True)
    assert path.read_bytes() == whole.read_bytes()

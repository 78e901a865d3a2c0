"""Whatever goes wrong with one recording is its own fault; what a user should know of a clip is said and kept."""

import errno
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cochlea import model
from spikedata.cli import main
from spikedata.corpora import list_clips
from spikedata.corpora.audio import AudioError
from spikedata.encoding import clips
from spikedata.encoding.blocks import Job, cut_blocks, find_members
from spikedata.encoding.ear import ear_params
from spikedata.encoding.encode import encode, encode_clips
from spikedata.encoding.merge import merge_shards
from spikedata.encoding.verify import verify_file
from spikedata.encoding.work import BlockTask, encode_elsewhere
from spikedata.files.info import describe_file
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError

RATE = 8000
NAMES = [f"{word}/{number}.wav" for word in ("no", "yes") for number in range(3)]
SOUND = np.random.default_rng(0).uniform(-0.5, 0.5, 400)


class Unsendable(Exception):
    """Cannot be pickled, as the errors of some libraries."""

    def __init__(self, one, another):
        super().__init__(f"{one} {another}")
        self.function = lambda: one


ERRORS = [
    (MemoryError(), "needs more memory than there is"),
    (MemoryError("Unable to allocate 1. TiB"), "needs more memory than there is: Unable to allocate 1. TiB"),
    (ValueError("array is too big"), "array is too big"),
    (ValueError(), "cannot be used: ValueError: "),
    (RuntimeError("two\nlines"), "cannot be used: RuntimeError: two lines"),
    (KeyError("x"), "cannot be used: KeyError: 'x'"),
    (ZeroDivisionError("division by zero"), "cannot be used: ZeroDivisionError: division by zero"),
    (Unsendable("a", "b"), "cannot be used: Unsendable: a b"),
    (OSError(errno.EIO, "Input/output error"), "cannot be read: Input/output error"),
    (RecursionError("too deep"), "cannot be used: RecursionError: too deep"),
]


@pytest.fixture
def words(tmp_path) -> Path:
    root = tmp_path / "words"
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, SOUND, RATE)
    return root


def in_reading(monkeypatch, error):
    inner = clips.read_sound

    def read_sound(path):
        if path.name == "1.wav" and path.parent.name == "no":
            raise error
        return inner(path)

    monkeypatch.setattr(clips, "read_sound", read_sound)


def in_encoding(monkeypatch, error):
    inner = model.encode

    def encode_one(waveform, sample_rate, params, **options):
        if options["key"] == "no/1.wav":
            raise error
        return inner(waveform, sample_rate, params, **options)

    monkeypatch.setattr(model, "encode", encode_one)


@pytest.mark.parametrize("somewhere", [in_reading, in_encoding])
@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_any_error_of_one_clip_names_it_and_can_be_skipped(
    words: Path, tmp_path: Path, monkeypatch, somewhere: Callable, error: Exception, reason: str
) -> None:
    somewhere(monkeypatch, error)
    with pytest.raises(AudioError) as raised:
        encode(words, tmp_path / "x.h5", preset="published")
    assert str(raised.value) == f"{words / 'no' / '1.wav'}: {reason}"
    done = encode(words, tmp_path / "x.h5", preset="published", on_error="skip")
    assert (done.n_clips, done.skipped) == (5, (f"no/1.wav: {reason}",))


@pytest.mark.parametrize("somewhere", [in_reading, in_encoding])
@pytest.mark.parametrize(("error", "reason"), ERRORS)
def test_an_error_comes_back_from_another_machine(words, monkeypatch, somewhere, error, reason):
    listing = list_clips("folder", words)
    job = Job(corpus="folder", keys=listing.keys, preset="published", seed=0)
    (block,) = cut_blocks(job, find_members(listing.clips, [""] * 6))
    somewhere(monkeypatch, error)
    with pytest.raises(AudioError) as raised:
        encode_elsewhere(BlockTask(job, block, False))
    assert raised.value.__cause__ is None
    returned = pickle.loads(pickle.dumps(raised.value))
    assert (type(returned), str(returned)) == (AudioError, f"{words / 'no' / '1.wav'}: {reason}")
    assert encode_elsewhere(BlockTask(job, block, True)).sound_duration == pytest.approx(5 * 400 / RATE)


@pytest.mark.parametrize("somewhere", [in_reading, in_encoding])
def test_one_unusable_recording_does_not_end_a_comparison(words, tmp_path, monkeypatch, somewhere):
    encode(words, tmp_path / "x.h5", preset="published")
    somewhere(monkeypatch, MemoryError())
    (words / "yes/2.wav").unlink()
    soundfile.write(words / "yes/0.wav", SOUND[::-1].copy(), RATE)
    rule = (
        r"x\.h5: does not match its recordings: 1 of 6 clips differ, first yes/0\.wav: .*; "
        r"2 of 6 recordings are missing or cannot be used, first no/1\.wav: needs more memory than there is$"
    )
    seen = []
    with pytest.raises(FormatError, match=rule):
        verify_file(tmp_path / "x.h5", audio=words, on_progress=lambda *at: seen.append(at))
    assert ("encoding", 5, 6) in seen  # the clip behind it was still compared


def test_a_failed_comparison_has_a_status_of_its_own(words, tmp_path, capsys):
    encode(words, tmp_path / "x.h5", preset="published")
    (words / "no/1.wav").write_bytes(b"")
    assert main(["verify", str(tmp_path / "x.h5"), "--deep", str(words), "--no-progress"]) == 3
    said = capsys.readouterr().err
    assert "1 of 6 recordings are missing or cannot be used, first no/1.wav: the file is empty" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_too_many_open_files_are_no_fault_of_a_recording(words, tmp_path, monkeypatch, number, on_error):
    in_reading(monkeypatch, OSError(number, "Too many open files"))
    with pytest.raises(OSError, match="Too many open files"):
        encode(words, tmp_path / "x.h5", preset="published", on_error=on_error)
    assert not (tmp_path / "x.h5").exists()


def test_too_many_open_files_are_known_by_the_cause_of_an_error_too(words, tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("spikedata.corpora.audio._open", refuse)
    with pytest.raises(AudioError, match="Too many open files"):
        encode(words, tmp_path / "x.h5", preset="published", on_error="skip")


def test_a_missing_library_is_no_fault_of_a_recording(words, tmp_path, monkeypatch):
    in_reading(monkeypatch, ModuleNotFoundError("No module named 'soundfile'", name="soundfile"))
    with pytest.raises(ModuleNotFoundError):
        encode(words, tmp_path / "x.h5", preset="published", on_error="skip")


def test_no_more_is_read_after_the_first_fault_unless_it_may_be_skipped(tmp_path, monkeypatch):
    for number in range(40):
        path = tmp_path / "words" / "no" / f"{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    read = []
    inner = clips.read_sound
    monkeypatch.setattr(clips, "read_sound", lambda path: (read.append(path), inner(path))[1])
    with pytest.raises(AudioError, match=r"00\.wav: the file is empty"):
        encode(tmp_path / "words", tmp_path / "x.h5")
    assert len(read) == 1


# All recordings of a file unusable


def silence(path: Path) -> None:
    soundfile.write(path, np.zeros(100), RATE)


def test_shards_without_a_usable_recording_are_not_merged(words, tmp_path):
    for name in NAMES:
        silence(words / name)
    for index in (1, 2):
        encode(words, tmp_path / "x.h5", preset="published", shard=(index, 2), on_error="skip")
    shards = sorted(tmp_path.glob("*.h5"))
    with pytest.raises(AudioError, match=r"m\.h5: not written: none of 6 recordings can be used: no/0\.wav: silent"):
        merge_shards(shards, tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()


def test_a_part_without_a_usable_recording_is_not_written(words, tmp_path, capsys):
    table = words / "list.csv"
    rows = [f"{name},{name[-5]},{'test' if name.startswith('no') else 'train'}" for name in NAMES]
    table.write_text("\n".join(["path,label,part", *rows]) + "\n")
    for name in NAMES[:3]:
        silence(words / name)
    command = ["encode", "manifest", str(table), str(tmp_path / "out"), "--split", "listed", "--on-error", "skip"]
    assert main([*command, "--preset", "published", "--no-progress"]) == 1
    rule = "manifest_test.h5: not written: none of 3 recordings can be used: no/0.wav: silent: all 100 samples are 0"
    assert rule in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# Clips whose offset is larger than their sound


@pytest.fixture
def with_offset(words):
    soundfile.write(words / "no/1.wav", 0.1 * SOUND + 0.4, RATE, subtype="FLOAT")
    soundfile.write(words / "yes/0.wav", 0.1 * SOUND - 0.1, RATE, subtype="FLOAT")
    soundfile.write(words / "yes/1.wav", SOUND + 0.1, RATE, subtype="FLOAT")  # smaller than the sound
    return words


REMARK = "no/1.wav: its offset, 0.403, is larger than its sound, 0.0295 (root mean square)"


def test_clips_are_named_whose_offset_sets_the_level(with_offset, tmp_path, capsys):
    out = tmp_path / "x.h5"
    command = ["encode", "folder", str(with_offset), str(out), "--preset", "published", "--no-progress"]
    assert main(command) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "offset" in line]
    assert len(notes) == 2
    assert notes[0].startswith(f"note: {REMARK}")
    assert notes[1].startswith("note: yes/0.wav: its offset, -0.09")
    # again from the file that is there, and as JSON
    assert main([*command, "--json", "-q"]) == 0
    said = capsys.readouterr()
    assert [line[:9] for line in json.loads(said.out)["remarks"]] == ["no/1.wav:", "yes/0.wav"]
    assert "offset" not in said.err
    assert len(describe_file(out)["remarks"]) == 2
    assert main(["info", str(out)]) == 0
    assert f"  remarks     on 2 clips, first {REMARK}" in capsys.readouterr().out
    assert any(f"remarks on clips when the file was made: 2, first {REMARK}" in n for n in verify_file(out).notes)


def test_the_default_removes_offsets_and_says_nothing_of_them(with_offset, tmp_path):
    done = encode(with_offset, tmp_path / "x.h5")
    assert done.remarks == ()
    with SpikeFile(tmp_path / "x.h5") as file:
        assert "extra/remarks" not in file.columns.stored


def test_params_of_ones_own_that_keep_an_offset_say_so(with_offset, tmp_path):
    _, params = ear_params(values={"stimulus.high_pass": "none", "basilar_membrane.n_places": 70})
    assert len(encode(with_offset, tmp_path / "x.h5", params=params).remarks) == 2


def test_remarks_of_shards_are_merged_to_the_same_bytes(with_offset, tmp_path):
    encode(with_offset, tmp_path / "whole.h5", preset="published")
    for index in (1, 2, 3):
        encode(with_offset, tmp_path / "x.h5", preset="published", shard=(index, 3))
    merged = merge_shards(sorted(tmp_path.glob("x.shard*")), tmp_path / "x.h5")
    assert merged.remarks[0].startswith(REMARK)
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_remarks_of_an_interrupted_encoding_are_not_lost(with_offset, tmp_path, monkeypatch):
    listing = list_clips("folder", with_offset)
    # blocks of one clip, the last of which fails at first
    monkeypatch.setattr("spikedata.encoding.blocks._MOST_CLIPS", 1)
    (with_offset / "yes/2.wav").write_bytes(b"")
    with pytest.raises(AudioError):
        encode_clips(listing, tmp_path / "x.h5", preset="published")
    soundfile.write(with_offset / "yes/2.wav", SOUND, RATE)
    done = encode_clips(listing, tmp_path / "x.h5", preset="published")
    assert done.n_kept > 0
    assert [line[:9] for line in done.remarks] == ["no/1.wav:", "yes/0.wav"]


def test_a_file_of_before_the_high_pass_is_still_compared(words, tmp_path, monkeypatch):
    encode(words, tmp_path / "x.h5", preset="published")
    inner = SpikeFile.__init__

    def without_high_pass(self, *args, **options):
        inner(self, *args, **options)
        params = json.loads(self.provenance.params)
        del params["stimulus"]["high_pass"]
        self.provenance = replace(self.provenance, params=json.dumps(params, sort_keys=True))

    monkeypatch.setattr(SpikeFile, "__init__", without_high_pass)
    assert verify_file(tmp_path / "x.h5", audio=words).n_compared == 6

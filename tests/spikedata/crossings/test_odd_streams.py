"""Recordings as browsers, pipes and telephones leave them, from the file to its spikes and back."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spikedata.corpora import Listing, list_clips
from spikedata.encoding.encode import encode_clips
from spikedata.files.reader import SpikeFile

RATE = 8_000
SOUND = 0.1 * np.random.default_rng(0).standard_normal(800)
SAME = ["killed.wav", "piped.wav", "plain.wav"]
REASONS = {
    "cut.wav": "cut off: the header promises 1600 bytes of sound, the file holds 1500",
    "film.mp4": "pip install 'spikedata-audio[formats]'",
    "folder.wav": "is a folder",
    "inverted.wav": "its 2 channels cancel each other: their mean has 1.5 % of their level",
    "pipe.wav": "is a pipe",
    "text.au": "not a readable recording: Format not recognised",
}


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Listing:
    """A plain recording, the same with headers that are wrong, and those that cannot be used."""
    soundfile.write(tmp_path / "plain.wav", SOUND, RATE)
    plain = (tmp_path / "plain.wav").read_bytes()
    (tmp_path / "killed.wav").write_bytes(plain[:4] + bytes(4) + plain[8:40] + bytes(4) + plain[44:])
    (tmp_path / "piped.wav").write_bytes(plain[:40] + b"\xff\xff\xff\xff" + plain[44:])
    (tmp_path / "cut.wav").write_bytes(plain[:-100])
    (tmp_path / "text.au").write_text("hello\n" * 100)
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x14ftypisom" + bytes(8))
    soundfile.write(tmp_path / "inverted.wav", np.stack([SOUND, -0.97 * SOUND], axis=1), RATE)
    for name in ("folder.wav", "pipe.wav"):
        (tmp_path / name).touch()
    table = tmp_path / "odd.csv"
    table.write_text("\n".join(["path,label", *(f"{name},sound" for name in sorted([*SAME, *REASONS]))]))
    listing = list_clips("manifest", table)
    for name in ("folder.wav", "pipe.wav"):  # since they were listed, they have become something else
        (tmp_path / name).unlink()
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    monkeypatch.setitem(sys.modules, "av", None)
    return listing


@pytest.mark.parametrize("workers", [1, 2])
def test_each_odd_recording_is_skipped_with_its_reason_and_the_others_are_whole(odd: Listing, workers: int) -> None:
    out = odd.clips[0].root / "odd.h5"

    encode_clips(odd, out, preset="published", on_error="skip", workers=workers)

    with SpikeFile(out) as file:
        assert list(file.sources) == SAME
        skipped = dict(line.split(": ", 1) for line in file.skipped)
        assert file[0].times.size > 0
    assert skipped.keys() == REASONS.keys()
    for name, reason in REASONS.items():
        assert reason in skipped[name]

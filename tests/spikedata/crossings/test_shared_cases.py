"""Situations from public bug reports, as makers of small inputs beside the repository; skipped where they are absent.

    python -m pytest -m slow tests/spikedata/crossings/test_shared_cases.py -v

Each gives what its report asks for, on the command line as a user types it.
"""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).parents[4] / "shared" / "cases"
PROGRAM = [sys.executable, "-m", "spikedata"]
N_BYTES = 2**31  # memory that a command may take to refuse a file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"the cases are not there: {CASES}"),
]


def run(*words: object, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, **options)


def made(kind: str, folder: Path) -> Path:
    subprocess.run([sys.executable, CASES / "make_audio.py", kind, folder], check=True, capture_output=True)
    return folder


def encoded(folder: Path, *options: str) -> dict:
    done = run("encode", "folder", folder, folder.with_suffix(".h5"), "--on-error", "skip", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["flac_unknown_length", "gsm", "riff_is_file_size", "sox_pipe"])
def test_a_header_that_is_wrong_costs_no_recording(kind, tmp_path):
    result = encoded(made(kind, tmp_path / kind))
    assert (result["clips"], result["skipped"]) == (3, [])
    assert result["sound_duration"] == pytest.approx(3.0, abs=0.05)  # the frame of a telephone codec is 40 ms long


def test_mp3_without_a_tag_is_read_whole(tmp_path):
    result = encoded(made("mp3_no_tag", tmp_path / "mp3"))
    assert (result["clips"], result["skipped"]) == (4, [])
    # two clips of a second and two of 88,200 samples, each with up to 60 ms that the encoder has added
    assert 2 + 2 * 2.0 <= result["sound_duration"] <= 2 + 2 * 2.06


def test_opus_and_au_are_encoded_and_what_is_no_m4a_or_webm_is_named(tmp_path):
    result = encoded(made("opus", tmp_path / "opus"))
    assert result["clips"] == 4
    named = " ".join([*result["skipped"], *result["unfit"]])
    assert "bad/clip.m4a" in named
    assert "bad/clip.webm" in named


def test_an_offset_changes_nothing_or_is_said(tmp_path):
    folder = made("dc", tmp_path / "dc")
    spikes = run("info", folder.with_suffix(".h5"), "--json") if encoded(folder) else None
    few, many = json.loads(spikes.stdout)["spikes_per_clip"]["min"], json.loads(spikes.stdout)["spikes_per_clip"]["max"]
    assert few > 0.95 * many  # chance alone differs from clip to clip
    kept = encoded(folder, "--preset", "published", "--overwrite")
    assert any("dc.wav" in line and "offset" in line for line in kept["remarks"])


@pytest.mark.parametrize("name", ["loop_ours.h5", "loop_pytables.h5"])
def test_a_damaged_address_is_refused_in_bounded_memory(name):
    limit = (N_BYTES, N_BYTES)
    done = run("info", CASES / name, timeout=60, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, limit))
    assert done.returncode == 3
    assert re.fullmatch(rf"spikedata: .*{name}: damaged: .*\n", done.stderr)


def test_times_in_other_units_are_not_trained_on_as_seconds(tmp_path):
    program = tmp_path / "spikedata"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m spikedata "$@"\n')
    program.chmod(0o755)
    words = [sys.executable, CASES / "times_in_ms.py", program]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "validation  100.0%" in done.stdout
    assert "in_ms.h5: 99.9 % of the spikes fall outside 1 s: times look like milliseconds" in done.stderr
    assert "in_us.h5: 100 % of the spikes fall outside 1 s: times look like microseconds" in done.stderr
    trained = run(
        "train", tmp_path / "in_ms.h5", "--time-unit", "ms", "--recipe", "counts", "--out", tmp_path / "run",
        "--split-seed", "0",
    )  # fmt: skip
    assert "validation  100.0%" in trained.stdout


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[int, str]:
    """What the numbered situations of `small.sh` print."""
    environment = {**os.environ, "SD": " ".join(PROGRAM), "PY": sys.executable}
    environment["TMPDIR"] = str(tmp_path_factory.mktemp("small"))
    done = subprocess.run(
        ["bash", CASES / "small.sh"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    texts = re.split(r"^(\d+) .*\n", done.stdout, flags=re.MULTILINE)[1:]
    return dict(zip(map(int, texts[::2]), texts[1::2], strict=True))


@pytest.mark.parametrize(
    ("situation", "text"),
    [
        (1, "classes     bad, good"),  # folders called train and test are parts
        (2, "classes     fünf (2 each)"),
        (3, "skipped: bad/1.wav: cannot be read: Permission denied"),
        (3, "np.h5: 1 clip,"),
        (4, "--split stratified_shared_speakers"),
        (5, "give the number of units, at least 1001: --units N"),
        (6, "w.h5: 2 clips, 2 classes"),
        (6, "w2.h5: 2 clips"),
        (7, "w3.h5: 2 clips"),
        (13, "exit 0"),
        (14, "nearest: learning_rate"),
    ],
)
def test_a_situation_gives_what_a_user_wants(said, situation, text):
    assert text in said[situation]


def test_disks_without_locks_or_syncing_are_no_errors(said):
    assert "spikedata:" not in said[6] + said[7]

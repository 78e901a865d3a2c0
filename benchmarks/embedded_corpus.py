"""Remake the recordings that ship with the package from the whole of the Heidelberg Digits.

    python benchmarks/embedded_corpus.py AUDIO [--out spikedata/heidelberg_digits]

AUDIO is the folder of the 10,420 recordings at 48 kHz (`spikedata download heidelberg_digits`). Of each speaker and
class, the takes with the lowest numbers are taken: three of the ten training speakers, two of the test speakers, the
most that fits 8 MB. Each is resampled to 16 kHz by soxr at its highest quality and stored as FLAC with 16 bits. With
the versions of soxr, libsndfile and libFLAC that the README of the folder names, the same bytes come out. Others may
round a sample otherwise or pack it otherwise; the script says how many files equal those of the manifest before it.
"""

import argparse
import csv
import hashlib
import io
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
import soxr

import spikedata
from spikedata.corpora import Clip, list_clips

TEST_SPEAKERS = (4, 5)  # as in the published data: none of their recordings is in the training part
TAKES, TEST_TAKES = 3, 2
RATE = 16_000  # Hz
FIELDS = ("file", "label", "class_name", "speaker", "take", "sha256")


def take_of(clip: Clip) -> int:
    return int(clip.name.split("_trial-")[1].split("_")[0])


def chosen(clips: tuple[Clip, ...]) -> list[Clip]:
    """The lowest-numbered takes of each class of each speaker, by name."""
    takes = defaultdict(list)
    for clip in clips:
        takes[clip.speaker, clip.label].append(clip)
    return sorted(
        clip
        for (speaker, _), several in takes.items()
        for clip in sorted(several, key=take_of)[: TEST_TAKES if speaker in TEST_SPEAKERS else TAKES]
    )


def remade(path: Path) -> bytes:
    """A recording at 16 kHz as a FLAC file."""
    waveform, rate = soundfile.read(path, dtype="float64")
    if rate != 48_000:
        raise SystemExit(f"{path}: the corpus is recorded at 48000 Hz, got {rate}")
    resampled = np.clip(soxr.resample(waveform, rate, RATE, "VHQ"), -1, 1 - 2**-15)
    content = io.BytesIO()
    soundfile.write(content, resampled, RATE, subtype="PCM_16", format="FLAC", compression_level=1.0)  # level 8
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path)
    parser.add_argument("--out", type=Path, default=Path(spikedata.__file__).parent / "heidelberg_digits")
    args = parser.parse_args()
    listing = list_clips("heidelberg_digits", args.audio)
    clips = chosen(listing.clips)
    manifest = args.out / "manifest.csv"
    before = {}
    if manifest.exists():
        with manifest.open(encoding="utf-8", newline="") as lines:
            before = {line["file"]: line["sha256"] for line in csv.DictReader(lines)}
    args.out.mkdir(exist_ok=True)
    rows, n_bytes = [], 0
    for clip in clips:
        content = remade(clip.path)
        (args.out / clip.name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rows.append((clip.name, clip.label, listing.keys[clip.label], clip.speaker, take_of(clip), digest))
        n_bytes += len(content)
    with manifest.open("w", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(FIELDS)
        table.writerows(rows)
    print(f"{args.out}: {len(rows)} files, {n_bytes / 1e6:.2f} MB")
    print(f"made with soxr {soxr.__version__}, libsndfile {soundfile.__libsndfile_version__}")
    if before:
        n_same = sum(before.get(row[0]) == row[-1] for row in rows)
        print(f"{n_same} of {len(rows)} files are byte for byte those of the manifest that was there")


if __name__ == "__main__":
    main()

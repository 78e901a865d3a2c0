"""Noisy Digits: recordings of the Heidelberg Digits in babble, a data set of its own, made from them by one call.

Each part has its own speakers, and its babble is made of recordings of the same part alone, of any but the speaker: no
recording and no voice, neither in front nor behind, is in two parts. The babble of the test part was therefore never
heard in training, and nothing of the training part is in the test.

Recordings are at the level of the Heidelberg Digits, noise included. The level at which an ear hears them is a matter
of the ear (``--set stimulus.level_db_spl=65``); an ear that brings every sound to one level hears them alike at all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikedata.acoustics import Scene, babble, set_scene, stream_of
from spikedata.acoustics.chance import draw_below, uniforms
from spikedata.corpora.audio import read_audio
from spikedata.corpora.catalog import HEIDELBERG_KEYS, list_clips
from spikedata.corpora.clip import Clip
from spikedata.disk import OutputError, make_parents, temporary_beside

NOISY_DIGITS = "noisy_digits"
#: Speakers of each part: 4 and 5 are the test speakers of SHD; 6 and 8 choose, as in docs/explanation/results.md.
PARTS: Mapping[str, tuple[int, ...]] = {
    "train": (0, 1, 2, 3, 7, 9, 10, 11),
    "validation": (6, 8),
    "test": (4, 5),
}
#: Folders of the test part and their signal-to-noise ratios [dB]; None without noise.
TEST_CONDITIONS: Mapping[str, float | None] = {
    "test-clean": None,
    "test-snr-20": 20.0,
    "test-snr-10": 10.0,
    "test-snr-05": 5.0,
    "test-snr-00": 0.0,
}
#: Folders of recordings whose noise is drawn for each: a fifth without, the others between 0 and 20 dB.
MIXED = {"train-1": "train", "train-2": "train", "validation": "validation"}
#: SHA-256 of the samples of all recordings in the order of their names, 16 bit, little-endian.
SHA256 = "309bcf0385c81685635357b31f2f58e148b6450a4240882ef84549942516a529"
SEED = 2026
N_TALKERS = 8  # babble of eight masks speech most (Simpson, Cooke, JASA 118:2775, 2005)

_MIXED_SNR = (0.0, 20.0)
_CLEAN_SHARE = 0.2
_SAMPLE_RATE = 48_000
_RMS = 0.0347  # of every recording of the Heidelberg Digits
# The takes of each language and speaker, ten spread evenly over those that there are: 2,400 of the 10,420 recordings.
_TAKES = {
    "english": (
        (0, 5, 11, 16, 21, 27, 32, 37, 43, 48), (0, 5, 10, 14, 19, 24, 29, 33, 38, 43),
        (0, 6, 12, 17, 23, 29, 35, 40, 46, 52), (0, 3, 6, 10, 13, 16, 19, 23, 26, 29),
        (0, 5, 9, 14, 18, 23, 27, 32, 36, 41), (0, 5, 10, 15, 20, 24, 29, 34, 39, 44),
        (0, 3, 6, 9, 12, 15, 18, 21, 24, 27), (0, 5, 10, 15, 20, 24, 29, 34, 39, 44),
        (0, 4, 9, 13, 18, 22, 27, 31, 36, 40), (0, 5, 10, 16, 21, 26, 31, 37, 42, 47),
        (0, 5, 10, 14, 19, 24, 29, 33, 38, 43), (0, 4, 9, 13, 17, 22, 26, 30, 35, 39),
    ),
    "german": (
        (0, 5, 10, 15, 20, 26, 31, 36, 41, 46), (0, 6, 11, 17, 22, 28, 33, 39, 44, 50),
        (0, 6, 11, 17, 23, 28, 34, 40, 45, 51), (0, 5, 10, 15, 20, 25, 30, 35, 40, 45),
        (0, 5, 10, 16, 21, 26, 31, 37, 42, 47), (0, 5, 11, 16, 21, 27, 32, 37, 43, 48),
        (0, 2, 4, 6, 8, 10, 12, 14, 16, 18), (0, 4, 8, 12, 16, 19, 23, 27, 31, 35),
        (0, 5, 9, 14, 18, 23, 27, 32, 36, 41), (0, 4, 8, 13, 17, 21, 25, 30, 34, 38),
        (0, 4, 8, 13, 17, 21, 25, 30, 34, 38), (0, 7, 14, 21, 28, 36, 43, 50, 57, 64),
    ),
}  # fmt: skip


class NoisyClip(NamedTuple):
    """A line of the manifest.

    Parameters
    ----------
    file : str
        Name within the data set.
    key : str
        Class name.
    label, speaker : int
        Numbers of class and speaker [1].
    part : str
        "train", "validation" or "test".
    snr : str
        Signal-to-noise ratio, "clean" without noise [dB].
    sha256 : str
        Of its samples, 16 bit, little-endian.
    """

    file: str
    key: str
    label: int
    speaker: int
    part: str
    snr: str
    sha256: str


class MadeNoisy(NamedTuple):
    """A data set that was made.

    Parameters
    ----------
    folder : str
        Where it is.
    n_clips : int
        Number of recordings [1].
    sha256 : str
        Of the samples of all recordings.
    as_published : bool
        Whether that is `SHA256`.
    """

    folder: str
    n_clips: int
    sha256: str
    as_published: bool


def make_noisy_digits(
    audio: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    on_progress: Callable[[int, int], object] | None = None,
) -> MadeNoisy:
    """Make Noisy Digits from the Heidelberg Digits: a folder of FLAC files with a manifest and the lists of its parts.

    Of 2,400 recordings of the Heidelberg Digits (ten takes of each word and speaker), those of the training speakers
    are there twice, in different noise, those of the validation speakers once, and those of the test speakers 4 and 5
    five times: as they are, and in babble at 20, 10, 5 and 0 dB. The babble behind a test recording is the same at
    all four. The same recordings give the same samples on every machine.

    Parameters
    ----------
    audio : path-like
        Folder of the Heidelberg Digits, all 10,420 recordings or the 2,400.
    out : path-like
        Folder to make; it appears when it is complete.
    on_progress : callable, optional
        Called with the number of finished recordings and of all.

    Returns
    -------
    MadeNoisy

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it lacks one of the 2,400 recordings, or one is not at 48 kHz.
    OutputError
        If `out` exists or cannot be written.
    """
    folder = Path(out)
    if folder.exists():
        raise OutputError(f"{folder}: exists already, will not replace it")
    sources = _sources(audio)
    plan = list(_plan(sources))
    made: list[NoisyClip] = []
    digest = hashlib.sha256()
    folders = make_parents(folder)
    part = temporary_beside(folder)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for clip, content in pool.map(lambda task: _make(task, sources), plan):
                path = part / clip.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_as_flac(content))
                digest.update(content.tobytes())
                made.append(clip)
                if on_progress is not None:
                    on_progress(len(made), len(plan))
        _write_tables(part, made)
        part.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        del folders
        _read.cache_clear()
    found = digest.hexdigest()
    return MadeNoisy(str(folder), len(made), found, found == SHA256)


def _sources(audio: str | os.PathLike[str]) -> dict[str, dict[str, Clip]]:
    """The 2,400 recordings by part and name."""
    there = {clip.name: clip for clip in list_clips("heidelberg_digits", Path(audio), missing="skip").clips}
    stems = {name.rpartition(".")[0]: name for name in there}
    sources: dict[str, dict[str, Clip]] = {}
    for part, speakers in PARTS.items():
        for speaker in speakers:
            for language, takes in _TAKES.items():
                for stem in (
                    f"lang-{language}_speaker-{speaker:02d}_trial-{take}_digit-{digit}"
                    for take in takes[speaker]
                    for digit in range(10)
                ):
                    if stem not in stems:
                        raise ValueError(f"{audio}: lacks {stem}, one of the 2,400 recordings of {NOISY_DIGITS}")
                    sources.setdefault(part, {})[stem] = there[stems[stem]]
    return {part: dict(sorted(clips.items())) for part, clips in sources.items()}


class _Task(NamedTuple):
    """Folder, part, name and signal-to-noise ratio of a recording to make."""

    folder: str
    part: str
    stem: str
    snr: float | None


def _plan(sources: Mapping[str, Mapping[str, Clip]]) -> Iterator[_Task]:
    """The recordings, in the order of their names."""
    parts = {**MIXED, **dict.fromkeys(TEST_CONDITIONS, "test")}
    for folder, part in sorted(parts.items()):
        for stem in sources[part]:
            snr = TEST_CONDITIONS[folder] if part == "test" else _mixed_snr(folder, stem)
            yield _Task(folder, part, stem, snr)


def _mixed_snr(folder: str, stem: str) -> float | None:
    is_noisy, share = uniforms(stream_of(SEED, f"{folder}/{stem}", purpose="condition"), 2)
    low, high = _MIXED_SNR
    return None if is_noisy < _CLEAN_SHARE else round(low + (high - low) * float(share), 1)


def _make(task: _Task, sources: Mapping[str, Mapping[str, Clip]]) -> tuple[NoisyClip, npt.NDArray[np.int16]]:
    folder, part, stem, snr = task
    clip = sources[part][stem]
    waveform = _read(clip).astype(np.float64)
    if snr is not None:
        # All conditions of a test recording have one key, so that its babble is the same in each.
        key = stem if part == "test" else f"{folder}/{stem}"
        others = [other for other in sources[part].values() if other.speaker != clip.speaker]

        def noise(n_samples: int, sample_rate: int, _: str, rng: np.random.Generator) -> npt.NDArray[np.float64]:
            spoken = [[_read(others[draw_below(len(others), rng)]) for _ in range(2)] for _ in range(N_TALKERS)]
            return babble(n_samples, sample_rate, spoken, rng)

        scene = Scene(noise="babble", snr=snr, n_talkers=N_TALKERS)
        waveform = set_scene(waveform, _SAMPLE_RATE, scene, seed=SEED, key=key, noise=noise).waveform
        waveform = waveform * (_RMS / float(np.sqrt(np.mean(np.square(waveform)))))
    samples = np.clip(np.rint(waveform * 2.0**15), -(2**15), 2**15 - 1).astype("<i2")
    line = NoisyClip(
        file=f"{folder}/{stem}.flac",
        key=HEIDELBERG_KEYS[clip.label],
        label=clip.label,
        speaker=clip.speaker,
        part=part,
        snr="clean" if snr is None else f"{snr:g}",
        sha256=hashlib.sha256(samples.tobytes()).hexdigest(),
    )
    return line, samples


# Each recording is heard behind many others. 16 bits are exact in float32; all of them take 330 MB.
@lru_cache(maxsize=2400)
def _read(clip: Clip) -> npt.NDArray[np.float32]:
    waveform, rate = read_audio(clip.path)
    if rate != _SAMPLE_RATE:
        raise ValueError(f"{clip.path}: must be at {_SAMPLE_RATE:,} Hz for {NOISY_DIGITS}, got {rate:,}")
    return waveform.astype(np.float32)


def _as_flac(samples: npt.NDArray[np.int16]) -> bytes:
    import soundfile  # imported here, since it loads a shared library

    written = io.BytesIO()
    soundfile.write(written, samples, _SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return written.getvalue()


def _write_tables(folder: Path, clips: list[NoisyClip]) -> None:
    with (folder / "manifest.csv").open("x", encoding="utf-8", newline="") as lines:
        table = csv.writer(lines, lineterminator="\n")
        table.writerow(NoisyClip._fields)
        table.writerows(clips)
    for part in PARTS:
        names = "".join(f"{clip.file}\n" for clip in clips if clip.part == part)
        (folder / f"{part}_filenames.txt").write_text(names, encoding="utf-8")

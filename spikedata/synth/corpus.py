"""Speak a small corpus of synthetic speech: every word of a list in several voices and takes."""

import csv
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from spikedata.disk import OutputError, check_output
from spikedata.synth.clip import SpokenClip, speak_clip
from spikedata.synth.engine import find_engine
from spikedata.synth.words import Word, read_words

# Variants of eSpeak NG that differ clearly. The position of a voice here is its speaker number in every corpus. As in
# Heidelberg Digits, 4 and 5 are the test speakers; 6 and 7 can be used for validation. The first voice of each pair
# sounds female.
VOICES = ("f3", "m3", "Alicia", "rob", "steph", "travis", "Andrea", "boris", "shelby", "Lee", "david", "Andy")
MANIFEST = "manifest.csv"

Task = tuple[str, int, Word]  # voice, trial, word


def synthesize(
    words: str | Path,
    out_dir: str | Path,
    *,
    voices: int | Sequence[str] = len(VOICES),
    takes: int = 2,
    sample_rate: int = 16000,
    seed: int = 0,
    overwrite: bool = False,
    engine: str = "auto",
    progress: Callable[[int, int], object] | None = None,
) -> tuple[SpokenClip, ...]:
    """Speak words into a new folder of mono 16-bit FLAC files with a manifest. The folder appears when it is complete.

    The digits ("shd") are named as in Heidelberg Digits, ``lang-english_speaker-00_trial-0_digit-0.flac``, other
    words as in Speech Commands, ``word/voice_nohash_take.flac``. A clip depends on its own word, voice, take and seed
    alone: more words, voices or takes leave it as it is. The same arguments give the same bytes wherever engine and
    tools, which the manifest names, are the same (and see `spikedata.synth.engine` for the engine as a program).

    Parameters
    ----------
    words : str or Path
        "shd", "ssc" or a text file (see `read_words`).
    out_dir : str or Path
        Folder to make; an empty one may stand there.
    voices : int or sequence of str
        Number of voices, the first ones of `VOICES`; or names of eSpeak NG's voice variants, of which those beyond
        `VOICES` are numbered on from its end.
    takes : int
        Clips of each word in each voice; they differ in speed, pitch and pitch range.
    sample_rate : int
        Sample rate of the files, 8000 to 192000 [Hz].
    seed : int
        Seed of the takes, not negative.
    overwrite : bool
        Whether an existing spoken corpus in `out_dir` is replaced. A folder with any other file in it is never
        replaced.
    engine : str
        "library", "program" or "auto" (see `find_engine`).
    progress : callable, optional
        Called after each clip with the number of finished clips and of all clips.

    Returns
    -------
    tuple of SpokenClip
        The lines of the manifest: by voice, then take, then word.

    Raises
    ------
    ValueError
        If a word list, voice or engine is unknown, or a number is out of range.
    EngineError
        If eSpeak NG is not installed, fails, or returns silence.
    OutputError
        If the folder exists already or cannot be written.
    """
    for name, value, lowest, highest in (
        ("takes", takes, 1, 10_000),
        ("sample_rate", sample_rate, 8_000, 192_000),
        ("seed", seed, 0, 2**63 - 1),
    ):
        if not lowest <= value <= highest:
            raise ValueError(f"{name} must be {lowest} to {highest}, got {value}")
    listed = read_words(words)
    name_file = _digit_file if str(words) == "shd" else _word_file
    _check_folder(Path(out_dir), overwrite=overwrite)
    folder = Path(os.path.realpath(out_dir))
    found = find_engine(engine)
    speakers = _number_voices(voices, found.variants)
    part = folder.with_name(f".spikedata-{os.getpid()}-{secrets.token_hex(4)}.part")
    check_output(part)

    def make(task: Task) -> SpokenClip:
        voice, trial, word = task
        speaker = speakers[voice]
        file = name_file(word, voice, speaker, trial)
        clip, content = speak_clip(
            word, voice, trial, file=file, speaker=speaker, engine=found, sample_rate=sample_rate, seed=seed
        )
        (part / file).parent.mkdir(exist_ok=True)
        (part / file).write_bytes(content)
        return clip

    tasks = [(voice, trial, word) for voice in speakers for trial in range(takes) for word in listed]
    try:
        part.mkdir()
        clips = _in_threads(make, tasks, progress)
        _write_manifest(part / MANIFEST, clips)
        _put_in_place(part, folder)
    except OSError as error:
        raise OutputError(f"{out_dir}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return clips


def _digit_file(word: Word, _voice: str, speaker: int, trial: int) -> str:
    return f"lang-{word.language}_speaker-{speaker:02d}_trial-{trial}_digit-{word.label % 10}.flac"


def _word_file(word: Word, voice: str, _speaker: int, trial: int) -> str:
    return f"{word.key}/{voice}_nohash_{trial}.flac"


def _number_voices(voices: int | Sequence[str], variants: frozenset[str]) -> dict[str, int]:
    """Speaker number by voice."""
    if isinstance(voices, int):
        if not 1 <= voices <= len(VOICES):
            raise ValueError(f"voices must be 1 to {len(VOICES)}, or names, got {voices}")
        voices = VOICES[:voices]
    names = [voices] if isinstance(voices, str) else list(voices)
    unknown = [name for name in names if name not in variants]
    if unknown or not names:
        raise ValueError(
            f"eSpeak NG has no voice {unknown[0]!r}" if unknown else "voices must name at least one, got none"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"voices must differ, got {', '.join(names)}")
    others = [name for name in names if name not in VOICES]
    return {name: VOICES.index(name) if name in VOICES else len(VOICES) + others.index(name) for name in names}


def _in_threads(
    make: Callable[[Task], SpokenClip], tasks: Sequence[Task], progress: Callable[[int, int], object] | None
) -> tuple[SpokenClip, ...]:
    """Make every clip, with a thread per core, since the work is done in the engine's processes."""
    clips: list[SpokenClip] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for clip in pool.map(make, tasks):
                clips.append(clip)
                if progress is not None:
                    progress(len(clips), len(tasks))
        except BaseException:  # an interrupt, too, must not wait for the remaining clips
            pool.shutdown(cancel_futures=True)
            raise
    return tuple(clips)


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raise if a folder has content that must not be replaced."""
    if not folder.is_dir():
        if folder.exists():
            raise OutputError(f"{folder}: is a file, must be a folder")
        check_output(folder)
        return
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()}
    if there and not overwrite:
        raise OutputError(f"{folder}: exists already, will not replace it (--overwrite does)")
    ours = set()
    if MANIFEST in there:
        with (folder / MANIFEST).open(encoding="utf-8", newline="") as lines:
            ours = {line.get("file", "") for line in csv.DictReader(lines)} | {MANIFEST}
    foreign = sorted(there - ours)
    if foreign:
        raise OutputError(f"{folder}: {foreign[0]} is not part of a spoken corpus, will not replace the folder")


def _write_manifest(path: Path, clips: Sequence[SpokenClip]) -> None:
    with path.open("x", encoding="utf-8", newline="") as lines:
        table = csv.DictWriter(lines, SpokenClip._fields, lineterminator="\n")
        table.writeheader()
        table.writerows(clip._asdict() for clip in clips)


def _put_in_place(part: Path, folder: Path) -> None:
    """Give the finished folder its name; an existing folder is moved away first, and moved back if that fails."""
    old = part.with_suffix(".old")
    if folder.is_dir():
        shutil.move(folder, old)  # copied where overlayfs cannot rename what a layer below holds
    try:
        part.replace(folder)
    except BaseException:
        if old.is_dir():
            old.replace(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)

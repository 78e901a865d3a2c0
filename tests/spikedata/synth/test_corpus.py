"""Synthetic speech: the corpus in tests/data, what `synthesize` makes, and what it refuses."""

import csv
import errno
import hashlib
import importlib.util
import platform
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from spikedata.disk import OutputError
from spikedata.synth import engine as synth_engine
from spikedata.synth.corpus import MANIFEST, VOICES, synthesize
from spikedata.synth.engine import PACKAGE, EngineError
from spikedata.synth.words import read_words

MEGABYTE = 2**20
needs_library = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason="needs the eSpeak NG library (extra `synth`)"
)


def read_manifest(folder: Path) -> list[dict[str, str]]:
    with (folder / MANIFEST).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def two_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("yes\nfuenf\tfünf\tgerman\n", encoding="utf-8")
    return path


def test_the_spoken_digits_are_what_their_manifest_says(spoken_digits):
    lines = read_manifest(spoken_digits)
    assert {line["file"] for line in lines} == {file.name for file in spoken_digits.glob("*.flac")}
    for line in lines:
        assert hashlib.sha256((spoken_digits / line["file"]).read_bytes()).hexdigest() == line["sha256"], line["file"]


def test_the_spoken_digits_are_20_classes_12_voices_and_2_takes_in_5_megabytes(spoken_digits):
    lines = read_manifest(spoken_digits)
    seen = Counter((int(line["label"]), int(line["speaker"]), int(line["trial"])) for line in lines)
    assert seen == {(label, speaker, trial): 1 for label in range(20) for speaker in range(12) for trial in range(2)}
    assert sum(file.stat().st_size for file in spoken_digits.iterdir()) < 5 * MEGABYTE


def test_the_spoken_digits_are_named_like_heidelberg_digits(spoken_digits):
    for line in read_manifest(spoken_digits):
        name = re.fullmatch(r"lang-(english|german)_speaker-(\d\d)_trial-(\d+)_digit-(\d)\.flac", line["file"])
        assert name is not None
        assert int(line["label"]) == int(name[4]) + 10 * (name[1] == "german")
        assert (int(line["speaker"]), line["trial"]) == (int(name[2]), name[3])
        assert line["voice"] == VOICES[int(name[2])]
        assert line["text"] == read_words("shd")[int(line["label"])].text


def test_the_spoken_digits_are_short_mono_16_bit_words_neither_silent_nor_clipped(spoken_digits):
    for line in read_manifest(spoken_digits):
        info = soundfile.info(spoken_digits / line["file"])
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("FLAC", "PCM_16", 1, 16000)
        waveform, _ = soundfile.read(spoken_digits / line["file"])
        assert 0.2 < len(waveform) / 16000 < 1.2
        assert np.sqrt(np.mean(waveform**2)) == pytest.approx(0.0347, rel=0.01)
        assert np.abs(waveform).max() < 0.9


@needs_library
def test_a_voice_of_the_spoken_digits_can_be_made_again_byte_for_byte(spoken_digits, tmp_path):
    shipped = {line["file"]: line for line in read_manifest(spoken_digits) if line["voice"] == "Alicia"}
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("made on Linux x86_64; another machine may round differently")
    tools = f"soxr {soxr.__version__}, libsndfile {soundfile.__libsndfile_version__}"
    made_with = next(iter(shipped.values()))["tools"]
    if tools != made_with:
        pytest.skip(f"made with {made_with}, here are {tools}")
    clips = synthesize("shd", tmp_path / "again", voices=["Alicia"])
    assert len(clips) == 40
    for clip in clips:
        if clip.engine != shipped[clip.file]["engine"]:
            pytest.skip(f"made with {shipped[clip.file]['engine']}, here is {clip.engine}")
        assert clip.sha256 == shipped[clip.file]["sha256"], clip.file


@needs_library
def test_more_words_voices_and_takes_leave_a_clip_as_it_is(two_words, tmp_path):
    # boris and f3 flutter: spoken in one process, a clip would depend on those before it
    few = synthesize(two_words, tmp_path / "few", voices=["boris"], takes=1)
    two_words.write_text("no\nyes\nwow\nfuenf\tfünf\tgerman\n", encoding="utf-8")
    many = {clip.file: clip for clip in synthesize(two_words, tmp_path / "many", voices=["f3", "boris"], takes=3)}
    assert [many[clip.file].sha256 for clip in few] == [clip.sha256 for clip in few]
    assert len({clip.sha256 for clip in many.values()}) == len(many) == 24


@needs_library
def test_another_seed_speaks_otherwise(two_words, tmp_path):
    first, second = (synthesize(two_words, tmp_path / f"{seed}", voices=1, takes=1, seed=seed) for seed in (0, 1))
    assert not {clip.sha256 for clip in first} & {clip.sha256 for clip in second}


@needs_library
def test_a_word_file_is_spoken_in_the_layout_of_speech_commands(two_words, tmp_path):
    done = []
    clips = synthesize(
        two_words,
        tmp_path / "out",
        voices=["m3", "zac"],
        takes=1,
        sample_rate=8000,
        progress=lambda n, of: done.append((n, of)),
    )
    assert [(clip.file, clip.label, clip.speaker) for clip in clips] == [
        ("yes/m3_nohash_0.flac", 0, 1),
        ("fuenf/m3_nohash_0.flac", 1, 1),
        ("yes/zac_nohash_0.flac", 0, 12),
        ("fuenf/zac_nohash_0.flac", 1, 12),
    ]
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert soundfile.info(tmp_path / "out" / clips[1].file).samplerate == 8000
    for line, clip in zip(read_manifest(tmp_path / "out"), clips, strict=True):
        assert line == {name: str(value) for name, value in clip._asdict().items()}
        assert hashlib.sha256((tmp_path / "out" / clip.file).read_bytes()).hexdigest() == clip.sha256


@needs_library
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voices": ["nonesuch"]}, "eSpeak NG has no voice 'nonesuch'"),
        ({"voices": ["f3", "f3"]}, "voices must differ, got f3, f3"),
        ({"voices": []}, "voices must name at least one"),
        ({"voices": 13}, "voices must be 1 to 12, or names, got 13"),
        ({"words": "nonesuch"}, "no word list 'nonesuch': neither shd nor ssc nor a text file"),
        ({"takes": 0}, "takes must be 1 to 10000, got 0"),
        ({"sample_rate": 4000}, "sample_rate must be 8000 to 192000, got 4000"),
        ({"seed": -1}, "seed must be 0 to .*, got -1"),
        ({"engine": "organ"}, "engine must be one of library, program, auto, got 'organ'"),
    ],
)
def test_what_cannot_be_spoken_is_refused_before_anything_is_written(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        synthesize(**{"words": "shd", "out_dir": tmp_path / "out", **arguments})
    assert list(tmp_path.iterdir()) == []


@needs_library
def test_an_unknown_language_is_an_error_in_one_line_and_leaves_nothing(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a\ta\tzz\n")
    with pytest.raises(EngineError, match=r"cannot speak 'a' in zz with voice f3: eSpeak NG has no language 'zz'$"):
        synthesize(words, tmp_path / "out", voices=1, takes=1)
    assert list(tmp_path.iterdir()) == [words]


@needs_library
def test_a_text_without_sound_is_an_error(tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("dots\t...\n")
    with pytest.raises(EngineError, match=r"returns silence for '\.\.\.' in english with voice f3"):
        synthesize(words, tmp_path / "out", voices=1, takes=1)


def test_a_missing_engine_is_named_with_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(synth_engine, "PACKAGE", "no_such_package")
    monkeypatch.setattr(synth_engine, "PROGRAM", "no-such-program")
    with pytest.raises(EngineError, match=r"pip install 'spikedata-audio\[synth\]' or apt-get install espeak-ng"):
        synthesize("shd", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@needs_library
def test_an_interrupt_leaves_nothing_behind(two_words, tmp_path):
    def interrupt(n_done, _n_all):
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(two_words, tmp_path / "out", takes=1, progress=interrupt)
    assert list(tmp_path.iterdir()) == [two_words]


@needs_library
def test_a_full_disk_is_one_clear_error_and_leaves_nothing_behind(two_words, tmp_path, monkeypatch):
    def refuse(_path, _content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OutputError, match="out: cannot be written: No space left on device"):
        synthesize(two_words, tmp_path / "out", voices=1, takes=1)
    assert list(tmp_path.iterdir()) == [two_words]


@needs_library
def test_a_corpus_is_replaced_only_when_asked(two_words, tmp_path):
    out = tmp_path / "out"
    out.mkdir()  # an empty folder may stand there
    synthesize(two_words, out, voices=1, takes=2)
    with pytest.raises(OutputError, match="out: exists already, will not replace it"):
        synthesize(two_words, out, voices=1, takes=1)
    synthesize(two_words, out, voices=1, takes=1, overwrite=True)
    assert {file.name for file in out.rglob("*.*")} == {MANIFEST, "f3_nohash_0.flac"}
    assert sorted(tmp_path.iterdir()) == [out, two_words]


@needs_library
def test_a_folder_with_a_foreign_file_is_never_replaced(two_words, tmp_path):
    out = tmp_path / "out"
    synthesize(two_words, out, voices=1, takes=1)
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis\.tex is not part of a spoken corpus"):
        synthesize(two_words, out, voices=1, takes=1, overwrite=True)
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_folder_without_a_parent_is_refused(tmp_path):
    with pytest.raises(OutputError, match="no folder"):
        synthesize("shd", tmp_path / "none" / "out")

"""Synthetic speech: a corpus of its own, never taken for recordings of people."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import HEIDELBERG_KEYS, list_clips
from spikedata.splits import make_split
from spikedata.synth.clip import SpokenClip

HEADER = ",".join(SpokenClip._fields)
REST = "word,english,{voice},{speaker},0,141,49,50,eSpeak NG,soxr,0,16000,ab"
Speak = Callable[..., Path]


@pytest.fixture
def speak(tmp_path: Path) -> Speak:
    """Make a spoken corpus without sound: of (file, label, key, voice, speaker) each."""

    def make(*clips: tuple[str, object, str, str, object], header: str = HEADER) -> Path:
        lines = [header]
        for file, label, key, voice, speaker in clips:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
            lines.append(f"{file},{label},{key},{REST.format(voice=voice, speaker=speaker)}")
        (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
        return tmp_path

    return make


def test_spoken_digits_have_every_class_in_every_voice(spoken_digits: Path) -> None:
    listing = list_clips("spoken_digits", spoken_digits)
    seen = {(clip.label, clip.speaker) for clip in listing.clips}
    assert len(listing.clips) == 480
    assert seen == {(label, speaker) for label in range(20) for speaker in range(12)}
    assert (listing.corpus, listing.keys, listing.unfit, listing.parts) == ("spoken_digits", HEIDELBERG_KEYS, (), None)


def test_clips_are_named_by_their_file_as_in_heidelberg_digits(spoken_digits: Path, tmp_path: Path) -> None:
    # the name is what keys a clip's spikes: they are the same as under the corpus that it was once listed as
    for path in sorted(spoken_digits.glob("*_trial-0_digit-3.flac")):
        shutil.copy(path, tmp_path)
    as_people = list_clips("heidelberg_digits", tmp_path)
    clips = {clip.name: clip for clip in list_clips("spoken_digits", spoken_digits).clips}
    assert len(as_people.clips) == 24
    assert all(clip[1:] == clips[clip.name][1:] for clip in as_people.clips)


def test_synthetic_speech_is_not_taken_for_people(spoken_digits: Path) -> None:
    rule = "spoken_digits: holds synthetic speech, not heidelberg_digits: its corpus is 'spoken_digits'"
    with pytest.raises(ValueError, match=rule):
        list_clips("heidelberg_digits", spoken_digits)
    with pytest.raises(ValueError, match="not heidelberg_digits"):
        list_clips("heidelberg_digits", spoken_digits.parent / "spoken_digits")


def test_synthetic_speech_without_a_corpus_is_said_to_be_such(spoken_digits: Path) -> None:
    notes = list_clips("folder", spoken_digits).notes
    assert any("the corpus 'spoken_digits' knows their classes" in note for note in notes)


def test_spoken_words_are_listed_as_their_manifest_says(speak: Speak) -> None:
    root = speak(("no/m3_nohash_0.flac", 1, "no", "m3", 1), ("yes/f3_nohash_0.flac", 0, "yes", "f3", 0))
    (root / "yes" / "else.wav").touch()
    listing = list_clips("spoken_words", root)
    assert [tuple(clip[1:4]) for clip in listing.clips] == [
        ("no/m3_nohash_0.flac", 1, 1),
        ("yes/f3_nohash_0.flac", 0, 0),
    ]
    assert (listing.keys, listing.unfit) == (("yes", "no"), ("yes/else.wav",))
    with pytest.raises(ValueError, match="synthetic speech, not speech_commands: its corpus is 'spoken_words'"):
        list_clips("speech_commands", root)
    with pytest.raises(ValueError, match="synthetic speech of the corpus 'spoken_words', not 'spoken_digits'"):
        list_clips("spoken_digits", root)


def test_digits_in_other_voices_are_no_spoken_digits_since_their_numbers_mean_other_voices(speak: Speak) -> None:
    digits = [
        (
            f"lang-{'english' if label < 10 else 'german'}_speaker-12_trial-0_digit-{label % 10}.flac",
            label,
            key,
            "max",
            12,
        )
        for label, key in enumerate(HEIDELBERG_KEYS)
    ]
    assert len(list_clips("spoken_words", speak(*digits)).clips) == 20


@pytest.mark.parametrize("corpus", ["spoken_digits", "spoken_words"])
@pytest.mark.parametrize("header", ["path,label", ""])
def test_a_table_of_somebody_else_is_no_manifest_of_synthetic_speech(speak: Speak, corpus: str, header: str) -> None:
    with pytest.raises(ValueError, match=f"no recordings named as in {corpus}, got 1 other names: 'a.wav'"):
        list_clips(corpus, speak(("a.wav", 0, "a", "f3", 0), header=header))


@pytest.mark.parametrize(("label", "speaker"), [("x", 0), (0, ""), ("", 0)])
def test_a_damaged_manifest_is_named_with_its_line(speak: Speak, label: object, speaker: object) -> None:
    root = speak(("a.wav", label, "a", "f3", speaker))
    with pytest.raises(ValueError, match=r"manifest\.csv: line 2: label and speaker must be whole numbers, got"):
        list_clips("spoken_words", root)


def test_labels_that_skip_a_number_are_refused(speak: Speak) -> None:
    with pytest.raises(
        ValueError, match=r"manifest\.csv: labels must count up from 0 and have one key each, got \[1\]"
    ):
        list_clips("spoken_words", speak(("a.wav", 1, "a", "f3", 0)))


def test_spoken_digits_have_a_split_by_speaker(spoken_digits: Path) -> None:
    assert make_split(list_clips("spoken_digits", spoken_digits), "by_speaker").speakers_apart

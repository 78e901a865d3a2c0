"""Corpora by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import CORPORA, list_clips

Touch = Callable[..., Path]
FITTING = {
    "heidelberg_digits": ("lang-german_speaker-1_trial-0_digit-1.flac", "lang-german_speaker-2_trial-0_digit-1.flac"),
    "speech_commands": ("no/a_nohash_0.wav", "yes/a_nohash_0.wav"),
    "fsdd": ("0_theo_0.wav", "0_theo_1.wav"),
    "audiomnist": ("01/0_01_0.wav", "02/0_02_0.wav"),
    "folder": ("cat/1.wav", "dog/1.wav"),
}
IN_FOLDERS = list(FITTING)


def test_an_unknown_corpus_names_the_known_ones(tmp_path: Path) -> None:
    rule = f"must be one of {', '.join(CORPORA)}, got 'timit'"
    with pytest.raises(ValueError, match=rule):
        list_clips("timit", tmp_path)


def test_missing_must_be_fail_or_skip(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="missing must be 'fail' or 'skip', got 'ignore'"):
        list_clips("folder", tmp_path, missing="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("corpus", CORPORA)
def test_a_missing_folder_or_file_is_named(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such"):
        list_clips(corpus, tmp_path / "nowhere")


@pytest.mark.parametrize("corpus", [name for name in IN_FOLDERS if name not in ("folder", "files")])
def test_a_folder_without_fitting_recordings_is_refused(touch: Touch, corpus: str) -> None:
    with pytest.raises(ValueError, match=f"no recordings named as in {corpus}, got 1 other names: 'noise.wav'"):
        list_clips(corpus, touch("noise.wav", "readme.txt"))


@pytest.mark.parametrize("corpus", IN_FOLDERS)
def test_an_empty_folder_is_refused(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(ValueError, match=f"no recordings named as in {corpus}, got no audio files"):
        list_clips(corpus, tmp_path)


def test_a_linked_folder_that_holds_all_recordings_is_named(touch: Touch) -> None:
    root = touch("store/cat/1.wav", "audio/readme.txt")
    (root / "audio" / "linked").symlink_to(root / "store")
    with pytest.raises(ValueError, match="got 1 other names: 'linked/'"):
        list_clips("folder", root / "audio")


@pytest.mark.parametrize("corpus", IN_FOLDERS)
def test_every_clip_is_a_file_under_a_name_of_its_own_in_sorted_order(touch: Touch, corpus: str) -> None:
    listing = list_clips(corpus, touch(*reversed(FITTING[corpus])))
    assert listing.corpus == corpus
    assert listing.sources == FITTING[corpus]
    assert all(clip.path.is_file() for clip in listing.clips)
    assert all(clip.root is listing.clips[0].root for clip in listing.clips)


@pytest.mark.parametrize("corpus", IN_FOLDERS)
def test_a_corpus_is_the_same_wherever_it_lies(touch: Touch, tmp_path: Path, corpus: str) -> None:
    touch(*(f"{place}/{name}" for place in ("here", "there") for name in FITTING[corpus]))
    here, there = (list_clips(corpus, str(tmp_path / place)) for place in ("here", "there"))
    assert [clip[1:] for clip in here.clips] == [clip[1:] for clip in there.clips]


def test_listing_reads_no_audio(touch: Touch, monkeypatch: pytest.MonkeyPatch) -> None:
    root = touch("cat/1.wav")

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("opened a file")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    assert len(list_clips("folder", root).clips) == 1

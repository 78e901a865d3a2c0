"""Finding audio files by name: links, pipes, odd names, and folders around the recordings."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora.walk import AUDIO_SUFFIXES, find_audio, find_recordings

NUMBERED = re.compile(r"[0-9]\.(?:wav|flac)")
Touch = Callable[..., Path]


def test_names_are_sorted_and_have_forward_slashes(touch: Touch) -> None:
    root = touch("b/deep/1.wav", "a.wav", "b.wav", "b/2.wav")
    assert find_audio(root).names == ["a.wav", "b.wav", "b/2.wav", "b/deep/1.wav"]


def test_suffixes_of_either_case_are_audio_and_others_are_passed_over(touch: Touch) -> None:
    names = [f"{number}{suffix.upper()}" for number, suffix in enumerate(AUDIO_SUFFIXES)]
    assert find_audio(touch(*names, "readme.txt", "wav", "lists.csv")).names == names


def test_a_linked_folder_is_reported_and_not_entered(touch: Touch) -> None:
    root = touch("inside/a.wav", "outside/b.wav")
    (root / "inside" / "linked").symlink_to(root / "outside")
    found = find_audio(root / "inside")
    assert found.names == ["a.wav"]
    assert found.unfit == ["linked/"]


def test_links_in_a_circle_end(touch: Touch) -> None:
    root = touch("a/1.wav")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to("self")
    (root / "a" / "self.wav").symlink_to("self.wav")
    assert find_audio(root) == (["a/1.wav"], ["a/self.wav", "a/up/"])


def test_a_linked_file_is_listed_and_a_link_to_nothing_is_reported(touch: Touch) -> None:
    root = touch("store/1.wav", "audio/own.wav")
    (root / "audio" / "linked.wav").symlink_to(root / "store" / "1.wav")
    (root / "audio" / "broken.wav").symlink_to(root / "nowhere.wav")
    assert find_audio(root / "audio") == (["linked.wav", "own.wav"], ["broken.wav"])


def test_a_folder_that_is_itself_a_link_is_listed(touch: Touch) -> None:
    root = touch("store/1.wav")
    (root / "link").symlink_to(root / "store")
    assert find_audio(root / "link").names == ["1.wav"]


def test_what_is_no_regular_file_is_reported(touch: Touch) -> None:
    root = touch("a.wav")
    os.mkfifo(root / "pipe.wav")  # to open it would wait for ever
    (root / "folder.wav").mkdir()
    assert find_audio(root) == (["a.wav"], ["pipe.wav"])


def test_a_name_that_is_not_utf_8_is_reported_in_printable_form(touch: Touch) -> None:
    root = touch("a.wav")
    try:
        (root / os.fsdecode(b"\xff.wav")).touch()
    except OSError:
        pytest.skip("this file system takes no such names")
    found = find_audio(root)
    assert found == (["a.wav"], [r"\udcff.wav"])
    found.unfit[0].encode()


def test_a_folder_that_cannot_be_read_is_an_error(touch: Touch, monkeypatch: pytest.MonkeyPatch) -> None:
    root = touch("a/1.wav", "locked/2.wav")
    scandir = os.scandir

    def deny(path: Path) -> object:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(PermissionError, match="locked"):
        find_audio(root)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        find_audio(tmp_path / "nowhere")


def test_recordings_have_the_same_names_whichever_folder_is_given(touch: Touch) -> None:
    root = touch("audio/1.wav", "audio/2.flac")
    outer, inner = (find_recordings(folder, NUMBERED, ("audio",)) for folder in (root, root / "audio"))
    assert outer.names == inner.names == ["1.wav", "2.flac"]
    assert outer.folder == inner.folder == root / "audio"


def test_recordings_in_the_given_folder_come_before_those_below_it(touch: Touch) -> None:
    home = find_recordings(touch("1.wav", "audio/1.wav"), NUMBERED, ("audio",))
    assert (home.names, home.unfit) == (["1.wav"], ["audio/1.wav"])


def test_what_lies_beside_the_recordings_is_reported_with_its_folder(touch: Touch) -> None:
    home = find_recordings(touch("audio/1.wav", "audio/x.wav", "copy/1.wav", "audio2/1.wav"), NUMBERED, ("audio",))
    assert (home.names, home.unfit) == (["1.wav"], ["audio/x.wav", "audio2/1.wav", "copy/1.wav"])


def test_a_recording_that_is_there_with_two_suffixes_is_refused(touch: Touch) -> None:
    with pytest.raises(ValueError, match=r"audio: '1.flac' and '1.wav' are the same recording, keep one of them"):
        find_recordings(touch("audio/1.wav", "audio/1.flac"), NUMBERED, ("audio",))

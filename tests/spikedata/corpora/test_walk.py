"""Finding audio files by name: links, pipes, odd names, and folders around the recordings."""

import os
import re
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import list_clips
from spikedata.corpora.formats import readable_suffixes
from spikedata.corpora.walk import find_audio, find_recordings

NUMBERED = re.compile(r"[0-9]\.(?:wav|flac)")
Touch = Callable[..., Path]


def test_names_are_sorted_and_have_forward_slashes(touch: Touch) -> None:
    root = touch("b/deep/1.wav", "a.wav", "b.wav", "b/2.wav")
    assert find_audio(root).names == ["a.wav", "b.wav", "b/2.wav", "b/deep/1.wav"]


def test_suffixes_of_either_case_are_audio_and_others_are_passed_over(touch: Touch) -> None:
    names = [f"{number}{suffix.upper()}" for number, suffix in enumerate(sorted(readable_suffixes()))]
    found = find_audio(touch(*names, "readme.txt", "wav", "lists.csv"))
    assert (found.names, found.unfit) == (sorted(names), {})


def test_a_linked_folder_is_reported_and_not_entered(touch: Touch) -> None:
    root = touch("inside/a.wav", "outside/b.wav")
    (root / "inside" / "linked").symlink_to(root / "outside")
    found = find_audio(root / "inside")
    assert found.names == ["a.wav"]
    assert found.unfit == {"linked/": "a linked folder, which is not followed; give its target"}


def test_links_in_a_circle_end(touch: Touch) -> None:
    root = touch("a/1.wav")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to("self")
    (root / "a" / "self.wav").symlink_to("self.wav")
    found = find_audio(root)
    assert (found.names, list(found.unfit)) == (["a/1.wav"], ["a/self.wav", "a/up/"])


def test_a_linked_file_is_listed_and_a_link_to_nothing_is_reported(touch: Touch) -> None:
    root = touch("store/1.wav", "audio/own.wav")
    (root / "audio" / "linked.wav").symlink_to(root / "store" / "1.wav")
    (root / "audio" / "broken.wav").symlink_to(root / "nowhere.wav")
    found = find_audio(root / "audio")
    assert (found.names, found.unfit) == (["linked.wav", "own.wav"], {"broken.wav": "a link to nothing"})


def test_a_folder_that_is_itself_a_link_is_listed(touch: Touch) -> None:
    root = touch("store/1.wav")
    (root / "link").symlink_to(root / "store")
    assert find_audio(root / "link").names == ["1.wav"]


def test_what_is_no_regular_file_is_reported(touch: Touch) -> None:
    root = touch("a.wav")
    os.mkfifo(root / "pipe.wav")  # to open it would wait for ever
    (root / "folder.wav").mkdir()
    os.mkfifo(root / "pipe")
    found = find_audio(root)
    reasons = {"folder.wav/": "a folder, though named as a recording", "pipe.wav": "not a regular file"}
    assert (found.names, found.unfit) == (["a.wav"], reasons)


def test_a_folder_with_recordings_may_be_named_as_one(touch: Touch) -> None:
    root = touch("take.wav/1.wav")
    (root / "link.wav").symlink_to(root / "take.wav")
    found = find_audio(root)
    assert (found.names, found.unfit) == (["take.wav/1.wav"], {"link.wav": "not a regular file"})


def test_a_name_that_is_not_utf_8_is_reported_in_printable_form(touch: Touch) -> None:
    root = touch("a.wav")
    try:
        (root / os.fsdecode(b"\xff.wav")).touch()
    except OSError:
        pytest.skip("this file system takes no such names")
    found = find_audio(root)
    assert (found.names, found.unfit) == (["a.wav"], {r"\udcff.wav": "its name is not UTF-8"})
    next(iter(found.unfit)).encode()


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
    found = find_audio(root, may_skip=True)
    assert found.names == ["a/1.wav"]
    assert found.unfit == {"locked/": "a folder that cannot be read: Permission denied"}
    listing = list_clips("folder", root, missing="skip")
    assert "there is no class 'locked': a folder that cannot be read: Permission denied" in listing.notes


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
    assert (home.names, list(home.unfit)) == (["1.wav"], ["audio/1.wav"])


def test_what_lies_beside_the_recordings_is_reported_with_its_folder(touch: Touch) -> None:
    home = find_recordings(touch("audio/1.wav", "audio/x.wav", "copy/1.wav", "audio2/1.wav"), NUMBERED, ("audio",))
    assert (home.names, list(home.unfit)) == (["1.wav"], ["audio/x.wav", "audio2/1.wav", "copy/1.wav"])


def test_a_recording_that_is_there_with_two_suffixes_is_refused(touch: Touch) -> None:
    with pytest.raises(ValueError, match=r"audio: '1.flac' and '1.wav' are the same recording, keep one of them"):
        find_recordings(touch("audio/1.wav", "audio/1.flac"), NUMBERED, ("audio",))


# What looks like sound


@pytest.mark.parametrize("name", ["a.opus", "b.OPUS", "c.au", "d.sph", "e.w64", "f.caf", "g.wave"])
def test_what_libsndfile_reads_is_a_recording(touch: Touch, name: str) -> None:
    assert find_audio(touch(name)).names == [name]


def test_what_needs_a_decoder_is_a_recording_where_it_is_installed_and_reported_elsewhere(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = touch("a.m4a", "b.WEBM", "c.wav")
    monkeypatch.setitem(sys.modules, "av", None)  # what Python takes for a package that is not there
    found = find_audio(root)
    assert (found.names, list(found.unfit)) == (["c.wav"], ["a.m4a", "b.WEBM"])
    assert all("pip install 'spikedata-audio[formats]'" in reason for reason in found.unfit.values())

    monkeypatch.undo()
    pytest.importorskip("av")
    assert find_audio(root).names == ["a.m4a", "b.WEBM", "c.wav"]


@pytest.mark.parametrize(
    ("name", "beginning", "kind"),
    [
        ("take1", b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        ("take1.wav.part", b"RIFF\x24\0\0\0WAVEfmt ", "WAV"),
        ("take1.001", b"fLaC\0\0\0\x22", "FLAC"),
        ("take1.bin", b"OggS\0\2", "Ogg"),
        ("voice", b"\0\0\0\x20ftypM4A ", "MPEG-4"),
    ],
)
def test_a_recording_that_is_not_named_as_one_is_reported(touch: Touch, name: str, beginning: bytes, kind: str) -> None:
    root = touch("a.wav", name)
    (root / name).write_bytes(beginning)
    found = find_audio(root)
    assert (found.names, list(found.unfit)) == (["a.wav"], [name])
    assert found.unfit[name].startswith(f"begins as {kind} does")


@pytest.mark.parametrize(
    ("name", "content"), [("notes", b"RIFF raff"), ("avi", b"RIFF\0\0\0\0AVI "), ("a.txt", b"fLaC"), ("b.phn", b"")]
)
def test_what_does_not_look_like_sound_is_passed_over(touch: Touch, name: str, content: bytes) -> None:
    root = touch("a.wav", name)
    (root / name).write_bytes(content)
    assert find_audio(root).unfit == {}


# Unicode forms

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "fünf") for form in ("NFC", "NFD"))


def test_names_are_composed_and_the_disk_keeps_its_own(touch: Touch) -> None:
    root = touch(f"{COMPOSED}/1.wav", f"{DECOMPOSED}/2.wav", f"a/{DECOMPOSED}.wav")
    found = find_audio(root)
    assert found.names == [f"a/{COMPOSED}.wav", f"{COMPOSED}/1.wav", f"{COMPOSED}/2.wav"]
    assert found.places == {f"a/{COMPOSED}.wav": f"a/{DECOMPOSED}.wav", f"{COMPOSED}/2.wav": f"{DECOMPOSED}/2.wav"}
    assert all((root / found.places.get(name, name)).is_file() for name in found.names)


def test_of_two_names_that_differ_in_their_form_only_one_is_reported(touch: Touch) -> None:
    found = find_audio(touch(f"{COMPOSED}/1.wav", f"{DECOMPOSED}/1.wav"))
    assert (found.names, found.places) == ([f"{COMPOSED}/1.wav"], {})
    assert r"this name in another Unicode form than 'fu\u0308nf/1.wav'" in found.unfit[f"{DECOMPOSED}/1.wav"]
    listing = list_clips("folder", touch())
    assert (listing.keys, len(listing.clips)) == ((COMPOSED,), 1)
    assert not any("there is no class" in note for note in listing.notes)


def test_places_are_relative_to_the_recordings_wherever_they_lie(touch: Touch) -> None:
    home = find_recordings(touch(f"audio/{DECOMPOSED}_1.wav"), re.compile(r"fünf_[0-9]\.wav"), ("audio",))
    assert (home.names, home.places) == ([f"{COMPOSED}_1.wav"], {f"{COMPOSED}_1.wav": f"{DECOMPOSED}_1.wav"})
    assert (home.folder / home.places[home.names[0]]).is_file()

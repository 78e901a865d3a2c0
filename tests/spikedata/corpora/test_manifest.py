"""A CSV manifest: columns to clips, and every fault in one clear line."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import Listing, list_clips
from spikedata.splits import make_split

ListText = Callable[..., Listing]
TWO = ("a.wav", "b.wav")


@pytest.fixture
def list_text(touch: Callable[..., Path]) -> ListText:
    """List a manifest of a text or bytes, beside the two recordings a.wav and b.wav."""

    def make(content: str | bytes, *, missing: str = "fail") -> Listing:
        path = touch(*TWO) / "m.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list_clips("manifest", path, missing=missing)  # type: ignore[arg-type]

    return make


def test_paths_and_labels_make_clips_in_the_order_of_their_names(list_text: ListText) -> None:
    listing = list_text("path,label\nb.wav,dog\na.wav,cat\n")
    assert listing.keys == ("cat", "dog")
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [("a.wav", 0, -1), ("b.wav", 1, -1)]
    assert (listing.speaker_names, listing.parts, listing.parts_from, listing.unfit) == ((), None, "", ())


@pytest.mark.parametrize(
    "content",
    [
        "label,path\ncat,a.wav\ndog,b.wav\n",
        "path,label\r\na.wav,cat\r\nb.wav,dog\r\n",
        "\ufeffpath,label\na.wav,cat\nb.wav,dog",
        'path,label\n"a.wav","cat"\n\nb.wav, dog \n\n',
        "path, label\n./a.wav, cat\n.//b.wav, dog\n",
    ],
)
def test_order_of_columns_line_ends_mark_quotes_and_blanks_do_not_matter(list_text: ListText, content: str) -> None:
    listing = list_text(content)
    assert [(clip.name, listing.keys[clip.label]) for clip in listing.clips] == [("a.wav", "cat"), ("b.wav", "dog")]


@pytest.mark.parametrize(
    ("labels", "keys", "numbers"),
    [
        (("10", "9"), ("9", "10"), (1, 0)),
        (("01", "1"), ("1",), (0, 0)),
        (("10", "nine"), ("10", "nine"), (0, 1)),
        (("b", "a"), ("a", "b"), (1, 0)),
        (("\u0662", "\u0661"), ("\u0661", "\u0662"), (1, 0)),  # Arabic digits are text
    ],
)
def test_classes_are_in_the_order_of_their_names_or_of_their_numbers(
    list_text: ListText, labels: tuple[str, str], keys: tuple[str, ...], numbers: tuple[int, int]
) -> None:
    listing = list_text(f"path,label\na.wav,{labels[0]}\nb.wav,{labels[1]}\n")
    assert listing.keys == keys
    assert tuple(clip.label for clip in listing.clips) == numbers


@pytest.mark.parametrize(
    ("speakers", "numbers", "names"),
    [
        (("7", "0"), (7, 0), ()),
        (("zoe", "Ada"), (1, 0), ("Ada", "zoe")),
        (("7", "Ada"), (0, 1), ("7", "Ada")),
    ],
)
def test_speakers_keep_whole_numbers_and_are_numbered_by_name_otherwise(
    list_text: ListText, speakers: tuple[str, str], numbers: tuple[int, int], names: tuple[str, ...]
) -> None:
    listing = list_text(f"path,label,speaker\na.wav,cat,{speakers[0]}\nb.wav,cat,{speakers[1]}\n")
    assert tuple(clip.speaker for clip in listing.clips) == numbers
    assert listing.speaker_names == names


def test_parts_are_the_division_that_the_file_brings(list_text: ListText) -> None:
    listing = list_text("path,label,part\na.wav,cat,train\nb.wav,cat,test\n")
    assert listing.parts == {"train": ("a.wav",), "test": ("b.wav",)}
    assert make_split(listing, "listed").part("test").tolist() == [1]


def test_paths_may_be_absolute_and_within_the_folder_are_the_same_as_relative_ones(
    list_text: ListText, tmp_path: Path
) -> None:
    (tmp_path.parent / "elsewhere.wav").touch()
    within, beyond = (tmp_path / "a.wav").as_posix(), (tmp_path.parent / "elsewhere.wav").as_posix()
    listing = list_text(f"path,label\n{within},cat\n{beyond},cat\n")
    assert set(listing.sources) == {"a.wav", beyond}
    assert all(clip.path.is_file() for clip in listing.clips)


def test_the_order_of_the_lines_does_not_matter(list_text: ListText) -> None:
    header, lines = "path,label,speaker,part\n", ["a.wav,cat,Zoe,train\n", "b.wav,cat,Ada,test\n"]
    assert list_text(header + "".join(lines)) == list_text(header + "".join(reversed(lines)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"m\.csv: is empty, must begin with a header such as 'path,label'"),
        ("\n\n", r"m\.csv: is empty, must begin with a header"),
        ("path,label\n", r"m\.csv: names no recording, must have lines below its header"),
        ("path,word\na.wav,cat\n", r"m\.csv: line 1: column 'label' is missing, got 'path', 'word'"),
        ("path;label\na.wav;cat\n", r"m\.csv: line 1: column 'path' is missing, got 'path;label'"),
        ("a.wav,cat\n", r"line 1: column 'path' is missing, got 'a.wav', 'cat'"),
        ("path,label,age\na.wav,cat,3\n", r"line 1: columns must be among path, label, speaker, part, got 'age'"),
        ("path,label,Speaker\na.wav,cat,3\n", r"line 1: columns must be among path, .*, got 'Speaker'"),
        ("path,label,label\na.wav,cat,cat\n", r"line 1: column 'label' must occur once, got 2"),
        ("path,label\n,cat\n", r"m\.csv: line 2: path must not be empty"),
        ("path,label\na.wav, \n", r"line 2: label must not be empty"),
        ("path,label,speaker\na.wav,cat,\n", r"line 2: speaker must not be empty"),
        ("path,label,part\na.wav,cat,\n", r"line 2: part must not be empty"),
        ("path,label,part\na.wav,cat,dev\n", r"line 2: part must be one of train, validation, test, got 'dev'"),
        ("path,label\na.wav\n", r"line 2: must have 2 fields as the header has, got 1"),
        ("path,label\n\na.wav,cat,3\n", r"line 3: must have 2 fields as the header has, got 3"),
        ("path,label\na.wav,cat\nb.wav,cat\n./a.wav,dog\n", r"lines 2 and 4: path 'a.wav' must occur once"),
        ("path,label\na.wav,c\0at\n", r"m\.csv: line 2: must be text, got a NUL character"),
        (b"path,label\na.wav,\xe4ffin\n", r"m\.csv: line 2: must be UTF-8 text, got byte 0xe4"),
        ("path,label\n".encode("utf-16"), r"m\.csv: line 1: must be UTF-8 text, got byte 0xff"),
        ('path,label\n"a.wav,cat\n', r"m\.csv: line 2: must be CSV: unexpected end of data"),
        ('path,label\n"a.wav"x,cat\n', r"m\.csv: line 2: must be CSV: "),
        (f"path,label\na.wav,{'x' * 200_000}\n", r"m\.csv: line 2: must be CSV: field larger than"),
        ("path,label,speaker\na.wav,cat,65536\n", r"m\.csv: line 2: speaker numbers must be <= 65535, got 65536"),
    ],
)
def test_a_fault_is_one_line_that_names_the_file_the_rule_and_the_value(
    list_text: ListText, content: str | bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        list_text(content)
    assert "\n" not in str(caught.value)


def test_recordings_that_are_not_there_are_counted_and_the_first_are_named(list_text: ListText) -> None:
    lines = "".join(f"{name}.wav,cat\n" for name in "zyxwa")
    rule = "4 of 5 recordings are missing, first 'z.wav' (line 2), 'y.wav' (line 3), 'x.wav' (line 4)"
    with pytest.raises(FileNotFoundError, match=rf"m\.csv: {re.escape(rule)}"):
        list_text("path,label\n" + lines)


def test_a_folder_is_no_recording(list_text: ListText) -> None:
    with pytest.raises(FileNotFoundError, match="1 of 2 recordings are missing"):
        list_text("path,label\n.,cat\na.wav,cat\n")


def test_skipped_recordings_are_reported_and_move_no_number(list_text: ListText) -> None:
    text = "path,label,speaker,part\nx.wav,ant,Ada,test\na.wav,cat,Bob,train\nb.wav,dog,Zoe,test\n"
    listing = list_text(text, missing="skip")
    assert listing.unfit == ("x.wav",)
    assert listing.keys == ("ant", "cat", "dog")
    assert [(clip.label, clip.speaker) for clip in listing.clips] == [(1, 1), (2, 2)]
    assert listing.parts == {"train": ("a.wav",), "test": ("b.wav",)}


def test_a_manifest_all_of_whose_recordings_are_missing_is_refused_even_so(list_text: ListText) -> None:
    with pytest.raises(FileNotFoundError, match="1 of 1 recordings are missing"):
        list_text("path,label\nx.wav,cat\n", missing="skip")


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such manifest, must be a CSV file"):
        list_clips("manifest", tmp_path)

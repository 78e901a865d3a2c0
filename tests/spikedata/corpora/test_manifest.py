"""A CSV manifest: columns to clips, and every fault in one clear line."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from spikedata.corpora import Listing, list_clips, list_source
from spikedata.splits import make_split

ListText = Callable[..., Listing]
Touch = Callable[..., Path]
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
        "path,label\ra.wav,cat\rb.wav,dog\r",
        "\ufeffpath,label\na.wav,cat\nb.wav,dog",
        'path,label\n"a.wav","cat"\n\nb.wav, dog \n\n',
        "path, label\n./a.wav, cat\n.//b.wav, dog\n",
        "path;label\na.wav;cat\nb.wav;dog\n",
        "path\tlabel\na.wav\tcat\nb.wav\tdog\n",
        '"path"\t"label"\r\n"a.wav"\t"cat"\r\nb.wav\tdog\r\n',
        "path|label\na.wav|cat\nb.wav|dog\n",
        "path,label\n.\\a.wav,cat\n.\\b.wav,dog\n",  # from a program for Windows
        "sep=;\r\npath;label\r\na.wav;cat\r\nb.wav;dog\r\n",
        "path,label\na.wav,cat\nb.wav,dog\n".encode("utf-16"),
        "\ufeffpath\tlabel\r\na.wav\tcat\r\nb.wav\tdog\r\n".encode("utf-16-be"),
    ],
)
def test_order_of_columns_delimiter_encoding_line_ends_mark_quotes_and_blanks_do_not_matter(
    list_text: ListText, content: str | bytes
) -> None:
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
        (
            "path label\na.wav cat\n",
            r"line 1: column 'path' is missing, got 'path label'; say --columns path=NAME,label=NAME",
        ),
        ("a.wav,cat\n", r"line 1: column 'path' is missing, got 'a.wav', 'cat'"),
        ("File,Label,Set\na.wav,cat,train\n", r"say --columns path=File,label=Label,split=Set$"),
        ("path,label,age\na.wav,cat,3\n", r"line 1: columns must be among path, label, speaker, part, got 'age'"),
        ("path,label,Speaker\na.wav,cat,3\n", r"line 1: columns must be among path, .*, got 'Speaker'"),
        ("path,label,label\na.wav,cat,cat\n", r"line 1: column 'label' must occur once, got 2"),
        ("path,label\n,cat\n", r"m\.csv: line 2: path must not be empty"),
        ("path,label\na.wav, \n", r"line 2: label must not be empty"),
        ("path,label,speaker\na.wav,cat,\n", r"line 2: speaker must not be empty"),
        ("path,label,part\na.wav,cat,\n", r"line 2: part must not be empty"),
        ("path,label,part\na.wav,cat,odd\n", r"line 2: part must be one of train, validation, test, got 'odd'"),
        ("path,label\na.wav\n", r"line 2: must have 2 fields as the header has, got 1"),
        ("path,label\n\na.wav,cat,3\n", r"line 3: must have 2 fields as the header has, got 3"),
        ("path,label\na.wav,cat\nb.wav,cat\n./a.wav,dog\n", r"lines 2 and 4: path 'a.wav' must occur once"),
        ("path,label\na.wav,c\0at\n", r"m\.csv: line 2: must be text, got a NUL character"),
        (b"path,label\na.wav,\xe4ffin\n", r"m\.csv: line 2: must be UTF-8 text, got byte 0xe4"),
        ("a;b".encode("utf-16"), r"m\.csv: line 1: column 'path' is missing, got 'a', 'b'"),
        (b"\xff\xfep\0\0\xdc", r"m\.csv: must be UTF-16 text, as its first bytes say: "),
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
    assert ("--on-error skip" in str(caught.value)) == (
        "must not be empty" in message or "fields" in message or "'odd'" in message
    )


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


def test_a_delimiter_within_quotes_divides_no_field(list_text: ListText) -> None:
    assert list_text('path;label\na.wav;"cat;dog"\nb.wav;x,y\n').keys == ("cat;dog", "x,y")


# Other columns, and other words for the parts


def test_columns_are_called_as_the_table_calls_them(touch: Touch) -> None:
    root = touch("x/a.wav", "x/b.wav")
    (root / "t.tsv").write_text(
        "Path\tcategory\tage\tclient_id\tset\nx/a.wav\tcat\t\tzoe\tTrain\nx/b.wav\tdog\t7\tann\tdev\n"
    )
    columns = {"path": "Path", "label": "category", "speaker": "client_id", "split": "set"}
    listing = list_source(root / "t.tsv", columns=columns)
    assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [("x/a.wav", 0, 1), ("x/b.wav", 1, 0)]
    assert listing.parts == {"train": ("x/a.wav",), "validation": ("x/b.wav",)}
    assert listing.speaker_names == ("ann", "zoe")
    assert any("2 speakers are named by texts and are numbered" in note for note in listing.notes)
    assert list_source(root / "t.tsv", columns={**columns, "path": "{Path}"}).sources == listing.sources


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": "word"}, r"t\.csv: line 1: there is no column 'word' for label, got 'file', 'class'"),
        ({"label": "class"}, r"line 1: column 'path' is missing, got .*; say --columns path=file,label=class$"),
        ({"path": "file", "lable": "class"}, "columns must be among path, label, speaker, part, split, got 'lable'"),
        ({"path": "{file", "label": "class"}, r"columns: '\{file' must be text with \{names of columns\}"),
        ({"path": "{file:>9}", "label": "class"}, r"which are filled in as they are"),
        ({"path": "{}", "label": "class"}, "there is no column '' for path"),
        ({"part": "a", "split": "b"}, "columns must name split or part, which are the same, got both"),
    ],
)
def test_columns_that_are_not_there_are_named(touch: Touch, columns: dict[str, str], message: str) -> None:
    (touch("a.wav") / "t.csv").write_text("file,class\na.wav,cat\n")
    with pytest.raises(ValueError, match=message):
        list_clips("manifest", touch() / "t.csv", columns=columns)


def test_columns_are_those_of_a_table(touch: Touch) -> None:
    with pytest.raises(ValueError, match="the corpus must be 'manifest', got 'folder'"):
        list_clips("folder", touch("cat/1.wav"), columns={"path": "x"})


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("train", "valid", "test"), ("train", "validation", "test")),
        (("TRAIN", "dev", "eval"), ("train", "validation", "test")),
        (("1", "2", "3"), ("train", "validation", "test")),
        (("fold1", "fold2", "fold10"), ("train", "validation", "test")),
        (("2", "1", "2"), ("test", "train", "test")),
    ],
)
def test_parts_have_many_names_and_folds_are_parts(
    touch: Touch, words: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    root = touch("a.wav", "b.wav", "c.wav")
    lines = [f"{name}.wav,cat,{word}" for name, word in zip("abc", words, strict=True)]
    (root / "m.csv").write_text("\n".join(["path,label,part", *lines]))
    listing = list_clips("manifest", root / "m.csv")
    assert listing.parts is not None
    part_of = {name: part for part, names in listing.parts.items() for name in names}
    assert tuple(part_of[f"{name}.wav"] for name in "abc") == parts
    assert any("folds; for --split listed, fold" in note for note in listing.notes) == words[0][-1].isdigit()
    assert {p: len(make_split(listing, "listed").part(p)) for p in set(parts)} == {p: parts.count(p) for p in parts}


# Published tables


COMMON_VOICE = "client_id\tpath\tsentence\tup_votes\tage\n"


@pytest.fixture
def common_voice(touch: Touch) -> Path:
    """A language of Common Voice: sentences may begin with quotation marks, and columns may be empty."""
    root = touch(*(f"clips/cv_{number}.mp3" for number in range(5))) / "."
    (root / "train.tsv").write_text(
        COMMON_VOICE + 'ff00\tcv_0.mp3\tyes\t2\t\n00aa\tcv_1.mp3\t"No", he said\t2\ttwenties\nff00\tcv_2.mp3\tno\t2\t\n'
    )
    (root / "dev.tsv").write_text(COMMON_VOICE + "c0de\tcv_3.mp3\tno\t2\t\n")
    (root / "test.tsv").write_text(COMMON_VOICE + "beef\tcv_4.mp3\tyes\t2\t\n")
    return root


def test_common_voice_is_listed_with_its_parts_and_speakers(common_voice: Path) -> None:
    for listing in (list_source(common_voice), list_clips("manifest", common_voice)):
        assert listing.corpus == "manifest"
        assert listing.keys == ('"No", he said', "no", "yes")
        assert [(clip.name, clip.label, clip.speaker) for clip in listing.clips] == [
            ("cv_0.mp3", 2, 3),
            ("cv_1.mp3", 0, 0),
            ("cv_2.mp3", 1, 3),
            ("cv_3.mp3", 1, 2),
            ("cv_4.mp3", 2, 1),
        ]
        assert listing.parts == {
            "train": ("cv_0.mp3", "cv_1.mp3", "cv_2.mp3"), "validation": ("cv_3.mp3",), "test": ("cv_4.mp3",),
        }  # fmt: skip
        assert all(clip.path.is_file() for clip in listing.clips)
        said = "\n".join(listing.notes)
        assert said.count("taken as a table of Common Voice") == 1
        assert "Common Voice: --columns path=path,label=sentence,speaker=client_id" in said
        assert "its paths are relative to" in said
    one = list_source(common_voice / "train.tsv", columns={"label": "age", "speaker": "client_id"}, missing="skip")
    assert (one.keys, one.sources, one.parts) == (("twenties",), ("cv_1.mp3",), None)
    assert one.reasons == {f"train.tsv, line {number}": "age must not be empty" for number in (2, 4)}


def test_a_clip_in_two_tables_is_refused(common_voice: Path) -> None:
    (common_voice / "test.tsv").write_text(COMMON_VOICE + "beef\tcv_0.mp3\tyes\t2\t\n")
    with pytest.raises(
        ValueError, match=r"train\.tsv: line 2 and .*test\.tsv: line 2: path 'cv_0.mp3' must occur once"
    ):
        list_source(common_voice)


def test_esc_50_is_listed_with_its_folds(touch: Touch) -> None:
    names = [f"{fold}-1000{fold}-A-{fold % 2}.wav" for fold in range(1, 6)]
    root = touch(*(f"audio/{name}" for name in names), "meta/esc50.csv")
    lines = [f"{name},{name[0]},{name[-5]},{'dog' if name[-5] == '0' else 'rooster'},True,1,A" for name in names]
    (root / "meta/esc50.csv").write_text("\n".join(["filename,fold,target,category,esc10,src_file,take", *lines]))
    for listing in (list_source(root), list_source(root / "meta/esc50.csv")):
        assert (listing.keys, listing.sources) == (("dog", "rooster"), tuple(names))
        assert listing.parts == {"train": tuple(names[:3]), "validation": (names[3],), "test": (names[4],)}
        assert all(clip.path.is_file() for clip in listing.clips)


def test_urban_sound_8k_is_listed_with_its_folds(touch: Touch) -> None:
    names = [f"fold{fold}/10{fold}-5-0-0.wav" for fold in (1, 2, 10)]
    root = touch(*(f"audio/{name}" for name in names), "metadata/UrbanSound8K.csv")
    lines = [f"{name.partition('/')[2]},1,0.0,4.0,1,{name.partition('/')[0][4:]},3,dog_bark" for name in names]
    header = "slice_file_name,fsID,start,end,salience,fold,classID,class"
    (root / "metadata/UrbanSound8K.csv").write_text("\n".join([header, *lines]))
    listing = list_source(root)
    assert listing.parts == {"train": (names[0],), "validation": (names[1],), "test": (names[2],)}
    assert all(clip.path.is_file() for clip in listing.clips)


def test_an_audio_folder_is_listed_by_its_table(touch: Touch) -> None:
    (touch("data/a.wav", "b.wav") / "metadata.csv").write_text("file_name,label,age\ndata/a.wav,cat,3\nb.wav,dog,\n")
    listing = list_source(touch())
    assert (listing.keys, listing.sources) == (("cat", "dog"), ("b.wav", "data/a.wav"))


def test_recordings_are_found_in_the_only_folder_beside_the_table_that_has_them(touch: Touch) -> None:
    root = touch("audio_train/a.wav", "audio_train/b.wav", "audio_test/c.wav", "docs/readme.txt")
    (root / "train.csv").write_text("fname,label\na.wav,cat\nb.wav,dog\n")
    listing = list_source(root / "train.csv", columns={"path": "fname"})
    assert all(clip.path.is_file() for clip in listing.clips)
    assert f"train.csv: its paths are relative to {root / 'audio_train'}" in listing.notes
    touch("audio_test/a.wav")  # now it could be either
    with pytest.raises(FileNotFoundError, match="2 of 2 recordings are missing"):
        list_source(root / "train.csv", columns={"path": "fname"})


def test_faulty_lines_are_skipped_with_their_reasons_where_that_is_asked_for(list_text: ListText) -> None:
    text = "path,label,part\na.wav,cat,train\nb.wav,,train\nx.wav,cat,test\nb.wav,dog\na.wav,dog,test\nb.wav,dog,odd\n"
    listing = list_text(text, missing="skip")
    assert (listing.sources, listing.keys) == (("a.wav",), ("cat",))
    assert listing.reasons == {
        "m.csv, line 3": "label must not be empty",
        "m.csv, line 5": "must have 3 fields as the header has, got 2",
        "m.csv, line 6": "path 'a.wav' must occur once",
        "m.csv, line 7": "part must be one of train, validation, test, got 'odd'",
        "x.wav": "no such file (line 4)",
    }
    assert listing.unfit == tuple(sorted(listing.reasons))


# Unicode


@pytest.mark.parametrize("written", ["NFC", "NFD"])
@pytest.mark.parametrize("folder", ["NFC", "NFD"])
@pytest.mark.parametrize("file", ["NFC", "NFD"])
def test_a_path_is_found_in_whatever_unicode_form_it_is_written(
    touch: Touch, written: str, folder: str, file: str
) -> None:
    place = f"{unicodedata.normalize(folder, 'über')}/{unicodedata.normalize(file, 'fünf')}.wav"
    (touch(place) / "m.csv").write_text(
        f"path,label,speaker\n{unicodedata.normalize(written, 'über/fünf')}.wav,"
        f"{unicodedata.normalize(written, 'fünf')},{unicodedata.normalize(written, 'Jörg')}\n",
        encoding="utf-8",
    )
    listing = list_clips("manifest", touch() / "m.csv")
    assert (listing.keys, listing.sources, listing.speaker_names) == (("fünf",), ("über/fünf.wav",), ("Jörg",))
    assert listing.clips[0].path.is_file()


def test_one_label_in_two_unicode_forms_is_one_class(list_text: ListText) -> None:
    forms = [unicodedata.normalize(form, "fünf") for form in ("NFC", "NFD")]
    assert list_text(f"path,label\na.wav,{forms[0]}\nb.wav,{forms[1]}\n").keys == ("fünf",)

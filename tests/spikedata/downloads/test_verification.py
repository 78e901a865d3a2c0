"""What a look at downloaded data finds."""

from dataclasses import replace

import pytest

from spikedata.downloads.entries import Checksum
from spikedata.downloads.manifest import Manifest, write_manifest
from spikedata.downloads.unpacking import FileRecord
from spikedata.downloads.verification import format_verification, verify_download, verify_file

SHA_OF_ONE = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
MD5_OF_ONE = "f97c5d29941bfb1b2fdab0874906ab82"


@pytest.fixture
def words(file):
    return replace(file, name="words", archive="words.tar.gz", target="words", content=None)


@pytest.fixture
def root(tmp_path):
    (tmp_path / ".spikedata").mkdir()
    for name in ("a", "b"):
        (tmp_path / "words" / name).mkdir(parents=True)
        (tmp_path / "words" / name / "1.wav").write_bytes(b"one")
    files = {f"{name}/1.wav": FileRecord(3, SHA_OF_ONE) for name in ("a", "b")}
    write_manifest(tmp_path, "words", Manifest(archive="words.tar.gz", checked="MD5", files=files))
    return tmp_path


@pytest.mark.parametrize("deep", [False, True])
def test_what_is_as_it_was_is_in_order(root, words, deep):
    found = verify_file(words, root, deep=deep)
    assert found.ok
    assert (found.n_files, found.notes, found.is_deep) == (2, (), deep)


def test_what_is_gone_is_missing(root, words):
    (root / "words/b/1.wav").unlink()
    found = verify_file(words, root)
    assert not found.ok
    assert found.missing == ("b/1.wav",)


def test_what_has_another_size_is_changed(root, words):
    (root / "words/a/1.wav").write_bytes(b"four")
    assert verify_file(words, root).changed == ("a/1.wav",)


def test_what_has_the_same_size_is_found_by_the_deep_look_alone(root, words):
    (root / "words/a/1.wav").write_bytes(b"two")
    assert verify_file(words, root).ok
    assert verify_file(words, root, deep=True).changed == ("a/1.wav",)


def test_what_was_added_is_noted(root, words):
    (root / "words/a/2.wav").write_bytes(b"two")
    found = verify_file(words, root, deep=True)
    assert found.ok
    assert "1 files were not unpacked from the archive, first a/2.wav" in found.notes[0]


@pytest.mark.parametrize("spoiled", ["", "{}", "[]", '{"archive": 1, "checked": 2, "files": {"a": 3}}', "\xff"])
def test_a_manifest_that_cannot_be_read_is_none(root, words, spoiled):
    (root / ".spikedata/words.manifest.json").write_text(spoiled, "latin-1")
    found = verify_file(words, root)
    assert "existed already and has no manifest" in found.notes[0]


@pytest.mark.parametrize(("value", "ok"), [(MD5_OF_ONE, True), ("0" * 32, False)])
def test_a_file_of_the_users_own_is_held_against_the_published_checksum(file, tmp_path, value, ok):
    (tmp_path / "x.h5").write_bytes(b"one")
    published = replace(file, content=Checksum(algorithm="md5", value=value))
    found = verify_file(published, tmp_path, deep=True)
    assert found.ok == ok
    assert f"its MD5 is {MD5_OF_ONE}, published is {value}" in found.notes[0]
    assert verify_file(published, tmp_path).ok


def test_what_is_not_there_is_told_with_the_command_that_brings_it(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"shd_train\.h5: does not exist; `spikedata download shd_train` fetches it"
    ):
        verify_download("shd", tmp_path)


def test_a_data_set_is_looked_at_file_by_file(tmp_path, monkeypatch):
    for name in ("shd_train", "shd_test"):
        (tmp_path / f"{name}.h5").write_bytes(b"mine")
    monkeypatch.setenv("SPIKEDATA_HOME", str(tmp_path))
    assert [found.name for found in verify_download("shd")] == ["shd_train", "shd_test"]


def test_it_reads_as_a_list_of_what_is_wrong(root, words):
    (root / "words/b/1.wav").unlink()
    (root / "words/a/1.wav").write_bytes(b"four")
    assert format_verification([verify_file(words, root)]).splitlines() == [
        f"{root / 'words'}: 1 missing, 1 changed (2 files, sizes)",
        "  missing  b/1.wav",
        "  changed  a/1.wav",
    ]

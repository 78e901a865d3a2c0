"""A data set from a host to its folder: what is visible when, what is left where it fails, what is not done twice."""

import gzip
import io
import os
import tarfile
from dataclasses import replace

import pytest

from spikedata.disk import OutputError
from spikedata.downloads import fetching
from spikedata.downloads.entries import Checksum, ChecksumError, DownloadError
from spikedata.downloads.fetching import download, fetch_file
from spikedata.downloads.manifest import HIDDEN, read_manifest


def quiet(stage, done, size):
    pass


def visible(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if HIDDEN not in path.parts)


def hidden(root):
    """What lies in the hidden folder, locks and manifests apart."""
    return sorted(path.name for path in (root / HIDDEN).iterdir() if path.suffix not in (".lock", ".json"))


def tar(members):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "new" / "data"


@pytest.fixture
def words(file, host):
    """A folder of recordings, with a list in another order and a file that nobody expects."""
    host.pages["/x.tar.gz"] = tar(
        {"./a/1.wav": b"one", "./b/2.wav": b"two", "./list.txt": b"b/2.wav", "./.DS_Store": b""}
    )
    return replace(
        file,
        archive="x.tar.gz",
        urls=(f"{host.url}x.tar.gz",),
        target="words",
        members=r"(?P<path>[a-z]+/[^/]+\.wav|list\.txt)",
        checksum=None,
        content=None,
    )


def test_a_file_is_fetched_unpacked_and_named(file, root, params, host):
    result = fetch_file(file, root, params, quiet)
    assert result.paths == (root / "x.h5",)
    assert (root / "x.h5").read_bytes() == bytes(range(256)) * 4000
    assert result.n_bytes == len(host.pages["/x.h5.zip"])
    assert visible(root) == ["x.h5"]
    assert hidden(root) == []


def test_a_folder_is_fetched_unpacked_and_named(words, root, params):
    result = fetch_file(words, root, params, quiet)
    assert result.paths == (root / "words",)
    assert visible(root) == ["words", "words/a", "words/a/1.wav", "words/b", "words/b/2.wav", "words/list.txt"]
    assert (root / "words/a/1.wav").read_bytes() == b"one"
    assert result.notes == ("x.tar.gz: 1 members were unexpected and left out, first ./.DS_Store",)


def test_a_gz_file_holds_one_file(file, root, params, host):
    host.pages["/x.h5.gz"] = gzip.compress(b"spikes")
    packed = replace(file, archive="x.h5.gz", urls=(f"{host.url}x.h5.gz",), checksum=None, content=None)
    assert fetch_file(packed, root, params, quiet).paths[0].read_bytes() == b"spikes"


def test_what_was_unpacked_is_remembered(words, root, params):
    fetch_file(words, root, params, quiet)
    files = read_manifest(root, "words").files
    assert {name: record.size for name, record in files.items()} == {"a/1.wav": 3, "b/2.wav": 3, "list.txt": 7}


def test_what_is_there_is_not_fetched(file, root, params, host):
    fetch_file(file, root, params, quiet)
    again = fetch_file(file, root, params, quiet)
    assert (again.paths, again.n_bytes) == ((root / "x.h5",), 0)
    assert len(host.asked) == 1


def test_a_file_of_the_users_own_is_refused_and_kept(file, root, params, host):
    root.mkdir(parents=True)
    (root / "x.h5").write_bytes(b"mine")
    with pytest.raises(ChecksumError, match=r"x\.h5: is not the published x\.h5: its MD5 must be"):
        fetch_file(file, root, params, quiet)
    assert (root / "x.h5").read_bytes() == b"mine"
    assert host.asked == []


def test_a_file_of_the_users_own_is_taken_and_said_where_no_checksum_is_known(file, root, params, host):
    root.mkdir(parents=True)
    (root / "x.h5").write_bytes(b"mine")
    result = fetch_file(replace(file, content=None), root, params, quiet)
    assert result.paths[0].read_bytes() == b"mine"
    assert "existed already, not checked: no checksum of x.h5 is published" in result.notes[0]
    assert host.asked == []


def test_an_empty_folder_counts_as_nothing(words, root, params):
    (root / "words").mkdir(parents=True)
    fetch_file(words, root, params, quiet)
    assert (root / "words/list.txt").is_file()


def test_what_was_cut_since_is_refused_with_what_to_do(file, root, params):
    fetch_file(file, root, params, quiet)
    (root / "x.h5").write_bytes(b"cut")
    with pytest.raises(ChecksumError, match=r"1 of 1 files are missing or changed, first x\.h5; remove .* download it"):
        fetch_file(file, root, params, quiet)


@pytest.mark.parametrize("archive", [b"PK but no archive", b""])
def test_an_archive_that_is_damaged_leaves_nothing(file, root, params, host, archive):
    host.pages["/x.h5.zip"] = archive
    with pytest.raises(ChecksumError, match=r"x\.h5\.zip: damaged: .*; the archive was removed, download it again"):
        fetch_file(replace(file, checksum=None), root, params, quiet)
    assert visible(root) == []
    assert hidden(root) == []


def test_content_other_than_published_leaves_nothing(file, root, params):
    other = Checksum(algorithm="md5", value="0" * 32)
    with pytest.raises(ChecksumError, match=r"x\.h5 of x\.h5\.zip: md5 is .*, must be 0{32}"):
        fetch_file(replace(file, content=other), root, params, quiet)
    assert visible(root) == []
    assert hidden(root) == []


def test_a_tree_of_another_commit_is_refused(words, root, params, host):
    right = Checksum(algorithm="git-tree", value="68f56c4208e1c4c9bd740b2bf36f37393aee52de")  # by git write-tree
    tree = replace(words, content=replace(right, value="0" * 40), content_folder="a")
    with pytest.raises(ChecksumError, match=r"a of x\.tar\.gz: git-tree is"):
        fetch_file(tree, root, params, quiet)
    assert visible(root) == []
    fetch_file(replace(tree, content=right), root, params, quiet)


def test_a_checksum_that_nobody_knows_yet_is_asked_for_and_told(file, root, params, host):
    host.pages["/md5sums.txt"] = f"{'0' * 32}  other.zip\n{file.checksum.value}  x.h5.zip\n".encode()
    asking = replace(file, checksum=Checksum(algorithm="md5", asked_at=(f"{host.url}md5sums.txt",)))
    assert fetch_file(asking, root, params, quiet).notes == (
        f"x.h5.zip: MD5 {file.checksum.value}, as given by {host.url}md5sums.txt at the download",
    )
    host.pages["/md5sums.txt"] = f"{'0' * 32}  x.h5.zip\n".encode()
    with pytest.raises(ChecksumError, match=f"must be {'0' * 32}"):
        fetch_file(asking, root / "other", params, quiet)


def test_without_the_list_of_checksums_nothing_is_fetched(file, root, params, host):
    asking = replace(file, checksum=Checksum(algorithm="md5", asked_at=(f"{host.url}md5sums.txt",)))
    with pytest.raises(DownloadError, match=r"its checksum is not available: .*404"):
        fetch_file(asking, root, params, quiet)
    assert [path for path, *_ in host.asked] == ["/md5sums.txt"]


def test_offline_opens_no_socket(file, root, params, host, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"x\.h5: does not exist, and SPIKEDATA_OFFLINE forbids downloading it"):
        fetch_file(file, root, params, quiet)
    assert host.asked == []
    assert not root.exists()


def test_offline_what_is_there_is_there(file, root, params, monkeypatch):
    fetch_file(file, root, params, quiet)
    monkeypatch.setenv("SPIKEDATA_OFFLINE", "1")
    assert fetch_file(file, root, params, quiet).n_bytes == 0


def test_a_root_that_is_a_file_is_a_fault_of_the_folder(file, tmp_path, params, host):
    (tmp_path / "root").write_text("no folder", "utf-8")
    with pytest.raises(
        OutputError, match="cannot be written: Not a directory; free some space or choose another folder"
    ):
        fetch_file(file, tmp_path / "root", params, quiet)
    assert host.asked == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_only_be_read_is_a_fault_of_the_folder(file, tmp_path, params, host):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match="cannot be written: Permission denied"):
            fetch_file(file, tmp_path, params, quiet)
    finally:
        tmp_path.chmod(0o755)
    assert host.asked == []


def test_an_interruption_says_that_the_next_download_goes_on(file, root, params, host):
    def interrupt(stage, done, size):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fetch_file(file, root, params, interrupt)
    assert caught.value.__notes__ == ["x: what has arrived is kept, and the next download resumes from there"]
    assert hidden(root) == ["x.h5.zip.part"]
    fetch_file(file, root, params, quiet)
    assert host.asked[1][1] is not None


def test_a_data_set_is_all_its_files(file, root, params, monkeypatch):
    names = ("train", "test")
    parts = [replace(file, name=name, target=f"{name}.h5", members=r"(?P<path>x\.h5)") for name in names]
    monkeypatch.setattr(fetching, "files_of", lambda name, form: parts)
    monkeypatch.setattr(fetching, "fetch_file", lambda part, root, *_: fetching.Download(
        name=part.name, paths=(root / part.target,), n_bytes=5, notes=(part.name,)
    ))  # fmt: skip
    result = download("shd", root)
    assert result.paths == (root / "train.h5", root / "test.h5")
    assert (result.name, result.n_bytes, result.notes) == ("shd", 10, names)


def test_an_unknown_name_names_those_that_exist(root):
    with pytest.raises(ValueError, match="no data set 'shd_valid' to download, must be one of shd, ssc, heidelberg"):
        download("shd_valid", root)
    with pytest.raises(ValueError, match="form must be one of zip, gz, got 'tar'"):
        download("shd", root, form="tar")


def test_the_package_offers_the_function_by_its_name():
    import spikedata.downloads

    assert spikedata.downloads.download is download

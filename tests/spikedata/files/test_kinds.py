"""What is no spike file is named for what it is, with what to type, whatever its name says."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile

import h5py
import numpy as np
import pytest

from spikedata.cli import main
from spikedata.files.cache import open_events
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("kinds") / "x.h5"
    with SpikeWriter(path, keys=["zero"]) as writer:
        writer.append([0.25], [3], label=0, speaker=0)
    return path.read_bytes()


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(content):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("x.h5")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def saved(save, *arguments, **more):
    buffer = io.BytesIO()
    save(buffer, *arguments, **more)
    return buffer.getvalue()


KINDS = {
    "gzip": (gzip.compress, "a gzip archive; unpack it: gunzip < "),
    "bzip2": (bz2.compress, "a bzip2 archive; unpack it: bunzip2 < "),
    "xz": (lzma.compress, "an xz archive; unpack it: unxz < "),
    "zip": (lambda c: zipped({"x.h5": c, "notes.txt": b""}), "a zip archive with x.h5; unpack it: unzip "),
    "zip of something": (lambda c: zipped({"a.txt": b"a"}), "a zip archive with a.txt; unpack it: unzip "),
    "cut zip": (lambda c: zipped({"x.h5": c})[:-9], "a zip archive that is cut off or damaged; copy or download"),
    "tar": (tarred, "a tar archive; unpack it: tar -xf "),
    "npz": (
        lambda c: saved(np.savez, times=np.ones(2)),
        r"an archive of NumPy arrays \(\.npz\) with times\.npy; write",
    ),
    "npy": (
        lambda c: saved(np.save, np.ones(2)),
        r"a NumPy array \(\.npy\); write its spikes with spikedata.SpikeWriter",
    ),
    "mat": (lambda c: b"MATLAB 5.0 MAT-file, Platform" + bytes(200), "a MATLAB file; write its spikes with"),
    "git-lfs": (
        lambda c: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n",
        "a pointer of git-LFS; git lfs pull --include ",
    ),
    "html": (
        lambda c: b"\n<!DOCTYPE html>\n<html><head><title>404\x1b[31m Not\nFound</title></head></html>",
        r"an HTML page \('404\\x1b\[31m Not Found'\); the download gave a page and not the file: spikedata download",
    ),
    "xml": (lambda c: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML file; look at it"),
    "json": (lambda c: b'{"message": "Not Found"}', "a JSON file; look at it"),
    "csv": (lambda c: b"path,label\na.wav,zero\n", "a text file; of recordings, as a manifest: spikedata encode"),
    "wav": (lambda c: b"RIFF\x24\0\0\0WAVEfmt ", r"a recording \(WAV\); turn it into spikes: spikedata encode"),
    "empty": (lambda c: b"", r"empty \(0 bytes\); copy or download it again"),
    "zeros": (lambda c: bytes(5000), "nothing but zeros at its beginning; its download or copy was not finished"),
    "unknown": (lambda c: bytes(range(1, 256)) * 9, "it does not have the signature of one$"),
    "cut": (lambda c: c[:-700], r"truncated: it has \d+ bytes of \d+; copy or download it again"),
}


@pytest.mark.parametrize("name", ["a b.h5", "data"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_named_for_what_it_is(tmp_path, content, kind, name):
    make, rule = KINDS[kind]
    path = tmp_path / name
    path.write_bytes(make(content))
    with pytest.raises(FormatError, match=f": not a readable HDF5 file: (it is )?{rule}") as refused:
        SpikeFile(path)
    text = str(refused.value)
    assert text.isprintable()
    assert "unpack it" not in text or (f" '{path}'" if " " in name else f" {path}") in text


def test_the_programs_that_insist_on_a_suffix_get_it(tmp_path, content):
    for name, advice in (("x.h5.gz", "gunzip -k "), ("x.tar.gz", "tar -xf "), ("x.tgz", "tar -xf ")):
        (tmp_path / name).write_bytes(gzip.compress(content))
        with pytest.raises(FormatError, match=rf"unpack it: {advice}.*{name}$"):
            SpikeFile(tmp_path / name)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_any_piece_of_such_a_file_is_refused_in_one_line(tmp_path, content, kind):
    whole = KINDS[kind][0](content)
    rng = np.random.default_rng(0)
    for size in {0, 1, 3, 7, 30, 300, *rng.integers(0, len(whole) + 1, 5).tolist()}:
        (tmp_path / "x.h5").write_bytes(whole[:size])
        with pytest.raises(FormatError) as refused:
            SpikeFile(tmp_path / "x.h5")
        assert str(refused.value).isprintable()


def test_the_command_line_says_it_in_one_line(tmp_path, content, capsys):
    (tmp_path / "x.h5.gz").write_bytes(gzip.compress(content))
    for command in ("info", "verify"):
        assert main([command, str(tmp_path / "x.h5.gz")]) == 3
        assert capsys.readouterr().err.count("gunzip -k") == 1


def test_a_signature_behind_a_block_of_the_user_is_found(tmp_path, content):
    for size in (512, 1024, 4096):
        with h5py.File(tmp_path / f"{size}.h5", "w", userblock_size=size) as file:
            file["labels"] = [1]
        with (tmp_path / f"{size}.h5").open("r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file")
        with pytest.raises(
            FormatError, match=r"no dataset 'spikes/times'; it is a MATLAB file with 'labels'; write its"
        ):
            SpikeFile(tmp_path / f"{size}.h5")


def test_a_folder_says_what_it_holds(tmp_path, content):
    with pytest.raises(
        FormatError, match=r"must be a file, got a folder or device; of recordings: turn it into spikes: "
    ):
        SpikeFile(tmp_path)
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(FormatError, match=r"must be a file, got a folder or device; it holds x\.h5$"):
        SpikeFile(tmp_path)
    with pytest.raises(FormatError, match=r"must be a file, got a folder or device$"):
        SpikeFile("/dev/null")


def test_a_file_whose_writer_died_is_named(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w", libver="latest") as file:
        file["labels"] = [1]
        file.flush()
        (tmp_path / "y.h5").write_bytes((tmp_path / "x.h5").read_bytes())
    with pytest.raises(
        FormatError, match=r"y\.h5: .*: its writer has not closed it, or died; if .* h5clear -s .*y\.h5$"
    ):
        SpikeFile(tmp_path / "y.h5")


def test_an_hdf5_file_of_another_kind_says_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units/spike_times"] = np.zeros(3)
        file["acquisition"] = np.zeros(3)
    with pytest.raises(FormatError, match=r"'spikes/times'; it is an NWB file with 'acquisition', 'units'; write its"):
        SpikeFile(tmp_path / "x.h5")


@pytest.mark.parametrize(
    ("code", "advice"),
    [(32001, r"Blosc \(filter 32001\), which is not installed here; pip install hdf5plugin, or unpack it where"),
     (32004, "LZ4"), (32015, "Zstandard"), (32026, "Blosc2"), (305, r"LZO \(filter 305\), .* here; unpack it where"),
     (41000, r"odd \(filter 41000\)")],
)  # fmt: skip
@pytest.mark.parametrize("name", ["labels", "spikes/times"])
def test_a_missing_filter_is_named(tmp_path, name, code, advice):
    if h5py.h5z.filter_avail(code):
        pytest.skip(f"filter {code} is installed here")
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        for column, kind in (("spikes/times", h5py.vlen_dtype("f4")), ("spikes/units", h5py.vlen_dtype("u2"))):
            file.create_dataset(column, (2,), kind, maxshape=(None,), chunks=(2,))
        file.create_dataset("labels", (2,), "u2", maxshape=(None,), chunks=(2,))
        kind = file[name].id.get_type()
        del file[name]
        packed = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        packed.set_chunk((2,))
        packed.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1,))
        made = h5py.h5d.create(file[name.rpartition("/")[0] or "/"].id, name.rpartition("/")[2].encode(), kind,
                               h5py.h5s.create_simple((2,)), packed)  # fmt: skip
        made.write_direct_chunk((0,), b"odd bytes")
    if code == 41000:
        advice = r".*\(filter 41000\), which is not installed here"
    with pytest.raises(FormatError, match=rf"x\.h5: '{name}' is packed by {advice}") as refused:
        open_events(path, cache=False)
    assert "h5repack -f NONE" in str(refused.value)


WRITE = """
import h5py, sys
with h5py.File(sys.argv[1], "a") as file:
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_file_that_another_process_is_writing_is_not_called_damaged(tmp_path, content, capsys):
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdin=-1, stdout=-1, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(BlockingIOError, match=r"x\.h5: is being written by another process; read it when that is"):
            SpikeFile(path)
        assert main(["info", str(path)]) == 1
        assert (
            capsys.readouterr().err
            == f"spikedata: {path}: is being written by another process; read it when that is done\n"
        )
        writer.stdin.close()
    SpikeFile(path).close()

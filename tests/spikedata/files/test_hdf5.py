import h5py
import numpy as np
import pytest

from spikedata.files.hdf5 import find_column, open_hdf5, read_numbers, read_text, reason, require_rows
from spikedata.files.schema import FormatError


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.arange(3)
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("other.h5", "data", (3,))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["group/data"] = np.arange(3, dtype=np.uint8)
        file["text"] = np.array([b"a", b"bc"])
        file["soft"] = h5py.SoftLink("/group/data")
        file["outside"] = h5py.ExternalLink("other.h5", "/data")
        file["soft_group"] = h5py.SoftLink("/group")
        file["square"] = np.zeros((2, 2))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (3,), "i8", external=[(str(tmp_path / "raw.bin"), 0, 24)])
        file.create_dataset("huge", (10**12,), "i8", chunks=(1024,))
        yield file


def test_a_column_is_found_below_a_group(file):
    assert find_column(file, "group/data")[:].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["nothing", "group/nothing", "nothing/data", "text/data"])
def test_a_column_that_is_not_there_is_none(file, name):
    assert find_column(file, name) is None
    assert read_numbers(file, name) is None
    assert read_text(file, name) is None
    with pytest.raises(FormatError, match=f"no dataset '{name}'"):
        require_rows(file, name, "f")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("soft", "must be in the file itself, got a link"),
        ("outside", "must be in the file itself, got a link"),
        ("soft_group/data", "must be in the file itself, got a link"),
        ("virtual", "must be in the file itself, got data in other files"),
        ("raw", "must be in the file itself, got data in other files"),
        ("group", "must be a dataset, got a group"),
        ("square", r"must have one dimension, got shape \(2, 2\)"),
        ("huge", "claims 8000000000000 bytes, more than the file can hold"),
    ],
)
def test_a_column_that_is_not_plain_data_is_refused(file, name, rule):
    with pytest.raises(FormatError, match=rf"x\.h5: '{name}' {rule}"):
        find_column(file, name)


def test_integers_are_widened(file):
    assert read_numbers(file, "group/data").dtype == np.int64


def test_text_is_decoded(file):
    assert read_text(file, "text") == ("a", "bc")


def test_wrong_types_are_refused(file):
    with pytest.raises(FormatError, match="'text' must hold integers"):
        read_numbers(file, "text")
    with pytest.raises(FormatError, match="'group/data' must hold text, got uint8"):
        read_text(file, "group/data")
    with pytest.raises(FormatError, match="'group/data' must hold variable-length rows of integers, got uint8"):
        require_rows(file, "group/data", "iu")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(FormatError, match="must be a file, got a folder or device"):
        open_hdf5(tmp_path)


def test_the_reason_is_one_line():
    assert reason(OSError("Can't open\n (file is\n cut)")) == "file is cut"
    assert reason(KeyError("plain")) == "'plain'"

import numpy as np
import pytest

from spikedata.disk import OutputError
from spikedata.splits import Split, load_split, save_split

NAMES = ["ä.wav", "b.wav", "c.wav"]
SPLIT = Split("mine", {"train": np.array([0, 2]), "test": np.array([1])})


def test_a_saved_split_is_found_again_in_a_file_with_another_order(tmp_path):
    save_split(SPLIT, tmp_path / "split.json", NAMES)
    again = load_split(tmp_path / "split.json", NAMES[::-1])
    assert again.name == "mine"
    assert again.part("train").tolist() == [2, 0]
    assert again.part("test").tolist() == [1]


def test_a_split_is_replaced_only_when_told(tmp_path):
    path = tmp_path / "split.json"
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        save_split(SPLIT, path, NAMES)
    assert path.read_text() == "mine"
    save_split(SPLIT, path, NAMES, overwrite=True)
    assert load_split(path, NAMES).digest == SPLIT.digest


def test_a_split_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="samples must have names"):
        save_split(SPLIT, tmp_path / "split.json", ["", "", ""])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"not json", b"\xff\xfe", b'{"name": "x", "parts": {"train": ["z.wav"]}}'])
def test_a_file_that_is_no_split_of_these_samples_is_named(tmp_path, content):
    (tmp_path / "split.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"split\.json: "):
        load_split(tmp_path / "split.json", NAMES)


def test_a_split_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"split\.json: no such file"):
        load_split(tmp_path / "split.json", NAMES)

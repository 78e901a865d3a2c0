import pickle

import numpy as np
import pytest

from spikedata.disk import data_folder
from spikedata.files.schema import FormatError
from spikedata.files.writer import SpikeWriter
from spikedata.torch.datasets import SpikeDataset
from spikedata.torch.published import SHD, SSC

FILES = [(SHD, "train"), (SHD, "test"), (SSC, "train"), (SSC, "valid"), (SSC, "test")]


def write(folder, data_set, split):
    """A file with as many clips as its name has letters, and the file."""
    path = folder / f"{data_set.__name__.lower()}_{split}.h5"
    with SpikeWriter(path, keys=["zero"], times_dtype="float16") as writer:
        for clip in range(len(path.name)):
            writer.append([0.1, 0.2], [clip, 699], label=0, speaker=clip)
    return path


@pytest.fixture
def root(tmp_path):
    for data_set, split in FILES:
        write(tmp_path, data_set, split)
    return tmp_path


@pytest.mark.parametrize(("data_set", "split"), FILES)
def test_every_split_is_found_under_its_root(root, data_set, split):
    for folder in (root, str(root)):
        dataset = data_set(folder, split)
        assert isinstance(dataset, SpikeDataset)
        assert len(dataset) == len(f"{data_set.__name__}_{split}.h5")
        assert dataset.split == split
        assert split in data_set.splits


@pytest.mark.parametrize("data_set", [SHD, SSC])
def test_the_training_part_is_the_default(root, data_set):
    assert data_set(root).split == "train"
    assert len(data_set(root)) == len(data_set(root, "train"))


def test_without_a_root_the_folder_of_the_environment_is_taken(root, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_HOME", str(root))
    assert data_folder() == root
    assert len(SHD(split="test")) == len("shd_test.h5")


@pytest.mark.parametrize("home", [None, ""])
def test_without_either_the_users_data_folder_is_taken(root, monkeypatch, home):
    if home is None:
        monkeypatch.delenv("SPIKEDATA_HOME", raising=False)
    else:
        monkeypatch.setenv("SPIKEDATA_HOME", home)
    monkeypatch.setattr("platformdirs.user_data_path", lambda name, **_: root / name)
    assert data_folder() == root / "spikedata"
    (root / "spikedata").mkdir()
    write(root / "spikedata", SSC, "valid")
    assert len(SSC(split="valid")) == len("ssc_valid.h5")


def test_a_root_is_preferred_to_the_environment(root, tmp_path, monkeypatch):
    monkeypatch.setenv("SPIKEDATA_HOME", str(tmp_path / "elsewhere"))
    assert len(SHD(root)) == len("shd_train.h5")


@pytest.mark.parametrize(("data_set", "split"), FILES)
def test_a_missing_file_is_told_with_where_to_get_it(tmp_path, data_set, split):
    name = f"{data_set.__name__.lower()}_{split}.h5"
    with pytest.raises(FileNotFoundError) as caught:
        data_set(tmp_path, split)
    assert str(caught.value).startswith(f"{tmp_path / name}: no such file; ")
    assert f"https://zenkelab.org/datasets/{name}.zip" in str(caught.value)


def test_a_folder_with_the_name_of_a_file_is_no_file(tmp_path):
    (tmp_path / "shd_train.h5").mkdir()
    with pytest.raises(FileNotFoundError, match=r"shd_train\.h5: no such file"):
        SHD(tmp_path)


@pytest.mark.parametrize("split", ["valid", "validation", "Train", "", None])
def test_a_split_that_is_not_there_names_those_that_are(root, split):
    with pytest.raises(
        ValueError, match=r"SHD: split must be one of train, test, got .*; a validation part by speaker"
    ):
        SHD(root, split)


def test_an_unknown_split_of_the_speech_commands_names_three(root):
    with pytest.raises(ValueError, match="SSC: split must be one of train, valid, test, got 'dev'"):
        SSC(root, "dev")


def test_a_file_that_is_no_spike_file_is_refused(tmp_path):
    (tmp_path / "shd_test.h5").write_text("not yet unpacked", "utf-8")
    with pytest.raises(FormatError, match=r"shd_test\.h5: not a readable HDF5 file"):
        SHD(tmp_path, "test")


def reversed_time(sample):
    return sample._replace(times=1 - sample.times[::-1], units=sample.units[::-1])


def test_a_transform_and_its_seed_are_passed_on(root):
    dataset = SHD(root, transform=reversed_time, seed=7)
    assert dataset.seed == 7
    np.testing.assert_array_equal(dataset[3].times, 1 - SHD(root)[3].times[::-1])


def test_it_reads_as_in_torchvision(root):
    lines = repr(SHD(root, "test")).splitlines()
    assert lines[0] == "Dataset SHD"
    assert "    Number of datapoints: 11" in lines
    assert f"    Root location: {root / 'shd_test.h5'}" in lines


def test_a_part_of_it_is_of_the_same_kind(root):
    part = SSC(root, "valid").select([2, 5])
    assert isinstance(part, SSC)
    assert part.split == "valid"
    assert part.speakers.tolist() == [2, 5]


def test_it_survives_pickling(root):
    again = pickle.loads(pickle.dumps(SHD(root, "test")))
    assert (type(again), again.split, len(again)) == (SHD, "test", 11)


def test_a_word_is_no_answer_to_whether_to_download(root):
    with pytest.raises(ValueError, match=r"^download must be True or False, got 'no'$"):
        SHD(root, download="no")


@pytest.mark.parametrize("data_set", [SHD, SSC])
def test_targets_are_transformed_as_in_torchvision(root, data_set):
    assert [data_set(root, target_transform=lambda label: label + 7)[clip].label for clip in (0, 3)] == [7, 7]

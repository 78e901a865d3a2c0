"""Files for the parts of a split, shards, and what they are merged into."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikedata.corpora import Listing
from spikedata.disk import OutputError
from spikedata.encoding.encode import encode_clips
from spikedata.encoding.merge import merge_shards
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError
from spikedata.splits import Split


@pytest.fixture(scope="module")
def split(listing: Listing) -> Split:
    numbers = range(len(listing.clips))
    parts = {"train": [n for n in numbers if n % 5 > 1], "validation": [n for n in numbers if n % 5 == 1]}
    return Split("by hand", {**{k: _array(v) for k, v in parts.items()}, "test": _array(range(0, 140, 5))})


def _array(numbers):
    return np.array(list(numbers), dtype=np.int64)


@pytest.fixture(scope="module")
def whole(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "x.h5"
    encode_clips(listing, path, preset="published")
    return path


@pytest.fixture(scope="module")
def parts(listing: Listing, split: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts") / "noises"
    encode_clips(listing, folder, preset="published", split=split)
    return folder


def make_shards(listing: Listing, out: Path, count: int, **options) -> list[str]:
    shards = [
        encode_clips(listing, out, preset="published", shard=(index, count), **options).outputs[0]
        for index in range(1, count + 1)
    ]
    random.Random(count).shuffle(shards)
    return shards


@pytest.mark.parametrize("count", [1, 2, 7])
def test_merged_shards_are_the_file_of_one_go(listing, whole, tmp_path, count):
    merged = merge_shards(make_shards(listing, tmp_path / "x.h5", count), tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == whole.read_bytes()
    assert merged.n_clips == 150


def test_there_may_be_more_shards_than_clips(listing, tmp_path):
    few = replace(listing, clips=listing.clips[:2])
    encode_clips(few, tmp_path / "whole.h5", preset="published")
    merge_shards(make_shards(few, tmp_path / "x.h5", 5), tmp_path / "x.h5")
    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_each_part_has_its_own_file_with_its_own_clips(listing, split, parts):
    assert {path.name for path in parts.iterdir()} == {"folder_train.h5", "folder_validation.h5", "folder_test.h5"}
    for part, numbers in split.parts.items():
        with SpikeFile(parts / f"folder_{part}.h5") as file:
            assert file.sources == tuple(listing.clips[number].name for number in sorted(numbers))
            assert file.provenance is not None
            assert (file.provenance.split, file.provenance.part) == ("by hand", part)


def test_a_clip_has_the_same_spikes_in_a_part_as_in_the_whole(parts, whole):
    with SpikeFile(whole) as file:
        samples = {sample.source: sample for sample in file}
    with SpikeFile(parts / "folder_test.h5") as file:
        for sample in file:
            assert sample.times.tolist() == samples[sample.source].times.tolist()
            assert sample.units.tolist() == samples[sample.source].units.tolist()


@pytest.mark.parametrize("count", [1, 4])
def test_merged_shards_of_a_split_are_the_files_of_one_go(listing, split, parts, tmp_path, count):
    shards = make_shards(listing, tmp_path / "noises", count, split=split)
    merge_shards(shards, tmp_path / "noises")
    made = {path.name: path.read_bytes() for path in (tmp_path / "noises").iterdir()}
    assert made == {path.name: path.read_bytes() for path in parts.iterdir()}


def test_parts_that_are_done_are_left_as_they_are(listing, split, parts):
    (parts / "folder_test.h5").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    encode_clips(listing, parts, preset="published", split=split)
    after = {path.name: path.stat().st_mtime_ns for path in parts.iterdir()}
    assert {name: after[name] for name in before} == before
    assert "folder_test.h5" in after


def test_a_folder_may_hold_other_files(listing, split, parts, tmp_path):
    (tmp_path / "noises").mkdir()
    (tmp_path / "noises" / "notes.txt").write_text("mine")
    encode_clips(listing, tmp_path / "noises", preset="published", split=split)
    assert (tmp_path / "noises" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "noises" / "folder_test.h5").read_bytes() == (parts / "folder_test.h5").read_bytes()


def test_a_split_is_not_written_to_a_file(listing, split, tmp_path):
    with pytest.raises(ValueError, match=r"x\.h5: a split is written to a folder"):
        encode_clips(listing, tmp_path / "x.h5", split=split)


def test_a_part_that_is_taken_by_another_file_is_refused_before_the_work(listing, split, tmp_path):
    (tmp_path / "folder_test.h5").write_text("mine")

    def work(*_):
        raise AssertionError("began")

    with pytest.raises(OutputError, match=r"folder_test\.h5: exists already"):
        encode_clips(listing, tmp_path, preset="published", split=split, on_progress=work)


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_there_is_not_is_refused(listing, tmp_path, shard):
    with pytest.raises(ValueError, match=r"shard must be \(index, count\) with 1 <= index <= count, got"):
        encode_clips(listing, tmp_path / "x.h5", shard=shard)


@pytest.fixture(scope="module")
def shards(listing: Listing, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return sorted(make_shards(listing, tmp_path_factory.mktemp("shards") / "x.h5", 3))


def test_a_missing_shard_is_named(shards, tmp_path):
    with pytest.raises(ValueError, match="1 of 3 shards are missing: 2"):
        merge_shards([shards[0], shards[2]], tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


def test_a_shard_that_comes_twice_is_named(shards, tmp_path):
    with pytest.raises(ValueError, match=r"0002-of-0003\.h5: is shard 2/3, the same as .*0002-of-0003\.h5"):
        merge_shards([*shards, shards[1]], tmp_path / "x.h5")


def test_a_shard_of_another_encoding_is_named(listing, shards, tmp_path):
    other = encode_clips(listing, tmp_path / "y.h5", preset="published", seed=9, shard=(2, 3)).outputs[0]
    with pytest.raises(ValueError, match=r"y\.shard-0002-of-0003\.h5: is a shard of a different encoding than"):
        merge_shards([shards[0], other, shards[2]], tmp_path / "x.h5")


def test_a_file_that_is_no_shard_is_named(whole, shards, tmp_path):
    with pytest.raises(ValueError, match=r"x\.h5: is not a shard"):
        merge_shards([whole, *shards], tmp_path / "out.h5")


def test_a_damaged_shard_is_named_and_nothing_is_written(shards, tmp_path):
    shutil.copy(shards[1], tmp_path / "damaged.h5")
    with h5py.File(tmp_path / "damaged.h5", "a") as file:
        file["spikes/units"][5] = file["spikes/units"][5][::-1]
    with pytest.raises(FormatError, match=r"damaged\.h5: sample 5: damaged"):
        merge_shards([shards[0], tmp_path / "damaged.h5", shards[2]], tmp_path / "x.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["damaged.h5"]


def test_a_merge_does_not_replace_a_file_unasked(shards, tmp_path):
    (tmp_path / "x.h5").write_text("mine")
    with pytest.raises(OutputError, match=r"x\.h5: exists already"):
        merge_shards(shards, tmp_path / "x.h5")
    merge_shards(shards, tmp_path / "x.h5", overwrite=True)


def test_no_shards_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one shard"):
        merge_shards([], tmp_path / "x.h5")


def test_a_finished_shard_is_not_encoded_again(listing, shards):
    out = Path(shards[0]).with_name("x.h5")
    assert encode_clips(listing, out, preset="published", shard=(1, 3)).sound_duration == 0.0

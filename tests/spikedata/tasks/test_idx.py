import gzip
import struct

import numpy as np
import pytest

from spikedata.tasks.idx import read_idx, read_images

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 3, 4), np.uint8)
LABELS = np.array([3, 1, 0, 2, 9], np.uint8)


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    for stem in ("train", "t10k"):
        (tmp_path / f"{stem}-images-idx3-ubyte").write_bytes(idx(IMAGES))
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS), mtime=0))
    return tmp_path


@pytest.mark.parametrize("part", ["train", "test"])
def test_files_are_read_packed_or_not(folder, part):
    found = read_images(folder, part)
    assert np.array_equal(found.images, IMAGES)
    assert np.array_equal(found.labels, LABELS)


def test_names_with_a_dot_and_downloaded_names_are_known(folder):
    (folder / "t10k-images-idx3-ubyte").rename(folder / "t10k-images.idx3-ubyte")
    assert len(read_images(folder, "test").images) == 5
    (folder / "t10k-images.idx3-ubyte").rename(folder / "mnist_test_images.idx")
    assert len(read_images(folder, "test", name="mnist").images) == 5


@pytest.mark.parametrize("names", ["{part}_{kind}", "keras"])
def test_an_archive_of_numpy_is_read_by_both_names(tmp_path, names):
    short = {"images": "x", "labels": "y"}
    arrays = {
        f"{short[kind]}_{part}" if names == "keras" else f"{part}_{kind}": array
        for part in ("train", "test")
        for kind, array in (("images", IMAGES), ("labels", LABELS.astype(np.int64)))
    }
    np.savez(tmp_path / "x.npz", **arrays)
    found = read_images(tmp_path / "x.npz", "test")
    assert np.array_equal(found.images, IMAGES)
    assert found.labels.dtype == np.uint8


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must begin with 00 00 08, got nothing"),
        (b"\x89PNG", "must begin with 00 00 08, got 89 50 4e 47"),
        (bytes([0, 0, 13, 3]), "must begin with 00 00 08, got 00 00 0d 03"),
        (idx(LABELS), "must have 3 axes, got 1"),
        (idx(IMAGES)[:9], "ends within its header, after 9 bytes"),
        (idx(IMAGES)[:-1], "must hold 60 numbers as its header says, got 59"),
        (idx(IMAGES) + b"\0", "must hold 60 numbers as its header says, got 61"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "must hold 79228162458924105385300197375 numbers"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-9], "damaged: Compressed file ended before the end-of-stream marker"),
        (b"\x1f\x8b\x08\x00garbage that is no gzip", "damaged: "),
    ],
)
def test_a_damaged_file_is_named_in_one_line(folder, content, rule):
    (folder / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match=rule) as found:
        read_images(folder, "train")
    assert "train-images-idx3-ubyte" in str(found.value)
    assert "\n" not in str(found.value)


def test_images_and_labels_must_be_as_many(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:4]), mtime=0))
    with pytest.raises(ValueError, match=r"n labels, got \(5, 3, 4\) and \(4,\)"):
        read_images(folder, "train")


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no t10k-images-idx3-ubyte.*; spikedata download mnist fetches"):
        read_images(tmp_path, "test", name="mnist")
    with pytest.raises(FileNotFoundError, match="no such folder or file of images"):
        read_images(tmp_path / "none", "test")
    with pytest.raises(ValueError, match="images have the parts train and test, got 'validation'"):
        read_images(tmp_path, "validation")


def test_other_archives_are_refused_in_one_line(tmp_path):
    np.savez(tmp_path / "x.npz", a=IMAGES)
    with pytest.raises(ValueError, match=r"x\.npz: no archive of images: has no array 'train_images', but a"):
        read_images(tmp_path / "x.npz", "train")
    np.savez(tmp_path / "x.npz", train_images=IMAGES / 255, train_labels=LABELS)
    with pytest.raises(ValueError, match=r"train_images must be whole numbers in 0\.\.255, got float64"):
        read_images(tmp_path / "x.npz", "train")
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(ValueError, match=r"no archive of images: must be \.npz"):
        read_images(tmp_path / "x.npy", "train")
    (tmp_path / "x.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"x\.npz: no archive of images"):
        read_images(tmp_path / "x.npz", "train")


def test_an_array_of_any_number_of_axes_is_read(tmp_path):
    (tmp_path / "x").write_bytes(idx(IMAGES[0]))
    assert np.array_equal(read_idx(tmp_path / "x"), IMAGES[0])

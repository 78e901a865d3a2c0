"""Images of MNIST and its kin from files: IDX, as they are published, or one NumPy archive."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PARTS = ("train", "test")

_BYTES = 0x08  # the type of the numbers: unsigned, 8 bits
_MOST_BYTES = 2**31  # of one file, unpacked; a damaged header may claim any number
_STEMS = {"train": "train", "test": "t10k"}  # of the published names
_KINDS = {"images": ("idx3", 3), "labels": ("idx1", 1)}
_SHORT = {"images": "x", "labels": "y"}  # of the archives of Keras


class Images(NamedTuple):
    """The images of a part, and their classes.

    Parameters
    ----------
    images : ndarray of uint8, shape (n_images, height, width)
        Brightness [1].
    labels : ndarray of uint8, shape (n_images,)
        Class of each image [1].
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


def read_images(path: str | os.PathLike[str], part: str, *, name: str = "") -> Images:
    """The images of a part from a folder of IDX files, or from a NumPy archive.

    Parameters
    ----------
    path : str or path-like
        A folder with ``train-images-idx3-ubyte`` and so on, each as it is or packed (.gz), or with what
        `spikedata.download` has made of them; or a file ``.npz`` with ``train_images``, ``train_labels``,
        ``test_images`` and ``test_labels`` (or ``x_train`` and so on).
    part : {"train", "test"}
        The part.
    name : str
        Name of the data set, for what was downloaded: "mnist" or "fashion_mnist".

    Returns
    -------
    Images

    Raises
    ------
    FileNotFoundError
        If there is no such folder or file.
    ValueError
        If a file is damaged, or images and labels do not belong together.
    """
    place = Path(path)
    if part not in PARTS:
        raise ValueError(f"images have the parts {' and '.join(PARTS)}, got {part!r}")
    if place.is_dir():
        found = {kind: _find(place, part, kind, name) for kind in _KINDS}
        images, labels = (read_idx(found[kind], n_axes=n_axes) for kind, (_, n_axes) in _KINDS.items())
        where = f"{found['images']} and {found['labels'].name}"
    elif place.is_file():
        images, labels = (_from_archive(place, part, kind) for kind in _KINDS)
        where = f"{place}: {part}"
    else:
        raise FileNotFoundError(
            f"{place}: no such folder or file of images; spikedata download mnist (or fashion_mnist) fetches them, and "
            "--images takes a folder of IDX files or a file .npz"
        )
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or not len(images):
        found_shapes = f"{images.shape} and {labels.shape}"
        raise ValueError(f"{where}: must be (n, height, width) images and n labels, got {found_shapes}")
    return Images(images, labels)


def read_idx(path: str | os.PathLike[str], *, n_axes: int | None = None) -> npt.NDArray[np.uint8]:
    """An array of bytes from an IDX file, packed by gzip or not.

    The file begins with two zero bytes, the type (8 for bytes) and the number of axes, followed by the length of each
    axis as 32 bits, the most significant first, and the numbers themselves.

    Parameters
    ----------
    path : str or path-like
        The file.
    n_axes : int, optional
        Number of axes that it must have.

    Raises
    ------
    FileNotFoundError
        If it does not exist.
    ValueError
        If it is no IDX file of bytes, has another number of axes, or is shorter or longer than its header says.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(f"{folder}/labels").write_bytes(b"\\0\\0\\x08\\x01" + b"\\0\\0\\0\\3" + bytes([7, 1, 2]))
    ...     read_idx(f"{folder}/labels")
    array([7, 1, 2], dtype=uint8)
    """
    content = _unpacked(Path(path))
    head = content[:4]
    if len(head) < 4 or head[:3] != bytes([0, 0, _BYTES]) or not head[3]:
        raise ValueError(f"{path}: an IDX file of bytes must begin with 00 00 08, got {head.hex(' ') or 'nothing'}")
    axes = head[3]
    if n_axes is not None and axes != n_axes:
        raise ValueError(f"{path}: must have {n_axes} axes, got {axes}")
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(f"{path}: ends within its header, after {len(content)} bytes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    n_bytes = int(np.prod([int(length) for length in shape], dtype=object))
    if len(content) - start != n_bytes:
        raise ValueError(f"{path}: must hold {n_bytes} numbers as its header says, got {len(content) - start}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _find(folder: Path, part: str, kind: str, name: str) -> Path:
    """The file of a folder with the images or labels of a part."""
    stem, (index, _) = _STEMS[part], _KINDS[kind]
    names = [f"{stem}-{kind}{separator}{index}-ubyte" for separator in "-."]
    names = [whole for one in names for whole in (one, f"{one}.gz")]
    names += [f"{name}_{part}_{kind}.idx"] if name else []
    found = next((folder / one for one in names if (folder / one).is_file()), None)
    if found is None:
        way_on = f"; spikedata download {name} fetches them" if name else ""
        raise FileNotFoundError(f"{folder}: has no {names[0]}, packed or not{way_on}")
    return found


def _unpacked(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        with gzip.open(path) as stream:
            content = stream.read(_MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: damaged: {error}") from None
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{path}: must hold at most {_MOST_BYTES} bytes")
    return content


def _from_archive(path: Path, part: str, kind: str) -> npt.NDArray[np.uint8]:
    names = (f"{part}_{kind}", f"{_SHORT[kind]}_{part}")
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("must be .npz, as np.savez writes it")
        with np.load(path, allow_pickle=False) as archive:
            name = next((name for name in names if name in archive.files), None)
            if name is None:
                raise ValueError(f"has no array {names[0]!r}, but {', '.join(archive.files) or 'none'}")
            array = archive[name]
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ValueError(f"{path}: no archive of images: {' '.join(str(error).split())}") from None
    if array.dtype.kind not in "iu" or (array.size and not (array.min() >= 0 and array.max() <= 255)):
        raise ValueError(f"{path}: {name} must be whole numbers in 0..255, got {array.dtype}")
    return np.asarray(array, np.uint8)

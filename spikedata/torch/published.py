"""The published data sets, the Spiking Heidelberg Digits and Spiking Speech Commands, with torchvision's habits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikedata.checks import checked
from spikedata.disk import data_folder
from spikedata.downloads import download as fetch
from spikedata.downloads import origin_of
from spikedata.downloads.registry import HOSTS
from spikedata.events import Sample
from spikedata.torch.datasets import SpikeDataset
from spikedata.transforms import EventTransform

_Transform = EventTransform | Callable[[Sample], Sample]


class _PublishedDataset(SpikeDataset):
    """One of the published files: `SHD` and `SSC` differ in the names of theirs alone."""

    _name: str
    splits: tuple[str, ...]

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        split: str = "train",
        download: bool = False,
        *,
        transform: _Transform | None = None,
        target_transform: Callable[[int], Any] | None = None,
        seed: int = 0,
        **options: Any,
    ) -> None:
        path = _find(self._name, root, split, self.splits, checked("download", download, bool))
        super().__init__(path, transform=transform, target_transform=target_transform, seed=seed, **options)
        self.split = split
        self.origin = origin_of(path)

    def __repr__(self) -> str:
        """As in torchvision, and whether it is the published file."""
        return f"{super().__repr__()}\n    Origin: {self.origin}"


class SHD(_PublishedDataset):
    """The Spiking Heidelberg Digits: zero to nine in English and German, 20 classes, 12 speakers.

    Parameters
    ----------
    root : str or path-like, optional
        Folder with ``shd_train.h5`` and ``shd_test.h5``. Default: `spikedata.disk.data_folder`.
    split : {"train", "test"}
        Which file. There is no published validation part: make one of "train" by
        ``spikedata.splits.make_split(dataset.events, "validation_by_speaker")``.
    download : bool
        Whether to fetch the file if it is not there, as `spikedata.download` does. A file that is there must then be
        the published one, or be made by this package of the same recordings.
    transform, target_transform, seed, **options
        As `SpikeDataset`.

    Attributes
    ----------
    split : str
        Which file.
    origin : Origin
        Whether the file is the official one, remade by this package, or unverified; shown by ``repr``. Found out by its
        checksum when it is first opened, and remembered.

    Raises
    ------
    ValueError
        If there is no such split.
    FileNotFoundError
        If the file is not there and not to be fetched.
    DownloadError, ChecksumError, OutputError
        If it could not be fetched, is not what it must be, or cannot be written.
    FormatError
        If the file breaks a rule of the format.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022).
    """

    _name = "SHD"
    splits = ("train", "test")


class SSC(_PublishedDataset):
    """The Spiking Speech Commands: 35 words of many speakers.

    Parameters
    ----------
    root : str or path-like, optional
        Folder with ``ssc_train.h5``, ``ssc_valid.h5`` and ``ssc_test.h5``. Default: `spikedata.disk.data_folder`.
    split : {"train", "valid", "test"}
        Which file.
    download, transform, target_transform, seed, **options
        As `SHD`; so are the attributes.

    Raises
    ------
    ValueError, FileNotFoundError, DownloadError, ChecksumError, OutputError, FormatError
        As `SHD`.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022); Warden, arXiv 1804.03209 (2018).
    """

    _name = "SSC"
    splits = ("train", "valid", "test")


def _find(name: str, root: str | os.PathLike[str] | None, split: str, splits: tuple[str, ...], download: bool) -> Path:
    if split not in splits:
        rule = f"split must be one of {', '.join(splits)}, got {split!r}"
        raise ValueError(f"{name}: {rule}; a validation part by speaker: spikedata.splits.make_split")
    folder = data_folder() if root is None else Path(root)
    file = f"{name.lower()}_{split}"
    path = folder / f"{file}.h5"
    if download:
        return fetch(file, folder).paths[0]
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; download=True fetches {HOSTS[0]}{path.name}.zip")
    return path

"""A split as a file: JSON with the names of the samples, so that it holds for any file of the same recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from spikedata.disk import write_atomically
from spikedata.splits.split import Split


def save_split(split: Split, path: str | os.PathLike[str], names: Sequence[str], *, overwrite: bool = False) -> None:
    """Write a split to a file that appears complete or not at all.

    Parameters
    ----------
    split : Split
        What to write.
    path : str or path-like
        The file to make.
    names : sequence of str
        Name of each sample, all different, as `sample_names` gives them.
    overwrite : bool
        Whether a file that is there already may be replaced.

    Raises
    ------
    OutputError
        If the path cannot be written.
    ValueError
        If names are missing or repeat, or a part has a sample without a name.
    """
    write_atomically(path, split.to_json(names).encode(), overwrite=overwrite)


def load_split(path: str | os.PathLike[str], names: Sequence[str]) -> Split:
    """The split that `save_split` wrote, found again among the samples of a file.

    Parameters
    ----------
    path : str or path-like
        The file of the split.
    names : sequence of str
        Name of each sample, all different, as `sample_names` gives them.

    Returns
    -------
    Split

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no split of these samples; the message names the file.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     split = Split("by hand", {"train": np.array([0]), "validation": np.array([1])})
    ...     save_split(split, f"{folder}/split.json", ["a.wav", "b.wav"])
    ...     load_split(f"{folder}/split.json", ["b.wav", "a.wav"]).part("train")
    array([1])
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return Split.from_json(Path(path).read_text(encoding="utf-8"), names)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error

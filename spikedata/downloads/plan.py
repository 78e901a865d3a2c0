"""What a download would do, without doing it: no socket is opened, nothing is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from spikedata.disk import data_folder
from spikedata.downloads.entries import PublishedFile
from spikedata.downloads.manifest import HIDDEN, is_there
from spikedata.downloads.partial import size_of
from spikedata.downloads.registry import data_set_of, files_of


@dataclass(frozen=True, kw_only=True)
class DownloadPlan:
    """What would be fetched for one file.

    Parameters
    ----------
    name : str
        The file.
    path : Path
        Where it goes.
    is_there : bool
        Whether something lies there, so that nothing would be fetched.
    urls : tuple of str
        Where it comes from, best first.
    size : int, optional
        Size of the archive [byte], where known.
    unpacked_size : int
        About what it takes on the disk [byte], 0 where not known.
    n_have : int
        What an earlier download left of the archive [byte].
    n_free : int
        Free space where it goes [byte].
    checksum : str
        How it will be checked.
    license, citation, homepage : str
        Of its data set.
    """

    name: str
    path: Path
    is_there: bool
    urls: tuple[str, ...]
    size: int | None
    unpacked_size: int
    n_have: int
    n_free: int
    checksum: str
    license: str
    citation: str
    homepage: str


def plan_download(name: str, root: str | os.PathLike[str] | None = None, *, form: str = "zip") -> list[DownloadPlan]:
    """What a download would do, for each file of a data set.

    Parameters
    ----------
    name : str
        A data set or a file, one of `NAMES`.
    root : str or path-like, optional
        The folder that it goes to. Default: `spikedata.disk.data_folder`.
    form : {"zip", "gz"}
        Which archive of SHD and SSC.

    Raises
    ------
    ValueError
        If there is no such name or form.
    """
    folder = data_folder() if root is None else Path(root)
    return [_plan(file, folder) for file in files_of(name, form)]


def format_plan(plans: Iterable[DownloadPlan]) -> str:
    """A plan to read.

    Parameters
    ----------
    plans : iterable of DownloadPlan
        From `plan_download`.
    """
    return "\n".join(line for plan in plans for line in _lines(plan))


def how_checked(file: PublishedFile) -> str:
    """In words, what a file is checked against."""
    found = []
    for what, sums in ((file.archive, file.checksum), (file.content_folder or file.target, file.content)):
        if sums is not None:
            value = sums.value or f"as {' or '.join(sums.asked_at)} tells when it is downloaded"
            found.append(f"{sums.algorithm.upper()} of {what}: {value}")
    return "; ".join(found)


def partial_path(root: Path, file: PublishedFile) -> Path:
    """Where the archive lies until it is unpacked."""
    return root / HIDDEN / f"{file.archive}.part"


def _plan(file: PublishedFile, root: Path) -> DownloadPlan:
    data_set, path = data_set_of(file.name), root / file.target
    there = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.is_dir())
    return DownloadPlan(
        name=file.name,
        path=path,
        is_there=is_there(path),
        urls=file.urls,
        size=file.size,
        unpacked_size=file.unpacked_size,
        n_have=size_of(partial_path(root, file)),
        n_free=shutil.disk_usage(there).free,
        checksum=how_checked(file),
        license=data_set.license,
        citation=data_set.citation,
        homepage=data_set.homepage,
    )


def _lines(plan: DownloadPlan) -> list[str]:
    if plan.is_there:
        return [f"{plan.name}: {plan.path} is there, nothing to fetch"]
    size = "of unknown size" if plan.size is None else f"{plan.size / 1e6:,.0f} MB"
    unpacked = f", {plan.unpacked_size / 1e6:,.0f} MB unpacked" if plan.unpacked_size else ""
    have = f", {plan.n_have / 1e6:,.1f} MB of it are there" if plan.n_have else ""
    return [
        f"{plan.name}: {size}{unpacked}{have}, to {plan.path} ({plan.n_free / 1e6:,.0f} MB free)",
        *(f"  {'from' if number == 0 else 'or  '}     {url}" for number, url in enumerate(plan.urls)),
        f"  check    {plan.checksum}",
        f"  license  {plan.license}",
        f"  cite     {plan.citation}",
    ]

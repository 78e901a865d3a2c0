"""What an export makes: a file or a folder that appears complete or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from spikedata.disk import OutputError, cannot_write, check_output, put_in_place, sync_file, temporary_beside

ABOUT = "about.json"  # of a folder: what is true of all clips, and which files belong to the export
_MOST_SYNCED = 100  # files


class Exported(NamedTuple):
    """What was exported.

    Parameters
    ----------
    file : str
        The file or folder.
    format : str
        Its format.
    clips, spikes : int
        Number of clips and of spikes.
    notes : tuple of str
        What the format changed or was not told, a line each.
    """

    file: str
    format: str
    clips: int
    spikes: int
    notes: tuple[str, ...] = ()


@contextmanager
def new_file(out: str | os.PathLike[str], suffix: str, *, overwrite: bool) -> Iterator[Path]:
    """The name under which to write a file, which takes its final place at the end of the block.

    It has the final name in a hidden folder beside it, since some libraries choose the format by the suffix.

    Raises
    ------
    OutputError
        If the path cannot be written, or exists and may not be replaced.
    ValueError
        If it has another suffix: others would take the file for another format, such as that of the spike file itself.
    """
    if Path(out).suffix.lower() != suffix:
        raise ValueError(f"{out}: must end in {suffix}, the format that is written")
    check_output(out, overwrite=overwrite)
    with _hidden_folder(out) as folder:
        written = folder / Path(out).name
        yield written
        put_in_place(written, out, overwrite=overwrite)


@contextmanager
def new_folder(out: str | os.PathLike[str], about: Mapping[str, Any], *, overwrite: bool) -> Iterator[Path]:
    """The folder in which to write files; it takes its final place at the end of the block, with `ABOUT` in it.

    An earlier export is replaced if `overwrite` allows it, a folder with any other file in it never.

    Raises
    ------
    OutputError
        If the path cannot be written, or exists and may not be replaced.
    """
    target = Path(os.path.realpath(out))
    _check_folder(target, overwrite=overwrite)
    with _hidden_folder(out) as folder:
        made = folder / target.name
        made.mkdir()
        yield made
        said = dict(about) | {"files": sorted(path.name for path in made.iterdir())}
        (made / ABOUT).write_bytes(json.dumps(said, ensure_ascii=False, indent=1).encode())
        files = list(made.iterdir())
        if len(files) > _MOST_SYNCED and hasattr(os, "sync"):
            os.sync()  # one call for tens of thousands of files
        else:
            for path in files:
                sync_file(path)
        _check_folder(target, overwrite=overwrite)
        if target.exists():
            target.rename(folder / "replaced")
        made.rename(target)


def require_space(folder: Path, n_bytes: int) -> None:
    """Raise unless so many bytes can be written in a folder: HDF5 and AEDAT's writer crash the process on a full disk.

    Raises
    ------
    OSError
        If there is not enough space, or no more is allowed.
    """
    place = folder / ".space"
    try:
        if hasattr(os, "posix_fallocate"):
            with place.open("xb") as file:
                os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # others: the file system reserves nothing
            raise
    finally:
        place.unlink(missing_ok=True)


@contextmanager
def _hidden_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    folder = temporary_beside(out)
    try:
        folder.mkdir()
        yield folder
    except OutputError:
        raise
    except OSError as error:
        # an error of another path, such as the spike file that is read, keeps its own message
        if error.filename is not None and not str(error.filename).startswith(str(folder)):
            raise
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_folder(target: Path, *, overwrite: bool) -> None:
    """Raise unless a folder can be made, or is an export that may be replaced."""
    if target.is_file():
        raise OutputError(f"{target}: is a file, must be a folder: this format has several files")
    if not target.is_dir():
        check_output(target)
        return
    there = {path.name for path in target.iterdir()}
    if there and not overwrite:
        raise OutputError(f"{target}: exists already, will not replace it (--overwrite does)")
    files = about_of(target).get("files")
    foreign = sorted(there - {ABOUT, *map(str, files if isinstance(files, list) else [])}) if files else sorted(there)
    if foreign:
        raise OutputError(f"{target}: {foreign[0]!r} is not part of an export, will not replace the folder")


def about_of(folder: Path) -> dict[str, Any]:
    """What the `ABOUT` of a folder says; nothing where it has none that can be read."""
    try:
        said = json.loads((folder / ABOUT).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}

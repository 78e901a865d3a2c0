"""Any recordings that lie in class folders."""

from __future__ import annotations

from pathlib import Path

from spikedata.corpora.clip import UNKNOWN_SPEAKER, Clip, Listing, number_by_name
from spikedata.corpora.walk import find_audio


def list_class_folders(root: Path) -> Listing:
    """The clips of a folder of class folders: ``{class}/….wav``, at any depth below it, speakers unknown (-1).

    Classes are the folders that are there, by name. Files beside the class folders, and hidden ones, do not fit.

    Parameters
    ----------
    root : Path
        The folder.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    found = find_audio(root)
    fitting = [name for name in found.names if "/" in name and not _is_hidden(name)]
    unfit = [name for name in found.names if "/" not in name or _is_hidden(name)]
    label_of = number_by_name(name.partition("/")[0] for name in fitting)
    clips = tuple(Clip(root, name, label_of[name.partition("/")[0]], UNKNOWN_SPEAKER) for name in fitting)
    return Listing(corpus="folder", keys=tuple(label_of), clips=clips, unfit=tuple(sorted(unfit + found.unfit)))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name

"""Corpora by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from spikedata.corpora.audiomnist import list_audiomnist
from spikedata.corpora.class_folders import list_class_folders
from spikedata.corpora.clip import Listing, shown
from spikedata.corpora.fsdd import list_fsdd
from spikedata.corpora.heidelberg_digits import list_heidelberg_digits
from spikedata.corpora.manifest import list_manifest
from spikedata.corpora.speech_commands import list_speech_commands

_MANIFEST = "manifest"
_IN_FOLDERS: dict[str, Callable[[Path], Listing]] = {
    "heidelberg_digits": list_heidelberg_digits,
    "speech_commands": list_speech_commands,
    "fsdd": list_fsdd,
    "audiomnist": list_audiomnist,
    "folder": list_class_folders,
}
CORPORA = (*_IN_FOLDERS, _MANIFEST)


def list_clips(corpus: str, root: str | Path, *, missing: Literal["fail", "skip"] = "fail") -> Listing:
    """The clips of a corpus in a stable order. No audio is read.

    =================  ==============================================================  ========================
    corpus             recordings                                                      speakers
    =================  ==============================================================  ========================
    heidelberg_digits  ``lang-{english|german}_speaker-{s}_trial-{n}_digit-{d}.flac``  0 to 11, as in the names
    speech_commands    ``{word}/{speaker}_nohash_{n}.wav``                             numbered by name
    fsdd               ``{digit}_{speaker}_{n}.wav``                                   numbered by name
    audiomnist         ``{speaker}/{digit}_{speaker}_{n}.wav``                         1 to 60, as in the names
    folder             ``{class}/….wav``, any audio files in class folders             unknown: -1
    manifest           the lines of a CSV file: path, label; speaker, part             as the file says, or -1
    =================  ==============================================================  ========================

    Parameters
    ----------
    corpus : str
        One of `CORPORA`.
    root : str or Path
        Folder of the corpus; of a manifest, the CSV file.
    missing : {"fail", "skip"}
        Whether recordings that a manifest names and that are not there are an error, or are reported as unfit.

    Returns
    -------
    Listing

    Raises
    ------
    ValueError
        If the corpus is unknown, no file in the folder fits it, a recording is there twice, or lists or manifest are
        faulty.
    FileNotFoundError
        If there is no such folder or manifest, or a recording of a manifest is not there.
    OSError
        If a folder cannot be read.
    """
    if corpus not in CORPORA:
        raise ValueError(f"corpus must be one of {', '.join(CORPORA)}, got {corpus!r}")
    if missing not in ("fail", "skip"):
        raise ValueError(f"missing must be 'fail' or 'skip', got {missing!r}")
    if corpus == _MANIFEST:
        return list_manifest(Path(root), missing=missing)
    listing = _IN_FOLDERS[corpus](Path(root))
    if not listing.clips:
        found = f"{len(listing.unfit)} other names: {shown(listing.unfit)}" if listing.unfit else "no audio files"
        raise ValueError(f"{root}: no recordings named as in {corpus}, got {found}")
    return listing

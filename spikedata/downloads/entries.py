"""The records of the registry (data set, file, checksum) and the errors of a download.

A full or read-only disk is an `OutputError` of `spikedata.disk`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """The checksum that a file or folder must have.

    Parameters
    ----------
    algorithm : str
        "md5", "sha256", or "git-tree", the identifier of a folder in git [1].
    value : str
        The checksum in hexadecimal digits [1]; empty where it is not known before the download.
    asked_at : tuple of str
        Addresses [1] that give the value at the download: lists of checksums, or GitHub's description of the tree of a
        commit.
    """

    algorithm: str
    value: str = ""
    asked_at: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """An archive that can be downloaded, and the file or folder that it becomes.

    Parameters
    ----------
    name : str
        Name for users [1].
    archive : str
        File name of the archive [1]; ends in .zip, .tar.gz or .gz.
    urls : tuple of str
        Its address and mirrors [1], best first.
    target : str
        Name of the unpacked file or folder [1].
    members : str
        Pattern of the members to unpack [1]; its group `path` is the path within the target folder (or the file name).
    max_bytes : int
        Limit of the unpacked size [byte]; an archive that holds more is refused.
    max_members : int
        Limit of the number of members [1]; an archive that holds more is refused.
    checksum : Checksum, optional
        Checksum of the archive; None if the host creates a new archive for each download.
    content : Checksum, optional
        Checksum of the unpacked file, or of the folder `content_folder`.
    content_folder : str
        The folder within the target to which `content` applies [1].
    size : int, optional
        Size of the archive [byte], if known.
    unpacked_size : int
        Approximate size of the target on disk [byte]; 0 if unknown.
    """

    name: str
    archive: str
    urls: tuple[str, ...]
    target: str
    members: str
    max_bytes: int
    max_members: int
    checksum: Checksum | None = None
    content: Checksum | None = None
    content_folder: str = ""
    size: int | None = None
    unpacked_size: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether the archive becomes a folder rather than a single file."""
        return self.archive.endswith(".tar.gz")


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Files that belong together.

    Parameters
    ----------
    name : str
        Name for users [1].
    title : str
        Full name [1].
    files : tuple of str
        Names of its files [1], as in `FILES`.
    license, citation, homepage : str
        License, publication to cite, and address of the data set's page [1].
    """

    name: str
    title: str
    files: tuple[str, ...]
    license: str
    citation: str
    homepage: str


class DownloadError(OSError):
    """A source that is not available: no connection, no such page, too slow, not https, or offline."""


class ChecksumError(ValueError):
    """Data that do not have the expected checksum or structure."""

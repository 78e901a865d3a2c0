"""What a download can fail of; a disk that refuses is an `OutputError` of `spikedata.disk`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """What the bytes must add up to.

    Parameters
    ----------
    algorithm : str
        "md5", "sha256", or "git-tree": the identifier that git gives to a folder [1].
    value : str
        The checksum in hexadecimal digits [1]; empty where it is not known before the download.
    asked_at : tuple of str
        Addresses [1] that tell the value then: lists of checksums, or GitHub's description of a commit's tree.
    """

    algorithm: str
    value: str = ""
    asked_at: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """An archive that can be fetched, and what comes of it.

    Parameters
    ----------
    name : str
        What a user calls it [1].
    archive : str
        File name of the archive [1]; ends in .zip, .tar.gz or .gz.
    urls : tuple of str
        Its address and mirrors [1], best first.
    target : str
        Name of the file or folder that comes of it [1].
    members : str
        Pattern of the members to unpack [1]; its group `path` is where one goes, in the folder (or the file's name).
    max_bytes : int
        More than all of it unpacked [byte]; an archive that holds more is refused.
    max_members : int
        More than it has members [1]; likewise.
    checksum : Checksum, optional
        Of the archive; None where the host makes the archive anew each time.
    content : Checksum, optional
        Of the unpacked file, or of the folder `content_folder`.
    content_folder : str
        The folder within the target that `content` speaks of [1].
    size : int, optional
        Of the archive [byte], where known.
    unpacked_size : int
        About what the target takes on the disk [byte]; 0 where not known.
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
        """Whether a folder comes of it, rather than one file."""
        return self.archive.endswith(".tar.gz")


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Files that belong together.

    Parameters
    ----------
    name : str
        What a user calls it [1].
    title : str
        What it is [1].
    files : tuple of str
        Names of its files [1], as in `FILES`.
    license, citation, homepage : str
        On which terms, whom to cite, where to read on [1].
    """

    name: str
    title: str
    files: tuple[str, ...]
    license: str
    citation: str
    homepage: str


class DownloadError(OSError):
    """A source that cannot be had: no connection, no such page, too slow, not https, or offline."""


class ChecksumError(ValueError):
    """Data that are not what they must be."""

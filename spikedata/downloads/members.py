"""Which members of an archive are unpacked, and where to: decided from names and sizes, before a byte is written."""

from __future__ import annotations

import re
from typing import NamedTuple

from spikedata.downloads.entries import PublishedFile
from spikedata.downloads.errors import ChecksumError


class Member(NamedTuple):
    """What an archive says of one of its members.

    Parameters
    ----------
    name : str
        Its path in the archive.
    size : int
        Its size, unpacked [byte].
    is_file : bool
        Whether it is a regular file; not a link, a device, a pipe or a file with holes.
    is_folder : bool
        Whether it is a folder.
    is_executable : bool
        Whether its owner may run it.
    """

    name: str
    size: int
    is_file: bool = True
    is_folder: bool = False
    is_executable: bool = False


class Choice:
    """Goes through the members of an archive in their order and refuses what is not in order.

    Parameters
    ----------
    file : PublishedFile
        Says which members are expected and how much they may be.
    """

    def __init__(self, file: PublishedFile) -> None:
        self._file = file
        self._pattern = re.compile(file.members)
        self._paths: set[str] = set()
        self._n_members = self._n_bytes = 0
        self.left_out: list[str] = []

    def path_of(self, member: Member) -> str | None:
        """Where a member goes, with forward slashes; None for one that is left out.

        Raises
        ------
        ChecksumError
            If it leads out of the folder, is expected but no regular file, is there twice, or too much.
        """
        self._count(member)
        name = member.name.removeprefix("./")
        if _leads_out(name):
            raise self._fault(f"member {member.name!r} leads out of the folder")
        if member.is_folder:
            return None
        match = self._pattern.fullmatch(name)
        if match is None:
            self.left_out.append(member.name)
            return None
        if not member.is_file:
            raise self._fault(f"member {member.name!r} is no regular file")
        path = match["path"]
        if path.casefold() in self._paths:  # as on file systems that do not tell cases apart
            raise self._fault(f"member {member.name!r} is there twice")
        self._paths.add(path.casefold())
        return path

    def finish(self) -> None:
        """Look back when all members have been seen.

        Raises
        ------
        ChecksumError
            If none was expected.
        """
        if not self._paths:
            raise self._fault(f"none of its {self._n_members} members is expected, first {self.left_out[:3]}")

    def _count(self, member: Member) -> None:
        self._n_members += 1
        self._n_bytes += max(member.size, 0)
        if self._n_members > self._file.max_members:
            raise self._fault(f"more than {self._file.max_members} members")
        if member.size < 0 or self._n_bytes > self._file.max_bytes:
            raise self._fault(
                f"member {member.name!r} claims {member.size} bytes, more than {self._file.max_bytes} in all"
            )

    def _fault(self, reason: str) -> ChecksumError:
        return ChecksumError(f"{self._file.archive}: {reason}; nothing was unpacked")


def _leads_out(name: str) -> bool:
    """Whether a path is not plainly one within a folder; that of the folder itself is."""
    parts = name.removesuffix("/").split("/")
    is_plain = name in ("", ".") or not {"", ".", ".."} & set(parts)
    return not is_plain or "\\" in name or any(ord(letter) < 32 for letter in name)

"""The finished blocks of an encoding, in a folder beside its output."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from spikedata.disk import WorkFolder
from spikedata.encoding.blocks import Block
from spikedata.files.reader import SpikeFile
from spikedata.files.schema import FormatError


def blocks_folder(output: Path) -> Path:
    """The folder in which the blocks of an output are kept until all are finished.

    Parameters
    ----------
    output : Path
        The file or folder to be made.
    """
    return output.with_name(f"{output.name}.parts")


class BlockFolder:
    """The blocks of one output, for one process at a time.

    A block is a spike file named by a digest of everything that determines its content, so a block is finished if its
    file exists. Use it as ``with BlockFolder(output) as folder``; the folder remains at the end if it has blocks in it.

    Parameters
    ----------
    output : Path
        The file or folder to be made.

    Raises
    ------
    OutputError
        If the folder cannot be created, or another process is making the same output.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.path = blocks_folder(output)
        self._room: WorkFolder | None = None

    def __enter__(self) -> Self:
        """Create the folder and lock it against other processes."""
        self._room = WorkFolder(self.path, busy=f"{self._output}: another process is making it")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder if it has no blocks in it; release the lock."""
        if not any(self.path.glob("*.h5")):
            self.remove()
        elif self._room is not None:
            self._room.leave()

    def place_of(self, block: Block) -> Path:
        """Path of a block, finished or not.

        Parameters
        ----------
        block : Block
            The block.
        """
        return self.path / f"{block.name}.h5"

    def missing(self, blocks: Iterable[Block], *, may_skip: bool) -> list[Block]:
        """The blocks that are not finished; damaged files are removed first.

        Parameters
        ----------
        blocks : iterable of Block
            All blocks of the output.
        may_skip : bool
            Whether a finished block may lack unusable recordings.
        """
        return [block for block in blocks if not self._is_there(block, may_skip)]

    def remove(self) -> None:
        """Remove the folder with all its blocks."""
        if self._room is not None:
            self._room.remove()

    def _is_there(self, block: Block, may_skip: bool) -> bool:
        path = self.place_of(block)
        if not path.exists():
            return False
        try:
            with SpikeFile(path) as file:
                file.read_events()  # checks every row
                is_whole = len(file) + len(file.skipped) == len(block.members)
                return is_whole and (may_skip or not file.skipped)
        except FormatError:
            path.unlink()
            return False

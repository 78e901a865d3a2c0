"""The blocks that an encoding has made so far, in a folder beside its output."""

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
    """The folder in which the blocks of an output wait until all are there.

    Parameters
    ----------
    output : Path
        File or folder that is being made.
    """
    return output.with_name(f"{output.name}.parts")


class BlockFolder:
    """The blocks of one output, for one process at a time.

    A block is a spike file whose name is a digest of all that decides on its content, so nothing else tells what is
    done. Used as ``with BlockFolder(output) as folder``; at the end the folder stays if it holds blocks.

    Parameters
    ----------
    output : Path
        File or folder that is being made.

    Raises
    ------
    OutputError
        If the folder cannot be made, or another process makes the same output.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.path = blocks_folder(output)
        self._room: WorkFolder | None = None

    def __enter__(self) -> Self:
        """Make the folder, and keep other processes out of it."""
        self._room = WorkFolder(self.path, busy=f"{self._output}: another process is making it")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the folder if it holds no block; let others in."""
        if not any(self.path.glob("*.h5")):
            self.remove()
        elif self._room is not None:
            self._room.leave()

    def place_of(self, block: Block) -> Path:
        """Where a block lies, or will.

        Parameters
        ----------
        block : Block
            The block.
        """
        return self.path / f"{block.name}.h5"

    def missing(self, blocks: Iterable[Block], *, may_skip: bool) -> list[Block]:
        """The blocks that are not there; those that are damaged are removed first.

        Parameters
        ----------
        blocks : iterable of Block
            All blocks of the output.
        may_skip : bool
            Whether a block may lack recordings that could not be used.
        """
        return [block for block in blocks if not self._is_there(block, may_skip)]

    def remove(self) -> None:
        """Remove the folder with all blocks."""
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

"""A progress bar on standard error, for the command line."""

from __future__ import annotations

import sys


class Progress:
    """A bar that is shown where a person watches, and nowhere else.

    Parameters
    ----------
    unit : str
        What is counted.
    total : int, optional
        How many there will be.
    hidden : bool
        Whether to draw nothing in any case.
    """

    def __init__(self, unit: str, total: int | None = None, *, hidden: bool = False) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=total, unit=unit, disable=hidden or not sys.stderr.isatty(), file=sys.stderr, dynamic_ncols=True
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, note: str = "") -> None:
        """One more is done."""
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()

    def at(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def at_stage(self, stage: str, done: int, total: int) -> None:
        """So many of so many are done in a stage, which begins at 0."""
        self._bar.set_description(stage, refresh=False)
        if done == 0:
            self._bar.reset(total)
        self.at(done, total)

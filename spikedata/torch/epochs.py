"""For which epoch each clip of a data set is drawn: counted, or pinned; loader workers share the count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikedata.checks import Seed, checked

_EACH_ANEW = -1  # instead of an epoch


class Epochs:
    """How often each clip was drawn, in memory that loader workers share with the process that started them.

    Process r of w that train together (`torch.distributed`) draws as in epochs r, w + r, 2 w + r, ...

    Parameters
    ----------
    n_clips : int
        How many there are [1].
    """

    def __init__(self, n_clips: int) -> None:
        # the epoch that is pinned, and how often each clip was drawn
        self._state = torch.zeros(n_clips + 1, dtype=torch.int64).share_memory_()
        self._state[0] = _EACH_ANEW
        self._share = (0, 1)

    @property
    def pinned(self) -> int | None:
        """The epoch that is pinned; None if each pass draws anew."""
        pinned = int(self._state[0])
        return None if pinned == _EACH_ANEW else pinned

    def pin(self, epoch: int | None) -> None:
        """Draw for one epoch alone, or with None anew in each pass.

        Parameters
        ----------
        epoch : int or None

        Raises
        ------
        ValueError
            If it is not a whole number, or not in 0..2**63-1.
        """
        self._state[0] = _EACH_ANEW if epoch is None else checked("epoch", epoch, Seed)

    def of(self, chosen: npt.NDArray[np.int64], epoch: int | None = None) -> npt.NDArray[np.int64]:
        """The epoch that each of some clips is drawn for now.

        Parameters
        ----------
        chosen : ndarray of int64, shape (n_chosen,)
            Numbers of the clips.
        epoch : int, optional
            The epoch of all, unless one is pinned. Default: each has its own count, which rises by one.
        """
        pinned = self.pinned if self.pinned is not None else epoch
        if pinned is not None:
            return np.full(chosen.size, pinned)
        counts = self._state.numpy()[1:]
        epochs = np.empty(chosen.size, np.int64)
        for place, clip in enumerate(chosen.tolist()):  # one may come twice
            epochs[place] = counts[clip]
            counts[clip] += 1
        rank, n_processes = _share_of_process() or self._share
        return epochs * n_processes + rank

    def for_part(self, n_clips: int) -> Epochs:
        """Those of some of the clips, which begin to count anew, with the same epoch pinned.

        Parameters
        ----------
        n_clips : int
            How many there are in the part [1].
        """
        part = Epochs(n_clips)
        part._state[0], part._share = self._state[0], self._share
        return part

    def __getstate__(self) -> dict[str, Any]:
        """Say which of the processes this is, since a loader worker cannot ask."""
        return self.__dict__ | {"_share": _share_of_process() or self._share}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Share the memory again."""
        self.__dict__.update(state)
        self._state.share_memory_()


def _share_of_process() -> tuple[int, int] | None:
    """Which of how many processes that train together this one is; None where there is only one, or in its workers."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return None

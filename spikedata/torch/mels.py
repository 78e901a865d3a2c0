"""Recordings as mel bands, a PyTorch data set of currents: the front end that an ear is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from spikedata.acoustics.mel import LogMelParams, log_mel
from spikedata.checks import checked_object
from spikedata.corpora import Clip, Listing, list_source
from spikedata.corpora.audio import read_audio
from spikedata.corpora.source import Source
from spikedata.events.events import row_number


class MelDataset(Dataset[tuple[Tensor, int]]):
    """A map-style data set of recordings as the bands of `spikedata.acoustics.log_mel`.

    An item is a pair of currents (frame, band) and label. A ``DataLoader`` makes batches (clip, frame, band) of them,
    which every network of `spikedata.nn` takes in the place of spike counts. What has been made is kept in memory.

    Parameters
    ----------
    source : path-like, sequence of path-like, or Listing
        The recordings, as `spikedata.encode` takes them.
    corpus, columns
        As `spikedata.encode` takes them.
    params : LogMelParams, optional
        Frames and bands. Default: 80 frames of 10 ms, 40 bands.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        If there are no recordings, or the params are of another class.
    AudioError
        When it is fetched: if a recording cannot be read.

    Examples
    --------
    >>> import spikedata as sd
    >>> digits = MelDataset(sd.embedded_corpus(), corpus="heidelberg_digits")
    >>> currents, label = digits[0]
    >>> currents.shape, digits.classes[label]
    (torch.Size([80, 40]), 'zero')
    """

    def __init__(
        self,
        source: Source | Listing,
        *,
        corpus: str | None = None,
        columns: Mapping[str, str] | None = None,
        params: LogMelParams | None = None,
    ) -> None:
        self.params = LogMelParams() if params is None else checked_object("params", params, LogMelParams)
        self.listing = source if isinstance(source, Listing) else list_source(source, corpus, columns=columns)
        self._clips: tuple[Clip, ...] = self.listing.clips
        self._made: dict[str, Tensor] = {}

    def __len__(self) -> int:
        """Count the clips."""
        return len(self._clips)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """The currents of one clip, of float32 and shape (n_frames, n_bands), and its label."""
        clip = self._clips[row_number(index, len(self), self)]
        if clip.name not in self._made:
            waveform, sample_rate = read_audio(clip.path)
            self._made[clip.name] = torch.from_numpy(log_mel(clip.cut(waveform), sample_rate, self.params))
        return self._made[clip.name].clone(), clip.label  # a copy: what is kept must not change

    def select(self, indices: npt.ArrayLike) -> Self:
        """The same data set with some of the clips, for instance of a part of a split; what was made is shared.

        Parameters
        ----------
        indices : array_like of int or bool
            Which clips, in the order wanted.
        """
        numbers = np.asarray(indices)
        chosen = np.arange(len(self))[numbers if numbers.size else np.empty(0, np.int64)]
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._clips = tuple(self._clips[number] for number in chosen.tolist())
        return part

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.listing.corpus}, {len(self)} clips, {self.params!r})"

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that the labels count in."""
        return self.listing.keys

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class of each clip, shape (n_clips,)."""
        return np.fromiter((clip.label for clip in self._clips), np.int64, len(self))

    @property
    def speakers(self) -> npt.NDArray[np.int64]:
        """Speaker of each clip, shape (n_clips,); -1 where unknown."""
        return np.fromiter((clip.speaker for clip in self._clips), np.int64, len(self))

    @property
    def sources(self) -> tuple[str, ...]:
        """Clip id of each clip."""
        return tuple(clip.name for clip in self._clips)

"""Recordings as a PyTorch data set that encodes them as they are asked for, in another scene in each epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset, get_worker_info

from cochlea import CochleaParams
from spikedata.acoustics import NoiseError, Scene
from spikedata.checks import Seed, checked, checked_object, whole_number
from spikedata.corpora import Clip, Listing, list_source
from spikedata.corpora.audio import AudioError
from spikedata.corpora.source import Source
from spikedata.encoding.blocks import PRESETS
from spikedata.encoding.clips import encode_clip
from spikedata.encoding.hearing import ear_for
from spikedata.encoding.surroundings import ByteCache, Surroundings, pool_for
from spikedata.events import Sample
from spikedata.events.events import Events, row_number, whole_numbers
from spikedata.torch.datasets import binned_items, by_callable, checked_items
from spikedata.torch.epochs import Epochs
from spikedata.transforms import EventTransform
from spikedata.transforms.composition import transformed
from spikedata.transforms.streams import streams_of

_SHARE_OF_NOISE = 4  # of what is kept, the recordings of noise have one part of four


class SoundError(ValueError):
    """A recording that cannot be encoded, or noise that cannot be made; one line, from a loader's worker as well.

    Parameters
    ----------
    message : str
        What is wrong; of several lines, as a ``DataLoader`` passes on an error of its worker, the last one.
    """

    def __init__(self, message: str) -> None:
        # a DataLoader makes an error of its worker anew, from the text of the whole traceback
        last = str(message).strip().splitlines()[-1] if str(message).strip() else ""
        super().__init__(last.removeprefix(f"{__name__}.{type(self).__qualname__}: "))


class SoundDataset(Dataset[Any]):
    """A map-style data set of recordings, each encoded when it is asked for, in the scene of that epoch.

    An item is a `Sample`, or a pair of counts and label if the steps are known, as in `SpikeDataset`; so it goes into
    `spikedata.loader` or a ``DataLoader``. The worker processes of a ``DataLoader`` encode at the same time, one clip
    each; elsewhere, the clips of a batch are encoded by threads.

    The first time a clip is fetched, it is drawn as in epoch 0, the second time as in epoch 1, and so on, as in
    `SpikeDataset`. What it is then depends on its recording, the params, the scene, the seed and the epoch alone, never
    on the batch, the order or the workers. In epoch 0 it is what `spikedata.encode` writes into a file, if the same
    clips may be its noise.

    Babble and speech-shaped noise are made of the clips of the data set itself: of a part that was made by `select`, of
    clips of that part alone. A part made by ``torch.utils.data.Subset`` still has the noise of all.

    Parameters
    ----------
    source : path-like, sequence of path-like, or Listing
        The recordings, as `spikedata.encode` takes them.
    corpus, columns
        As `spikedata.encode` takes them.
    preset : str
        Params of the cochlea: "default", "published" or "human".
    params : CochleaParams, optional
        Params to use instead of a preset.
    scene : Scene, optional
        How each sound is changed before it is encoded. Default: not at all; the hair cells draw anew even so.
    transform : EventTransform or callable, optional
        Of the spikes, as in `SpikeDataset`. One that mixes clips finds no partners here.
    target_transform : callable, optional
        What takes a label and returns what an item has in its place. Batches need whole numbers.
    seed : int
        Seed of all that is drawn.
    dt : float, optional
        Length of a step [s]; goes with `n_steps`.
    n_steps : int, optional
        Number of steps; clips are cropped or padded to them.
    n_variants : int, optional
        How many epochs differ: of a clip, epoch e is epoch e modulo `n_variants`, so that spikes can be kept and used
        again. Default: all differ, and no spikes are kept unless an epoch is pinned.
    cache_bytes : int
        How much is kept in memory [byte]: what was used last, a quarter of it recordings for noise, the rest spikes.
        Loader workers divide it among them.
    workers : int, optional
        Threads that encode a batch [1]; default: one per processor. In the worker processes of a ``DataLoader`` always
        one.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        If there are no recordings, a param is unknown or out of its range, or the scene has a level that the params do
        not hear.
    NoiseError
        If the folder of the noise has no recording.
    SoundError
        When it is fetched: if a recording cannot be used, or its noise cannot be made.

    Examples
    --------
    >>> import spikedata as sd
    >>> babble = Scene(noise="babble", snr=(0, 20))
    >>> digits = SoundDataset(
    ...     sd.embedded_corpus(), corpus="heidelberg_digits", scene=babble, dt=0.02, n_steps=50
    ... )
    >>> counts, label = digits[0]
    >>> counts.shape, digits.classes[label]
    (torch.Size([50, 700]), 'zero')
    """

    def __init__(
        self,
        source: Source | Listing,
        *,
        corpus: str | None = None,
        columns: Mapping[str, str] | None = None,
        preset: str = "default",
        params: CochleaParams | None = None,
        scene: Scene | None = None,
        transform: EventTransform | Callable[[Sample], Sample] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        seed: int = 0,
        dt: float | None = None,
        n_steps: int | None = None,
        n_variants: int | None = None,
        cache_bytes: int = 2**30,
        workers: int | None = None,
    ) -> None:
        is_made = callable(transform) or isinstance(transform, EventTransform)
        if transform is not None and (isinstance(transform, type) or not is_made):
            raise TypeError(f"transform must be an EventTransform or callable, got {transform!r}")
        self.dt, self.n_steps = checked_items(target_transform, dt, n_steps)
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {preset!r}")
        self.scene = None if scene is None else checked_object("scene", scene, Scene)
        given = PRESETS[preset]() if params is None else checked_object("params", params, CochleaParams)
        self.params, self.notes = ear_for(self.scene, given)
        self.transform, self.target_transform = transform, target_transform
        self.seed = checked("seed", seed, Seed)
        self.n_variants = None if n_variants is None else whole_number("n_variants", n_variants, at_least=1)
        self.cache_bytes = whole_number("cache_bytes", cache_bytes, at_least=0)
        self._workers = (os.cpu_count() or 1) if workers is None else whole_number("workers", workers, at_least=1)
        self.listing = source if isinstance(source, Listing) else list_source(source, corpus, columns=columns)
        self._set_clips(self.listing.clips, Epochs(len(self.listing.clips)))

    def _set_clips(self, clips: tuple[Clip, ...], epochs: Epochs) -> None:
        self._clips, self._epochs = clips, epochs
        self._pool = pool_for(self.scene, clips) if clips else None
        self._made: tuple[int, Surroundings | None, ByteCache] | None = None

    def __len__(self) -> int:
        """Count the clips."""
        return len(self._clips)

    def __getitem__(self, index: int) -> Any:
        """One clip, encoded; if the steps are known, its counts and its label."""
        return self.__getitems__([row_number(index, len(self), self)])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Any]:
        """The items of a batch: what a ``DataLoader`` asks for."""
        if self.dt is None or self.n_steps is None or not len(indices):
            return self.samples(indices)
        return binned_items(self._drawn(indices, None), self.dt, self.n_steps, self.target_transform)

    def samples(self, indices: Sequence[int], *, epoch: int | None = None) -> Sequence[Sample]:
        """Clips, encoded, whether the steps are known or not.

        Parameters
        ----------
        indices : sequence of int
            Their numbers.
        epoch : int, optional
            The epoch, unless `set_epoch` has pinned one. Default: each clip anew.

        Raises
        ------
        IndexError
            If there is no such clip.
        SoundError
            If a recording cannot be used, or its noise cannot be made.
        """
        drawn = self._drawn(indices, epoch)
        if self.target_transform is None:
            return drawn
        return [sample._replace(label=self.target_transform(sample.label)) for sample in drawn]

    def _drawn(self, indices: Sequence[int], epoch: int | None) -> list[Sample]:
        chosen = np.arange(len(self))[whole_numbers("indices", indices)]
        pairs = [*zip(chosen.tolist(), self._epochs.of(chosen, epoch).tolist(), strict=True)]
        n_threads = 1 if get_worker_info() is not None else min(self._workers, len(pairs))
        if n_threads <= 1:
            return [self._sample(*pair) for pair in pairs]
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                return [*pool.map(lambda pair: self._sample(*pair), pairs)]
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _sample(self, index: int, epoch: int) -> Sample:
        """A clip in an epoch, transformed."""
        variant = epoch if self.n_variants is None else epoch % self.n_variants
        surroundings, cache = self._in_this_process()
        is_kept = self.n_variants is not None or self._epochs.pinned is not None

        def encode() -> Sample:
            try:
                sample, _ = encode_clip(
                    self._clips[index], self.params, seed=self.seed, epoch=variant, surroundings=surroundings
                )
            except (AudioError, NoiseError, FileNotFoundError) as error:
                raise SoundError(str(error)) from None
            return sample

        sample = cache.get((index, variant), encode, _size_of) if is_kept else encode()
        return self._transformed(sample, index, epoch)

    def _transformed(self, sample: Sample, index: int, epoch: int) -> Sample:
        if self.transform is None:
            return sample
        if not isinstance(self.transform, EventTransform):
            return by_callable(self.transform, sample, self.n_units)
        events = Events.from_samples([sample], keys=self.classes, n_units=self.n_units)
        streams = streams_of(self.seed, epoch, [index])
        return transformed(self.transform, events, streams, events.select(np.empty(0, np.int64)))[0]

    def _in_this_process(self) -> tuple[Surroundings | None, ByteCache]:
        """The scene and what is kept, which a loader worker does not share with others."""
        made = self._made
        if made is None or made[0] != os.getpid():
            worker = get_worker_info()
            most = self.cache_bytes // (1 if worker is None else worker.num_workers)
            noise = ByteCache(most // _SHARE_OF_NOISE if self._pool is not None else 0)
            around = None if self.scene is None else Surroundings(self.scene, self._pool, noise)
            made = (os.getpid(), around, ByteCache(most - noise.most_bytes))
            self._made = made
        return made[1], made[2]

    @property
    def epoch(self) -> int | None:
        """The epoch that `set_epoch` has pinned; None if each pass draws anew."""
        return self._epochs.pinned

    def set_epoch(self, epoch: int | None) -> None:
        """Pin an epoch; loader workers that are running see it, too.

        Parameters
        ----------
        epoch : int or None
            Number of the epoch; with None each pass draws anew again, continuing its count.

        Raises
        ------
        ValueError
            If it is not a whole number, or not in 0..2**63-1.
        """
        self._epochs.pin(epoch)

    def select(self, indices: npt.ArrayLike) -> Self:
        """The same kind of data set with some of the clips, for instance of a part of a split, and noise of these.

        Parameters
        ----------
        indices : array_like of int or bool
            Which clips, in the order wanted.
        """
        numbers = np.asarray(indices)
        chosen = np.arange(len(self))[numbers if numbers.size else np.empty(0, np.int64)]
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._set_clips(tuple(self._clips[number] for number in chosen.tolist()), self._epochs.for_part(chosen.size))
        return part

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is kept."""
        return self.__dict__ | {"_made": None}

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"Number of datapoints: {len(self)}"]
        lines.append(f"Corpus: {self.listing.corpus}, classes: {len(self.classes)}, units: {self.n_units}")
        lines += [f"Scene: {self.scene!r}"] if self.scene is not None else []
        lines += [f"Transform: {self.transform!r}"] if self.transform is not None else []
        lines += [f"Target transform: {self.target_transform!r}"] if self.target_transform is not None else []
        return "\n    ".join(lines)

    @property
    def where(self) -> str:
        """What messages call it: the corpus."""
        return self.listing.corpus

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

    @property
    def n_units(self) -> int:
        """Number of units before the transform, which may leave fewer."""
        return self.params.n_units


def _size_of(sample: Sample) -> int:
    return sample.times.nbytes + sample.units.nbytes + 500  # [byte] of the objects

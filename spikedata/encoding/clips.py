"""Read and encode clips so that whatever goes wrong with one recording is that recording's fault, and no other's."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

import cochlea
from spikedata.acoustics import Drawn, NoiseError
from spikedata.corpora import Clip
from spikedata.corpora.audio import AudioError, read_sound
from spikedata.encoding.blocks import Job
from spikedata.encoding.surroundings import Surroundings, is_of_the_machine
from spikedata.events import Sample

Token = TypeVar("Token")

_logger = logging.getLogger(__name__)


class EncodedClip(NamedTuple, Generic[Token]):
    """What became of a clip.

    Parameters
    ----------
    token : object
        What was given with the clip.
    spikes : Spikes or None
        The spikes; None if the recording cannot be used.
    fault : str
        Why it cannot be used, with its clip id in place of the path, so that the text does not depend on where the
        corpus is; empty if it can.
    error : AudioError, FileNotFoundError or None
        The same with the path, to be raised.
    sample_rate : int
        Of the recording [Hz]; 0 if it cannot be used.
    duration : float
        Of the sound that was encoded [s]; 0 if it cannot be used.
    remark : str
        What a user should know of the clip, with its clip id; mostly empty.
    drawn : Drawn
        What was drawn for its scene.
    """

    token: Token
    spikes: cochlea.Spikes | None = None
    fault: str = ""
    error: AudioError | FileNotFoundError | None = None
    sample_rate: int = 0
    duration: float = 0.0
    remark: str = ""
    drawn: Drawn = Drawn()


class _Loaded(NamedTuple):
    """A clip in its scene, as it enters the cochlea."""

    waveform: npt.NDArray[np.float64]
    sample_rate: int
    remark: str
    drawn: Drawn


def encode_each(
    clips: Iterable[tuple[Token, Clip]], job: Job, *, workers: int | None = None, to_first_fault: bool = False
) -> Generator[EncodedClip[Token], None, None]:
    """The spikes of each clip, or why it has none, in the order of the clips.

    Whoever stops before the end should close the generator, which waits for the threads.

    Parameters
    ----------
    clips : iterable of (object, Clip)
        The clips, each with an object that is returned with its result. They are read only a few ahead.
    job : Job
        What determines the spikes.
    workers : int, optional
        Threads [1]; default: one per processor.
    to_first_fault : bool
        Whether to read no further than to the first recording that cannot be read.

    Yields
    ------
    EncodedClip
        An error in reading or encoding a clip is returned, not raised, whatever it is.

    Raises
    ------
    NoiseError
        If no noise can be made for the scene.
    OSError, ImportError
        If this machine has too many open files, or lacks a library: every clip would have that error.
    """
    waiting: deque[tuple[EncodedClip[Token], Clip]] = deque()
    keeps_offset = job.params.stimulus.high_pass is None
    surroundings = None if job.scene is None else Surroundings(job.scene, job.pool)

    def load(clip: Clip) -> _Loaded:
        return _load(clip, surroundings, seed=job.seed, keeps_offset=keeps_offset)

    def read() -> Iterator[tuple[npt.NDArray[np.float64], int, str]]:
        # A scene takes time, so that several threads make scenes; to read a recording takes next to none.
        n_threads = 0 if surroundings is None else workers or os.cpu_count() or 1
        with closing(_mapped(load, clips, n_threads)) as results:
            for token, clip, loaded in results:
                if isinstance(loaded, Exception):
                    # noise is not the clip's fault, and would be missing for others as well
                    if is_of_the_machine(loaded) or isinstance(loaded, NoiseError):
                        raise loaded
                    waiting.append((_at_fault(token, clip, loaded), clip))
                    if to_first_fault:
                        return
                    continue
                waveform, sample_rate, remark, drawn = loaded
                duration = waveform.size / sample_rate
                turn = EncodedClip(token, sample_rate=sample_rate, duration=duration, remark=remark, drawn=drawn)
                waiting.append((turn, clip))
                del loaded
                yield waveform, sample_rate, clip.name
                del waveform

    encoded = cochlea.encode_many(
        read(), job.params, seed=job.seed, workers=workers, refuse_silence=True, return_exceptions=True
    )
    with closing(encoded):
        for result in encoded:
            while waiting[0][0].fault:
                yield waiting.popleft()[0]
            turn, clip = waiting.popleft()
            yield _at_fault(turn.token, clip, result) if isinstance(result, Exception) else turn._replace(spikes=result)
    for turn, _ in waiting:
        yield turn


def encode_clip(
    clip: Clip,
    params: cochlea.CochleaParams,
    *,
    seed: int,
    epoch: int = 0,
    surroundings: Surroundings | None = None,
) -> tuple[Sample, Drawn]:
    """The spikes of one clip in one epoch, and what was drawn for its scene.

    In epoch 0 they are those of a file that was encoded with the same params, scene and seed; in each other epoch the
    scene and the hair cells draw anew.

    Parameters
    ----------
    clip : Clip
    params : CochleaParams
    seed : int
        Seed of the data set.
    epoch : int
        Number of the epoch, from 0.
    surroundings : Surroundings, optional
        The scene. Default: the recording as it is.

    Returns
    -------
    Sample
        With times in the precision in which a file stores them, float32.
    Drawn

    Raises
    ------
    AudioError, FileNotFoundError
        If the recording is unusable.
    NoiseError
        If no noise can be made for it.
    OSError, ImportError
        If this machine has too many open files, or lacks a library.
    """
    try:
        waveform, sample_rate, _, drawn = _load(clip, surroundings, seed=seed, epoch=epoch)
        key = clip.name if epoch == 0 else f"{clip.name}\0{epoch}"
        spikes = cochlea.encode(waveform, sample_rate, params, seed=seed, key=key, refuse_silence=True)
    except NoiseError:
        raise
    except Exception as error:
        if is_of_the_machine(error):
            raise
        raise (_at_fault(None, clip, error).error or error) from None
    times = spikes.times.astype(np.float32).astype(np.float64)
    length = waveform.size / sample_rate
    heard = Sample(times, spikes.units, clip.label, clip.speaker, clip.name, sample_rate, params.n_units, length)
    return heard, drawn


def _load(
    clip: Clip, surroundings: Surroundings | None, *, seed: int, epoch: int = 0, keeps_offset: bool = False
) -> _Loaded:
    """A clip in its scene, with a remark on its offset where the cochlea keeps it."""
    waveform, sample_rate = read_sound(clip.path)
    waveform = clip.cut(waveform)
    remark = _remark_on_offset(waveform, clip) if keeps_offset else ""
    if surroundings is None:
        return _Loaded(waveform, sample_rate, remark, Drawn())
    staged = surroundings.stage(waveform, sample_rate, clip, seed=seed, epoch=epoch)
    return _Loaded(staged.waveform, sample_rate, remark, staged.drawn)


def _mapped(
    load: Callable[[Clip], _Loaded], clips: Iterable[tuple[Token, Clip]], n_threads: int
) -> Generator[tuple[Token, Clip, _Loaded | Exception], None, None]:
    """Each clip loaded, or the error, in the order of the clips; by threads, a few ahead, or by none."""

    def attempt(clip: Clip) -> _Loaded | Exception:
        try:
            return load(clip)
        except Exception as error:  # judged by whoever takes it
            return error

    if not n_threads:
        yield from ((token, clip, attempt(clip)) for token, clip in clips)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        pending: deque[tuple[Token, Clip, Future[_Loaded | Exception]]] = deque()
        try:
            for token, clip in clips:
                pending.append((token, clip, pool.submit(attempt, clip)))
                if len(pending) > n_threads:  # no more: a recording may be of hours
                    first, its_clip, loaded = pending.popleft()
                    yield first, its_clip, loaded.result()
            while pending:
                first, its_clip, loaded = pending.popleft()
                yield first, its_clip, loaded.result()
        finally:  # also when the caller stops early
            pool.shutdown(wait=True, cancel_futures=True)


def _at_fault(token: Token, clip: Clip, error: Exception) -> EncodedClip[Token]:
    path = str(clip.path)
    if not isinstance(error, AudioError | FileNotFoundError):
        if not isinstance(error, ValueError | OSError | MemoryError):  # one that nobody foresaw: with -v, all of it
            _logger.info("%s", path, exc_info=error)
        error = AudioError(f"{path}: {_describe(error)}")
    if len(str(error).splitlines()) > 1:  # the name of a file may have a line break in it
        error = type(error)(" ".join(str(error).splitlines()))
    return EncodedClip(token, fault=str(error).replace(" ".join(path.splitlines()), clip.name, 1), error=error)


def _describe(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"needs more memory than there is{f': {text}' if text else ''}"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or text}"
    # other built-in errors rarely say what they are
    return text if type(error) is ValueError and text else f"cannot be used: {type(error).__name__}: {text}"


def _remark_on_offset(waveform: npt.NDArray[np.float64], clip: Clip) -> str:
    with np.errstate(all="ignore"):  # a sound near the largest number has no mean, and no remark
        offset, sound = float(waveform.mean()), float(waveform.std())
    if not abs(offset) > sound > 0.0:
        return ""
    return (
        f"{clip.name}: its offset, {offset:.3g}, is larger than its sound, {sound:.3g} (root mean square); "
        "these params set the level with it, so fewer spikes are left"
    )

"""Where a listener's sound comes from: a microphone, or a recording that is played."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import cochlea
from cochlea.stimulus import as_sample_rate
from spikedata.checks import Positive, checked
from spikedata.corpora.audio import MicrophoneError, read_sound

_BLOCK = 0.02  # [s]
_MOST_WAITING = 60.0  # [s] of sound that may wait for a listener that cannot keep up


class Player:
    """A recording as it would come from a microphone: block by block, each when it has been said.

    Parameters
    ----------
    recording : str, path-like, or (array_like, float)
        A recording in any format that `spikedata.read_audio` takes; or samples, shape (n_samples,) [1], and their
        sample rate [Hz].
    block : float
        Length of a block [s].
    silence : float
        How much silence follows, so that the last word ends as it would in a room [s].
    in_real_time : bool
        Whether each block comes when it would have been said. If not, all come at once, and the clock is reckoned: a
        block that has been said while the listener was computing is taken up when it is done, by the time that the
        process has spent on it.

    Raises
    ------
    FileNotFoundError
        If there is no such recording.
    AudioError
        If the file is no recording.
    ValueError
        If the samples or a length are out of range.
    """

    def __init__(
        self,
        recording: str | os.PathLike[str] | tuple[npt.ArrayLike, float],
        *,
        block: float = _BLOCK,
        silence: float = 0.5,
        in_real_time: bool = True,
    ) -> None:
        if isinstance(recording, tuple):
            waveform, self._rate = cochlea.as_waveform(recording[0]), as_sample_rate(recording[1])
        else:
            waveform, self._rate = read_sound(recording)
        silence = checked("silence", silence, float)
        self._n_block = max(1, round(checked("block", block, Positive) * self._rate))
        self._waveform = np.concatenate([waveform, np.zeros(round(max(0.0, silence) * self._rate))])
        self._in_real_time = in_real_time
        self._began = 0.0
        self._reckoned = 0.0
        self._handed = 0.0
        #: Seconds that the listener took for each block.
        self.seconds: list[float] = []

    @property
    def sample_rate(self) -> int:
        """Of the blocks [Hz]."""
        return self._rate

    @property
    def duration(self) -> float:
        """Of the recording and the silence behind it [s]."""
        return self._waveform.size / self._rate

    def clock(self) -> float:
        """The time since the sound began [s]."""
        if self._in_real_time:
            return time.perf_counter() - self._began
        return self._reckoned + time.process_time() - self._handed

    def __iter__(self) -> Iterator[npt.NDArray[np.float64]]:
        """The blocks, each of shape (n_samples,) [1]."""
        self.seconds.clear()
        self._began, self._reckoned, self._handed = time.perf_counter(), 0.0, time.process_time()
        for first in range(0, self._waveform.size, self._n_block):
            block = self._waveform[first : first + self._n_block]
            said = (first + block.size) / self._rate
            if self._in_real_time:
                time.sleep(max(0.0, said - self.clock()))
            else:
                self._reckoned, self._handed = max(said, self.clock()), time.process_time()
            taken_up = self.clock()
            yield block
            self.seconds.append(self.clock() - taken_up)


class Microphone:
    """What a microphone hears, block by block; a context manager, which records from its beginning to its end.

    Needs `sounddevice`: ``pip install 'spikedata-audio[microphone]'``.

    Parameters
    ----------
    device : int or str, optional
        Number of the device, or a part of its name; default: that of the system [1]. ``python -m sounddevice`` lists
        them.
    sample_rate : float, optional
        Default: the device's own [Hz].
    seconds : float, optional
        How long to listen; default: until the loop is left [s].
    block : float
        Length of a block [s].

    Raises
    ------
    MicrophoneError
        If `sounddevice` or its library is not installed, or there is no such device.
    ValueError
        If a number is out of range.
    """

    def __init__(
        self,
        device: int | str | None = None,
        *,
        sample_rate: float | None = None,
        seconds: float | None = None,
        block: float = _BLOCK,
    ) -> None:
        seconds = None if seconds is None else checked("seconds", seconds, Positive)
        block = checked("block", block, Positive)
        self._device = device
        self._sound: Any = _sounddevice()
        try:
            found = self._sound.query_devices(device, "input")
        except (ValueError, self._sound.PortAudioError) as error:
            raise MicrophoneError(_no_microphone(device, error)) from None
        self._rate = as_sample_rate(round(found["default_samplerate"]) if sample_rate is None else sample_rate)
        self._n_block = max(1, round(block * self._rate))
        self._n_blocks = None if seconds is None else -(-round(seconds * self._rate) // self._n_block)
        self._waiting: queue.Queue[npt.NDArray[np.float64]] = queue.Queue(round(_MOST_WAITING / block))
        self._stream: Any = None
        self._n_heard = 0
        self._began = float("inf")
        #: Blocks that were lost since the listener, or the system, could not keep up.
        self.n_lost = 0

    @property
    def sample_rate(self) -> int:
        """Of the blocks [Hz]."""
        return self._rate

    def clock(self) -> float:
        """The time since the sound began [s]."""
        return time.perf_counter() - self._began

    def __enter__(self) -> Self:
        try:
            self._stream = self._sound.InputStream(
                samplerate=self._rate, blocksize=self._n_block, device=self._device, channels=1, dtype="float32",
                callback=self._take,
            )  # fmt: skip
            self._stream.start()
        except (ValueError, self._sound.PortAudioError) as error:
            raise MicrophoneError(_no_microphone(self._device, error)) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()

    def __iter__(self) -> Iterator[npt.NDArray[np.float64]]:
        """The blocks as they come, each of shape (n_samples,) [1]."""
        if self._stream is None:
            raise ValueError("a Microphone must be entered before it is listened to: with Microphone() as source")
        n_given = 0
        while self._n_blocks is None or n_given < self._n_blocks:
            try:
                yield self._waiting.get(timeout=5.0)
            except queue.Empty:
                raise MicrophoneError(_no_microphone(self._device, "no sound has come for 5 s")) from None
            n_given += 1

    def _take(self, block: npt.NDArray[np.float32], n_samples: int, times: object, status: Any) -> None:
        # Called by the library in a thread of its own. The earliest that any block came at, less its place in the
        # sound, is the beginning of the sound.
        self._n_heard += 1
        self._began = min(self._began, time.perf_counter() - self._n_heard * self._n_block / self._rate)
        if status:
            self.n_lost += 1
        try:
            self._waiting.put_nowait(block[:, 0].astype(np.float64))
        except queue.Full:
            self.n_lost += 1


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise MicrophoneError(
            "a microphone needs sounddevice: pip install 'spikedata-audio[microphone]'"
        ) from None  # fmt: skip
    except OSError as error:
        raise MicrophoneError(
            f"{error}: sounddevice needs it; install it with the packages of the system, as apt install libportaudio2"
        ) from None
    return sounddevice


def _no_microphone(device: int | str | None, why: object) -> str:
    what = "microphone" if device is None else f"microphone {device!r}"
    reason = " ".join(str(why).split()) or "the system has none"
    return f"no {what}: {reason}; python -m sounddevice lists those that are there, and --device takes a number of it"

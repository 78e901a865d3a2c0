"""Recognize words as they are spoken: find each by its energy when it has ended, and ask the network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

import cochlea
from cochlea.high_pass import RunningHighPass
from cochlea.stimulus import as_sample_rate
from spikedata.recognition.pretrained import Pretrained, network_to_hear_with
from spikedata.recognition.recognize import Recognition, longest_word, recognize_word
from spikedata.recognition.words import (
    CUTOFF,
    HOP,
    LONGEST_GAP,
    bounds_of,
    hop_of,
    is_faint,
    levels_of,
    loud_stretches,
)

_WINDOW = 10.0  # [s] of sound by which noise and loudness are judged
_QUIETEST = -60.0  # [dB re full scale] of the loudest frame: what is fainter is no speech into a microphone
_MOST = 1e6  # [1] times full scale, whose squares are far from overflowing
_SAME = 2  # [frames] by which a word may be cut otherwise than it was when it was recognized


class Spotted(NamedTuple):
    """A stretch of sound that may be a word.

    Parameters
    ----------
    start, stop : int
        Its first sample and the one behind its last, with what surrounds it [1].
    end : int
        The sample at which it falls quiet [1].
    is_ended : bool
        Whether it is quiet for so long that what follows is another word.
    is_faint : bool
        Whether it is too faint for a word.
    """

    start: int
    stop: int
    end: int
    is_ended: bool
    is_faint: bool


class RunningWords:
    """`find_words` for a sound that has not ended: each word is found when it has been followed by 0.3 s of quiet.

    The rules are those of `find_words`, for what has been heard in the last 10 s: noise and the loudest frame are
    theirs, and a word is judged when it ends, not by what follows. In addition, nothing below -60 dB re full scale is
    a word. What is found does not depend on the lengths of the blocks.

    Parameters
    ----------
    sample_rate : int
        [Hz]
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._hop = hop_of(sample_rate)
        self._high_pass = RunningHighPass(sample_rate, CUTOFF)
        self._n_window = round(_WINDOW / HOP)
        self._filtered = np.empty(0)  # less than a hop
        self._energies = np.empty(0)
        self._n_hops_before = 0  # hops before the first of these
        self._waveform = np.empty(0)
        self._n_before = 0
        self._n_given = 0  # frames up to the end of the last stretch that has ended
        self._n_tried = 0

    def push(self, block: npt.NDArray[np.float64]) -> list[Spotted]:
        """What is spotted with another block: each word as it may have ended, after 0.12 s of quiet, and as it has.

        Parameters
        ----------
        block : ndarray of float64, shape (n_samples,)
            The next samples [1].
        """
        self._forget()
        self._waveform = np.concatenate([self._waveform, block])
        return self._look(self._high_pass.push(block.copy()))

    def finish(self) -> list[Spotted]:
        """What is spotted at the end of the sound."""
        found = self._look(self._high_pass.finish())
        return [*found, *self._judge(len(self._energies), has_ended=True)]

    def samples(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """The samples of what the last call has spotted."""
        return self._waveform[max(0, start - self._n_before) : stop - self._n_before]

    def _forget(self) -> None:
        passed = len(self._energies) - self._n_window
        if passed > 0:
            self._energies = self._energies[passed:]
            self._n_hops_before += passed
        n_passed = (self._n_hops_before - 10) * self._hop - self._n_before
        if n_passed > 0:
            self._waveform = self._waveform[n_passed:]
            self._n_before += n_passed

    def _look(self, filtered: npt.NDArray[np.float64]) -> list[Spotted]:
        heard = np.concatenate([self._filtered, filtered])
        n_new = heard.size // self._hop
        self._filtered = heard[n_new * self._hop :]
        energies = np.square(heard[: n_new * self._hop]).reshape(n_new, self._hop).sum(axis=1)
        n_old = len(self._energies)
        self._energies = np.concatenate([self._energies, energies])
        return [spotted for n in range(n_old + 1, n_old + n_new + 1) for spotted in self._judge(n)]

    def _judge(self, n_hops: int, *, has_ended: bool = False) -> Iterator[Spotted]:
        """What is to be said when so many of the energies are known."""
        first = max(0, n_hops - self._n_window)
        energies = self._energies[first:n_hops]
        if len(energies) < 2:
            return
        frames = energies[:-1] + energies[1:]
        if frames.max() <= 10 ** (_QUIETEST / 10) * 2 * self._hop:
            return
        n_earlier = self._n_hops_before + first
        n_known = n_earlier + n_hops - first
        stretches = loud_stretches(levels_of(frames), max(0, self._n_given - n_earlier))
        loudest = max((stretch.peak for stretch in stretches if stretch.is_long), default=0.0)
        for number, stretch in enumerate(stretches):
            stretch = stretch._replace(first=stretch.first + n_earlier, last=stretch.last + n_earlier)
            if stretch.last < self._n_given:
                continue
            # The next frame would be so far behind the last one that it belonged to another word.
            is_followed = number + 1 < len(stretches) or (n_known - 1 - stretch.last) * HOP > LONGEST_GAP
            n_samples = self._n_before + self._waveform.size if has_ended else n_known * self._hop
            start, stop = bounds_of(stretch, self._rate, n_samples)
            is_whole = stop < n_known * self._hop and self._n_tried <= stretch.last
            if has_ended or is_followed or is_whole:
                spotted = Spotted(
                    max(start, self._n_given * self._hop),
                    stop,
                    (stretch.last + 2) * self._hop,
                    has_ended or is_followed,
                    is_faint(stretch.peak, loudest),
                )
                self._n_tried = stretch.last + 1
                if spotted.is_ended:
                    self._n_given = stretch.last + 1
                if stretch.is_long:
                    yield spotted


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """What sounded in a stream, as a network heard it.

    Parameters
    ----------
    recognition : Recognition or None
        The word; its `start` and `stop` count from the start of the stream. None if it is no word: see `note`.
    start, end : float
        When it began to sound and when it fell quiet, from the start of the stream [s].
    is_final : bool
        Whether it has ended; if not, more of the same word may follow, and another answer.
    note : str
        Why it is no word; empty if it is one.
    latency : float or None
        Time from its end to the answer, that of computing included [s]; None where the source has no clock.
    """

    recognition: Recognition | None
    start: float
    end: float
    is_final: bool = True
    note: str = ""
    latency: float | None = None


@runtime_checkable
class Source(Protocol):
    """What a listener takes its sound from: blocks of samples as they come, their rate, and a clock.

    `Player` and `Microphone` are such sources.
    """

    @property
    def sample_rate(self) -> int:
        """Of the blocks [Hz]."""

    def __iter__(self) -> Iterator[npt.NDArray[np.float64]]:
        """The blocks, each of shape (n_samples,) [1]."""

    def clock(self) -> float:
        """The time since the sound began [s]."""


class Listener:
    """Words in a sound that comes block by block; `listen` does the same for a source of blocks.

    Each word is cut out as soon as it may have ended, 0.12 s after it falls quiet, and recognized as `recognize` does
    it: brought to the level of the training, encoded, and heard by the network from its beginning. The answer is given
    when 0.3 s have been quiet, so most of the computing is done by then. If the word goes on, it is recognized anew.

    So each word is heard whole, and any network can be used, whether it is causal or not.

    Parameters
    ----------
    sample_rate : float
        Of the blocks, a whole number of at least 1,000 [Hz].
    network : str, path-like or Pretrained
        As in `recognize`.
    params : CochleaParams, optional
        As in `recognize`.
    provisional : bool
        Whether the answers for words that may have ended are given, too.

    Raises
    ------
    ValueError
        If the sample rate is out of range, or the network cannot be used (see `recognize`).
    FileNotFoundError
        If there is no such run.
    """

    def __init__(
        self,
        sample_rate: float,
        *,
        network: str | os.PathLike[str] | Pretrained = "digits",
        params: cochlea.CochleaParams | None = None,
        provisional: bool = False,
    ) -> None:
        self._rate = as_sample_rate(sample_rate)
        self._ear = network_to_hear_with(network, params)
        self._words = RunningWords(self._rate)
        self._tried: tuple[Spotted, Heard] | None = None
        self._gives_provisional = provisional
        self._is_finished = False

    def push(self, block: npt.ArrayLike) -> list[Heard]:
        """What has been heard with another block, in its order.

        Parameters
        ----------
        block : array_like, shape (n_samples,)
            The next samples, any number of them; integers are scaled by the range of their type [1].

        Raises
        ------
        ValueError
            If the block is not one-dimensional and real, has a sample that is not finite or beyond 1e6 times full
            scale, or the listener is finished. Nothing of such a block has been heard, and the listener can go on.
        """
        self._refuse_if_finished("push")
        samples = np.asarray(block)
        if samples.ndim == 1 and samples.size == 0 and samples.dtype.kind in "iuf":
            return []
        waveform = cochlea.as_waveform(block)
        peak = float(np.abs(waveform).max())
        if peak > _MOST:
            raise ValueError(f"samples must be within {_MOST:g} times full scale, got {peak:g}")
        return self._answer(self._words.push(waveform))

    def finish(self) -> list[Heard]:
        """What was heard last; the listener takes no more.

        Raises
        ------
        ValueError
            If the listener is finished.
        """
        self._refuse_if_finished("finish")
        self._is_finished = True
        return self._answer(self._words.finish())

    def _refuse_if_finished(self, what: str) -> None:
        if self._is_finished:
            raise ValueError(f"{what} must not be called on a listener that is finished; make another one")

    def _answer(self, found: list[Spotted]) -> list[Heard]:
        heard = []
        for spotted in found:
            if spotted.is_faint:
                continue
            answer = self._known(spotted) or self._recognized(spotted)
            self._tried = None if spotted.is_ended else (spotted, answer)
            if spotted.is_ended or (self._gives_provisional and answer.recognition is not None):
                heard.append(replace(answer, is_final=spotted.is_ended))
        return heard

    def _known(self, spotted: Spotted) -> Heard | None:
        if self._tried is None:
            return None
        before, answer = self._tried
        apart = max(abs(before.start - spotted.start), abs(before.stop - spotted.stop))
        return answer if apart <= _SAME * hop_of(self._rate) else None

    def _recognized(self, spotted: Spotted) -> Heard:
        waveform = self._words.samples(spotted.start, spotted.stop)
        start, end, seconds = spotted.start / self._rate, spotted.end / self._rate, waveform.size / self._rate
        if seconds > longest_word(self._ear):
            note = f"sounds for {seconds:.1f} s without a pause, a word for at most {longest_word(self._ear):g} s"
            return Heard(recognition=None, start=start, end=end, note=note)
        try:
            return Heard(recognition=recognize_word(waveform, self._rate, self._ear, start=start), start=start, end=end)
        except ValueError as error:  # nothing that is above the hearing threshold of the cochlea's filter
            return Heard(recognition=None, start=start, end=end, note=str(error))


def listen(
    source: Source | Iterable[npt.ArrayLike],
    sample_rate: float | None = None,
    *,
    network: str | os.PathLike[str] | Pretrained = "digits",
    params: cochlea.CochleaParams | None = None,
    provisional: bool = False,
) -> Iterator[Heard]:
    """The words in a sound, each as soon as it has ended.

    Parameters
    ----------
    source : Source or iterable of array_like
        A `Microphone`, a `Player`, or blocks of samples, shape (n_samples,) [1].
    sample_rate : float, optional
        Of blocks; a source says it itself [Hz].
    network, params, provisional
        As for `Listener`.

    Yields
    ------
    Heard
        A word, or a sound that goes on for longer than one; what is much fainter than the words of the last 10 s is
        passed over.

    Raises
    ------
    ValueError
        If there is no sample rate, or a block or the network cannot be used; see `Listener`.
    FileNotFoundError
        If there is no such run.

    Examples
    --------
    >>> import spikedata as sd
    >>> waveform, rate = sd.read_audio(sd.embedded_corpus() / "lang-german_speaker-04_trial-0_digit-7.flac")
    >>> blocks = [waveform[first : first + 320] for first in range(0, len(waveform), 320)]
    >>> [heard.recognition.word for heard in sd.listen(blocks, rate)]
    ['sieben']
    """
    clock = None
    if isinstance(source, Source):
        if sample_rate is not None and sample_rate != source.sample_rate:
            raise ValueError(f"sample_rate must be that of its source, {source.sample_rate}, got {sample_rate!r}")
        sample_rate, clock = source.sample_rate, source.clock
    if sample_rate is None:
        raise ValueError("sample_rate must be given with blocks, got None")
    listener = Listener(sample_rate, network=network, params=params, provisional=provisional)
    return _heard(source, listener, clock)


def _heard(source: Iterable[npt.ArrayLike], listener: Listener, clock: Callable[[], float] | None) -> Iterator[Heard]:
    for block in source:
        yield from _timed(listener.push(block), clock)
    yield from _timed(listener.finish(), clock)


def _timed(found: list[Heard], clock: Callable[[], float] | None) -> list[Heard]:
    return found if clock is None else [replace(heard, latency=clock() - heard.end) for heard in found]

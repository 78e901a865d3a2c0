"""The cochlea for a sound that has not ended: blocks of samples in, spikes out, as those of the whole sound."""

from collections.abc import Iterable
from dataclasses import replace
from math import gcd
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.checks import Bounds, checked, checked_object
from cochlea.engine.blocks import fire_blocks
from cochlea.engine.fused import chain_at_rest
from cochlea.engine.motion import Stretch, at_rest, course_of
from cochlea.engine.traveling_wave import LONGEST_SEGMENT
from cochlea.high_pass import RunningHighPass
from cochlea.model import CochleaParams, Spikes, key_number
from cochlea.stimulus import (
    StimulusParams,
    as_sample_rate,
    as_waveform,
    convolve,
    low_pass,
    pascal,
    ramp,
    refuse_loud,
    too_loud,
    total,
)

_LONGEST_RAMP = 1.0  # [s], which are held back
_NONE = Spikes(np.empty(0), np.empty(0, np.uint16))
_Hop = Annotated[float, Bounds(at_least=0.01, at_most=LONGEST_SEGMENT)]


class Stream:
    """An ear that keeps its state: it takes a sound block by block and gives the spikes that are ready.

    All spikes of a stream together are those that `encode` gives for the whole sound with `stream.params` and the same
    seed and key, whatever the lengths of the blocks:

    - With the default `hop`, to the bit, if `params.stimulus.high_pass` is None: the sound is cut as `encode` cuts it.
    - With a high-pass filter, `encode` takes the mean of the whole sound off before, which the filter does anyway, so
      the pressure differs by the rounding of float64, 1e-16 of it. A spike could differ only where that decides; in
      the recordings that ship with spikedata, none does. But where most of a sound lies below the cutoff, `encode`
      filters it several times; a stream does it once.
    - With a shorter `hop`, the membrane's response to what is long past ends where it has fallen to 1e-4 of that to a
      click, at other times than in `encode`, which cuts it off, too. Then a few spikes come a step earlier or later.

    A sound is refused if its level is above 120 dB SPL over 2.5 s; `encode` judges the level over the whole sound.

    What no stream can do is to bring the whole sound to a level before it has ended. So the params must have a
    `stimulus.full_scale_db_spl`, or it is given here: a fixed gain.

    Memory does not grow with the length of the sound. A stream is used by one thread at a time.

    Parameters
    ----------
    sample_rate : float
        Rate of the waveform, a whole number of at least 1,000 [Hz].
    params : CochleaParams, optional
        Default: `CochleaParams()`. The convention of the membrane must be causal, and a ramp last at most 1 s.
    full_scale_db_spl : float, optional
        The level of a waveform with a root mean square of 1, in place of the level that the params bring every sound to
        [dB SPL]. The relative level of 0.3 that the default preset works at is that of 83.5 dB SPL.
    seed : int
        Seed of the data set, below 2**64.
    key : int or str
        Identifies the sound within the data set, as in `encode`.
    hop : float, optional
        How much sound is heard at once, 0.01 to 2.5 s: the shorter, the sooner the spikes come, and the more is to be
        computed for each second [s]. Default: 2.5 s, as `encode` does it.

    Raises
    ------
    ValueError
        If the params cannot be streamed, or an argument is out of range.
    TypeError
        If `params` is not a `CochleaParams`.

    Examples
    --------
    >>> import cochlea
    >>> sound = np.sin(2 * np.pi * 1000 * np.arange(4_800) / 16_000)
    >>> stream = cochlea.Stream(16_000, full_scale_db_spl=83.5, hop=0.05)
    >>> heard = [stream.push(sound[first : first + 160]) for first in range(0, 4_800, 160)]
    >>> heard.append(stream.finish())
    >>> round(stream.latency, 3)
    0.137
    >>> int(np.median(np.concatenate([spikes.units for spikes in heard])))  # channel 400 responds best to 1 kHz
    378
    """

    def __init__(
        self,
        sample_rate: float,
        params: CochleaParams | None = None,
        *,
        full_scale_db_spl: float | None = None,
        seed: int = 0,
        key: int | str = 0,
        hop: float | None = None,
    ) -> None:
        params = CochleaParams() if params is None else checked_object("params", params, CochleaParams)
        rate = as_sample_rate(sample_rate)
        if full_scale_db_spl is not None:
            stimulus = replace(
                params.stimulus, level=None, level_db_spl=None, full_scale_db_spl=full_scale_db_spl
            )  # fmt: skip
            params = replace(params, stimulus=stimulus)
        _refuse_what_needs_the_end(params)
        self._params = params
        # What `encode` does with a sound of a single segment is known only at its end, so it is done there.
        self._is_cut_as_in_encode = hop is None
        hop = None if hop is None else checked("hop", hop, _Hop)
        self._pressure = _Pressure(rate, params.stimulus)
        self._rate = self._pressure.sample_rate
        membrane = params.basilar_membrane
        self._course = course_of(self._rate, membrane, params.compression, hop=hop)
        self._membrane = at_rest(membrane, params.compression, membrane.sample_rate / 2)
        self._chain = chain_at_rest(
            membrane.sample_rate, params.n_channels, hair_cells=params.hair_cell, nerve=params.auditory_nerve,
            bushy_cells=params.bushy_cell, seed=seed, key=key_number(seed, key), output=params.output,
        )  # fmt: skip
        self._heard = np.empty(0)  # pressure that is still needed
        self._n_before = 0  # samples of pressure before that
        self._next = 0  # unit at which the next stretch begins
        self._is_finished = False

    @property
    def params(self) -> CochleaParams:
        """The params with which `encode` gives the same spikes."""
        return self._params

    @property
    def sample_rate(self) -> int:
        """Rate of the blocks [Hz]."""
        return self._pressure.input_rate

    @property
    def latency(self) -> float:
        """How long a spike may have to wait for sound that comes after it [s], the length of a block not counted.

        It is the hop; the sound behind it that is transformed with it, at least 0.05 s, for the limit of the frequency
        band rings; and the offset ramp, since any sample may be the last one. With a high-pass filter, the first
        spikes have to wait for the onset of the sound: 0.48 s at 20 Hz.
        """
        units = max(grid.hop + grid.after for grid in self._course.grids)
        return units * self._course.tiers[0].samples / self._rate + self._pressure.latency

    def push(self, block: ArrayLike) -> Spikes:
        """The spikes that are ready with another block.

        Parameters
        ----------
        block : array_like, shape (n_samples,)
            The next samples, of any number; integers are scaled by the range of their type [1].

        Returns
        -------
        Spikes
            Times from the start of the stream, none before those of earlier calls [s].

        Raises
        ------
        ValueError
            If the block is not one-dimensional and real, or has a sample that is not finite: then nothing of it has
            been heard, and the stream can go on. If the stream is finished; if the sound is above 120 dB SPL, which
            finishes it.
        """
        self._refuse_if_finished("push")
        samples = np.asarray(block)
        if samples.ndim == 1 and samples.size == 0 and samples.dtype.kind in "iuf":
            return _NONE
        self._hear(self._pressure_of(as_waveform(block)))
        return self._fire_what_is_there()

    def finish(self) -> Spikes:
        """The spikes that are left once the sound has ended; the stream takes no more.

        Raises
        ------
        ValueError
            If the stream is finished, or the sound is above 120 dB SPL.
        """
        self._refuse_if_finished("finish")
        self._hear(self._pressure_of(None))
        self._is_finished = True
        found = self._fire_what_is_there()
        n_samples = self._n_before + self._heard.size
        grid, course, n_steps = self._course.tiers[0], self._course, self._course.tiers[0].steps_of(n_samples)
        begins = range(self._next, grid.units_of(n_samples), grid.hop)
        if self._is_cut_as_in_encode and n_samples and grid.units_of(n_samples) <= grid.hop:
            course = course_of(
                self._rate, self._params.basilar_membrane, self._params.compression, n_samples=n_samples
            )  # fmt: skip
        left = self._fire(course.stretch(self._heard, self._n_before, first, n_steps) for first in begins)
        self._heard = np.empty(0)
        return Spikes(np.concatenate([found.times, left.times]), np.concatenate([found.units, left.units]))

    def _refuse_if_finished(self, what: str) -> None:
        if self._is_finished:
            raise ValueError(f"{what} must not be called on a stream that is finished; make another one")

    def _pressure_of(self, waveform: NDArray[np.float64] | None) -> NDArray[np.float64]:
        try:
            return self._pressure.push(waveform) if waveform is not None else self._pressure.finish()
        except ValueError:  # too loud, which is found out when some of the block has been heard
            self._is_finished = True
            raise

    def _hear(self, pressure: NDArray[np.float64]) -> None:
        self._heard = np.concatenate([self._heard, pressure])

    def _fire_what_is_there(self) -> Spikes:
        grids = self._course.grids
        unit, hop = grids[0].samples, grids[0].hop
        n_samples = self._n_before + self._heard.size
        # A stretch is ready when all is there that is transformed with it.
        last = n_samples // unit - max(grid.hop + grid.after for grid in grids)
        begins = range(self._next, last + 1, hop)
        n_steps = (n_samples // unit + hop) * grids[0].steps  # more than any stretch that is ready has
        found = self._fire(self._course.stretch(self._heard, self._n_before, first, n_steps) for first in begins)
        self._next += len(begins) * hop
        n_passed = max(0, (self._next - max(grid.before for grid in grids)) * unit) - self._n_before
        if n_passed > 0:
            self._heard = self._heard[n_passed:].copy()
            self._n_before += n_passed
        return found

    def _fire(self, stretches: Iterable[Stretch]) -> Spikes:
        steps, units = fire_blocks(self._membrane, stretches, self._chain)
        return Spikes(steps / self._params.basilar_membrane.sample_rate, units.astype(np.uint16))


def _refuse_what_needs_the_end(params: CochleaParams) -> None:
    if params.basilar_membrane.convention != "causal":
        raise ValueError(
            f"BasilarMembraneParams.convention must be causal in a stream, got {params.basilar_membrane.convention}, "
            "which is circular over the sound and responds before it"
        )
    stimulus = params.stimulus
    if stimulus.full_scale_db_spl is None:
        name = "level" if stimulus.level is not None else "level_db_spl"
        raise ValueError(
            f"StimulusParams.{name} must be None in a stream, got {getattr(stimulus, name)!r}: the level of a sound is "
            "known when it has ended; give full_scale_db_spl, as Stream(..., full_scale_db_spl=100)"
        )
    if stimulus.ramp_duration > _LONGEST_RAMP:
        raise ValueError(
            f"StimulusParams.ramp_duration must be <= {_LONGEST_RAMP:g} s in a stream, got {stimulus.ramp_duration!r}"
        )


class _Pressure:
    # `prepare_stimulus` for a sound that comes block by block, at its own level.

    def __init__(self, sample_rate: int, params: StimulusParams) -> None:
        self.input_rate = sample_rate
        self.sample_rate = params.sample_rate or sample_rate
        self._scale = pascal(params.full_scale_db_spl or 0.0)
        self._high_pass = None if params.high_pass is None else RunningHighPass(sample_rate, params.high_pass)
        self._resampler = None if self.sample_rate == sample_rate else _Resampler(sample_rate, self.sample_rate)
        self._loudness = _Loudness(self.sample_rate)
        self._ramps = _Ramps(self.sample_rate, params.ramp_duration)

    @property
    def latency(self) -> float:
        """How long samples are held back [s]."""
        return self._ramps.latency + (0.0 if self._resampler is None else self._resampler.latency)

    def push(self, waveform: NDArray[np.float64]) -> NDArray[np.float64]:
        """The pressure that is ready with a block, which is overwritten."""
        peak = max(-float(waveform.min()), float(waveform.max())) * self._scale
        if peak > 1e50:
            raise too_loud(peak)
        waveform *= self._scale
        if self._high_pass is not None:
            waveform = self._high_pass.push(waveform)
        if self._resampler is not None:
            waveform = self._resampler.push(waveform)
        self._loudness.push(waveform)
        return self._ramps.push(waveform)

    def finish(self) -> NDArray[np.float64]:
        """The pressure that was held back."""
        waveform = np.empty(0) if self._high_pass is None else self._high_pass.finish()
        if self._resampler is not None:
            waveform = self._resampler.finish(waveform)
        self._loudness.push(waveform)
        self._loudness.finish()
        return self._ramps.finish(waveform)


class _Resampler:
    # `resample` for a sound that comes block by block, to the bit.

    def __init__(self, sample_rate: int, new_rate: int) -> None:
        common = gcd(sample_rate, new_rate)
        self._up, self._down = new_rate // common, sample_rate // common
        self._taps = low_pass(self._up, self._down)
        self._half = self._taps.size // 2
        self.latency = self._half / self._up / sample_rate
        self._held = np.empty(0)
        self._n_before = 0
        self._n_made = 0

    def push(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        self._held = np.concatenate([self._held, block])
        n_samples = self._n_before + self._held.size
        # Sample n needs those up to (n down + half) / up.
        made = self._make(max(self._n_made, ((n_samples - 1) * self._up - self._half) // self._down + 1))
        n_passed = max(0, (self._n_made * self._down - self._half) // self._up) - self._n_before
        if n_passed > 0:
            self._held = self._held[n_passed:]
            self._n_before += n_passed
        return made

    def finish(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        made = self.push(block)
        n_all = -(-(self._n_before + self._held.size) * self._up // self._down)
        return np.concatenate([made, self._make(n_all)])

    def _make(self, n_until: int) -> NDArray[np.float64]:
        made = np.empty(n_until - self._n_made)
        convolve(self._held, self._n_before, self._n_made, self._up, self._down, self._taps, made)
        self._n_made = n_until
        return made


class _Ramps:
    # `apply_ramps` for a sound that comes block by block, to the bit: what may be in the offset ramp is held back.

    def __init__(self, sample_rate: int, duration: float) -> None:
        self._n_ramp = round(duration * sample_rate)
        self.latency = self._n_ramp / sample_rate
        self._held = np.empty(0)
        self._has_begun = False

    def push(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        self._held = np.concatenate([self._held, block])
        if not self._has_begun:
            if self._held.size < 2 * self._n_ramp:  # the ramps of so short a sound are shorter
                return np.empty(0)
            self._held[: self._n_ramp] *= ramp(self._n_ramp)
            self._has_begun = True
        n_ready = self._held.size - self._n_ramp
        ready, self._held = self._held[:n_ready], self._held[n_ready:]
        return ready

    def finish(self, block: NDArray[np.float64]) -> NDArray[np.float64]:
        ready = self.push(block)
        n_ramp = self._n_ramp if self._has_begun else self._held.size // 2
        rising = ramp(n_ramp)
        if not self._has_begun:
            self._held[:n_ramp] *= rising
        self._held[self._held.size - n_ramp :] *= rising[::-1]
        return np.concatenate([ready, self._held])


class _Loudness:
    # Refuses what is above the loudest level over 2.5 s: whole pieces, the last one together with the one before it.

    def __init__(self, sample_rate: int) -> None:
        self._n_piece = round(LONGEST_SEGMENT * sample_rate)
        self._power, self._n = 0.0, 0
        self._before = (0.0, 0)

    def push(self, pressure: NDArray[np.float64]) -> None:
        while pressure.size:
            part, pressure = pressure[: self._n_piece - self._n], pressure[self._n_piece - self._n :]
            self._power += total(part, True)
            self._n += part.size
            if self._n == self._n_piece:
                refuse_loud(self._power / self._n)
                self._before = self._power, self._n
                self._power, self._n = 0.0, 0

    def finish(self) -> None:
        n = self._n + self._before[1]
        if n:
            refuse_loud((self._power + self._before[0]) / n)

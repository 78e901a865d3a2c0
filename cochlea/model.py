"""The whole model: from a waveform to the spikes of 700 channels."""

import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import log
from numbers import Integral
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cochlea.auditory_nerve import AuditoryNerveParams
from cochlea.bushy_cell import BushyCellParams
from cochlea.checks import check_fields, checked_object, whole_number
from cochlea.compression import CompressionParams
from cochlea.engine.fused import spike_steps
from cochlea.hair_cell import HairCellParams
from cochlea.stimulus import StimulusParams, prepare_and_judge
from cochlea.sumner_hair_cell import SumnerHairCellParams
from cochlea.transfer_function import BasilarMembraneParams

_MOST_CHANNELS = 3_500  # the inner hair cells of a human cochlea
_LEAST_DENSE = 350 * 0.15  # channels times damping: so many are near enough to each other for hair cells between them
_MOST_UNITS = 65_536  # the number of a unit is stored in 16 bits


class Spikes(NamedTuple):
    """The spikes that one sound evokes.

    Parameters
    ----------
    times : ndarray of float64, shape (n_spikes,)
        Spike times from the start of the sound, in ascending order [s].
    units : ndarray of uint16, shape (n_spikes,)
        Unit of each spike: its channel, or with the output "nerve" its fiber. Unit 0 is at the base of the cochlea and
        has the highest frequency.
    """

    times: NDArray[np.float64]
    units: NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class CochleaParams:
    """The parameters of the cochlea, one object per stage; the default has 700 channels and 3,500 hair cells.

    Parameters
    ----------
    output : {"bushy_cells", "nerve"}
        Whose spikes are the output: those of the bushy cells, one unit for each channel, or those of the nerve, one
        unit for each fiber, at most 65,536 [1].
    stimulus : StimulusParams
    basilar_membrane : BasilarMembraneParams
    compression : CompressionParams or None
        None: the membrane is linear [1].
    hair_cell : HairCellParams or SumnerHairCellParams
    auditory_nerve : AuditoryNerveParams
    bushy_cell : BushyCellParams
    """

    output: Literal["bushy_cells", "nerve"] = "bushy_cells"
    stimulus: StimulusParams = field(default_factory=StimulusParams)
    basilar_membrane: BasilarMembraneParams = field(default_factory=BasilarMembraneParams)
    compression: CompressionParams | None = None
    hair_cell: HairCellParams | SumnerHairCellParams = field(default_factory=HairCellParams)
    auditory_nerve: AuditoryNerveParams = field(default_factory=AuditoryNerveParams)
    bushy_cell: BushyCellParams = field(default_factory=BushyCellParams)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.output == "nerve" and self.n_units > _MOST_UNITS:
            raise ValueError(
                f"CochleaParams.output must be bushy_cells where there are more than {_MOST_UNITS} fibers, got nerve "
                f"with {self.n_hair_cells} hair cells of {self.auditory_nerve.n_fibers} fibers"
            )
        if self.compression is not None:
            self._check_compression(self.compression)

    def _check_compression(self, compression: CompressionParams) -> None:
        membrane = self.basilar_membrane
        if not self.stimulus.is_absolute:
            raise ValueError(
                "CochleaParams.compression must be None where the level is relative, got stimulus.level="
                f"{self.stimulus.level!r}; set it to None, and level_db_spl or full_scale_db_spl to a number"
            )
        if membrane.convention != "causal":
            raise ValueError(
                "CochleaParams.compression must be None in the published convention, got CompressionParams"
            )
        if compression.passive_damping <= membrane.damping:
            raise ValueError(
                f"CompressionParams.passive_damping must be > {membrane.damping:g}, that of the active membrane, "
                f"got {compression.passive_damping!r}"
            )

    @classmethod
    def published(cls) -> "CochleaParams":
        """The setting of SHD and SSC: 700 hair cells with 40 fibers each, and the conventions of their converter."""
        return cls(
            # Without resampling, the published convention would run a recording at 16 kHz on a grid of 8 kHz, which
            # is too coarse for the hair cells. The converter sets the level of a recording with its offset.
            stimulus=StimulusParams(sample_rate=48_000, high_pass=None),
            basilar_membrane=BasilarMembraneParams(convention="published"),
            hair_cell=HairCellParams(n_per_place=1),
            auditory_nerve=AuditoryNerveParams(n_fibers=40),
        )

    @classmethod
    def human(cls) -> "CochleaParams":
        """A human ear at natural sound levels: middle ear, a membrane that compresses, fibers of three kinds.

        Every sound is brought to 65 dB SPL, the level of conversation. For sounds at levels of their own, replace
        `stimulus` by ``StimulusParams(level=None, full_scale_db_spl=...)``.

        The velocity of the membrane is in m/s. Its scale makes the fibers of high spontaneous rate at the place of
        1 kHz respond from 5 dB SPL on; see `docs/explanation/model.md`.
        """
        return cls(
            stimulus=StimulusParams(level=None, level_db_spl=65.0),
            basilar_membrane=BasilarMembraneParams(
                # Together, Q10 8 for soft and 2.5 for loud tones. Without the second filter, a damping of 0.02 is as
                # sharp at the tip, but a place then hears a tone an octave below its own only 20 dB less well, and all
                # of the base responds to a vowel of 40 dB.
                damping=0.05,
                curvature_distance=0.025,
                middle_ear="human",
                # At 1 kHz, the fibers of high spontaneous rate respond from 5 dB SPL on: at 2 um/s, which is 42 dB
                # above the stapes.
                velocity_scale=1.29e-4,
                # The hair cell follows the displacement, of which it loses what is fast: without a tilt of 9 dB per
                # octave, it would need 40 dB more at 8 kHz than at 1 kHz. With it, the middle ear makes the audiogram.
                velocity_exponent=1.5,
            ),
            # The passive membrane has a part in it: the velocity grows by 0.27 dB per dB from 40 to 70 dB SPL.
            compression=CompressionParams(exponent=0.15),
            hair_cell=SumnerHairCellParams(),
            # Shortest interval 0.75 ms, as in Sumner et al. (2003). Relative refractoriness: the mean of Bruce, Erfani,
            # Zilany (2018), whose fibers have 0.13 to 0.89 ms.
            auditory_nerve=AuditoryNerveParams(tau_refractory=0.75e-3, tau_relative=0.5e-3),
            # These fibers fire up to 2.7 times as often as those of the other presets. With their weight of 13,000, a
            # bushy cell would fire up to 490 times a second; with this one, 300 times, and from 20 dB SPL on.
            bushy_cell=BushyCellParams(weight=9000.0),
        )

    def with_channels(self, n_channels: int) -> "CochleaParams":
        """The same ear with another number of channels, evenly spaced on the same membrane.

        As many fibers as before drive each bushy cell (40 in the presets), and the membrane has about as many hair
        cells as before (3,500 in the default): 3,500 channels have one hair cell of 40 fibers each, 700 have five of 8,
        350 have ten of 4. The number of fibers must stay, for it sets how much the drive of a bushy cell fluctuates:
        the weight is shared among them, so their mean drive is the same, but its variance goes with one over their
        number. With 8 fibers instead of 40, a bushy cell fires 51 times a second in silence instead of once.

        Between few channels no hair cells stand, and each channel has one of 40 fibers: the velocity between them
        cannot be interpolated. That begins at a product of `n_channels` and damping of 52.5, which is at 350 channels
        with the default damping of 0.15, where it is off by 5e-4 of its peak (and by 0.1 at 100 channels). Where hair
        cells stand between the channels of this ear, they also do so between more of them.

        With the output "nerve", nothing converges. Each hair cell then keeps its fibers, but for as many cells that
        there would be more fibers than before: 28,000 in the presets.

        Parameters
        ----------
        n_channels : int
            From 16, half an octave apart, to 3,500, one for each inner hair cell of a human cochlea [channels].

        Raises
        ------
        ValueError
            If the number is not a whole number of 16 to 3,500.

        Examples
        --------
        >>> ear = CochleaParams().with_channels(3500)
        >>> ear.n_channels, ear.n_hair_cells, ear.n_fibers_per_channel
        (3500, 3500, 40)
        """
        n_channels = whole_number("n_channels", n_channels, at_least=16, at_most=_MOST_CHANNELS)
        if n_channels == self.n_channels:
            return self
        wanted = self.n_hair_cells / n_channels
        is_dense = n_channels * self.basilar_membrane.damping >= _LEAST_DENSE
        if not is_dense and (n_channels < self.n_channels or self.hair_cell.n_per_place == 1):
            wanted = 1.0
        if self.output == "nerve":
            n_per_place = max(1, round(wanted))
            n_all = self.n_hair_cells * self.auditory_nerve.n_fibers
            n_fibers = max(1, min(self.auditory_nerve.n_fibers, n_all // (n_channels * n_per_place)))
        else:
            n_together = self.n_fibers_per_channel
            n_per_place = min(
                (n for n in range(1, n_together + 1) if n_together % n == 0), key=lambda n: abs(log(n / wanted))
            )
            n_fibers = n_together // n_per_place
        return replace(
            self,
            basilar_membrane=replace(self.basilar_membrane, n_places=n_channels),
            hair_cell=replace(self.hair_cell, n_per_place=n_per_place),
            auditory_nerve=replace(self.auditory_nerve, n_fibers=n_fibers),
        )

    @property
    def n_channels(self) -> int:
        """Number of channels, each the output of one bushy cell."""
        return self.basilar_membrane.n_places

    @property
    def n_units(self) -> int:
        """Number of units of the output: channels, or fibers of the nerve."""
        return self.n_channels if self.output == "bushy_cells" else self.n_hair_cells * self.auditory_nerve.n_fibers

    @property
    def n_hair_cells(self) -> int:
        """Number of inner hair cells along the membrane."""
        return self.n_channels * self.hair_cell.n_per_place

    @property
    def n_fibers_per_channel(self) -> int:
        """Number of nerve fibers that drive one bushy cell."""
        return self.hair_cell.n_per_place * self.auditory_nerve.n_fibers


def encode(
    waveform: ArrayLike,
    sample_rate: float,
    params: CochleaParams | None = None,
    *,
    seed: int = 0,
    key: int | str = 0,
    refuse_silence: bool = False,
) -> Spikes:
    """The spikes that a sound evokes.

    Parameters
    ----------
    waveform : array_like, shape (n_samples,)
        Mono sound [1]. Every sound is brought to the same level, so its own level does not matter, unless
        `params.stimulus.full_scale_db_spl` is a number. Silence stays silent and evokes spontaneous spikes; by default,
        so does a sound that has nothing above 20 Hz.
    sample_rate : float
        Rate of the waveform, a whole number of at least 1,000 [Hz].
    params : CochleaParams, optional
        Default: `CochleaParams()`.
    seed : int
        Seed of the data set, below 2**64.
    key : int or str
        Identifies the clip within the data set: a number below 2**64, or a name. The same waveform, params, seed and
        key give the same spikes; with another key the random numbers are independent.
    refuse_silence : bool
        Whether a silent sound is an error.

    Returns
    -------
    Spikes
        Times in ascending order [s], simultaneous spikes ordered by unit; all units are below `params.n_units`.

    Raises
    ------
    ValueError
        If the waveform is not one-dimensional, is empty or has a sample that is not finite, or if the sample rate, seed
        or key is out of range; if a sound at its own level is above 120 dB SPL; with `refuse_silence`, if all samples
        are equal, or nothing is left of the sound above `params.stimulus.high_pass`.
    TypeError
        If `params` is not a `CochleaParams`.

    References
    ----------
    Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33:2744 (2022).

    Examples
    --------
    >>> time = np.arange(2400) / 48_000
    >>> spikes = encode(np.sin(2 * np.pi * 1000 * time), 48_000, key="a 1 kHz tone of 50 ms")
    >>> bool(350 < np.median(spikes.units) < 420)  # channel 400 responds best to 1 kHz
    True
    """
    params = CochleaParams() if params is None else checked_object("params", params, CochleaParams)
    number = key_number(seed, key)
    pressure, pressure_rate, silence = prepare_and_judge(waveform, sample_rate, params.stimulus)
    if silence and refuse_silence:
        raise ValueError(silence)
    steps, units, rate = spike_steps(
        pressure,
        pressure_rate,
        membrane=params.basilar_membrane,
        compression=params.compression,
        hair_cells=params.hair_cell,
        nerve=params.auditory_nerve,
        bushy_cells=params.bushy_cell,
        seed=seed,
        key=number,
        output=params.output,
    )
    return Spikes(steps / rate, units.astype(np.uint16))


@overload
def encode_many(
    clips: Iterable[tuple[ArrayLike, float, int | str]],
    params: CochleaParams | None = None,
    *,
    seed: int = 0,
    workers: int | None = None,
    refuse_silence: bool = False,
    return_exceptions: Literal[False] = False,
) -> Generator[Spikes, None, None]: ...


@overload
def encode_many(
    clips: Iterable[tuple[ArrayLike, float, int | str]],
    params: CochleaParams | None = None,
    *,
    seed: int = 0,
    workers: int | None = None,
    refuse_silence: bool = False,
    return_exceptions: bool,
) -> Generator[Spikes | Exception, None, None]: ...


def encode_many(
    clips: Iterable[tuple[ArrayLike, float, int | str]],
    params: CochleaParams | None = None,
    *,
    seed: int = 0,
    workers: int | None = None,
    refuse_silence: bool = False,
    return_exceptions: bool = False,
) -> Generator[Spikes | Exception, None, None]:
    """The spikes of many sounds, in the order of the sounds, computed on several threads.

    Whoever stops before the end should close the generator, which waits for the threads.

    Parameters
    ----------
    clips : iterable of (waveform, sample_rate, key)
        The arguments of `encode` for each clip. The iterable is read only a few clips ahead.
    params : CochleaParams, optional
        Default: `CochleaParams()`.
    seed : int
        Seed of the data set, below 2**64.
    workers : int, optional
        Number of threads [1]; default: one per processor. The spikes do not depend on it.
    refuse_silence : bool
        As in `encode`.
    return_exceptions : bool
        Whether an error in `encode` is yielded in place of the spikes of its clip, as by `asyncio.gather`, so that the
        clips behind it are still encoded.

    Yields
    ------
    Spikes
        The spikes of each clip. An error in `encode`, or in `clips` itself, is raised when that clip's turn comes,
        after the clips before it.

    Raises
    ------
    ValueError
        If `workers` is not a whole number of at least 1; raised when the first clip is asked for.
    TypeError
        If `params` is not a `CochleaParams`; raised when the first clip is asked for.
    """
    n_workers = (os.cpu_count() or 1) if workers is None else whole_number("workers", workers, at_least=1)
    if params is not None:
        params = checked_object("params", params, CochleaParams)
    with ThreadPoolExecutor(n_workers) as pool:
        pending: deque[Future[Spikes]] = deque()
        source = iter(clips)
        failure: Exception | None = None
        try:
            while True:
                try:
                    waveform, sample_rate, key = next(source)
                except StopIteration:
                    break
                except Exception as error:  # raised below, once the clips before it have been yielded
                    failure = error
                    break
                pending.append(
                    pool.submit(
                        encode, waveform, sample_rate, params, seed=seed, key=key, refuse_silence=refuse_silence
                    )
                )
                del waveform  # else it would be kept until the next is there
                # Two clips per thread keep all threads busy while the caller uses the oldest result, and bound the
                # memory: `clips` may be a generator over a whole corpus.
                if len(pending) > 2 * n_workers:
                    yield _result(pending.popleft(), return_exceptions)
            while pending:
                yield _result(pending.popleft(), return_exceptions)
            if failure is not None:
                raise failure
        finally:  # also when the caller stops early: clips that have not been started are dropped
            pool.shutdown(wait=True, cancel_futures=True)


def _result(encoded: Future[Spikes], return_exceptions: bool) -> Spikes | Exception:
    error = encoded.exception()
    if return_exceptions and isinstance(error, Exception):
        return error.with_traceback(None)  # whose frames would keep the waveform
    return encoded.result()


def key_number(seed: int, key: int | str) -> int:
    """The key of a clip as a number [1], once seed and key are known to be in range.

    Parameters
    ----------
    seed : int
        Seed of the data set.
    key : int or str
        Number or name of the clip.
    """
    # A name is hashed with SHA-256, since Python's own hash of a string differs from process to process.
    if isinstance(key, str):
        key = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
    for name, value in (("seed", seed), ("key", key)):
        if not isinstance(value, Integral) or not 0 <= value < 2**64:
            raise ValueError(f"{name} must be a whole number from 0 to 2**64 - 1, got {value!r}")
    return int(key)

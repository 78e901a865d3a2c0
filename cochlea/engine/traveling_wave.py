"""The velocity of the membrane for the engine: a few places at a time, and a long sound segment by segment.

A short sound is a single segment. A long sound is cut into segments, each of which is transformed together with the
sound before and after it, over as much time as the membrane remembers. The response of a block of places comes from the
table of the transfer function and is transformed back to a grid in time. In the causal convention the grid points are
the steps of the velocity; in the published convention the velocity is interpolated from them. The tests check this
module against its plain form, `cochlea.basilar_membrane`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.basilar_membrane import fade, memory
from cochlea.compilation import Array, compiled
from cochlea.engine.fourier import plan, smooth_length, transform
from cochlea.engine.fourier import spectrum as spectrum_of
from cochlea.engine.periodic import gain_divisors, grid_length
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import TableAxis, TransferTable, locate, transfer_table

LONGEST_SEGMENT = 2.5  # [s]; longer sounds are cut, so that the memory needed does not grow with their length
# On the side where the membrane remembers nothing (the future in the causal convention, the past in the published one),
# the limit of the frequency band still rings for some ten milliseconds.
_RINGING = 0.05  # [s]
_WORTHWHILE = 2.0  # times fewer grid points than steps, from which on the steps are interpolated


@dataclass(frozen=True)
class Segment:
    """A stretch of sound in the frequency domain, and the steps of the velocity that are computed from it.

    The stretch is the segment itself and its surroundings; it is the period of the transform.

    Parameters
    ----------
    steps : range
        Numbers of the steps in the velocity of the whole sound.
    spectrum : ndarray of complex128, shape (bin,)
        Spectrum of the sound, scaled so that the velocity is the sum over bins of
        spectrum * response * exp(2 pi i bin time / stretch), plus the conjugate of that sum [1].
    axis : TableAxis
        How to interpolate the table at the frequencies of the bins.
    conjugated : bool
        Whether to use the conjugate of the table's response (causal phase).
    n_grid : int or None
        Number of grid points per stretch if they may be the steps; None if they may not. Where the bins of the places
        allow a grid that is much coarser, it is interpolated.
    n_folded : int or None
        Number of steps per stretch, where that is a whole number. Bins k and k - n_folded are then the same at the
        steps, so high bins can be folded back to low ones.
    start, pitch : float
        Time of the first step and time between steps, as fractions of the stretch [1].
    """

    steps: range
    spectrum: NDArray[np.complex128]
    axis: TableAxis
    conjugated: bool
    n_grid: int | None
    n_folded: int | None
    start: float
    pitch: float


class Velocity(NamedTuple):
    """The velocity of some rows of the table during a segment.

    Parameters
    ----------
    grid : ndarray of float32, shape (pair of rows, grid point, 2)
        One period of the velocity; if the number of rows is odd, the second row of the last pair has no meaning [1].
    start, pitch : float
        Position of the segment's first step, and distance between steps [grid points].
    aligned : bool
        Whether the steps are grid points, that is, `start` is whole and `pitch` is 1.
    """

    grid: NDArray[np.float32]
    start: float
    pitch: float
    aligned: bool


@dataclass(frozen=True)
class CausalGrid:
    """How a sound is cut into segments in the causal convention, and what all of its segments share.

    All lengths are in units of the shortest time that is a whole number of samples and of steps.

    Parameters
    ----------
    sample_rate, velocity_rate : int
        Rates of the sound and of the velocity [Hz].
    samples, steps : int
        Samples and steps of a unit [1].
    hop, before, stretch : int
        Length of a segment; how much sound before it is transformed with it; and of all that is transformed [units].
    axis : TableAxis
        How to interpolate the table at the frequencies of the bins.
    kept : ndarray of float64, shape (bin,)
        What the spectrum of the sound is multiplied by [1].
    """

    sample_rate: int
    velocity_rate: int
    samples: int
    steps: int
    hop: int
    before: int
    stretch: int
    axis: TableAxis
    kept: NDArray[np.float64]

    @property
    def after(self) -> int:
        """How much sound behind a segment is transformed with it [units]."""
        return self.stretch - self.before - self.hop

    def units_of(self, n_samples: int) -> int:
        """The number of units [1] that some samples take."""
        return ceil(n_samples / self.samples)

    def steps_of(self, n_samples: int) -> int:
        """The number of steps [1] of the velocity of a sound of some samples."""
        return ceil(n_samples * self.velocity_rate / self.sample_rate)

    def segment(self, pressure: NDArray[np.float64], n_before: int, first: int, n_steps: int) -> Segment:
        """The segment that begins at a unit of the sound.

        Parameters
        ----------
        pressure : ndarray, shape (sample,)
            The sound, or a part of it that holds all that is transformed with the segment, as far as it is there:
            before the beginning and after the end of the sound is silence [1].
        n_before : int
            Samples of the sound that are before this part [1].
        first : int
            Unit of the sound at which the segment begins [1].
        n_steps : int
            Number of steps of the velocity of the whole sound, or more if its end is not yet known [1].
        """
        begin = (first - self.before) * self.samples
        n_in, n_out = self.stretch * self.samples, self.stretch * self.steps
        piece = np.zeros(n_in)
        heard = pressure[max(0, begin) - n_before : begin + n_in - n_before]
        piece[max(0, -begin) :][: heard.size] = heard
        return Segment(
            range(first * self.steps, min((first + self.hop) * self.steps, n_steps)),
            spectrum_of(piece)[: self.kept.size] * self.kept,
            self.axis,
            True,
            n_out if smooth_length(n_out) == n_out else None,
            None,
            self.before / self.stretch,
            1 / n_out,
        )


def is_single(n_samples: int, sample_rate: int, params: BasilarMembraneParams) -> bool:
    """Whether a sound is so short that it is a single segment in the causal convention.

    Parameters
    ----------
    n_samples : int
        Length of the sound [samples].
    sample_rate : int
        Rate of the sound [Hz].
    params : BasilarMembraneParams
    """
    units_per_second = gcd(sample_rate, params.sample_rate)
    return ceil(n_samples / (sample_rate // units_per_second)) <= ceil(LONGEST_SEGMENT * units_per_second)


def causal_grid(
    sample_rate: int,
    params: BasilarMembraneParams,
    remembered: float,
    *,
    hop: float | None = None,
    n_samples: int | None = None,
) -> CausalGrid:
    """How a sound is cut into segments in the causal convention.

    Parameters
    ----------
    sample_rate : int
        Rate of the sound [Hz].
    params : BasilarMembraneParams
    remembered : float
        Time for which the places of interest respond to a click [s].
    hop : float, optional
        Length of a segment [s]; default: 2.5 s.
    n_samples : int, optional
        Length of a sound that is a single segment [samples].
    """
    # A stretch is a whole number of samples and of steps, so that its transforms at the two rates have the same
    # frequencies and no resampling is needed.
    velocity_rate = params.sample_rate
    units_per_second = gcd(sample_rate, velocity_rate)
    samples, steps = sample_rate // units_per_second, velocity_rate // units_per_second
    n_remembered = ceil(remembered * units_per_second)
    if n_samples is None:
        hop = LONGEST_SEGMENT if hop is None else hop
        n_hop, before, after = ceil(hop * units_per_second), n_remembered, ceil(_RINGING * units_per_second)
    else:
        # The transform is circular, so the zeros after the sound are also the silence before it.
        n_hop, before, after = ceil(n_samples / samples), 0, n_remembered
    stretch = smooth_length(before + n_hop + after)
    n_in, n_out = stretch * samples, stretch * steps
    frequencies = np.arange(min(n_in, n_out) // 2 + 1, dtype=np.float64) * (sample_rate / n_in)
    kept = fade(frequencies, velocity_rate) / n_in * params.velocity_scale
    # The velocity is the sum over bins plus its conjugate, which counts a bin twice if it is its own mirror image: that
    # at 0 and, if the sound has a lower rate than the velocity, that at half the rate of the sound.
    kept[0] /= 2.0
    if n_in % 2 == 0 and n_in < n_out:
        kept[-1] /= 2.0
    axis = locate(frequencies, transfer_table(params, velocity_rate / 2))
    return CausalGrid(sample_rate, velocity_rate, samples, steps, n_hop, before, stretch, axis, kept)


def cut_into_segments(
    pressure: NDArray[np.float64],
    sample_rate: int,
    params: BasilarMembraneParams,
    *,
    remembered: float | None = None,
) -> tuple[int, TransferTable, Iterator[Segment]]:
    """The sample rate of the velocity, the table to use, and the segments of the sound.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes [1].
    sample_rate : int
        Rate of the pressure [Hz].
    params : BasilarMembraneParams
    remembered : float, optional
        Time for which the places of interest respond to a click, in the causal convention; default: that of the apex,
        where it is longest [s].

    Returns
    -------
    velocity_rate : int
        Rate of the velocity [Hz].
    table : TransferTable
        The transfer function, up to the highest frequency of the velocity.
    segments : iterator of Segment
        The segments in the order of time, each computed when it is asked for.
    """
    if params.convention == "published":
        table = transfer_table(params, sample_rate / 2)
        return sample_rate // 2, table, _published_segments(pressure, sample_rate, params, table)
    table = transfer_table(params, params.sample_rate / 2)
    if remembered is None:
        remembered = memory(params, params.sample_rate / 2)
    return params.sample_rate, table, _causal_segments(pressure, sample_rate, params, remembered)


def velocity_of_rows(segment: Segment, rows: slice, table: TransferTable, room: NDArray[np.complex64]) -> Velocity:
    """The velocity at some rows of the table during a segment.

    Two rows are transformed at once, as the real and the imaginary part of one complex signal.

    Parameters
    ----------
    segment : Segment
    rows : slice
        Rows of the table, from base to apex.
    table : TransferTable
    room : ndarray of complex64, shape (at least `room_needed`,)
        Memory for the result, which the next call with the same memory overwrites.

    Returns
    -------
    Velocity
    """
    n_relevant = np.minimum(segment.axis.n_relevant[rows], segment.spectrum.size)
    n_bins = max(1, int(n_relevant.max()))
    n_grid = grid_length(_narrowest(n_bins, segment.n_folded))
    # Interpolating costs as much as transforming to about twice as many points (measured).
    aligned = segment.n_grid is not None and _WORTHWHILE * n_grid > segment.n_grid
    if aligned and segment.n_grid is not None:
        n_grid = segment.n_grid
    spectrum = segment.spectrum[:n_bins]
    n_folded = segment.n_folded or 2 * n_bins
    if not aligned:
        # The gain belongs to the bin at which a bin arrives when it is folded; it is the same at k and -k.
        k = np.arange(n_bins)
        # A complex number is multiplied by a real one here, as everywhere: NumPy fuses the operations of other products
        # of complex numbers on some processors.
        spectrum = spectrum * gain_divisors(n_grid)[np.where(k > n_folded // 2, n_folded - k, k)]
    n_pairs = (n_relevant.size + 1) // 2
    grid = room[: n_pairs * n_grid].view(np.float32).reshape(n_pairs, n_grid, 2)
    _respond(
        np.stack([spectrum.real, spectrum.imag]).astype(np.float32),
        table.response[rows].view(np.float32),
        np.float32(-1.0 if segment.conjugated else 1.0),
        segment.axis.first,
        segment.axis.taps,
        n_relevant,
        n_folded,
        *plan(n_grid, True),
        room[-2 * n_grid :].view(np.float32).reshape(4, n_grid),
        grid,
    )
    if aligned:
        return Velocity(grid, float(round(segment.start * n_grid)), 1.0, True)
    return Velocity(grid, segment.start * n_grid, segment.pitch * n_grid, False)


def room_needed(segment: Segment, n_rows: int) -> int:
    """The number of complex numbers [1] for which `velocity_of_rows` needs memory, at most."""
    n_grid = max(segment.n_grid or 0, grid_length(_narrowest(segment.spectrum.size, segment.n_folded)))
    return ((n_rows + 1) // 2 + 2) * n_grid  # the last two for the transforms


def _narrowest(n_bins: int, n_folded: int | None) -> int:
    # The number of bins, counted from 0, that are left when those above half of the steps are folded back.
    return n_bins if n_folded is None else min(n_bins, n_folded // 2 + 1)


def _causal_segments(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams, remembered: float
) -> Iterator[Segment]:
    n_samples = pressure.size
    only = n_samples if is_single(n_samples, sample_rate, params) else None
    grid = causal_grid(sample_rate, params, remembered, n_samples=only)
    for first in range(0, grid.units_of(n_samples), grid.hop):
        yield grid.segment(pressure, 0, first, grid.steps_of(n_samples))


def _published_segments(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams, table: TransferTable
) -> Iterator[Segment]:
    # The converter transforms the n // 2 + 1 bins of the half spectrum back to the same number of steps and takes the
    # real part. This is the velocity evoked by the analytic signal, circular over the clip, at that number of times.
    # Its frequency axis runs from 1 Hz to half the rate, so the response is taken at a frequency slightly off that of
    # the bin: `stretched` is the ratio of the two spacings. The phase is that of the table, not conjugated, so the
    # membrane responds before the sound.
    n = pressure.size
    n_steps = n // 2 + 1
    samples_per_step = n / n_steps
    stretched = (sample_rate // 2 - 1) / max(1, n_steps - 1) * n / sample_rate
    hop, n_in, before = n_steps, n, 0
    n_folded: int | None = n_steps
    # In a segment of a long sound, a stretch is not a whole number of steps, so nothing is folded. The membrane is
    # anti-causal here, so its memory is what comes after the segment.
    if n > LONGEST_SEGMENT * sample_rate:
        hop, before, n_folded = int(LONGEST_SEGMENT * sample_rate / 2), ceil(_RINGING * sample_rate), None
        after = ceil(memory(params, sample_rate / 2) * sample_rate)
        n_in = smooth_length(before + ceil(hop * samples_per_step) + after)
    frequencies = 1.0 + np.arange(n_in // 2 + 1, dtype=np.float64) * (sample_rate / n_in * stretched)
    axis = locate(frequencies, table)
    for first in range(0, n_steps, hop):
        begin = int(first * samples_per_step) - before
        piece = pressure if n_in == n else pressure.take(range(begin, begin + n_in), mode="wrap")
        # The converter divides by the number of steps, not of samples. Half of this, since the real part of a sum is
        # half of the sum and its conjugate.
        spectrum = spectrum_of(piece) * (samples_per_step / n_in / 2 * params.velocity_scale)
        chosen = range(first, min(first + hop, n_steps))
        start = (first * samples_per_step - begin) / n_in
        yield Segment(chosen, spectrum, axis, False, None, n_folded, start, samples_per_step / n_in)


@compiled()
def _respond(
    spectrum: Array, table: Array, sign: np.float32, first: Array, taps: Array, n_relevant: Array, n_folded: int,
    rows: Array, columns: Array, wr: Array, wi: Array, tr: Array, ti: Array, work: Array, grid: Array,
) -> None:  # fmt: skip
    # For each pair of rows (a, b), the complex signal a + i b, so that one transform serves two rows. With A and B the
    # products of the sound's spectrum and the interpolated table, its spectrum is A + i B at bin k and conj(A) +
    # i conj(B) at bin -k.
    n_rows, n_grid = table.shape[0], grid.shape[1]
    zero = np.float32(0.0)
    products = np.empty((4, spectrum.shape[1]), np.float32)
    for pair in range(grid.shape[0]):
        # Row b never reaches higher than row a: the limit of the response falls from base to apex.
        n_a = n_relevant[2 * pair]
        n_b = n_relevant[2 * pair + 1] if 2 * pair + 1 < n_rows else 0
        _multiply_row(spectrum, table[2 * pair], sign, first, taps, n_a, products[0], products[1])
        _multiply_row(spectrum, table[min(2 * pair + 1, n_rows - 1)], sign, first, taps, n_b, products[2], products[3])
        products[2:, n_b:n_a] = zero
        real, imag = work[0], work[1]
        real[:] = zero
        imag[:] = zero
        for k in range(n_a):
            a_real, a_imag, b_real, b_imag = products[0, k], products[1, k], products[2, k], products[3, k]
            # Bins above half of the steps are folded back to negative frequencies, at the end of the array. Bins are
            # added, not assigned: folding can bring two of them to the same place.
            at = k if 2 * k <= n_folded else k - n_folded + n_grid
            mirrored = n_grid - at if at > 0 else 0
            real[at] += a_real - b_imag
            imag[at] += a_imag + b_real
            real[mirrored] += a_real + b_imag
            imag[mirrored] += b_real - a_imag
        out = grid[pair]
        if transform(work[0], work[1], work[2], work[3], rows, columns, wr, wi, tr, ti):
            real, imag = work[2], work[3]
        for t in range(n_grid):
            out[t, 0] = real[t]
            out[t, 1] = imag[t]


@compiled()
def _multiply_row(
    spectrum: Array, row: Array, sign: np.float32, first: Array, taps: Array, n_bins: int, real: Array, imag: Array
) -> None:
    # The product of the spectrum and a row of the table, whose complex numbers are pairs of floats.
    s_real, s_imag = spectrum[0], spectrum[1]
    for k in range(n_bins):
        i = 2 * first[k]
        t0, t1, t2, t3 = taps[k, 0], taps[k, 1], taps[k, 2], taps[k, 3]
        r_real = t0 * row[i] + t1 * row[i + 2] + t2 * row[i + 4] + t3 * row[i + 6]
        r_imag = sign * (t0 * row[i + 1] + t1 * row[i + 3] + t2 * row[i + 5] + t3 * row[i + 7])
        real[k] = s_real[k] * r_real - s_imag[k] * r_imag
        imag[k] = s_real[k] * r_imag + s_imag[k] * r_real

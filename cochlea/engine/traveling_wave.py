"""The velocity of the membrane for the engine: a few places at a time, and a long sound piece by piece.

A long sound is cut into segments, each transformed together with what precedes and follows it for as long as the
membrane remembers; a short one is a single segment. The response of a block of places comes from the table of the
transfer function and is transformed back to a grid, which either holds the steps of the velocity (causal) or is
interpolated at them (published). `basilar_membrane` is the plain form, which judges this one in the tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, gcd
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from cochlea.basilar_membrane import fade, memory
from cochlea.compilation import Array, compiled
from cochlea.engine.periodic import grid_length, kernel_gain
from cochlea.transfer_function import BasilarMembraneParams
from cochlea.transfer_table import TableAxis, TransferTable, locate, transfer_table

LONGEST_SEGMENT = 2.5  # [s]; a longer sound is cut, so that the memory needed does not grow with it
# Where the membrane does not remember (what follows in the causal convention, what precedes in the published one), the
# limits of the bands still ring, for some milliseconds.
_RINGING = 0.05  # [s]


@dataclass(frozen=True)
class Segment:
    """A stretch of sound in the frequency domain, and the steps of the velocity that are read from it.

    Parameters
    ----------
    steps : range
        Their numbers in the velocity of the whole sound.
    spectrum : ndarray of complex128, shape (bin,)
        Of the sound; the velocity is the sum over bins of spectrum * response * exp(2 pi i bin time / stretch), and of
        the conjugate of that sum [1].
    axis : TableAxis
        Where the frequencies of the bins lie in the table.
    conjugated : bool
        Whether the response is the conjugate of the table's (causal phase).
    n_grid : int or None
        Points of the grid per stretch; None: as many as the bins of the places ask for.
    n_folded : int or None
        Steps per stretch if that is a whole number: at the steps bin k is then the same as bin k - n_folded.
    start, pitch : float
        Time of the first step and between steps, in stretches [1].
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
    """What some rows of the table do during a segment.

    Parameters
    ----------
    grid : ndarray of float32, shape (pair of rows, grid point, 2)
        One period [1]; the second of the last pair means nothing where the rows are odd in number.
    start, pitch : float
        Position of the segment's first step and distance between steps [grid points].
    aligned : bool
        Whether the steps are grid points: `start` is whole and `pitch` is 1.
    """

    grid: NDArray[np.float32]
    start: float
    pitch: float
    aligned: bool


def cut_into_segments(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams
) -> tuple[int, TransferTable, Iterator[Segment]]:
    """Sample rate of the velocity [Hz], the table to use, and the segments of the sound in the order of time.

    Parameters
    ----------
    pressure : ndarray, shape (n_samples,)
        Sound pressure at the stapes [1].
    sample_rate : int
        Rate of the pressure [Hz].
    params : BasilarMembraneParams
    """
    if params.convention == "published":
        table = transfer_table(params, sample_rate / 2)
        return sample_rate // 2, table, _published_segments(pressure, sample_rate, params, table)
    table = transfer_table(params, params.sample_rate / 2)
    return params.sample_rate, table, _causal_segments(pressure, sample_rate, params, table)


def velocity_of_rows(segment: Segment, rows: slice, table: TransferTable, room: NDArray[np.complex64]) -> Velocity:
    """The velocity of some rows of the table during a segment.

    Two rows are transformed at once, as the real and the imaginary part of one complex signal, in place.

    Parameters
    ----------
    segment : Segment
    rows : slice
        From base to apex.
    table : TransferTable
    room : ndarray of complex64, shape (at least `room_needed`,)
        Where the result will lie: it is overwritten by the next call.
    """
    n_relevant = np.minimum(segment.axis.n_relevant[rows], segment.spectrum.size)
    n_bins = max(1, int(n_relevant.max()))
    n_grid = segment.n_grid or grid_length(_narrowest(n_bins, segment.n_folded))
    spectrum = segment.spectrum[:n_bins]
    n_folded = segment.n_folded or 2 * n_bins
    if segment.n_grid is None:
        k = np.arange(n_bins)
        spectrum = spectrum / kernel_gain(np.where(k > n_folded // 2, n_folded - k, k), n_grid)
    response = room[: (n_relevant.size + 1) // 2 * n_grid].reshape(-1, n_grid)
    _respond(
        spectrum.astype(np.complex64).view(np.float32),
        table.response[rows].view(np.float32),
        np.float32(-1.0 if segment.conjugated else 1.0),
        segment.axis.first,
        segment.axis.taps,
        n_relevant,
        n_folded,
        response.view(np.float32),
    )
    grid = fft.ifft(response, norm="forward", overwrite_x=True)
    grid = grid.view(np.float32).reshape(*grid.shape, 2)
    if segment.n_grid is not None:
        return Velocity(grid, float(round(segment.start * n_grid)), 1.0, True)
    return Velocity(grid, segment.start * n_grid, segment.pitch * n_grid, False)


def room_needed(segment: Segment, n_rows: int) -> int:
    """Complex numbers that `velocity_of_rows` needs room for, at most [1]."""
    return (n_rows + 1) // 2 * (segment.n_grid or grid_length(_narrowest(segment.spectrum.size, segment.n_folded)))


def _narrowest(n_bins: int, n_folded: int | None) -> int:
    # bins from 0 that are left when those above half of the steps are folded back
    return n_bins if n_folded is None else min(n_bins, n_folded // 2 + 1)


def _causal_segments(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams, table: TransferTable
) -> Iterator[Segment]:
    # A stretch is a whole number of samples and of steps, so that its transforms at the two rates have the same
    # frequencies and no resampling is needed. All lengths are in units of that kind.
    velocity_rate = params.sample_rate
    units_per_second = gcd(sample_rate, velocity_rate)
    samples, steps = sample_rate // units_per_second, velocity_rate // units_per_second
    n_units, n_steps = ceil(pressure.size / samples), ceil(pressure.size * velocity_rate / sample_rate)
    remembered = ceil(memory(params, velocity_rate / 2) * units_per_second)
    hop = ceil(LONGEST_SEGMENT * units_per_second)
    before, after = remembered, ceil(_RINGING * units_per_second)
    if n_units <= hop:
        hop, before, after = n_units, 0, remembered  # the end of the stretch is what precedes its start
    stretch = fft.next_fast_len(before + hop + after, real=True)
    n_in, n_out = stretch * samples, stretch * steps
    frequencies = np.arange(min(n_in, n_out) // 2 + 1) * (sample_rate / n_in)
    axis = locate(frequencies, table)
    kept = fade(frequencies, velocity_rate) / n_in
    # The bins at 0 and, of a sound slower than the velocity, at half its rate are their own mirror images.
    kept[0] /= 2.0
    if n_in % 2 == 0 and n_in < n_out:
        kept[-1] /= 2.0
    for first in range(0, n_units, hop):
        begin = (first - before) * samples
        piece = np.zeros(n_in)
        heard = pressure[max(0, begin) : begin + n_in]
        piece[max(0, -begin) :][: heard.size] = heard
        spectrum = fft.rfft(piece)[: frequencies.size] * kept
        chosen = range(first * steps, min((first + hop) * steps, n_steps))
        yield Segment(chosen, spectrum, axis, True, n_out, None, before / stretch, 1 / n_out)


def _published_segments(
    pressure: NDArray[np.float64], sample_rate: int, params: BasilarMembraneParams, table: TransferTable
) -> Iterator[Segment]:
    # The converter transforms the n // 2 + 1 bins of the half spectrum back to as many steps, and takes the real part:
    # the velocity of the analytic signal, circular over the clip, at as many instants. Its frequency axis runs from
    # 1 Hz to half the rate, so that the response belongs to a frequency slightly beside that of the bin. The phase is
    # that of the table, which has the membrane answer before the sound.
    n = pressure.size
    n_steps = n // 2 + 1
    samples_per_step = n / n_steps
    stretched = (sample_rate // 2 - 1) / max(1, n_steps - 1) * n / sample_rate
    hop, n_in, before = n_steps, n, 0
    n_folded: int | None = n_steps
    if n > LONGEST_SEGMENT * sample_rate:
        hop, before, n_folded = int(LONGEST_SEGMENT * sample_rate / 2), ceil(_RINGING * sample_rate), None
        after = ceil(memory(params, sample_rate / 2) * sample_rate)
        n_in = fft.next_fast_len(before + ceil(hop * samples_per_step) + after, real=True)
    frequencies = 1.0 + np.arange(n_in // 2 + 1, dtype=np.float64) * (sample_rate / n_in * stretched)
    axis = locate(frequencies, table)
    for first in range(0, n_steps, hop):
        begin = int(first * samples_per_step) - before
        piece = pressure if n_in == n else pressure.take(range(begin, begin + n_in), mode="wrap")
        spectrum = fft.rfft(piece) * (samples_per_step / n_in / 2)
        chosen = range(first, min(first + hop, n_steps))
        start = (first * samples_per_step - begin) / n_in
        yield Segment(chosen, spectrum, axis, False, None, n_folded, start, samples_per_step / n_in)


@compiled(fastmath=True)
def _respond(
    spectrum: Array, table: Array, sign: np.float32, first: Array, taps: Array, n_relevant: Array, n_folded: int,
    response: Array,
) -> None:  # fmt: skip
    # The spectrum of row a + i row b for each pair of rows (a, b), all complex numbers as pairs of floats: with A and B
    # the products of the sound and the (interpolated) table, A + i B at bin k and conj(A) + i conj(B) at bin -k.
    n_rows, n_floats = table.shape[0], response.shape[1]
    zero = np.float32(0.0)
    for pair in range(response.shape[0]):
        out = response[pair]
        out[:] = zero
        row_a, row_b = table[2 * pair], table[min(2 * pair + 1, n_rows - 1)]
        n_b = n_relevant[2 * pair + 1] if 2 * pair + 1 < n_rows else 0
        for k in range(n_relevant[2 * pair]):
            i = 2 * first[k]
            t0, t1, t2, t3 = taps[k]
            s_real, s_imag = spectrum[2 * k], spectrum[2 * k + 1]
            real = t0 * row_a[i] + t1 * row_a[i + 2] + t2 * row_a[i + 4] + t3 * row_a[i + 6]
            imag = sign * (t0 * row_a[i + 1] + t1 * row_a[i + 3] + t2 * row_a[i + 5] + t3 * row_a[i + 7])
            a_real, a_imag = s_real * real - s_imag * imag, s_real * imag + s_imag * real
            b_real = b_imag = zero
            if k < n_b:
                real = t0 * row_b[i] + t1 * row_b[i + 2] + t2 * row_b[i + 4] + t3 * row_b[i + 6]
                imag = sign * (t0 * row_b[i + 1] + t1 * row_b[i + 3] + t2 * row_b[i + 5] + t3 * row_b[i + 7])
                b_real, b_imag = s_real * real - s_imag * imag, s_real * imag + s_imag * real
            at = 2 * k if 2 * k <= n_folded else 2 * (k - n_folded) + n_floats
            mirrored = n_floats - at if at > 0 else 0
            out[at] += a_real - b_imag
            out[at + 1] += a_imag + b_real
            out[mirrored] += a_real + b_imag
            out[mirrored + 1] += b_real - a_imag

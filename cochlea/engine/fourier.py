"""Fourier transforms, to the same bits on every machine, and faster than SciPy's, many at a time.

A library's transforms are compiled once for each kind of processor, on some with fused operations, and their order of
summation is that of a release. These are sums in a written order. A transform of length n = rows * columns is one over
the columns of a matrix, a multiplication, a transposition and another one over its columns (Bailey: FFTs in external or
hierarchical memory, J. Supercomputing 4:23, 1990), so the innermost loops always run over many columns and are
vectorized. Each of the two is Stockham's, which sorts itself. Real and imaginary parts are in arrays of their own.
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.compilation import Array, compiled
from cochlea.elementary import sin_cos
from cochlea.engine.turning import turn


class Plan(NamedTuple):
    """How to transform a length that has no prime factors but 2, 3 and 5.

    Parameters
    ----------
    rows, columns : ndarray of int64
        Factors of the number of rows and of columns, each 2, 3, 4 or 5; their product is the length.
    real, imag : ndarray, shape (length,)
        exp(2 pi i k / length) [1].
    turned_real, turned_imag : ndarray, shape (length,)
        exp(2 pi i row column / length) at row * n_columns + column [1].
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    real: NDArray[np.floating]
    imag: NDArray[np.floating]
    turned_real: NDArray[np.floating]
    turned_imag: NDArray[np.floating]


def smooth_length(least: int) -> int:
    """The least length of at least `least` that `plan` takes, and that is fast.

    Parameters
    ----------
    least : int
        A number of at least 1.

    Returns
    -------
    int
        A number without prime factors but 2, 3 and 5, and no multiple of 4,096: parts of the array that are used
        together would then share a set of the cache.

    Examples
    --------
    >>> smooth_length(7), smooth_length(4801), smooth_length(4096)
    (8, 4860, 4320)
    """
    best = 2 * least
    fives = 1
    while fives < 2 * least:
        threes = fives
        while threes < 2 * least:
            twos, n_twos = threes, 0
            while twos < least and n_twos < 11:
                twos, n_twos = 2 * twos, n_twos + 1
            if twos >= least:
                best = min(best, twos)
            threes *= 3
        fives *= 5
    return best


@lru_cache(maxsize=32)
def plan(length: int, single: bool) -> Plan:
    """The plan of a length, in single or double precision.

    Parameters
    ----------
    length : int
        A number without prime factors but 2, 3 and 5.
    single : bool
        Whether the transform is in float32; in float64 if not.
    """
    factors, rest = [], length
    for factor in (5, 3, 4, 2):
        while rest % factor == 0:
            factors.append(factor)
            rest //= factor
    if rest != 1:
        raise ValueError(f"a transform's length must have no prime factors but 2, 3 and 5, got {length}")
    rows: list[int] = []
    columns: list[int] = []
    for factor in sorted(factors, reverse=True):  # always to the smaller side, so that both are about the root
        smaller = rows if prod(rows) <= prod(columns) else columns
        smaller.append(factor)
    real, imag = np.empty(length), np.empty(length)
    _fill_roots(real, imag)
    kind = np.float32 if single else np.float64
    roots = np.empty((4, length), kind)
    _fill_plan(real, imag, prod(rows), prod(columns), roots)
    return Plan(np.array(rows, np.int64), np.array(columns, np.int64), *roots)


@compiled()
def _fill_roots(real: Array, imag: Array) -> None:
    # exp(2 pi i k / n) as the product of a coarse and a fine step: few calls of the sine
    n = real.size
    fine = min(n, 256)
    for k in range(fine):
        imag[k], real[k] = sin_cos(2.0 * np.pi * k / n)
    for first in range(fine, n, fine):
        sine, cosine = sin_cos(2.0 * np.pi * first / n)
        for k in range(min(fine, n - first)):
            real[first + k] = cosine * real[k] - sine * imag[k]
            imag[first + k] = cosine * imag[k] + sine * real[k]


@compiled()
def _fill_plan(real: Array, imag: Array, n_rows: int, n_columns: int, roots: Array) -> None:
    roots[0] = real
    roots[1] = imag
    for i in range(n_rows):
        for j in range(n_columns):
            roots[2, i * n_columns + j] = real[i * j]
            roots[3, i * n_columns + j] = imag[i * j]


@compiled()
def _radix2(ar: Array, ai: Array, br: Array, bi: Array, m: int, s: int, wr: Array, wi: Array, step: int) -> None:
    for p in range(m):
        i, o = (p + 0 * m) * s, (2 * p + 0) * s
        x0r, x0i, y0r, y0i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 1 * m) * s, (2 * p + 1) * s
        x1r, x1i, y1r, y1i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        c1, d1 = wr[p * step], wi[p * step]
        for q in range(s):
            xr, xi, yr, yi = x0r[q], x0i[q], x1r[q], x1i[q]
            y0r[q], y0i[q] = xr + yr, xi + yi
            tr, ti = xr - yr, xi - yi
            y1r[q], y1i[q] = tr * c1 - ti * d1, tr * d1 + ti * c1


@compiled()
def _radix3(ar: Array, ai: Array, br: Array, bi: Array, m: int, s: int, wr: Array, wi: Array, step: int) -> None:
    half, root = wr.dtype.type(0.5), wr.dtype.type(0.8660254037844386)
    for p in range(m):
        i, o = (p + 0 * m) * s, (3 * p + 0) * s
        x0r, x0i, y0r, y0i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 1 * m) * s, (3 * p + 1) * s
        x1r, x1i, y1r, y1i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 2 * m) * s, (3 * p + 2) * s
        x2r, x2i, y2r, y2i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        c1, d1, c2, d2 = wr[p * step], wi[p * step], wr[2 * p * step], wi[2 * p * step]
        for q in range(s):
            xr, xi = x0r[q], x0i[q]
            sr, si = x1r[q] + x2r[q], x1i[q] + x2i[q]
            ur, ui = root * (x1r[q] - x2r[q]), root * (x1i[q] - x2i[q])
            y0r[q], y0i[q] = xr + sr, xi + si
            tr, ti = xr - half * sr, xi - half * si
            er, ei, fr, fi = tr - ui, ti + ur, tr + ui, ti - ur
            y1r[q], y1i[q] = er * c1 - ei * d1, er * d1 + ei * c1
            y2r[q], y2i[q] = fr * c2 - fi * d2, fr * d2 + fi * c2


@compiled()
def _radix4(ar: Array, ai: Array, br: Array, bi: Array, m: int, s: int, wr: Array, wi: Array, step: int) -> None:
    for p in range(m):
        i, o = (p + 0 * m) * s, (4 * p + 0) * s
        x0r, x0i, y0r, y0i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 1 * m) * s, (4 * p + 1) * s
        x1r, x1i, y1r, y1i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 2 * m) * s, (4 * p + 2) * s
        x2r, x2i, y2r, y2i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 3 * m) * s, (4 * p + 3) * s
        x3r, x3i, y3r, y3i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        c1, d1 = wr[p * step], wi[p * step]
        c2, d2 = wr[2 * p * step], wi[2 * p * step]
        c3, d3 = wr[3 * p * step], wi[3 * p * step]
        for q in range(s):
            sr, si = x0r[q] + x2r[q], x0i[q] + x2i[q]
            tr, ti = x0r[q] - x2r[q], x0i[q] - x2i[q]
            ur, ui = x1r[q] + x3r[q], x1i[q] + x3i[q]
            vr, vi = x1r[q] - x3r[q], x1i[q] - x3i[q]
            y0r[q], y0i[q] = sr + ur, si + ui
            er, ei = tr - vi, ti + vr
            y1r[q], y1i[q] = er * c1 - ei * d1, er * d1 + ei * c1
            er, ei = sr - ur, si - ui
            y2r[q], y2i[q] = er * c2 - ei * d2, er * d2 + ei * c2
            er, ei = tr + vi, ti - vr
            y3r[q], y3i[q] = er * c3 - ei * d3, er * d3 + ei * c3


@compiled()
def _radix5(ar: Array, ai: Array, br: Array, bi: Array, m: int, s: int, wr: Array, wi: Array, step: int) -> None:
    kind = wr.dtype.type
    cos1, cos2 = kind(0.30901699437494745), kind(-0.8090169943749475)  # of 72 and 144 degrees
    sin1, sin2 = kind(0.9510565162951535), kind(0.5877852522924731)
    for p in range(m):
        i, o = (p + 0 * m) * s, (5 * p + 0) * s
        x0r, x0i, y0r, y0i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 1 * m) * s, (5 * p + 1) * s
        x1r, x1i, y1r, y1i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 2 * m) * s, (5 * p + 2) * s
        x2r, x2i, y2r, y2i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 3 * m) * s, (5 * p + 3) * s
        x3r, x3i, y3r, y3i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        i, o = (p + 4 * m) * s, (5 * p + 4) * s
        x4r, x4i, y4r, y4i = ar[i : i + s], ai[i : i + s], br[o : o + s], bi[o : o + s]
        c1, d1, c2, d2 = wr[p * step], wi[p * step], wr[2 * p * step], wi[2 * p * step]
        c3, d3, c4, d4 = wr[3 * p * step], wi[3 * p * step], wr[4 * p * step], wi[4 * p * step]
        # Two loops, since LLVM vectorizes none of so many arrays.
        for q in range(s):
            xr, xi = x0r[q], x0i[q]
            t1r, t1i = x1r[q] + x4r[q], x1i[q] + x4i[q]
            t2r, t2i = x2r[q] + x3r[q], x2i[q] + x3i[q]
            t3r, t3i = x1r[q] - x4r[q], x1i[q] - x4i[q]
            t4r, t4i = x2r[q] - x3r[q], x2i[q] - x3i[q]
            y0r[q], y0i[q] = xr + (t1r + t2r), xi + (t1i + t2i)
            mr, mi = xr + (cos1 * t1r + cos2 * t2r), xi + (cos1 * t1i + cos2 * t2i)
            nr, ni = sin1 * t3r + sin2 * t4r, sin1 * t3i + sin2 * t4i
            er, ei = mr - ni, mi + nr
            y1r[q], y1i[q] = er * c1 - ei * d1, er * d1 + ei * c1
            er, ei = mr + ni, mi - nr
            y4r[q], y4i[q] = er * c4 - ei * d4, er * d4 + ei * c4
        for q in range(s):
            xr, xi = x0r[q], x0i[q]
            t1r, t1i = x1r[q] + x4r[q], x1i[q] + x4i[q]
            t2r, t2i = x2r[q] + x3r[q], x2i[q] + x3i[q]
            t3r, t3i = x1r[q] - x4r[q], x1i[q] - x4i[q]
            t4r, t4i = x2r[q] - x3r[q], x2i[q] - x3i[q]
            mr, mi = xr + (cos2 * t1r + cos1 * t2r), xi + (cos2 * t1i + cos1 * t2i)
            nr, ni = sin2 * t3r - sin1 * t4r, sin2 * t3i - sin1 * t4i
            er, ei = mr - ni, mi + nr
            y2r[q], y2i[q] = er * c2 - ei * d2, er * d2 + ei * c2
            er, ei = mr + ni, mi - nr
            y3r[q], y3i[q] = er * c3 - ei * d3, er * d3 + ei * c3


@compiled()
def _over_columns(
    ar: Array, ai: Array, br: Array, bi: Array, factors: Array, n_columns: int, wr: Array, wi: Array
) -> bool:
    # Transforms each column of the matrix in a; whether the result is in b, and not in a, which both are overwritten.
    n = wr.size
    m, s = n // n_columns, n_columns
    for stage in range(factors.size):
        radix = factors[stage]
        m //= radix
        step = n // (radix * m)
        if stage % 2 == 0:
            xr, xi, yr, yi = ar, ai, br, bi
        else:
            xr, xi, yr, yi = br, bi, ar, ai
        if radix == 4:
            _radix4(xr, xi, yr, yi, m, s, wr, wi, step)
        elif radix == 5:
            _radix5(xr, xi, yr, yi, m, s, wr, wi, step)
        elif radix == 3:
            _radix3(xr, xi, yr, yi, m, s, wr, wi, step)
        else:
            _radix2(xr, xi, yr, yi, m, s, wr, wi, step)
        s *= radix
    return factors.size % 2 == 1


@compiled()
def _multiply(ar: Array, ai: Array, wr: Array, wi: Array) -> None:
    for k in range(ar.size):
        x, y, c, d = ar[k], ai[k], wr[k], wi[k]
        ar[k], ai[k] = x * c - y * d, x * d + y * c


@compiled()
def transform(
    ar: Array, ai: Array, br: Array, bi: Array, rows: Array, columns: Array, wr: Array, wi: Array, tr: Array, ti: Array,
) -> bool:  # fmt: skip
    """The sums over k of a[k] exp(2 pi i k t / n) for each t, without a factor.

    With real and imaginary parts exchanged, in what goes in and what comes out, the sign of the exponent is the other.

    Parameters
    ----------
    ar, ai, br, bi : ndarray, shape (n,)
        Real and imaginary part of a, and room for a result; all are overwritten.
    rows, columns, wr, wi, tr, ti
        The fields of a `Plan`.

    Returns
    -------
    bool
        Whether the result is in b; in a if not.
    """
    n_rows = n_columns = 1
    for factor in rows:
        n_rows *= factor
    for factor in columns:
        n_columns *= factor
    if _over_columns(ar, ai, br, bi, rows, n_columns, wr, wi):
        _multiply(br, bi, tr, ti)
        turn(br.reshape(n_rows, n_columns), ar.reshape(n_columns, n_rows))
        turn(bi.reshape(n_rows, n_columns), ai.reshape(n_columns, n_rows))
        return _over_columns(ar, ai, br, bi, columns, n_rows, wr, wi)
    _multiply(ar, ai, tr, ti)
    turn(ar.reshape(n_rows, n_columns), br.reshape(n_columns, n_rows))
    turn(ai.reshape(n_rows, n_columns), bi.reshape(n_columns, n_rows))
    return not _over_columns(br, bi, ar, ai, columns, n_rows, wr, wi)


def spectrum(signal: NDArray[np.float64]) -> NDArray[np.complex128]:
    """The sums over k of signal[k] exp(-2 pi i k f / n) for each bin f up to n / 2; as `scipy.fft.rfft`.

    Parameters
    ----------
    signal : ndarray of float64, shape (n,)
        A signal of any length of at least 1 [1].

    Returns
    -------
    ndarray of complex128, shape (n // 2 + 1,)
        In the unit of the signal.
    """
    n = signal.size
    found = np.empty((2, n))
    if smooth_length(n) == n:
        _transform_real(signal, *plan(n, False), found)
    else:
        # Bluestein's algorithm: 2 k f = k^2 + f^2 - (f - k)^2, so the sums are a convolution, for which any length
        # from 2 n - 1 on will do.
        length = smooth_length(2 * n - 1)
        # NumPy's memory is in large pages, and Numba's in small ones, which costs more than all the rest.
        _transform_chirped(signal, *plan(length, False), np.empty((4, length)), np.empty((4, length)), found)
    half = n // 2 + 1
    return found[0, :half] + 1j * found[1, :half]


@compiled()
def _transform_real(
    signal: Array, rows: Array, columns: Array, wr: Array, wi: Array, tr: Array, ti: Array, found: Array
) -> None:
    work = np.empty((4, signal.size))
    work[0] = 0.0
    work[1] = signal
    at = 2 if transform(work[0], work[1], work[2], work[3], rows, columns, wr, wi, tr, ti) else 0
    found[0] = work[at + 1]
    found[1] = work[at]


@compiled()
def _transform_chirped(
    signal: Array, rows: Array, columns: Array, wr: Array, wi: Array, tr: Array, ti: Array, response: Array,
    work: Array, found: Array,
) -> None:  # fmt: skip
    n, length = signal.size, wr.size
    root_real, root_imag = np.empty(2 * n), np.empty(2 * n)
    _fill_roots(root_real, root_imag)
    chirp = np.empty((2, n))  # exp(pi i k^2 / n)
    for k in range(n):
        square = (k * k) % (2 * n)
        chirp[0, k], chirp[1, k] = root_real[square], root_imag[square]
    response[:2] = 0.0
    work[:2] = 0.0
    response[0, :n], response[1, :n] = chirp[0], chirp[1]
    for k in range(1, n):
        response[0, length - k], response[1, length - k] = chirp[0, k], chirp[1, k]
    for k in range(n):
        work[0, k], work[1, k] = signal[k] * chirp[0, k], -signal[k] * chirp[1, k]
    # Forward transforms: parts exchanged. The product goes back the other way.
    by = 2 if transform(response[1], response[0], response[3], response[2], rows, columns, wr, wi, tr, ti) else 0
    at = 2 if transform(work[1], work[0], work[3], work[2], rows, columns, wr, wi, tr, ti) else 0
    real, imag, x, y = work[at], work[at + 1], response[by], response[by + 1]
    for k in range(length):
        real[k], imag[k] = real[k] * x[k] - imag[k] * y[k], real[k] * y[k] + imag[k] * x[k]
    to = 2 - at
    if transform(real, imag, work[to], work[to + 1], rows, columns, wr, wi, tr, ti):
        real, imag = work[to], work[to + 1]
    for k in range(n):
        found[0, k] = (real[k] * chirp[0, k] + imag[k] * chirp[1, k]) / length
        found[1, k] = (imag[k] * chirp[0, k] - real[k] * chirp[1, k]) / length

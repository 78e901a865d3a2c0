"""The transfer function as a table: at every place, at frequencies dense enough to interpolate between them.

The table takes seconds to compute, so it is kept on disk, in the folder named by the environment variable
SPIKEDATA_CACHE or else in the user's cache folder. A file there is used only if its checksum is right and a random
sample of its entries agrees with the equations; otherwise the table is computed again.
"""

import hashlib
import json
import logging
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from functools import lru_cache
from io import BytesIO
from math import ceil, log2, sqrt
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import checked_object
from cochlea.elementary import arcsinh, hyperbolic_sines, inverse_hyperbolic_sines, logarithms
from cochlea.interpolation import lagrange_weights
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_kernel import Membrane

_log = logging.getLogger(__name__)

# Rows of the table beyond each end of the membrane. The hair cells near the ends stand between places, and the
# interpolation at six points (`hair_cell.NODES`) needs three places on either side of each of them.
N_BEYOND = 3

# The frequencies are f = BEND sinh(u) with u = 0, step, 2 step, ...: evenly spaced at low frequencies and in constant
# proportion at high ones, which follows the rate at which the phase turns. Cubic interpolation between them is within
# 1.2e-5 of a row's peak (2e-5 where the peak is above 24 kHz). Resonances get narrower as the damping falls, and the
# step shrinks with its power 3/4: with power 1, the error would fall below the 1.2e-5, and with 3/4 it is 4e-5 at the
# least damping of 0.02, whose table then takes 50 MB instead of 82.
_STEP = 0.004  # [1], at a damping of _DAMPING or more
_DAMPING = 0.15  # [1]
_BEND = 20.0  # [Hz]
_LEAST = 1e-30  # of an entry, where its logarithm is taken
_NEGLIGIBLE = 1e-6  # of a row's peak: a row ends above the last frequency whose response exceeds this
_LEAST_RANGE = 24_000.0  # [Hz]; a wider table reaches to this times a power of two, so few different tables are made

_ROWS = 16  # that are computed at a time

_FORMAT = "cochlea transfer table 3"  # part of the name and checksum of a file: change it when the entries change
_N_SPOT_CHECKS = 64  # entries of a cached table that are compared with the equations; some milliseconds
_SPOT_TOLERANCE = 1e-5  # of a row's peak; rounding to complex64 is below 1e-7


class TransferTable(NamedTuple):
    """The transfer function at all places of a membrane and a grid of frequencies.

    Parameters
    ----------
    frequencies : ndarray of float64, shape (n,)
        Frequencies in ascending order [Hz].
    step : float
        Distance between neighboring frequencies on the scale arcsinh(f / 20 Hz), where it is constant [1].
    response : ndarray of complex64, shape (N_BEYOND + place + N_BEYOND, n)
        Values of `transfer_function`, or zero where they are negligible [1].
    lengths : ndarray of int64, shape (N_BEYOND + place + N_BEYOND,)
        Number of entries of each row before the zeros begin; it never rises from base to apex.
    """

    frequencies: NDArray[np.float64]
    step: float
    response: NDArray[np.complex64]
    lengths: NDArray[np.int64]

    @property
    def best_frequencies(self) -> NDArray[np.float64]:
        """The frequency [Hz] to which each place of the membrane responds most, shape (place,)."""
        return _best(self.response[N_BEYOND:-N_BEYOND], self.frequencies, self.step)


def _best(response: NDArray[np.complex64], frequencies: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    # The frequencies of the table are further apart than those of neighboring places where there are many, so the top
    # is that of the parabola through the logarithms of the three largest entries.
    at = np.argmax(np.square(response.real) + np.square(response.imag), axis=1)
    middle = np.clip(at, 1, len(frequencies) - 2)
    rows = np.arange(len(at))[:, None]
    around = response[rows, middle[:, None] + [-1, 0, 1]]
    power = np.square(around.real.astype(float)) + np.square(around.imag.astype(float))
    low, top, high = 0.5 * logarithms(np.maximum(power, _LEAST * _LEAST).ravel()).reshape(power.shape).T
    bend = low + high - 2.0 * top
    is_top = (at == middle) & (bend < 0.0)
    shift = np.where(is_top, 0.5 * (low - high) / np.where(is_top, bend, 1.0), 0.0)
    return np.asarray(np.where(is_top, _BEND * hyperbolic_sines((middle + shift) * step), frequencies[at]))


class TableAxis(NamedTuple):
    """How to interpolate the rows of a table at given frequencies.

    Parameters
    ----------
    first : ndarray of int32, shape (frequency,)
        Index of the first of the four entries around each frequency.
    taps : ndarray of float32, shape (frequency, 4)
        Weights of these four entries [1].
    n_relevant : ndarray of int64, shape (row,)
        Number of frequencies, counted from the lowest, at which each row is not negligible.
    """

    first: NDArray[np.int32]
    taps: NDArray[np.float32]
    n_relevant: NDArray[np.int64]


def characteristic_frequencies(params: BasilarMembraneParams) -> NDArray[np.float64]:
    """The characteristic frequency [Hz] of each place, to which it responds most, shape (place,).

    Parameters
    ----------
    params : BasilarMembraneParams
        The membrane.

    Raises
    ------
    ValueError
        If the equations overflow for these parameters.
    TypeError
        If `params` is not a `BasilarMembraneParams`.
    """
    params = checked_object("params", params, BasilarMembraneParams)
    best = transfer_table(params, _LEAST_RANGE).best_frequencies
    # A place whose response still rises at the end of the table is looked at up to 96 kHz, far above the 22.5 kHz of
    # the default membrane's base.
    beyond = np.nonzero(best >= _LEAST_RANGE)[0]
    if beyond.size:
        frequencies = _frequencies(4 * _LEAST_RANGE, _step(params))
        membrane = Membrane(frequencies, params)
        rows = [membrane.response(x, frequencies.size) for x in params.positions[beyond].tolist()]
        best[beyond] = _best(np.array(rows, np.complex64), frequencies, _step(params))
    return best


def locate(frequencies: NDArray[np.float64], table: TransferTable) -> TableAxis:
    """How to interpolate a table at frequencies within its range.

    Parameters
    ----------
    frequencies : ndarray, shape (frequency,)
        Frequencies in ascending order [Hz].
    table : TransferTable

    Returns
    -------
    TableAxis
        Indices and weights [1].
    """
    u = inverse_hyperbolic_sines(frequencies / _BEND) / table.step
    # The four entries are the two around the frequency and one more on either side, which puts the frequency in the
    # middle, where the cubic is most accurate. At the ends of the table it may lie nearer to one side.
    first = np.clip(u.astype(np.int32) - 1, 0, table.frequencies.size - 4)
    # The last frequencies that a row is asked for still have all four of their entries within the row.
    n_relevant = np.searchsorted(u, table.lengths - 3.0)
    return TableAxis(first, lagrange_weights(u - first, 4).astype(np.float32), n_relevant)


def transfer_table(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    """The table of a membrane up to at least a given frequency, from memory, from disk or computed.

    Parameters
    ----------
    params : BasilarMembraneParams
    max_frequency : float
        Frequency that the table must reach [Hz].

    Returns
    -------
    TransferTable
        Read-only, and shared between all callers.

    Raises
    ------
    ValueError
        If the equations overflow for these parameters.
    TypeError
        If `params` is not a `BasilarMembraneParams`.
    """
    params = checked_object("params", params, BasilarMembraneParams)
    # The table does not depend on the convention or on the rate of the velocity: both presets share one.
    shared = replace(params, convention="causal", sample_rate=BasilarMembraneParams.sample_rate, velocity_scale=1.0)
    wanted = shared, _LEAST_RANGE * 2.0 ** max(0, ceil(log2(max_frequency / _LEAST_RANGE)))
    with _guard:
        lock = _being_made.setdefault(wanted, threading.Lock())
    # Of several threads that want the same table, the first makes it and the others wait. Threads that want another
    # table do not wait.
    with lock:
        return _remembered(*wanted)


def _renew_locks() -> None:
    # A process that is forked while a thread makes a table inherits the held lock, but not the thread that would
    # release it.
    global _guard
    _guard = threading.Lock()
    _being_made.clear()


_guard = threading.Lock()
_being_made: dict[tuple[BasilarMembraneParams, float], threading.Lock] = {}
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_renew_locks)


@lru_cache(maxsize=8)  # a table of the default membrane takes 11 MB
def _remembered(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    path = _cache_file(params, max_frequency)
    table = _load(path, params, max_frequency)
    if table is None:
        _log.info("computing the table of the membrane, once: a few seconds")
        table = _compute(params, max_frequency)
        _save(path, table)
    return table


def cache_folder() -> Path:
    """The folder where tables are kept: SPIKEDATA_CACHE, or else `spikedata` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("SPIKEDATA_CACHE")
    return Path(named) if named else user_cache_path("spikedata", appauthor=False)


def _positions(params: BasilarMembraneParams) -> NDArray[np.float64]:
    pitch = params.length / max(1, params.n_places - 1)
    return pitch * np.arange(-N_BEYOND, params.n_places + N_BEYOND, dtype=np.float64)


def _step(params: BasilarMembraneParams) -> float:
    root = sqrt(min(1.0, params.damping / _DAMPING))  # roots are exact, and a power is not the same on every machine
    return _STEP * root * sqrt(root)


def _frequencies(max_frequency: float, step: float) -> NDArray[np.float64]:
    # Two entries above max_frequency, which the cubic interpolation needs there.
    frequencies = _BEND * hyperbolic_sines(step * np.arange(ceil(arcsinh(max_frequency / _BEND) / step) + 3))
    frequencies[0] = 1e-3  # instead of 0, where the response vanishes but the formula gives 0 / 0
    return np.asarray(frequencies, np.float64)


def _compute(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    frequencies = _frequencies(max_frequency, _step(params))
    positions = _positions(params)
    response = np.zeros((positions.size, frequencies.size), np.complex64)
    membrane = Membrane(frequencies, params)
    # The upper limit of the response falls from base to apex, so a row need not be evaluated beyond the end of the rows
    # before it. Some rows at a time are evaluated, on several threads.
    length = frequencies.size
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for first in range(0, positions.size, _ROWS):
            places = range(first, min(first + _ROWS, positions.size))
            rows = pool.map(membrane.response, positions[places].tolist(), [length] * len(places))
            for place, row in zip(places, rows, strict=True):
                with np.errstate(all="ignore"):  # overflow is caught below, by the test of the strength
                    strength = np.sqrt(np.square(row.real) + np.square(row.imag))
                if not (np.isfinite(strength).all() and np.float32(strength.max()) > 0.0):
                    raise ValueError(f"{params} has no finite response {positions[place]:.3g} cm from the base")
                relevant = np.nonzero(strength > _NEGLIGIBLE * strength.max())[0]
                # Three more entries, so that interpolation just above the last relevant one finds all four of its
                # entries.
                length = min(int(relevant[-1]) + 4, length)
                response[place, :length] = row[:length]
    return _table_of(frequencies, _step(params), response)


def _table_of(frequencies: NDArray[np.float64], step: float, response: NDArray[np.complex64]) -> TransferTable:
    # A row's length runs up to its last entry that is not zero.
    lengths = frequencies.size - np.argmax((response != 0)[:, ::-1], axis=1)
    response.flags.writeable = False  # all callers share this array
    return TransferTable(frequencies, step, response, lengths)


def _cache_file(params: BasilarMembraneParams, max_frequency: float) -> Path:
    grid = [_step(params), _BEND, _NEGLIGIBLE, N_BEYOND]
    # The name holds all that the entries depend on, so that a change of parameters, grid or format never finds an old
    # file.
    asked = asdict(params) | {"format": _FORMAT, "range": max_frequency, "grid": grid}
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / f"membrane-{name}.npz"


def _load(path: Path, params: BasilarMembraneParams, max_frequency: float) -> TransferTable | None:
    # The table in a file; None unless the file is complete, has the expected shape and agrees with the equations where
    # it is sampled.
    try:
        content = path.read_bytes()
    except OSError:  # there is no such file, or it may not be read
        return None
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            response, checksum = stored["response"], str(stored["checksum"])
    except Exception as error:  # a damaged archive makes NumPy and zipfile raise errors of many kinds
        _log.warning("%s: not a table of the membrane (%s); computing it again", path, error)
        return None
    frequencies, positions = _frequencies(max_frequency, _step(params)), _positions(params)
    fits = response.shape == (positions.size, frequencies.size) and response.dtype == np.complex64
    table = None
    if fits and np.isfinite(response).all():
        table = _table_of(frequencies, _step(params), np.ascontiguousarray(response))
    if table is None or checksum != _checksum(table) or not _agrees(table, positions, params):
        _log.warning("%s: the table of the membrane is damaged; computing it again", path)
        return None
    return table


def _agrees(table: TransferTable, positions: NDArray[np.float64], params: BasilarMembraneParams) -> bool:
    # A checksum shows damage, but not that the file was made by other code: hence a comparison with the equations.
    # The generator is not seeded, so that each start of the program checks other entries; no result depends on them.
    rng = np.random.default_rng()
    for row in rng.integers(positions.size, size=8):
        entries = rng.integers(table.lengths[row], size=_N_SPOT_CHECKS // 8)
        exact = transfer_function(table.frequencies[entries], positions[[row]], params)[0]
        peak = np.abs(table.response[row]).max()
        if not np.all(np.abs(table.response[row, entries] - exact) <= _SPOT_TOLERANCE * peak):
            return False
    return True


def _save(path: Path, table: TransferTable) -> None:
    # The file appears under its final name only when it is complete, even if several processes write it at once. It is
    # no error if a table cannot be kept, since it can be computed again.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, response=table.response, checksum=_checksum(table))
                file.close()
                with suppress(OSError):  # a share may know no permissions
                    Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        _log.info("%s: the table of the membrane could not be saved: %s", path, error)


def _checksum(table: TransferTable) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for array in (table.frequencies, table.response):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

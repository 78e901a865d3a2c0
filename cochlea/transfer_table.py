"""The transfer function, tabulated once: at every place, on frequencies close enough to interpolate between.

The table is kept in the user's cache folder, which the environment variable SPIKEDATA_CACHE names. A file there is used
only if its checksum holds and a sample of its entries equals what the equations give; anything else is computed anew.
"""

import hashlib
import json
import logging
import os
import tempfile
import threading
from dataclasses import asdict, replace
from functools import lru_cache
from io import BytesIO
from math import ceil, log2
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cochlea.checks import checked_object
from cochlea.interpolation import lagrange_weights
from cochlea.transfer_function import BasilarMembraneParams, transfer_function

_log = logging.getLogger(__name__)

N_BEYOND = 3  # places that the table has beyond each end of the membrane, to interpolate at hair cells near the ends

# The frequencies are f = BEND sinh(u), u = 0, step, 2 step, ...: evenly spaced at low frequencies, in constant
# proportion at high ones, as the phase turns. Cubic interpolation between them is within 1.2e-5 of a row's peak (2e-5
# where that is above 24 kHz). Resonances narrow as the damping falls, and with them the step.
_STEP = 0.004  # at a damping of
_DAMPING = 0.15  # or more
_BEND = 20.0  # [Hz]
_NEGLIGIBLE = 1e-6  # of a row's peak: a row ends above the last frequency that exceeds it
_LEAST_RANGE = 24_000.0  # [Hz]; wider tables have powers of two of it, so that few are made

_FORMAT = "cochlea transfer table 2"
_N_SPOT_CHECKS = 64
_SPOT_TOLERANCE = 1e-5  # of a row's peak


class TransferTable(NamedTuple):
    """The transfer function at places and frequencies.

    Parameters
    ----------
    frequencies : ndarray of float64, shape (n,)
        Ascending [Hz].
    step : float
        Between neighboring frequencies, on the scale on which they are even [1].
    response : ndarray of complex64, shape (N_BEYOND + place + N_BEYOND, n)
        As `transfer_function` [1]; zero where it is negligible.
    lengths : ndarray of int64, shape (N_BEYOND + place + N_BEYOND,)
        For each row the number of its entries that matter; it never rises from base to apex.
    """

    frequencies: NDArray[np.float64]
    step: float
    response: NDArray[np.complex64]
    lengths: NDArray[np.int64]

    @property
    def best_frequencies(self) -> NDArray[np.float64]:
        """The frequency [Hz] that moves each place of the membrane most, shape (place,)."""
        return np.asarray(self.frequencies[np.argmax(np.abs(self.response[N_BEYOND:-N_BEYOND]), axis=1)])


class TableAxis(NamedTuple):
    """Where some frequencies lie in a table.

    Parameters
    ----------
    first : ndarray of int32, shape (frequency,)
        Index of the first of the four entries around each frequency.
    taps : ndarray of float32, shape (frequency, 4)
        Their weights [1].
    n_relevant : ndarray of int64, shape (row,)
        For each row the number of frequencies at which it is not negligible.
    """

    first: NDArray[np.int32]
    taps: NDArray[np.float32]
    n_relevant: NDArray[np.int64]


def characteristic_frequencies(params: BasilarMembraneParams) -> NDArray[np.float64]:
    """The frequency [Hz] that moves each place most, shape (place,)."""
    return transfer_table(params, 4 * _LEAST_RANGE).best_frequencies


def locate(frequencies: NDArray[np.float64], table: TransferTable) -> TableAxis:
    """Where ascending frequencies lie in a table that reaches beyond them.

    Parameters
    ----------
    frequencies : ndarray, shape (frequency,)
        [Hz]
    table : TransferTable
    """
    u = np.arcsinh(frequencies / _BEND) / table.step
    first = np.clip(u.astype(np.int32) - 1, 0, table.frequencies.size - 4)
    n_relevant = np.searchsorted(u, table.lengths - 3.0)
    return TableAxis(first, lagrange_weights(u - first, 4).astype(np.float32), n_relevant)


def transfer_table(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    """The table of a membrane up to at least a frequency, from memory, from the cache folder or computed.

    Parameters
    ----------
    params : BasilarMembraneParams
    max_frequency : float
        [Hz]

    Raises
    ------
    ValueError
        If the params are so far from a membrane's that the equations overflow.
    TypeError
        If the params are of another stage.
    """
    params = checked_object("params", params, BasilarMembraneParams)
    # on the convention and the rate of the velocity it does not depend
    shared = replace(params, convention="causal", sample_rate=BasilarMembraneParams.sample_rate)
    wanted = shared, _LEAST_RANGE * 2.0 ** max(0, ceil(log2(max_frequency / _LEAST_RANGE)))
    with _guard:
        lock = _being_made.setdefault(wanted, threading.Lock())
    with lock:  # threads that want the same table wait for the first of them; others do not
        return _remembered(*wanted)


def _renew_locks() -> None:
    # a process that is forked while a thread makes a table has the lock, but not the thread that would let it go
    global _guard
    _guard = threading.Lock()
    _being_made.clear()


_guard = threading.Lock()
_being_made: dict[tuple[BasilarMembraneParams, float], threading.Lock] = {}
if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_renew_locks)


@lru_cache(maxsize=8)
def _remembered(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    path = _cache_file(params, max_frequency)
    table = _load(path, params, max_frequency)
    if table is None:
        table = _compute(params, max_frequency)
        _save(path, table)
    return table


def cache_folder() -> Path:
    """Where tables are kept: SPIKEDATA_CACHE, or `spikedata` in the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("SPIKEDATA_CACHE")
    return Path(named) if named else user_cache_path("spikedata", appauthor=False)


def _positions(params: BasilarMembraneParams) -> NDArray[np.float64]:
    pitch = params.length / max(1, params.n_places - 1)
    return pitch * np.arange(-N_BEYOND, params.n_places + N_BEYOND, dtype=np.float64)


def _step(params: BasilarMembraneParams) -> float:
    return _STEP * min(1.0, params.damping / _DAMPING)


def _frequencies(max_frequency: float, step: float) -> NDArray[np.float64]:
    frequencies = _BEND * np.sinh(step * np.arange(ceil(np.arcsinh(max_frequency / _BEND) / step) + 3))
    frequencies[0] = 1e-3  # the response vanishes at 0, where the formula is 0 / 0
    return np.asarray(frequencies, np.float64)


def _compute(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
    frequencies = _frequencies(max_frequency, _step(params))
    positions = _positions(params)
    response = np.zeros((positions.size, frequencies.size), np.complex64)
    length = frequencies.size
    for place, x in enumerate(positions):
        # from base to apex the response reaches less and less far
        with np.errstate(all="ignore"):
            row = transfer_function(frequencies[:length], [x], params)[0]
            strength = np.abs(row)
        if not (np.isfinite(strength).all() and np.float32(strength.max()) > 0.0):
            raise ValueError(f"{params} has no finite response {x:.3g} cm from the base")
        relevant = np.nonzero(strength > _NEGLIGIBLE * strength.max())[0]
        length = min(int(relevant[-1]) + 4, length)
        response[place, :length] = row[:length]
    return _table_of(frequencies, _step(params), response)


def _table_of(frequencies: NDArray[np.float64], step: float, response: NDArray[np.complex64]) -> TransferTable:
    # a row's entries that matter are those up to the last that is not zero
    lengths = frequencies.size - np.argmax((response != 0)[:, ::-1], axis=1)
    response.flags.writeable = False  # it is handed out to whoever asks
    return TransferTable(frequencies, step, response, lengths)


def _cache_file(params: BasilarMembraneParams, max_frequency: float) -> Path:
    grid = [_step(params), _BEND, _NEGLIGIBLE, N_BEYOND]
    asked = asdict(params) | {"format": _FORMAT, "range": max_frequency, "grid": grid}
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / f"membrane-{name}.npz"


def _load(path: Path, params: BasilarMembraneParams, max_frequency: float) -> TransferTable | None:
    # None unless the file is whole, has the shape that is asked for and agrees with the equations where it is sampled
    try:
        content = path.read_bytes()
    except OSError:  # not there, or not ours to read
        return None
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            response, checksum = stored["response"], str(stored["checksum"])
    except Exception as error:  # whatever a damaged archive makes NumPy and zipfile raise
        _log.warning("%s: not a table of the membrane (%s); computing it anew", path, error)
        return None
    frequencies, positions = _frequencies(max_frequency, _step(params)), _positions(params)
    fits = response.shape == (positions.size, frequencies.size) and response.dtype == np.complex64
    table = None
    if fits and np.isfinite(response).all():
        table = _table_of(frequencies, _step(params), np.ascontiguousarray(response))
    if table is None or checksum != _checksum(table) or not _agrees(table, positions, params):
        _log.warning("%s: the table of the membrane is damaged; computing it anew", path)
        return None
    return table


def _agrees(table: TransferTable, positions: NDArray[np.float64], params: BasilarMembraneParams) -> bool:
    rng = np.random.default_rng()  # other entries each time; no result depends on which
    for row in rng.integers(positions.size, size=8):
        entries = rng.integers(table.lengths[row], size=_N_SPOT_CHECKS // 8)
        exact = transfer_function(table.frequencies[entries], positions[[row]], params)[0]
        peak = np.abs(table.response[row]).max()
        if not np.all(np.abs(table.response[row, entries] - exact) <= _SPOT_TOLERANCE * peak):
            return False
    return True


def _save(path: Path, table: TransferTable) -> None:
    # complete or not there, whoever else writes the same file at the same time; a table that cannot be kept is no error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.stem, suffix=".tmp", delete=False) as file:
            try:
                np.savez(file, response=table.response, checksum=_checksum(table))
                file.close()
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        _log.info("%s: the table of the membrane could not be kept: %s", path, error)


def _checksum(table: TransferTable) -> str:
    digest = hashlib.sha256(_FORMAT.encode())
    for array in (table.frequencies, table.response):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

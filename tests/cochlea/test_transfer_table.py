"""The table of the transfer function, and the file that keeps it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cochlea import transfer_table as module
from cochlea.middle_ear import middle_ear
from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_table import N_BEYOND, TransferTable, cache_folder, characteristic_frequencies, locate

PARAMS = BasilarMembraneParams(n_places=12)
RANGE = 24_000.0  # [Hz], of the smallest table

# Of each row's peak.
ENTRY = 1.1e-6  # what is negligible, 1e-6, and the rounding of float32
INTERPOLATED = 1.2e-5  # cubic between entries: 1.1e-5 in the middle of the membrane
INTERPOLATED_BEYOND = 2e-5  # its ends: 1.7e-5 before the base, above 24 kHz
INTERPOLATED_SHARP = 4e-5  # a damping of 0.02: 3.6e-5
NEGLIGIBLE = 1.5e-6  # what is negligible, at the frequency of an entry or just below


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache folder, and nothing in memory."""
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path / "cache"))
    module._remembered.cache_clear()
    yield tmp_path / "cache"
    module._remembered.cache_clear()


def get(params: BasilarMembraneParams = PARAMS, max_frequency: float = RANGE) -> TransferTable:
    """The table as another process would get it."""
    module._remembered.cache_clear()
    return module.transfer_table(params, max_frequency)


def positions(params: BasilarMembraneParams) -> NDArray[np.float64]:
    """Of all rows of a table [cm]."""
    pitch = params.length / max(1, params.n_places - 1)
    return pitch * np.arange(-N_BEYOND, params.n_places + N_BEYOND)


def warnings_in(caplog: pytest.LogCaptureFixture) -> int:
    """How many warnings were logged; that a table is computed is logged, too, and is none."""
    return sum(record.levelname == "WARNING" for record in caplog.records)


def equal(a: TransferTable, b: TransferTable) -> bool:
    return all(np.asarray(x).dtype == np.asarray(y).dtype and np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def relative_to_peak(measured: NDArray[Any], exact: NDArray[Any]) -> NDArray[np.float64]:
    return np.abs(measured - exact).max(axis=1) / np.abs(exact).max(axis=1)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many values of the transfer function each call asks for, from now on."""
    sizes: list[int] = []

    def counted(*arguments: Any) -> NDArray[np.complex128]:
        values = transfer_function(*arguments)
        sizes.append(values.size)
        return values

    class Counted(module.Membrane):
        def response(self, position: float, n_frequencies: int) -> NDArray[np.complex128]:
            sizes.append(n_frequencies)
            return super().response(position, n_frequencies)

    monkeypatch.setattr(module, "transfer_function", counted)
    monkeypatch.setattr(module, "Membrane", Counted)
    return sizes


# What stands in it


@pytest.mark.parametrize("n_places", [1, 2, 3, 12, 65])
@pytest.mark.parametrize("max_frequency", [4000.0, 24_000.0, 96_000.0])
def test_entries_are_the_transfer_function_on_the_membrane_and_beyond_its_ends(
    n_places: int, max_frequency: float
) -> None:
    params = replace(PARAMS, n_places=n_places)
    table = get(params, max_frequency)
    assert table.frequencies[-1] >= max_frequency
    assert np.all(np.diff(table.frequencies) > 0)
    assert table.response.shape == (n_places + 2 * N_BEYOND, table.frequencies.size)
    exact = transfer_function(table.frequencies, positions(params), params)
    assert relative_to_peak(table.response, exact).max() < ENTRY


def test_rows_reach_less_and_less_far_and_are_zero_where_they_end() -> None:
    table = get(replace(PARAMS, n_places=65))
    assert np.all(np.diff(table.lengths) <= 0)
    assert table.lengths[0] == table.frequencies.size
    assert table.lengths[-1] < 0.5 * table.frequencies.size
    for row, length in zip(table.response, table.lengths, strict=True):
        assert np.all(row[:length] != 0)
        assert not row[length:].any()


def interpolate(table: TransferTable, frequencies: NDArray[np.float64]) -> NDArray[np.complex64]:
    first, taps, n_relevant = locate(frequencies, table)
    interpolated = np.sum(table.response[:, first[:, None] + np.arange(4)] * taps, axis=-1)
    interpolated[np.arange(frequencies.size) >= n_relevant[:, None]] = 0.0
    return interpolated


@pytest.mark.parametrize("max_frequency", [12_000.0, 96_000.0])
def test_between_its_entries_the_table_is_interpolated(max_frequency: float) -> None:
    params = replace(PARAMS, n_places=35)
    table = get(params, max_frequency)
    frequencies = np.r_[0.01, 0.1, np.geomspace(1, max_frequency, 6000), np.linspace(1, max_frequency, 3000)]
    frequencies.sort()
    exact = transfer_function(frequencies, positions(params), params)
    error = relative_to_peak(interpolate(table, frequencies), exact)
    assert error[N_BEYOND:-N_BEYOND].max() < INTERPOLATED
    assert error.max() < INTERPOLATED_BEYOND


@pytest.mark.parametrize("damping", [0.02, 0.05, 0.1])
def test_a_sharp_membrane_is_interpolated_as_well(damping: float) -> None:
    params = replace(PARAMS, damping=damping, middle_ear="human")
    table, frequencies = get(params), np.geomspace(20, 24_000, 40_000)
    exact = transfer_function(frequencies, positions(params), params)
    assert relative_to_peak(interpolate(table, frequencies), exact).max() < INTERPOLATED_SHARP


def test_the_membrane_does_not_answer_a_constant_pressure() -> None:
    table = get()
    still = interpolate(table, np.array([0.0, 1.0]))[:, 0]
    assert np.all(np.abs(still) < ENTRY * np.abs(table.response).max(axis=1))


def test_what_is_left_out_as_irrelevant_is_negligible() -> None:
    table, frequencies = get(), np.linspace(0.0, RANGE, 5001)
    axis = locate(frequencies, table)
    assert np.all(np.diff(axis.n_relevant) <= 0)
    assert axis.first.min() >= 0
    assert axis.first.max() + 3 < table.frequencies.size
    np.testing.assert_allclose(axis.taps.sum(axis=1), 1.0, atol=1e-6)
    exact = np.abs(transfer_function(frequencies[1:], positions(PARAMS), PARAMS))
    for row, n_relevant in zip(exact, axis.n_relevant, strict=True):
        assert row[max(0, n_relevant - 1) :].max(initial=0.0) < NEGLIGIBLE * row.max()
    # where the whole row is relevant the last frequency is, too
    assert axis.n_relevant[0] == frequencies.size


# The best frequencies


GRID = 0.004  # distance of two frequencies of the table over the frequency


def test_the_characteristic_frequency_moves_a_place_most() -> None:
    frequencies = np.geomspace(50, 30_000, 20_000)
    gain = np.abs(transfer_function(frequencies, PARAMS.positions, PARAMS))
    np.testing.assert_allclose(
        characteristic_frequencies(PARAMS), frequencies[gain.argmax(axis=1)], rtol=GRID, atol=0.5 * GRID * 20
    )


def test_the_characteristic_frequencies_run_from_22500_to_100_hertz() -> None:
    ends = characteristic_frequencies(replace(PARAMS, n_places=2))
    np.testing.assert_allclose(ends, [22_500, 100], rtol=0.01)  # published values have three digits


def test_a_place_whose_frequency_lies_above_24_kilohertz_has_it() -> None:
    stiff = replace(PARAMS, n_places=4, stiffness=8e9, stiffness_offset=0.0001)
    frequencies = np.geomspace(50, 90_000, 20_000)
    gain = np.abs(transfer_function(frequencies, stiff.positions, stiff))
    assert characteristic_frequencies(stiff)[0] > 60_000
    np.testing.assert_allclose(characteristic_frequencies(stiff), frequencies[gain.argmax(axis=1)], rtol=2 * GRID)


def test_a_place_has_its_frequency_however_many_there_are() -> None:
    few, many = (characteristic_frequencies(replace(PARAMS, n_places=n)) for n in (24, 70))
    np.testing.assert_array_equal(few, many[::3])


def test_a_membrane_of_four_times_the_stiffness_resonates_an_octave_higher() -> None:
    # exactly so: in the equations all frequencies scale with the square root of the stiffness
    stiff = replace(PARAMS, stiffness=4e9, stiffness_offset=4 * PARAMS.stiffness_offset)
    frequencies = np.geomspace(10, 20_000, 100)
    soft, twice = transfer_function(frequencies, [1.0], PARAMS), transfer_function(2 * frequencies, [1.0], stiff)
    np.testing.assert_allclose(twice, soft, rtol=1e-9)
    np.testing.assert_allclose(
        characteristic_frequencies(stiff), 2 * characteristic_frequencies(PARAMS), rtol=2 * GRID, atol=GRID * 20
    )


# The file


def test_the_table_is_kept_in_the_folder_that_the_environment_names(folder: Path) -> None:
    assert not folder.exists()
    get()
    (file,) = folder.iterdir()
    assert file.name.startswith("membrane-")
    assert file.suffix == ".npz"
    assert file.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("named", [None, ""])
def test_without_a_name_it_is_kept_in_the_users_cache_folder(
    named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if named is None:
        monkeypatch.delenv("SPIKEDATA_CACHE")
    else:
        monkeypatch.setenv("SPIKEDATA_CACHE", named)
    assert cache_folder().is_absolute()
    assert "spikedata" in cache_folder().parts


def test_a_kept_table_is_read_and_not_computed_again(evaluated: list[int]) -> None:
    computed = get()
    assert sum(evaluated) > 10_000
    evaluated.clear()
    assert equal(get(), computed)
    assert 0 < sum(evaluated) <= 64  # a sample of the entries is


def test_a_table_in_memory_is_not_even_read(folder: Path, evaluated: list[int]) -> None:
    table = get()
    evaluated.clear()
    (file,) = folder.iterdir()
    file.unlink()
    assert module.transfer_table(PARAMS, RANGE) is table
    assert not evaluated


@pytest.mark.parametrize("max_frequency", [4000.0, 11_999.0, 12_000.0, 24_000.0])
def test_ranges_up_to_24_kilohertz_share_a_file(folder: Path, max_frequency: float) -> None:
    assert equal(get(max_frequency=max_frequency), get())
    assert len(list(folder.iterdir())) == 1


def test_a_wider_range_has_a_file_of_its_own(folder: Path) -> None:
    sizes = [get(max_frequency=hertz).frequencies.size for hertz in (24_000.0, 24_001.0, 48_000.0, 48_001.0, 96_000.0)]
    assert sizes[0] < sizes[1] == sizes[2] < sizes[3] == sizes[4]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("change", [{"convention": "published"}, {"sample_rate": 32_000}, {"velocity_scale": 2.0}])
def test_what_the_table_does_not_depend_on_shares_its_file(
    folder: Path, change: dict[str, Any], evaluated: list[int]
) -> None:
    table = get()
    evaluated.clear()
    assert equal(get(replace(PARAMS, **change)), table)
    assert sum(evaluated) <= 64
    assert len(list(folder.iterdir())) == 1


def test_a_membrane_behind_a_middle_ear_has_another_file(folder: Path) -> None:
    behind = replace(PARAMS, middle_ear="human")
    get()
    table = get(behind)
    assert len(list(folder.iterdir())) == 2
    assert equal(get(behind), table)
    # The convention is exp(-i w t): the table has the conjugate of the filter.
    exact = transfer_function(table.frequencies, positions(PARAMS), PARAMS) * np.conjugate(
        middle_ear(table.frequencies)
    )
    assert relative_to_peak(table.response, exact).max() < ENTRY


@pytest.mark.parametrize("exponent", [-1.0, 1.5])
def test_a_membrane_tilted_by_the_frequency_of_its_places_has_another_file(folder: Path, exponent: float) -> None:
    tilted, free = replace(PARAMS, velocity_exponent=exponent), get()
    table = get(tilted)
    assert len(list(folder.iterdir())) == 2
    frequency = np.sqrt(PARAMS.stiffness / PARAMS.mass) * np.exp(-PARAMS.stiffness_decay * positions(PARAMS) / 2)
    factor = (frequency / (2 * np.pi * 1000)) ** exponent
    assert relative_to_peak(table.response, factor[:, None] * free.response).max() < ENTRY
    assert (
        relative_to_peak(table.response, transfer_function(table.frequencies, positions(tilted), tilted)).max() < ENTRY
    )


@pytest.mark.parametrize("distance", [0.01, 0.025, 0.05])
def test_a_membrane_whose_curvature_is_felt_has_another_file(folder: Path, distance: float) -> None:
    curved = replace(PARAMS, curvature_distance=distance)
    table = get(curved)
    assert not equal(get(), table)
    assert len(list(folder.iterdir())) == 2
    exact = transfer_function(table.frequencies, positions(curved), curved)
    # The last row is where the membrane, if it went on, would have a negative stiffness.
    assert relative_to_peak(table.response[:-1], exact[:-1]).max() < ENTRY


OPTIONAL = ("velocity_scale", "velocity_exponent", "curvature_distance")
PHYSICAL = [field.name for field in fields(PARAMS) if type(field.default) is float and field.name not in OPTIONAL]


@pytest.mark.parametrize("name", PHYSICAL)
def test_another_membrane_has_another_file(folder: Path, name: str) -> None:
    other = replace(PARAMS, **{name: 1.01 * getattr(PARAMS, name)})
    assert not equal(get(), get(other))
    assert len(list(folder.iterdir())) == 2
    exact = transfer_function(get(other).frequencies, positions(other), other)
    assert relative_to_peak(get(other).response, exact).max() < 2 * ENTRY


def test_more_places_have_another_file(folder: Path) -> None:
    assert [get(replace(PARAMS, n_places=n)).lengths.size - 2 * N_BEYOND for n in (12, 13)] == [12, 13]
    assert len(list(folder.iterdir())) == 2


# Damage


Damage = Callable[[Path, TransferTable], Any]


def cut(file: Path, at: float) -> None:
    file.write_bytes(file.read_bytes()[: int(at * file.stat().st_size)])


def write_alone(file: Path, table: TransferTable) -> None:
    with file.open("wb") as opened:
        np.save(opened, table.response)


def write(file: Path, table: TransferTable, **instead: Any) -> None:
    """As the module does, but for what is put in the place of something."""
    np.savez(file, **({"response": table.response, "checksum": module._checksum(table)} | instead))


class Program:
    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return pytest.fail, ("a pickle was opened",)


DAMAGED: dict[str, Damage] = {
    "empty": lambda file, table: file.write_bytes(b""),
    "text": lambda file, table: file.write_text("not a table"),
    "cut in the middle": lambda file, table: cut(file, 0.5),
    "cut at the end": lambda file, table: cut(file, 0.999),
    "a single array": write_alone,
    "without checksum": lambda file, table: np.savez(file, response=table.response),
    "wrong checksum": lambda file, table: write(file, table, checksum="0" * 64),
    "numbers as checksum": lambda file, table: write(file, table, checksum=np.arange(3)),
    "dates": lambda file, table: write(file, table, response=table.response.real.astype("datetime64[s]")),
    "pickled numbers": lambda file, table: write(file, table, response=table.response.astype(object)),
    "pickled program": lambda file, table: write(file, table, checksum=np.array([Program()], object)),
}


def changed(array: NDArray[Any], value: float) -> NDArray[Any]:
    array = array.copy()
    array.flat[-array.shape[-1] // 2] = value
    return array


def of_another(**change: float) -> NDArray[np.complex64]:
    """The response of a slightly different membrane."""
    return get(replace(PARAMS, **{name: by * getattr(PARAMS, name) for name, by in change.items()})).response


# What stands in files whose checksum is right.
FORGED: dict[str, Callable[[NDArray[np.complex64]], NDArray[Any]]] = {
    "another mass": lambda response: of_another(mass=1.01),
    "another damping": lambda response: of_another(damping=1.01),
    "a row less": lambda response: response[1:],
    "a frequency less": lambda response: response[:, 1:],
    "flat": lambda response: response.ravel(),
    "nothing": lambda response: response[:0, :0],
    "double precision": lambda response: response.astype(np.complex128),
    "real": lambda response: response.real.copy(),
    "bytes in the other order": lambda response: response.astype(">c8"),
    "zeros": lambda response: 0 * response,
    "the conjugate": lambda response: response.conj(),
    "rows moved": lambda response: np.roll(response, 1, axis=0),
    "one not a number": lambda response: changed(response, np.nan),
    "one infinite": lambda response: changed(response, np.inf),
}


def forge(change: Callable[[NDArray[np.complex64]], NDArray[Any]]) -> Damage:
    return lambda file, table: write(file, table._replace(response=change(table.response)))


DAMAGE = DAMAGED | {name: forge(change) for name, change in FORGED.items()}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_not_trusted_and_replaced(
    folder: Path, damage: Damage, evaluated: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    table = get()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    damage(file, table)
    assert file.read_bytes() != whole
    caplog.clear()

    assert equal(get(), table)
    assert warnings_in(caplog) == 1
    assert str(file) in caplog.text

    evaluated.clear()
    assert equal(get(), table)
    assert sum(evaluated) <= 64  # from the file: it has been replaced
    assert warnings_in(caplog) == 1
    assert not [other for other in folder.iterdir() if other.suffix != ".npz"]


def test_a_flipped_bit_never_changes_the_table(folder: Path) -> None:
    # the first and the last bytes list the contents; a bit of them may not matter
    params = replace(PARAMS, n_places=1)
    table = get(params)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    for at in [*range(0, 300, 10), *range(300, len(whole) - 800, 4001), *range(len(whole) - 800, len(whole), 20)]:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert equal(get(params), table)


# What cannot be kept


def test_a_file_where_the_folder_should_be_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = get()
    file = folder / "file"
    file.write_text("in the way")
    for impossible in (file, file / "below"):
        monkeypatch.setenv("SPIKEDATA_CACHE", str(impossible))
        assert equal(get(), expected)
    assert file.read_text() == "in the way"


def test_a_folder_where_the_file_should_be_is_no_error(folder: Path) -> None:
    expected = get()
    (file,) = folder.iterdir()
    file.unlink()
    file.mkdir()
    assert equal(get(), expected)
    assert list(folder.iterdir()) == [file]


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = get()
    (file,) = folder.iterdir()
    file.unlink()

    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "NamedTemporaryFile", refuse)
    assert equal(get(), expected)
    assert not list(folder.iterdir())


def write_half(file: Any, error: BaseException) -> None:
    file.write(b"half of a table")
    raise error


def test_a_full_disk_is_no_error_and_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(module.np, "savez", lambda file, **_: write_half(file, full))
    table = get()
    assert not list(folder.iterdir())
    monkeypatch.undo()
    monkeypatch.setenv("SPIKEDATA_CACHE", str(folder))
    assert equal(get(), table)


def test_an_interrupted_write_leaves_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.np, "savez", lambda file, **_: write_half(file, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        get()
    assert not list(folder.iterdir())


def test_a_file_has_its_name_only_when_it_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    def refuse(self: Path, target: Path) -> None:
        names.append([file.suffix for file in folder.iterdir()])
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    get()
    assert names == [[".tmp"]]
    assert not list(folder.iterdir())


# Other processes


REPEATEDLY = """
import sys, hashlib
from cochlea.transfer_table import _remembered, cache_folder, transfer_table
from cochlea.transfer_function import BasilarMembraneParams
for turn in range(20):
    table = transfer_table(BasilarMembraneParams(n_places=12), 24_000.0)
    print(hashlib.sha256(table.response.tobytes()).hexdigest())
    _remembered.cache_clear()
    if turn < 19:
        for file in cache_folder().glob("*.npz"):
            file.unlink(missing_ok=True)
"""


def test_processes_that_write_at_once_leave_one_whole_file(folder: Path, evaluated: list[int]) -> None:
    # each also removes the file again and again, for the others to find none, or a new one
    processes = [
        subprocess.Popen([sys.executable, "-c", REPEATEDLY], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert "".join(errors for _, errors in outputs) == ""  # no warning of a damaged file
    assert len({line for printed, _ in outputs for line in printed.split()}) == 1
    (file,) = folder.iterdir()
    get()
    assert sum(evaluated) <= 64
    assert file.suffix == ".npz"


def test_threads_that_want_the_same_table_at_once_compute_it_once(monkeypatch, folder):
    compute, n_threads, asked = module._compute, 8, []

    def slowly(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
        asked.append((params.n_places, max_frequency))
        time.sleep(0.2)  # long enough for all of them to come
        return compute(params, max_frequency)

    monkeypatch.setattr(module, "_compute", slowly)
    together = threading.Barrier(n_threads)

    def want(n_places: int) -> TransferTable:
        together.wait()
        return module.transfer_table(replace(PARAMS, n_places=n_places), RANGE)

    with ThreadPoolExecutor(n_threads) as pool:
        tables = list(pool.map(want, [12, 13] * (n_threads // 2)))
    assert sorted(asked) == [(12, RANGE), (13, RANGE)]
    assert all(table is tables[i % 2] for i, table in enumerate(tables))


def test_a_table_that_could_not_be_made_is_tried_again(monkeypatch, folder):
    def fail(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
        raise ValueError("no finite response")

    with monkeypatch.context() as broken:
        broken.setattr(module, "_compute", fail)
        for _ in range(2):
            with pytest.raises(ValueError, match="no finite response"):
                module.transfer_table(PARAMS, RANGE)
    assert module.transfer_table(PARAMS, RANGE).response.shape[0] == 12 + 2 * N_BEYOND


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_process_forked_while_a_table_is_made_makes_its_own(monkeypatch, folder):
    compute, begun, go_on = module._compute, threading.Event(), threading.Event()

    def held(params: BasilarMembraneParams, max_frequency: float) -> TransferTable:
        begun.set()
        go_on.wait(10)
        return compute(params, max_frequency)

    monkeypatch.setattr(module, "_compute", held)
    thread = threading.Thread(target=module.transfer_table, args=(PARAMS, RANGE))
    thread.start()
    begun.wait(10)
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(module, "_compute", compute)
        os._exit(0 if module.transfer_table(PARAMS, RANGE).step > 0 else 1)
    go_on.set()
    thread.join()
    deadline = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, 9)
        time.sleep(0.05)
    assert os.waitstatus_to_exitcode(ended[1]) == 0


def test_characteristic_frequencies_fall_where_places_are_nearer_than_entries_of_the_table() -> None:
    dense = replace(PARAMS, n_places=401, length=0.4)  # as near as 3,500 places of a whole membrane

    assert (np.diff(np.log(characteristic_frequencies(dense))) < -0.2 * GRID).all()


def test_a_characteristic_frequency_is_where_the_equations_have_their_peak() -> None:
    places = replace(PARAMS, n_places=9)
    for position, best in zip(places.positions[1:], characteristic_frequencies(places)[1:], strict=True):
        around = best * np.array([0.999, 1.0, 1.001])
        gains = np.abs(transfer_function(around, [position], places)[0])
        assert gains.argmax() == 1

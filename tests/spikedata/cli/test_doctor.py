import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

from spikedata.cli import doctor
from spikedata.cli.doctor import Check, diagnose, format_checks


def find(name):
    return {check.name: check for check in diagnose()}[name]


@pytest.fixture
def without(monkeypatch):
    """Hide a module from the search for modules."""
    real = importlib.util.find_spec
    return lambda hidden: monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == hidden else real(name, *rest)
    )


def test_the_doctor_looks_at_everything_promised():
    names = [check.name for check in diagnose()]
    assert len(set(names)) == len(names)
    assert {"python", "spikedata-audio", "numpy", "numba", "h5py", "torch"} <= set(names)
    assert {
        "import spikedata",
        "import cochlea",
        "data folder",
        "cache folder",
        "compiler cache",
        "temporary folder",
    } <= set(names)
    assert {"kernels for encoding", "kernels for training"} <= set(names)
    assert {"processors", "PyTorch on CPU", "speech engine"} <= set(names)


def test_a_check_becomes_json():
    assert json.loads(json.dumps([check._asdict() for check in diagnose()]))


def test_a_check_that_breaks_is_reported_as_failed(monkeypatch):
    def break_down(*_):
        raise RuntimeError("no thermometer")

    monkeypatch.setattr(doctor, "_folder_check", break_down)
    check = find("folders")
    assert not check.ok
    assert check.value == "RuntimeError: no thermometer"


def test_a_missing_library_is_no_exception(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    check = find("h5py")
    assert not check.ok
    assert "pip install" in check.advice


@pytest.mark.parametrize(("name", "extra"), [("torch", "torch"), ("matplotlib", "plot")])
def test_an_absent_extra_is_in_order_and_named(without, name, extra):
    without(name)
    check = find(name)
    assert check.ok
    assert check.value == "not installed"
    assert f"spikedata-audio[{extra}]" in check.advice


def test_the_doctor_asks_for_what_the_distribution_requires():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for extra in extras.values() for line in extra]
    # the metadata of an editable installation may be older than the file, never newer
    wanted = {re.match(r"[\w-]+", line)[0] for line in lines}
    assert (
        {"numpy", "torch", "dask"}
        <= {library.name for library in doctor.libraries()}
        <= wanted | {"hypothesis", "mypy", "pytest", "ruff"}
    )
    assert doctor.extra_of("distributed") == "cluster"
    assert doctor.extra_of("espeakng_loader") == "synth"
    assert doctor.extra_of("numpy") is None


def test_a_library_that_is_too_old_is_a_fault_and_named(monkeypatch):
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.0" if name == "h5py" else real(name))
    check = find("h5py")
    assert not check.ok
    assert check.value.startswith("1.0, which is not >=3.")
    assert check.advice.startswith("pip install 'h5py>=3.")


def test_without_pytorch_nothing_is_said_of_a_gpu(without):
    without("torch")
    assert not [check for check in diagnose() if check.name.startswith("PyTorch")]


def test_another_distribution_with_our_names_is_a_clash(monkeypatch):
    owners = {"spikedata": ["spikedata_audio", "spikedata"], "cochlea": ["Spikedata.Audio"]}
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: owners)
    clash = find("import spikedata")
    assert not clash.ok
    assert "pip uninstall spikedata, then" in clash.advice
    assert find("import cochlea").ok


def test_a_package_found_elsewhere_is_a_clash(monkeypatch, tmp_path):
    (tmp_path / "cochlea").mkdir()
    (tmp_path / "cochlea" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cochlea", raising=False)
    monkeypatch.setattr(importlib.metadata, "packages_distributions", dict)
    assert str(tmp_path) in find("import cochlea").value
    assert not find("import cochlea").ok


def test_the_data_folder_is_the_one_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEDATA_HOME", str(tmp_path / "new" / "data"))
    assert find("data folder") == Check("data folder", str(tmp_path / "new" / "data"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("variable", "name"),
    [("SPIKEDATA_HOME", "data folder"), ("SPIKEDATA_CACHE", "cache folder"), ("NUMBA_CACHE_DIR", "compiler cache")],
)
def test_a_folder_that_cannot_be_written_is_a_fault(monkeypatch, tmp_path, variable, name):
    blocked = tmp_path / "a file, not a folder"
    blocked.touch()
    monkeypatch.setenv(variable, str(blocked))
    check = find(name)
    assert not check.ok
    assert variable in check.advice


def test_limits_on_threads_are_shown(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert "OMP_NUM_THREADS=3" in find("processors").value
    assert f"of {os.cpu_count()}" in find("processors").value


def test_a_missing_speech_engine_is_in_order(monkeypatch):
    from spikedata.synth import engine as synth_engine

    def find_none():
        raise synth_engine.EngineError("no eSpeak NG")

    monkeypatch.setattr(synth_engine, "find_engine", find_none)
    check = find("speech engine")
    assert check.ok
    assert "no eSpeak NG" in check.advice


def test_the_table_tells_faults_from_notes():
    table = format_checks([Check("a", "1"), Check("long name", "2", True, "hint"), Check("b", "3", False, "remedy")])
    assert table.splitlines() == [
        "ok    a          1",
        "note  long name  2",
        "                 hint",
        "FAIL  b          3",
        "                 remedy",
    ]


def test_no_checks_make_an_empty_table():
    assert format_checks([]) == ""


def test_compiled_kernels_are_told_from_those_that_the_first_use_compiles(monkeypatch, tmp_path):
    module = tmp_path / "beat.py"
    module.write_text("import numba\n\n\n@numba.njit(cache=True)\ndef add(a, b):\n    return a + b\n")
    monkeypatch.syspath_prepend(tmp_path)
    import beat

    assert not doctor._is_compiled(beat)
    beat.add(1, 2)
    assert doctor._is_compiled(beat)
    later = module.stat().st_mtime + 3600
    os.utime(module, (later, later))
    assert not doctor._is_compiled(beat)


def test_the_size_of_the_cache_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKEDATA_CACHE", str(tmp_path))
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "times.npy").write_bytes(bytes(3_000_000))
    assert find("cache folder").value == f"{tmp_path}, 3 MB, can be removed"


@pytest.mark.parametrize("library", doctor.libraries(), ids=lambda library: library.name)
def test_a_library_that_is_installed_can_be_found(library):
    try:
        importlib.metadata.version(library.name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed")
    assert importlib.util.find_spec(library.module), library.module

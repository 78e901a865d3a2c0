"""What is said when kernels are compiled."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def said_by(*words: str, cache: Path) -> str:
    env = os.environ | {"NUMBA_CACHE_DIR": str(cache), "SPIKEDATA_CACHE": str(cache / "tables")}
    done = subprocess.run(
        [sys.executable, "-m", "spikedata", *words, "--no-progress", "--workers", "1", "--overwrite"],
        env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stderr


@pytest.mark.slow
def test_kernels_are_said_to_be_compiled_once(tmp_path: Path) -> None:
    import numpy as np
    import soundfile

    sound = tmp_path / "a.wav"
    soundfile.write(sound, np.random.default_rng(0).uniform(-0.5, 0.5, 1600), 16_000)
    words = ["encode", str(sound), str(tmp_path / "a.h5")]

    assert said_by(*words, cache=tmp_path / "new") == "compiling the kernels of the cochlea, once: about 25 s\n"
    assert said_by(*words, "--seed", "1", cache=tmp_path / "new") == ""
    assert said_by(*words, "--seed", "2", "-q", cache=tmp_path / "other") == ""


@pytest.mark.parametrize("module", ["cochlea.compilation", "spikedata.compilation"])
def test_a_program_hears_of_it_by_logging_alone(module: str, tmp_path: Path) -> None:
    of, n_seconds = {"cochlea.compilation": ("cochlea.new", 25), "spikedata.compilation": ("spikedata.nn.new", 15)}[
        module
    ]
    program = f"""
import logging, sys, numba, importlib
importlib.import_module({module!r})
if len(sys.argv) > 1:
    logging.basicConfig(level="INFO", format="%(name)s %(message)s", stream=sys.stdout)
def add(a, b):
    return a + b
def subtract(a, b):
    return a - b
for function in (add, subtract):
    numba.njit(function)(1, 2)
    function.__module__ = {of!r}
    numba.njit(function)(1, 2)
"""
    silent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    told = subprocess.run([sys.executable, "-c", program, "-v"], capture_output=True, text=True, check=True)
    assert (silent.stdout, silent.stderr) == ("", "")
    (line,) = told.stdout.splitlines()
    assert line.startswith(f"{module} compiling the kernels of ")
    assert line.endswith(f"once: about {n_seconds} s")

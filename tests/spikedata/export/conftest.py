"""How the library of each format reads it back: as benchmarks/exports.py does; and clips that are hard to export."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spikedata.files.schema import Provenance
from spikedata.files.writer import SpikeWriter

HARD = ('a, "b"', "fünf\n五", "null", "a\\b;'", " 7")  # class names that a table may lose


@pytest.fixture(scope="session")
def exports() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "exports.py"
    spec = importlib.util.spec_from_file_location("exports", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["exports"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hard(tmp_path: Path) -> Callable[..., Path]:
    """A spike file with all that goes wrong: no spikes, no speaker, equal times, hard names, a class without clips."""

    def write(name: str = "hard.h5", dtype: str = "float32", n_units: int = 40, provenance: bool = True) -> Path:
        rng = np.random.default_rng(3)
        made = Provenance(package_version="0.1.0", params='{"preset": "default"}', seed=3, corpus="folder")
        path = tmp_path / name
        options = {"times_dtype": dtype, "n_units": n_units, "provenance": made if provenance else None}
        with SpikeWriter(path, keys=[*HARD, "unused"], mode="w", **options) as writer:
            for index, n_spikes in enumerate((40, 0, 1, 300, 7)):
                times = np.sort(rng.uniform(0, 0.97, n_spikes)).astype(dtype)
                times[:2], times[-1:] = 0.0, 0.98
                units = rng.integers(0, n_units, n_spikes)
                units[-1:] = n_units - 1
                speaker, source = (-1, "") if index == 2 else (index % 2, f'{HARD[index]}/{index}, "x".wav')
                writer.append(
                    times,
                    units,
                    label=index,
                    speaker=speaker,
                    source=source,
                    sample_rate=16_000,
                    duration=(1.25, 0.4, 0.0, 0.97, 1 / 3)[index],  # unknown, and shorter than the spikes last
                )
        return path

    return write

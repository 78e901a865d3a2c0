"""The scripts of benchmarks/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    def load(name: str) -> ModuleType:
        module_name = f"benchmarks_{name}"  # official.py and gpu.py are names that others may have, too
        if module_name not in sys.modules:
            spec = importlib.util.spec_from_file_location(module_name, FOLDER / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module  # dataclasses look their module up
            spec.loader.exec_module(module)
        return sys.modules[module_name]

    return load

"""The eight contracts of the house: which room may know which, held against the syntax tree of every module.

An import counts wherever it stands, inside functions and under `TYPE_CHECKING` too: a lazy import is as much a
dependency as any other. Only the last contract asks what is loaded when.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("cochlea", "spikedata")
TORCH = ("torch", "safetensors")
LEFT_TO_RIGHT = ("nn", "learning", "training", "baseline")


class Import(NamedTuple):
    """The module that a statement reaches, the statement's line, and whether it runs when its module is imported."""

    target: str
    line: int
    at_top: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in OURS for path in sorted((ROOT / package).rglob("*.py"))}


def is_put_off(node: ast.AST) -> bool:
    """Whether the imports below a node do not run when the module is imported."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)


def imports_of(tree: ast.Module, module: str, is_package: bool) -> Iterator[Import]:
    """Every import of a module, relative ones resolved, `from package import module` followed to the module.

    The version, which the door of a package holds, is no dependency on what stands behind the door.
    """
    for node, at_top in import_statements(tree, True):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        else:
            base = node.module or ""
            if node.level:
                here = module.split(".")
                above = here[: len(here) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            names = [alias.name for alias in node.names if alias.name != "__version__"]
            targets = [f"{base}.{name}" if f"{base}.{name}" in MODULES else base for name in names]
        for target in dict.fromkeys(targets):
            yield Import(target, node.lineno, at_top)


def import_statements(node: ast.AST, at_top: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """The import statements below a node, and whether each runs when its module is imported."""
    for below in ast.iter_child_nodes(node):
        if isinstance(below, ast.Import | ast.ImportFrom):
            yield below, at_top
        elif isinstance(below, ast.stmt | ast.excepthandler | ast.match_case):  # no expression has one
            yield from import_statements(below, at_top and not is_put_off(below))


IMPORTS = {
    module: list(imports_of(ast.parse(path.read_text("utf-8")), module, path.name == "__init__.py"))
    for module, path in MODULES.items()
}


def is_within(name: str, *scopes: str) -> bool:
    return any(name == scope or name.startswith(scope + ".") for scope in scopes)


def reaching(scopes: tuple[str, ...], targets: tuple[str, ...], *, but: tuple[str, ...] = ()) -> list[str]:
    """Each import from within some scopes, the rooms that may do it apart, that reaches one of the targets.

    The door of the package shows every room and is none.
    """
    return [
        f"{module}:{found.line} imports {found.target}"
        for module, imports in IMPORTS.items()
        if module != "spikedata" and is_within(module, *scopes) and not is_within(module, *but)
        for found in imports
        if is_within(found.target, *targets)
    ]


def rooms(*names: str) -> tuple[str, ...]:
    return tuple(f"spikedata.{name}" for name in names)


def test_1_the_cochlea_knows_nothing_of_spikedata_torch_files_or_recordings():
    assert reaching(("cochlea",), ("spikedata", "h5py", "soundfile", *TORCH)) == []


def test_2_events_know_no_file_and_files_know_only_events_and_splits():
    assert reaching(rooms("events"), ("h5py", *TORCH)) == []
    others = {module for module in MODULES if not is_within(module, *rooms("files", "events", "splits", "disk"))}
    foundation = {"spikedata", *rooms("checks", "compilation", "printable")}
    assert reaching(rooms("files"), tuple(others - foundation)) == []


def test_3_what_lists_and_divides_clips_knows_no_encoder_and_no_torch():
    left = rooms("corpora", "splits", "downloads", "transforms", "tasks", "acoustics")
    assert reaching(left, ("cochlea", *rooms("encoding"), *TORCH)) == []


def test_3_sound_before_the_cochlea_is_pure_functions_of_waveforms():
    assert reaching(rooms("acoustics"), ("h5py", "soundfile", *rooms("corpora", "events", "files", "disk"))) == []


def test_4_only_what_trains_imports_torch():
    assert reaching(OURS, TORCH, but=rooms("torch", *LEFT_TO_RIGHT)) == []


def test_4_recognition_stands_at_the_end_of_the_way_and_gets_its_network_from_the_baseline():
    # all that needs PyTorch, reading weights and asking a network, is in baseline and nn, for whoever trains needs it
    assert reaching(OURS, rooms("recognition"), but=rooms("recognition", "cli")) == []
    assert reaching(rooms("recognition"), rooms("torch", "nn.kernels", "training", "downloads", "synth", "cli")) == []


@pytest.mark.parametrize("number", range(len(LEFT_TO_RIGHT) - 1))
def test_5_networks_know_no_training_and_training_no_recipe(number):
    assert reaching(rooms(LEFT_TO_RIGHT[number]), rooms(*LEFT_TO_RIGHT[number + 1 :])) == []


def test_6_pictures_are_made_by_the_command_line_alone():
    assert reaching(OURS, rooms("plot", "report"), but=rooms("plot", "report", "cli")) == []
    at_top = [m for m, imports in IMPORTS.items() for i in imports if i.at_top and is_within(i.target, "matplotlib")]
    assert at_top == []


def test_6_other_formats_are_written_by_the_command_line_alone():
    assert reaching(OURS, rooms("export"), but=rooms("export", "cli")) == []
    heavy = ("pyarrow", "neo", "nixio", "pynwb", "nir", "dv_processing", "pandas", "datasets", "mlcroissant", "tonic")
    at_top = [m for m, imports in IMPORTS.items() for i in imports if i.at_top and is_within(i.target, *heavy)]
    assert at_top == []


def test_7_nobody_imports_the_command_line():
    assert reaching(OURS, rooms("cli"), but=(*rooms("cli"), "spikedata.__main__")) == []


def test_8_imports_run_in_no_circle():
    # A package's __init__ is its door, not a step on the way: whoever imports a module below it runs it anyway.
    doors = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    graph = {m: {i.target for i in IMPORTS[m] if i.target in MODULES} - doors for m in MODULES if m not in doors}
    while leaves := {module for module, targets in graph.items() if not targets & graph.keys()}:
        graph = {module: targets for module, targets in graph.items() if module not in leaves}
    assert not graph, f"these modules import each other in a circle, or sit on one: {sorted(graph)}"


def test_8_both_packages_load_neither_torch_nor_hdf5_nor_matplotlib():
    code = "import sys, cochlea, spikedata; print(*sorted({'torch', 'h5py', 'matplotlib'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "\n"


IMPORTS_OF_EVERY_KIND = """
import os.path
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from . import files
def lazily():
    from .torch.batch import collate
    from spikedata import Events
    import torch.nn as nn
"""


def test_the_reader_of_imports_sees_every_kind():
    found = list(imports_of(ast.parse(IMPORTS_OF_EVERY_KIND), "spikedata.cli", is_package=False))
    assert sorted(i.target for i in found if i.at_top) == ["os.path", "typing"]
    put_off = sorted(i.target for i in found if not i.at_top)
    assert put_off == ["spikedata", "spikedata.files", "spikedata.torch.batch", "torch.nn"]


@pytest.mark.parametrize(
    ("module", "is_package", "text", "target"),
    [
        ("cochlea", True, "from .model import encode", "cochlea.model"),
        ("cochlea.model", False, "from .stimulus import resample", "cochlea.stimulus"),
        ("spikedata.torch", True, "from ..files import Sample", "spikedata.files"),
        ("spikedata.torch.batch", False, "from .. import files", "spikedata.files"),
    ],
)
def test_the_reader_of_imports_resolves_dots(module, is_package, text, target):
    assert [i.target for i in imports_of(ast.parse(text), module, is_package)] == [target]

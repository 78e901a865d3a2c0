"""Who may import whom: the table of the house, held against the syntax tree of every module.

An import counts wherever it stands, inside functions and under `TYPE_CHECKING` too: a lazy import is as much a
dependency as any other. Only the test of heavy libraries looks at where an import stands.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 300

EVERYTHING = {"cochlea", "spikedata"}
DATA = {"atomic", "schema", "events", "event_cache", "reader", "binning", "batching", "splits", "streams", "transforms"}
BELOW_KERNELS = {"baseline.neurons", "baseline.surrogate", "baseline.threads"}
BELOW_NETWORKS = {"baseline.kernels", "torch", *BELOW_KERNELS}
BELOW_TRAINING = {"baseline.networks", "baseline.checks", "file_digest", "work_folder", *BELOW_NETWORKS, *DATA}
SPEECH = {"synth_clip", "synth_engine", "synth_voice", "synth_words"}

# Each module and what it may import of ours, the latter without "spikedata." before it. On the right a name stands for
# itself and all below it; on the left only the folders named here do.
WHOLE_FOLDERS = (
    "spikedata.baseline.kernels",
    "spikedata.baseline.networks",
    "spikedata.baseline.neurons",
    "spikedata.baseline.protocol",
    "spikedata.baseline.recipes",
    "spikedata.baseline.training",
    "spikedata.cli",
    "spikedata.cluster",
    "spikedata.corpora",
    "spikedata.downloads",
    "spikedata.plot",
    "spikedata.splits",
    "spikedata.torch",
    "spikedata.transforms",
)
MAY_IMPORT = {
    # a door may show what stands behind it
    "cochlea": {"cochlea"},
    "spikedata": EVERYTHING,
    # sound to spikes: the chain and its stages, which do not know each other
    "cochlea.model": {"cochlea"},
    "cochlea.physiology": {"cochlea"},
    "cochlea.recording": {"cochlea"},
    "cochlea.analysis": set(),
    "cochlea.spike_statistics": set(),
    "cochlea.engine": {"cochlea"},
    "cochlea.traveling_wave": {
        "cochlea.basilar_membrane",
        "cochlea.compilation",
        "cochlea.periodic",
        "cochlea.transfer_function",
        "cochlea.transfer_table",
    },
    "cochlea.tiles": {"cochlea.chance", "cochlea.compilation"},
    "cochlea.chance": {"cochlea.compilation"},
    "cochlea.periodic": {"cochlea.compilation"},
    "cochlea.stimulus": {"cochlea.checks"},
    "cochlea.basilar_membrane": {"cochlea.compilation", "cochlea.transfer_function", "cochlea.transfer_table"},
    "cochlea.transfer_table": {"cochlea.interpolation", "cochlea.transfer_function"},
    "cochlea.transfer_function": {"cochlea.checks"},
    "cochlea.hair_cell": {"cochlea.checks", "cochlea.compilation", "cochlea.interpolation"},
    "cochlea.auditory_nerve": {"cochlea.checks", "cochlea.compilation"},
    "cochlea.bushy_cell": {"cochlea.checks", "cochlea.compilation"},
    "cochlea.compilation": set(),
    "cochlea.interpolation": set(),
    "cochlea.checks": set(),
    # files: from the format upwards
    "spikedata.schema": set(),
    "spikedata.atomic": set(),
    "spikedata.work_folder": {"atomic"},
    "spikedata.file_digest": set(),
    "spikedata.splits": {"splits", "atomic"},
    "spikedata.binning": {"schema"},
    "spikedata.compilation": set(),
    "spikedata.kernels": {"compilation"},
    "spikedata.events": {"schema", "kernels"},
    "spikedata.batching": {"schema", "events", "kernels"},
    "spikedata.event_cache": {"events", "folders", "reader"},
    "spikedata.streams": set(),
    "spikedata.named_params": set(),
    "spikedata.transforms": {"transforms", "events", "streams", "compilation"},
    "spikedata.heap": {"schema"},
    "spikedata.hdf5": {"schema"},
    "spikedata.columns": {"schema", "hdf5"},
    "spikedata.reader": {"schema", "hdf5", "heap", "columns", "events"},
    "spikedata.backing": set(),
    "spikedata.row_stream": {"schema", "backing"},
    "spikedata.writer": {"schema", "row_stream", "atomic", "reader"},  # keeps what a file has
    "spikedata.info": {"schema", "events", "reader", "splits"},
    # published files
    "spikedata.folders": set(),
    "spikedata.downloads": {"downloads", "atomic", "file_digest", "folders"},
    # recordings
    "spikedata.audio": set(),
    "spikedata.corpora": {"corpora"},
    "spikedata.synth_voice": set(),
    "spikedata.synth_words": set(),
    "spikedata.synth_engine": {"synth_voice", "synth_words"},
    "spikedata.synth_clip": {"synth_engine", "synth_words"},
    "spikedata.synth": {"atomic", "audio", "corpora", *SPEECH},
    # where the two packages meet
    "spikedata.cluster": {"cluster"},
    "spikedata.encoding": set(),
    "spikedata.encoding.blocks": {"cochlea", "corpora", "schema"},
    "spikedata.encoding.names": set(),
    "spikedata.encoding.ear": {"cochlea", "encoding.blocks", "named_params"},
    "spikedata.encoding.plan": {
        "cochlea",
        "encoding.assemble",
        "encoding.blocks",
        "encoding.names",
        "corpora",
        "splits",
        "reader",
        "schema",
        "atomic",
    },
    "spikedata.encoding.folder": {"encoding.blocks", "reader", "schema", "atomic", "work_folder"},
    "spikedata.encoding.work": {"cochlea", "encoding.blocks", "audio", "writer", "schema"},
    "spikedata.encoding.assemble": {"atomic", "events", "reader", "writer", "schema"},
    "spikedata.encode": {"cochlea", "encoding", "cluster", "audio", "corpora", "splits", "atomic"},
    "spikedata.merge": {"encoding", "reader", "schema"},
    "spikedata.encoding.comparison": {
        "cochlea",
        "encoding.blocks",
        "named_params",
        "audio",
        "corpora",
        "reader",
        "schema",
    },
    "spikedata.verify": {"encoding.comparison", "downloads", "file_digest", "reader"},
    # pictures, PyTorch, training
    "spikedata.plot": {"plot", *DATA},
    "spikedata.torch": {"torch", "downloads", "folders", *DATA},
    "spikedata.baseline": {"baseline"},
    "spikedata.baseline.checks": set(),
    "spikedata.baseline.threads": set(),
    "spikedata.baseline.surrogate": set(),
    "spikedata.baseline.neurons": {"baseline.neurons", "baseline.surrogate"},
    "spikedata.baseline.kernels": {"baseline.kernels", "compilation", *BELOW_KERNELS},
    "spikedata.baseline.networks": {"baseline.networks", "baseline.checks", *BELOW_NETWORKS},
    "spikedata.baseline.training": {"baseline.training", *BELOW_TRAINING},
    "spikedata.baseline.recipes": {"baseline.recipes", "baseline.training", *BELOW_TRAINING},
    "spikedata.baseline.protocol": {"baseline.protocol", "baseline.recipes", "baseline.training", *BELOW_TRAINING},
    # on top
    "spikedata.progress": set(),
    "spikedata.doctor": EVERYTHING,
    "spikedata.demo": EVERYTHING,
    "spikedata.cli": EVERYTHING,
    "spikedata.__main__": {"cli"},
}
MAY_IMPORT_COCHLEA = {
    "spikedata.encoding.blocks",
    "spikedata.encoding.comparison",
    "spikedata.encoding.ear",
    "spikedata.encoding.plan",
    "spikedata.encode",
    "spikedata.encoding.work",
    "spikedata.cli",
    "spikedata.demo",
    "spikedata.doctor",
}
TORCH = {"torch", "safetensors"}
COCHLEA_NEEDS = {"numpy", "scipy", "numba", "platformdirs"}
ONLY_INSIDE_FUNCTIONS = {"matplotlib", "librosa", "dask", "distributed"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc"}


class Import(NamedTuple):
    """The module that a statement reaches, the statement's line, and whether it runs when its module is imported."""

    target: str
    line: int
    at_top: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for package in ("cochlea", "spikedata") for path in sorted((ROOT / package).rglob("*.py"))
}


def is_put_off(node: ast.AST) -> bool:
    """Whether the imports below a node do not run when the module is imported."""
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def imports_of(tree: ast.Module, module: str, is_package: bool) -> Iterator[Import]:
    """Every import of a module, relative ones resolved, `from package import module` followed to the module.

    The version, which the door of a package holds, is no dependency on what stands behind the door.
    """
    inside = {id(node) for block in ast.walk(tree) if is_put_off(block) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".")
                above = here[: len(here) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            names = [alias.name for alias in node.names if alias.name != "__version__"]
            targets = [f"{base}.{name}" if f"{base}.{name}" in MODULES else base for name in names]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield Import(target, node.lineno, id(node) not in inside)


def read_imports(module: str) -> list[Import]:
    path = MODULES[module]
    return list(imports_of(ast.parse(path.read_text("utf-8")), module, path.name == "__init__.py"))


def is_within(name: str, scope: str) -> bool:
    return name == scope or name.startswith(scope + ".")


def row_of(module: str) -> str | None:
    """The row of the table that speaks for a module; None for a module that nobody has put there."""
    if module in MAY_IMPORT:
        return module
    return next((folder for folder in WHOLE_FOLDERS if is_within(module, folder)), None)


def is_allowed(target: str, row: str) -> bool:
    full_names = (name if name.startswith(tuple(EVERYTHING)) else f"spikedata.{name}" for name in MAY_IMPORT[row])
    return any(is_within(target, name) for name in full_names)


def is_ours(target: str) -> bool:
    return target.partition(".")[0] in EVERYTHING


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_place_in_the_table(module):
    assert row_of(module), f"{module} has no row in MAY_IMPORT: decide in tests/test_layers.py what it may import"


@pytest.mark.parametrize("module", [name for name in MODULES if row_of(name)])
def test_a_module_imports_only_what_the_table_allows(module):
    wrong = [i for i in read_imports(module) if is_ours(i.target) and not is_allowed(i.target, row_of(module))]
    assert not wrong, f"{module} may import {sorted(MAY_IMPORT[row_of(module)])} of ours, got {wrong}"


def test_the_table_names_no_module_that_is_gone():
    assert {row for row in MAY_IMPORT if row not in MODULES} == set()


def test_imports_run_in_no_circle():
    # A package's __init__ is its door, not a step on the way: whoever imports a module below it runs it anyway.
    doors = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    graph = {m: {i.target for i in read_imports(m) if i.target in MODULES} - doors for m in MODULES if m not in doors}
    while leaves := {module for module, targets in graph.items() if not targets & graph.keys()}:
        graph = {module: targets for module, targets in graph.items() if module not in leaves}
    assert not graph, f"these modules import each other in a circle, or sit on one: {sorted(graph)}"


def test_only_the_meeting_places_import_the_cochlea():
    found = {m for m in MODULES if is_within(m, "spikedata") for i in read_imports(m) if is_within(i.target, "cochlea")}
    assert found <= MAY_IMPORT_COCHLEA


def test_only_the_torch_and_baseline_folders_import_torch():
    found = {m for m in MODULES for i in read_imports(m) if i.target.partition(".")[0] in TORCH}
    assert {m for m in found if not is_within(m, "spikedata.torch") and not is_within(m, "spikedata.baseline")} == set()


@pytest.mark.parametrize("module", [name for name in MODULES if is_within(name, "cochlea")])
def test_the_cochlea_needs_no_other_package_than_these(module):
    found = {i.target.partition(".")[0] for i in read_imports(module)}
    assert found - sys.stdlib_module_names - COCHLEA_NEEDS - {"cochlea"} == set()


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_are_imported_where_they_are_used(module):
    found = {i.target.partition(".")[0] for i in read_imports(module) if i.at_top}
    assert not found & ONLY_INSIDE_FUNCTIONS


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short_and_named_for_what_it_does(module):
    n_lines = len(MODULES[module].read_text("utf-8").splitlines())
    assert n_lines <= MAX_LINES, f"{module} has {n_lines} lines: cut it in two"
    assert module.rpartition(".")[2] not in FORBIDDEN_NAMES


@pytest.mark.parametrize("module", [name for name in MODULES if not is_within(name, "spikedata.cli")])
def test_only_the_command_line_prints(module):
    calls = [node for node in ast.walk(ast.parse(MODULES[module].read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert [c.lineno for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"] == []


IMPORTS_OF_EVERY_KIND = """
import os.path
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from . import schema
def lazily():
    from .torch.batch import collate
    from spikedata import Events
    import torch.nn as nn
"""


def test_the_reader_of_imports_sees_every_kind():
    found = list(imports_of(ast.parse(IMPORTS_OF_EVERY_KIND), "spikedata.cli", is_package=False))
    assert sorted(i.target for i in found if i.at_top) == ["os.path", "typing"]
    put_off = sorted(i.target for i in found if not i.at_top)
    assert put_off == ["spikedata", "spikedata.schema", "spikedata.torch.batch", "torch.nn"]


def test_asking_for_the_version_is_no_dependency():
    assert not list(imports_of(ast.parse("from spikedata import __version__"), "spikedata.encode", is_package=False))


@pytest.mark.parametrize(
    ("module", "is_package", "text", "target"),
    [
        ("cochlea", True, "from .model import encode", "cochlea.model"),
        ("cochlea.model", False, "from .stimulus import resample", "cochlea.stimulus"),
        ("spikedata.torch", True, "from ..schema import Sample", "spikedata.schema"),
        ("spikedata.torch.batch", False, "from .. import schema", "spikedata.schema"),
    ],
)
def test_the_reader_of_imports_resolves_dots(module, is_package, text, target):
    assert [i.target for i in imports_of(ast.parse(text), module, is_package)] == [target]


def test_a_new_module_has_no_row_by_accident():
    assert row_of("spikedata.new") is None
    assert row_of("cochlea.new") is None
    assert row_of("spikedata.torch.new") == "spikedata.torch"

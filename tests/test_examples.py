"""The gallery: every example asks one question, answers it, and runs by itself, offline, from any folder."""

import ast
import os
import re
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ORDER = runpy.run_path(str(ROOT / "docs" / "extensions" / "gallery_look.py"))["ORDER"]
QUICK = "own_recordings"
OFFLINE = {"SPIKEDATA_OFFLINE": "1", "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}

each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)


def imported_by(example: Path) -> set[str]:
    tree = ast.parse(example.read_text("utf-8"))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {name.split(".")[0] for name in plain}


def test_the_gallery_has_an_order_of_all_its_examples():
    assert sorted(ORDER) == [example.stem for example in EXAMPLES]
    assert 10 <= len(ORDER) <= 20


@each
def test_an_example_begins_with_a_question_and_its_answer(example):
    title, underline, blank, *rest = ast.get_docstring(ast.parse(example.read_text("utf-8"))).splitlines()
    paragraph = " ".join("\n".join(rest).split("\n\n")[0].split())
    assert len(title) == len(underline) <= 40
    assert set(underline) == {"="}
    assert not blank
    assert re.match(r"\*\*[A-Z][^*]+\?\*\* \S", paragraph)


@each
def test_an_example_is_told_in_blocks_and_ends_with_something_to_see(example):
    text = example.read_text("utf-8")
    assert text.count("\n# %%\n") >= 3
    last = text.split("\n# %%\n")[-1]
    assert "plt.show()" in last or "_repr_html_" in last


@each
def test_an_example_needs_no_network_and_no_folder_of_one_machine(example):
    text = example.read_text("utf-8")
    assert not re.search(r"[\"'](/|[A-Z]:\\|\.\./)", text), "a path of one machine"
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert "download" not in code


@pytest.mark.slow
@pytest.mark.parametrize(
    "example",
    # `make docs` runs them all, too
    [pytest.param(path, marks=() if path.stem == QUICK else pytest.mark.slow, id=path.stem) for path in EXAMPLES],
)
def test_an_example_runs_by_itself(example, tmp_path):
    missing = [name for name in imported_by(example) if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    script = tmp_path / example.name  # as downloaded from the site: nothing lies beside it
    script.write_bytes(example.read_bytes())
    environment = os.environ | OFFLINE | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
    assert [path.name for path in tmp_path.iterdir()] == [script.name], "an example leaves files behind"

"""What the repository says of itself agrees with itself."""

import importlib.metadata
import os
import re
import tomllib
from pathlib import Path

import pytest

import spikedata

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION = (ROOT / "CITATION.cff").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def citation_value(key: str) -> str:
    """A value at the top level of the citation file, without its quotes."""
    found = re.search(rf"^{key}: *(.+)$", CITATION, re.MULTILINE)
    return found[1].strip("\"'") if found else ""


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


# Versions


def test_the_version_is_the_same_everywhere():
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)[1]
    assert PROJECT["version"] == spikedata.__version__ == citation_value("version") == newest
    assert importlib.metadata.version("spikedata-audio") == PROJECT["version"]


# Citation


@pytest.mark.parametrize(
    ("key", "value"),
    [("cff-version", "1.2.0"), ("type", "software"), ("license", PROJECT["license"].split(" AND ")[0])],
)
def test_the_citation_says_what_it_must(key, value):
    assert citation_value(key) == value


@pytest.mark.parametrize("key", ["message", "title"])
def test_the_citation_leaves_out_nothing_required(key):
    assert citation_value(key)


def test_the_citation_keeps_the_indentation_of_yaml():
    lines = [line for line in CITATION.splitlines() if line.strip()]
    assert all((len(line) - len(line.lstrip(" "))) % 2 == 0 and "\t" not in line for line in lines)
    assert all(re.match(r" *(- )?[a-z-]+: *\S|[a-z-]+:$| {4}authors:$| +- \"| {2}\w", line) for line in lines)


def test_the_package_and_the_paper_are_cited():
    package, paper = CITATION.split("\nreferences:\n")
    assert "spikedata-audio" in package
    assert "doi: 10.1109/TNNLS.2020.3044364" in paper
    assert re.findall(r"family-names: (\w+)", paper) == ["Cramer", "Stradmann", "Schemmel", "Zenke"]


# Commands


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_names_the_two_commands(command):
    assert command in README


def test_the_readme_names_no_target_that_is_not_there():
    assert set(re.findall(r"\bmake ([a-z-]+)(?=`|$)", README, re.MULTILINE)) <= make_targets()


def test_the_readme_never_installs_the_other_spikedata():
    assert not re.search(r"pip install (-\S+ )*[\"']?spikedata(?!-audio)", README)


def test_every_target_is_explained_and_phony():
    explained = set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split())
    assert explained == phony == make_targets()


def test_every_script_that_make_runs_is_there():
    for script in re.findall(r"\$\(RUN\) (\S+\.py)", MAKEFILE):
        assert (ROOT / script).is_file(), script


def test_the_check_of_a_change_can_be_run():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_workflow_checks_every_release_of_python_that_is_claimed():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    checked = re.findall(r'"(3\.\d+)"', re.search(r"python: (\[.+\])", workflow)[1])
    claimed = [one.rpartition(" ")[2] for one in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert checked == claimed
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    assert "run: .ci/run" in workflow


def test_the_makefile_survives_a_space_in_its_path():
    assert "CURDIR" not in MAKEFILE
    assert "abspath" not in MAKEFILE

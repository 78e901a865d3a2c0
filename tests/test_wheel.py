"""What is handed to a package index: the long description and the contents of the wheel."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]
HOME = "https://example.org/us/spikedata"
TARGET = re.compile(r"\]\(([^()\s]+)\)")


def load_hook():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for_an_index = load_hook().for_an_index


def metadata_of(folder):
    """The metadata as a build writes them, in a process of its own: the current folder is the project."""
    command = "import sys; from hatchling.build import prepare_metadata_for_build_wheel as p; print(p(sys.argv[1]))"
    made = folder.parent / "made"
    made.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", command, str(made)], cwd=folder, capture_output=True, encoding="utf-8", check=True
    )
    return message_from_string((made / done.stdout.strip() / "METADATA").read_text("utf-8"))


@pytest.fixture
def copy(tmp_path):
    """The files of which metadata are made, to be changed."""
    folder = tmp_path / "a copy"
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "hatch_build.py", "LICENSE"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for package in ("cochlea", "spikedata"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
    return folder


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    return zipfile.ZipFile(built).namelist()


# Long description


@pytest.mark.parametrize(
    ("written", "without", "within"),
    [
        ("see [a page](docs/a.md#b).", "see a page.", f"see [a page]({HOME}/blob/HEAD/docs/a.md#b)."),
        ("![a word](docs/word.png)", "", f"![a word]({HOME}/raw/HEAD/docs/word.png)"),
        ("[`examples/`](examples)", "`examples/`", f"[`examples/`]({HOME}/blob/HEAD/examples)"),
        ("[![a](a.png)](b.md)", "", f"[![a]({HOME}/raw/HEAD/a.png)]({HOME}/blob/HEAD/b.md)"),
        ("[a](https://a.b/c) [d](#d)", "[a](https://a.b/c) [d](#d)", "[a](https://a.b/c) [d](#d)"),
        ("`[a](b)`", "`[a](b)`", "`[a](b)`"),
        ("```\nx[a](b)\n\n\n```", "```\nx[a](b)\n\n\n```", "```\nx[a](b)\n\n\n```"),
    ],
)
def test_a_link_leads_to_the_repository_or_nowhere(written, without, within):
    assert for_an_index(written) == without
    assert for_an_index(written, HOME) == within
    assert for_an_index(written, HOME + "/") == within


def test_a_picture_that_is_left_out_leaves_no_gap():
    assert for_an_index("a\n\n![b](b.png)\n\nc\n") == "a\n\nc\n"


def test_html_is_refused():
    with pytest.raises(ValueError, match=r"links and pictures must be Markdown, got '<img'"):
        for_an_index('<img src="a.png">')


def test_without_an_address_the_description_has_no_path(copy):
    said = metadata_of(copy)
    assert said["Description-Content-Type"] == "text/markdown"
    text = said.get_payload()
    assert text.startswith("# ")
    assert [target for target in TARGET.findall(text) if not target.startswith(("https://", "#"))] == []


def test_with_an_address_every_path_is_one_below_it(copy):
    project = (copy / "pyproject.toml").read_text("utf-8")
    changed = project.replace("\n[project.urls]\n", f'\n[project.urls]\nSource = "{HOME}"\n')
    (copy / "pyproject.toml").write_text(changed, "utf-8")
    said = metadata_of(copy)
    assert f"Source, {HOME}" in said.get_all("Project-URL")
    targets = TARGET.findall(said.get_payload())
    inside = [target.removeprefix(f"{HOME}/").split("/", 2) for target in targets if target.startswith(HOME)]
    assert inside
    for kind, head, path in inside:
        assert (kind, head) == ("raw" if path.endswith(".png") else "blob", "HEAD")
        assert (ROOT / path.partition("#")[0]).exists(), path
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


# Wheel


def test_the_wheel_holds_both_packages_whole_and_nothing_else(names):
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "cochlea", "spikedata"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if tracked.returncode:
        pytest.skip("not a clone")
    files = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    assert {name for name in names if ".dist-info/" not in name} == files


def test_the_wheel_tells_type_checkers_that_it_is_typed(names):
    assert {"cochlea/py.typed", "spikedata/py.typed"} <= set(names)

"""The examples of README.md and docs/ are true: Python blocks run, commands are those that there are.

Blocks of a file run in their order and share their names, in a folder that holds what a reader would have. A comment
above a block, which no reader sees, says otherwise: `<!-- not run: why -->` of Python, `<!-- run -->` of commands,
which are only parsed without it.
"""

import re
import shlex
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

from spikedata.baseline.recipes.catalog import RECIPES, recipe_from
from spikedata.cli import build_parser, main
from spikedata.cli.command import CommandParser
from spikedata.files.writer import SpikeWriter

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"(?ms)^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$")
PLACEHOLDER = re.compile(r"[A-Z]+|\.\.\.|…")


class Block(NamedTuple):
    """A fenced block of a document: file, line, what the fence calls it, the comment above, text."""

    file: str
    line: int
    kind: str
    mark: str
    text: str


def blocks_of(path: Path) -> list[Block]:
    text = path.read_text("utf-8")
    found = FENCE.finditer(text)
    name = str(path.relative_to(ROOT))
    return [Block(name, text[: b.start("text")].count("\n") + 1, b["kind"], b["mark"] or "", b["text"]) for b in found]


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# what a build of the site has written from the code
DOCUMENTS = [path for path in DOCUMENTS if not {"_build", "gallery", "generated"} & {*path.relative_to(ROOT).parts}]
BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)]


def commands_of(block: Block) -> list[list[str]]:
    """The words of every line that begins with `spikedata`, without comments and what a shell does with the rest."""
    lines = re.sub(r"\\\n", " ", block.text).splitlines()
    typed = [line.replace("[", "").replace("]", "") for line in lines if line.startswith("spikedata ")]
    return [shlex.split(re.split(r"\s[|&;>]", line)[0], comments=True)[1:] for line in typed]


COMMANDS = [
    pytest.param(words, id=f"{block.file}:{block.line} {' '.join(words)}")
    for block in BLOCKS
    if block.kind in ("", "sh", "bash")
    for words in commands_of(block)
]
RUN = [block for block in BLOCKS if block.mark == "run"]
PYTHON = list({block.file: None for block in BLOCKS if block.kind == "python"})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a reader has: recordings in class folders and of a known corpus, and spike files of several speakers."""
    rng = np.random.default_rng(0)
    audiomnist = [f"AudioMNIST/data/{who:02d}/{digit}_{who:02d}_0.wav" for who in range(1, 9) for digit in (0, 1)]
    for name in (
        *audiomnist,
        "words/cat/1.wav",
        "words/dog/1.wav",
        "recordings/cat/1.wav",
        "take1.wav",
        "take2.flac",
        "free-spoken-digit-dataset/recordings/3_jackson_0.wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, rng.uniform(-0.5, 0.5, 800), 8_000)
    for name in ("demo/spoken_digits.h5", "digits.h5", "train.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with SpikeWriter(tmp_path / name, keys=["low", "high"]) as writer:
            for index in range(24):
                times, units = np.sort(rng.uniform(0, 0.5, 50)), rng.integers(0, 700, 50)
                speaker, label = divmod(index, 2)
                writer.append(times, units, label=label, speaker=speaker % 6, source=f"{index}.wav")
    rows = [f"words/{word}/1.wav,{word},{part}" for word, part in (("cat", "train"), ("dog", "train"))]
    rows.append("recordings/cat/1.wav,cat,test")
    (tmp_path / "kitchen.csv").write_text("\n".join(["path,label,part", *rows]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIKEDATA_OFFLINE", "1")
    return tmp_path


def test_the_documents_have_blocks_of_each_kind() -> None:
    assert len(PYTHON) > 4
    assert len(COMMANDS) > 40
    assert RUN


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.file}:{block.line}")
def test_a_block_that_is_not_run_says_why(block: Block) -> None:
    assert re.fullmatch(r"|run|not run: \w.+", block.mark)
    assert not block.mark.startswith("not run") or block.kind == "python"


@pytest.mark.parametrize("name", PYTHON)
def test_the_python_of_a_document_runs(name: str, folder: Path) -> None:
    names: dict[str, object] = {"__name__": "document"}
    for block in BLOCKS:
        if block.file == name and block.kind == "python" and not block.mark.startswith("not run"):
            # as many empty lines before it as stand above it in the document, so that errors name its lines
            exec(compile("\n" * (block.line - 1) + block.text, ROOT / name, "exec"), names)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_of_a_document_is_one_that_there_is(words: list[str]) -> None:
    args, rest = build_parser().parse_known_args([re.sub(r"^NAME$", "shd", word) for word in words])

    assert not rest
    recipe = getattr(args, "recipe", None)
    if words[0] == "train" and recipe and recipe != "shd" and not PLACEHOLDER.fullmatch(recipe):
        assert recipe in RECIPES
        recipe_from(recipe, args.params)


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"{block.file}:{block.line}")
def test_commands_that_are_to_be_run_end_well(block: Block, folder: Path) -> None:
    (folder / "digits.h5").unlink()
    for words in commands_of(block):
        typed = [
            found for word in words for found in ([*map(str, sorted(Path().glob(word)))] if "*" in word else [word])
        ]
        assert main(typed) == 0, words


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.kind == "toml"], ids=lambda block: f"{block.file}:{block.line}"
)
def test_a_config_of_a_document_makes_a_recipe(block: Block) -> None:
    config = tomllib.loads(block.text)
    recipe_from(config.pop("recipe"), config)


def test_the_documents_name_no_command_that_is_not_there() -> None:
    (commands,) = [action.choices for action in build_parser()._actions if isinstance(action.choices, dict)]
    assert all(isinstance(parser, CommandParser) for parser in commands.values())
    for path in DOCUMENTS:
        named = re.findall(r"`spikedata ([a-z]+)\b(?!-)", path.read_text("utf-8"))
        assert set(named) <= set(commands), path

"""Lists of what can be chosen, files that are given back, and completion."""

import argparse
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cochlea import CochleaParams
from spikedata.baseline.recipes.catalog import RECIPES, recipe_from
from spikedata.baseline.recipes.config import read_config
from spikedata.cli import build_parser, main
from spikedata.cli.completion import SHELLS
from spikedata.cli.ear import PRESET_NAMES
from spikedata.encoding.blocks import PRESETS
from spikedata.encoding.ear import ear_params
from spikedata.files.reader import SpikeFile
from spikedata.named_params import with_values


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_recipes_are_listed_in_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "recipes").splitlines()
    assert [line.split()[0] for line in lines] == list(RECIPES)
    told = json.loads(printed(capsys, "recipes", "--json"))
    assert told == {"recipes": {name: one.about for name, one in RECIPES.items()}}


@pytest.mark.parametrize("name", RECIPES)
def test_the_params_of_a_recipe_come_back_from_their_file(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(printed(capsys, "params", name, "--toml"), encoding="utf-8")
    content = read_config(file)

    assert content.pop("recipe") == name
    assert content.keys() == RECIPES[name].params.keys()
    assert recipe_from(name, content) == RECIPES[name]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_params_of_a_cochlea_come_back_from_their_file(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ear.toml"
    file.write_text(printed(capsys, "params", "--preset", preset, "--toml"), encoding="utf-8")

    assert ear_params(file=file) == ear_params(preset)


@pytest.mark.parametrize(
    "words", [*(["--preset", name] for name in PRESETS), *([name] for name in RECIPES)], ids=" ".join
)
def test_every_param_is_listed_with_unit_and_meaning(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(printed(capsys, "params", *words, "--json"))["params"]
    assert listed
    for param in listed:
        assert param["unit"], param
        assert param["about"], param
    table = printed(capsys, "params", *words).splitlines()
    assert [line.split()[0] for line in table[1:]] == [param["name"] for param in listed]


def test_a_preset_beside_a_recipe_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", "counts", "--preset", "published"]) == 2
    assert "--preset is of the cochlea" in capsys.readouterr().err


# A cochlea of one's own


def test_single_params_are_over_those_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ear.toml"
    file.write_text("[auditory_nerve]\nn_fibers = 5\ntau_refractory = 2e-3\n[bushy_cell]\nthreshold = 2\n")

    preset, params = ear_params(file=file, values={"auditory_nerve.n_fibers": "4", "stimulus.sample_rate": "none"})

    assert preset == "default"
    assert params.auditory_nerve.n_fibers == 4
    assert params.auditory_nerve.tau_refractory == 2e-3
    assert isinstance(params.bushy_cell.threshold, float)


def test_a_cochlea_of_ones_own_is_told_by_its_file_and_verified_by_its_recordings(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "own.h5")
    own = ["--set", "auditory_nerve.n_fibers=4", "--set", "basilar_membrane.n_places=64"]
    printed(capsys, "encode", "folder", str(corpus), out, *own, "--preset", "published")

    with SpikeFile(out) as file:
        assert file.n_units == 64
        made = json.loads(file.provenance.params)
        assert file.times_dtype.name == "float32"
    assert made.pop("preset") == "own"
    expected = dataclasses.asdict(
        with_values(
            CochleaParams.published(),
            {"auditory_nerve.n_fibers": 4, "basilar_membrane.n_places": 64},
            what="the cochlea",
        )
    )
    assert made == expected
    assert "preset own" in printed(capsys, "info", out)
    assert json.loads(printed(capsys, "verify", out, "--deep", str(corpus), "--json"))["compared"] == 2
    assert "0 clips" not in printed(capsys, "encode", "folder", str(corpus), out, *own, "--preset", "published")


def test_an_ear_of_ones_own_in_shards_is_that_of_one_file(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["encode", "folder", str(corpus)]
    own = ["--set", "auditory_nerve.n_fibers=4", "-q"]
    printed(capsys, *words, str(tmp_path / "whole.h5"), *own)
    for index in (1, 2):
        printed(capsys, *words, str(tmp_path / "x.h5"), "--shard", f"{index}/2", *own)
    printed(capsys, "merge", *map(str, tmp_path.glob("x.shard-*.h5")), "--out", str(tmp_path / "x.h5"))

    assert (tmp_path / "x.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_a_preset_given_as_a_file_gives_the_bytes_of_the_preset(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ear.toml"
    file.write_text(printed(capsys, "params", "--preset", "published", "--toml"), encoding="utf-8")
    words = ["encode", "folder", str(corpus)]
    printed(capsys, *words, str(tmp_path / "a.h5"), "--params", str(file))
    printed(capsys, *words, str(tmp_path / "b.h5"), "--preset", "published")

    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--set", "n_fibers=4"], "the cochlea has no param 'n_fibers'; nearest: auditory_nerve.n_fibers"),
        (["--set", "auditory_nerve.n_fibres=4"], "nearest: auditory_nerve.n_fibers"),
        (["--set", "zzz=4"], "has no param 'zzz'; `spikedata params` lists those it has"),
        (["--set", "auditory_nerve.n_fibers=x"], "AuditoryNerveParams.n_fibers must be"),
        (["--params", "{missing}"], "missing.toml: no such file"),
        (
            ["--params", "{bad}"],
            "bad.toml: the cochlea has no param 'nerve.n_fibers'; nearest:",
        ),
        (["--params", "{broken}"], "broken.toml: cannot be read as TOML"),
        (["--params", "{ear}", "--preset", "default"], "has the preset 'published', but 'default' was requested"),
    ],
)
def test_a_param_that_the_cochlea_does_not_take_gives_one_line(
    words: list[str], told: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {name: str(tmp_path / f"{name}.toml") for name in ("missing", "bad", "broken", "ear")}
    Path(places["bad"]).write_text("[nerve]\nn_fibers = 4\n", encoding="utf-8")
    Path(places["broken"]).write_text("[nerve\n", encoding="utf-8")
    Path(places["ear"]).write_text('preset = "published"\n', encoding="utf-8")
    out = tmp_path / "x.h5"

    assert main(["encode", "folder", str(corpus), str(out), *(word.format(**places) for word in words)]) in (1, 2)
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not out.exists()


# Completion


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_completes_commands_in_a_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--print-completion", shell])

    script = capsys.readouterr().out
    assert left.value.code == 0
    for word in ("encode", "leaderboard", "heidelberg_digits", "recipes"):
        assert word in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def script_of(shell: str) -> str:
    command = [sys.executable, "-m", "spikedata", "--print-completion", shell]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


ASKED = {  # a line that ends where Tab is pressed, and a word that must be offered
    "spikedata enc": "encode",
    "spikedata encode heid": "heidelberg_digits",
    "spikedata encode --on": "--on-error",
    "spikedata encode --preset p": "published",
    "spikedata train --recipe se_": "se_adlif",
    "spikedata train x.h5 --split by": "by_speaker",
    "spikedata params adlif_a": "adlif_augmented",
    "spikedata plot --kind coch": "cochleagram",
    "spikedata export --to par": "parquet",
    "spikedata download fs": "fsdd",
    "spikedata info enco": "encode.h5",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_names_and_files(tmp_path: Path) -> None:
    for name in ("encode.h5", "my file.h5", "my own.h5"):
        (tmp_path / name).touch()
    asks = "".join(
        f"COMP_WORDS=({line}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); COMPREPLY=(); _shtab_spikedata 2>/dev/null; "
        "echo ${COMPREPLY[@]}\n"
        for line in ASKED
    )
    asks += "_shtab_compgen_files 'my f'\n"
    *answers, with_space = subprocess.run(
        ["bash"], input=f"{script_of('bash')}\n{asks}", cwd=tmp_path, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    assert with_space == "my file.h5"
    assert [wanted in answer.split() for answer, wanted in zip(answers, ASKED.values(), strict=True)] == [True] * len(
        ASKED
    ), answers


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish")
def test_fish_completes_commands_options_names_and_files(tmp_path: Path) -> None:
    (tmp_path / "encode.h5").touch()
    asks = "".join(f"complete -C '{line}' | string join ' '; echo\n" for line in ASKED)
    answers = subprocess.run(
        ["fish", "--no-config"], input=f"{script_of('fish')}\n{asks}", cwd=tmp_path, capture_output=True, text=True,
        check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    ).stdout.splitlines()  # fmt: skip
    offered = [line.split() for line in answers if line]
    assert [wanted in answer for answer, wanted in zip(offered, ASKED.values(), strict=True)] == [True] * len(ASKED)


def test_fish_gets_every_option() -> None:
    script = script_of("fish").splitlines()
    (commands,) = (action.choices for action in build_parser()._actions if action.dest == "command")
    for name, parser in commands.items():
        lines = "\n".join(line for line in script if f"command {name}'" in line)
        shown = (action for action in parser._actions if action.help != argparse.SUPPRESS)
        for option in (option for action in shown for option in action.option_strings):
            assert f" {'-l' if option.startswith('--') else '-s'} {option.lstrip('-')} " in lines, (name, option)


def test_the_presets_that_commands_take_are_those_there_are() -> None:
    assert tuple(PRESETS) == PRESET_NAMES

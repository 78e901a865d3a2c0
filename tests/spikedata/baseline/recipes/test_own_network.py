"""Find a network of one's own: by its class, a module or a file; whose code it is; what cannot be found or imported."""

import functools
import hashlib
import json
import re
import sys

import pytest
import torch
from torch import nn

from spikedata.baseline import Recipe, TrainParams, custom_recipe
from spikedata.baseline.recipes.catalog import RECIPES, changes_of, network_arguments, typed_arguments, typed_params
from spikedata.baseline.recipes.own_network import change_of_code, own_network, recipe_and_code
from spikedata.baseline.recipes.recipe import with_params

SOURCE = """
import torch
class Mine(torch.nn.Linear):
    def __init__(self, n_units, n_classes, n_hidden=4):
        super().__init__(n_units, n_classes)
class Other(Mine):
    class Inner(torch.nn.Module): pass
made = Mine(1, 2)
class NoModule: pass
"""


class Here(nn.Module):
    def __init__(self, n_units, n_classes, n_hidden=4):
        super().__init__()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    path = tmp_path / "my_networks.py"
    path.write_text(SOURCE)
    yield path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_class_in_a_file_is_found_with_the_digest_of_the_file(file):
    found = own_network(f"{file}:Mine")
    assert found.code.name == "my_networks:Mine"
    assert (found.code.file, found.code.package) == ("my_networks.py", None)
    assert found.code.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found.typed == f"{file}:Mine"
    assert own_network(f"{file}:Other.Inner").code.class_name == "Other.Inner"


def test_a_class_in_a_module_of_the_working_folder_is_found(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    assert own_network("my_networks:Mine").code == own_network("my_networks.py:Mine").code


def test_a_class_says_itself_where_its_code_is():
    found = own_network(Here)
    assert found.code.name.endswith("test_own_network:Here")
    assert found.code.file == "test_own_network.py"
    assert own_network(functools.partial(Here, n_hidden=8)).code.arguments == {"n_hidden": 8}


def test_a_class_of_an_installed_package_says_its_version():
    assert own_network("torch.nn:Linear").code.package == f"torch {torch.__version__}"


def test_a_file_that_has_been_changed_is_read_anew(file):
    before = own_network(f"{file}:Mine")
    file.write_text(SOURCE.replace("n_hidden=4", "n_hidden=5"))  # of the same size and second
    after = own_network(f"{file}:Mine")
    assert after.make(1, 2) is not None
    assert before.code.sha256 != after.code.sha256
    assert after.make.__init__.__defaults__ == (5,)


def test_a_file_of_a_package_may_import_its_neighbors(file):
    package = file.parent / "pkg_of_mine"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "base.py").write_text(SOURCE)
    (package / "net.py").write_text("from .base import Mine\nclass Net(Mine): pass\n")
    assert own_network(f"{package / 'net.py'}:Net").code.name == "pkg_of_mine.net:Net"


def test_a_file_with_the_name_of_a_module_that_is_there_takes_nothing_away(file):
    (file.parent / "json.py").write_text(SOURCE)
    assert own_network(f"{file.parent / 'json.py'}:Mine").code.name == "json:Mine"
    assert sys.modules["json"] is json


def test_importing_moves_no_generator_and_no_default_of_the_user(file):
    file.write_text(SOURCE + "torch.manual_seed(3)\ntorch.set_default_dtype(torch.float64)\n")
    before = torch.get_rng_state()
    own_network(f"{file}:Mine")
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mine", "network must be module:Class or path/to/file.py:Class, got 'Mine'"),
        ("no_such_module:Mine", "no module 'no_such_module' here; a file is named by its path"),
        ("{folder}/gone.py:Mine", "gone.py: no such file"),
        ("{file}:Min", "has no 'Min'; nearest: Mine"),
        ("{file}:Zzz", "has no 'Zzz'; its modules: Mine, Other"),
        ("{file}:NoModule", "network must be a torch.nn.Module, or a function that makes one, got NoModule"),
        ("{file}:made", "got a Mine whose weights are drawn already, so that seeds would change nothing"),
        ("{file}:__name__", "network must be a torch.nn.Module"),
    ],
)
def test_what_cannot_be_found_is_one_line(file, text, reason):
    with pytest.raises((ValueError, OSError), match=re.escape(reason)) as caught:
        own_network(text.format(file=file, folder=file.parent))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import torch\nimport no_such_thing", "py:2: ModuleNotFoundError: No module named 'no_such_thing'"),
        ("class Mine(:", "my_networks.py:1: SyntaxError: invalid syntax"),
        ("\n1 / 0", "my_networks.py:2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(2)", "importing it ends the program; what runs a program belongs below if __name__ =="),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_one_line_that_says_where(file, source, reason):
    file.write_text(source)
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        own_network(f"{file}:Mine")
    assert "\n" not in str(caught.value)
    assert "my_networks" not in sys.modules


def test_a_partial_has_its_arguments_by_name():
    with pytest.raises(ValueError, match="must have its arguments by name"):
        own_network(functools.partial(Here, 3))


def test_its_recipe_comes_back_from_json_without_the_code(file):
    mine = custom_recipe(f"{file}:Mine", arguments={"n_hidden": (1, 2)}, dt=4e-3, n_merged=5)
    file.unlink()
    assert Recipe.from_json(json.loads(json.dumps(mine.to_json()))) == mine


def test_it_is_trained_like_another_recipe_in_its_steps():
    like = RECIPES["adlif_augmented"]
    mine = custom_recipe(Here, like=like)
    assert mine.training == like.training
    assert (mine.network.dt, mine.network.n_merged) == (like.network.dt, like.network.n_merged)
    assert custom_recipe(Here, like=like, dt=20e-3, training=TrainParams(epochs=3)).training.epochs == 3


@pytest.mark.parametrize(
    ("like", "reason"), [("counts", "is not trained by epochs"), ("eventprop_yin_yang", "has no steps")]
)
def test_a_recipe_without_epochs_or_steps_is_none_to_be_like(like, reason):
    with pytest.raises(ValueError, match=reason):
        custom_recipe(Here, like=RECIPES[like])


def test_params_are_set_by_name_but_not_whose_code_it_is():
    mine = with_params(custom_recipe(Here), {"dt": "0.02", "epochs": "3"})
    assert (mine.network.dt, mine.training.epochs) == (0.02, 3)
    assert changes_of(mine) == {"dt": 0.02, "epochs": 3}
    assert typed_params(mine) == {"dt": "0.02", "epochs": "3"}
    for name in ("sha256", "file", "arguments"):
        with pytest.raises(ValueError, match=f"has no param '{name}'"):
            with_params(mine, {name: "0"})


@pytest.mark.parametrize("texts", [["n"], ["=3"], ["n=1", "n=2"], ["a-b=1"]])
def test_arguments_that_are_not_name_and_value_are_one_line(texts):
    with pytest.raises(ValueError, match="an argument of a network must be NAME=VALUE"):
        network_arguments(texts)


@pytest.mark.parametrize("value", [1, 1e-5, "gru", "1", "a b", [1, 2.5], [], True, None, "none", {"a": 1}])
def test_arguments_that_can_be_typed_are_read_as_they_are(value):
    code = custom_recipe(Here, arguments={"n": value}).network.code
    texts = typed_arguments(code)
    assert texts is None or network_arguments(texts) == {"n": value}
    assert (texts is None) == (value is None or isinstance(value, dict))  # which TOML cannot say, or says otherwise


def test_the_same_code_in_another_module_is_the_same(file, tmp_path):
    moved = tmp_path / "elsewhere.py"
    moved.write_bytes(file.read_bytes())
    code = custom_recipe(f"{file}:Mine").network.code
    assert change_of_code(code, own_network(f"{moved}:Mine")) is None
    moved.write_text(SOURCE + "# changed\n")
    assert re.fullmatch(
        r"the code of Mine \(elsewhere\.py\) has changed since: SHA-256 \w{12} then, SHA-256 \w{12} now",
        change_of_code(code, own_network(f"{moved}:Mine")),
    )
    with pytest.raises(ValueError, match="its network is my_networks:Mine, got my_networks:Other"):
        change_of_code(code, own_network(f"{file}:Other"))


def test_a_recipe_and_a_network_that_do_not_belong_together_are_one_line():
    mine = custom_recipe(Here, arguments={"n_hidden": 8})
    assert recipe_and_code(mine, functools.partial(Here, n_hidden=8))[0] == mine
    for recipe, network, reason in (
        (None, None, "a recipe is needed, or a network of one's own"),
        (mine, None, "no code runs but what is named: network=Here in Python, --network test_own_network.py:Here"),
        (RECIPES["gru"], Here, "recipe 'gru' has a network of its own, so leave out network"),
        (mine, nn.Linear, "its network is "),
        (mine, functools.partial(Here, n_hidden=9), "its network has n_hidden 8, got 9"),
    ):
        with pytest.raises(ValueError, match=re.escape(reason)):
            recipe_and_code(recipe, network)

import pytest

from spikedata.baseline.recipes.config import read_config


@pytest.fixture
def write(tmp_path):
    def write_config(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write_config


def test_toml_gives_names_and_values(write):
    path = write("a.toml", 'recipe = "spytorch"\nlearning-rate = 1e-3\nhidden = [128, 64]\n')
    assert read_config(path) == {"recipe": "spytorch", "learning_rate": 1e-3, "hidden": [128, 64]}


def test_yaml_gives_the_same_where_pyyaml_is_installed(write):
    pytest.importorskip("yaml")
    path = write("a.yaml", "recipe: spytorch\nlearning_rate: 1.0e-3\nhidden: [128, 64]\n")
    assert read_config(path) == {"recipe": "spytorch", "learning_rate": 1e-3, "hidden": [128, 64]}
    assert read_config(write("empty.yml", "")) == {}


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.toml", "epochs = ", "a.toml: cannot be read: "),
        ("a.toml", "[training]\nepochs = 3", r"a.toml: must hold no tables, got \[training\]: write its entries"),
        ("a.json", "{}", "a.json: a config must end in .toml, .yaml or .yml"),
    ],
)
def test_a_config_that_cannot_be_used_is_one_clear_error(write, name, text, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        read_config(write(name, text))
    assert "\n" not in str(caught.value)


def test_damaged_yaml_is_one_clear_error(write):
    pytest.importorskip("yaml")
    with pytest.raises(ValueError, match=r"a\.yaml: cannot be read: ") as caught:
        read_config(write("a.yaml", "epochs: [3\nb: }"))
    assert "\n" not in str(caught.value)


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.toml: no such file"):
        read_config(tmp_path / "none.toml")

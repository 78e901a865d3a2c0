import tomllib
from dataclasses import dataclass, field

import pytest

from spikedata.named_params import format_toml, list_params, read_tables, with_values


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A gain.

    Parameters
    ----------
    gain : float
        How much louder [dB].
    delay : float
        How much later [s].
    """

    gain: float = 0.0
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Curved:
    """A gain that depends on the level.

    Parameters
    ----------
    gain : float
        How much louder [dB].
    knee : float
        From which level on [dB].
    """

    gain: float = 3.0
    knee: float = 40.0


@dataclass(frozen=True, kw_only=True)
class Ear:
    """An ear with a choice.

    Parameters
    ----------
    stage : Linear or Curved
    extra : Curved or None
        None: nothing follows [1].
    level : float or None
        Level [dB].
    """

    stage: Linear | Curved = field(default_factory=Linear)
    extra: Curved | None = None
    level: float | None = None

    def __post_init__(self) -> None:
        if self.extra is not None and self.level is None:
            raise ValueError("Ear.level must be a number where there is an extra, got None")


def given(params: Ear, **values: object) -> Ear:
    return with_values(params, {name.replace("__", "."): value for name, value in values.items()}, what="the ear")


def test_a_name_that_the_present_kind_lacks_brings_the_kind_that_has_it() -> None:
    assert given(Ear(), stage__knee="30") == Ear(stage=Curved(knee=30.0))


def test_a_name_that_both_kinds_have_keeps_the_present_one() -> None:
    assert given(Ear(), stage__gain=1.0) == Ear(stage=Linear(gain=1.0))
    assert given(Ear(stage=Curved()), stage__gain=1.0) == Ear(stage=Curved(gain=1.0))


def test_a_kind_may_be_named_with_values_beside_it() -> None:
    assert given(Ear(), stage="Curved", stage__gain=1.0) == Ear(stage=Curved(gain=1.0))
    assert given(Ear(stage=Curved()), stage="Linear") == Ear(stage=Linear())
    assert given(Ear(), stage="Linear") == Ear()


def test_what_is_absent_comes_with_one_of_its_params_and_goes_with_none() -> None:
    with_extra = given(Ear(), extra__knee=30, level=60)
    assert with_extra == Ear(extra=Curved(knee=30.0), level=60.0)
    assert given(with_extra, extra="none", level="none") == Ear()


def test_a_rule_between_params_is_asked_once_all_are_set() -> None:
    assert given(Ear(), level=60, extra__gain=1).level == 60.0
    with pytest.raises(ValueError, match=r"Ear.level must be a number where there is an extra, got None"):
        given(Ear(), extra__gain=1)


def test_a_whole_number_for_an_optional_float_is_a_float() -> None:
    assert type(given(Ear(), level="60").level) is float


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stage.kneee", "nearest: stage.knee"),
        ("extra.gan", "nearest: extra.gain"),
        ("stage", "the ear has no param 'stage'"),
    ],
)
def test_a_name_that_no_kind_has_is_refused(name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        with_values(Ear(), {name: 1.0}, what="the ear")


@pytest.mark.parametrize("ear", [Ear(), Ear(stage=Curved(gain=7.0)), Ear(extra=Curved(), level=50.0)])
@pytest.mark.parametrize("base", [Ear(), Ear(stage=Curved(), extra=Curved(), level=1.0)])
def test_params_of_any_kind_are_read_back_from_their_toml(ear: Ear, base: Ear) -> None:
    content = tomllib.loads(format_toml(list_params(ear)))

    assert with_values(base, read_tables(content), what="the ear") == ear

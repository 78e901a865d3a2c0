"""The ear of a file is rebuilt from its provenance, whichever version wrote it."""

import json
from dataclasses import asdict, replace

import pytest

from cochlea import CochleaParams
from spikedata.encoding.blocks import PRESETS, Job
from spikedata.encoding.ear import NOT_YET, ear_params, params_of
from spikedata.files.schema import Provenance
from spikedata.named_params import list_params

ALL = [pytest.param(make(), id=name) for name, make in PRESETS.items()]


def provenance_of(params: CochleaParams) -> Provenance:
    return Job(corpus="folder", keys=("a",), preset="own", seed=0, own=params).provenance


def without(made: Provenance, *names: str) -> Provenance:
    """A provenance as of a version that did not have these params."""
    content = json.loads(made.params)
    for name in names:
        *above, last = name.split(".")
        table = content
        for part in above:
            table = table[part]
        table.pop(last, None)
    return replace(made, params=json.dumps(content))


@pytest.mark.parametrize("params", ALL)
def test_a_preset_is_read_back_from_the_provenance_as_it_was(params: CochleaParams) -> None:
    found = params_of(provenance_of(params))

    assert found == params
    assert json.dumps(asdict(found)) == json.dumps(asdict(params))  # also 1 and 1.0 are told apart


@pytest.mark.parametrize("name", ["default", "published"])
def test_params_that_came_later_were_off(name: str) -> None:
    """The first files have neither levels nor a high-pass, compression, a middle ear or another output."""
    params = PRESETS[name]()
    params = replace(params, stimulus=replace(params.stimulus, high_pass=None))
    first = without(provenance_of(params), *NOT_YET)

    assert params_of(first) == params


def test_a_param_that_is_not_said_and_had_a_value_is_missed() -> None:
    made = without(provenance_of(CochleaParams()), "auditory_nerve.n_fibers")
    with pytest.raises(ValueError, match=r"the cochlea's auditory_nerve.n_fibers are not said"):
        params_of(made)


def test_a_param_of_a_later_version_is_refused() -> None:
    made = provenance_of(CochleaParams())
    content = json.loads(made.params)
    content["auditory_nerve"]["sparkle"] = 3
    with pytest.raises(ValueError, match=r"the cochlea has no param 'auditory_nerve.sparkle'"):
        params_of(replace(made, params=json.dumps(content)))


@pytest.mark.parametrize("params", ALL)
@pytest.mark.parametrize("base", list(PRESETS))
def test_every_preset_can_be_reached_from_every_other_by_single_values(base: str, params: CochleaParams) -> None:
    texts = {param.name: "none" if param.value is None else str(param.value) for param in list_params(params)}

    assert ear_params(base, values=texts)[1] == params

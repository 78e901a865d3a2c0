"""The ear of a file is rebuilt from its provenance, whichever version wrote it."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cochlea import BasilarMembraneParams, CochleaParams, StimulusParams, SumnerHairCellParams
from cochlea.compression import CompressionParams
from spikedata.encoding.blocks import PRESETS, Job
from spikedata.encoding.ear import NOT_YET, ear_params, params_of
from spikedata.files.schema import Provenance
from spikedata.named_params import format_toml, list_params

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


# as version 0.1.0 wrote it before there were levels, compression and another output
_OLD = (
    '{"auditory_nerve": {"n_fibers": 8, "tau_refractory": 0.001}, "basilar_membrane": {"convention": "causal", '
    '"damping": 0.15, "density": 1.0, "height": 0.1, "length": 3.5, "mass": 0.05, "n_places": 700, '
    '"sample_rate": 24000, '
    '"stiffness": 1000000000.0, "stiffness_decay": 3.0, "stiffness_offset": 3500.0}, "bushy_cell": {"tau_mem": 0.001, '
    '"tau_refractory": 0.001, "tau_syn": 0.0005, "threshold": 1.0, "weight": 13000.0}, "hair_cell": {"capacity": 1.0, '
    '"loss": 2500.0, "n_per_place": 5, "permeability": 2000.0, "permeability_offset": 5.0, '
    '"permeability_scale": 300.0, '
    '"release": 50000.0, "replenishment": 5.05, "reprocessing": 66.3, "reuptake": 6580.0}, "preset": "default", '
    '"stimulus": {"high_pass": 20.0, "level": 0.3, "ramp_duration": 0.03, "sample_rate": null}}'
)


def test_a_file_of_an_earlier_version_has_the_ear_of_today() -> None:
    """Whatever is added to the cochlea must be off in old files: enter it in `NOT_YET`."""
    assert params_of(replace(provenance_of(CochleaParams()), params=_OLD)) == CochleaParams()


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


MIXTURES = {
    "three classes": CochleaParams(hair_cell=SumnerHairCellParams(n_per_place=2)),
    "compression": CochleaParams(
        stimulus=StimulusParams(level=None, level_db_spl=65),
        basilar_membrane=BasilarMembraneParams(damping=0.05, middle_ear="human"),
        compression=CompressionParams(exponent=0.3),
    ),
    "nerve": CochleaParams(output="nerve", stimulus=StimulusParams(level=None, full_scale_db_spl=94.0)).with_channels(
        350
    ),
}
every_mixture = pytest.mark.parametrize("params", MIXTURES.values(), ids=MIXTURES)


@every_mixture
def test_a_mixture_is_read_back_from_the_provenance_as_it_was(params: CochleaParams) -> None:
    found = params_of(provenance_of(params))

    assert found == params
    assert json.dumps(asdict(found)) == json.dumps(asdict(params))


@every_mixture
@pytest.mark.parametrize("base", list(PRESETS))
def test_a_mixture_is_reached_from_every_preset_by_single_values_and_by_a_file(
    base: str, params: CochleaParams, tmp_path: Path
) -> None:
    named = list_params(params)
    texts = {param.name: "none" if param.value is None else str(param.value) for param in named}
    file = tmp_path / "ear.toml"
    file.write_text(format_toml(named), encoding="utf-8")

    assert ear_params(base, values=texts)[1] == params
    assert ear_params(base, file)[1] == params


def test_the_kind_of_hair_cell_can_be_named() -> None:
    assert ear_params(values={"hair_cell": "SumnerHairCellParams"})[1].hair_cell == SumnerHairCellParams()
    found = ear_params(values={"hair_cell.high.share": 0.5, "hair_cell.medium.share": 0.34})[1].hair_cell
    assert isinstance(found, SumnerHairCellParams)
    assert (found.high.share, found.medium.share, found.low.share) == (0.5, 0.34, 0.16)


def test_a_param_of_another_kind_of_hair_cell_is_found_where_it_is_misspelled() -> None:
    with pytest.raises(ValueError, match=r"no param 'hair_cell.tau_cilium'; nearest: .*hair_cell.tau_cilia,"):
        ear_params(values={"hair_cell.tau_cilium": 1})

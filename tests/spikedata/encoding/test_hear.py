"""One recording, and the frequencies of its units."""

from dataclasses import replace

import numpy as np
import pytest

from cochlea import (
    AuditoryNerveParams,
    BasilarMembraneParams,
    CochleaParams,
    HairCellParams,
    characteristic_frequencies,
)
from spikedata.encoding.blocks import Job
from spikedata.encoding.hear import stored_frequencies, unit_frequencies

NERVE = CochleaParams(
    output="nerve",
    basilar_membrane=BasilarMembraneParams(n_places=24),
    hair_cell=HairCellParams(n_per_place=3),
    auditory_nerve=AuditoryNerveParams(n_fibers=3),
)


def test_the_fiber_in_the_middle_of_a_channel_has_the_frequency_of_its_place() -> None:
    middle = unit_frequencies(NERVE).reshape(24, 9)[:, 4]

    np.testing.assert_allclose(middle, characteristic_frequencies(NERVE.basilar_membrane), rtol=1e-12)


@pytest.mark.parametrize("output", ["bushy_cells", "nerve"])
def test_there_is_a_frequency_for_each_unit_and_they_fall(output: str) -> None:
    params = replace(NERVE, output=output)
    found = unit_frequencies(params)

    assert found.shape == (params.n_units,)
    assert (np.diff(found) < 0).all()


def test_a_file_says_the_frequencies_of_its_fibers() -> None:
    made = Job(corpus="folder", keys=("a",), preset="own", seed=0, own=NERVE).provenance

    np.testing.assert_array_equal(stored_frequencies(made), unit_frequencies(NERVE))
    assert stored_frequencies(None) is None
    assert stored_frequencies(replace(made, params='{"places": 3}')) is None
    assert stored_frequencies(replace(made, params="[]")) is None

from dataclasses import replace

import numpy as np
import pytest

from cochlea.fiber_classes import calcium_conductances, deal_fibers
from cochlea.sumner_hair_cell import CLASSES, FiberClassParams, SumnerHairCellParams

PARAMS = SumnerHairCellParams()
ALIKE = replace(PARAMS, **{name: replace(getattr(PARAMS, name), jitter=0.0) for name in CLASSES})
SHARES = (0.61, 0.23, 0.16)


def test_the_conductances_vary_by_the_jitter_of_their_class():
    conductance = calcium_conductances(np.arange(20_000), PARAMS)
    spread = np.log(conductance).std(axis=1)
    np.testing.assert_allclose(spread, [each.jitter for each in PARAMS.classes], rtol=0.03)
    # the spontaneous rate of a class grows with the cube, whose mean stays
    cubes = (conductance**3).mean(axis=1) / [each.calcium_conductance**3 for each in PARAMS.classes]
    np.testing.assert_allclose(cubes, 1.0, atol=0.03)
    assert np.abs(np.corrcoef(conductance) - np.eye(3)).max() < 0.03


def test_the_jitter_depends_on_the_number_of_the_cell_alone():
    whole = calcium_conductances(np.arange(100), PARAMS)
    np.testing.assert_array_equal(calcium_conductances([70, 3], PARAMS), whole[:, [70, 3]])


def test_without_jitter_all_cells_are_alike():
    conductance = calcium_conductances(np.arange(5), ALIKE)
    np.testing.assert_array_equal(conductance, np.repeat([[7.2e-9], [2.4e-9], [1.6e-9]], 5, axis=1))


@pytest.mark.parametrize("n_fibers", [1, 3, 8, 40])
def test_the_shares_hold_along_the_nerve(n_fibers):
    dealt = deal_fibers(700, n_fibers, PARAMS)
    assert dealt.min() >= 0
    np.testing.assert_array_equal(dealt.sum(axis=0), n_fibers)
    wanted = np.outer(SHARES, np.arange(1, 701) * n_fibers)
    assert np.abs(dealt.cumsum(axis=1) - wanted).max() <= 1


def test_an_ear_may_have_one_class_alone():
    none = FiberClassParams(share=0, calcium_conductance=1e-9, release_threshold=0, n_vesicles=1)
    full = FiberClassParams(share=1, calcium_conductance=7.2e-9, release_threshold=0, n_vesicles=10)
    alone = SumnerHairCellParams(high=full, medium=none, low=none)
    np.testing.assert_array_equal(deal_fibers(3, 8, alone), [[8] * 3, [0] * 3, [0] * 3])

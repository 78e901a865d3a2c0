"""The compiled transfer function against that of NumPy and SciPy."""

from dataclasses import replace

import numpy as np
import pytest

from cochlea.transfer_function import BasilarMembraneParams, transfer_function
from cochlea.transfer_kernel import Membrane

FREQUENCIES = np.r_[1e-3, np.geomspace(1.0, 96_000.0, 300)]
TOLERANCE = 1e-13  # of a row's peak: rounding of a phase of some hundred radians; the table keeps 6e-8


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"damping": 0.02},
        {"damping": 1.5},
        {"stiffness": 1e8, "stiffness_offset": 100.0},
        {"height": 0.5},
        {"curvature_distance": 0.025},
        {"curvature_distance": 0.05, "damping": 0.05, "velocity_exponent": 1.5},
    ],
)
def test_the_response_is_that_of_the_equations(change) -> None:
    params = replace(BasilarMembraneParams(), **change)
    positions = np.array([-0.015, 0.0, 0.3, 1.0, 2.0, 3.0, 3.5, 3.515])
    with np.errstate(all="ignore"):  # far above the resonance the response underflows
        exact = transfer_function(FREQUENCIES, positions, params)
    membrane = Membrane(FREQUENCIES, params)
    for position, row in zip(positions.tolist(), exact, strict=True):
        error = np.abs(membrane.response(position, FREQUENCIES.size) - row).max()
        assert error <= TOLERANCE * np.abs(row).max()

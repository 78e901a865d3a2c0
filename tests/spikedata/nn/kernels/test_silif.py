"""The kernels of SiLIF and C-SiLIF neurons, which take the same arguments."""

import math

import pytest
import torch

from spikedata.nn.kernels import run_c_silif, run_silif
from spikedata.nn.neurons import (
    AdLIFCoefficients,
    CSiLIFCoefficients,
    CSiLIFParams,
    SiLIFParams,
    c_silif_loop,
    silif_loop,
)
from spikedata.nn.surrogate import SHAPES, SurrogateParams

KINDS = {
    "silif": (SiLIFParams, AdLIFCoefficients, run_silif, silif_loop, [(0.7, 0.95), (0.9, 0.99), (-0.2, 0.3), (0, 0.5)]),
    "c-silif": (CSiLIFParams, CSiLIFCoefficients, run_c_silif, c_silif_loop, [(-0.3, 0.8), (0.0, 0.55)]),
}
KIND = pytest.mark.parametrize("kind", KINDS)
SIZES = [(1, 1, 1), (1, 9, 3), (3, 1, 5), (2, 2, 1), (67, 12, 33), (130, 5, 17)]


def _coefficients(kind, n, dtype=torch.float64):
    _, coefficients, *_, ranges = KINDS[kind]
    uniform = torch.rand(len(ranges), n, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    parts = [(low + (high - low) * x).to(dtype) for (low, high), x in zip(ranges, uniform, strict=True)]
    return coefficients(*(part.requires_grad_() for part in parts))


def _check(assert_agree, draw, kind, size, recurrent, dtype=torch.float64, mean=0.5, deviation=2.0, **changes):
    n_batch, n_steps, n = size
    make, _, run, loop, _ = KINDS[kind]
    drive = draw(n_batch, n_steps, n, mean=mean, deviation=deviation, dtype=dtype)
    weight = draw(n, n, deviation=1.0 / math.sqrt(n), dtype=dtype) if recurrent else None
    params, coefficients = make(**changes), _coefficients(kind, n, dtype)
    assert_agree(
        lambda: run(drive, weight, coefficients, params),
        lambda: loop(drive, weight, coefficients, params),
        [drive, *coefficients, *([weight] if recurrent else [])],
        params=params,
    )


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("changes", [{}, {"detach_reset": True}], ids=["reset", "detached"])
@KIND
def test_the_kernel_is_the_loop_for_every_rule(kind, changes, recurrent, shape, assert_agree, draw):
    if kind == "silif" and changes:
        return  # its reset is never detached
    surrogate = SurrogateParams(shape=shape, scale=3.0, height=0.7)
    _check(assert_agree, draw, kind, (5, 30, 37), recurrent, threshold=0.8, surrogate=surrogate, **changes)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
@KIND
def test_the_kernel_is_the_loop_for_every_size(kind, size, recurrent, assert_agree, draw):
    _check(assert_agree, draw, kind, size, recurrent)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("mean", [40.0, -40.0])
@KIND
def test_the_kernel_is_the_loop_whether_all_fire_or_none(kind, mean, assert_agree, draw):
    _check(assert_agree, draw, kind, (3, 50, 20), True, mean=mean, deviation=0.5)


@KIND
def test_the_kernel_is_the_loop_in_single_precision(kind, assert_agree, draw):
    _check(assert_agree, draw, kind, (5, 30, 37), True, dtype=torch.float32)


@KIND
def test_silence_stays_silent(kind):
    make, _, run, _, _ = KINDS[kind]
    drive = torch.zeros(2, 300, 5, requires_grad=True)
    spikes = run(drive, torch.ones(5, 5), _coefficients(kind, 5, torch.float32), make())
    assert not spikes.any()
    (spikes * 0).sum().backward()
    assert not drive.grad.any()


@pytest.mark.parametrize("recurrent", [True, False])
@KIND
def test_what_is_not_a_number_comes_out_where_it_does_in_the_loop(kind, recurrent, draw):
    make, _, run, loop, _ = KINDS[kind]
    drive, weight = draw(3, 20, 4, mean=1.0), draw(4, 4) if recurrent else None
    with torch.no_grad():
        drive[1, 5, 2] = math.nan
    spikes = run(drive, weight, _coefficients(kind, 4), make())
    expected = loop(drive, weight, _coefficients(kind, 4), make())
    assert expected.isnan().any()
    assert torch.equal(spikes.isnan(), expected.isnan())
    spikes.sum().backward()
    assert not drive.grad[[0, 2]].isnan().any()


@pytest.mark.parametrize("recurrent", [True, False])
@KIND
def test_the_result_does_not_depend_on_the_number_of_threads(kind, recurrent, draw, threads):
    make, _, run, _, _ = KINDS[kind]
    drive, weight = draw(300, 8, 40, mean=1.0, dtype=torch.float32), draw(40, 40, dtype=torch.float32)
    coefficients = _coefficients(kind, 40, torch.float32)
    trained = [drive, *coefficients, *([weight] if recurrent else [])]
    results = []
    for n_threads in (1, 3):
        threads(n_threads)
        spikes = run(drive, weight if recurrent else None, coefficients, make())
        results.append([spikes, *torch.autograd.grad((spikes * drive.detach()).sum(), trained)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_only_what_asks_for_a_gradient_gets_one(draw):
    coefficients = CSiLIFCoefficients(*(part.detach() for part in _coefficients("c-silif", 3)))
    drive = draw(2, 10, 3, mean=3.0)
    run_c_silif(drive, draw(3, 3), coefficients, CSiLIFParams()).sum().backward()
    assert drive.grad is not None
    assert all(part.grad is None for part in coefficients)


def test_coefficients_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"coefficients\.real must be \(4,\), got \(3,\)"):
        run_c_silif(torch.zeros(2, 5, 4).double(), None, _coefficients("c-silif", 3), CSiLIFParams())
    with pytest.raises(ValueError, match=r"coefficients\.membrane_decay must be \(4,\), got \(3,\)"):
        run_silif(torch.zeros(2, 5, 4).double(), None, _coefficients("silif", 3), SiLIFParams())

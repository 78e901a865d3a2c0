import itertools
import math

import pytest
import torch

from spikedata.nn.kernels import run_adlif
from spikedata.nn.neurons import AdLIFCoefficients, AdLIFParams, adlif_loop
from spikedata.nn.surrogate import SHAPES, SurrogateParams

RULES = list(itertools.product(("symplectic", "euler"), ("subtract", "zero"), (True, False), (True, False)))
SIZES = [(1, 1, 1), (1, 9, 3), (3, 1, 5), (2, 2, 1), (67, 12, 33), (130, 5, 17)]


def _coefficients(n, dtype=torch.float64):
    uniform = torch.rand(4, n, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    lowest, highest = torch.tensor([[0.7, 0.9, -0.2, 0.0], [0.95, 0.99, 0.3, 0.5]], dtype=torch.float64)[:, :, None]
    return AdLIFCoefficients(*((lowest + (highest - lowest) * uniform).to(dtype)))


def _check(assert_agree, draw, params, size, recurrent, dtype=torch.float64, mean=1.5, deviation=3.0):
    n_batch, n_steps, n = size
    drive = draw(n_batch, n_steps, n, mean=mean, deviation=deviation, dtype=dtype)
    weight = draw(n, n, deviation=1.0 / math.sqrt(n), dtype=dtype) if recurrent else None
    coefficients = AdLIFCoefficients(*(values.requires_grad_() for values in _coefficients(n, dtype)))
    assert_agree(
        lambda: run_adlif(drive, weight, coefficients, params),
        lambda: adlif_loop(drive, weight, coefficients, params),
        [drive, *coefficients, *([weight] if recurrent else [])],
        params=params,
    )


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)])
def test_the_kernel_is_the_loop_for_every_rule(shape, dtype, assert_agree, draw):
    for scheme, reset, detach_reset, recurrent in RULES:
        surrogate = SurrogateParams(shape=shape, scale=3.0, height=0.7)
        params = AdLIFParams(scheme=scheme, reset=reset, detach_reset=detach_reset, surrogate=surrogate, threshold=0.8)
        _check(assert_agree, draw, params, (5, 30, 37), recurrent, dtype)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("scheme", ["symplectic", "euler"])
def test_the_kernel_is_the_loop_for_every_size(size, recurrent, scheme, assert_agree, draw):
    _check(assert_agree, draw, AdLIFParams(scheme=scheme), size, recurrent)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("mean", [40.0, 4.0, 1.5, -40.0])
def test_the_kernel_is_the_loop_whether_all_fire_or_none(mean, assert_agree, draw):
    _check(assert_agree, draw, AdLIFParams(reset="subtract"), (3, 50, 20), True, mean=mean, deviation=0.5)


def test_silence_stays_silent():
    drive = torch.zeros(2, 300, 5, requires_grad=True)
    spikes = run_adlif(drive, torch.ones(5, 5), _coefficients(5, torch.float32), AdLIFParams())
    assert not spikes.any()
    (spikes * 0).sum().backward()
    assert not drive.grad.any()


@pytest.mark.parametrize("recurrent", [True, False])
def test_what_is_not_a_number_comes_out_where_it_does_in_the_loop(recurrent, draw):
    drive, weight = draw(3, 20, 4, mean=3.0), draw(4, 4) if recurrent else None
    with torch.no_grad():
        drive[1, 5, 2] = math.nan
    spikes = run_adlif(drive, weight, _coefficients(4), AdLIFParams())
    expected = adlif_loop(drive, weight, _coefficients(4), AdLIFParams())
    assert expected.isnan().any()
    assert torch.equal(spikes.isnan(), expected.isnan())
    spikes.sum().backward()
    assert drive.grad[1].isnan().any()
    assert not drive.grad[[0, 2]].isnan().any()


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_result_does_not_depend_on_the_number_of_threads(recurrent, draw, threads):
    drive, weight = draw(300, 8, 40, mean=2.0, dtype=torch.float32), draw(40, 40, dtype=torch.float32)
    coefficients = AdLIFCoefficients(*(values.requires_grad_() for values in _coefficients(40, torch.float32)))
    trained = [drive, *coefficients, *([weight] if recurrent else [])]
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        spikes = run_adlif(drive, weight if recurrent else None, coefficients, AdLIFParams())
        results.append([spikes, *torch.autograd.grad((spikes * drive.detach()).sum(), trained)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_only_what_asks_for_a_gradient_gets_one(draw):
    drive, weight = draw(2, 10, 3, mean=3.0), draw(3, 3)
    coefficients = _coefficients(3)
    run_adlif(drive, weight, coefficients, AdLIFParams()).sum().backward()
    assert drive.grad is not None
    assert all(values.grad is None for values in coefficients)


def test_coefficients_that_do_not_fit_are_refused():
    coefficients = _coefficients(3)
    with pytest.raises(ValueError, match=r"coefficients\.membrane_decay must be \(4,\), got \(3,\)"):
        run_adlif(torch.zeros(2, 5, 4, dtype=torch.float64), None, coefficients, AdLIFParams())
    with pytest.raises(ValueError, match=r"coefficients\.membrane_decay must be < 1, got 1\.0"):
        run_adlif(
            torch.zeros(2, 5, 3, dtype=torch.float64),
            None,
            coefficients._replace(membrane_decay=torch.ones(3, dtype=torch.float64)),
            AdLIFParams(),
        )

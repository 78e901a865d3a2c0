import dataclasses
import itertools
import math

import pytest
import torch

from spikedata.nn.kernels import run_alif
from spikedata.nn.neurons import ALIFParams, alif_loop
from spikedata.nn.surrogate import SHAPES, SurrogateParams

DT = 1e-3
# adaptation, refractory time, whether the reset is detached, whether the layer is recurrent
RULES = list(itertools.product((0.0, 0.3), (0.0, 3e-3), (True, False), (True, False)))
SIZES = [(1, 1, 1), (1, 9, 3), (3, 1, 5), (2, 2, 1), (67, 12, 33), (130, 5, 17)]
ADAPTIVE = ALIFParams(adaptation=0.3, tau_adaptation=20e-3, refractory=2e-3)


def _check(assert_agree, draw, params, size, recurrent, dtype=torch.float64, mean=0.2, deviation=0.5):
    n_batch, n_steps, n = size
    drive = draw(n_batch, n_steps, n, mean=mean, deviation=deviation, dtype=dtype)
    weight = draw(n, n, deviation=0.5 / math.sqrt(n), dtype=dtype) if recurrent else None
    assert_agree(
        lambda: run_alif(drive, weight, params, dt=DT),
        lambda: alif_loop(drive, weight, params, dt=DT),
        [drive, *([weight] if recurrent else [])],
        params=params,
    )


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)])
def test_the_kernel_is_the_loop_for_every_rule(shape, dtype, assert_agree, draw):
    for adaptation, refractory, detach_reset, recurrent in RULES:
        params = dataclasses.replace(
            ADAPTIVE,
            adaptation=adaptation,
            refractory=refractory,
            detach_reset=detach_reset,
            surrogate=SurrogateParams(shape=shape, scale=3.0, height=0.7),
        )
        _check(assert_agree, draw, params, (5, 30, 37), recurrent, dtype)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_kernel_is_the_loop_for_every_size(size, recurrent, assert_agree, draw):
    _check(assert_agree, draw, dataclasses.replace(ADAPTIVE, detach_reset=False), size, recurrent)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("mean", [20.0, 1.0, 0.3, -20.0])
def test_the_kernel_is_the_loop_whether_all_fire_or_none(mean, assert_agree, draw):
    params = dataclasses.replace(ADAPTIVE, refractory=0.0)
    _check(assert_agree, draw, params, (3, 50, 20), True, mean=mean, deviation=0.2)


def test_a_refractory_neuron_passes_no_gradient_whatever_the_surrogate(draw):
    for shape in SHAPES:
        params = ALIFParams(adaptation=0.0, refractory=1.0, surrogate=SurrogateParams(shape=shape, scale=1e-6))
        drive = draw(2, 10, 3, mean=5.0)
        spikes = run_alif(drive, None, params, dt=DT)
        assert spikes.sum() == 6
        spikes[:, 1:].sum().backward()
        assert not drive.grad.any()


def test_silence_stays_silent():
    drive = torch.zeros(2, 300, 5, requires_grad=True)
    spikes = run_alif(drive, torch.ones(5, 5), ALIFParams(), dt=DT)
    assert not spikes.any()
    (spikes * 0).sum().backward()
    assert not drive.grad.any()


@pytest.mark.parametrize("recurrent", [True, False])
def test_what_is_not_a_number_comes_out_where_it_does_in_the_loop(recurrent, draw):
    drive, weight = draw(3, 20, 4, mean=0.5), draw(4, 4) if recurrent else None
    with torch.no_grad():
        drive[1, 5, 2] = math.nan
    spikes = run_alif(drive, weight, ADAPTIVE, dt=DT)
    expected = alif_loop(drive, weight, ADAPTIVE, dt=DT)
    assert expected.isnan().any()
    assert torch.equal(spikes.isnan(), expected.isnan())
    spikes.sum().backward()
    assert drive.grad[1].isnan().any()
    assert not drive.grad[[0, 2]].isnan().any()


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_result_does_not_depend_on_the_number_of_threads(recurrent, draw, threads):
    drive, weight = draw(300, 8, 40, mean=0.5, dtype=torch.float32), draw(40, 40, dtype=torch.float32)
    trained = [drive, *([weight] if recurrent else [])]
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        spikes = run_alif(drive, weight if recurrent else None, ADAPTIVE, dt=DT)
        results.append([spikes, *torch.autograd.grad((spikes * drive.detach()).sum(), trained)])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_clip_does_not_depend_on_the_others_of_its_batch(draw):
    drive, weight = draw(130, 40, 12, mean=0.3), draw(12, 12, deviation=0.2)
    together = run_alif(drive, weight, ADAPTIVE, dt=DT)
    alone = torch.cat([run_alif(drive[i : i + 7], weight, ADAPTIVE, dt=DT) for i in range(0, 130, 7)])
    assert 0.05 < together.mean() < 0.5
    assert torch.equal(together, alone)


def test_only_what_asks_for_a_gradient_gets_one(draw):
    drive, weight = draw(2, 10, 3, mean=1.0), draw(3, 3)
    run_alif(drive, weight.detach(), ADAPTIVE, dt=DT).sum().backward()
    assert drive.grad is not None
    assert weight.grad is None


def test_a_recurrent_weight_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"recurrent_weight must be \(4, 4\), got \(3, 3\)"):
        run_alif(torch.zeros(2, 5, 4), torch.zeros(3, 3), ALIFParams(), dt=DT)

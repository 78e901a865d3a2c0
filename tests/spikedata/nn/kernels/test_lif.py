import itertools
import math

import pytest
import torch

from spikedata.nn.kernels import run_lif
from spikedata.nn.neurons import LIFParams, lif_loop
from spikedata.nn.surrogate import SHAPES, SurrogateParams

DT = 2e-3
RULES = list(itertools.product(("subtract", "zero"), (True, False), (True, False)))  # reset, detached, recurrent
SIZES = [(1, 1, 1), (1, 9, 3), (3, 1, 5), (2, 2, 1), (67, 12, 33), (130, 5, 17)]


def _check(assert_agree, draw, params, size, recurrent, dtype=torch.float64, mean=0.15, deviation=0.4):
    n_batch, n_steps, n = size
    drive = draw(n_batch, n_steps, n, mean=mean, deviation=deviation, dtype=dtype)
    weight = draw(n, n, deviation=0.4 / math.sqrt(n), dtype=dtype) if recurrent else None
    assert_agree(
        lambda: run_lif(drive, weight, params, dt=DT),
        lambda: lif_loop(drive, weight, params, dt=DT),
        [drive, weight] if recurrent else [drive],
        params=params,
    )


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)])
def test_the_kernel_is_the_loop_for_every_rule(shape, dtype, assert_agree, draw):
    for reset, detach_reset, recurrent in RULES:
        surrogate = SurrogateParams(shape=shape, scale=3.0, height=0.7)
        params = LIFParams(reset=reset, detach_reset=detach_reset, surrogate=surrogate, threshold=0.8)
        _check(assert_agree, draw, params, (5, 30, 37), recurrent, dtype)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_kernel_is_the_loop_for_every_size(size, recurrent, assert_agree, draw):
    _check(assert_agree, draw, LIFParams(), size, recurrent)


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("mean", [5.0, 0.5, 0.2, -5.0])
def test_the_kernel_is_the_loop_whether_all_fire_or_none(mean, assert_agree, draw):
    _check(assert_agree, draw, LIFParams(reset="zero"), (3, 50, 20), True, mean=mean, deviation=0.1)


def test_silence_stays_silent():
    drive = torch.zeros(2, 300, 5, requires_grad=True)
    spikes = run_lif(drive, torch.ones(5, 5), LIFParams(), dt=DT)
    assert not spikes.any()
    (spikes * 0).sum().backward()
    assert not drive.grad.any()


@pytest.mark.parametrize("recurrent", [True, False])
def test_what_is_not_a_number_comes_out_where_it_does_in_the_loop(recurrent, draw):
    drive, weight = draw(3, 20, 4, mean=0.3), draw(4, 4) if recurrent else None
    with torch.no_grad():
        drive[1, 5, 2] = math.nan
    spikes = run_lif(drive, weight, LIFParams(), dt=DT)
    expected = lif_loop(drive, weight, LIFParams(), dt=DT)
    assert expected.isnan().any()
    assert torch.equal(spikes.isnan(), expected.isnan())
    spikes.sum().backward()
    assert drive.grad[1].isnan().any()
    assert not drive.grad[[0, 2]].isnan().any()


def test_decaying_gradients_do_not_become_subnormal():
    # only the last step has a gradient: 300 steps before, exp(-300 * 2 / 5) of it is left, less than float32 can hold
    drive = torch.full((1, 300, 3), 0.01, requires_grad=True)
    params = LIFParams(tau_mem=5e-3, tau_syn=5e-3, surrogate=SurrogateParams(shape="slayer", scale=20.0))
    run_lif(drive, None, params, dt=DT)[:, -1].sum().backward()
    sizes = drive.grad.abs()
    assert (sizes > 0).any()
    assert not ((sizes > 0) & (sizes < torch.finfo(torch.float32).tiny)).any()


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_result_does_not_depend_on_the_number_of_threads(recurrent, draw, threads):
    drive, weight = draw(300, 8, 40, mean=0.2, dtype=torch.float32), draw(40, 40, dtype=torch.float32)
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        drive.grad = weight.grad = None
        spikes = run_lif(drive, weight if recurrent else None, LIFParams(), dt=DT)
        (spikes * drive.detach()).sum().backward()
        results.append([spikes, drive.grad, *([weight.grad] if recurrent else [])])
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_a_clip_does_not_depend_on_its_neighbors(draw):
    drive, weight = draw(70, 10, 6, mean=0.3), draw(6, 6, deviation=0.2)
    alone = run_lif(drive[66:67], weight, LIFParams(), dt=DT)
    assert torch.equal(run_lif(drive, weight, LIFParams(), dt=DT)[66:67], alone)


def test_a_drive_in_any_memory_layout_is_taken_and_left_as_it_is(draw):
    drive = draw(10, 4, 6).detach()
    before = drive.clone()
    turned = drive.transpose(0, 1)
    expected = run_lif(turned.contiguous(), None, LIFParams(), dt=DT)
    assert torch.equal(run_lif(turned, None, LIFParams(), dt=DT), expected)
    assert torch.equal(drive, before)


def test_only_what_asks_for_a_gradient_gets_one(draw):
    drive, weight = draw(2, 10, 3, mean=0.4).detach(), draw(3, 3)
    run_lif(drive, weight, LIFParams(), dt=DT).sum().backward()
    assert drive.grad is None
    assert weight.grad is not None


def test_a_second_backward_pass_gives_the_same(draw):
    drive = draw(2, 10, 3, mean=0.4)
    spikes = run_lif(drive, None, LIFParams(), dt=DT)
    first, second = (torch.autograd.grad(spikes.sum(), drive, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_other_types_take_the_plain_loop():
    spikes = run_lif(torch.full((1, 6, 2), 0.7, dtype=torch.bfloat16), None, LIFParams(), dt=DT)
    assert spikes.dtype == torch.bfloat16
    assert spikes.any()


@pytest.mark.parametrize(
    ("drive", "weight", "message"),
    [
        ((4, 3), None, r"drive must be \(batch, step, neuron\), steps and neurons >= 1, got \(4, 3\)"),
        ((4, 0, 3), None, r"steps and neurons >= 1, got \(4, 0, 3\)"),
        ((4, 5, 3), (3, 4), r"recurrent_weight must be \(3, 3\), got \(3, 4\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(drive, weight, message):
    with pytest.raises(ValueError, match=message):
        run_lif(torch.zeros(drive), None if weight is None else torch.zeros(weight), LIFParams(), dt=DT)

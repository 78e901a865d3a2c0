"""The Triton kernels against the plain loops, on the CPU by Triton's interpreter: no test of speed or of a GPU."""

import itertools
import math
import os

import pytest
import torch

from spikedata.nn.kernels import run_adlif, run_lif
from spikedata.nn.kernels.gpu import LARGEST_RECURRENT, has_triton, runs_in_triton, triton_kernels
from spikedata.nn.neurons import AdLIFCoefficients, AdLIFParams, LIFParams, adlif_loop, lif_loop
from spikedata.nn.surrogate import SHAPES, SurrogateParams

DT = 2e-3
FLOAT = torch.float32
needs_triton = pytest.mark.skipif(not has_triton(), reason="needs the package triton, 286 MB: make test-triton")
ADLIF_RULES = list(itertools.product(("euler", "symplectic"), ("subtract", "zero"), (True, False)))
SIZES = [(1, 1, 1), (3, 1, 5), (2, 2, 1), (17, 4, 33)]  # batch, steps, neurons


@pytest.fixture(scope="module")
def kernels():
    """The kernels, interpreted: whether they are is decided when their modules are loaded."""
    os.environ["TRITON_INTERPRET"] = "1"
    from spikedata.nn.kernels import triton_adlif, triton_lif

    yield triton_lif.run_lif_triton, triton_adlif.run_adlif_triton
    del os.environ["TRITON_INTERPRET"]


def coefficients(draw, n):
    # couplings may be negative, too; decays from hardly to strongly leaky
    values = [draw(n).detach().to(FLOAT) for _ in range(4)]
    ranges = ((0.8, 0.15), (0.9, 0.08), (0.1, 0.3), (0.5, 0.5))
    made = [
        (mean + width * torch.tanh(value)).requires_grad_() for value, (mean, width) in zip(values, ranges, strict=True)
    ]
    return AdLIFCoefficients(*made)


def check_lif(kernels, assert_agree, draw, params, size, recurrent):
    n_batch, n_steps, n = size
    drive = draw(n_batch, n_steps, n, mean=0.15, deviation=0.4, dtype=FLOAT)
    weight = draw(n, n, deviation=0.4 / math.sqrt(n), dtype=FLOAT) if recurrent else None
    with torch.no_grad():
        spikes = kernels[0](drive, weight, params, dt=DT)
        assert torch.equal(spikes, lif_loop(drive, weight, params, dt=DT)), params
    assert_agree(
        lambda: kernels[0](drive, weight, params, dt=DT),
        lambda: lif_loop(drive, weight, params, dt=DT),
        [drive, weight] if recurrent else [drive],
        params=params,
    )
    return spikes


def check_adlif(kernels, assert_agree, draw, params, size, recurrent):
    n_batch, n_steps, n = size
    drive = draw(n_batch, n_steps, n, mean=1.0, deviation=3.0, dtype=FLOAT)
    weight = draw(n, n, deviation=1.0 / math.sqrt(n), dtype=FLOAT) if recurrent else None
    of_neurons = coefficients(draw, n)
    with torch.no_grad():
        spikes = kernels[1](drive, weight, of_neurons, params)
        assert torch.equal(spikes, adlif_loop(drive, weight, of_neurons, params)), params
    assert_agree(
        lambda: kernels[1](drive, weight, of_neurons, params),
        lambda: adlif_loop(drive, weight, of_neurons, params),
        [drive, *of_neurons, *([weight] if recurrent else [])],
        params=params,
    )
    return spikes


@needs_triton
@pytest.mark.parametrize("shape", SHAPES)
def test_the_lif_kernel_is_the_loop_for_every_surrogate(shape, kernels, assert_agree, draw):
    for recurrent, reset in itertools.product((True, False), ("subtract", "zero")):
        surrogate = SurrogateParams(shape=shape, scale=3.0, height=0.7)
        params = LIFParams(reset=reset, surrogate=surrogate, threshold=0.8)
        assert check_lif(kernels, assert_agree, draw, params, (3, 9, 20), recurrent).any()


@needs_triton
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_gradient_goes_through_the_reset_of_the_lif_kernel(reset, recurrent, kernels, assert_agree, draw):
    params = LIFParams(reset=reset, detach_reset=False, threshold=0.8)
    check_lif(kernels, assert_agree, draw, params, (3, 9, 20), recurrent)


@needs_triton
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_lif_kernel_is_the_loop_for_every_size(size, recurrent, kernels, assert_agree, draw):
    check_lif(kernels, assert_agree, draw, LIFParams(), size, recurrent)


@needs_triton
@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("rules", ADLIF_RULES)
def test_the_adlif_kernel_is_the_loop_for_every_rule(rules, recurrent, kernels, assert_agree, draw):
    scheme, reset, detach_reset = rules
    params = AdLIFParams(scheme=scheme, reset=reset, detach_reset=detach_reset, threshold=0.9)
    assert check_adlif(kernels, assert_agree, draw, params, (3, 9, 20), recurrent).any()


@needs_triton
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("recurrent", [True, False])
def test_the_adlif_kernel_is_the_loop_for_every_size(size, recurrent, kernels, assert_agree, draw):
    check_adlif(kernels, assert_agree, draw, AdLIFParams(), size, recurrent)


@needs_triton
def test_what_is_not_a_number_comes_out_where_it_does_in_the_loop(kernels, draw):
    drive, weight = draw(3, 12, 4, mean=0.3, dtype=FLOAT), draw(4, 4, dtype=FLOAT)
    with torch.no_grad():
        drive[1, 5, 2] = math.nan
    spikes = kernels[0](drive, weight, LIFParams(), dt=DT)
    expected = lif_loop(drive, weight, LIFParams(), dt=DT)
    assert expected.isnan().any()
    assert torch.equal(spikes.isnan(), expected.isnan())


@needs_triton
def test_only_what_asks_for_a_gradient_gets_one(kernels, draw):
    drive, weight = draw(2, 6, 3, mean=0.4, dtype=FLOAT).detach(), draw(3, 3, dtype=FLOAT)
    kernels[0](drive, weight, LIFParams(), dt=DT).sum().backward()
    assert drive.grad is None
    assert weight.grad is not None


@needs_triton
def test_other_types_are_refused_by_the_kernels_themselves(kernels):
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        with pytest.raises(TypeError, match=f"drive must be float32 for a Triton kernel, got {dtype}"):
            kernels[0](torch.zeros(1, 2, 3, dtype=dtype), None, LIFParams(), dt=DT)
    with pytest.raises(TypeError, match="recurrent_weight must be float32"):
        kernels[0](torch.zeros(1, 2, 3), torch.zeros(3, 3, dtype=torch.float64), LIFParams(), dt=DT)


@needs_triton
def test_a_recurrent_layer_that_no_program_can_hold_is_refused(kernels):
    n = LARGEST_RECURRENT + 1
    with pytest.raises(ValueError, match=r"at most 1024 for a Triton kernel, got 1025"):
        kernels[0](torch.zeros(1, 1, n), torch.zeros(n, n), LIFParams(), dt=DT)


@needs_triton
def test_shapes_that_do_not_fit_are_refused(kernels, draw):
    with pytest.raises(ValueError, match=r"recurrent_weight must be \(3, 3\), got \(3, 4\)"):
        kernels[0](torch.zeros(1, 2, 3), torch.zeros(3, 4), LIFParams(), dt=DT)
    with pytest.raises(ValueError, match=r"coefficients.membrane_decay must be \(3,\), got \(4,\)"):
        kernels[1](torch.zeros(1, 2, 3), None, coefficients(draw, 4), AdLIFParams())


class OnAGpu(torch.Tensor):
    """A tensor that says that it is on a GPU."""

    is_cuda = True


def on_a_gpu(*shape, dtype=FLOAT):
    return torch.zeros(*shape, dtype=dtype).as_subclass(OnAGpu)


def test_layers_on_a_gpu_run_in_triton_where_it_is_installed(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr("spikedata.nn.kernels.gpu.has_triton", lambda there=there: there)
        assert runs_in_triton(on_a_gpu(1, 2, 3), recurrent=True) is there
        assert not runs_in_triton(torch.zeros(1, 2, 3), recurrent=True)


def test_what_triton_kernels_cannot_run_takes_the_plain_loop(monkeypatch):
    monkeypatch.setattr("spikedata.nn.kernels.gpu.has_triton", lambda: True)
    assert not runs_in_triton(on_a_gpu(1, 2, 3, dtype=torch.float64), recurrent=False)
    assert not runs_in_triton(on_a_gpu(1, 2, 3, dtype=torch.bfloat16), recurrent=False)
    assert runs_in_triton(on_a_gpu(1, 1, LARGEST_RECURRENT), recurrent=True)
    assert not runs_in_triton(on_a_gpu(1, 1, LARGEST_RECURRENT + 1), recurrent=True)
    assert runs_in_triton(on_a_gpu(1, 1, LARGEST_RECURRENT + 1), recurrent=False)
    with triton_kernels(False):
        assert not runs_in_triton(on_a_gpu(1, 2, 3), recurrent=False)


@needs_triton
def test_run_lif_and_run_adlif_choose_the_kernels(kernels, monkeypatch, draw):
    drive, weight, of_neurons = draw(3, 6, 5, dtype=FLOAT), draw(5, 5, dtype=FLOAT), coefficients(draw, 5)
    expected = run_lif(drive, weight, LIFParams(), dt=DT), run_adlif(drive, weight, of_neurons, AdLIFParams())
    for name in ("lif", "adlif"):
        monkeypatch.setattr(f"spikedata.nn.kernels.{name}.runs_in_triton", lambda drive, recurrent: recurrent)
    calls = []
    for name, kernel in zip(("lif", "adlif"), kernels, strict=True):
        monkeypatch.setattr(
            f"spikedata.nn.kernels.triton_{name}.run_{name}_triton",
            lambda *given, kernel=kernel, **more: (calls.append(kernel), kernel(*given, **more))[1],
        )
    found = run_lif(drive, weight, LIFParams(), dt=DT), run_adlif(drive, weight, of_neurons, AdLIFParams())
    assert calls == list(kernels)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))

"""Delays within a layer, in the kernels of all neurons that have them."""

import math

import numpy as np
import pytest
import torch

from spikedata.nn.kernels import run_adlif, run_alif, run_c_silif, run_lif, run_silif
from spikedata.nn.neurons import (
    AdLIFCoefficients,
    AdLIFParams,
    ALIFParams,
    CSiLIFCoefficients,
    CSiLIFParams,
    LIFParams,
    SiLIFParams,
    adlif_loop,
    alif_loop,
    c_silif_loop,
    lif_loop,
    silif_loop,
)

ADAPTIVE = ([0.8, 0.9, 0.1, 0.2], AdLIFCoefficients)
KINDS = {
    "lif": (run_lif, lif_loop, LIFParams(tau_mem=20e-3, tau_syn=5e-3), None),
    "lif, reset to zero": (run_lif, lif_loop, LIFParams(reset="zero", detach_reset=False), None),
    "alif": (run_alif, alif_loop, ALIFParams(adaptation=0.2, refractory=20e-3), None),
    "adlif": (run_adlif, adlif_loop, AdLIFParams(), ADAPTIVE),
    "adlif, euler": (run_adlif, adlif_loop, AdLIFParams(scheme="euler", reset="subtract"), ADAPTIVE),
    "silif": (run_silif, silif_loop, SiLIFParams(), ADAPTIVE),
    "c-silif": (run_c_silif, c_silif_loop, CSiLIFParams(), ([0.6, 0.5], CSiLIFCoefficients)),
}
KIND = pytest.mark.parametrize("kind", KINDS)
DT = 10e-3


def _call(kind, drive, weight, kernel, *, fused):
    run, loop, params, coefficients = KINDS[kind]
    form = run if fused else loop
    if coefficients is None:
        return form(drive, weight, params, dt=DT, delay_kernel=kernel)
    values, make = coefficients
    ones = torch.ones(drive.shape[2], dtype=drive.dtype)
    return form(drive, weight, make(*(value * ones for value in values)), params, delay_kernel=kernel)


def _kernel(n_delays, n, *, sparse, seed=4):
    rng = np.random.default_rng(seed)
    kernel = rng.uniform(0.1, 1.0, (n_delays, n))
    if sparse:  # two neighbors or one, at any delay
        first = rng.integers(0, n_delays, n)
        k = np.arange(n_delays)[:, None]
        kernel = kernel * ((k == first) | (k == first + 1))
    return torch.from_numpy(kernel / kernel.sum(axis=0)).requires_grad_()


@pytest.mark.usefixtures("gathers")
@pytest.mark.parametrize("sparse", [True, False], ids=["few", "many"])
@pytest.mark.parametrize("size", [(5, 30, 37), (2, 6, 3), (130, 5, 17), (1, 1, 2)])
@KIND
def test_the_kernel_is_the_loop(kind, size, sparse, assert_agree, draw):
    n_clips, n_steps, n = size
    drive = draw(n_clips, n_steps, n, mean=0.5, deviation=2.0)
    weight, kernel = draw(n, n, deviation=1.0 / math.sqrt(n)), _kernel(9, n, sparse=sparse)
    assert_agree(
        lambda: _call(kind, drive, weight, kernel, fused=True),
        lambda: _call(kind, drive, weight, kernel, fused=False),
        [drive, weight, kernel],
        kind=kind,
    )


@pytest.mark.usefixtures("gathers")
@KIND
def test_a_kernel_that_sends_at_once_is_no_delay(kind, draw):
    drive, weight = draw(3, 40, 7, mean=0.5, deviation=2.0), draw(7, 7)
    at_once = torch.zeros(4, 7, dtype=torch.float64)
    at_once[0] = 1.0
    found = _call(kind, drive, weight, at_once, fused=True)
    assert torch.equal(found, _call(kind, drive, weight, None, fused=True))
    assert torch.equal(found, _call(kind, drive, weight, at_once, fused=False))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("delay", [0, 1, 5])
@KIND
def test_what_a_spike_does_comes_as_much_later_as_its_delay(kind, delay, fused):
    # the first neuron fires once and drives the second, which is silent otherwise
    drive = torch.zeros(1, 30, 2, dtype=torch.float64)
    drive[0, 3, 0] = 30.0
    weight = torch.tensor([[-60.0, 60.0], [0.0, 0.0]], dtype=torch.float64)
    kernels = torch.zeros(2, 6, 2, dtype=torch.float64)
    kernels[0, 0], kernels[1, delay] = 1.0, 1.0
    firsts = []
    for kernel in kernels:
        spikes = _call(kind, drive, weight, kernel, fused=fused)[0]
        assert spikes[:, 0].any()
        firsts.append(spikes[:, 1].argmax().item())
    assert firsts[0] > 0
    assert firsts[1] - firsts[0] == delay


@KIND
def test_the_result_does_not_depend_on_the_number_of_threads(kind, draw, threads):
    drive = draw(200, 8, 40, mean=0.5, deviation=2.0, dtype=torch.float32)
    weight = draw(40, 40, deviation=0.2, dtype=torch.float32)
    kernel = _kernel(5, 40, sparse=False).float().detach().requires_grad_()
    results = []
    for n_threads in (1, 3):
        threads(n_threads)
        spikes = _call(kind, drive, weight, kernel, fused=True)
        results.append([spikes, *torch.autograd.grad((spikes * drive.detach()).sum(), [drive, weight, kernel])])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_delays_that_do_not_fit_are_refused():
    drive, weight = torch.zeros(2, 5, 4), torch.zeros(4, 4)
    with pytest.raises(ValueError, match="delay_kernel needs a recurrent_weight"):
        run_lif(drive, None, LIFParams(), dt=DT, delay_kernel=torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"delay_kernel must be \(delay, 4\), got \(2, 3\)"):
        run_alif(drive, weight, ALIFParams(), dt=DT, delay_kernel=torch.ones(2, 3))

import math

import numpy as np
import pytest
import torch

from spikedata.nn.neurons import ALIFParams, LIFParams, alif_loop, lif_loop
from spikedata.nn.surrogate import SHAPES, SurrogateParams, spike, surrogate_derivative

FORMULAS = {
    "superspike": lambda z: 1 / (1 + np.abs(z)) ** 2,
    "sigmoid": lambda z: 1 / np.cosh(z / 2) ** 2,  # which is 4 s (1 - s)
    "triangle": lambda z: np.maximum(0, 1 - np.abs(z)),
    "boxcar": lambda z: (np.abs(z) <= 1).astype(float),
    "arctan": lambda z: 1 / (1 + z**2),
    "slayer": lambda z: np.exp(-np.abs(z)),
}


def test_a_membrane_spikes_above_its_threshold_alone():
    assert spike(torch.tensor([-1.0, -1e-6, 0.0, 1e-6, 2.0]), SurrogateParams()).tolist() == [0, 0, 0, 1, 1]


def test_a_membrane_that_is_not_a_number_gives_no_number():
    assert spike(torch.tensor([math.nan, 1.0]), SurrogateParams()).isnan().tolist() == [True, False]


def test_every_shape_has_its_formula_here():
    assert set(FORMULAS) == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_derivative_follows_its_formula(shape):
    x = np.linspace(-2, 2, 41)
    params = SurrogateParams(shape=shape, scale=7.0, height=0.3)
    found = surrogate_derivative(torch.from_numpy(x), params).numpy()
    np.testing.assert_allclose(found, 0.3 * FORMULAS[shape](7.0 * x), rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_of_a_spike_is_the_derivative_of_the_surrogate(shape):
    params = SurrogateParams(shape=shape, scale=3.0, height=2.0)
    x = torch.linspace(-2, 2, 41, dtype=torch.float64, requires_grad=True)
    weight = torch.arange(41.0, dtype=torch.float64)
    (spike(x, params) * weight).sum().backward()
    torch.testing.assert_close(x.grad, weight * surrogate_derivative(x.detach(), params), rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_derivative_is_the_height_at_the_threshold_and_even(shape):
    params = SurrogateParams(shape=shape, scale=2.0, height=0.7)
    assert surrogate_derivative(torch.zeros(1), params).item() == pytest.approx(0.7)
    x = torch.linspace(0, 3, 31)
    torch.testing.assert_close(surrogate_derivative(x, params), surrogate_derivative(-x, params), rtol=0, atol=0)


@pytest.mark.parametrize("scale", [0.1, 10.0, 1000.0])
def test_a_height_that_grows_with_the_scale_is_the_asymptotic_superspike(scale):
    # Zenke & Vogels (2021), figure 5: beta / (1 + beta |x|)^2, whose area does not depend on beta
    x = np.linspace(-2, 2, 41)
    found = surrogate_derivative(torch.from_numpy(x), SurrogateParams(scale=scale, height=scale)).numpy()
    np.testing.assert_allclose(found, scale / (1 + scale * np.abs(x)) ** 2, rtol=1e-13)


@pytest.mark.parametrize(("kind", "loop"), [(LIFParams, lif_loop), (ALIFParams, alif_loop)], ids=["lif", "alif"])
def test_a_gradient_through_the_reset_explodes_where_the_height_is_large(kind, loop):
    # Zenke & Vogels (2021): the reset is a recurrence, too, unless it is detached
    noise = torch.randn(1, 150, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def largest(*, detach_reset):
        surrogate = SurrogateParams(scale=100.0, height=100.0)
        drive = (0.05 + 0.02 * noise).requires_grad_()
        spikes = loop(drive, None, kind(detach_reset=detach_reset, surrogate=surrogate), dt=1e-3)
        assert 0 < spikes.mean() < 0.5
        spikes.sum().backward()
        return drive.grad.abs().max().item()

    assert largest(detach_reset=False) > 500 * largest(detach_reset=True)


def test_spikes_keep_the_type_of_the_membrane():
    for dtype in (torch.float32, torch.float64):
        assert spike(torch.ones(2, 3, dtype=dtype), SurrogateParams()).dtype == dtype


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_leaves_the_membrane_as_it_is(shape):
    x = torch.tensor([-0.5, 0.5], requires_grad=True)
    spike(x, SurrogateParams(shape=shape)).sum().backward()
    assert x.tolist() == [-0.5, 0.5]


@pytest.mark.parametrize("name", ["scale", "height"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1"])
def test_surrogates_refuse_numbers_that_mean_nothing(name, value):
    with pytest.raises(ValueError, match=rf"SurrogateParams\.{name} must be (a number|> 0|finite).*, got {value!r}"):
        SurrogateParams(**{name: value})


def test_an_unknown_shape_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"shape must be one of superspike, sigmoid, .*, got 'box'"):
        SurrogateParams(shape="box")

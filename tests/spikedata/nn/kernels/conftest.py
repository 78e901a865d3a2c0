"""What judges a fused kernel: the plain loop on the same numbers."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

# Of the largest value. Both forms round each step in their own order; in float32 an error of 6e-8 grows along the steps
# as gradients do. In float64 no test comes above 3e-14.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-12}


def _difference(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max().clamp(min=torch.finfo(expected.dtype).tiny)).item()


@pytest.fixture
def assert_agree() -> Callable[..., None]:
    def check(fused: Callable[[], Tensor], plain: Callable[[], Tensor], trained: Sequence[Tensor], **how: Any) -> None:
        """Both give the same, and the same gradients of what is trained, within the tolerance of their type."""
        results = []
        for form in (fused, plain):
            for tensor in trained:
                tensor.grad = None
            result = form()
            weights = torch.randn(result.shape, dtype=result.dtype, generator=torch.Generator().manual_seed(7))
            if result.requires_grad:  # a first step depends on nothing
                (result * weights).sum().backward()
            gradients = [torch.zeros_like(t) if t.grad is None else t.grad.clone() for t in trained]
            results.append([result.detach(), *gradients])
        for found, expected in zip(*results, strict=True):
            assert _difference(found, expected) <= TOLERANCE[found.dtype], how

    return check


@pytest.fixture
def draw() -> Callable[..., Tensor]:
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int, mean: float = 0.0, deviation: float = 1.0, dtype: torch.dtype = torch.float64) -> Tensor:
        values = mean + deviation * torch.randn(shape, generator=generator, dtype=torch.float64)
        return values.to(dtype).requires_grad_()

    return normal


@pytest.fixture(params=[True, False], ids=["gathered", "multiplied"])
def gathers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Rows of any length are gathered, or none is: how many neurons make a long row is a matter of speed alone."""
    for name in ("_FEW", "_FEW_FOUND"):
        monkeypatch.setattr(f"spikedata.nn.kernels.weights.{name}", 1 if request.param else 10**9)
    return bool(request.param)


@pytest.fixture
def threads() -> Any:
    """Set the number of PyTorch's threads; what it was comes back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)

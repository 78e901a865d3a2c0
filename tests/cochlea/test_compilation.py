"""Kernels are compiled, whether or not their code can be kept."""

import numba
import pytest

from cochlea.compilation import compiled


def double(x):
    return 2 * x


def test_a_kernel_is_compiled():
    kernel = compiled()(double)

    assert kernel(3) == 6
    assert kernel.signatures


def test_a_kernel_is_compiled_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch):
    compile_plainly = numba.njit

    def njit(**options):
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'double': no locator available")
        return compile_plainly(**options)

    monkeypatch.setattr(numba, "njit", njit)

    assert compiled()(double)(3) == 6

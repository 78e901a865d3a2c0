"""What all tests share."""

import gc
import os
from collections.abc import Iterator

import pytest

# tests that share the processors do not each take all of them; read by PyTorch when it is imported
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure() -> None:
    """Look for no garbage while tests are collected: there is none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for it again. `gc.freeze` would hide objects from hypothesis, which asks who refers to them."""
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory) -> Iterator[None]:
    """No test writes to the user's cache folder; one folder per session, so that tables are made once."""
    before = os.environ.get("SPIKEDATA_CACHE")
    os.environ["SPIKEDATA_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["SPIKEDATA_CACHE"]
    else:
        os.environ["SPIKEDATA_CACHE"] = before

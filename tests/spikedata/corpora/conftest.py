"""What the tests of the corpora share."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def touch(tmp_path: Path) -> Callable[..., Path]:
    """Make empty files below a folder and get that folder."""

    def make(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


@pytest.fixture(scope="session")
def real_audio() -> Path:
    """The folder of real recordings beside the checkout."""
    folder = Path(__file__).parents[4] / "shared" / "audio"
    if not folder.is_dir():
        pytest.skip("the real recordings are not beside this checkout")
    return folder

from pathlib import Path

import pytest

from spikedata.disk import cache_folder, data_folder

CASES = [(data_folder, "SPIKEDATA_HOME", "user_data_path"), (cache_folder, "SPIKEDATA_CACHE", "user_cache_path")]


@pytest.mark.parametrize(("folder", "variable", "_"), CASES)
def test_the_environment_names_the_folder(folder, variable, _, monkeypatch):
    monkeypatch.setenv(variable, "here/it is")
    assert folder() == Path("here/it is")


@pytest.mark.parametrize(("folder", "variable", "users"), CASES)
@pytest.mark.parametrize("named", [None, ""])
def test_otherwise_it_is_the_users(folder, variable, users, named, monkeypatch, tmp_path):
    if named is None:
        monkeypatch.delenv(variable, raising=False)
    else:
        monkeypatch.setenv(variable, named)
    monkeypatch.setattr(f"platformdirs.{users}", lambda name, **_: tmp_path / name)
    assert folder() == tmp_path / "spikedata"

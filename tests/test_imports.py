"""What an import loads: asked of a fresh process, by its table of modules and never by the clock."""

import subprocess
import sys

import pytest

HEAVY = {"shtab", "torch", "librosa", "matplotlib", "soundfile", "h5py", "numba", "scipy", "numpy", "soxr", "tqdm"}


def loaded_by(code: str) -> set[str]:
    """The heavy libraries that a fresh process has loaded after running some code."""
    run = f"{code}\nimport sys\nprint('loaded', *{HEAVY} & sys.modules.keys())"
    output = subprocess.run([sys.executable, "-c", run], check=True, capture_output=True, text=True).stdout
    return set(output.splitlines()[-1].split()[1:])


HELP = """
from spikedata.cli import main
try:
    main({arguments})
except SystemExit as end:
    if end.code:
        raise
"""


def test_the_cochlea_needs_numpy_scipy_and_numba_alone():
    assert loaded_by("import cochlea") <= {"numpy", "scipy", "numba"}


def test_the_package_loads_nothing_heavy():
    assert loaded_by("import spikedata") == set()


def test_both_packages_leave_pytorch_unloaded():
    assert "torch" not in loaded_by("import cochlea, spikedata; spikedata.SpikeFile")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["encode", "--help"], ["train", "--help"]], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments):
    assert loaded_by(HELP.format(arguments=arguments)) == set()


def test_spikes_are_read_and_written_with_numpy_and_hdf5_alone():
    code = "from spikedata import Events, SpikeFile, SpikeWriter, bin_events"
    assert loaded_by(code) <= {"numpy", "h5py"}


def test_pictures_load_matplotlib_when_they_are_drawn():
    assert "matplotlib" not in loaded_by("import spikedata.plot")


def test_data_for_pytorch_need_neither_audio_nor_pictures():
    assert loaded_by("import spikedata.torch") <= {
        "torch",
        "numpy",
        "h5py",
        "numba",
        "scipy",
        "tqdm",
    }  # PyTorch takes tqdm along


def test_data_for_pytorch_load_the_cochlea_only_to_encode():
    for rest, loaded in (("", "loaded"), ("spikedata.torch.SoundDataset", "loaded cochlea")):
        code = f"import sys, spikedata.torch; {rest}\nprint('loaded', *{{'cochlea'}} & sys.modules.keys())"
        run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert run.stdout.strip() == loaded


def test_the_package_serves_only_the_names_that_it_has():
    import spikedata

    assert set(spikedata.__all__) <= set(dir(spikedata))
    for name in spikedata.__all__:
        getattr(spikedata, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        spikedata.nothing  # noqa: B018

"""The same sound gives the same spikes, to the bit, on every machine."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).with_name("golden.py")
# What `golden.py` printed when the bits of the two presets were frozen: number of spikes, SHA-256.
GOLDEN = {
    "default": {
        "lang-english_speaker-00_trial-0_digit-3": (
            "8246 eeb2d1135ebb458f9af7365c7a34b390f86346ec6d0c92e2a3545e9019d13479"
        ),
        "lang-english_speaker-00_trial-0_digit-7": (
            "8060 0cef9fed71bf615e879c793f027f02c4e00a60fcf01c46f953effbfa5bf783b8"
        ),
        "lang-german_speaker-04_trial-0_digit-0": (
            "9297 57f880b0092b0f16733567e02967115ea712b21e55bcaf7c417e182a1fa569d8"
        ),
        "lang-german_speaker-04_trial-0_digit-7": (
            "13692 6aa6376b9d5c0a5d8778000adbfe84e436a6b8c8b7e0387f4deb93cc7c6447a4"
        ),
        "16 kHz": ("8309 226150821542c6e25577729b516e4cad03fa3bb9fd3f23bab9967e3f4cb6427d"),
        "long": ("77594 1947e3ce55449fcf432ebe9406c7a3eeb1f479206f842b1edfc5493c92daf1ff"),
    },
    "published": {
        "lang-english_speaker-00_trial-0_digit-3": (
            "8167 9889f58b16602398f4198ec5f6f45f29fadc11481d1f658695290186ce533dc1"
        ),
        "lang-english_speaker-00_trial-0_digit-7": (
            "7944 1fe0626cf624700cf92d5c8d6664c8875c39f3b5019fd98f82a3a84f4dfc9dfd"
        ),
        "lang-german_speaker-04_trial-0_digit-0": (
            "8844 423793e99f2ed70876c81ae3900186187d9931d095c233c5c7ef4c0d558fc934"
        ),
        "lang-german_speaker-04_trial-0_digit-7": (
            "13622 6b77fb961286ee3607d580490bb6bf57a573c1688dba61821b10e6f377feafa5"
        ),
        "16 kHz": ("8156 b50de3ef7ca098f6359a68594ab66980d129ac3752fd5e3bb029a109b757eba2"),
        "long": ("76611 962db505e26638c24c32ff81ebc458cefeaf306bd54f6af48134ed5bf46d4372"),
    },
}

# A processor is told apart by three things: for which one Numba compiles, and which instructions NumPy and the C
# library find on it. NumPy's names of groups of instructions are those of 2.4, then those of earlier releases.
NO_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL"
NO_AVX = f"{NO_AVX512} X86_V3 AVX2 FMA3 AVX F16C"
OLD_LIBRARY = "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4,-AVX"
MACHINES = {
    "this processor": {},
    "a processor of 2003": {
        "NUMBA_CPU_NAME": "x86-64", "NPY_DISABLE_CPU_FEATURES": NO_AVX, "GLIBC_TUNABLES": OLD_LIBRARY,
    },
    "a processor of 2013": {"NUMBA_CPU_NAME": "haswell", "NPY_DISABLE_CPU_FEATURES": NO_AVX512},
    "a processor of 2017": {"NUMBA_CPU_NAME": "skylake-avx512"},
}  # fmt: skip


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    specification = importlib.util.spec_from_file_location("golden", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("preset", GOLDEN)
def test_spikes_have_their_golden_digest(golden: ModuleType, preset: str) -> None:
    found = {name: golden.digest(preset, *sound, name) for name, sound in golden.sounds().items()}
    assert found == GOLDEN[preset]


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
def test_spikes_and_table_are_the_same_on_other_processors(machine: str, tmp_path: Path) -> None:
    # Kernels are compiled and the table is computed anew in every folder.
    environment = {
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "SPIKEDATA_CACHE": str(tmp_path / "tables"),
        "PYTHONPATH": os.pathsep.join([str(SCRIPT.parent.parent), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    features = {"NUMBA_CPU_FEATURES": ""} if "NUMBA_CPU_NAME" in MACHINES[machine] else {}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT],
        env=os.environ | environment | features | MACHINES[machine],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == GOLDEN

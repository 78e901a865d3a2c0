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
# What `golden.py` printed when the bits of the presets were frozen: number of spikes, SHA-256.
GOLDEN = {
    "default": {
        "lang-english_speaker-00_trial-0_digit-3": (
            "8246 e2e5f6f3aee43918b8c5d9c89cb9e577f834c38727da8b58ec65adfbab9baa7d"
        ),
        "lang-english_speaker-00_trial-0_digit-7": (
            "8058 ba339d69454ea81d1c64252a04cb81890dcb191c26069754f203809766376e0a"
        ),
        "lang-german_speaker-04_trial-0_digit-0": (
            "9297 8f126f7507e170b1fb906be4bd6d14fcaf6daa0ed383e1bb915e2bd9eb55e0a2"
        ),
        "lang-german_speaker-04_trial-0_digit-7": (
            "13692 e636cac7556d80327a3bedb01e19bea415393b473ec97306d9c176779f61ea01"
        ),
        "16 kHz": ("8309 fe29f26ff181ff4c3c847aa27fcc8144929c5d4b5ad172835306e79987fc7b79"),
        "long": ("77589 30262b26826de54df8bc62e66e5e866b23d848e81403d3e8c3f460865bdf2cbb"),
    },
    "published": {
        "lang-english_speaker-00_trial-0_digit-3": (
            "8167 e2f98d2d8bb5cdf17d91f404924e51df3167cea8352a509d1f40e6e1a64dc54e"
        ),
        "lang-english_speaker-00_trial-0_digit-7": (
            "7944 1fe0626cf624700cf92d5c8d6664c8875c39f3b5019fd98f82a3a84f4dfc9dfd"
        ),
        "lang-german_speaker-04_trial-0_digit-0": (
            "8844 76ed73e42bac17b01fff9bb8efe642ef2ec02d66e43f6eb36f29b3be9b9ded4d"
        ),
        "lang-german_speaker-04_trial-0_digit-7": (
            "13622 b37d18d38e13412505f0e8ad6f1194a23cc08c233ceac46365fab12b23491561"
        ),
        "16 kHz": ("8156 311db47f60136ed5a19657f9b8b12912fddf944cc27886ed57e5533c025ce79e"),
        "long": ("76611 bc7404e1b41866cfa5559b093e124df2b967fb207e10f629390b7380ae741aa5"),
    },
    "human": {
        "lang-english_speaker-00_trial-0_digit-3": (
            "31275 32d196277c92cce36d4e092bcdb0201592939e504f27aad13d36f18108e76438"
        ),
        "lang-english_speaker-00_trial-0_digit-7": (
            "34120 9d0a9f3d8ea52ed74f2db362f1a6afe995fe59da68e44619a1f8f82e17f9038a"
        ),
        "lang-german_speaker-04_trial-0_digit-0": (
            "33553 b5f0086423ecdb99676c875777953210146d62c3a83e16d27f648e8a0d299b1f"
        ),
        "lang-german_speaker-04_trial-0_digit-7": (
            "42581 47b52550702eda862ec79e5c7b735ff20986525d56e3e68ce93c6eca48f3ff0b"
        ),
        "16 kHz": ("29552 ef9fac04d1fa688c74740843a8df4a55aeb77673282af82d32dc03c1008e047b"),
        "long": ("282170 9d563e3cc7cbc3dc9d220213e1de312ed5cf73c4586f7744e7df6e05dd56670d"),
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

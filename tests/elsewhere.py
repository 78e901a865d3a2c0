"""Install a wheel as a user does, in a fresh environment far from any clone, and run the first commands.

`make package` runs this: `python tests/elsewhere.py WHEEL`. It prints how long each step took.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

_IN_OUR_WAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
# for each command, a file that must be there after it
_RECORDING = "{data}/lang-english_speaker-00_trial-0_digit-7.flac"
_COMMANDS = (
    (["doctor"], ""),
    (["demo", "--out", "my demo"], "my demo"),
    (["report", "my demo/digits.h5", "--audio", "{data}", "--out", "clips.html"], "clips.html"),
    (["report", "my demo/network", "--out", "run.html"], "run.html"),
    (["recognize", _RECORDING, "--network", "my demo/network"], ""),
    (["recognize", _RECORDING], ""),
)


def try_out(wheel: Path, constraints: Path, folder: Path) -> None:
    """Install a wheel with the extras of the demo into a folder, and use it there.

    Parameters
    ----------
    wheel : Path
        The wheel.
    constraints : Path
        For pip.
    folder : Path
        An empty folder.

    Raises
    ------
    subprocess.CalledProcessError
        If a step fails.
    FileNotFoundError
        If a command leaves no result.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _IN_OUR_WAY}
    environment["SPIKEDATA_CACHE"] = str(folder / "cache")
    scripts = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")

    def step(what: str, command: list[str]) -> None:
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True)
        print(f"== {what}: {time.perf_counter() - start:.0f} s", flush=True)

    venv.create(folder / "environment", with_pip=True)
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    step("installation", [*pip, "--constraint", str(constraints), f"{wheel}[torch,plot]"])
    where = "import pathlib, spikedata; print(pathlib.Path(spikedata.__file__).parent)"
    python = [str(scripts / "python"), "-c", where]
    found = subprocess.run(python, cwd=folder, env=environment, check=True, capture_output=True, encoding="utf-8")
    package = Path(found.stdout.strip())
    if not package.is_relative_to(folder):
        raise FileNotFoundError(f"spikedata must come from {folder}, came from {package}")
    for words, result in _COMMANDS:
        command = [word.format(data=package / "heidelberg_digits") for word in words]
        step(f"spikedata {' '.join(words)}", [str(scripts / "spikedata"), *command])
        if result and not (folder / result).exists():
            raise FileNotFoundError(f"spikedata {' '.join(words)}: left no {result}")


def main() -> None:
    """Parse, tell the size, try out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--constraint", type=Path, default=Path("constraints.txt"))
    options = parser.parse_args()
    with zipfile.ZipFile(options.wheel) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    size = options.wheel.stat().st_size
    print(f"== {options.wheel.name}: {size / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked", flush=True)
    with tempfile.TemporaryDirectory(prefix="far from any clone ") as folder:
        try_out(options.wheel.resolve(), options.constraint.resolve(), Path(folder).resolve())


if __name__ == "__main__":
    try:
        main()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"error: {error}")

"""Find eSpeak NG, as a library or as a program, and let it speak a text.

The library is reproducible byte for byte: `spikedata.synth.voice` speaks each clip in a new process with its own seed.
The program takes no seed. Version 1.51 is reproducible, with the same breath and noise in every take; later versions
seed themselves from the clock, unless their help lists ``-D``, which is then used.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from spikedata.synth import voice as synth_voice
from spikedata.synth.words import LANGUAGES

SECONDS_PER_TEXT = 60  # time limit [s]; a word takes 0.02 s
PACKAGE = "espeakng_loader"  # the Python package of the library and its data
PROGRAM = "espeak-ng"
WAV_HEADER = 44  # length of the program's WAV header [byte], which does not contain valid lengths


class EngineError(RuntimeError):
    """eSpeak NG is not installed, or failed to speak."""


class Engine(NamedTuple):
    """An installation of eSpeak NG.

    Attributes
    ----------
    kind : str
        "library" or "program".
    path : Path
        The shared library or the program.
    data : Path
        Its data folder, which contains the voices.
    """

    kind: str
    path: Path
    data: Path

    @property
    def variants(self) -> frozenset[str]:
        """Names of its voice variants; it silently ignores unknown ones."""
        return frozenset(file.name for file in (self.data / "voices" / "!v").iterdir())


class Speech(NamedTuple):
    """A text as spoken by an engine.

    Attributes
    ----------
    samples : ndarray of int16, shape (sample,)
        The waveform.
    sample_rate : int
        Sample rate of the engine [Hz].
    engine : str
        Version and kind of the engine.
    """

    samples: NDArray[np.int16]
    sample_rate: int
    engine: str


def find_engine(kind: str = "auto") -> Engine:
    """Find the installation of eSpeak NG on this machine.

    Parameters
    ----------
    kind : str
        "library" (package espeakng-loader), "program" (``espeak-ng``), or "auto": the library or else the program.

    Returns
    -------
    Engine
        The installation.

    Raises
    ------
    EngineError
        If eSpeak NG is not installed.
    ValueError
        If `kind` is unknown.
    """
    finders = {"library": (_find_library,), "program": (_find_program,), "auto": (_find_library, _find_program)}
    if kind not in finders:
        raise ValueError(f"engine must be one of {', '.join(finders)}, got {kind!r}")
    for find in finders[kind]:
        engine = find()
        if engine is not None and engine.path.is_file() and (engine.data / "voices" / "!v").is_dir():
            return engine
    remedies = {
        "library": "pip install 'spikedata-audio[synth]'",
        "program": "apt-get install espeak-ng (Debian, Ubuntu) or brew install espeak-ng (macOS)",
    }
    remedy = remedies.get(kind) or " or ".join(remedies.values())
    raise EngineError(f"no eSpeak NG {'' if kind == 'auto' else kind + ' '}to speak with; install it with {remedy}")


def speak(
    engine: Engine, text: str, *, language: str, voice: str, rate: int, pitch: int, pitch_range: int, seed: int
) -> Speech:
    """Speak one text. The same arguments give the same samples, regardless of what was spoken before.

    Parameters
    ----------
    engine : Engine
        From `find_engine`.
    text : str
        The text.
    language : str
        "english", "german" or another language's code in eSpeak NG.
    voice : str
        A voice variant, one of ``engine.variants``.
    rate : int
        Speed [words/min].
    pitch, pitch_range : int
        Pitch and pitch range of the voice, 0 to 99 [1].
    seed : int
        Seed of the engine's random numbers; the program does not use it.

    Returns
    -------
    Speech
        The waveform at the engine's sample rate; empty if the text has no sound.

    Raises
    ------
    EngineError
        If the engine does not know the language, or fails.
    """
    code = f"{LANGUAGES.get(language, language)}+{voice}"
    try:
        if engine.kind == "library":
            return _speak_by_library(engine, text, code, rate, pitch, pitch_range, seed)
        return _speak_by_program(engine, text, code, rate, pitch, pitch_range)
    except EngineError as error:
        raise EngineError(f"eSpeak NG cannot speak {text!r} in {language} with voice {voice}: {error}") from error


def _speak_by_library(
    engine: Engine, text: str, code: str, rate: int, pitch: int, pitch_range: int, seed: int
) -> Speech:
    voice = {"library": str(engine.path), "data": str(engine.data), "voice": code, "text": text}
    manner = {"rate": rate, "pitch": pitch, "pitch_range": pitch_range, "seed": seed}
    # -I and -S: only the standard library, regardless of the environment; it starts in 20 ms
    output = _run([sys.executable, "-I", "-S", str(Path(synth_voice.__file__)), json.dumps(voice | manner)])
    header, _, samples = output.partition(b"\n")
    about = json.loads(header)
    return Speech(np.frombuffer(samples, np.int16), about["sample_rate"], f"eSpeak NG {about['version']} (library)")


def _speak_by_program(engine: Engine, text: str, code: str, rate: int, pitch: int, pitch_range: int) -> Speech:
    version, options = _about_program(engine.path)
    # the pitch range is given as markup, since 1.51 has no option for it; 100 % corresponds to 50 of the library
    markup = f'<prosody range="{2 * pitch_range}%">{escape(text)}</prosody>'
    command = [str(engine.path), "-m", "-b", "1", "-v", code, "-s", str(rate), "-p", str(pitch), *options]
    wav = _run([*command, "--stdin", "--stdout"], markup.encode())
    if len(wav) < WAV_HEADER or wav[:4] != b"RIFF":
        raise EngineError("the program returned no WAV file")
    sample_rate = int.from_bytes(wav[24:28], "little")
    samples = wav[WAV_HEADER : len(wav) - len(wav) % 2]
    return Speech(np.frombuffer(samples, "<i2").astype(np.int16), sample_rate, f"eSpeak NG {version} (program)")


@lru_cache
def _about_program(path: Path) -> tuple[str, tuple[str, ...]]:
    version = re.search(r": (\d\S*)", _run([str(path), "--version"]).decode(errors="replace"))
    usage = _run([str(path), "--help"]).decode(errors="replace")
    repeatable = re.search(r"^-D\b[^\n]*\n?[^\n]*determin", usage, re.MULTILINE | re.IGNORECASE)
    return version[1] if version else "of unknown version", ("-D",) if repeatable else ()


def _find_library() -> Engine | None:
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    loader = importlib.import_module(PACKAGE)
    return Engine("library", Path(loader.get_library_path()), Path(loader.__file__ or "").parent / "espeak-ng-data")


def _find_program() -> Engine | None:
    path = shutil.which(PROGRAM)
    if path is None:
        return None
    data = re.search(r"Data at: (.+)", _run([path, "--version"]).decode())
    return Engine("program", Path(path), Path(data[1].strip())) if data else None


def _run(command: Sequence[str], stdin: bytes = b"") -> bytes:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=SECONDS_PER_TEXT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"{Path(command[0]).name}: {error}") from error
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise EngineError(reason[-1] if reason else f"{Path(command[0]).name} ended with status {done.returncode}")
    return done.stdout

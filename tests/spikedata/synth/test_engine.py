"""eSpeak NG as a program (a stand-in for it), and the ways in which an engine fails."""

import sys

import numpy as np
import pytest

from spikedata.synth import engine as synth_engine
from spikedata.synth.engine import EngineError, find_engine, speak

MANNER = {"language": "german", "voice": "f3", "rate": 150, "pitch": 50, "pitch_range": 60, "seed": 1}
# Starts as a shell script: the path of Python may have a space, which no #! line takes.
STAND_IN = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import pathlib, sys
folder = pathlib.Path(__file__).parent
if "--version" in sys.argv:
    print(f"eSpeak NG text-to-speech: 9.9  Data at: {{folder / 'data'}}")
elif "--help" in sys.argv:
    print("-D <nothing>\\n\\t   Be deterministic")
else:
    (folder / "asked").write_text(" ".join([*sys.argv[1:], sys.stdin.buffer.read().decode("utf-8")]), encoding="utf-8")
    if "xx+f3" in sys.argv:
        sys.exit("Error: no such voice")
    header = b"RIFF" + bytes(20) + (22050).to_bytes(4, "little") + bytes(16)
    sys.stdout.buffer.write(header + b"\\x01\\x00\\xff\\xff")
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "data" / "voices" / "!v").mkdir(parents=True)
    (tmp_path / "data" / "voices" / "!v" / "f3").touch()
    path = tmp_path / "espeak-ng"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setattr(synth_engine, "PROGRAM", str(path))
    return path


def test_the_program_is_asked_for_the_text_in_its_voice_and_manner(program):
    engine = find_engine("program")
    assert (engine.kind, engine.path, engine.variants) == ("program", program, {"f3"})
    speech = speak(engine, "fünf <b>", **MANNER)
    assert np.array_equal(speech.samples, [1, -1])
    assert (speech.sample_rate, speech.engine) == (22050, "eSpeak NG 9.9 (program)")
    asked = (program.parent / "asked").read_text(encoding="utf-8")
    assert asked == ('-m -b 1 -v de+f3 -s 150 -p 50 -D --stdin --stdout <prosody range="120%">fünf &lt;b&gt;</prosody>')


@pytest.mark.usefixtures("program")
def test_auto_takes_the_program_where_there_is_no_library(monkeypatch):
    monkeypatch.setattr(synth_engine, "PACKAGE", "no_such_package")
    assert find_engine().kind == "program"
    with pytest.raises(EngineError, match=r"^no eSpeak NG library to speak with; install it with pip install"):
        find_engine("library")


@pytest.mark.usefixtures("program")
def test_a_failing_program_is_one_line_that_names_text_and_voice():
    with pytest.raises(EngineError, match=r"cannot speak 'a' in xx with voice f3: Error: no such voice$"):
        speak(find_engine("program"), "a", **{**MANNER, "language": "xx"})


def test_a_library_that_cannot_be_loaded_is_one_line(tmp_path):
    library = tmp_path / "libespeak-ng.so"
    library.write_bytes(b"no library")
    engine = synth_engine.Engine("library", library, tmp_path)
    with pytest.raises(EngineError, match=r"cannot speak 'a' in german with voice f3: .*libespeak-ng\.so"):
        speak(engine, "a", **MANNER)


def test_an_engine_that_is_gone_is_one_line(tmp_path):
    engine = synth_engine.Engine("program", tmp_path / "espeak-ng", tmp_path)
    with pytest.raises(EngineError, match="No such file"):
        speak(engine, "a", **MANNER)

"""Speak one text with the eSpeak NG library, as a program of its own.

`spikedata.synth.engine` starts it by its path, once per clip: eSpeak NG keeps the phase of its pitch flutter and more
from one utterance to the next, and only a fresh process makes a clip independent of what was spoken before. It needs
nothing but the standard library, so that a start takes about 20 ms.

The first argument is a JSON object: the arguments of `speak`. To standard output go the version and the sample rate
[Hz] as one line of JSON, then the samples, 16 bit.
"""

import ctypes
import json
import sys

SYNCHRONOUS = 2  # these numbers are from espeak-ng/speak_lib.h
DO_NOT_EXIT = 0x8000  # report a missing data folder instead of ending the process
UTF8 = 1
RATE, PITCH, RANGE = 1, 3, 4
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def speak(
    *, library: str, data: str, voice: str, text: str, rate: int, pitch: int, pitch_range: int, seed: int
) -> tuple[str, int, bytes]:
    """Speak a text; call it once per process.

    Parameters
    ----------
    library, data : str
        Paths of the shared library and its data folder.
    voice : str
        Language and variant, such as "de+f3"; an unknown variant is ignored by the library, so check it before.
    text : str
        What is spoken.
    rate : int
        Speed [words/min].
    pitch, pitch_range : int
        Height of the voice and its movement, 0 to 99 [1].
    seed : int
        Start of the library's random numbers.

    Returns
    -------
    tuple of str, int, bytes
        Version of the library, sample rate [Hz], 16-bit samples in the machine's byte order.

    Raises
    ------
    OSError
        If the library or its data cannot be loaded.
    ValueError
        If the library does not know the language, or refuses to speak.
    """
    engine = ctypes.CDLL(library)
    for name in ("espeak_Info", "espeak_ng_SetRandSeed"):
        if not hasattr(engine, name):
            raise OSError(f"{library}: no function {name}; eSpeak NG 1.52 or later is needed")
    engine.espeak_Info.restype = ctypes.c_char_p
    sample_rate = engine.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DO_NOT_EXIT)
    if sample_rate <= 0:
        raise OSError(f"{data}: eSpeak NG cannot read its data there")
    samples = bytearray()

    def collect(block: int | None, n_samples: int, _events: int | None) -> int:
        if block and n_samples > 0:
            samples.extend(ctypes.string_at(block, 2 * n_samples))
        return 0  # go on

    callback = CALLBACK(collect)  # kept alive for as long as the engine may call it
    engine.espeak_SetSynthCallback(callback)
    if engine.espeak_SetVoiceByName(voice.encode()) != 0:
        raise ValueError(f"eSpeak NG has no language {voice.partition('+')[0]!r}")
    for parameter, value in ((RATE, rate), (PITCH, pitch), (RANGE, pitch_range)):
        engine.espeak_SetParameter(parameter, value, 0)
    engine.espeak_ng_SetRandSeed(ctypes.c_long(seed))  # initializing seeds it from the clock
    spoken = text.encode() + b"\0"
    if engine.espeak_Synth(spoken, ctypes.c_size_t(len(spoken)), 0, 1, 0, UTF8, None, None) != 0:
        raise ValueError(f"eSpeak NG cannot speak {text!r}")
    return engine.espeak_Info(None).decode(), sample_rate, bytes(samples)


def main() -> int:
    """Speak what the first argument asks for; return the exit status."""
    try:
        version, sample_rate, samples = speak(**json.loads(sys.argv[1]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    header = json.dumps({"version": version, "sample_rate": sample_rate})
    sys.stdout.buffer.write(header.encode() + b"\n" + samples)
    return 0


if __name__ == "__main__":
    sys.exit(main())

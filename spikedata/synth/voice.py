"""A program that speaks one text with the eSpeak NG library.

`spikedata.synth.engine` starts it by its path, once per clip. eSpeak NG keeps state, such as the phase of its pitch
flutter, from one utterance to the next; only a new process makes a clip independent of what was spoken before. The
program needs only the standard library, so that it starts in about 20 ms.

Its argument is a JSON object with the arguments of `speak`. Its output is the version and the sample rate [Hz] as one
line of JSON, followed by the 16-bit samples.
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
        Language and variant, such as "de+f3". The library ignores unknown variants, so check them before.
    text : str
        The text.
    rate : int
        Speed [words/min].
    pitch, pitch_range : int
        Pitch and pitch range of the voice, 0 to 99 [1].
    seed : int
        Seed of the library's random numbers.

    Returns
    -------
    tuple of str, int, bytes
        Version of the library, sample rate [Hz], 16-bit samples in the machine's byte order.

    Raises
    ------
    OSError
        If the library or its data cannot be loaded.
    ValueError
        If the library does not know the language, or fails to speak.
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
        return 0  # continue

    callback = CALLBACK(collect)  # a reference is kept as long as the engine may call it
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
    """Speak as the first argument requests, and return the exit status."""
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

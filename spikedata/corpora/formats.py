"""Which file names are those of recordings, and what decodes them.

The suffix decides only which files of a folder are listed; how a file is read, its content decides.
"""

from __future__ import annotations

import functools

# The suffixes under which people store what libsndfile reads, by the names that libsndfile gives its formats. Not
# among them: `.mat`, which hardly ever is sound, and `.raw`, which does not say its sample rate.
_SUFFIXES = {
    "AIFF": (".aiff", ".aif", ".aifc"),
    "AU": (".au", ".snd"),
    "FLAC": (".flac",),
    "IRCAM": (".sf", ".ircam"),
    "MAT4": (),
    "MAT5": (),
    "MP3": (".mp3", ".mp2", ".mpga"),
    "MPC2K": (".snd",),
    "NIST": (".sph", ".nist"),
    "OGG": (".ogg", ".oga", ".opus"),
    "PAF": (".paf", ".fap"),
    "RAW": (),
    "RF64": (".rf64", ".bw64"),
    "SVX": (".svx", ".8svx", ".16sv", ".iff"),
    "WAV": (".wav", ".wave", ".bwf"),
    "WAVEX": (),
}

DECODED_BY_PYAV = frozenset(
    (
        *(".m4a", ".m4b", ".m4r", ".mp4", ".mov", ".3gp", ".3g2", ".3ga", ".aac", ".adts"),
        *(".webm", ".weba", ".mka", ".mkv", ".wma", ".asf", ".amr", ".awb", ".spx", ".ogx"),
        *(".ac3", ".eac3", ".dts", ".ape", ".wv", ".tta", ".tak", ".mpc", ".ra", ".gsm", ".g722", ".dsf", ".dff"),
    )
)
"""Suffixes of recordings that PyAV (the extra `formats`) decodes and libsndfile does not: lower case, with the dot."""


@functools.cache
def readable_suffixes() -> frozenset[str]:
    """The suffixes of the recordings that are read without any extra: lower case, with the dot.

    Returns
    -------
    frozenset of str
        They depend on the libsndfile that is installed: older ones read no MP3.
    """
    import soundfile  # imported here, since it loads a shared library

    found = (_SUFFIXES.get(name, (f".{name.lower()}",)) for name in soundfile.available_formats())
    return frozenset(suffix for suffixes in found for suffix in suffixes)


def is_sound(name: str) -> bool:
    """Whether a file bears the name of a recording, readable here or not.

    Parameters
    ----------
    name : str
        The file's name or path; upper case is taken for lower case.

    Examples
    --------
    >>> is_sound("dog/a.WAV"), is_sound("dog/b.m4a"), is_sound("dog/wav")
    (True, True, False)
    """
    _, dot, end = name.lower().rpartition(".")
    suffix = dot + end
    return suffix in readable_suffixes() or suffix in DECODED_BY_PYAV

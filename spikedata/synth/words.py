"""Word lists: the built-in ones, or a text file with one word per line.

A line of a file is a word, spoken in English, or ``key<TAB>text<TAB>language``: the class name, the spoken text, and
optionally the language ("english", "german" or a code of eSpeak NG such as "fr").
"""

import re
from pathlib import Path
from typing import NamedTuple

LANGUAGES = {"english": "en-us", "german": "de"}  # codes of eSpeak NG; other codes are used as they are


class Word(NamedTuple):
    """One class of a word list.

    Attributes
    ----------
    key : str
        Class name in ASCII; used in file names.
    text : str
        Spoken text.
    language : str
        "english", "german" or another language's code in eSpeak NG.
    label : int
        Number of the class, from 0.
    """

    key: str
    text: str
    language: str
    label: int


ENGLISH_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GERMAN_DIGITS = ("null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
COMMANDS = (
    *("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", *ENGLISH_DIGITS),
    *("bed", "bird", "cat", "dog", "happy", "house", "marvin", "sheila", "tree", "wow"),
    *("backward", "forward", "follow", "learn", "visual"),
)
WORD_LISTS = {
    "shd": tuple(  # the classes of Heidelberg Digits: English 0 to 9, German 10 to 19, names in ASCII
        Word(text.replace("ü", "ue"), text, "english" if label < 10 else "german", label)
        for label, text in enumerate(ENGLISH_DIGITS + GERMAN_DIGITS)
    ),
    "ssc": tuple(Word(text, text, "english", label) for label, text in enumerate(COMMANDS)),  # Speech Commands' classes
}


def read_words(name: str | Path) -> tuple[Word, ...]:
    """The word list of a name, "shd" or "ssc", or of a text file.

    Parameters
    ----------
    name : str or Path
        Name of a built-in list, or path of a UTF-8 text file; empty lines and lines that start with ``#`` are skipped.

    Returns
    -------
    tuple of Word
        Labels count up from 0 in the order of the list.

    Raises
    ------
    ValueError
        If there is no list or file of that name, or the file has no words, the same key twice, or a key that cannot be
        the name of a folder.

    Examples
    --------
    >>> read_words("shd")[15]
    Word(key='fuenf', text='fünf', language='german', label=15)
    """
    if str(name) in WORD_LISTS:
        return WORD_LISTS[str(name)]
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"no word list {str(name)!r}: neither {' nor '.join(WORD_LISTS)} nor a text file")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text (byte {error.start})") from error
    words: list[Word] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        word = _parse_line(line, label=len(words), place=f"{path}:{number}")
        if any(word.key.lower() == other.key.lower() for other in words):  # some file systems ignore case
            raise ValueError(f"{path}:{number}: the key {word.key!r} occurs twice")
        words.append(word)
    if not words:
        raise ValueError(f"{path}: must have at least one word")
    return tuple(words)


def _parse_line(line: str, *, label: int, place: str) -> Word:
    fields = [field.strip() for field in line.split("\t")]
    if len(fields) > 3 or not all(fields):
        raise ValueError(f"{place}: must be a word or key<TAB>text<TAB>language, got {line!r}")
    key, text, language = [*fields, *(fields[0], "english")[len(fields) - 1 :]]
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key):
        raise ValueError(
            f"{place}: a key must be 1 to 64 of A-Z a-z 0-9 _ -, got {key!r}; write key<TAB>text<TAB>language"
        )
    if not re.fullmatch(r"[A-Za-z0-9-]{1,32}", language):
        raise ValueError(f"{place}: a language must be a name or code such as english, german or fr, got {language!r}")
    return Word(key, text, language, label)

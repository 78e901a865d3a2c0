"""What to speak: the built-in word lists, or a text file with a word on each line.

A line of a file is one word, spoken in English, or ``key<TAB>text<TAB>language``: the name of the class, what is
spoken, and the language (optional; "english", "german" or a code of eSpeak NG such as "fr").
"""

import re
from pathlib import Path
from typing import NamedTuple

LANGUAGES = {"english": "en-us", "german": "de"}  # eSpeak NG's codes; any other of them stands for itself


class Word(NamedTuple):
    """One class of a word list.

    Attributes
    ----------
    key : str
        Name of the class, ASCII; file names are made of it.
    text : str
        What is spoken.
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
    """Get a word list by its name, "shd" or "ssc", or from a text file.

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
        If there is neither such a list nor such a file, or the file has no word, a key twice, or a key that cannot be a
        folder's name.

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
            raise ValueError(f"{path}:{number}: the key {word.key!r} stands twice")
        words.append(word)
    if not words:
        raise ValueError(f"{path}: no word in it")
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

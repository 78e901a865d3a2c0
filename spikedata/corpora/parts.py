"""The words by which data sets call their parts, and what each means here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

PARTS = ("train", "validation", "test")

_PART_OF = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",  # of three parts train, dev, eval it is what is scored once
    "evaluation": "test",
}
_BEHIND = re.compile(r"[ _-]?(set|data|split)$")  # as in train_set and TestData


def find_parts(words: Iterable[str]) -> dict[str, str]:
    """The part that each word means: train, validation or test. Words that mean none are left out.

    Words may be in either case, and end with set, data or split. ``eval`` is the test part, or the validation part if
    another word means the test part.

    Parameters
    ----------
    words : iterable of str
        The names of folders, files or values.

    Examples
    --------
    >>> find_parts(["train", "dev", "eval", "docs"])
    {'train': 'train', 'dev': 'validation', 'eval': 'test'}
    >>> find_parts(["Test", "eval"])
    {'Test': 'test', 'eval': 'validation'}
    """
    part_of = {word: part for word in words if (part := _PART_OF.get(_BEHIND.sub("", word.casefold())))}
    doubtful = {word for word in part_of if word.casefold().startswith("eval")}
    if any(part == "test" for word, part in part_of.items() if word not in doubtful):
        part_of |= dict.fromkeys(doubtful, "validation")
    return {word: part_of[word] for word in part_of}


def describe_parts(part_of: Mapping[str, str]) -> str:
    """The words and, where they differ, the parts that they mean.

    Parameters
    ----------
    part_of : dict of str to str
        Parts by word, from `find_parts`.

    Examples
    --------
    >>> describe_parts({"train": "train", "dev": "validation"})
    "'train', 'dev' (validation)"
    """
    return ", ".join(repr(word) + (f" ({part})" if part != word else "") for word, part in part_of.items())

"""Word lists, built in and from files."""

import pytest

from spikedata.synth.words import read_words


def test_german_digits_follow_the_english_ones_with_names_in_ascii():
    words = read_words("shd")
    assert [word.label for word in words] == list(range(20))
    assert [word.key for word in words if not word.key.isascii()] == []
    assert (words[9].key, words[9].language) == ("nine", "english")
    assert (words[15].key, words[15].text, words[15].language) == ("fuenf", "fünf", "german")


def test_the_command_words_are_35_that_differ():
    words = read_words("ssc")
    assert len({word.key for word in words}) == len(words) == 35


def test_a_file_gives_words_and_keys_with_texts_and_languages(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("# colors\nred\n\ngruen\tgrün\tgerman\nsky\tsky blue\n", encoding="utf-8")
    assert read_words(path) == (
        ("red", "red", "english", 0),
        ("gruen", "grün", "german", 1),
        ("sky", "sky blue", "english", 2),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("grün\n", r"words\.txt:1: a key must be .*, got 'grün'; write key<TAB>text"),
        ("a\n../a\ta\n", r"words\.txt:2: a key must be"),
        ("a\ta\ten+f3\n", r"words\.txt:1: a language must be"),
        ("a\t\tenglish\n", r"words\.txt:1: must be a word or key"),
        ("a\nb\nA\n", r"words\.txt:3: the key 'A' occurs twice"),
        ("\n# nothing\n", r"words\.txt: must have at least one word"),
    ],
)
def test_a_bad_line_is_named_with_its_number(content, message, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_words(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes(b"abc\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        read_words(path)

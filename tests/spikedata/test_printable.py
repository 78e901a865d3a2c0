import pytest

from spikedata.printable import in_columns, printable, width


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\r", "\u2028", "\u202e", "\udce6"])
def test_what_steers_a_terminal_is_escaped(char: str) -> None:
    shown = printable(f"数{char}b")
    assert shown.isprintable()
    assert shown.startswith("数\\")
    assert shown.endswith("b")


@pytest.mark.parametrize("text", ["", "seven", "fünf", "数据", "क्षि", "🎧", "👩\u200d🔬", "עברית", "a\\b"])
def test_what_is_read_stays(text: str) -> None:
    assert printable(text) == text


def test_line_breaks_stay_where_they_are_meant() -> None:
    assert printable("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_columns_stand_below_each_other_whatever_is_in_them() -> None:
    lines = in_columns([("数据", "1", "x"), ("fu\u0308nf", "22", "y"), ("a\x1b", "333")], to_the_right=True)
    assert lines == ["数据     1  x", "fu\u0308nf    22  y", "a\\x1b  333"]
    assert {width(line[: line.index(end)]) for line, end in zip(lines, ("  x", "  y"), strict=False)} == {10}

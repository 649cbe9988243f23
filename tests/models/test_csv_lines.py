"""Lines of a CSV: a quoted line break is part of its line, and a quote that is never closed spoils no other."""

import pytest

from models import csv_lines
from models.csv_lines import LINE_BYTES_MAX, InvalidLine, NotUtf8, cells


def lines(text: str) -> list[str]:
    return [line.decode() for line in csv_lines.lines(iter(text.encode().split(b"\n")))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\nc,d\n", ["a,b", "c,d"]),
        ('a,"b\nc",d\ne\n', ['a,"b\nc",d', "e"]),
        ('a,"b\r\n\r\nc"\r\ne\r\n', ['a,"b\r\n\r\nc"\r', "e\r"]),
        ('"a ""b""\n""c"""\nd', ['"a ""b""\n""c"""', "d"]),
        ('a\n\n \t\r\n,,\n"",\n\u00e9\n', ["a", "\u00e9"]),
        ('5" disk,1\nb,2\n', ['5" disk,1', "b,2"]),
        ('a,"never\nb,2\nc,3', ['a,"never', "b,2", "c,3"]),
        ('a,"never\n"Smith, J",2\nc,"3\n4"', ['a,"never', '"Smith, J",2', 'c,"3\n4"']),
        (f'a,"never\n{"x" * LINE_BYTES_MAX}\nb"\nc', ['a,"never', "x" * LINE_BYTES_MAX, 'b"', "c"]),
    ],
)
def test_what_a_line_is(text: str, expected: list[str]) -> None:
    assert lines(text) == expected


@pytest.mark.parametrize("text", ['a,"never', '"a"b', "a\rb"])
def test_what_is_no_line(text: str) -> None:
    with pytest.raises(InvalidLine):
        cells(text.encode())


def test_what_is_not_utf_8_is_no_csv() -> None:
    with pytest.raises(NotUtf8):
        cells("é".encode("latin-1"))

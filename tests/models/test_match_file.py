"""Files of matches: what is read, what is refused line by line, and what is refused as a whole."""

import json

import pytest

from models import match_file
from models.match_file import InvalidMatchFile, UnreadMatch, WantedMatch

ID = "01a1fe48-6419-72a0-a4e7-03c55af15b65"
GOOD = WantedMatch(1, 3, ID, "Paid by hand")
OBJECT = {"line": 3, "payment": ID, "reason": "Paid by hand"}


def lines(*texts: str | bytes) -> bytes:
    return b"\n".join(text if isinstance(text, bytes) else text.encode() for text in texts)


@pytest.mark.parametrize(
    "data",
    [
        lines("line,payment,reason", f"3,{ID},Paid by hand"),
        lines("\ufeffreason, payment ,line\r", f'"Paid by hand"," {ID} ",\t3\r', "", ",,"),
    ],
)
def test_csv_in_any_order_is_read(data: bytes) -> None:
    assert match_file.parse(data, is_csv=True) == [GOOD]


def test_json_lines_are_read() -> None:
    data = lines("", f"\ufeff{json.dumps(OBJECT)}\r".removeprefix("\ufeff"), "  ", json.dumps(OBJECT))
    assert match_file.parse(data, is_csv=False) == [GOOD, GOOD._replace(number=2)]


@pytest.mark.parametrize(
    ("row", "member", "code"),
    [
        (f"0,{ID},x", "line", "invalid_value"),
        (f"03,{ID},x", "line", "invalid_value"),
        (f"1e1,{ID},x", "line", "invalid_value"),
        (f"1000000,{ID},x", "line", "invalid_value"),
        (f"\u0663,{ID},x", "line", "invalid_value"),
        (f"3,{ID.upper()},x", "payment", "invalid_value"),
        (f"3,{ID[:-1]},x", "payment", "invalid_value"),
        (f"3,{ID},", "reason", "invalid_value"),
        (f"3,{ID},{'x' * 501}", "reason", "text_too_long"),
        (f"3,{ID},a\u202eb", "reason", "text_invalid"),
        (f'3,{ID},"a\nb"', "reason", "text_invalid"),
        (f"3,{ID}", "", "invalid_value"),
        (f'3,{ID},"a"b', "", "malformed_csv"),
        (f"3,{ID},{'x' * 5000}", "", "text_too_long"),
    ],
)
def test_line_of_csv_is_refused_by_itself(row: str, member: str, code: str) -> None:
    first, second = match_file.parse(lines("line,payment,reason", row, f"3,{ID},Paid by hand"), is_csv=True)
    assert isinstance(first, UnreadMatch)
    assert (first.number, first.member, first.code) == (1, member, code)
    assert second == GOOD._replace(number=2)


@pytest.mark.parametrize(
    ("text", "member", "code"),
    [
        ("x", "", "malformed_json"),
        ("[" * 4000, "", "malformed_json"),
        ("[]", "", "invalid_type"),
        ("1" * 4000, "", "invalid_type"),
        ('{"line": 1, "line": 2}', "", "json_duplicate_key"),
        (json.dumps({**OBJECT, "note": "x"}), "", "unknown_field"),
        (json.dumps({"line": 3, "reason": "x"}), "payment", "required"),
        *(
            (json.dumps({**OBJECT, "line": value}), "line", "invalid_value")
            for value in ("3", 3.0, True, None, 0, -1, 10**9, float("nan"))
        ),
        *((json.dumps({**OBJECT, "payment": value}), "payment", "invalid_value") for value in (None, 1, "x", [ID])),
        *((json.dumps({**OBJECT, "reason": value}), "reason", "invalid_type") for value in (None, 1, {})),
        (json.dumps({**OBJECT, "reason": "a\0b"}), "reason", "text_invalid"),
        (json.dumps({**OBJECT, "reason": "\ud800"}), "reason", "text_invalid"),
    ],
)
def test_line_of_json_is_refused_by_itself(text: str, member: str, code: str) -> None:
    first, second = match_file.parse(lines(text, json.dumps(OBJECT)), is_csv=False)
    assert isinstance(first, UnreadMatch)
    assert (first.number, first.member, first.code) == (1, member, code)
    assert second == GOOD._replace(number=2)


@pytest.mark.parametrize(
    ("data", "is_csv", "code", "pointer"),
    [
        (b"", True, "invalid_value", "/header"),
        (b"line,payment\n", True, "invalid_value", "/header"),
        (b"line,line,reason\n", True, "invalid_value", "/header"),
        (b"line,payment,reason\n", True, "required", "/lines"),
        (b"line,payment,reason\n\xff,x,y", True, "malformed_csv", None),
        (b"\xff\xfel", True, "malformed_csv", None),
        (b"", False, "required", "/lines"),
        (b"\xff\xfe{}", False, "malformed_json", None),
        (b"{}\n" * (match_file.LINES_MAX + 1), False, "invalid_value", "/lines"),
    ],
)
def test_file_is_refused_as_a_whole(data: bytes, is_csv: bool, code: str, pointer: str | None) -> None:
    with pytest.raises(InvalidMatchFile) as refused:
        match_file.parse(data, is_csv=is_csv)
    assert (refused.value.code, refused.value.pointer) == (code, pointer)

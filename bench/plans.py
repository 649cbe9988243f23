"""What the queries of a page read: the plans that PostgreSQL logs of each statement that the gateway sends."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from sqlalchemy import NullPool, create_engine, text

import settings
from bench.stack import Stack
from embedded.postgres import SUPERUSER, Postgres

LOGGED = {
    "session_preload_libraries": "auto_explain",
    "log_line_prefix": "%u ",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
}
"""Settings of the server while plans are logged; sessions that begin then have them."""

ENTRY = re.compile(rf"^{settings.GATEWAY_ROLE} LOG:  duration: \S+ ms  plan:\n((?:\t.*\n)+)", re.MULTILINE)
PARTITION = re.compile(r"(?P<table>payments|operations)_(?P<month>\d{4}_\d\d)")


class Scan(NamedTuple):
    """A scan of a table: the rows that it looked at, and its index, if it used one."""

    relation: str
    index: str | None
    rows: int

    @property
    def month(self) -> str | None:
        """The month of a partition, such as 2026_11; None of a table that has no partitions."""
        found = PARTITION.fullmatch(self.relation)
        return found["month"] if found else None


class PlanLog:
    """The log of a server; `new` are the scans logged since it was last asked."""

    def __init__(self, running: Stack) -> None:
        self._path = running.home.log("postgres")
        self._position = self._path.stat().st_size

    def new(self) -> list[Scan]:
        """The scans of the plans that were logged meanwhile."""
        with self._path.open("rb") as file:
            file.seek(self._position)
            text = file.read()
        self._position += len(text)
        return [scan for plan in ENTRY.findall(text.decode()) for scan in scans(json.loads(plan)["Plan"])]


def scans(node: dict[str, Any]) -> Iterator[Scan]:
    """The scans of a plan that were executed."""
    loops = node.get("Actual Loops", 0)
    if loops and "Relation Name" in node:
        removed = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
        rows = round((node["Actual Rows"] + removed) * loops)
        yield Scan(node["Relation Name"], node.get("Index Name") or _bitmap_index(node), rows)
    for child in node.get("Plans", ()):
        yield from scans(child)


def _bitmap_index(node: dict[str, Any]) -> str | None:
    """The index of a bitmap heap scan, or of the first of its parts."""
    for child in node.get("Plans", ()):
        if found := child.get("Index Name") or _bitmap_index(child):
            return str(found)
    return None


@contextmanager
def logged(running: Stack) -> Iterator[PlanLog]:
    """Let the gateway's statements be logged with their plans; ends with the block."""
    superuser = cast(Postgres, running.postgres).url(role=SUPERUSER)
    engine = create_engine(superuser, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text("LOAD 'auto_explain'"))
            for name, value in LOGGED.items():
                connection.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
            connection.execute(text("SELECT pg_reload_conf()"))
        running.restart_gateway()
        yield PlanLog(running)
    finally:
        with engine.connect() as connection:
            connection.execute(text("LOAD 'auto_explain'"))
            for name in LOGGED:
                connection.execute(text(f"ALTER SYSTEM RESET {name}"))
            connection.execute(text("SELECT pg_reload_conf()"))
        running.restart_gateway()

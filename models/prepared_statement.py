"""Statements that a line to the database plans once in a while: planning the hottest costs more than running them."""

import re
import time
from typing import Any

from sqlalchemy import Connection, CursorResult

PLAN_SECONDS_MIN, PLAN_SECONDS_MAX = 1.0, 60.0
"""How long a line keeps its plans, twice as long each time: those made while a table was empty do not stay."""

_PARAMETER = re.compile(r"%\((\w+)\)s")


class PreparedStatement:
    """A statement with parameters as `%(name)s`, planned at its first run on each line to the database.

    One plan serves whatever the parameters are, by the roles' plan_cache_mode; partitions are pruned when it runs.
    `name` is this statement's alone in the whole program.
    """

    def __init__(self, name: str, text: str) -> None:
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        numbered = _PARAMETER.sub(lambda found: f"${names.index(found[1]) + 1}", text)
        self.name = name
        self._prepare = f"PREPARE {name} AS {numbered}"
        self._execute = f"EXECUTE {name}" + (f" ({', '.join(f'%({each})s' for each in names)})" if names else "")

    def run(self, connection: Connection, **parameters: object) -> CursorResult[*tuple[Any, ...]]:
        """Execute it; a line that was lost is a new one here, too."""
        line = connection.info.get("prepared")
        if line is None:
            line = connection.info["prepared"] = _PreparedConnection()
        if time.monotonic() >= line.replan_at:
            connection.exec_driver_sql("DISCARD PLANS")
            line.keep_longer()
        if self.name not in line.names:
            connection.exec_driver_sql(self._prepare)
            line.names.add(self.name)
        return connection.exec_driver_sql(self._execute, parameters)


class _PreparedConnection:
    """What a line has prepared, and until when it keeps the plans."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.kept_seconds = PLAN_SECONDS_MIN
        self.replan_at = time.monotonic() + self.kept_seconds

    def keep_longer(self) -> None:
        self.kept_seconds = min(self.kept_seconds * 2, PLAN_SECONDS_MAX)
        self.replan_at = time.monotonic() + self.kept_seconds

"""Prepared statements, planned again once in a while: planning the most frequent ones costs more than running them."""

import re
import time
from typing import Any

from sqlalchemy import Connection, CursorResult

PLAN_SECONDS_MIN, PLAN_SECONDS_MAX = 1.0, 60.0
"""Lifetime of a connection's plans, doubled each time: plans made while a table was empty are soon replaced."""

_PARAMETER = re.compile(r"%\((\w+)\)s")


class PreparedStatement:
    """A statement with parameters as `%(name)s`, prepared at its first run on each connection.

    One plan serves all parameters, by the roles' plan_cache_mode; partitions are pruned when it runs. `name` is unique
    in the whole program.
    """

    def __init__(self, name: str, text: str) -> None:
        names = list(dict.fromkeys(_PARAMETER.findall(text)))
        numbered = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", text)
        self.name = name
        self._prepare = f"PREPARE {name} AS {numbered}"
        self._execute = f"EXECUTE {name}" + (f" ({', '.join(f'%({each})s' for each in names)})" if names else "")

    def run(self, connection: Connection, **parameters: object) -> CursorResult[*tuple[Any, ...]]:
        """Execute it, and prepare it first on a new connection."""
        prepared = connection.info.get("prepared")
        if prepared is None:
            prepared = connection.info["prepared"] = _PreparedConnection()
        if time.monotonic() >= prepared.replan_at:
            connection.exec_driver_sql("DISCARD PLANS")
            prepared.keep_longer()
        if self.name not in prepared.names:
            connection.exec_driver_sql(self._prepare)
            prepared.names.add(self.name)
        return connection.exec_driver_sql(self._execute, parameters)


class _PreparedConnection:
    """Statements prepared on a connection, and the time at which their plans expire."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.kept_seconds = PLAN_SECONDS_MIN
        self.replan_at = time.monotonic() + self.kept_seconds

    def keep_longer(self) -> None:
        self.kept_seconds = min(self.kept_seconds * 2, PLAN_SECONDS_MAX)
        self.replan_at = time.monotonic() + self.kept_seconds

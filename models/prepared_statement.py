"""Prepared statements, planned again once in a while: planning the most frequent ones costs more than running them."""

import re
import time
from collections import namedtuple
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from models.session import KEEPS_PLANS, driver_cursor

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
        self.text = re.sub(r"%(?!\(\w+\)s)", "%%", text)

    def run(self, connection: Connection, **parameters: object) -> "Rows":
        """Execute it, and prepare it first on a new connection; plan it each time if its engine keeps no plans.

        Without SQLAlchemy, whose results cost more than most of these statements: only its errors are used.
        """
        if not connection.info.get(KEEPS_PLANS, True):
            return self._rows(connection, self.text, parameters)
        prepared = connection.info.get("prepared")
        if prepared is None:
            prepared = connection.info["prepared"] = _PreparedConnection()
        if time.monotonic() >= prepared.replan_at:
            connection.exec_driver_sql("DISCARD PLANS")
            prepared.keep_longer()
        if self.name not in prepared.names:
            connection.exec_driver_sql(self._prepare)
            prepared.names.add(self.name)
        return self._rows(connection, self._execute, parameters)

    @staticmethod
    def _rows(connection: Connection, statement: str, parameters: dict[str, object]) -> "Rows":
        cursor = driver_cursor(connection)
        try:
            cursor.execute(statement, parameters)
            return Rows(cursor)
        except BaseException as error:
            connection._handle_dbapi_exception(error, statement, parameters, cursor, None)
        finally:
            cursor.close()


class Rows(list[Any]):
    """The rows of a statement as named tuples, and the names of their columns."""

    def __init__(self, cursor: Any) -> None:
        self._columns = tuple(column.name for column in cursor.description or ())
        super().__init__(map(_row_type(self._columns)._make, cursor.fetchall()) if self._columns else ())

    def keys(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._columns

    def one(self) -> Any:
        """The only row."""
        [row] = self
        return row

    def scalar_one(self) -> Any:
        """The only value of the only row."""
        [value] = self.one()
        return value


@lru_cache
def _row_type(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)


class _PreparedConnection:
    """Statements prepared on a connection, and the time at which their plans expire."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.kept_seconds = PLAN_SECONDS_MIN
        self.replan_at = time.monotonic() + self.kept_seconds

    def keep_longer(self) -> None:
        self.kept_seconds = min(self.kept_seconds * 2, PLAN_SECONDS_MAX)
        self.replan_at = time.monotonic() + self.kept_seconds

"""Partitions of payments and operations, a month each, made ahead."""

from sqlalchemy import Connection


def ensure(connection: Connection) -> int:
    """Make those missing from last month to three months ahead; returns how many were made."""
    return connection.exec_driver_sql("SELECT ensure_partitions()").scalar_one()

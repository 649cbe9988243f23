"""What a payment costs: CPU by part, and WAL, whose records do not depend on what else the machine does."""

from collections.abc import Mapping
from typing import Self

from sqlalchemy import text

from bench.report import ratio
from bench.stack import Product


class Meter:
    """What a product uses from entering the block until `stop`; a replication slot keeps the WAL of that time."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.used: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._connection = self.product.superuser_engine().connect()
        self._connection.execute(EXTENSION)
        self._connection.execute(KEEP_WAL)
        self._begun = self._connection.scalar(POSITION)
        self._cpu_begun = self.product.cpu_seconds()
        return self

    def stop(self) -> None:
        """End the measurement: what follows in the block is not counted."""
        cpu = self.product.cpu_seconds()
        self.used = {f"cpu_{part}": (cpu[part] - seconds) * 1_000_000 for part, seconds in self._cpu_begun.items()}
        ended = self._connection.scalar(POSITION)
        if ended != self._begun:
            self.used |= self._connection.execute(WAL, {"begun": self._begun, "ended": ended}).mappings().one()

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def per(self, payments: int, others: Mapping[str, float] | None = None) -> dict[str, float]:
        """The figures of one payment: CPU us of each part, and of `others`, which used so many seconds; WAL."""
        more = {f"cpu_{part}": seconds * 1_000_000 for part, seconds in (others or {}).items()}
        return {name: ratio(value, payments) for name, value in (self.used | more).items()}


EXTENSION = text("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
KEEP_WAL = text("SELECT pg_create_physical_replication_slot('bench_' || pg_backend_pid(), true, true)")
POSITION = text("SELECT pg_current_wal_flush_lsn()::text")
# An index entry is a record of its own, or comes with the split of a full page.
WAL = text("""
    SELECT sum(record_size + fpi_size)::float AS wal_bytes,
           sum(count)::float AS wal_records,
           (SELECT count(*)::float FROM pg_get_wal_block_info(CAST(:begun AS pg_lsn), CAST(:ended AS pg_lsn), false)
            WHERE block_fpi_length > 0) AS wal_images,
           coalesce(sum(count) FILTER (WHERE "resource_manager/record_type" IN (
               'Btree/INSERT_LEAF', 'Btree/INSERT_POST', 'Btree/SPLIT_L', 'Btree/SPLIT_R')), 0)::float
               AS index_insertions
    FROM pg_get_wal_stats(CAST(:begun AS pg_lsn), CAST(:ended AS pg_lsn), true)
""")

"""A database for tests of posting: what payments, accounts and events say, and how posting is made to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import Connection, make_url

from models import event, invariants
from models.session import Engine, open_engine, transaction
from tests.builders import Builder
from tests.support import Database
from workers.posting.poster import Poster


class Kept(NamedTuple):
    """The payment's row."""

    state: str
    failure_code: str | None
    attempts: int
    due_in_seconds: float
    last_error: str | None
    is_parked: bool


class Books(Builder):
    """One migrated database with an engine per role, disposed of at the end."""

    def __init__(self, database: Database, superuser_url: str) -> None:
        self.database = database
        self.opened: list[Engine] = []
        super().__init__(*map(self.open, (database.owner, database.worker, database.gateway)))
        self.superuser = self.open(superuser_url)

    def close(self) -> None:
        for engine in self.opened:
            engine.dispose()

    def impatient_worker(self, **parameters: str) -> Engine:
        """The worker's role with session settings of its own (`lock_timeout="100ms"`), for tests that wait for one."""
        url = make_url(self.database.worker)
        options = " ".join(f"-c {name}={value}" for name, value in parameters.items())
        return self.open(url.update_query_dict({"options": options}).render_as_string(hide_password=False))

    def open(self, url: str) -> Engine:
        """An engine, disposed of with the books."""
        self.opened.append(open_engine(url, application="payments-test"))
        return self.opened[-1]

    def transfers(self, count: int) -> list[str]:
        """The ids of transfers of 1.00 out of one wallet, in the order in which they were accepted."""
        client, source = self.client(count * 1_00)
        _, target = self.client()
        return [self.transfer(client, source, target, 1_00) for _ in range(count)]

    def poster(self, engine: Engine | None = None, *, deposits_open: bool = False) -> Poster:
        """A poster that does not linger."""
        return Poster(engine or self.worker, deposits_open=deposits_open, linger_seconds=0)

    @contextmanager
    def as_owner(self) -> Iterator[Connection]:
        """A committed transaction of the owner, who may do what the triggers allow."""
        with transaction(self.owner) as connection:
            yield connection

    def kept(self, payment_id: str) -> Kept:
        with transaction(self.worker) as connection:
            row = connection.exec_driver_sql(
                "SELECT state, failure_code, attempts, extract(epoch FROM due_at - now())::float, last_error,"
                " parked_at IS NOT NULL FROM payments WHERE id = %s",
                (payment_id,),
            ).one()
        return Kept(*row)

    def outcomes(self, payment_ids: list[str]) -> list[str]:
        """State or failure code of each, in their order."""
        return [kept.failure_code or kept.state for kept in map(self.kept, payment_ids)]

    def held(self, account_id: str) -> int:
        with transaction(self.worker) as connection:
            held = connection.exec_driver_sql("SELECT held FROM accounts WHERE id = %s", (account_id,))
            return int(held.scalar_one())

    def decided(self, account_id: str) -> list[str]:
        """The payments that moved the account's money, in the order in which they did."""
        with transaction(self.worker) as connection:
            rows = connection.exec_driver_sql(
                "SELECT payment_id::text FROM operations WHERE account_id = %s ORDER BY account_seq", (account_id,)
            )
            return [row[0] for row in rows]

    def events(self, payment_id: str) -> list[str]:
        with transaction(self.worker) as connection:
            return [row.name for row in event.of_subjects(connection, [payment_id])]

    def violations(self) -> list[str]:
        with transaction(self.owner) as connection:
            return invariants.violations(connection)

    def make_due(self, payment_id: str) -> None:
        """As if the wait before the next attempt were over."""
        with self.as_owner() as connection:
            connection.exec_driver_sql("UPDATE payments SET due_at = now() WHERE id = %s", (payment_id,))

    @contextmanager
    def without_partition(self) -> Iterator[None]:
        """As if this month's partition of operations did not exist."""
        with self.as_owner() as connection:
            month, bounds = connection.exec_driver_sql(
                "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class"
                " WHERE relname = 'operations' || to_char(now() AT TIME ZONE 'UTC', '_YYYY_MM')"
            ).one()
            connection.exec_driver_sql(f"ALTER TABLE operations DETACH PARTITION {month}")
        try:
            yield
        finally:
            with self.as_owner() as connection:
                connection.exec_driver_sql(f"ALTER TABLE operations ATTACH PARTITION {month} {bounds}")

    def poison(self, payment_id: str, venom: str = "RAISE EXCEPTION 'poison'") -> None:
        """From now on the database refuses to make this payment final, as a bug or a broken row would."""
        with self.as_owner() as connection:
            connection.exec_driver_sql(
                "CREATE FUNCTION refuse_the_poison() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$ BEGIN {venom}; RETURN NEW; END $$"
            )
            connection.exec_driver_sql(
                "CREATE TRIGGER poison BEFORE UPDATE OF state ON payments FOR EACH ROW "
                f"WHEN (NEW.id = '{payment_id}') EXECUTE FUNCTION refuse_the_poison()"
            )

    def cure(self) -> None:
        """End the poisoning."""
        with self.as_owner() as connection:
            connection.exec_driver_sql("DROP FUNCTION refuse_the_poison CASCADE")

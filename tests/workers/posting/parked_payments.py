"""Many payments that a broken grant parked, made at once, and batches that retry them."""

from models import batch, selection
from models.audit import Actor
from models.batch import Batch
from models.payment_stuck import RETRIES_MAX, StuckFilter
from models.selection import Selection
from models.session import transaction
from tests.builders import new_id
from tests.workers.books import Books
from workers.posting import batches

BROKEN = "ProgrammingError: permission denied for table operations"

PARK = """
INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, attempts, last_error, parked_at)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3)
        || '8' || substr(md5(random()::text), 4, 15))::uuid,
       'transfer', %(user)s, %(source)s, %(target)s, 1, 'EUR', 8, %(error)s, now()
FROM generate_series(1, %(count)s)
RETURNING id::text
"""


def park(books: Books, count: int, error: str = BROKEN) -> list[str]:
    """Parked transfers of a cent between two wallets; their ids in order."""
    ann, source = books.client(count)
    _, target = books.client()
    values = {"user": ann, "source": source, "target": target, "count": count, "error": error}
    with books.as_owner() as connection:
        return sorted(connection.exec_driver_sql(PARK, values).scalars())


def select(books: Books, user_id: str | None, limit: int = RETRIES_MAX, **narrower: object) -> Selection:
    """What the user is shown of the parked payments, in the gateway's role; in the worker's for the shell."""
    with transaction(books.gateway if user_id else books.worker) as connection:
        return selection.select(connection, user_id, StuckFilter(**narrower), limit)


def order(books: Books, ops: Actor, **narrower: object) -> str:
    """The id of a batch of all parked payments."""
    chosen = select(books, ops.name, **narrower)
    assert chosen.id
    id = new_id()
    with transaction(books.gateway) as connection:
        assert batch.create(connection, id, chosen.id, ops, "mended") is None
    return id


def carry_out(books: Books, seconds: float = 0.0) -> bool:
    """One portion, unless it is given more seconds."""
    return batches.carry_out(books.worker, lambda: None, seconds)


def outcomes(books: Books, id: str) -> dict[str, int]:
    """The number of payments by outcome, without those that are zero."""
    with transaction(books.gateway) as connection:
        return {outcome: count for outcome, count in batch.outcomes(connection, id).items() if count}


def read(books: Books, id: str) -> Batch:
    """The batch, which exists."""
    with transaction(books.gateway) as connection:
        found = batch.by_id(connection, id)
    assert found is not None
    return found


def skip_reasons(books: Books, id: str) -> dict[str, str | None]:
    """Why each payment of a batch was skipped; None if it was not."""
    with transaction(books.gateway) as connection:
        return {row.id: row.skip_reason for row in batch.items(connection, RETRIES_MAX, batch_id=id)}

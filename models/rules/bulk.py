"""What becomes of a bulk: an atomic one holds its whole total before its first line moves, and lines are counted."""

from collections.abc import Callable, Iterable

from models.rules.commission import commission
from models.rules.failure_codes import Failure
from models.rules.state import State
from models.rules.types import ClaimedPayment, LockedAccount, LockedBulk, Verdict


def release_reserved(
    bulk: LockedBulk,
    line: ClaimedPayment,
    source: LockedAccount,
    refused: Callable[[ClaimedPayment, LockedAccount], Failure | None],
) -> tuple[LockedBulk, LockedAccount, Failure | None]:
    """Release what an atomic bulk holds for the line, which then asks for it itself; the first line decides the bulk.

    `refused` says why an order cannot be had from the source. Returns bulk and source as they are now, and, if the line
    gets nothing of it, why.
    """
    if not bulk.is_decided:
        failure = refused(line._replace(amount=bulk.total), source)
        if failure is None and commission(bulk.least, line.terms) >= bulk.least:
            failure = Failure.COMMISSION_EXCEEDS_AMOUNT
        bulk = bulk._replace(is_decided=True, failure=failure, held=bulk.total if failure is None else 0)
        source = source._replace(held=source.held + bulk.held)
    if bulk.failure is not None:
        return bulk, source, Failure(bulk.failure)
    ordered = (line.user_id, line.source_id, line.currency)
    if ordered != (bulk.user_id, bulk.source_id, bulk.currency) or line.amount > bulk.held:
        return bulk, source, Failure.NOT_PERMITTED
    return bulk._replace(held=bulk.held - line.amount), source._replace(held=source.held - line.amount), None


def update_counts(bulks: dict[str, LockedBulk], decided: Iterable[tuple[ClaimedPayment, Verdict]]) -> None:
    """Count in `bulks` where the verdicts leave their lines."""
    for line, verdict in decided if bulks else ():
        bulk = bulks.get(line.bulk_id or "")
        if bulk is not None:
            bulks[bulk.id] = bulk._replace(
                authorized=bulk.authorized - (line.state == State.AUTHORIZED) + (verdict.state == State.AUTHORIZED),
                completed=bulk.completed + (verdict.state == State.COMPLETED),
                failed=bulk.failed + (verdict.state == State.FAILED),
            )

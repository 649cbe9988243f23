"""Rules of bulks: an atomic bulk holds its whole total before its first line moves; lines are counted by state."""

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
    """Move the line's amount from an atomic bulk's hold back to available, so that posting can take it.

    The first line decides the whole bulk; `refused` returns why a payment cannot be made from the source. Returns the
    updated bulk and source, and the failure if the line gets nothing.
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
    """Update the line counts in `bulks` by the verdicts."""
    for line, verdict in decided if bulks else ():
        bulk = bulks.get(line.bulk_id or "")
        if bulk is not None:
            bulks[bulk.id] = bulk._replace(
                authorized=bulk.authorized - (line.state == State.AUTHORIZED) + (verdict.state == State.AUTHORIZED),
                completed=bulk.completed + (verdict.state == State.COMPLETED),
                failed=bulk.failed + (verdict.state == State.FAILED),
            )

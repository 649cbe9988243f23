"""From the checked lines of a bulk to lines that can be kept: each flaw is named by its place."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from uuid_utils import uuid7

from gateway.acceptance.reference_data import limits_error
from gateway.bulks.schemas import UPLOADED_LINES_MAX, ChargeLine, Input, TransferLine
from gateway.http.errors import PROBLEMS, ApiError, invalid
from models import account, bulk
from models.account import Party
from models.bulk import BulkKind, BulkRecord, NewBulk, NewLine
from models.currency import Currency
from models.rules import money
from models.session import Connection

UNFIT = 422

DAYS_LATE_MAX = 5
"""An order that took so long on its way is still meant, as banks have it; an older one is a mistake."""

Row = dict[str, Any]
LineErrors = list[tuple[str, str, str]]


class LineShape(NamedTuple):
    """What a bulk of a kind calls its lines, and what one looks like."""

    member: str
    line: type[Input]


FORMS = {
    BulkKind.TRANSFERS: LineShape("credit_transfers", TransferLine),
    BulkKind.CHARGES: LineShape("charges", ChargeLine),
}


def lines_of(
    connection: Connection, head: NewBulk, currency: Currency, rows: Sequence[Row], known: int = 0, total: int = 0
) -> list[NewLine]:
    """What is to be kept of these lines, after `known` ones of that `total`; raises ApiError that names each flaw."""
    member = FORMS[head.kind].member
    if not currency.is_active:
        raise invalid([("/currency", "currency_inactive", "This currency is not in use.")])
    payers = _payers(connection, head, rows)
    flaws: LineErrors = []
    now = bulk.moment(connection) if any("scheduled_at" in row for row in rows) else None
    lines = [_line(head, currency, row, payers, now, f"/{member}/{known + n}", flaws) for n, row in enumerate(rows)]
    if known + len(rows) > UPLOADED_LINES_MAX:
        flaws.append((f"/{member}/{UPLOADED_LINES_MAX}", "invalid_value", f"At most {UPLOADED_LINES_MAX} lines."))
    if total + sum(line.amount for line in lines) > money.MINOR_UNITS_MAX:
        flaws.append((f"/{member}", "amount_too_large", "The total is above what can be kept."))
    if flaws:
        raise unfit(flaws)
    _refuse_twice(member, known, lines)
    return lines


def unfit(flaws: LineErrors) -> ApiError:
    """422 whatever the flaws are: it is the bulk that does not fit, for what a line names."""
    refusal = invalid(flaws)
    if PROBLEMS[refusal.code].status != UNFIT:
        return ApiError("validation_failed", refusal.detail, refusal.errors)
    return refusal


def refuse_referred(
    connection: Connection, head: NewBulk, lines: Sequence[NewLine], kept: BulkRecord, known: int = 0
) -> None:
    """Refuse lines whose references are other payments' already, so that nothing is kept."""
    references = [line.reference for line in lines if line.reference is not None]
    if kept.references == len(references):
        return
    ours = {line.id for line in lines}
    others = bulk.referred(connection, head.user_id, references)
    taken = {reference: id for reference, id in others.items() if id not in ours}
    places = [known + n for n, line in enumerate(lines) if line.reference in taken]
    first = taken[lines[places[0] - known].reference or ""]
    raise _duplicates(FORMS[head.kind].member, places, payment=first)


def _payers(connection: Connection, head: NewBulk, rows: Sequence[Row]) -> Mapping[str, Party]:
    if head.kind is BulkKind.TRANSFERS:
        return {}
    return account.parties_by_token(connection, {row["wallet"] for row in rows})


def _line(
    head: NewBulk,
    currency: Currency,
    row: Row,
    payers: Mapping[str, Party],
    now: datetime | None,
    place: str,
    flaws: LineErrors,
) -> NewLine:
    amount, reference = _amount(row, currency, place, flaws), row.get("reference")
    if row.get("currency", head.currency) != head.currency:
        flaws.append((f"{place}/currency", "currency_mismatch", f"All lines are in {head.currency}."))
    if head.kind is BulkKind.CHARGES:
        source_id = _payer(head, row, payers, place, flaws)
        return NewLine(str(uuid7()), amount, reference, source_id, row.get("summary"))
    bank = (row["counterparty_iban"], row.get("counterparty_bic"), row["counterparty_name"], row.get("description"))
    told = (row.get("creditor_reference"), row.get("instruction_id"), row.get("end_to_end_id"))
    return NewLine(str(uuid7()), amount, reference, None, None, *bank, *told, _time(row, now, place, flaws))


def _time(row: Row, now: datetime | None, place: str, flaws: LineErrors) -> datetime | None:
    """When the line is to be paid, None for at once, as well if its day was missed by a few."""
    at: datetime | None = row.get("scheduled_at")
    if at is None or now is None:
        return None
    if (now.astimezone(UTC).date() - at.date()).days > DAYS_LATE_MAX:
        flaws.append((f"{place}/scheduled_at", "invalid_value", f"More than {DAYS_LATE_MAX} days ago."))
    return at if at > now else None


def _amount(row: Row, currency: Currency, place: str, flaws: LineErrors) -> int:
    try:
        amount = money.parse(row["amount"], currency.digits)
    except money.MoneyError as error:
        flaws.append((f"{place}/amount", error.code, error.detail))
        return 0
    against = limits_error(amount, currency)
    if against is not None:
        flaws.append((f"{place}/amount", against.code, against.detail))
    return amount


def _payer(head: NewBulk, row: Row, payers: Mapping[str, Party], place: str, flaws: LineErrors) -> str | None:
    """An inactive wallet is left to the line's own verdict."""
    party = payers.get(row["wallet"])
    if party is None:
        flaws.append((f"{place}/wallet", "not_found", "There is no such wallet that you may use."))
    elif party.owner_id == head.user_id:
        flaws.append((f"{place}/wallet", "own_wallet", "A merchant cannot charge a wallet of their own."))
    elif party.currency != head.currency:
        flaws.append((f"{place}/wallet", "currency_mismatch", f"This wallet does not hold {head.currency}."))
    return party.id if party else None


def _refuse_twice(member: str, known: int, lines: Sequence[NewLine]) -> None:
    seen: set[str] = set()
    places = []
    for n, line in enumerate(lines):
        if line.reference is not None:
            if line.reference in seen:
                places.append(known + n)
            seen.add(line.reference)
    if places:
        raise _duplicates(member, places)


def _duplicates(member: str, places: Sequence[int], payment: str | None = None) -> ApiError:
    detail = "A payment of yours with this reference exists and did not fail, or another line has it."
    flaws = [(f"/{member}/{n}/reference", "duplicate_reference", detail) for n in places]
    refusal = ApiError("duplicate_reference", detail, invalid(flaws).errors)
    if payment is not None:
        refusal.members["payment"] = payment
    return refusal

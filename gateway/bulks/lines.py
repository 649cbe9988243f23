"""Turns the validated lines of a bulk into lines to store; each error names its line."""

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

UNPROCESSABLE = 422

DAYS_LATE_MAX = 5
"""An order that was on its way for this long is still valid, as with banks; an older one must be a mistake."""

Row = dict[str, Any]
LineErrors = list[tuple[str, str, str]]


class LineShape(NamedTuple):
    """The member of the body that has the lines of a bulk, and their schema."""

    member: str
    schema: type[Input]


LINE_SHAPES = {
    BulkKind.TRANSFERS: LineShape("credit_transfers", TransferLine),
    BulkKind.CHARGES: LineShape("charges", ChargeLine),
}


def build_lines(
    connection: Connection, new_bulk: NewBulk, currency: Currency, rows: Sequence[Row], start: int = 0, total: int = 0
) -> list[NewLine]:
    """The lines to store, after `start` earlier ones with that `total`; raises an ApiError that names every error."""
    member = LINE_SHAPES[new_bulk.kind].member
    if not currency.is_active:
        raise invalid([("/currency", "currency_inactive", "This currency is inactive.")])
    payers = _payers(connection, new_bulk, rows)
    errors: LineErrors = []
    now = bulk.moment(connection) if any("scheduled_at" in row for row in rows) else None
    lines = [
        _line(new_bulk, currency, row, payers, now, f"/{member}/{start + n}", errors) for n, row in enumerate(rows)
    ]
    if start + len(rows) > UPLOADED_LINES_MAX:
        errors.append((f"/{member}/{UPLOADED_LINES_MAX}", "invalid_value", f"At most {UPLOADED_LINES_MAX} lines."))
    if total + sum(line.amount for line in lines) > money.MINOR_UNITS_MAX:
        errors.append((f"/{member}", "amount_too_large", "The total is above what can be stored."))
    if errors:
        raise invalid_bulk(errors)
    _refuse_repeated_references(member, start, lines)
    return lines


def invalid_bulk(errors: LineErrors) -> ApiError:
    """A 422 whatever the errors are: a line that names an unknown wallet makes the bulk invalid, not missing."""
    error = invalid(errors)
    if PROBLEMS[error.code].status != UNPROCESSABLE:
        return ApiError("validation_failed", error.detail, error.errors)
    return error


def refuse_used_references(
    connection: Connection, new_bulk: NewBulk, lines: Sequence[NewLine], record: BulkRecord, start: int = 0
) -> None:
    """Refuse lines whose references other payments have already; the caller's transaction then stores nothing."""
    references = [line.reference for line in lines if line.reference is not None]
    if record.references == len(references):
        return
    own_ids = {line.id for line in lines}
    others = bulk.referenced(connection, new_bulk.user_id, references)
    used = {reference: id for reference, id in others.items() if id not in own_ids}
    numbers = [start + n for n, line in enumerate(lines) if line.reference in used]
    first = used[lines[numbers[0] - start].reference or ""]
    raise _duplicates(LINE_SHAPES[new_bulk.kind].member, numbers, payment=first)


def _payers(connection: Connection, new_bulk: NewBulk, rows: Sequence[Row]) -> Mapping[str, Party]:
    if new_bulk.kind is BulkKind.TRANSFERS:
        return {}
    return account.parties_by_token(connection, {row["wallet"] for row in rows})


def _line(
    new_bulk: NewBulk,
    currency: Currency,
    row: Row,
    payers: Mapping[str, Party],
    now: datetime | None,
    pointer: str,
    errors: LineErrors,
) -> NewLine:
    amount, reference = _amount(row, currency, pointer, errors), row.get("reference")
    if row.get("currency", new_bulk.currency) != new_bulk.currency:
        errors.append((f"{pointer}/currency", "currency_mismatch", f"All lines are in {new_bulk.currency}."))
    if new_bulk.kind is BulkKind.CHARGES:
        source_id = _payer(new_bulk, row, payers, pointer, errors)
        return NewLine(str(uuid7()), amount, reference, source_id, row.get("summary"))
    bank = (row["counterparty_iban"], row.get("counterparty_bic"), row["counterparty_name"], row.get("description"))
    ids = (row.get("creditor_reference"), row.get("instruction_id"), row.get("end_to_end_id"))
    return NewLine(str(uuid7()), amount, reference, None, None, *bank, *ids, _time(row, now, pointer, errors))


def _time(row: Row, now: datetime | None, pointer: str, errors: LineErrors) -> datetime | None:
    """The time to pay the line; None for at once, also if its day has passed by at most DAYS_LATE_MAX."""
    at: datetime | None = row.get("scheduled_at")
    if at is None or now is None:
        return None
    if (now.astimezone(UTC).date() - at.date()).days > DAYS_LATE_MAX:
        errors.append((f"{pointer}/scheduled_at", "invalid_value", f"More than {DAYS_LATE_MAX} days ago."))
    return at if at > now else None


def _amount(row: Row, currency: Currency, pointer: str, errors: LineErrors) -> int:
    try:
        amount = money.parse(row["amount"], currency.digits)
    except money.MoneyError as error:
        errors.append((f"{pointer}/amount", error.code, error.detail))
        return 0
    limit_error = limits_error(amount, currency)
    if limit_error is not None:
        errors.append((f"{pointer}/amount", limit_error.code, limit_error.detail))
    return amount


def _payer(new_bulk: NewBulk, row: Row, payers: Mapping[str, Party], pointer: str, errors: LineErrors) -> str | None:
    """The account to charge; an inactive one is refused when the line is posted."""
    party = payers.get(row["wallet"])
    if party is None:
        errors.append((f"{pointer}/wallet", "not_found", "There is no such wallet that you may use."))
    elif party.owner_id == new_bulk.user_id:
        errors.append((f"{pointer}/wallet", "own_wallet", "A merchant cannot charge a wallet of their own."))
    elif party.currency != new_bulk.currency:
        errors.append((f"{pointer}/wallet", "currency_mismatch", f"This wallet does not hold {new_bulk.currency}."))
    return party.id if party else None


def _refuse_repeated_references(member: str, start: int, lines: Sequence[NewLine]) -> None:
    seen: set[str] = set()
    numbers = []
    for n, line in enumerate(lines):
        if line.reference is not None:
            if line.reference in seen:
                numbers.append(start + n)
            seen.add(line.reference)
    if numbers:
        raise _duplicates(member, numbers)


def _duplicates(member: str, numbers: Sequence[int], payment: str | None = None) -> ApiError:
    detail = "A payment of yours with this reference exists and did not fail, or another line has it."
    errors = [(f"/{member}/{n}/reference", "duplicate_reference", detail) for n in numbers]
    error = ApiError("duplicate_reference", detail, invalid(errors).errors)
    if payment is not None:
        error.members["payment"] = payment
    return error

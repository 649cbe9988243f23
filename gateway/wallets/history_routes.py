"""GET /v1/wallets/{token}/operations, /balance and /statement: the history of a wallet, and its balance at a time."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any

from flask import Response

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.schemas import page_of
from gateway.lists import exports, pagination
from gateway.lists.exports import CSV, HTML, JSON_LINES
from gateway.reads import Reader
from gateway.services import reader, services
from gateway.wallets import statement
from gateway.wallets.routes import visible
from gateway.wallets.schemas import (
    BalanceQuery,
    BalanceSchema,
    HistoryQuery,
    HistoryRowSchema,
    StatementQuery,
    StatementSchema,
)
from models import account_history as rows
from models.account_history import COLUMNS, HistoryRow
from models.archive import HistoryArchived
from models.representations import failure_body
from models.rules.money import render
from models.session import statements

history = Blueprint(
    "history",
    __name__,
    url_prefix="/v1/wallets",
    description="The operations of a wallet, its balance at a time, and monthly statements.",
)

LONGEST_MONTH_DAYS = 31


@history.route("/<token>/operations")
@requires("wallets:read", others=exports.FILES)
@history.doc(responses=exports.document_formats(*exports.FILES))
@history.arguments(HistoryQuery, location="query")
@history.response(200, page_of(HistoryRowSchema))
def list_history(query: dict[str, Any], token: str) -> Response | JsonAnswer:
    """List the completed and failed payments of a wallet, newest first.

    Amounts are filtered and sorted without their sign. Any order but by created_at needs a range of created_at of at
    most 31 days. A page scans a limited number of payments: it may be short or empty while has_more is true.
    """
    with statements(services().engine) as connection:
        wallet = visible(connection, token)
    where = pagination.parse_filters(query, COLUMNS, lambda _: services().reference_data.currency(wallet.currency))
    is_incoming = _is_only(query.get("direction"), "in")
    read = partial(rows.page, account_id=wallet.id, query=where, is_incoming=is_incoming)
    return exports.export_response(query, read, row_body, HistoryRowSchema)


def _is_only(values: list[str] | None, value: str) -> bool | None:
    """True if this is the only one of two values, False if the other is, None for neither or both."""
    return values == [value] if values and len(values) == 1 else None


@history.route("/<token>/balance")
@requires("wallets:read")
@history.arguments(BalanceQuery, location="query")
@history.response(200, BalanceSchema)
def get_balance(query: dict[str, Any], token: str) -> JsonAnswer:
    """Get the balance of a wallet at a time, after all payments posted by then."""
    with statements(services().engine) as connection:
        wallet = visible(connection, token)
    position = reader()(partial(rows.position, account_id=wallet.id, before=query["at"] + pagination.MOMENT))
    body: dict[str, Any] = {
        "wallet": wallet.token,
        "balance": render(position.balance, wallet.digits),
        "currency": wallet.currency,
        "at": query["at"].isoformat(),
    }
    return body, {}


@history.route("/<token>/statement")
@requires("wallets:read", others=(CSV, JSON_LINES, HTML))
@history.doc(responses=exports.document_formats(CSV, JSON_LINES, HTML))
@history.arguments(StatementQuery, location="query")
@history.response(200, StatementSchema)
def get_statement(query: dict[str, Any], token: str) -> Response | JsonAnswer:
    """Get the statement of a wallet for a month (UTC): opening balance, lines, oldest first, and closing balance.

    JSON and HTML have totals, and the lines of a month with at most 10,000; CSV and JSON Lines have all lines. If some
    are archived, JSON and HTML have balances and totals alone, and there is no file.
    """
    start: datetime = query["month"]
    end = (start + timedelta(days=LONGEST_MONTH_DAYS)).replace(day=1)
    with statements(services().engine) as connection:
        wallet = visible(connection, token)
    read = reader()
    opening, closing = (read(partial(rows.position, account_id=wallet.id, before=time)) for time in (start, end))
    of_month = (wallet.id, opening.account_seq, closing.account_seq)
    archived = read(lambda connection: rows.archived(connection, *of_month))
    body: dict[str, Any] = {
        "wallet": wallet.token,
        "currency": wallet.currency,
        "month": f"{start:%Y-%m}",
        "opening": render(opening.balance, wallet.digits),
        "closing": render(closing.balance, wallet.digits),
    }
    batches = services().large_reads.pages(_batches(read, *of_month))
    media_type = exports.accepted_format(CSV, JSON_LINES, HTML)
    if media_type in exports.FILES:
        if archived.lines:
            raise HistoryArchived(start)
        first = next(batches, [])  # an error at the start becomes an answer, not a file cut short
        return statement.file(body, chain([first], batches), media_type)
    totals = read(lambda connection: rows.totals(connection, *of_month))
    body |= {
        "totals": {
            "lines": totals.lines,
            "received": render(totals.received, wallet.digits),
            "paid": render(totals.paid, wallet.digits),
        },
        "is_complete": not archived.lines and totals.lines <= statement.LINES_MAX,
    }
    body["lines"] = [line for batch in batches for line in batch] if body["is_complete"] else []
    return statement.page(body) if media_type == HTML else (body, {})


def _batches(read: Reader, account_id: str, start: int, end: int) -> Iterator[list[dict[str, Any]]]:
    """The lines between two operations of the account; no connection is held while a slow client reads."""
    while start < end:
        page, start = read(partial(rows.between, account_id=account_id, start=start, end=end))
        yield [row_body(row) for row in page]


def row_body(row: HistoryRow) -> dict[str, Any]:
    """The row, as all who may see the wallet see it."""
    return {
        "payment": row.id,
        "type": row.type,
        "success": row.is_success,
        "amount": render(row.amount, row.digits),
        "currency": row.currency,
        "commission": None if row.commission is None else render(row.commission, row.digits),
        "balance_after": None if row.balance_after is None else render(row.balance_after, row.digits),
        "counterparty": {
            "name": row.counterparty_name,
            "last4": row.counterparty_token and row.counterparty_token[-4:],
        },
        "summary": row.summary,
        "reference": row.reference,
        "failure": failure_body(row.failure_code),
        "created_at": row.created_at.isoformat(),
        "finalized_at": row.finalized_at.isoformat(),
    }

"""Rows are named tuples only if their columns have the fields' names."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from sqlalchemy import Connection
from uuid_utils.compat import uuid7

from models import (
    account,
    adjustment,
    audit,
    bank_account,
    bank_statement,
    bulk,
    bulk_line,
    charge_limit,
    commission_terms,
    confirmation,
    currency,
    event,
    exchange_rate,
    freeze,
    heartbeat,
    ledger,
    operation,
    pause,
    paused_payment,
    payment,
    payment_stuck,
    payment_view,
    payout,
    posting_facts,
    quote,
    token,
    user,
    webhook_delivery,
    webhook_endpoint,
    webhook_queue,
)
from models.payment_list import Viewer
from models.payment_stuck import StuckFilter
from models.records import record, records
from models.rules.types import ClaimedPayment


class Pair(NamedTuple):
    id: int
    amount: int
    note: str = "none"


def test_rows_become_named_tuples_and_whole_numbers_int(connection):
    result = connection.exec_driver_sql("SELECT 1 AS id, 1e37::numeric(38) AS amount UNION SELECT 2, NULL ORDER BY id")
    assert records(Pair, result) == [Pair(1, 10**37), Pair(2, None)]


@pytest.mark.parametrize("columns", ["1 AS amount, 2 AS id", "1 AS id, 2", "1 AS id, 2 AS amount, '' AS note, 3 AS x"])
def test_columns_of_other_names_are_refused(connection, columns):
    with pytest.raises(TypeError):
        records(Pair, connection.exec_driver_sql(f"SELECT {columns}"))


def test_no_row_is_none(connection):
    assert record(Pair, connection.exec_driver_sql("SELECT 1 AS id, 2 AS amount WHERE false")) is None
    assert record(Pair, connection.exec_driver_sql("SELECT 1 AS id, 2 AS amount")) == Pair(1, 2)


def test_a_fraction_stays_exact(connection):
    assert str(connection.exec_driver_sql("SELECT 0.10::numeric").scalar_one()) == "0.10"


ID = str(uuid7())
PAYMENT = ClaimedPayment(ID, "deposit", "INITIATED", ID, ID, ID, 1, "EUR", parent_id=ID, bulk_id=ID, quote_id=ID)

QUERIES: dict[str, Callable[[Connection], object]] = {
    "parties by token": lambda c: account.parties_by_token(c, ["x"]),
    "technical parties": account.technical_parties,
    "oldest wallets": lambda c: account.oldest_wallets(c, [(ID, "EUR")]),
    "wallet": lambda c: account.wallet_by_id(c, ID),
    "wallets": lambda c: account.wallets(c, 1, owner_id=ID),
    "adjustment": lambda c: adjustment.by_id(c, ID),
    "adjustments": lambda c: adjustment.page(c, 1),
    "approved adjustments": lambda c: adjustment.approved(c, [PAYMENT._replace(type="adjustment")]),
    "audit of one": lambda c: audit.about(c, ID),
    "audit": lambda c: audit.page(c, 1),
    "bank account": lambda c: bank_account.by_id(c, ID),
    "bank account by IBAN": lambda c: bank_account.by_iban(c, ID, "x"),
    "bank accounts": lambda c: bank_account.page(c, 1, merchant_id=None),
    "bank statement": lambda c: bank_statement.by_id(c, ID),
    "bank statement by hash": lambda c: bank_statement.by_hash(c, b""),
    "bank statement's lines": lambda c: bank_statement.page(c, ID, 1),
    "bank statement's line": lambda c: bank_statement.line(c, ID, 1),
    "bulk": lambda c: bulk.by_id(c, ID),
    "bulks by id": lambda c: bulk.by_ids(c, [ID]),
    "bulks": lambda c: bulk.page(c, bulk.BulkKind.CHARGES, None, 1),
    "bulk's lines": lambda c: bulk_line.page(c, ID, 1),
    "charging merchants": lambda c: charge_limit.merchants(c, ID, 1),
    "schedules": commission_terms.schedules,
    "commission terms": lambda c: commission_terms.page(c, 1),
    "confirmation": lambda c: confirmation.take(c, b"", 1, 1),
    "currencies": currency.all_by_code,
    "currency": lambda c: currency.by_code(c, "EUR"),
    "events": lambda c: event.page(c, Viewer(ID), event.START, 1),
    "all events": lambda c: event.page(c, Viewer(reads_all=True), event.START, 1),
    "events of subjects": lambda c: event.of_subjects(c, [ID]),
    "rates": exchange_rate.in_force,
    "heartbeats": heartbeat.recent,
    "locked accounts": lambda c: ledger.lock_accounts(c, [PAYMENT.source_id]),
    "initiators": lambda c: posting_facts.initiators(c, [PAYMENT]),
    "locked bulks": lambda c: ledger.lock_bulks(c, ledger.bulk_ids([PAYMENT])),
    "refundable amounts": lambda c: posting_facts.refundable_amounts(c, [PAYMENT]),
    "operations": lambda c: operation.of_payment(c, ID),
    "freezes": lambda c: freeze.page(c, 1),
    "pauses": lambda c: pause.page(c, 1),
    "claimed payments": lambda c: paused_payment.claim(c, 1),
    "expired payments": lambda c: payment.claim_expired(c, 1),
    "commanded payments": lambda c: payment.claim_commanded(c, 1),
    "stuck payments": lambda c: payment_stuck.find(c, StuckFilter(1.0), 1),
    "undecided payments": lambda c: payment_stuck.find(c, StuckFilter(undecided=True), 1),
    "payments to retry": lambda c: payment_stuck.open_among(c, [ID]),
    "retried payments": lambda c: payment_stuck.reset_for_retry(c, [ID]),
    "payment": lambda c: payment_view.by_id(c, ID),
    "payouts": lambda c: payout.claim(c, "x", 1, 1),
    "quote": lambda c: quote.by_id(c, ID),
    "quoted amounts": lambda c: quote.quoted(c, [PAYMENT]),
    "bearer": lambda c: token.bearer(c, b""),
    "token": lambda c: token.find(c, ID, "session", ID),
    "tokens": lambda c: token.page(c, ID, "session", 1),
    "user": lambda c: user.by_id(c, ID),
    "user by e-mail": lambda c: user.by_email(c, "x"),
    "users": lambda c: user.page(c, 1),
    "users to welcome": lambda c: user.to_welcome(c, 1),
    "webhook delivery": lambda c: webhook_delivery.by_id(c, ID),
    "webhook attempts": lambda c: webhook_delivery.attempts(c, ID),
    "webhook deliveries": lambda c: webhook_delivery.page(c, ID, 1),
    "webhook endpoint": lambda c: webhook_endpoint.by_id(c, ID),
    "webhook endpoints by id": lambda c: webhook_endpoint.by_ids(c, [ID]),
    "webhook endpoints": lambda c: webhook_endpoint.page(c, ID, 1),
    "claimed deliveries": lambda c: webhook_queue.claim(c, {}, [], webhook_queue.Capacity(1, 1, 1)),
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_every_query_has_the_columns_of_its_record(shared_world, query):
    with shared_world.owner.connect() as connection:
        query(connection)

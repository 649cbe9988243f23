"""Helpers for reconciliation: withdrawals, statement files, uploads and verdicts."""

import csv
import io
from typing import Any
from uuid import UUID, uuid4

from werkzeug.test import TestResponse

from models import bank_return, payout
from models.bank_return import Return
from models.payout import FinalAnswer
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.iso20022_messages import entry

PATH = "/v1/ops/reconciliations"
COLUMNS = ("booked_on", "direction", "amount", "currency", "end_to_end_id", "bank_reference", "description")
PAYEE = {"iban": "DE89370400440532013000", "name": "Bob", "target": "wire"}
AT_ONCE = 5


def withdraw(
    api: ApiHarness, client: ApiUser, customer_wallet: str, amount: str = "10.00", currency: str = "EUR"
) -> str:
    """The id of a withdrawal that waits for the bank."""
    order = {"wallet": customer_wallet, "amount": amount, "currency": currency, **PAYEE}
    id = client.order("/v1/withdrawals", order).get_json()["id"]
    api.post_payments()
    return id


def answered(api: ApiHarness, id: str, reference: str | None = None, *, is_confirmed: bool = True) -> str:
    """The same id, after the bank's answer."""
    with transaction(api.worker) as connection:
        assert payout.store_answers(connection, [FinalAnswer(id, is_confirmed, None, reference)])
    api.post_payments()
    return id


def paid(
    api: ApiHarness, client: ApiUser, customer_wallet: str, amount: str = "10.00", reference: str | None = None
) -> str:
    """The id of a withdrawal that the bank has paid out."""
    return answered(api, withdraw(api, client, customer_wallet, amount), reference)


def returned(api: ApiHarness, id: str, amount: int, number: str) -> str:
    """The id of the payment that returned this amount of it."""
    with transaction(api.worker) as connection:
        bank_return.keep(connection, "sepa", [Return(number, id, amount)])
        bank_return.give_back(connection, 10)
    api.post_payments()
    [payment] = api.execute("SELECT payment_id::text FROM returns WHERE bank_id = %s", number)
    return payment


def today(api: ApiHarness) -> str:
    return str(api.execute("SELECT (now() AT TIME ZONE 'UTC')::date")[0])


def row(id: str = "", amount: str = "10.00", direction: str = "debit", **others: str) -> dict[str, str]:
    """A line of a CSV; `table` adds the day unless it is here."""
    key = UUID(id).hex if id else ""
    return {"direction": direction, "amount": amount, "currency": "EUR", "end_to_end_id": key, **others}


def table(*rows: dict[str, str], day: str = "2026-11-20", columns: tuple[str, ...] = COLUMNS) -> bytes:
    """A CSV of these lines, different each time."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({"booked_on": day, "description": uuid4().hex, **row} for row in rows)
    return text.getvalue().encode()


def upload(person: ApiUser, data: bytes, media_type: str = "text/csv") -> TestResponse:
    return person.call("POST", PATH, data=data, content_type=media_type)


def judged(ops: ApiUser, data: bytes, media_type: str = "text/csv") -> tuple[str, list[dict[str, Any]]]:
    """The id of the statement, and its lines."""
    answer = upload(ops, data, media_type)
    assert answer.status_code == 201, answer.get_json()
    id = answer.get_json()["id"]
    return id, ops.get(f"{PATH}/{id}/lines?limit=100").get_json()["data"]


def verdicts(lines: list[dict[str, Any]]) -> list[tuple[str, str | None, str | None]]:
    return [(line["verdict"], line["difference"], line["payment"]) for line in lines]


def match(person: ApiUser, id: str, line: object, payment: str, reason: str = "Seen the receipt") -> TestResponse:
    return person.call("POST", f"{PATH}/{id}/lines/{line}/match", json={"payment": payment, "reason": reason})


def parts(*ids: str, amount: str = "") -> str:
    """Transactions of an entry, without amounts or each with the same one."""
    part = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return "".join(f"<TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs>{part}</TxDtls>" for id in ids)


def batch(amount: str, transactions: str) -> str:
    return entry("DBIT", amount).replace("<TxDtls><Refs></Refs></TxDtls>", transactions)

"""What pages and verbs are about, in the state that each needs; made over HTTP, or as if a worker had failed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from models.rules.retry import ATTEMPTS_MAX
from tests.browser.scene import CURRENCY, HOSTILE, Scene
from tests.builders import new_id
from tests.support import eventually

ERROR = f"LockNotAvailable: canceling statement due to lock timeout {HOSTILE}"
WHY = "the reason is in ticket 8812"
UNPAID = "6660.07"
"""An amount at which the simulated bank fails, without paying."""

PAYEE = {"target": "wire", "name": "Ann Example", "iban": "DE89370400440532013000"}
RAIL, QUOTED = "simulator", "10.00"

PARK = """
INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, summary, attempts, last_error,
    parked_at)
VALUES (%s, 'transfer', %s, %s, %s, 100, 'EUR', %s, %s, %s, now())
"""
RATE = "INSERT INTO exchange_rates (source, target, rate, source_name) VALUES (%s, 'USD', 1.0837, %s)"
ASKED_IN_VAIN = f"""
UPDATE instructions SET submitted_at = now(), rail = '{RAIL}', attempts = {2 * ATTEMPTS_MAX}, due_at = NULL
WHERE payment_id = %s AND answer IS NULL
"""
"""So many attempts that one under way, which counts from fewer, leaves it alone."""


def parked(scene: Scene) -> str:
    """The id of a transfer that was parked after its last attempt, and can be posted now."""
    id, sides = new_id(), (scene.accounts["client"], scene.accounts["guest"])
    scene.sql(PARK, id, scene.ids["client"], *sides, HOSTILE, ATTEMPTS_MAX, ERROR)
    scene.sql(
        "INSERT INTO payment_attempts (payment_id, actor, attempt, error) VALUES (%s, 'worker', %s, %s)",
        *(id, ATTEMPTS_MAX, ERROR),
    )
    return id


@contextmanager
def locked(scene: Scene, *ids: str) -> Iterator[None]:
    """Somebody else has locked these payments: no worker gets at them."""
    with scene.owner.begin() as connection:
        connection.exec_driver_sql("SELECT FROM payments WHERE id = ANY(%s::uuid[]) FOR UPDATE", ([*ids],))
        yield


def batch(scene: Scene, *ids: str) -> str:
    """The id of a batch that retries these payments."""
    chosen = scene.post("ops", "/v1/ops/payments/retry", filter={"parked": True, "ids": [*ids]})["selection"]
    return str(scene.post("ops", "/v1/ops/payments/retry", selection=chosen, reason=HOSTILE)["id"])


def payout(scene: Scene) -> str:
    """The id of a withdrawal that a bank was told of, which gave no answer until it was parked."""
    order = {"wallet": scene.wallets["client"], "amount": UNPAID, "currency": CURRENCY, "summary": HOSTILE}
    id = scene.decided(str(scene.post("client", "/v1/withdrawals", **order, **PAYEE)["id"]))
    eventually(lambda: scene.sql(ASKED_IN_VAIN, id))
    scene.sql("UPDATE payments SET parked_at = now(), last_error = %s WHERE id = %s", ERROR, id)
    return id


def resolution(scene: Scene) -> str:
    """The id of a resolution that another of ops proposed."""
    said = {"outcome": "not_paid", "reason": HOSTILE}
    return str(scene.post("second", f"/v1/ops/payments/{payout(scene)}/resolve", **said)["id"])


def adjustment(scene: Scene) -> str:
    """The id of an adjustment that another of ops proposed."""
    order = {"wallet": scene.wallets["client"], "direction": "credit", "amount": "4.00", "currency": CURRENCY}
    return str(scene.post("second", "/v1/ops/adjustments", **order, reason=HOSTILE)["id"])


def statement_lines() -> str:
    """A bank statement with two bookings that no payment explains."""
    day, mark = f"{datetime.now(UTC):%Y-%m-%d}", secrets.token_hex(6)
    return "\n".join(
        [
            "booked_on,direction,amount,currency,end_to_end_id,bank_reference,description",
            f'{day},debit,14.50,EUR,,B-{mark}-1,"{HOSTILE.replace(chr(34), chr(34) * 2)}"',
            f"{day},debit,100.00,EUR,,B-{mark}-2,Somebody",
        ]
    )


def statement(scene: Scene) -> str:
    """The id of a bank statement that was compared."""
    return str(scene.upload("ops", "/v1/ops/reconciliations", "text/csv", statement_lines())["id"])


def rail_file(scene: Scene) -> None:
    """A file of the rail whose content is kept, under a name that a bank might choose."""
    id = new_id()
    scene.sql(
        "INSERT INTO rail_files (id, rail, state, name, items) VALUES (%s, %s, 'read', %s, 3)",
        *(id, RAIL, f"{scene.mark}-{HOSTILE}.xml"),
    )
    scene.sql(
        "INSERT INTO rail_file_contents (file_id, content, hash) VALUES (%s, %s, sha256(%s))",
        *(id, b"<Document/>", b"<Document/>"),
    )


def quote(scene: Scene, person: str) -> str:
    """The id of a quote of this person's."""
    scene.sql(RATE, CURRENCY, HOSTILE)
    order = {"source_currency": CURRENCY, "target_currency": "USD", "amount": QUOTED}
    return str(scene.post(person, "/v1/quotes", **order)["id"])


def used_quote(scene: Scene) -> str:
    """The id of a quote of the merchant's that a transfer used."""
    id, dollars = quote(scene, "merchant"), scene.post("client", "/v1/wallets", currency="USD")["token"]
    order = {"source": scene.wallets["merchant"], "target": dollars, "amount": QUOTED, "currency": CURRENCY}
    scene.post("merchant", "/v1/transfers", **order, quote=id)
    return id


def bulk(scene: Scene) -> str:
    """The id of a bulk of charges, one of which fails, once it is final."""
    lines = [
        {"wallet": scene.wallets["client"], "amount": amount, "summary": HOSTILE} for amount in ("1.00", "99999.00")
    ]
    id = scene.post("merchant", "/v1/bulk-charges", currency=CURRENCY, charges=lines)["id"]
    eventually(lambda: scene.read("merchant", f"/v1/bulk-charges/{id}")["finalized_at"])
    return str(id)


def delivery(scene: Scene, person: str, endpoint: str) -> str:
    """The id of a delivery of a ping to an endpoint of this person."""
    path = f"/v1/webhook-endpoints/{endpoint}"
    scene.post(person, f"{path}/test")
    found: list[dict[str, Any]] = eventually(lambda: scene.read(person, f"{path}/deliveries")["data"])
    return str(found[0]["id"])


def endpoint(scene: Scene, person: str) -> str:
    """The id of a webhook endpoint of this person, with words that are hostile to a page."""
    body = {"url": "https://8.8.8.8/hooks", "event_types": ["ping"], "description": HOSTILE}
    return str(scene.post(person, "/v1/webhook-endpoints", **body)["id"])

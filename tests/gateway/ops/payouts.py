"""Withdrawals in each state that ops look at."""

from datetime import date

from models import inquiry
from models.audit import Actor
from models.inquiry import InquiryAnswer
from models.resolution import Evidence
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser

WHY = {"reason": "mended by hand"}
PAID = {"outcome": "paid", "bank_reference": "BANK 77", "value_date": "2026-01-31", **WHY}
EVIDENCE = Evidence("paid", "BANK 77", date(2026, 1, 31))


def withdraw(api: ApiHarness, client: ApiUser, wallet: str) -> str:
    """The id of a withdrawal on hold, which is not sent yet."""
    body = {"wallet": wallet, "amount": "1.00", "currency": "EUR", "iban": "DE89370400440532013000", "name": "Bob"}
    id = client.order("/v1/withdrawals", body).get_json()["id"]
    api.post_payments()
    return str(id)


def send(api: ApiHarness, id: str, *, parks: bool = False) -> str:
    """As if the bank had been told of it, and with `parks` as if it never answered."""
    due = "NULL" if parks else "now()"
    api.execute(
        f"UPDATE instructions SET submitted_at = now(), rail = 'r', attempts = 1, due_at = {due} WHERE payment_id = %s",
        id,
    )
    if parks:
        api.execute("UPDATE payments SET parked_at = now() WHERE id = %s", id)
    return id


def answer(api: ApiHarness, id: str, said: str) -> None:
    """As if the bank had answered the open question."""
    with transaction(api.worker) as connection:
        inquiry.save(connection, [InquiryAnswer(id, said, None, "B 1")])


def actor(person: ApiUser) -> Actor:
    return Actor(person.id)

"""GET /v1/ops/payments/{id}/explanation: what the shell says, over HTTP."""

from models import payment_explanation
from models.payment_list import Viewer
from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser

MOVING = ("explained_at", "oldest_due_seconds", "waiting", "broker")


def test_ops_and_auditors_read_what_the_shell_says(api: ApiHarness, ops: ApiUser, client: ApiUser) -> None:
    source, target = client.wallet("1.00"), client.wallet(currency="EUR")
    body = {"source": source, "target": target, "amount": "1.00", "currency": "EUR"}
    id = client.order("/v1/transfers", body).get_json()["id"]
    api.park(id)
    with transaction(api.worker) as connection:
        found = payment_explanation.of_payment(connection, id, broker_is_up=True)
    assert found is not None
    said = payment_explanation.body(found, Viewer(reads_all=True))
    for reader in (ops, api.person("auditor")):
        read = reader.get(f"/v1/ops/payments/{id}/explanation").get_json()
        assert {**read, **dict.fromkeys(MOVING)} == {**said, **dict.fromkeys(MOVING)}
    assert [cause["code"] for cause in read["causes"]] == ["parked"]
    assert [(step["step"], step["error"]) for step in read["timeline"]] == [
        ("initiated", None), ("attempt_failed", "no luck"), ("parked", None),
    ]  # fmt: skip

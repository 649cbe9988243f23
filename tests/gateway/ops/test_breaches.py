"""GET /v1/ops/breaches and POST /{id}/acknowledge: what breaks the books is listed, and acknowledged with a reason."""

from concurrent.futures import ThreadPoolExecutor

from models import breach
from models.breach import Breach
from models.session import transaction
from tests.builders import new_id
from tests.gateway.harness import ApiHarness, ApiUser


def found(api: ApiHarness) -> tuple[str, str]:
    """The id of a new breach, and its subject."""
    subject = new_id()
    with transaction(api.worker) as connection:
        breach.record(connection, [Breach("a rule", subject, {"id": subject})])
        return breach.page(connection, 1)[0].id, subject


def test_breach_is_reported_until_it_is_acknowledged(api: ApiHarness, ops: ApiUser) -> None:
    id, subject = found(api)
    [listed] = ops.get("/v1/ops/breaches?open=true").get_json()["data"]
    assert (listed["id"], listed["invariant"], listed["subject"]) == (id, "a rule", subject)
    assert listed["details"] == {"id": subject}
    answer = ops.call("POST", f"/v1/ops/breaches/{id}/acknowledge", json={"reason": "a test"})
    assert answer.status_code == 200
    assert (answer.get_json()["acknowledged_by"], answer.get_json()["reason"]) == (ops.id, "a test")
    assert ops.get("/v1/ops/breaches?open=true").get_json()["data"] == []
    assert [one["id"] for one in ops.get("/v1/ops/breaches").get_json()["data"]] == [id]


def test_twenty_acknowledgements_at_once_are_one(api: ApiHarness, ops: ApiUser) -> None:
    id, _ = found(api)
    with ThreadPoolExecutor(20) as threads:
        reasons = threads.map(
            lambda number: ops.call("POST", f"/v1/ops/breaches/{id}/acknowledge", json={"reason": f"no. {number}"}),
            range(20),
        )
        assert len({answer.get_json()["reason"] for answer in reasons}) == 1
    audited = ops.get(f"/v1/ops/audit?target={id}&action=breaches.acknowledge").get_json()["data"]
    assert len(audited) == 1


def test_unknown_breach_is_not_found(ops: ApiUser) -> None:
    for id in ("999999", "0", "x", "9" * 30):
        answer = ops.call("POST", f"/v1/ops/breaches/{id}/acknowledge", json={"reason": "a test"})
        assert answer.status_code == 404

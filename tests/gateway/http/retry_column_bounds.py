"""Values that reach the CHECKs of retries over HTTP: at their bound, and one past it."""

from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.http.column_bounds import Probe, Scene, member, text


def retry(scene: Scene, members: dict[str, Any]) -> TestResponse:
    id = scene.charged(scheduled_at="2200-01-01T00:00:00Z")
    scene.api.execute("UPDATE payments SET parked_at = now() WHERE id = %s", id)
    return scene.ops.order(f"/v1/ops/payments/{id}/retry", members)


def retry_many(scene: Scene, members: dict[str, Any]) -> TestResponse:
    id = scene.charged(scheduled_at="2200-01-01T00:00:00Z")
    scene.api.execute("UPDATE payments SET parked_at = now() WHERE id = %s", id)
    path = "/v1/ops/payments/retry"
    selected = scene.ops.call("POST", path, json={"filter": {"parked": True, "ids": [id]}}).get_json()
    return scene.ops.call("POST", path, json={"selection": selected["selection"], **members})


def stop_batch(scene: Scene, members: dict[str, Any]) -> TestResponse:
    id = retry_many(scene, {"reason": "x"}).get_json()["id"]
    return scene.ops.call("POST", f"/v1/ops/batches/{id}/stop", json=members)


REACHED = {
    "batches_reasons_are_bounded": [text(retry_many, "reason", 500), text(stop_batch, "reason", 500)],
    "commands_reason_is_bounded": [text(retry, "reason", 500)],
    "commands_retries_have_reasons": [Probe(member(retry), [{"reason": "x"}], [{}])],
}
"""By constraint, the members of bodies that its column is filled from."""

OURS = {
    "batch_items": "are_decided_wholly outcome_is_known skip_reason_is_known",
    "batches": "are_stopped_wholly count_each_payment_once end_exactly_when_all_are_decided",
    "selections": "filter_is_bounded payments_are_bounded",
}
"""By table, the constraints on columns that no caller fills."""

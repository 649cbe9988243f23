"""Ways to the columns of actions of ops, questions to banks and resolutions."""

from typing import Any

from uuid_utils import uuid7
from werkzeug.test import TestResponse

from models.rules.reconciliation import DismissCategory
from models.rules.saved_views import LISTS
from tests.gateway.http.column_bounds import Probe, Scene, choice, member, statement, text, withdraw


def spent_payout(scene: Scene) -> str:
    """The id of a withdrawal of 0.01 that was sent and is parked without an answer."""
    id = withdraw(scene, {"amount": "0.01"}).get_json()["id"]
    scene.api.post_payments()
    scene.api.execute(
        "UPDATE instructions SET submitted_at = now(), rail = 'r', due_at = NULL WHERE payment_id = %s", id
    )
    scene.api.execute("UPDATE payments SET parked_at = now() WHERE id = %s", id)
    return str(id)


def fail(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.ops.call("POST", f"/v1/ops/payments/{scene.charged(capture=False)}/fail", json=members)


def ask(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return scene.ops.call("POST", f"/v1/ops/payments/{spent_payout(scene)}/ask", json=members)


def resolve_with(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"reason": "x", **members}
    return scene.ops.call("POST", f"/v1/ops/payments/{spent_payout(scene)}/resolve", json=body)


def resolve(scene: Scene, members: dict[str, Any]) -> TestResponse:
    return resolve_with(scene, {"outcome": "paid", "bank_reference": "x", "value_date": "2026-01-31", **members})


def approve_resolution_by(scene: Scene, role: str) -> TestResponse:
    id = resolve(scene, {}).get_json()["id"]
    return getattr(scene, role).call("POST", f"/v1/ops/resolutions/{id}/approve", json={})


def dismiss(scene: Scene, members: dict[str, Any]) -> TestResponse:
    id = statement(scene, {}).get_json()["id"]
    body = {"category": "fee", "reason": "x", **members}
    return scene.ops.call("POST", f"/v1/ops/reconciliations/{id}/lines/1/dismiss", json=body)


VIEW_QUERIES = dict.fromkeys(LISTS, "currency=EUR") | {
    **{"users": "role=ops", "audit": "action=payments.note", "webhooks": "state=failing"},
    **{"bulks": "kind=charges", "adjustments": "state=proposed"},
}


def save_view(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"list": "payments", "name": "failed", "query": "state=FAILED", **members}
    answer = scene.ops.call("POST", "/v1/ops/saved-views", json=body)
    if answer.status_code == 201:
        path = f"/v1/ops/saved-views/{answer.get_json()['id']}"
        assert scene.ops.call("DELETE", path).status_code == 204
    return answer


def rename_view(scene: Scene, members: dict[str, Any]) -> TestResponse:
    body = {"list": "audit", "name": f"view {uuid7()}", "query": "action=payments.note"}
    id = scene.ops.call("POST", "/v1/ops/saved-views", json=body).get_json()["id"]
    answer = scene.ops.call("PATCH", f"/v1/ops/saved-views/{id}", json=members)
    scene.api.execute("DELETE FROM saved_views WHERE id = %s", id)
    return answer


REACHED: dict[str, list[Probe]] = {
    "bank_statement_lines_dismiss_category_is_known": [choice(dismiss, "category", *DismissCategory)],
    "bank_statement_lines_dismiss_reason_is_bounded": [text(dismiss, "reason", 500)],
    "commands_of_ops_have_reasons": [Probe(member(fail), [{"reason": "x"}], [{}])],
    "inquiries_words_are_bounded": [text(ask, "reason", 500)],
    "resolutions_outcome_is_known": [choice(resolve, "outcome", "paid", "not_paid")],
    "resolutions_paid_have_evidence": [
        Probe(
            member(resolve_with),
            [{"outcome": "not_paid"}, {"outcome": "paid", "bank_reference": "x", "value_date": "2026-01-31"}],
            [{"outcome": "paid", "bank_reference": "x"}, {"outcome": "paid", "value_date": "2026-01-31"}],
        ),
        Probe(member(resolve, "value_date"), ["2026-02-28"], ["2026-02-29", "28.2.2026", "", 1]),
    ],
    "resolutions_take_two_people": [Probe(approve_resolution_by, ["chief"], ["ops"])],
    "resolutions_words_are_bounded": [text(resolve, "reason", 500), text(resolve, "bank_reference", 100)],
    "saved_views_list_is_known": [
        Probe(member(save_view), [{"list": name, "query": VIEW_QUERIES[name]} for name in LISTS], [{"list": "x"}])
    ],
    "saved_views_name_is_bounded": [text(save_view, "name", 60), text(rename_view, "name", 60)],
    "saved_views_query_is_encoded": [
        Probe(
            member(save_view, "query"),
            [
                "state=FAILED",
                "error_contains=%25%26%3D%23",
                "error_contains=" + "e\u0301" * 12,
                "ids=" + ",".join([str(uuid7())] * 20),
            ],
            ["", "state", "state=", "=x", "&", "state=FAILED&", "state=FAILED&state=FAILED", "state=%00", "state=%ff"],
        ),
        Probe(
            member(save_view, "query"),
            ["error_contains=" + "x" * 500, "error_contains=" + "\u20ac" * 200],
            ["error_contains=" + "x" * 501, "error_contains=" + "\u20ac" * 300, "x" * 2001],
        ),
    ],
}

OURS = {
    "assignments": "are_given_back_wholly kind_is_known reasons_are_bounded subject_is_bounded",
    "backlog_samples": "are_not_negative are_of_minutes",
    "merchant_sums": "are_not_negative are_of_quarters",
    "merchant_sum_positions": "are_not_negative",
    "imbalances": "amount_is_whole",
    "final_payment_counts": "are_of_final are_positive",
    "payment_sums": "amount_is_whole are_of_their_span of_final_are_positive state_is_known",
    "movement_sums": "are_of_their_span are_positive are_whole",
    "rail_files": "are_named items_are_counted_unless_broken state_is_known",
    "rail_file_contents": "are_bounded have_their_hash",
    "commands": "are_a_users_or_the_banks decided_exactly_with_outcome kind_is_known only_ops_fail_and_resolve"
    " outcome_is_known",
    "inquiries": "answer_is_known answered_exactly_with_answer known_answer_is_known",
    "saved_views": "of_nobody_are_shared",
    "resolutions": "are_approved_or_rejected are_approved_wholly are_executed_if_approved are_rejected_wholly"
    " hear_of_the_bank_wholly",
}

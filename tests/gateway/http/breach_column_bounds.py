"""Values that reach the CHECKs of breaches over HTTP, and those of the chain, which nobody fills over HTTP."""

from typing import Any

from werkzeug.test import TestResponse

from models import breach, user
from models.breach import Breach
from models.session import transaction
from tests.builders import new_id
from tests.gateway.http.column_bounds import Scene, text


def acknowledge(scene: Scene, members: dict[str, Any]) -> TestResponse:
    with transaction(scene.api.worker) as connection:
        breach.record(connection, [Breach("a rule", new_id(), {})])
        id = breach.page(connection, 1)[0].id
    return scene.ops.call("POST", f"/v1/ops/breaches/{id}/acknowledge", json=members)


def invite_owner(scene: Scene, members: dict[str, Any]) -> TestResponse:
    """An invitation to a merchant whose founder was deactivated by another of ops."""
    shop = scene.api.person("merchant")
    with transaction(scene.api.gateway) as connection:
        user.set_active(connection, shop.id, False)
    body = {"email": "owner@example.com", "reason": "x", **members}
    return scene.ops.call("POST", f"/v1/ops/users/{shop.id}/invitations", json=body)


REACHED = {
    "breaches_reason_is_bounded": [text(acknowledge, "reason", 500)],
    "invitations_reason_is_bounded": [text(invite_owner, "reason", 500)],
}
"""By constraint, the members of bodies that its column is filled from."""

OURS = {
    "archived_hashes": "are_of_operations are_sha256",
    "archived_months": "are_dropped_after_they_are_detached counts_are_not_negative ids_are_of_their_month"
    " manifests_have_a_sha256",
    "archived_runs": "add_up go_forward lines_are_of_operations",
    "breaches": "acknowledged_by_somebody_with_reason invariant_is_bounded subject_is_bounded",
    "checkpoints": "cover_some_batches hashes_are_sha256 signatures_are_ed25519",
    "ledger_batches": "hashes_are_sha256 marks_are_one_a_payment salts_are_whole",
    "receipt_keys": "are_ed25519 have_their_id",
    "invitations": "are_accepted_or_withdrawn are_accepted_wholly by_nobody_have_a_reason email_is_bounded"
    " role_is_known with_a_reason_are_of_owners",
    "memberships": "of_founders_are_owners role_is_known",
    "recovery_codes": "hash_is_sha256",
    "second_factors": "are_confirmed_by_a_code last_step_is_not_negative secret_is_encrypted",
    "verification_positions": "are_one",
}
"""By table, the constraints on columns that no caller fills."""

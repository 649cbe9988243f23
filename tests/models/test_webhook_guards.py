"""The constraints of webhook endpoints, secrets and deliveries, attacked in SQL by each role."""

import pytest

from models import user, webhook_endpoint
from models.session import transaction
from tests.builders import Builder, new_id
from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, insert, stopper

URL = "https://shop.example.com/hooks"
SECRET = f"'whsec_{'A' * 43}='"


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """Two endpoints of ann's, one deleted; secrets of hers, the `older` of which ends; a delivery with an attempt."""
    ids = {name: new_id() for name in ("hook", "gone", "older", "newest", "pending", "done")}
    ids |= {"ann": shared_world.user(), "bob": shared_world.user()}
    with transaction(shared_world.gateway) as connection:
        user.lock(connection, ids["ann"])
        for hook in ("hook", "gone"):
            assert webhook_endpoint.create(connection, ids[hook], ids["ann"], URL, ["*"], None)
        webhook_endpoint.delete(connection, ids["gone"], 1)
        for secret in ("older", "newest"):
            webhook_endpoint.add_secret(connection, ids[secret], ids["hook"], webhook_endpoint.new_secret(), 60)
    with transaction(shared_world.worker) as connection:
        for state in ("pending", "done"):
            connection.exec_driver_sql(delivery(id=f"%({state})s", sequence=f"{len(state)}"), ids)
        connection.exec_driver_sql(
            of_delivery("state = 'delivered', next_attempt_at = NULL, finished_at = now()", "done"), ids
        )
        connection.exec_driver_sql(attempt(), ids)
    return ids


def hook(**columns: str) -> str:
    """A new endpoint of ann's, with columns of it replaced."""
    values = {"id": "%(new)s", "user_id": "%(ann)s", "url": f"'{URL}'", "event_types": "ARRAY['*']"}
    return insert("webhook_endpoints", values | columns)


def of_hook(assignments: str, which: str = "hook") -> str:
    return f"UPDATE webhook_endpoints SET {assignments} WHERE id = %({which})s"


def secret(**columns: str) -> str:
    """A new secret of the deleted endpoint, which has none."""
    return insert("webhook_secrets", {"id": "%(new)s", "endpoint_id": "%(gone)s", "secret": SECRET} | columns)


def of_secret(assignments: str, which: str = "older") -> str:
    return f"UPDATE webhook_secrets SET {assignments} WHERE id = %({which})s"


def delivery(**columns: str) -> str:
    """A new delivery to the endpoint, with columns of it replaced."""
    values = {
        **{"id": "%(new)s", "endpoint_id": "%(hook)s", "sequence": "99", "name": "'payment.completed'"},
        **{"subject_id": "%(ann)s", "version": "2", "occurred_at": "now()"},
    }
    return insert("webhook_deliveries", values | columns)


def of_delivery(assignments: str, which: str = "pending") -> str:
    return f"UPDATE webhook_deliveries SET {assignments} WHERE id = %({which})s"


def attempt(**columns: str) -> str:
    """An attempt of the delivery that is done."""
    values = {"delivery_id": "%(done)s", "attempt": "1", "status": "204", "milliseconds": "12"}
    return insert("webhook_attempts", values | columns)


GATEWAY_MAY_TRY, WORKER_MAY_TRY, BOTH_MAY_TRY = {"worker": DENIED}, {"gateway": DENIED}, {}
BY_WORKERS = {"gateway": "webhook_endpoints_are_disabled_by_workers"}
SENT_AGAIN = {"gateway": "webhook_deliveries_are_sent_again"}
OWNER_ALONE = {"worker": DENIED, "gateway": DENIED}

ATTACKS = [
    (NO_BREAK, hook(), GATEWAY_MAY_TRY),
    ("webhook_endpoints_url_is_bounded", hook(url="'http://'"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_url_is_bounded", hook(url="repeat('x', 2001)"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_event_types_are_bounded", hook(event_types="'{}'"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_event_types_are_bounded", hook(event_types="ARRAY[NULL::text]"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_event_types_are_bounded", hook(event_types="array_fill('*'::text, '{21}')"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_payment_types_are_known", hook(payment_types="'{}'"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_payment_types_are_known", hook(payment_types="'{refund,gift}'"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_payment_types_are_known", hook(payment_types="ARRAY[NULL::text]"), GATEWAY_MAY_TRY),
    (
        "webhook_endpoints_payment_types_are_known",
        hook(payment_types="array_fill('refund'::text, '{21}')"),
        GATEWAY_MAY_TRY,
    ),
    ("webhook_endpoints_description_is_bounded", hook(description="''"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_description_is_bounded", hook(description="repeat('x', 201)"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_user_id_fkey", hook(user_id="%(new)s"), GATEWAY_MAY_TRY),
    (
        "webhook_endpoints_disabled_reason_is_known",
        of_hook("is_active = false, disabled_reason = 'whim', version = 2"),
        BY_WORKERS,
    ),
    ("webhook_endpoints_disabled_are_inactive", of_hook("disabled_reason = 'gone', version = 2"), BY_WORKERS),
    (NO_BREAK, of_hook("is_active = false, disabled_reason = 'gone', version = 2"), BY_WORKERS),
    ("webhook_endpoints_count_their_versions", of_hook("version = version - 1"), BOTH_MAY_TRY),
    ("webhook_endpoints_count_their_versions", of_hook("version = 2147483647"), BOTH_MAY_TRY),
    ("webhook_endpoints_deleted_are_inactive", of_hook("deleted_at = now()"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_pings_are_not_negative", of_hook("pings = -1"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_keep_their_owner", of_hook("user_id = %(bob)s"), OWNER_ALONE),
    ("webhook_endpoints_keep_their_owner", of_hook("created_at = now()"), OWNER_ALONE),
    ("webhook_endpoints_keep_their_owner", of_hook("deleted_at = NULL", "gone"), GATEWAY_MAY_TRY),
    ("webhook_endpoints_keep_their_owner", of_hook("is_active = true", "gone"), BOTH_MAY_TRY),
    ("webhook_endpoints_are_never_deleted", "DELETE FROM webhook_endpoints WHERE id = %(hook)s", OWNER_ALONE),
    ("webhook_endpoints_are_never_truncated", "TRUNCATE webhook_endpoints CASCADE", OWNER_ALONE),
    (NO_BREAK, secret(), GATEWAY_MAY_TRY),
    ("webhook_secrets_are_well_formed", secret(secret="'whsec_short'"), GATEWAY_MAY_TRY),
    ("webhook_secrets_are_well_formed", secret(secret="'hunter2'"), GATEWAY_MAY_TRY),
    ("webhook_secrets_are_well_formed", secret(secret=f"'whsec_{'-' * 44}'"), GATEWAY_MAY_TRY),
    ("webhook_secrets_one_newest", secret(endpoint_id="%(hook)s"), GATEWAY_MAY_TRY),
    ("webhook_secrets_only_end", of_secret("expires_at = now() + interval '1 day'"), GATEWAY_MAY_TRY),
    ("webhook_secrets_only_end", of_secret("expires_at = NULL"), GATEWAY_MAY_TRY),
    (NO_BREAK, of_secret("expires_at = now()"), GATEWAY_MAY_TRY),
    ("webhook_secrets_only_end", of_secret(f"secret = {SECRET}"), OWNER_ALONE),
    ("webhook_secrets_only_end", of_secret("endpoint_id = %(gone)s", "newest"), OWNER_ALONE),
    (NO_BREAK, "SELECT secret FROM webhook_secrets", {"gateway": DENIED}),
    (NO_BREAK, "SELECT id, endpoint_id, created_at, expires_at FROM webhook_secrets", BOTH_MAY_TRY),
    (NO_BREAK, f"{secret()} RETURNING secret", OWNER_ALONE),
    (NO_BREAK, "DELETE FROM webhook_secrets", OWNER_ALONE),
    (NO_BREAK, delivery(), WORKER_MAY_TRY),
    ("webhook_deliveries_one_per_event", delivery(sequence="7"), WORKER_MAY_TRY),
    ("webhook_deliveries_endpoint_id_fkey", delivery(endpoint_id="%(new)s"), WORKER_MAY_TRY),
    (
        "webhook_deliveries_state_is_known",
        of_delivery("state = 'lost', next_attempt_at = NULL, finished_at = now()"),
        SENT_AGAIN,
    ),
    ("webhook_deliveries_pending_exactly_with_next", of_delivery("next_attempt_at = NULL"), SENT_AGAIN),
    ("webhook_deliveries_pending_exactly_with_next", of_delivery("next_attempt_at = now()", "done"), SENT_AGAIN),
    (NO_BREAK, of_delivery("state = 'delivered', next_attempt_at = NULL, finished_at = now()"), SENT_AGAIN),
    (NO_BREAK, of_delivery("next_attempt_at = now() + interval '1 s'"), SENT_AGAIN),
    (NO_BREAK, of_delivery("tries_left = 0"), SENT_AGAIN),
    ("webhook_deliveries_finished_exactly_when_done", of_delivery("finished_at = now()"), BOTH_MAY_TRY),
    ("webhook_deliveries_finished_exactly_when_done", of_delivery("finished_at = NULL", "done"), SENT_AGAIN),
    ("webhook_deliveries_attempts_are_not_negative", of_delivery("attempts = -1"), WORKER_MAY_TRY),
    ("webhook_deliveries_tries_are_bounded", of_delivery("tries_left = -1"), SENT_AGAIN),
    ("webhook_deliveries_tries_are_bounded", of_delivery("tries_left = 11"), SENT_AGAIN),
    ("webhook_deliveries_last_error_is_bounded", of_delivery("last_error = ''"), WORKER_MAY_TRY),
    ("webhook_deliveries_last_error_is_bounded", of_delivery("last_error = repeat('x', 101)"), WORKER_MAY_TRY),
    *(
        ("webhook_deliveries_keep_their_event", of_delivery(f"{column} = {value}"), OWNER_ALONE)
        for column, value in {
            **{"endpoint_id": "%(gone)s", "sequence": "8", "name": "'ping'", "subject_id": "%(bob)s"},
            **{"version": "9", "occurred_at": "now() + interval '1 s'", "created_at": "now() + interval '1 s'"},
        }.items()
    ),
    (NO_BREAK, "DELETE FROM webhook_deliveries", {"gateway": DENIED}),
    ("webhook_attempts_error_is_bounded", attempt(attempt="2", error="''"), WORKER_MAY_TRY),
    ("webhook_attempts_error_is_bounded", attempt(attempt="2", error="repeat('x', 101)"), WORKER_MAY_TRY),
    ("webhook_attempts_answer_is_bounded", attempt(attempt="2", answer="''"), WORKER_MAY_TRY),
    (
        "webhook_attempts_answer_is_bounded",
        attempt(attempt="2", answer="decode(repeat('00', 1025), 'hex')"),
        WORKER_MAY_TRY,
    ),
    ("webhook_attempts_reason_is_bounded", attempt(attempt="2", reason="''"), WORKER_MAY_TRY),
    ("webhook_attempts_reason_is_bounded", attempt(attempt="2", reason="repeat('x', 201)"), WORKER_MAY_TRY),
    ("webhook_attempts_pkey", attempt(), WORKER_MAY_TRY),
    (NO_BREAK, "UPDATE webhook_attempts SET status = 200", OWNER_ALONE),
    (NO_BREAK, "UPDATE event_positions SET sequence = 0", {"gateway": DENIED}),
    (NO_BREAK, "INSERT INTO event_positions (reader, xact, sequence) VALUES ('me', '3', 0)", OWNER_ALONE),
]  # fmt: skip


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize(("owner", "sql", "others"), ATTACKS, ids=lambda part: str(part)[:60])
def test_attack_is_stopped_by_the_named_constraint(
    shared_world: Builder, new: dict[str, str], owner: str | None, sql: str, others: dict[str, str], role: str
) -> None:
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, new) == others.get(role, owner)

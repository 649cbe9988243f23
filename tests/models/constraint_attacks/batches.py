"""What a selection and a batch of retries may be."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, both, by_all, insert


def selection(**columns: str) -> str:
    """A new selection of a payment by one of ops, with columns of it replaced."""
    values = {"user_id": "%(ops)s", "filter": """'{{"parked": true}}'""", "payment_ids": "ARRAY[%(held)s::uuid]"}
    return insert("selections", values | columns)


def of_selection(assignments: str) -> str:
    """A change of a selection."""
    return f"UPDATE selections SET {assignments} WHERE id = %(fresh)s"


def batch(**columns: str) -> str:
    """A new batch of what one of ops selected, with columns of it replaced."""
    values = {"id": "%(new)s", "selection_id": "%(fresh)s", "user_id": "%(ops)s", "reason": "'mended'"}
    return insert("batches", values | columns)


def of_batch(assignments: str, state: str = "running") -> str:
    """A change of a batch: one that is running, stopped or ended."""
    return f"UPDATE batches SET {assignments} WHERE id = %({state})s"


def of_item(assignments: str, state: str = "running") -> str:
    """A change of the payment of a batch: one that is running, stopped or ended."""
    return f"UPDATE batch_items SET {assignments} WHERE batch_id = %({state})s"


STOPPED = "stopped_at = now(), stop_reason = 'wrong ones'"

ATTACKS = {
    # selections
    "selection by a list": by_all(selection(filter="'[]'"), "selections_filter_is_bounded"),
    "selection by a filter without end": by_all(
        selection(filter="jsonb_build_object('ids', repeat('x', 100000))"), "selections_filter_is_bounded"
    ),
    **{
        f"selection of {what}": by_all(selection(payment_ids=ids), "selections_payments_are_bounded")
        for what, ids in {
            "nothing": "'{{}}'",
            "NULL": "ARRAY[NULL]::uuid[]",
            "10,001 payments": "array_fill(%(held)s::uuid, ARRAY[10001])",
        }.items()
    },
    "selection by a client": by_all(selection(user_id="%(ann)s"), "selections_are_of_ops"),
    "selection by nobody": Attack(
        selection(user_id="NULL"), NO_BREAK, NO_BREAK, "selections_of_the_shell_are_the_workers"
    ),
    "selection that lives on": Attack(selection(expires_at="'infinity'"), NO_BREAK),
    "selection changed": Attack(of_selection("payment_ids = ARRAY[%(open)s::uuid]"), "selections_never_change"),
    "selection deleted while it is used": both(
        "DELETE FROM selections WHERE id = %(fresh)s", "selections_are_deleted_when_expired"
    ),
    "TRUNCATE selections": Attack("TRUNCATE selections CASCADE", "selections_are_never_truncated"),
    # batches
    "batch of another's selection": by_all(batch(user_id="%(chief)s"), "batches_use_their_own_selection"),
    "batch of no selection": by_all(batch(selection_id="%(new)s"), "batches_use_their_own_selection"),
    "batch of a selection that has expired": by_all(batch(selection_id="%(expired)s"), "batches_use_a_fresh_selection"),
    "second batch of a selection": by_all(batch(selection_id="%(spent)s"), "batches_use_a_selection_once"),
    "batch by nobody": Attack(
        batch(user_id="NULL", selection_id="%(shell)s"), NO_BREAK, NO_BREAK, "batches_of_the_shell_are_the_workers"
    ),
    "batch without a word why": by_all(batch(reason="''"), "batches_reasons_are_bounded"),
    "batch that is done at birth": Attack(batch(ended_at="now()"), "batches_end_exactly_when_all_are_decided"),
    "batch with a total of its own": Attack(batch(total="1000"), NO_BREAK),
    "batch stopped without a word why": by_all(
        of_batch("stopped_at = now(), stopped_by = %(ops)s"), "batches_are_stopped_wholly"
    ),
    "batch stopped by a client": by_all(of_batch(f"{STOPPED}, stopped_by = %(ann)s"), "batches_are_stopped_by_ops"),
    "batch stopped by nobody": Attack(of_batch(STOPPED), NO_BREAK, NO_BREAK, "batches_are_stopped_by_name"),
    "batch stopped twice": by_all(of_batch(f"{STOPPED}, stopped_by = %(chief)s", "stopped"), "batches_only_go_forward"),
    "batch of another reason": Attack(of_batch("reason = 'other'"), "batches_only_go_forward"),
    "stopped batch that retries": both(of_batch("retried = 1", "stopped"), "batches_only_go_forward"),
    "batch opened again": both(of_batch("ended_at = NULL", "ended"), "batches_only_go_forward"),
    "batch beyond its payments": both(of_batch("retried = total + 1"), "batches_count_each_payment_once"),
    "batch done before its payments": both(of_batch("ended_at = now()"), "batches_end_exactly_when_all_are_decided"),
    "DELETE FROM batches": Attack("DELETE FROM batches", "batches_are_never_deleted"),
    "TRUNCATE batches": Attack("TRUNCATE batches CASCADE", "batches_are_never_truncated"),
    # their payments
    "payment added to a batch": Attack(
        insert("batch_items", {"batch_id": "%(running)s", "payment_id": "%(open)s"}),
        "batch_items_are_listed_by_a_trigger",
    ),
    "payment of a batch paid": both(of_item("outcome = 'paid', decided_at = now()"), "batch_items_outcome_is_known"),
    "payment of a batch skipped for fun": both(
        of_item("outcome = 'skipped', skip_reason = 'fun', decided_at = now()"), "batch_items_skip_reason_is_known"
    ),
    **{
        f"payment of a batch with {what}": both(of_item(columns), "batch_items_are_decided_wholly")
        for what, columns in {
            "an outcome and no time": "outcome = 'retried'",
            "a time and no outcome": "decided_at = now()",
            "no reason": "outcome = 'skipped', decided_at = now()",
            "a reason too many": "outcome = 'retried', skip_reason = 'final', decided_at = now()",
        }.items()
    },
    "payment of a batch decided twice": both(
        of_item("outcome = 'skipped', skip_reason = 'final'", "ended"), "batch_items_are_decided_once"
    ),
    "DELETE FROM batch_items": Attack("DELETE FROM batch_items", "batch_items_are_never_deleted"),
    "TRUNCATE batch_items": Attack("TRUNCATE batch_items", "batch_items_are_never_truncated"),
}

IDS = ("fresh", "expired", "spent", "shell", "running", "stopped", "ended")
"""Names of selections and batches in the statements."""

SETUP = f"""
INSERT INTO selections (id, user_id, filter, payment_ids, expires_at)
SELECT id, user_id::uuid, '{{"parked": true}}', ARRAY[%(held)s::uuid], now() + lifetime
FROM (VALUES (%(fresh)s::uuid, %(ops)s, interval '1 hour'), (%(spent)s, %(ops)s, interval '1 hour'),
             (%(shell)s, NULL, interval '1 hour'), (%(running)s, %(ops)s, interval '1 hour'),
             (%(stopped)s, %(ops)s, interval '1 hour'), (%(expired)s, %(ops)s, interval '0')
) AS s (id, user_id, lifetime);
INSERT INTO batches (id, selection_id, user_id, reason)
SELECT id::uuid, selection::uuid, %(ops)s, 'mended'
FROM (VALUES (%(ended)s, %(spent)s), (%(running)s, %(running)s), (%(stopped)s, %(stopped)s)) AS b (id, selection);
{of_batch(f"{STOPPED}, stopped_by = %(ops)s", "stopped")};
{of_item("outcome = 'retried', decided_at = now()", "ended")};
{of_batch("retried = 1, ended_at = now()", "ended")};
"""
"""Selections and batches in each of their states, by the name of each."""

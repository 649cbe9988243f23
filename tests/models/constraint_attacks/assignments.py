"""Who took what needs a person; samples of the backlog; notes."""

from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, Attack, both, by_all, insert


def taken(**columns: str) -> str:
    """An item that one of ops takes, with columns of it replaced."""
    given = {"id": "%(new)s", "kind": "'parked'", "subject": "'x'", "since": "'2026-11-01'", "taken_by": "%(ops)s"}
    return insert("assignments", given | columns)


def given(assignments: str, state: str = "taken") -> str:
    """A change of an assignment: one that is taken, or one that is given back."""
    return f"UPDATE assignments SET {assignments} WHERE subject = '{state}'"


def sample(**columns: str) -> str:
    """A sample of the backlog, with columns of it replaced."""
    values = {"minute": "'2026-11-01T12:00:00Z'", "waiting": "1", "oldest_due_seconds": "0.5"}
    return insert("backlog_samples", values | columns)


def note(text: str) -> str:
    """A note about a payment."""
    values = {"actor": "'ops'", "action": "'payments.note'", "target": "'x'", "reason": text}
    return insert("audit_log", values)


SETUP = """
INSERT INTO assignments (id, kind, subject, since, given_at) VALUES
    (gen_random_uuid(), 'parked', 'taken', '2026-11-01', NULL),
    (gen_random_uuid(), 'parked', 'given', '2026-11-01', now());
INSERT INTO audit_log (actor, action, target, reason) VALUES ('ops', 'payments.note', 'x', 'the same words');
"""

IMBALANCE = "INSERT INTO imbalances (currency, amount) VALUES ('JPY', {})"

ATTACKS = {
    "item as ops take it": by_all(taken(), NO_BREAK),  # type: ignore[arg-type]
    "item of no kind": by_all(taken(kind="'lost'"), "assignments_kind_is_known"),
    "item of nothing": by_all(taken(subject="''"), "assignments_subject_is_bounded"),
    "item taken for an empty reason": by_all(taken(reason="''"), "assignments_reasons_are_bounded"),
    "item taken twice": by_all(taken(subject="'taken'"), "assignments_one_of_each"),
    "item taken by a client": by_all(taken(taken_by="%(ann)s"), "assignments_are_of_ops"),
    "item taken by ops who left": by_all(taken(taken_by="%(left)s"), "assignments_are_of_ops"),
    "item taken by nobody": Attack(taken(taken_by="NULL"), NO_BREAK, NO_BREAK, "assignments_are_of_ops"),
    "item given back by a client": by_all(given("given_at = now(), given_by = %(ann)s"), "assignments_are_of_ops"),
    "item given back by nobody": Attack(given("given_at = now()"), NO_BREAK, NO_BREAK, "assignments_are_of_ops"),
    "item given back at no time": by_all(given("given_by = %(ops)s"), "assignments_are_given_back_wholly"),
    "item given back twice": by_all(given("given_at = now(), given_by = %(ops)s", "given"), "assignments_end_once"),
    "item of another": Attack(given("taken_by = %(chief)s"), "assignments_end_once"),
    "DELETE FROM assignments": Attack("DELETE FROM assignments", "assignments_are_never_deleted"),
    "TRUNCATE assignments": Attack("TRUNCATE assignments", "assignments_are_never_truncated"),
    "sample as a worker takes it": Attack(sample(), NO_BREAK, NO_BREAK, DENIED),
    "sample between minutes": both(sample(minute="'2026-11-01T12:00:01Z'"), "backlog_samples_are_of_minutes"),
    "sample of less than nothing": both(sample(waiting="-1"), "backlog_samples_are_not_negative"),
    "sample without an end": both(sample(oldest_due_seconds="'NaN'"), "backlog_samples_are_not_negative"),
    "sum as a worker sees it": Attack(IMBALANCE.format(1), NO_BREAK, NO_BREAK, DENIED),
    **{
        f"sum of {amount}": both(IMBALANCE.format(amount), "imbalances_amount_is_whole")
        for amount in ("0.5", "'NaN'", "'Infinity'", "1e60")
    },
    "note of other words": by_all(note("'other words'"), NO_BREAK),  # type: ignore[arg-type]
    "note written twice": by_all(note("'the same words'"), "audit_log_notes_once"),
}

ASSIGNMENTS = {
    ("INSERT", "assignments"): {"id", "kind", "subject", "since", "reason", "taken_by"},
    ("UPDATE", "assignments"): {"given_by", "given_at", "given_reason"},
}
"""The columns that both roles may write, by right and table."""

SAMPLES_AND_FILES = {
    ("INSERT", "backlog_samples"): {"minute", "waiting", "oldest_due_seconds"},
    ("UPDATE", "backlog_samples"): {"waiting", "oldest_due_seconds"},
    ("INSERT", "imbalances"): {"currency", "amount"},
    ("UPDATE", "imbalances"): {"amount", "looked_at"},
    ("INSERT", "rail_files"): {"id", "rail", "state", "name", "items"},
    ("INSERT", "rail_file_contents"): {"file_id", "content", "hash"},
}
"""Those that workers alone may write."""

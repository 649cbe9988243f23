"""Bank statements in the schema: what stops each role from storing impossible ones, or changing stored ones."""

import pytest

from models.user import Role
from tests.builders import Builder, new_id
from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, insert, stopper

TRY = "sha256('another file')"


def statement(**columns: str) -> str:
    """A new statement, with columns of it replaced."""
    values = {"id": "%(new)s", "hash": TRY, "form": "'csv'", "begins_on": "'2026-11-20'", "ends_on": "'2026-11-20'"}
    return insert("bank_statements", values | {"uploaded_by": "%(ops)s"} | columns)


def line(**columns: str) -> str:
    """A new line, with columns of it replaced."""
    values = {"statement_id": "%(kept)s", "line": "9", "booked_on": "'2026-11-20'", "direction": "'debit'"}
    match = {"amount": "100", "currency": "'EUR'", "verdict": "'missing_here'"}
    return insert("bank_statement_lines", values | match | columns)


def of_line(assignments: str, number: int = 1) -> str:
    """A change of a line: 1 is missing here, 2 was matched by us, 3 by a person; 4 is missing there, 5 is put aside."""
    return f"UPDATE bank_statement_lines SET {assignments} WHERE statement_id = %(kept)s AND line = {number}"


BY_HAND = "matched_payment_id = %(new)s, match_reason = 'x', matched_by = %(ops)s, matched_at = now()"

ASIDE = "dismiss_category = 'fee', dismiss_reason = 'x', dismissed_by = %(ops)s, dismissed_at = now()"

DISMISSALS = {
    of_line(ASIDE): NO_BREAK,
    of_line(ASIDE.replace("'fee'", "'gift'")): "bank_statement_lines_dismiss_category_is_known",
    of_line(ASIDE.replace("'x'", "''")): "bank_statement_lines_dismiss_reason_is_bounded",
    of_line("dismiss_category = 'fee'"): "bank_statement_lines_are_dismissed_wholly",
    of_line("dismissed_by = %(ops)s"): "bank_statement_lines_are_dismissed_wholly",
    of_line(ASIDE, 2): "bank_statement_lines_dismissed_are_the_banks",
    of_line(ASIDE, 4): "bank_statement_lines_dismissed_are_the_banks",
    of_line(ASIDE, 5): "bank_statement_lines_are_dismissed_once",
    of_line("dismissed_at = NULL, dismissed_by = NULL, dismiss_category = NULL, dismiss_reason = NULL", 5): (
        "bank_statement_lines_are_dismissed_once"
    ),
    of_line(ASIDE.replace("%(ops)s", "%(ann)s")): "bank_statement_lines_dismissals_are_of_ops",
    of_line(ASIDE.replace("%(ops)s", "%(new)s")): "bank_statement_lines_dismissals_are_of_ops",
}
"""Lines put aside, by worker and gateway alike."""

BREAKS = {
    line(verdict="'expected'", payment_id="%(new)s"): "bank_statement_lines_expected_on_a_day",
    line(value_date="'infinity'"): "bank_statement_lines_expected_on_a_day",
    of_line(BY_HAND, 5): "bank_statement_lines_are_dismissed_once",
    statement(): NO_BREAK,
    statement(hash="sha256('kept')"): "bank_statements_one_per_file",
    statement(hash="'x'"): "bank_statements_hash_is_sha256",
    statement(form="'pdf'"): "bank_statements_form_is_known",
    statement(account="''"): "bank_statements_account_is_bounded",
    statement(account="repeat('x', 141)"): "bank_statements_account_is_bounded",
    statement(ends_on="'2026-11-19'"): "bank_statements_period_is_bounded",
    statement(begins_on="'2025-11-18'"): "bank_statements_period_is_bounded",
    statement(uploaded_by="%(new)s"): "bank_statements_are_of_ops",
    statement(uploaded_by="%(ann)s"): "bank_statements_are_of_ops",
    statement(set_aside="'[{}]'"): NO_BREAK,
    statement(set_aside="'{}'"): "bank_statements_set_aside_is_a_short_list",
    statement(set_aside="(SELECT jsonb_agg(n) FROM generate_series(1, 1001) n)"): (
        "bank_statements_set_aside_is_a_short_list"
    ),
    line(): NO_BREAK,
    line(account="''"): "bank_statement_lines_account_is_bounded",
    line(account="repeat('x', 141)"): "bank_statement_lines_account_is_bounded",
    line(line="1"): "bank_statement_lines_pkey",
    line(line="0"): "bank_statement_lines_number_is_bounded",
    line(line="100001"): "bank_statement_lines_number_is_bounded",
    line(statement_id="%(new)s"): "bank_statement_lines_statement_id_fkey",
    line(direction="'both'"): "bank_statement_lines_direction_is_known",
    line(amount="0"): "bank_statement_lines_amount_is_positive",
    line(amount="-1"): "bank_statement_lines_amount_is_positive",
    line(amount="'NaN'"): "bank_statement_lines_amount_is_positive",
    line(currency="'XXX'"): "bank_statement_lines_currency_fkey",
    line(end_to_end_id="repeat('x', 141)"): "bank_statement_lines_texts_are_bounded",
    line(bank_reference="repeat('x', 141)"): "bank_statement_lines_texts_are_bounded",
    line(description="repeat('x', 141)"): "bank_statement_lines_texts_are_bounded",
    line(verdict="'lost'", payment_id="%(new)s"): "bank_statement_lines_verdict_is_known",
    line(verdict="'mismatched'", payment_id="%(new)s"): "bank_statement_lines_mismatched_say_how",
    line(difference="'amount'"): "bank_statement_lines_mismatched_say_how",
    line(
        verdict="'mismatched'", difference="'colour'", payment_id="%(new)s"
    ): "bank_statement_lines_mismatched_say_how",
    line(payment_id="%(new)s"): "bank_statement_lines_name_what_is_here",
    line(verdict="'matched'"): "bank_statement_lines_name_what_is_here",
    of_line(BY_HAND): NO_BREAK,
    of_line("matched_payment_id = %(new)s"): "bank_statement_lines_are_matched_wholly",
    of_line(f"{BY_HAND}, match_reason = NULL".replace("match_reason = 'x', ", "")): (
        "bank_statement_lines_are_matched_wholly"
    ),
    of_line("matched_by = %(ops)s"): "bank_statement_lines_are_matched_wholly",
    of_line(BY_HAND.replace("%(ops)s", "%(ann)s")): "bank_statement_lines_matches_are_of_ops",
    of_line(BY_HAND.replace("'x'", "''")): "bank_statement_lines_match_reason_is_bounded",
    of_line(BY_HAND, 2): "bank_statement_lines_matched_need_no_match",
    of_line(BY_HAND, 3): "bank_statement_lines_are_matched_once",
    of_line(
        "matched_payment_id = NULL, match_reason = NULL, matched_by = NULL, matched_at = NULL", 3
    ): "bank_statement_lines_are_matched_once",
}
"""Statements and what stops worker and gateway alike."""

COUNT = {"statement_id": "%(kept)s", "verdict": "'matched'", "dated_on": "'2026-11-20'"}

OWNERS = {
    insert("bank_statement_counts", COUNT | {"lines": "1"}): "bank_statement_counts_follow_lines",
    "UPDATE bank_statement_counts SET lines = 0": "bank_statement_counts_follow_lines",
    "DELETE FROM bank_statement_counts": "bank_statement_counts_are_never_deleted",
    "TRUNCATE bank_statement_counts": "bank_statement_counts_are_never_truncated",
    "UPDATE bank_statements SET account = 'x'": "bank_statements_are_append_only",
    "DELETE FROM bank_statements": "bank_statements_are_append_only",
    "TRUNCATE bank_statements, bank_statement_lines, bank_statement_counts": "bank_statements_are_never_truncated",
    of_line("verdict = 'matched', payment_id = %(new)s"): "bank_statement_lines_are_matched_once",
    of_line("amount = 1"): "bank_statement_lines_are_matched_once",
    of_line("account = 'x'"): "bank_statement_lines_stay_with_their_account",
    of_line("value_date = '2026-11-21'"): "bank_statement_lines_are_dismissed_once",
    of_line("line = 5"): "bank_statement_lines_are_matched_once",
    "DELETE FROM bank_statement_lines": "bank_statement_lines_are_never_deleted",
    "TRUNCATE bank_statement_lines": "bank_statement_lines_are_never_truncated",
    statement(created_at="now()"): NO_BREAK,
    line(matched_by="NULL"): NO_BREAK,
}
"""Attempts that only the owner has the right to, and what stops them."""


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """Ids of what the statements speak of."""
    ids = {"new": new_id(), "ops": shared_world.user(Role.OPS), "kept": new_id(), "ann": shared_world.user()}
    with shared_world.owner.begin() as connection:
        connection.exec_driver_sql(statement(id="%(kept)s", hash="sha256('kept')"), ids)
        connection.exec_driver_sql(line(line="1"), ids)
        connection.exec_driver_sql(line(line="2", verdict="'matched'", payment_id="%(new)s"), ids)
        connection.exec_driver_sql(line(line="3"), ids)
        connection.exec_driver_sql(of_line(BY_HAND, 3), ids)
        connection.exec_driver_sql(line(line="4", verdict="'missing_there'", payment_id="%(new)s"), ids)
        connection.exec_driver_sql(line(line="5"), ids)
        connection.exec_driver_sql(of_line(ASIDE, 5), ids)
    return ids


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize("sql", [*BREAKS, *OWNERS])
def test_attack_is_stopped_by_the_named_constraint(
    shared_world: Builder, names: dict[str, str], sql: str, role: str
) -> None:
    expected = OWNERS[sql] if role == "owner" and sql in OWNERS else BREAKS.get(sql, DENIED)
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, names) == expected


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize("sql", DISMISSALS)
def test_dismissal_is_stopped_by_the_named_constraint(
    shared_world: Builder, names: dict[str, str], sql: str, role: str
) -> None:
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, names) == DISMISSALS[sql]


def test_gateway_acts_in_the_name_of_a_user(shared_world: Builder, names: dict[str, str]) -> None:
    by_nobody = {
        of_line(ASIDE.replace("%(ops)s", "NULL")): "bank_statement_lines_dismissals_are_of_ops",
        of_line(BY_HAND.replace("%(ops)s", "NULL")): "bank_statement_lines_matches_are_of_ops",
        statement(uploaded_by="NULL"): "bank_statements_are_of_ops",
    }
    for sql, stop in by_nobody.items():
        for role, expected in {"worker": NO_BREAK, "gateway": stop}.items():
            with getattr(shared_world, role).connect() as connection:
                assert stopper(connection, sql, names) == expected, sql


def test_counts_never_fall_below_zero(shared_world: Builder, names: dict[str, str]) -> None:
    """As if a count had been lost: a change of lines is refused, not counted wrongly."""
    with shared_world.owner.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE bank_statement_counts DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE bank_statement_counts SET lines = 0")
        assert stopper(connection, of_line(BY_HAND), names) == "bank_statement_counts_are_not_negative"


def test_every_line_is_counted_once(shared_world: Builder, names: dict[str, str]) -> None:
    """By `bank_statement_lines_are_counted_when_stored` and `bank_statement_lines_are_counted_when_changed`."""
    with shared_world.gateway.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT verdict, lines FROM bank_statement_counts WHERE statement_id = %(kept)s AND lines > 0", names
        )
        assert dict(map(tuple, rows)) == {"missing_here": 1, "matched": 2, "missing_there": 1, "dismissed": 1}

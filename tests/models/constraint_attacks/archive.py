"""What is archived: in what order, and what is kept in its place."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, insert

SETUP = """
INSERT INTO archived_months (month, first_id, next_id, payments, operations, manifest, dropped_at)
SELECT month, uuid_floor(month::timestamptz), uuid_floor(month + interval '1 month'), 0, 0, sha256('old'), dropped_at
FROM (VALUES ('2020-01-01'::date, now()), ('2020-02-01', NULL)) AS old (month, dropped_at);
INSERT INTO archived_sums (month, kept, period, key, numbers) VALUES ('2020-01-01', 'none', now(), '{}', '{}');
INSERT INTO archived_hashes (payment_id, month, operations, hash)
VALUES (uuid_floor('2020-01-02'), '2020-01-01', 2, sha256('old'));
INSERT INTO archived_runs (month, account_id, first_seq, last_seq, balance_before, balance_after, began_at, ended_at,
                           lines, received, paid)
VALUES ('2020-01-01', gen_random_uuid(), 1, 2, 0, 1, '2020-01-02', '2020-01-03', 1, 1, 0);
"""


def month(name: str = "2020-03-01", **columns: str) -> str:
    """A month that is archived, with columns of it replaced."""
    values = {
        "month": f"'{name}'",
        "first_id": f"uuid_floor('{name}')",
        "next_id": f"uuid_floor('{name}'::timestamptz + interval '1 month')",
        "payments": "0",
        "operations": "0",
        "manifest": "sha256('new')",
    }
    return insert("archived_months", values | columns)


def run(**columns: str) -> str:
    """A run of operations, with columns of it replaced."""
    values = {
        **{"month": "'2020-02-01'", "account_id": "%(new)s", "first_seq": "1", "last_seq": "2"},
        **{"balance_before": "0", "balance_after": "5", "began_at": "'2020-02-01'", "ended_at": "'2020-02-02'"},
        **{"lines": "1", "received": "7", "paid": "2"},
    }
    return insert("archived_runs", values | columns)


def kept_hash(**columns: str) -> str:
    """The hash of a payment, with columns of it replaced."""
    values = {"payment_id": "%(new)s", "month": "'2020-02-01'", "operations": "2", "hash": "sha256('new')"}
    return insert("archived_hashes", values | columns)


def with_checks(statement: str) -> str:
    """The statement, and at once what else waits for the end of its transaction."""
    return f"SET CONSTRAINTS ALL IMMEDIATE; {statement}"


IDS = "archived_months_ids_are_of_their_month"
FOLLOW = "archived_months_follow_each_other"
FORWARD, SUM = "archived_runs_go_forward", "archived_runs_add_up"
TABLES = ("archived_runs", "archived_sums", "archived_hashes")

ATTACKS = {
    "month as the owner archives it": Attack(month(), NO_BREAK),
    "month that begins on its second": Attack(month("2020-03-02"), IDS),
    "month of other ids": Attack(month(next_id="uuid_floor('2021-01-01')"), IDS),
    "month of fewer payments than none": Attack(month(payments="-1"), "archived_months_counts_are_not_negative"),
    "month without a manifest": Attack(month(manifest="''"), "archived_months_manifests_have_a_sha256"),
    "month before an archived one": Attack(month("2019-12-01"), FOLLOW),
    "month that has payments": Attack(month("2099-01-01"), FOLLOW),
    "month that is archived twice": Attack(month("2020-02-01"), FOLLOW),
    "month dropped before it was detached": Attack(
        "UPDATE archived_months SET dropped_at = detached_at - interval '1 s' WHERE dropped_at IS NULL",
        "archived_months_are_dropped_after_they_are_detached",
    ),
    "month that is dropped": Attack("UPDATE archived_months SET dropped_at = now() WHERE dropped_at IS NULL", NO_BREAK),
    "month dropped twice": Attack("UPDATE archived_months SET dropped_at = now()", "archived_months_are_dropped_once"),
    "month of other counts": Attack(
        "UPDATE archived_months SET payments = 1, dropped_at = now() WHERE dropped_at IS NULL",
        "archived_months_are_dropped_once",
    ),
    "month that returns": Attack("DELETE FROM archived_months WHERE month = '2020-02-01'", NO_BREAK),
    "month that returns before a newer": Attack(
        "DELETE FROM archived_months WHERE month = '2020-01-01'", "archived_months_return_newest_first"
    ),
    "TRUNCATE archived_months": Attack(
        f"TRUNCATE archived_months, {', '.join(TABLES)}", "archived_months_are_never_truncated"
    ),
    "run as it is archived": Attack(run(), NO_BREAK),
    "run that goes back": Attack(run(last_seq="0"), FORWARD),
    "run that does not add up": Attack(run(received="8"), SUM),
    "run of NaN": Attack(run(received="'NaN'", balance_after="'NaN'"), SUM),
    "run of more lines than operations": Attack(run(lines="3"), "archived_runs_lines_are_of_operations"),
    "run of a month that is not archived": Attack(with_checks(run(month="'2020-03-01'")), "archived_runs_month_fkey"),
    "sum of a month that is not archived": Attack(
        with_checks("INSERT INTO archived_sums VALUES ('2020-03-01', 'none', now(), '{{}}', '{{}}')"),
        "archived_sums_month_fkey",
    ),
    "hash as it is archived": Attack(kept_hash(), NO_BREAK),
    "hash of no operations": Attack(kept_hash(operations="0"), "archived_hashes_are_of_operations"),
    "hash of another length": Attack(kept_hash(hash="'x'"), "archived_hashes_are_sha256"),
    "hash of a month that is not archived": Attack(
        with_checks(kept_hash(month="'2020-03-01'")), "archived_hashes_month_fkey"
    ),
    **{
        f"UPDATE {table}": Attack(f"UPDATE {table} SET month = '2020-02-01'", f"{table}_are_never_changed")
        for table in TABLES
    },
    **{f"DELETE FROM {table}": Attack(f"DELETE FROM {table}", f"{table}_go_with_their_month") for table in TABLES},
    **{f"TRUNCATE {table}": Attack(f"TRUNCATE {table}", f"{table}_are_never_truncated") for table in TABLES},
    "attach_partition": Attack("SELECT attach_partition('payments', now())", "WrongObjectType"),
}

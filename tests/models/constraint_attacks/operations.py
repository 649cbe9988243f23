"""The double entry, what is only appended to, and keys and references that name one payment."""

from tests.models.constraint_attacks.statements import (
    HERE,
    NO_BREAK,
    PASS,
    THERE,
    Attack,
    both,
    by_all,
    gateways,
    operations,
    overflow,
    pair,
    pay,
    posted,
    tried,
)

ATTACKS = {
    # the double entry
    "an operation alone": both(operations((HERE, "5")), "operations_sum_to_zero"),
    "sum not zero": both(operations((HERE, "-5"), (HERE, "6")), "operations_sum_to_zero"),
    "one bad payment of a batch": both(
        operations((HERE, "-5"), (HERE, "5"), (THERE, "-5"), (THERE, "4")), "operations_sum_to_zero"
    ),
    "two bad payments that cancel out": both(operations((HERE, "-5"), (THERE, "5")), "operations_sum_to_zero"),
    "two currencies that cancel out": both(pair(HERE).replace("'EUR'", "'USD'", 1), "operations_sum_to_zero"),
    "sum not zero, into a partition": Attack(operations((HERE, "5"), into="{o}"), "operations_sum_to_zero"),
    "operations as the ledger writes them": Attack(posted(), NO_BREAK, NO_BREAK),
    "operations of what stays open": both(posted(moves="%(new)s"), "operations_are_of_what_is_completed"),
    "operations of what was completed before": both(pair(THERE), "operations_are_of_what_is_completed"),
    "operations of no payment": both(pair("%(new)s"), "operations_are_of_what_is_completed"),
    "operations of what stays open, into a partition": Attack(
        pair(HERE, into="{o}"), "operations_are_of_what_is_completed"
    ),
    "operations in another currency": both(posted(currency="'USD'"), "operations_lead_to_the_balance"),
    "operations beyond last_seq": both(posted(seq=1), "operations_lead_to_the_balance"),
    "operations that last_seq does not count": both(posted(books="%(new)s"), "operations_lead_to_the_balance"),
    "operations that leave another balance": both(posted(after=1), "operations_lead_to_the_balance"),
    "operations of no account": both(posted(account="%(new)s"), "operations_lead_to_the_balance"),
    "operations numbered as those of another": both(posted(account="%(wire)s"), "operations_lead_to_the_balance"),
    "operation of zero": both(operations((HERE, "0")), "operations_amount_is_not_zero"),
    "operation of NaN": both(operations((HERE, "'NaN'"), (HERE, "'NaN'")), "operations_amount_is_not_zero"),
    "operation of Infinity": overflow(operations((HERE, "'Infinity'"))),
    "balance_after NaN": both(pair(HERE, after="'NaN'"), "operations_balance_after_is_bounded"),
    "fork of account_seq": both(pair(HERE, seq=1), "{o}_account_seq_is_unique"),
    "account_seq of zero": both(pair(HERE, seq=0), "operations_account_seq_is_positive"),
    "operation of an unknown kind": both(pair(HERE).replace("'transfer'", "'gift'"), "operations_kind_is_known"),
    "line written twice": both(pair(THERE).replace(", 11,", ", 10,"), "{o}_pkey"),
    # append-only, in the table and in its partitions
    **{
        f"{verb} {table}": Attack(f"{verb} {table}{rest}", stop.format(state))
        for table, state in {
            "operations": "operations_are",
            "events": "events_are",
            "idempotency_keys": "idempotency_keys_are",
            "audit_log": "audit_log_is",
            "payment_attempts": "payment_attempts_are",
            "{o}": "operations_are",
        }.items()
        for verb, rest, stop in [
            ("UPDATE", " SET {column} = {column}", "{}_append_only"),
            ("DELETE FROM", "", "{}_append_only"),
            ("TRUNCATE", "", "{}_never_truncated"),
        ]
    },
    **{
        f"{verb} {table}": Attack(f"{verb} {table}", f"{name}_are_never_{stop}")
        for table, name in {
            "payments": "payments",
            "{p}": "payments",
            "payment_references": "payment_references",
        }.items()
        for verb, stop in [("DELETE FROM", "deleted"), ("TRUNCATE", "truncated")]
    },
    "SELECT from a partition": Attack("SELECT FROM {p}", NO_BREAK),
    "INSERT into a partition": Attack(
        pay(amount="0").replace("INTO payments", "INTO {p}"), "payments_amount_is_positive"
    ),
    "UPDATE of a final payment in a partition": Attack(
        "UPDATE {p} SET attempts = 1 WHERE id = %(done)s", "payments_final_is_final"
    ),
    "forged event": Attack(
        "INSERT INTO events (subject_id, version, name) VALUES (%(open)s, 9, 'payment.completed')",
        "events_are_told_by_triggers",
    ),
    "attempt of another actor": both(tried(actor="'ann'"), "payment_attempts_actor_is_known"),
    "attempt before the first": both(tried(attempt="-1"), "payment_attempts_attempt_is_not_negative"),
    "attempt with a long story": both(tried(error="repeat('x', 501)"), "payment_attempts_error_is_bounded"),
    "attempt of another time": Attack(tried(created_at="now()"), NO_BREAK),
    # one key, one reference, one payment
    "second payment under one key": by_all(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) "
        "SELECT user_id, key, fingerprint, %(new)s FROM idempotency_keys WHERE payment_id = %(done)s",
        "idempotency_keys_pkey",
    ),
    "key of a request with a short id": by_all(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id, request_id) "
        "VALUES (%(ann)s, 'k', sha256(''), %(new)s, 'seven77')",
        "idempotency_keys_request_id_is_bounded",
    ),
    **{
        f"key of an action, {what}": gateways(
            f"INSERT INTO idempotency_keys (user_id, key, fingerprint, {column}, is_action)"
            f" VALUES (%(ann)s, 'k', sha256(''), %(new)s, {value})",
            "idempotency_keys_actions_are_on_payments",
        )
        for what, column, value in (("on an account", "account_id", "true"), ("that is none", "payment_id", "false"))
    },
    "key of nothing": by_all(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint) VALUES (%(ann)s, 'k', sha256(''))",
        "idempotency_keys_name_one_thing",
    ),
    "second payment under one reference": gateways(
        "INSERT INTO payment_references (merchant_id, reference, payment_id) VALUES (%(shop)s, 'A-1', %(new)s)",
        "payment_references_pkey",
    ),
    **{
        f"reference of {what}": gateways(
            f"UPDATE payment_references SET {change} WHERE reference = '{reference}'", stopped_by
        )
        for what, reference, change, stopped_by in [
            ("a completed payment for a new one", "A-1", "payment_id = %(paid_again)s", PASS),
            ("a failed payment for none", "A-2", "payment_id = %(new)s", PASS),
            ("a failed payment for one with another", "A-2", "payment_id = %(open)s", PASS),
            ("a failed payment for the same", "A-2", "payment_id = payment_id", PASS),
            ("a failed payment for another's", "A-2", "payment_id = %(others)s", PASS),
            ("a failed payment for a new one", "A-2", "payment_id = %(again)s", NO_BREAK),
        ]
    },
    "another word for a reference": Attack(
        "UPDATE payment_references SET reference = 'A-3' WHERE reference = 'A-2'", PASS
    ),
    "reference of another merchant": Attack(
        "UPDATE payment_references SET merchant_id = %(ann)s WHERE reference = 'A-2'", PASS
    ),
}

"""The plain bounds of each column, broken in SQL by the owner, whom no right stops: which constraint refuses."""

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

LONG = "repeat('x', {length})"
USER = "INSERT INTO users (id, email, role, name) VALUES (gen_random_uuid(), {email}, {role}, {name})"
TOKEN = (
    "WITH u AS (INSERT INTO users (id, email, role, name) "
    "VALUES (gen_random_uuid(), 'ann@example.com', 'client', 'Ann') RETURNING id) "
    "INSERT INTO tokens (id, user_id, hash, prefix, last4) "
    "SELECT gen_random_uuid(), id, {hash}, 'pay_', 'last' FROM u, generate_series(1, {copies})"
)
CURRENCY = "INSERT INTO currencies (code, digits, kind, name{columns}) VALUES ({code}, 2, {kind}, 'Shell'{values})"
PAYMENT = (
    "INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, {column}) VALUES "
    "(uuid_floor(now()), 'transfer', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'EUR', {value})"
)
KEY = "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) VALUES ({me}, {key}, {print}, {me})"
AUDIT = "INSERT INTO audit_log (actor, action, target, reason) VALUES ({actor}, {action}, 'books', {reason})"
WALLET = (
    "WITH u AS (INSERT INTO users (id, email, role, name) "
    "VALUES (gen_random_uuid(), 'ann@example.com', 'client', 'Ann') RETURNING id) "
    "INSERT INTO accounts (id, token, owner_id, currency, label) "
    "SELECT gen_random_uuid(), 'wal_0123456789abcdef012345', id, 'EUR', {label} FROM u, generate_series(1, {copies})"
)


def user(email: str = "'ann@example.com'", role: str = "'client'", name: str = "'Ann'") -> str:
    return USER.format(email=email, role=role, name=name)


def currency(code: str = "'SHL'", kind: str = "'custom'", columns: str = "", values: str = "") -> str:
    return CURRENCY.format(code=code, kind=kind, columns=columns, values=values)


def key(name: str = "'k'", print_: str = "sha256('')") -> str:
    return KEY.format(me="gen_random_uuid()", key=name, print=print_)


def audit(actor: str = "'ops'", action: str = "'look'", reason: str = "NULL") -> str:
    return AUDIT.format(actor=actor, action=action, reason=reason)


def long(length: int) -> str:
    return LONG.format(length=length)


BOUNDS = [
    ("users_role_is_known", [user(role="'king'")]),
    ("users_email_is_bounded", [user(email="'a@'"), user(email=long(255))]),
    ("users_name_is_bounded", [user(name="''"), user(name=long(101))]),
    ("tokens_hash_is_sha256", [TOKEN.format(hash="'\\x00'::bytea", copies=1)]),
    ("tokens_hash_is_unique", [TOKEN.format(hash="sha256('')", copies=2)]),
    ("currencies_code_is_well_formed", [currency(code=code) for code in ("'shl'", "'SH'", "'1SH'", "'ABCDEFGHIJKLM'")]),
    ("currencies_kind_is_known", [currency(kind="'shell'")]),
    (
        "currencies_minimum_is_bounded",
        [currency(columns=", minimum", values=f", {value}") for value in ("0", "-1", "'NaN'")],
    ),
    (
        "currencies_maximum_is_bounded",
        [
            currency(columns=", minimum, maximum", values=f", {values}")
            for values in ("NULL, 0", "5, 4", "NULL, 'NaN'", "1, 'NaN'")
        ],
    ),
    ("accounts_label_is_bounded", [WALLET.format(label=label, copies=1) for label in ("''", long(101))]),
    ("accounts_token_is_unique", [WALLET.format(label="'mine'", copies=2)]),
    ("payments_state_is_known", [PAYMENT.format(column="state", value="'PAID'")]),
    ("payments_summary_is_bounded", [PAYMENT.format(column="summary", value=long(71))]),
    ("payments_reference_is_bounded", [PAYMENT.format(column="reference", value=v) for v in ("''", long(101))]),
    (
        "operations_line_is_not_negative",
        [
            "INSERT INTO operations (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq) "
            "SELECT uuid_floor(now()), line, gen_random_uuid(), 2 * line + 3, 'EUR', 'transfer', 0, 1 "
            "FROM unnest(ARRAY[-1, -2]) AS line"
        ],
    ),
    ("idempotency_keys_key_is_bounded", [key("''"), key(long(256))]),
    ("idempotency_keys_fingerprint_is_sha256", [key(print_="'\\x00'::bytea")]),
    (
        "payment_references_reference_is_bounded",
        [
            f"INSERT INTO payment_references VALUES (gen_random_uuid(), {reference}, gen_random_uuid())"
            for reference in ("''", long(101))
        ],
    ),
    (
        "events_one_per_version",
        [
            "ALTER TABLE events DISABLE TRIGGER USER; "  # it would refuse first
            "INSERT INTO events (subject_id, version, name) "
            "SELECT uuid_floor('2026-01-01'), 1, 'payment.initiated' FROM generate_series(1, 2)"
        ],
    ),
    (
        "events_pkey",
        [
            "ALTER TABLE events DISABLE TRIGGER USER; "
            "INSERT INTO events (sequence, subject_id, version, name) OVERRIDING SYSTEM VALUE "
            "SELECT 1, uuid_floor('2026-01-01'), version, 'payment.initiated' FROM generate_series(1, 2) AS version"
        ],
    ),
    (
        "worker_heartbeats_name_is_bounded",
        [f"INSERT INTO worker_heartbeats (name) VALUES ({name})" for name in ("''", long(256))],
    ),
    ("audit_log_actor_is_bounded", [audit(actor="''"), audit(actor=long(256))]),
    ("audit_log_action_is_bounded", [audit(action="''"), audit(action=long(101))]),
    ("audit_log_reason_is_bounded", [audit(reason="''"), audit(reason=long(501))]),
]


@pytest.mark.parametrize(
    ("constraint", "sql"),
    [(name, sql) for name, statements in BOUNDS for sql in statements],
    ids=lambda text: text[:40],
)
def test_value_out_of_bounds_is_refused(owner: Engine, constraint: str, sql: str):
    with owner.connect() as connection, pytest.raises(IntegrityError) as refused:
        connection.exec_driver_sql(sql)
    assert refused.value.orig.diag.constraint_name == constraint

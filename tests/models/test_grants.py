"""All rights of the worker and the gateway, as PostgreSQL knows them: a widened grant is a red test."""

import pytest
from sqlalchemy.exc import ProgrammingError

from models.session import transaction
from tests.models.constraint_attacks.assignments import ASSIGNMENTS, SAMPLES_AND_FILES
from tests.models.constraint_attacks.final_counts import FINAL_COUNTS
from tests.models.constraint_attacks.freezes import FREEZES_AND_PAUSES
from tests.models.constraint_attacks.merchant_sums import MERCHANT_SUMS
from tests.models.constraint_attacks.period_sums import PERIOD_SUMS
from tests.models.constraint_attacks.saved_views import SAVED_VIEWS
from tests.models.granted_columns import (
    ACCOUNT,
    ADJUSTMENTS,
    ATTEMPT,
    BATCH,
    CURRENCY,
    DEED,
    FUNCTION_RIGHTS,
    MEMBERS,
    OPS_ACTIONS,
    ORDER,
    OWNER_INVITATIONS,
    SECOND_FACTORS,
    SELECTION,
    SELF,
    SESSION,
    STATEMENTS,
    STOP,
    TOKEN,
)  # fmt: skip
from tests.support import engine_of

READ_BY_BOTH = {
    ("SELECT", table)
    for table in [
        *("users", "tokens", "currencies", "accounts", "payments", "operations", "idempotency_keys"),
        *("payment_references", "events", "worker_heartbeats", "confirmations", "commands", "audit_log"),
        *("commission_terms", "exchange_rates", "quotes", "adjustments", "bulks", "bank_accounts"),
        *("instructions", "returns", "rail_positions", "rail_files", "rail_file_contents", "inquiries", "resolutions"),
        *("bank_statements", "bank_statement_lines", "bank_statement_counts"),
        *("login_throttles", "charge_limits", "blocked_merchants"),
        *("selections", "batches", "batch_items", "freezes", "pauses", "paused_payments"),
        *("assignments", "backlog_samples", "saved_views", "merchant_sums", "merchant_sum_positions"),
        *("archived_months", "archived_runs", "archived_sums", "archived_hashes"),
        *("imbalances", "final_payment_counts", "payment_sums", "movement_sums"),
        *("refund_totals", "payment_children", "ledger_batches", "breaches", "verification_positions"),
        *("receipt_keys", "checkpoints", "memberships", "invitations", "makers"),
        *("payment_attempts", "webhook_endpoints", "webhook_deliveries", "webhook_attempts", "event_positions"),
    ]
}
TABLE_RIGHTS = {
    "payments_gateway": READ_BY_BOTH
    | {(right, "login_throttles") for right in ("INSERT", "UPDATE", "DELETE")}
    | {(right, table) for right in ("SELECT", "DELETE") for table in ("second_factors", "recovery_codes")}
    | {("DELETE", table) for table in ("charge_limits", "blocked_merchants", "memberships", "saved_views")},
    "payments_worker": READ_BY_BOTH
    | {("INSERT", "worker_heartbeats"), ("UPDATE", "worker_heartbeats"), ("DELETE", "login_throttles")}
    | {("SELECT", "webhook_secrets")}
    | {("DELETE", "webhook_deliveries"), ("DELETE", "webhook_attempts"), ("DELETE", "selections")}
    | {("DELETE", "paused_payments"), ("DELETE", "second_factors"), ("DELETE", "backlog_samples")}
    | {("DELETE", "saved_views")},
}
COLUMN_RIGHTS = {
    "payments_gateway": {
        ("INSERT", "selections"): SELECTION,
        ("INSERT", "batches"): BATCH,
        ("UPDATE", "batches"): STOP,
        ("SELECT", "alembic_version"): {"version_num"},
        ("INSERT", "accounts"): ACCOUNT,
        ("UPDATE", "accounts"): {"label", "is_active", "version", "token"},
        ("INSERT", "charge_limits"): {"account_id", "merchant_id", "per_charge", "per_day"},
        ("INSERT", "blocked_merchants"): {"account_id", "merchant_id"},
        ("INSERT", "currencies"): {"code", "digits", "kind", *CURRENCY},
        ("UPDATE", "currencies"): {"is_active", "version", *CURRENCY},
        ("INSERT", "payments"): {"bulk_id", "bulk_line", *ORDER},
        ("INSERT", "idempotency_keys"): {
            *("user_id", "key", "fingerprint", "payment_id", "request_id", "account_id", "adjustment_id", "bulk_id"),
            *("signed_up", "is_action"),
        },
        ("INSERT", "bank_accounts"): {"id", "merchant_id", "organization_name", "iban", "bic", "account_id"},
        ("UPDATE", "bank_accounts"): {"is_active", "version"},
        ("INSERT", "bulks"): {
            *("id", "kind", "mode", "user_id", "bank_account_id", "source_id", "target_id", "currency", "total"),
            *("lines", "is_open"),
        },
        ("UPDATE", "bulks"): {"total", "lines", "is_open"},
        **ADJUSTMENTS,
        **(FREEZES_AND_PAUSES | ASSIGNMENTS | SAVED_VIEWS),
        ("INSERT", "payment_references"): {"merchant_id", "reference", "payment_id"},
        ("UPDATE", "payment_references"): {"payment_id"},
        ("INSERT", "users"): {"id", "email", "role"} | SELF,
        ("UPDATE", "users"): {"email_confirmed_at", "is_active", *SELF},
        ("INSERT", "tokens"): SESSION | TOKEN,
        ("UPDATE", "tokens"): {"last_used_at", "revoked_at", "expires_at", "replaced_by", "second_factor_at"},
        **(SECOND_FACTORS | MEMBERS),
        ("INSERT", "confirmations"): {"id", "user_id", "purpose", "invitation_id"},
        ("UPDATE", "confirmations"): {"used_at"},
        ("INSERT", "commands"): {
            *("id", "kind", "payment_id", "user_id", "token_id", "address", "request_id", "reason", "amount"),
            "is_by_ops",
        },
        **OPS_ACTIONS,
        ("INSERT", "audit_log"): DEED,
        ("INSERT", "exchange_rates"): {"source", "target", "rate", "spread", "source_name", "valid_from"},
        ("INSERT", "quotes"): {
            *("id", "user_id", "source_currency", "target_currency", "rate", "expires_at"),
            *("source_amount", "target_amount", "commission"),
            *("transfer_source_amount", "transfer_target_amount", "transfer_commission"),
        },
        ("UPDATE", "quotes"): {"payment_id"},
        ("INSERT", "instructions"): {
            *("payment_id", "iban", "bic", "name", "description", "creditor_reference", "instruction_id"),
            "end_to_end_id",
        },
        **STATEMENTS,
        ("INSERT", "webhook_endpoints"): {"id", "user_id", "url", "event_types", "payment_types", "description"},
        ("UPDATE", "webhook_endpoints"): {
            *("url", "event_types", "description", "is_active", "disabled_reason", "failing_since", "pings", "version"),
            *("payment_types", "deleted_at"),
        },
        ("SELECT", "webhook_secrets"): {"id", "endpoint_id", "created_at", "expires_at"},
        ("INSERT", "webhook_secrets"): {"id", "endpoint_id", "secret"},
        ("UPDATE", "webhook_secrets"): {"expires_at"},
        ("UPDATE", "webhook_deliveries"): {"state", "tries_left", "next_attempt_at", "finished_at"},
        ("UPDATE", "breaches"): {"acknowledged_at", "acknowledged_by", "reason"},
        ("INSERT", "commission_terms"): {
            *("type", "currency", "merchant_id", "percent", "fixed", "minimum", "maximum", "valid_from"),
        },
    },
    "payments_worker": {
        **ADJUSTMENTS,
        **STATEMENTS,
        ("INSERT", "selections"): SELECTION,
        ("INSERT", "batches"): BATCH,
        ("UPDATE", "batches"): {"retried", "skipped", "ended_at", *STOP},
        ("UPDATE", "batch_items"): {"outcome", "skip_reason", "decided_at"},
        ("SELECT", "alembic_version"): {"version_num"},
        ("INSERT", "accounts"): ACCOUNT,
        ("UPDATE", "accounts"): {"balance", "held", "last_seq"},
        ("INSERT", "payments"): ORDER,
        ("INSERT", "idempotency_keys"): {"user_id", "key", "fingerprint", "payment_id", "request_id"},
        ("UPDATE", "payments"): {
            *("state", "commission", "due_at", "attempts", "last_error", "parked_at", "failure_code", "finalized_at"),
            *("captured_amount", "hold_expires_at"),
        },
        ("INSERT", "operations"): {
            *("payment_id", "line", "account_id", "amount", "currency", "kind", "balance_after", "account_seq"),
        },
        ("INSERT", "ledger_batches"): {"number", "previous_hash", "payments", "salts", "marks", "root"},
        ("INSERT", "receipt_keys"): {"id", "public_key"},
        ("INSERT", "checkpoints"): {
            *("number", "first_batch", "last_batch", "root", "previous_hash", "signed_at", "key_id", "hash"),
            "signature",
        },
        ("INSERT", "breaches"): {"invariant", "subject", "details"},
        ("UPDATE", "breaches"): {"healed_at", "acknowledged_at", "acknowledged_by", "reason"},
        ("UPDATE", "verification_positions"): {
            *("xact", "sequence", "batch", "batch_hash", "again", "verified_at", "full_at"),
        },
        ("INSERT", "users"): {"id", "email", "role", "name", "email_confirmed_at", "welcomed_at"},
        ("UPDATE", "users"): {"welcomed_at", "is_active"},
        ("INSERT", "tokens"): TOKEN,
        ("UPDATE", "tokens"): {"revoked_at"},
        ("SELECT", "second_factors"): {"user_id", "created_at", "confirmed_at"},
        **OWNER_INVITATIONS,
        ("UPDATE", "confirmations"): {"hash", "due_at", "attempts", "last_error", "sent_at", "expires_at"},
        ("INSERT", "commands"): {"id", "kind", "payment_id", "reason", "amount", "is_by_ops"},
        **OPS_ACTIONS,
        ("UPDATE", "inquiries"): {
            *("answered_at", "answer", "answer_reason", "bank_reference", "known_answer", "known_bank_reference"),
        },
        ("UPDATE", "resolutions"): OPS_ACTIONS["UPDATE", "resolutions"]
        | {"executed_at", "refusal", "bank_answer", "bank_answered_at"},
        ("UPDATE", "commands"): {"decided_at", "outcome"},
        **(FREEZES_AND_PAUSES | ASSIGNMENTS | SAVED_VIEWS),
        ("INSERT", "freezes"): FREEZES_AND_PAUSES["INSERT", "freezes"] | {"breach_id"},
        ("UPDATE", "pauses"): {"resume_reason", "resumed_by", "resumed_at", "released_at"},
        ("INSERT", "paused_payments"): {"payment_id", "pause_id", "due_at"},
        ("UPDATE", "paused_payments"): {"pause_id"},
        ("UPDATE", "instructions"): {
            *("rail", "due_at", "attempts", "submitted_at", "answer", "answered_at", "bank_reference", "reason"),
            *("pending_at", "last_error", "resolution_id"),
        },
        ("UPDATE", "bulks"): {"held", "is_decided", "failure_code", "authorized", "completed", "failed"},
        ("INSERT", "returns"): {"rail", "bank_id", "parent_id", "amount", "reason"},
        ("UPDATE", "returns"): {"payment_id"},
        ("UPDATE", "webhook_endpoints"): {"is_active", "disabled_reason", "failing_since", "version"},
        ("INSERT", "webhook_deliveries"): {
            *("id", "endpoint_id", "sequence", "name", "subject_id", "version", "occurred_at", "next_attempt_at"),
        },
        ("UPDATE", "webhook_deliveries"): {
            *("state", "attempts", "tries_left", "next_attempt_at", "last_status", "last_error", "finished_at"),
        },
        ("INSERT", "webhook_attempts"): ATTEMPT,
        ("UPDATE", "event_positions"): {"xact", "sequence", "updated_at"},
        ("INSERT", "payment_attempts"): {"payment_id", "actor", "attempt", "error", "next_attempt_at"},
        ("INSERT", "rail_positions"): {"rail", "position"},
        **(SAMPLES_AND_FILES | MERCHANT_SUMS | FINAL_COUNTS | PERIOD_SUMS),
        ("UPDATE", "rail_positions"): {"position", "updated_at"},
        ("INSERT", "audit_log"): DEED,
    },
}
SCHEMA = "public"
ROLES = pytest.mark.parametrize("role", ["payments_worker", "payments_gateway"])


@pytest.fixture(scope="module")
def rows(shared_world):
    """Queries the catalogue as the owner, who sees every grant on their tables."""

    def ask(query: str, *parameters: str) -> set[tuple]:
        with transaction(shared_world.owner) as connection:
            return {tuple(row) for row in connection.exec_driver_sql(query, parameters)}

    return ask


@ROLES
def test_table_rights_are_as_listed(rows, role):
    query = (
        "SELECT privilege_type, relname FROM pg_class, aclexplode(relacl)"
        " WHERE grantee = %s::regrole AND relnamespace = %s::regnamespace"
    )
    assert rows(query, role, SCHEMA) == TABLE_RIGHTS[role]


@ROLES
def test_column_rights_are_as_listed(rows, role):
    query = (
        "SELECT privilege_type, relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid,"
        " aclexplode(attacl) WHERE grantee = %s::regrole AND relnamespace = %s::regnamespace"
    )
    granted = {(*right, column) for right, columns in COLUMN_RIGHTS[role].items() for column in columns}
    assert rows(query, role, SCHEMA) == granted


@ROLES
def test_function_rights_are_as_listed(rows, role):
    query = (
        "SELECT proname FROM pg_proc WHERE pronamespace = %s::regnamespace"
        " AND proowner = 'payments_owner'::regrole AND has_function_privilege(%s, oid, 'EXECUTE')"
    )
    granted = rows(query, SCHEMA, role)
    assert granted == {(function,) for function in FUNCTION_RIGHTS[role]}


@ROLES
def test_roles_have_no_rights_on_partitions_or_sequences(rows, role):
    of_schema = "FROM pg_class WHERE relnamespace = %s::regnamespace AND"
    assert len(rows(f"SELECT relname {of_schema} relispartition AND relkind = 'r'", SCHEMA)) >= 10
    assert not rows(
        f"SELECT relname {of_schema} CASE WHEN relkind = 'r' AND relispartition"
        " THEN has_any_column_privilege(%s, oid, 'SELECT, INSERT, UPDATE, REFERENCES')"
        " OR has_table_privilege(%s, oid, 'DELETE, TRUNCATE, TRIGGER')"
        " WHEN relkind = 'S' THEN has_sequence_privilege(%s, oid, 'USAGE, SELECT, UPDATE') END",
        *(SCHEMA, role, role, role),
    )


@ROLES
def test_roles_have_no_special_attributes(rows, role):
    special = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    query = f"SELECT rolcanlogin, {special} FROM pg_roles WHERE rolname = %s"
    assert rows(query, role) == {(True, False, False, False, False, False)}
    assert not rows("SELECT roleid::regrole FROM pg_auth_members WHERE member = %s::regrole", role)
    assert rows(
        "SELECT has_schema_privilege(%s, %s, 'CREATE'), has_schema_privilege(%s, %s, 'USAGE')", *(role, SCHEMA) * 2
    ) == {(False, True)}


def test_public_has_no_rights(rows):
    assert not rows(
        "SELECT relname, privilege_type FROM pg_class, aclexplode(relacl) WHERE grantee = 0"
        " AND relowner = 'payments_owner'::regrole"
    )
    assert not rows(
        "SELECT relname, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid, aclexplode(attacl)"
        " WHERE grantee = 0 AND relowner = 'payments_owner'::regrole"
    )


@ROLES
def test_roles_have_timeouts(database, role):
    engine = engine_of(database.worker if role == "payments_worker" else database.gateway)
    names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    with engine.connect() as connection:
        shown = [connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names]
    assert shown == ["2s", "10s", "5s" if role == "payments_worker" else "15s"]


@ROLES
def test_roles_cannot_create_large_objects(shared_world, role):
    engine = shared_world.worker if role == "payments_worker" else shared_world.gateway
    for statement in ("SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT lo_unlink(1)"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction(engine) as connection:
            connection.exec_driver_sql(statement)

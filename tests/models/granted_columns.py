"""Columns that roles may write, by what is written."""

ACCOUNT = {"id", "token", "owner_id", "currency", "label"}
CURRENCY = {"name", "minimum", "maximum", "balance_maximum"}
ORDER = {
    *("id", "type", "user_id", "source_id", "target_id", "amount", "currency"),
    *("summary", "reference", "metadata", "capture", "scheduled_at", "expires_at", "parent_id", "reason"),
    *("quote_id", "target_amount", "target_currency", "rate"),
}
SELF = {"name", "first_name", "last_name", "phone_number", "url", "password_hash"}
TOKEN = {"id", "user_id", "hash", "prefix", "last4", "name", "scopes", "expires_at"}
SESSION = {"kind", "address", "user_agent", "idle_minutes", "second_factor_at", "merchant_id"}
DEED = {"actor", "action", "target", "reason", "before", "after", "token_id", "address", "request_id"}
ATTEMPT = {"delivery_id", "attempt", "status", "error", "milliseconds", "answer", "reason"}
SELECTION = {"user_id", "filter", "payment_ids"}
BATCH = {"id", "selection_id", "user_id", "token_id", "address", "request_id", "reason"}
STOP = {"stopped_at", "stopped_by", "stop_reason"}
OPS_ACTIONS = {
    ("INSERT", "inquiries"): {"id", "payment_id", "asked_by", "reason"},
    ("INSERT", "resolutions"): {
        *("id", "payment_id", "outcome", "bank_reference", "value_date", "reason", "proposed_by"),
    },
    ("UPDATE", "resolutions"): {
        *("approved_by", "approved_at", "approval_reason", "rejected_by", "rejected_at", "rejection_reason"),
    },
}
SECOND_FACTORS = {
    ("INSERT", "second_factors"): {"user_id", "secret"},
    ("UPDATE", "second_factors"): {"secret", "created_at", "confirmed_at", "last_step"},
    ("INSERT", "recovery_codes"): {"user_id", "hash"},
    ("UPDATE", "recovery_codes"): {"used_at"},
}
MEMBERS = {
    ("INSERT", "memberships"): {"merchant_id", "user_id", "role"},
    ("UPDATE", "memberships"): {"role"},
    ("INSERT", "invitations"): {"id", "merchant_id", "email", "role", "invited_by", "reason"},
    ("UPDATE", "invitations"): {"accepted_at", "accepted_by", "withdrawn_at"},
    ("INSERT", "makers"): {"subject_id", "user_id"},
}
OWNER_INVITATIONS = {
    ("INSERT", "invitations"): {"id", "merchant_id", "email", "role", "reason"},
    ("UPDATE", "invitations"): {"withdrawn_at"},
    ("INSERT", "confirmations"): {"id", "user_id", "purpose", "invitation_id"},
}
DISMISSAL = {"dismiss_category", "dismiss_reason", "dismissed_by", "dismissed_at"}
MATCH = {"matched_payment_id", "match_reason", "matched_by", "matched_at"}

ADJUSTMENTS = {
    ("INSERT", "adjustments"): {"id", "account_id", "direction", "amount", "currency", "reason", "proposed_by"},
    ("UPDATE", "adjustments"): {
        *("approved_by", "approved_at", "approval_reason", "payment_id"),
        *("rejected_by", "rejected_at", "rejection_reason"),
    },
}
STATEMENTS = {
    ("INSERT", "bank_statements"): {
        *("id", "hash", "form", "account", "begins_on", "ends_on", "set_aside", "uploaded_by"),
    },
    ("INSERT", "bank_statement_lines"): {
        "account",
        *("statement_id", "line", "booked_on", "direction", "amount", "currency", "end_to_end_id"),
        *("bank_reference", "description", "verdict", "difference", "payment_id", "value_date"),
    },
    ("UPDATE", "bank_statement_lines"): DISMISSAL | MATCH,
}

FUNCTION_RIGHTS = {
    "payments_gateway": {"uuid_floor"},
    "payments_worker": {
        "claim_due",
        "drop_superseded_indexes",
        "ensure_partitions",
        "ledger_batch_hash",
        "ledger_genesis_root",
        "uuid_floor",
    },
}
"""The functions of the product that each role may call."""

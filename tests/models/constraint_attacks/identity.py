"""Users, tokens and confirmations."""

from tests.models.constraint_attacks.statements import (
    DENIED,
    NO_BREAK,
    Attack,
    both,
    by_all,
    confirmation,
    gateways,
    new_user,
    of_confirmation,
    of_token,
    throttle,
    token,
)

ATTACKS = {
    # who is who
    **{
        f"user with {what}": gateways(new_user(**{column: value}), stopped_by)
        for what, column, value, stopped_by in [
            ("an empty first name", "first_name", "''", "users_first_name_is_bounded"),
            ("an empty last name", "last_name", "''", "users_last_name_is_bounded"),
            ("a national number", "phone_number", "'030123456'", "users_phone_number_is_e164"),
            ("another's number", "phone_number", "'+491701234567'", "users_phone_number_is_unique"),
            ("an empty url", "url", "''", "users_url_is_bounded"),
            ("a plain password", "password_hash", "'correct horse battery'", "users_password_is_hashed"),
        ]
    },
    "user with another's address": by_all(new_user(email="'ANN@elsewhere.example'"), "users_email_is_unique"),
    "user with a role of ours": Attack(new_user(role="'ops'"), NO_BREAK, NO_BREAK, "users_who_sign_up_are_customers"),
    "user with another role of ours": Attack(
        new_user(role="'auditor'"), NO_BREAK, NO_BREAK, "users_who_sign_up_are_customers"
    ),
    "user with no role that is": Attack(
        new_user(role="'root'"), *["users_role_is_known"] * 2, "users_who_sign_up_are_customers"
    ),
    "user with a confirmed address": Attack(new_user(email_confirmed_at="now()"), NO_BREAK, NO_BREAK),
    "client made ops": Attack("UPDATE users SET role = 'ops' WHERE id = %(ann)s", NO_BREAK),
    "token of a new kind": gateways(token(kind="'cookie'"), "tokens_kind_is_known"),
    "session for ever": gateways(token(kind="'session'"), "tokens_sessions_expire"),
    "API key that is idle": gateways(token(idle_minutes="30"), "tokens_idle_sessions_end"),
    "token with an empty name": by_all(token(name="''"), "tokens_name_is_bounded"),
    "token with an empty user agent": gateways(token(user_agent="''"), "tokens_user_agent_is_bounded"),
    "token with its text": by_all(token(hash="'pay_0'"), "tokens_hash_is_sha256"),
    "token known already": by_all(token(hash="sha256('kept')"), "tokens_hash_is_unique"),
    "client's token that brings in money": Attack(
        token(scopes="ARRAY['deposits:write']"), NO_BREAK, NO_BREAK, "tokens_deposits_are_the_operators"
    ),
    "token unrevoked": by_all(of_token("revoked_at = NULL", "ended"), "tokens_stay_revoked"),
    "expired key prolonged": gateways(of_token("expires_at = NULL", "kept"), "tokens_stay_revoked"),
    "replaced key prolonged": gateways(of_token("expires_at = NULL", "rolled"), "tokens_stay_revoked"),
    "token given to another": Attack(of_token("user_id = %(shop)s", "kept"), NO_BREAK),
    "confirmation for a new purpose": Attack(
        confirmation(purpose="'fun'"),
        "confirmations_purpose_is_known",
        "confirmations_by_workers_are_of_invitations",
        "confirmations_purpose_is_known",
    ),
    "confirmation given out by the asker": Attack(
        confirmation(hash="sha256('x')", expires_at="now()"), NO_BREAK, DENIED
    ),
    "confirmation with its text": both(of_confirmation("hash = 'cfm_0'"), "confirmations_hash_is_sha256"),
    "confirmation for ever": both(of_confirmation("expires_at = NULL"), "confirmations_expire"),
    "confirmation with the hash of another": Attack(
        of_confirmation("hash = sha256('used')"), *["confirmations_hash_is_unique"] * 2
    ),
    "confirmation used before it was sent": gateways(
        of_confirmation("used_at = now()", "unsent"), "confirmations_are_used_once_given"
    ),
    "confirmation used twice": gateways(of_confirmation("used_at = now()", "used"), "confirmations_are_used_once"),
    "confirmation of less than no attempts": both(
        of_confirmation("attempts = -1"), "confirmations_attempts_are_not_negative"
    ),
    "confirmation with a long story": Attack(
        of_confirmation("last_error = repeat('x', 501)"), *["confirmations_last_error_is_bounded"] * 2
    ),
    "throttle of a plain address": gateways(throttle("'ann@example.com'", "1"), "login_throttles_subject_is_sha256"),
    "throttle of no attempts": gateways(throttle("sha256('a')", "0"), "login_throttles_attempts_are_positive"),
}

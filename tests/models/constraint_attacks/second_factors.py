"""Second factors, recovery codes, and sessions that proved one."""

from tests.models.constraint_attacks.statements import NO_BREAK, Attack, gateways, insert, of_token, token

SETUP = """
INSERT INTO second_factors (user_id, secret, confirmed_at, last_step) VALUES
    (%(ann)s, decode(repeat('00', 48), 'hex'), now(), 7);
INSERT INTO recovery_codes (user_id, hash, used_at) VALUES
    (%(ann)s, sha256('used'), now()), (%(ann)s, sha256('unused'), NULL);
"""


def of_factor(assignments: str) -> str:
    """A change of ann's second factor, which is confirmed."""
    return f"UPDATE second_factors SET {assignments} WHERE user_id = %(ann)s"


def of_code(assignments: str, state: str) -> str:
    """A change of a recovery code of ann's: one that is used or unused."""
    return f"UPDATE recovery_codes SET {assignments} WHERE hash = sha256('{state}')"


ATTACKS = {
    "second factor with a plain secret": gateways(
        insert("second_factors", {"user_id": "%(shop)s", "secret": "sha256('x')"}),
        "second_factors_secret_is_encrypted",
    ),
    "second second factor": gateways(
        insert("second_factors", {"user_id": "%(ann)s", "secret": "decode(repeat('00', 48), 'hex')"}),
        "second_factors_pkey",
    ),
    "second factor of nobody": gateways(
        insert("second_factors", {"user_id": "%(new)s", "secret": "decode(repeat('00', 48), 'hex')"}),
        "second_factors_user_id_fkey",
    ),
    "second factor of a step before all": Attack(
        insert(
            "second_factors",
            {"user_id": "%(shop)s", "secret": "decode(repeat('00', 48), 'hex')", "last_step": "-1"},
        ),
        "second_factors_last_step_is_not_negative",
    ),
    "second factor confirmed without a code": Attack(
        insert(
            "second_factors",
            {"user_id": "%(shop)s", "secret": "decode(repeat('00', 48), 'hex')", "confirmed_at": "now()"},
        ),
        "second_factors_are_confirmed_by_a_code",
    ),
    "step of a second factor used again": gateways(of_factor("last_step = 6"), "second_factors_steps_are_used_once"),
    "second factor no more confirmed": gateways(
        of_factor("confirmed_at = NULL, last_step = 8"), "second_factors_steps_are_used_once"
    ),
    "second factor given to another": Attack(of_factor("user_id = %(shop)s"), "second_factors_steps_are_used_once"),
    "recovery code with its text": gateways(
        insert("recovery_codes", {"user_id": "%(ann)s", "hash": "'ABCD'"}), "recovery_codes_hash_is_sha256"
    ),
    "recovery code known already": gateways(
        insert("recovery_codes", {"user_id": "%(ann)s", "hash": "sha256('used')"}), "recovery_codes_pkey"
    ),
    "recovery code without a second factor": gateways(
        insert("recovery_codes", {"user_id": "%(shop)s", "hash": "sha256('x')"}), "recovery_codes_user_id_fkey"
    ),
    "recovery code used twice": gateways(of_code("used_at = now()", "used"), "recovery_codes_are_used_once"),
    "recovery code unused again": gateways(of_code("used_at = NULL", "used"), "recovery_codes_are_used_once"),
    "recovery code used": Attack(of_code("used_at = now()", "unused"), NO_BREAK, gateway=NO_BREAK),
    "key that proved a second factor": gateways(
        token(second_factor_at="now()"), "tokens_second_factors_are_of_sessions"
    ),
    "session that will prove its second factor": gateways(
        token(kind="'session'", expires_at="now()", second_factor_at="now() + interval '1 hour'"),
        "tokens_second_factors_are_proved_now",
    ),
    "session that proves its second factor later": gateways(
        of_token("second_factor_at = now() + interval '1 hour'", "kept"), "tokens_second_factors_are_proved_again_now"
    ),
}

"""Freezes of wallets and users, and pauses of posting."""

from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, Attack, by_all, insert


def freeze(**columns: str) -> str:
    """A new freeze of ann, by one of ops, with columns of it replaced."""
    given = {"id": "%(new)s", "user_id": "%(ann)s", "reason": "'x'", "frozen_by": "%(ops)s"}
    return insert("freezes", given | columns)


def of_freeze(assignments: str, state: str = "frozen") -> str:
    """A change of a freeze: one in force, or one that is thawed."""
    return f"UPDATE freezes SET {assignments} WHERE id = %({state})s"


def pause(**columns: str) -> str:
    """A new pause of charges, by one of ops, with columns of it replaced."""
    given = {"id": "%(new)s", "type": "'charge'", "reason": "'x'", "paused_by": "%(ops)s"}
    return insert("pauses", given | columns)


def of_pause(assignments: str, state: str = "paused") -> str:
    """A change of a pause: one in force, one that is resumed, or one that is released."""
    return f"UPDATE pauses SET {assignments} WHERE id = %({state})s"


FOUND = "(SELECT id FROM breaches WHERE subject = 'found')"
BROKEN = {"user_id": "NULL", "account_id": "%(poor)s", "frozen_by": "NULL", "breach_id": FOUND}
"""A freeze for a breach, as a worker may make it."""

ATTACKS = {
    "freeze of nothing": by_all(freeze(user_id="NULL"), "freezes_name_one_thing"),
    "freeze of two things": by_all(freeze(account_id="%(rich)s"), "freezes_name_one_thing"),
    "freeze of an account of ours": by_all(freeze(user_id="NULL", account_id="%(wire)s"), "freezes_are_of_customers"),
    "freeze of an account that is frozen": by_all(
        freeze(user_id="NULL", account_id="%(capped)s"), "freezes_one_of_an_account"
    ),
    "freeze of a user who is frozen": by_all(freeze(user_id="%(chief)s"), "freezes_one_of_a_user"),
    "freeze of no user": by_all(freeze(user_id="%(new)s"), "freezes_user_id_fkey"),
    "freeze of no account": by_all(freeze(user_id="NULL", account_id="%(new)s"), "freezes_account_id_fkey"),
    "freeze for no reason": by_all(freeze(reason="''"), "freezes_reasons_are_bounded"),
    "freeze by a client": by_all(freeze(frozen_by="%(ann)s"), "freezes_are_of_ops"),
    "freeze by ops who left": by_all(freeze(frozen_by="%(left)s"), "freezes_are_of_ops"),
    "freeze by nobody": Attack(freeze(frozen_by="NULL"), NO_BREAK, NO_BREAK, "freezes_are_of_ops"),
    "thaw by a client": by_all(
        of_freeze("thaw_reason = 'x', thawed_at = now(), thawed_by = %(ann)s"), "freezes_are_of_ops"
    ),
    "thaw by nobody": Attack(
        of_freeze("thaw_reason = 'x', thawed_at = now()"), NO_BREAK, NO_BREAK, "freezes_are_of_ops"
    ),
    "thaw for no reason": by_all(of_freeze("thawed_at = now(), thawed_by = %(ops)s"), "freezes_are_thawed_wholly"),
    "thaw twice": by_all(of_freeze("thaw_reason = 'y', thawed_by = %(ops)s", "thawed"), "freezes_are_thawed_once"),
    "thaw undone": by_all(
        of_freeze("thaw_reason = NULL, thawed_at = NULL, thawed_by = %(ops)s", "thawed"), "freezes_are_thawed_once"
    ),
    "freeze by another after all": Attack(of_freeze("frozen_by = %(chief)s"), "freezes_are_thawed_once"),
    "freeze of a user for a breach": Attack(
        freeze(frozen_by="NULL", breach_id=FOUND), *["freezes_for_breaches_are_of_wallets_by_nobody"] * 2
    ),
    "freeze for a breach by ops": Attack(
        freeze(**BROKEN | {"frozen_by": "%(ops)s"}), *["freezes_for_breaches_are_of_wallets_by_nobody"] * 2
    ),
    "freeze for no breach": Attack(freeze(**BROKEN | {"breach_id": "-1"}), *["freezes_breach_id_fkey"] * 2),
    "freeze for a breach by the gateway": Attack(freeze(**BROKEN), *[NO_BREAK] * 2),
    "freeze twice for a breach": Attack(
        "INSERT INTO freezes (id, account_id, reason, breach_id, thaw_reason, thawed_at)"
        f" SELECT gen_random_uuid(), %(poor)s, 'x', {FOUND}, 'x', now() FROM generate_series(1, 2)",
        "freezes_once_for_a_breach",
    ),
    "freeze for a breach after all": Attack(of_freeze(f"breach_id = {FOUND}"), "freezes_are_thawed_once"),
    "DELETE FROM freezes": Attack("DELETE FROM freezes", "freezes_are_never_deleted"),
    "TRUNCATE freezes": Attack("TRUNCATE freezes", "freezes_are_never_truncated"),
    "wallet thawed past the freezes": Attack("UPDATE accounts SET is_frozen = false", NO_BREAK),
    "pause of nothing": by_all(pause(type="NULL"), "pauses_name_one_thing"),
    "pause of two things": by_all(pause(currency="'EUR'"), "pauses_name_one_thing"),
    "pause of a new type": by_all(pause(type="'gift'"), "pauses_type_is_known"),
    "pause of no merchant": by_all(pause(type="NULL", merchant_id="%(new)s"), "pauses_merchant_id_fkey"),
    "pause of no currency": by_all(pause(type="NULL", currency="'XXX'"), "pauses_currency_fkey"),
    "pause of a rail with an odd name": by_all(pause(type="NULL", rail="'SEPA '"), "pauses_rail_is_well_formed"),
    "pause of what is paused": by_all(pause(type="'bonus'"), "pauses_one_of_each"),
    "pause for no reason": by_all(pause(reason="''"), "pauses_reasons_are_bounded"),
    "pause that is over": by_all(pause(until="now() - interval '1 second'"), "pauses_end_after_they_begin"),
    "pause until infinity": by_all(pause(until="'infinity'"), "pauses_end_after_they_begin"),
    "pause by a client": by_all(pause(paused_by="%(ann)s"), "pauses_are_of_ops"),
    "pause by nobody": Attack(pause(paused_by="NULL"), NO_BREAK, NO_BREAK, "pauses_are_of_ops"),
    "resumed by a client": by_all(
        of_pause("resume_reason = 'x', resumed_at = now(), resumed_by = %(ann)s"), "pauses_are_of_ops"
    ),
    "resumed by ops who left": by_all(
        of_pause("resume_reason = 'x', resumed_at = now(), resumed_by = %(left)s"), "pauses_are_of_ops"
    ),
    "resumed for no reason": by_all(of_pause("resumed_at = now(), resumed_by = %(ops)s"), "pauses_are_resumed_wholly"),
    "resumed twice": by_all(of_pause("resume_reason = 'y', resumed_by = %(ops)s", "resumed"), "pauses_end_once"),
    "paused for longer": Attack(of_pause("until = now() + interval '1 hour'"), "pauses_end_once"),
    "released before its end": Attack(
        of_pause("released_at = now()"), *["pauses_are_released_at_their_end"] * 2, DENIED
    ),
    "released twice": Attack(of_pause("released_at = now()", "released"), *["pauses_end_once"] * 2, DENIED),
    "DELETE FROM pauses": Attack("DELETE FROM pauses", "pauses_are_never_deleted"),
    "TRUNCATE pauses": Attack("TRUNCATE pauses CASCADE", "pauses_are_never_truncated"),
    "payment set aside for no pause": Attack(
        "INSERT INTO paused_payments (payment_id, pause_id, due_at) VALUES (%(open)s, %(new)s, now())",
        *["paused_payments_pause_id_fkey"] * 2,
    ),
    "payment set aside twice": Attack(
        "INSERT INTO paused_payments (payment_id, pause_id, due_at)"
        " VALUES (%(open)s, %(paused)s, now()), (%(open)s, %(paused)s, now())",
        *["paused_payments_pkey"] * 2,
    ),
}

FREEZES_AND_PAUSES = {
    ("INSERT", "freezes"): {"id", "account_id", "user_id", "reason", "frozen_by"},
    ("UPDATE", "freezes"): {"thaw_reason", "thawed_by", "thawed_at"},
    ("INSERT", "pauses"): {"id", "type", "merchant_id", "currency", "rail", "reason", "paused_by", "until"},
    ("UPDATE", "pauses"): {"resume_reason", "resumed_by", "resumed_at"},
}
"""The columns that both roles may write, by right and table."""

"""Constraints of accounts: balances, owners, tokens, charge limits, adjustments."""

from tests.models.constraint_attacks.statements import (
    DENIED,
    NO_BREAK,
    Attack,
    account,
    adjustment,
    both,
    by_all,
    currency,
    gateways,
    limit,
    of_account,
    of_adjustment,
    of_euro,
)

ATTACKS = {
    # balances
    "balance NaN": both(of_account("balance = 'NaN'"), "accounts_balance_is_bounded"),
    "held NaN": both(of_account("balance = 'NaN', held = 'NaN'"), "accounts_balance_is_bounded"),
    "held NaN, balance a number": both(of_account("held = 'NaN'"), "accounts_held_is_not_negative"),
    "held below zero": both(of_account("held = -1"), "accounts_held_is_not_negative"),
    "held above balance": both(of_account("held = balance + 1"), "accounts_available_not_below_floor"),
    "balance below floor": both(of_account("balance = floor - 1"), "accounts_available_not_below_floor"),
    "balance above ceiling": both(of_account("balance = 5001", "capped"), "accounts_balance_not_above_ceiling"),
    "last_seq below zero": both(of_account("last_seq = -1"), "accounts_last_seq_is_not_negative"),
    "floor NaN": Attack(of_account("floor = 'NaN'"), "accounts_available_not_below_floor"),
    "floor NaN under a balance NaN": Attack(
        of_account("floor = 'NaN', balance = 'NaN'"), "accounts_balance_is_bounded"
    ),
    "floor NaN of a technical account": Attack(
        of_account("floor = 'NaN'", "wire"), "accounts_available_not_below_floor"
    ),
    "floor NULL of a customer's": Attack(of_account("floor = NULL"), "accounts_owned_have_a_floor"),
    "floor above the balance": Attack(of_account("floor = balance + 1"), "accounts_available_not_below_floor"),
    "ceiling NaN": Attack(of_account("ceiling = 'NaN'"), "accounts_ceiling_is_bounded"),
    "ceiling below zero": Attack(
        of_account("ceiling = -1, balance = -2, floor = -2", "poor"), "accounts_ceiling_is_bounded"
    ),
    "ceiling below the balance": Attack(of_account("ceiling = balance - 1"), "accounts_balance_not_above_ceiling"),
    # who has which account
    "account without an owner": by_all(account(owner_id="NULL"), "accounts_are_owned_or_technical"),
    "account without token": by_all(account(token="NULL"), "accounts_are_owned_or_technical"),
    "account of a stranger to us": by_all(account(owner_id="%(new)s"), "accounts_owner_id_fkey"),
    "account in no currency": by_all(account(currency="'XXX'"), "accounts_currency_fkey"),
    "account with a guessable token": by_all(account(token="'wal_1'"), "accounts_token_is_well_formed"),
    "account with a code and an owner": Attack(account(code="'wire'"), "accounts_are_owned_or_technical"),
    "second technical account": Attack(
        account(code="'wire'", owner_id="NULL", token="NULL"), "accounts_technical_one_per_code"
    ),
    "technical account of a new kind": Attack(
        account(code="'slush'", owner_id="NULL", token="NULL"), "accounts_technical_code_is_known"
    ),
    "account born rich": Attack(account(balance="'NaN'"), "accounts_balance_is_bounded"),
    "account born with a ceiling": Attack(account(ceiling="-1"), "accounts_balance_not_above_ceiling"),
    "digits of a currency in use": Attack(
        "UPDATE currencies SET digits = 3 WHERE code = 'EUR'", "currencies_digits_are_fixed"
    ),
    "code of a currency in use": Attack(
        "UPDATE currencies SET code = 'EUX' WHERE code = 'EUR'", "currencies_digits_are_fixed"
    ),
    "19 digits": Attack("UPDATE currencies SET digits = 19 WHERE code = 'CHF'", "currencies_digits_are_bounded"),
    "19 digits of a new currency": gateways(currency(digits="19"), "currencies_digits_are_bounded"),
    "money made by a state": Attack(
        currency(kind="'fiat'"), NO_BREAK, DENIED, "currencies_of_states_are_not_the_gateways"
    ),
    "currency without a name": gateways(of_euro("name = ''"), "currencies_name_is_bounded"),
    **{
        f"balances of {most} at most": gateways(
            of_euro(f"balance_maximum = {most}"), "currencies_balance_maximum_is_bounded"
        )
        for most in ("0", "'NaN'")
    },
    # tokens of wallets
    **{
        f"wallet given a token of {what}": gateways(of_account(f"token = {token}"), "accounts_token_is_well_formed")
        for what, token in {
            "25 characters": "'wal_' || repeat('x', 21)",
            "69 characters": "'wal_' || repeat('x', 65)",
            "odd characters": "'wal_' || repeat('x', 21) || '+'",
            "another kind": "'wax_' || repeat('x', 22)",
            "two lines": "'wal_' || repeat('x', 22) || chr(10)",
        }.items()
    },
    "wallet without a token after all": gateways(of_account("token = NULL"), "accounts_are_owned_or_technical"),
    "technical account with a token": gateways(
        of_account("token = 'wal_0123456789abcdef012345'", "wire"), "accounts_are_owned_or_technical"
    ),
    "token shown for an older one": Attack(of_account("token_since = NULL"), NO_BREAK),
    # limits of charges
    **{
        f"limit of {amount} {column}": gateways(limit(**{column: amount}), f"charge_limits_{column}_is_positive")
        for column in ("per_charge", "per_day")
        for amount in ("0", "-1", "'NaN'")
    },
    "limit of nothing": gateways(limit(per_charge="NULL"), "charge_limits_limit_something"),
    "two limits of any merchant": gateways(
        f"{limit(merchant_id='NULL')}, (%(rich)s, NULL, 2)", "charge_limits_one_per_merchant"
    ),
    "limit of a merchant who is none": gateways(limit(merchant_id="%(new)s"), "charge_limits_merchant_id_fkey"),
    "merchant blocked twice": gateways(
        "INSERT INTO blocked_merchants VALUES (%(rich)s, %(shop)s), (%(rich)s, %(shop)s)", "blocked_merchants_pkey"
    ),
    "limit eased": Attack("UPDATE charge_limits SET per_charge = 2", NO_BREAK),
    "limits lifted": Attack("DELETE FROM charge_limits", NO_BREAK, DENIED, NO_BREAK),
    "merchants let in again": Attack("DELETE FROM blocked_merchants", NO_BREAK, DENIED, NO_BREAK),
    "wallet limited by nothing": Attack(of_account("is_limited = true"), NO_BREAK),
    # adjustments
    "adjustment sideways": by_all(adjustment(direction="'sideways'"), "adjustments_direction_is_known"),
    **{
        f"adjustment of {amount}": by_all(adjustment(amount=amount), "adjustments_amount_is_positive")
        for amount in ("0", "-1", "'NaN'")
    },
    "adjustment without a word why": by_all(adjustment(reason="''"), "adjustments_reasons_are_bounded"),
    "adjustment proposed by a client": by_all(adjustment(proposed_by="%(ann)s"), "adjustments_are_of_ops"),
    "adjustment proposed by nobody": Attack(
        adjustment(proposed_by="NULL"), NO_BREAK, NO_BREAK, "adjustments_are_of_ops"
    ),
    "adjustment approved by nobody": Attack(
        of_adjustment("approved_at = now(), payment_id = %(new)s"), NO_BREAK, NO_BREAK, "adjustments_are_of_ops"
    ),
    "adjustment rejected by nobody": Attack(
        of_adjustment("rejected_at = now(), rejection_reason = 'x'"), NO_BREAK, NO_BREAK, "adjustments_are_of_ops"
    ),
    "adjustment of the shell approved by the shell": Attack(
        adjustment(proposed_by="NULL", approved_at="now()", payment_id="%(new)s"), "adjustments_take_two_people"
    ),
    "adjustment approved by one at no time": by_all(
        of_adjustment("approved_by = %(chief)s"), "adjustments_are_approved_wholly"
    ),
    "adjustment rejected by one at no time": by_all(
        of_adjustment("rejected_by = %(chief)s"), "adjustments_are_rejected_wholly"
    ),
    "adjustment approved at birth": Attack(
        adjustment(approved_by="%(chief)s", approved_at="now()", payment_id="%(new)s"), NO_BREAK, DENIED, DENIED
    ),
    **{
        f"adjustment approved {what}": by_all(of_adjustment(assignments), stopped_by)
        for what, assignments, stopped_by in [
            (
                "by the one who proposed it",
                "approved_by = %(ops)s, approved_at = now(), payment_id = %(new)s",
                "adjustments_take_two_people",
            ),
            (
                "by a client",
                "approved_by = %(ann)s, approved_at = now(), payment_id = %(new)s",
                "adjustments_are_of_ops",
            ),
            ("without a payment", "approved_by = %(chief)s, approved_at = now()", "adjustments_are_approved_wholly"),
            (
                "by the payment of another",
                "approved_by = %(chief)s, approved_at = now(), payment_id = %(done)s",
                "adjustments_one_a_payment",
            ),
        ]
    },
    "adjustment approved twice": by_all(of_adjustment("approved_at = now()", "agreed"), "adjustments_are_decided_once"),
    "adjustment rejected at birth": Attack(
        adjustment(rejected_by="%(ops)s", rejected_at="now()", rejection_reason="'x'"), NO_BREAK, DENIED, DENIED
    ),
    **{
        f"adjustment rejected {what}": by_all(of_adjustment(f"rejected_at = now(), {assignments}", state), stopped_by)
        for what, assignments, state, stopped_by in [
            ("by a client", "rejected_by = %(ann)s, rejection_reason = 'x'", "proposed", "adjustments_are_of_ops"),
            ("for no reason", "rejected_by = %(chief)s", "proposed", "adjustments_are_rejected_wholly"),
            (
                *("without a word", "rejected_by = %(chief)s, rejection_reason = ''", "proposed"),
                "adjustments_rejection_reason_is_bounded",
            ),
            (
                "and approved",
                "rejected_by = %(chief)s, rejection_reason = 'x', approved_by = %(chief)s, approved_at = now(),"
                " payment_id = %(new)s",
                *("proposed", "adjustments_are_approved_or_rejected"),
            ),
            (
                *("after its approval", "rejected_by = %(chief)s, rejection_reason = 'x'", "agreed"),
                "adjustments_are_decided_once",
            ),
            ("again", "rejection_reason = 'y'", "rejected", "adjustments_are_decided_once"),
        ]
    },
    "adjustment approved after its rejection": by_all(
        of_adjustment("approved_by = %(chief)s, approved_at = now(), payment_id = %(new)s", "rejected"),
        "adjustments_are_decided_once",
    ),
    "adjustment proposed again": by_all(
        of_adjustment("rejected_by = NULL, rejected_at = NULL, rejection_reason = NULL", "rejected"),
        "adjustments_are_decided_once",
    ),
    "adjustment of another amount": Attack(of_adjustment("amount = 2"), "adjustments_are_decided_once"),
    "adjustment of another account": Attack(of_adjustment("account_id = %(poor)s"), "adjustments_are_decided_once"),
    "adjustment proposed by another user": Attack(
        of_adjustment("proposed_by = %(chief)s"), "adjustments_are_decided_once"
    ),
    "DELETE FROM adjustments": Attack("DELETE FROM adjustments", "adjustments_are_never_deleted"),
    "TRUNCATE adjustments": Attack("TRUNCATE adjustments", "adjustments_are_never_truncated"),
}

"""Constraints of payments: amounts, holds, times, refunds, commission, exchange."""

from tests.models.constraint_attacks.statements import (
    DENIED,
    NO_BREAK,
    Attack,
    both,
    by_all,
    gateways,
    insert,
    of_account,
    of_held,
    of_open,
    of_quote,
    overflow,
    pay,
    quote,
    quoted,
    rate,
    terms,
)

ATTACKS = {
    # amounts of payments
    **{
        f"amount {amount}": by_all(pay(amount=amount), "payments_amount_is_positive")
        for amount in ("0", "-1", "0.4", "'NaN'")
    },
    **{f"amount {amount}": overflow(pay(amount=amount)) for amount in ("'Infinity'", "'-Infinity'", "1e38")},
    **{
        f"{column} Infinity": overflow(of_account(f"{column} = 'Infinity'"))
        for column in ("balance", "held", "floor", "ceiling")
    },
    "commission NaN": both(of_open("commission = 'NaN'"), "payments_commission_is_within_amount"),
    "commission below zero": both(of_open("commission = -1"), "payments_commission_is_within_amount"),
    "commission above amount": both(of_open("commission = amount + 1"), "payments_commission_is_within_amount"),
    "source is target": by_all(pay(source="%(poor)s"), "payments_source_is_not_target"),
    "unknown type": by_all(pay().replace("'transfer'", "'gift'"), "payments_type_is_known"),
    "unknown state": Attack(of_open("state = 'PAID'"), "payments_move_along_edges", "payments_move_along_edges"),
    # holds and times
    "transfer captured later": by_all(pay(", capture", ", false"), "payments_only_charges_are_captured_later"),
    "captured more than ordered": both(
        of_held("captured_amount = amount + 1, state = 'COMPLETED', finalized_at = now()"),
        "payments_captured_is_within_amount",
    ),
    "captured nothing": both(
        of_held("captured_amount = 0, state = 'COMPLETED', finalized_at = now()"), "payments_captured_is_within_amount"
    ),
    "captured of what is held still": both(of_held("captured_amount = 1"), "payments_captured_exactly_when_completed"),
    "captured of what was never held": both(of_open("captured_amount = 1"), "payments_captured_exactly_when_completed"),
    "hold for ever": both(of_held("hold_expires_at = NULL"), "payments_holds_expire"),
    "hold of what is not to be held": both(of_open("hold_expires_at = now()"), "payments_holds_expire"),
    "bonus for later": Attack(
        pay(", scheduled_at", ", now()").replace("'transfer'", "'bonus'"),
        *["payments_scheduled_are_orders"] * 2,
        "payments_of_the_house_are_the_workers",
    ),
    "withdrawal for later outside a bulk": Attack(
        pay(", scheduled_at", ", now()").replace("'transfer'", "'withdrawal'"), *["payments_scheduled_are_orders"] * 3
    ),
    "order captured at once after all": Attack(of_held("capture = true"), "payments_orders_are_immutable"),
    "order scheduled after all": Attack(of_open("scheduled_at = now()"), "payments_orders_are_immutable"),
    "order prolonged": Attack(of_open("expires_at = now()"), "payments_orders_are_immutable"),
    # clocks
    **{
        f"order by a clock {off}": by_all(
            pay().replace("%(new)s", f"uuid_floor(now() {off})"), "payments_ids_are_of_their_day"
        )
        for off in ("+ interval '25 hours'", "- interval '25 hours'")
    },
    "order by a clock that is hours off": Attack(
        pay().replace("%(new)s", "uuid_floor(now() - interval '23 hours')"), *[NO_BREAK] * 3
    ),
    # refunds
    "refund of nothing": by_all(pay().replace("'transfer'", "'refund'"), "payments_refunds_name_their_charge"),
    "transfer that gives back": by_all(pay(", parent_id", ", %(done)s"), "payments_refunds_name_their_charge"),
    "order for a whim": by_all(pay(", reason", ", 'whim'"), "payments_reason_is_known"),
    "order with another reason": Attack(of_open("reason = 'duplicate'"), "payments_orders_are_immutable"),
    "refund of another charge": Attack(of_open("parent_id = %(done)s"), "payments_orders_are_immutable"),
    "total of refunds made up": Attack(
        insert("refund_totals", {"payment_id": "%(new)s", "captured": "10", "refunded": "1"}),
        "refund_totals_are_moved_by_refunds",
    ),
    "total of refunds reset": Attack(
        "UPDATE refund_totals SET refunded = 1, captured = 1000", "refund_totals_are_moved_by_refunds"
    ),
    "total of refunds forgotten": Attack("DELETE FROM refund_totals", "refund_totals_are_never_deleted"),
    "all totals of refunds forgotten": Attack("TRUNCATE refund_totals", "refund_totals_are_never_truncated"),
    "refund listed with another charge": Attack(
        insert("payment_children", {"parent_id": "%(done)s", "child_id": "%(new)s"}),
        "payment_children_are_listed_by_payments",
    ),
    "refunds listed with nothing": Attack("DELETE FROM payment_children", "payment_children_are_listed_by_payments"),
    "all refunds listed with nothing": Attack("TRUNCATE payment_children", "payment_children_are_never_truncated"),
    # commission
    "terms for a new type": gateways(terms(type="'gift'"), "commission_terms_type_is_known"),
    **{
        f"terms of {percent} %%": gateways(terms(percent=percent), "commission_terms_percent_is_bounded")
        for percent in ("-1", "100.000001", "'NaN'")
    },
    **{
        f"terms of {fixed} fixed": gateways(terms(currency="'EUR'", fixed=fixed), "commission_terms_fixed_is_bounded")
        for fixed in ("-1", "'NaN'")
    },
    **{
        f"terms of at least {minimum} and at most {maximum}": gateways(
            terms(currency="'EUR'", minimum=minimum, maximum=maximum), "commission_terms_bounds_are_in_order"
        )
        for minimum, maximum in (("-1", "NULL"), ("'NaN'", "NULL"), ("2", "1"), ("0", "'NaN'"))
    },
    "terms with an amount of no currency": gateways(terms(fixed="1"), "commission_terms_amounts_have_a_currency"),
    "terms at once": gateways(terms(valid_from="now()"), "commission_terms_are_told_ahead"),
    "terms before their time": gateways(
        terms(valid_from="now() - interval '1 day'"), "commission_terms_are_told_ahead"
    ),
    "terms for ever": gateways(terms(valid_from="NULL"), "NotNullViolation"),
    "two terms at one time": gateways(
        f"{terms()}, ('charge', now() + interval '1 hour')", "commission_terms_one_at_a_time"
    ),
    "terms changed": Attack("UPDATE commission_terms SET percent = 0", "commission_terms_are_append_only"),
    "terms taken back": Attack("DELETE FROM commission_terms", "commission_terms_are_append_only"),
    "all terms taken back": Attack("TRUNCATE commission_terms", "commission_terms_are_never_truncated"),
    # exchange
    "rate of nothing": gateways(rate(rate="0"), "exchange_rates_rate_is_positive"),
    "rate of NaN": gateways(rate(rate="'NaN'"), "exchange_rates_rate_is_positive"),
    "rate to itself": gateways(rate(target="'EUR'"), "exchange_rates_currencies_differ"),
    **{
        f"spread of {spread}": gateways(rate(spread=spread), "exchange_rates_spread_is_bounded")
        for spread in ("-1", "100", "'NaN'")
    },
    "rate without a source": gateways(rate(source_name="''"), "exchange_rates_source_name_is_bounded"),
    "rate of yesterday": gateways(rate(valid_from="now() - interval '1 day'"), "exchange_rates_are_not_backdated"),
    "rate changed": Attack("UPDATE exchange_rates SET rate = 2", "exchange_rates_are_append_only"),
    "rate taken back": Attack("DELETE FROM exchange_rates", "exchange_rates_are_append_only"),
    "all rates taken back": Attack("TRUNCATE exchange_rates", "exchange_rates_are_never_truncated"),
    "quote to itself": gateways(quote(target_currency="'EUR'"), "quotes_currencies_differ"),
    **{
        f"quote of {use}{column} {amount}": gateways(
            quote(**{f"{use}{column}": amount}), f"quotes_{use}amounts_are_positive"
        )
        for use in ("", "transfer_")
        for column in ("source_amount", "target_amount")
        for amount in ("0", "'NaN'")
    },
    **{
        f"quote without {column}": gateways(quote(**{column: "NULL"}), "quotes_offer_wholly")
        for column in ("source_amount", "commission", "transfer_source_amount", "transfer_commission")
    },
    "quote of nothing": gateways(
        quote(
            **dict.fromkeys(("source_amount", "target_amount", "commission"), "NULL"),
            **dict.fromkeys(("transfer_source_amount", "transfer_target_amount", "transfer_commission"), "NULL"),
        ),
        "quotes_offer_something",
    ),
    "quote at no rate": gateways(quote(rate="0"), "quotes_rate_is_positive"),
    **{
        f"quote with {use}commission {fee}": gateways(
            quote(**{f"{use}commission": fee}), f"quotes_{use}commission_is_within_amount"
        )
        for use in ("", "transfer_")
        for fee in ("-1", "100", "'NaN'")
    },
    "quote that is over": gateways(quote(expires_at="now()"), "quotes_expire"),
    "quote used at birth": Attack(quote(payment_id="%(new)s"), NO_BREAK, DENIED),
    "quote improved": Attack(of_quote("target_amount = target_amount + 1"), "quotes_are_used_once"),
    "quote of a transfer improved": Attack(of_quote("transfer_commission = 1"), "quotes_are_used_once"),
    "quote prolonged": Attack(of_quote("expires_at = now() + interval '1 year'"), "quotes_are_used_once"),
    "quote given back": gateways(of_quote("payment_id = NULL", "used_quote"), "quotes_are_used_once"),
    "quote used again": gateways(of_quote("payment_id = %(new)s", "used_quote"), "quotes_are_used_once"),
    "two quotes for one payment": gateways(of_quote("payment_id = %(done)s"), "quotes_one_a_payment"),
    "DELETE FROM quotes": Attack("DELETE FROM quotes", "quotes_are_never_deleted"),
    "TRUNCATE quotes": Attack("TRUNCATE quotes", "quotes_are_never_truncated"),
    "payment quoted by half": by_all(quoted(rate="NULL"), "payments_are_quoted_wholly"),
    "exchange without a quote": by_all(pay().replace("'transfer'", "'exchange'"), "payments_exchanges_are_quoted"),
    "charge by quote": by_all(quoted("charge"), "payments_quoted_are_at_once"),
    "exchange for later": by_all(quoted(scheduled_at="now()"), "payments_quoted_are_at_once"),
    "target amount of nothing": by_all(quoted(target_amount="0"), "payments_target_amount_is_positive"),
    "target amount NaN": by_all(quoted(target_amount="'NaN'"), "payments_target_amount_is_positive"),
    "payment at no rate": by_all(quoted(rate="0"), "payments_rate_is_positive"),
    "payment with another quote": Attack(of_open("quote_id = %(new)s"), "payments_stay_as_quoted"),
}

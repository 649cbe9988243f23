"""Attempts on every invariant of the books, in SQL: what is tried, and what stops each role, by name.

A row of BREAKS says what stops the owner, the worker and the gateway: a constraint, a trigger, or DENIED
where the role has not the right to try. Ids stand in the statements by name, partitions as {p} and {o}.
"""

from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

DENIED = "denied"
"""insufficient_privilege: stopped before any constraint is asked."""
OVERFLOW = "NumericValueOutOfRange"
"""numeric(38,0) itself, before any right is asked."""
PASS = "payment_references_pass_from_failed"
NO_BREAK = None
"""The role may do this by design."""


def stopper(connection, sql: str, names: dict[str, str]) -> str | None:
    """What stopped the statement; None if nothing did."""
    try:
        connection.exec_driver_sql(sql, names)
    except DBAPIError as error:
        if error.orig.pgcode == "42501":
            return DENIED
        return error.orig.diag.constraint_name or type(error.orig).__name__
    return NO_BREAK


class Break(NamedTuple):
    """An attempt on an invariant, and what stops it for each role."""

    sql: str
    owner: str | None
    worker: str | None = DENIED
    gateway: str | None = DENIED


def pay(columns: str = "", values: str = "", *, amount: str = "100", source: str = "%(rich)s") -> str:
    """A transfer from `source` to bob."""
    return (
        f"INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency{columns}) "
        f"VALUES (%(new)s, 'transfer', %(ann)s, {source}, %(poor)s, {amount}, 'EUR'{values})"
    )


def operations(*lines: tuple[str, str], into: str = "operations", seq: int = 1000, after: str = "0") -> str:
    """One statement with an operation for each (payment, amount)."""
    rows = ", ".join(
        f"({payment}, {line + 10}, %(rich)s, {amount}, 'EUR', 'transfer', {after}, {seq + line})"
        for line, (payment, amount) in enumerate(lines)
    )
    columns = "payment_id, line, account_id, amount, currency, kind, balance_after, account_seq"
    return f"INSERT INTO {into} ({columns}) VALUES {rows}"


def account(**columns: str) -> str:
    """A new account of ann's, with columns of it replaced."""
    given = {
        "id": "%(new)s",
        "token": "'wal_0123456789abcdef012345'",
        "owner_id": "%(ann)s",
        "currency": "'EUR'",
    } | columns
    return f"INSERT INTO accounts ({', '.join(given)}) VALUES ({', '.join(given.values())})"


def insert(table: str, given: dict[str, str]) -> str:
    """A new row."""
    return f"INSERT INTO {table} ({', '.join(given)}) VALUES ({', '.join(given.values())})"


def new_user(**columns: str) -> str:
    """A client who signs up, with columns of his replaced."""
    given = {"id": "%(new)s", "email": "'new@example.com'", "role": "'client'", "name": "'New'"}
    return insert("users", given | columns)


def token(**columns: str) -> str:
    """A new token of ann's, with columns of it replaced."""
    given = {"id": "%(new)s", "user_id": "%(ann)s", "hash": "sha256('new')", "prefix": "'pay_'", "last4": "'0000'"}
    return insert("tokens", given | columns)


def of_token(assignments: str, name: str) -> str:
    """A change of a token: one that is kept, ended or rolled."""
    return f"UPDATE tokens SET {assignments} WHERE hash = sha256('{name}')"


def confirmation(**columns: str) -> str:
    """A new confirmation for ann, with columns of it replaced."""
    return insert("confirmations", {"id": "%(new)s", "user_id": "%(ann)s", "purpose": "'email'"} | columns)


def of_confirmation(assignments: str, state: str = "sent") -> str:
    """A change of a confirmation: one that is sent, unsent or used."""
    return f"UPDATE confirmations SET {assignments} WHERE id = %({state})s"


def throttle(subject: str, attempts: str) -> str:
    """A new throttle."""
    return insert("login_throttles", {"subject": subject, "attempts": attempts, "locked_until": "now()"})


def command(**columns: str) -> str:
    """A new command to retry a payment, with columns of it replaced."""
    given = {"id": "%(new)s", "kind": "'retry'", "payment_id": "%(done)s", "user_id": "%(ann)s", "reason": "'why not'"}
    return insert("commands", given | columns)


def terms(**columns: str) -> str:
    """New terms of commission in a while, with columns of them replaced."""
    return insert("commission_terms", {"type": "'charge'", "valid_from": "now() + interval '1 hour'"} | columns)


def currency(**columns: str) -> str:
    """A new currency of ops' own, with columns of it replaced."""
    given = {"code": "'POINTS'", "digits": "2", "kind": "'custom'", "name": "'Points'"}
    return insert("currencies", given | columns)


def adjustment(**columns: str) -> str:
    """A new proposal to credit ann, by one of ops, with columns of it replaced."""
    given = {"id": "%(new)s", "account_id": "%(rich)s", "direction": "'credit'", "amount": "1", "currency": "'EUR'"}
    return insert("adjustments", given | {"reason": "'lost'", "proposed_by": "%(ops)s"} | columns)


def of_adjustment(assignments: str, state: str = "proposed") -> str:
    """A change of an adjustment: one that is proposed, agreed or rejected."""
    return f"UPDATE adjustments SET {assignments} WHERE id = %({state})s"


def limit(**columns: str) -> str:
    """A new limit of what the shop may charge ann, with columns of it replaced."""
    return insert("charge_limits", {"account_id": "%(rich)s", "merchant_id": "%(shop)s", "per_charge": "1"} | columns)


def of_euro(assignments: str) -> str:
    """A change of a currency that is in use."""
    return f"UPDATE currencies SET {assignments} WHERE code = 'EUR'"


def rate(**columns: str) -> str:
    """A new rate, with columns of it replaced."""
    given = {"source": "'EUR'", "target": "'USD'", "rate": "1.1", "source_name": "'ECB'"}
    return insert("exchange_rates", given | columns)


def quote(**columns: str) -> str:
    """A new quote for ann, with columns of it replaced."""
    given = {
        **{"id": "%(new)s", "user_id": "%(ann)s"},
        **{"source_currency": "'EUR'", "target_currency": "'USD'", "source_amount": "100", "target_amount": "110"},
        **{"rate": "1.1", "commission": "0", "expires_at": "now() + interval '1 minute'"},
        **{"transfer_source_amount": "100", "transfer_target_amount": "108", "transfer_commission": "2"},
    }
    return insert("quotes", given | columns)


def of_quote(assignments: str, state: str = "quote") -> str:
    """A change of a quote: a `quote` that is unused, or a `used_quote`."""
    return f"UPDATE quotes SET {assignments} WHERE id = %({state})s"


def quoted(type: str = "exchange", **columns: str) -> str:
    """A payment by quote, with columns of it replaced."""
    given = {"quote_id": "%(new)s", "target_amount": "1", "target_currency": "'USD'", "rate": "1.1"} | columns
    names, values = (", ".join(part) for part in (given, given.values()))
    return pay(f", {names}", f", {values}").replace("'transfer'", f"'{type}'")


def of_command(assignments: str, state: str = "undecided") -> str:
    """A change of a command: one that is undecided or decided."""
    return f"UPDATE commands SET {assignments} WHERE id = %({state})s"


def tried(**columns: str) -> str:
    """An attempt to post ann's open payment that came to nothing, with columns of it replaced."""
    return insert("payment_attempts", {"payment_id": "%(open)s", "actor": "'worker'", "attempt": "1"} | columns)


def pair(payment: str, **rest: str | int) -> str:
    """Two operations of one payment that sum to zero."""
    return operations((payment, "-5"), (payment, "5"), **rest)


def posted(
    *, moves: str = "%(open)s", books: str = "%(rich)s", account: str = "id", currency: str = "currency", **adds: int
) -> str:
    """Two operations that sum to zero, of a payment that the same statement completes, as the ledger would write them
    but for what is given; `adds` to their `seq` and to the `after` of the last.
    """
    return f"""
        WITH moved AS (UPDATE payments SET state = 'COMPLETED', finalized_at = clock_timestamp() WHERE id = {moves}),
        booked AS (UPDATE accounts SET last_seq = last_seq + 2 WHERE id = {books})
        INSERT INTO operations (payment_id, line, account_id, amount, currency, kind, balance_after, account_seq)
        SELECT %(open)s, n, {account}, CASE n WHEN 1 THEN -5 ELSE 5 END, {currency}, 'transfer',
               balance + CASE n WHEN 1 THEN -5 ELSE {adds.get("after", 0)} END, last_seq + n + {adds.get("seq", 0)}
        FROM accounts, generate_series(1, 2) AS n WHERE id = %(rich)s"""


def of_open(assignments: str) -> str:
    """A change of a payment that is INITIATED."""
    return f"UPDATE payments SET {assignments} WHERE id = %(open)s"


def of_held(assignments: str) -> str:
    """A change of a payment that is AUTHORIZED."""
    return f"UPDATE payments SET {assignments} WHERE id = %(held)s"


def of_account(assignments: str, name: str = "rich") -> str:
    """A change of an account."""
    return f"UPDATE accounts SET {assignments} WHERE id = %({name})s"


def wished(sql: str, stopped_by: str) -> Break:
    """What all may try: the gateway wishes, and so does a worker in the house's name."""
    return Break(sql, stopped_by, stopped_by, stopped_by)


def gateways(sql: str, stopped_by: str) -> Break:
    """What the worker may not even try."""
    return Break(sql, stopped_by, DENIED, stopped_by)


def both(sql: str, stopped_by: str) -> Break:
    """What the gateway may not even try."""
    return Break(sql, stopped_by, stopped_by)


def overflow(sql: str) -> Break:
    """What no numeric(38,0) holds, whoever tries."""
    return Break(sql, OVERFLOW, OVERFLOW, OVERFLOW)


HERE, THERE = "%(open)s", "%(done)s"

BREAKS = {
    # amounts of payments
    **{
        f"amount {amount}": wished(pay(amount=amount), "payments_amount_is_positive")
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
    "source is target": wished(pay(source="%(poor)s"), "payments_source_is_not_target"),
    "unknown type": wished(pay().replace("'transfer'", "'gift'"), "payments_type_is_known"),
    "unknown state": Break(of_open("state = 'PAID'"), "payments_move_along_edges", "payments_move_along_edges"),
    # holds and times
    "transfer captured later": wished(pay(", capture", ", false"), "payments_only_charges_are_captured_later"),
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
    "bonus for later": Break(
        pay(", scheduled_at", ", now()").replace("'transfer'", "'bonus'"),
        *["payments_scheduled_are_orders"] * 2,
        "payments_of_the_house_are_the_workers",
    ),
    "withdrawal for later outside a bulk": Break(
        pay(", scheduled_at", ", now()").replace("'transfer'", "'withdrawal'"), *["payments_scheduled_are_orders"] * 3
    ),
    "order captured at once after all": Break(of_held("capture = true"), "payments_orders_are_immutable"),
    "order scheduled after all": Break(of_open("scheduled_at = now()"), "payments_orders_are_immutable"),
    "order prolonged": Break(of_open("expires_at = now()"), "payments_orders_are_immutable"),
    # clocks
    **{
        f"order by a clock {off}": wished(
            pay().replace("%(new)s", f"uuid_floor(now() {off})"), "payments_ids_are_of_their_day"
        )
        for off in ("+ interval '25 hours'", "- interval '25 hours'")
    },
    "order by a clock that is hours off": Break(
        pay().replace("%(new)s", "uuid_floor(now() - interval '23 hours')"), *[NO_BREAK] * 3
    ),
    # refunds
    "refund of nothing": wished(pay().replace("'transfer'", "'refund'"), "payments_refunds_name_their_charge"),
    "transfer that gives back": wished(pay(", parent_id", ", %(done)s"), "payments_refunds_name_their_charge"),
    "order for a whim": wished(pay(", reason", ", 'whim'"), "payments_reason_is_known"),
    "order with another reason": Break(of_open("reason = 'duplicate'"), "payments_orders_are_immutable"),
    "refund of another charge": Break(of_open("parent_id = %(done)s"), "payments_orders_are_immutable"),
    "total of refunds made up": Break(
        insert("refund_totals", {"payment_id": "%(new)s", "captured": "10", "refunded": "1"}),
        "refund_totals_are_moved_by_refunds",
    ),
    "total of refunds reset": Break(
        "UPDATE refund_totals SET refunded = 1, captured = 1000", "refund_totals_are_moved_by_refunds"
    ),
    "total of refunds forgotten": Break("DELETE FROM refund_totals", "refund_totals_are_never_deleted"),
    "all totals of refunds forgotten": Break("TRUNCATE refund_totals", "refund_totals_are_never_truncated"),
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
    "terms changed": Break("UPDATE commission_terms SET percent = 0", "commission_terms_are_append_only"),
    "terms taken back": Break("DELETE FROM commission_terms", "commission_terms_are_append_only"),
    "all terms taken back": Break("TRUNCATE commission_terms", "commission_terms_are_never_truncated"),
    # exchange
    "rate of nothing": gateways(rate(rate="0"), "exchange_rates_rate_is_positive"),
    "rate of NaN": gateways(rate(rate="'NaN'"), "exchange_rates_rate_is_positive"),
    "rate to itself": gateways(rate(target="'EUR'"), "exchange_rates_currencies_differ"),
    **{
        f"spread of {spread}": gateways(rate(spread=spread), "exchange_rates_spread_is_bounded")
        for spread in ("-1", "100", "'NaN'")
    },
    "rate that nobody says": gateways(rate(source_name="''"), "exchange_rates_source_name_is_bounded"),
    "rate of yesterday": gateways(rate(valid_from="now() - interval '1 day'"), "exchange_rates_are_not_backdated"),
    "rate changed": Break("UPDATE exchange_rates SET rate = 2", "exchange_rates_are_append_only"),
    "rate taken back": Break("DELETE FROM exchange_rates", "exchange_rates_are_append_only"),
    "all rates taken back": Break("TRUNCATE exchange_rates", "exchange_rates_are_never_truncated"),
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
    "quote used at birth": Break(quote(payment_id="%(new)s"), NO_BREAK, DENIED),
    "quote improved": Break(of_quote("target_amount = target_amount + 1"), "quotes_are_used_once"),
    "quote of a transfer improved": Break(of_quote("transfer_commission = 1"), "quotes_are_used_once"),
    "quote prolonged": Break(of_quote("expires_at = now() + interval '1 year'"), "quotes_are_used_once"),
    "quote given back": gateways(of_quote("payment_id = NULL", "used_quote"), "quotes_are_used_once"),
    "quote used again": gateways(of_quote("payment_id = %(new)s", "used_quote"), "quotes_are_used_once"),
    "two quotes for one payment": gateways(of_quote("payment_id = %(done)s"), "quotes_one_a_payment"),
    "DELETE FROM quotes": Break("DELETE FROM quotes", "quotes_are_never_deleted"),
    "TRUNCATE quotes": Break("TRUNCATE quotes", "quotes_are_never_truncated"),
    "payment quoted by half": wished(quoted(rate="NULL"), "payments_are_quoted_wholly"),
    "exchange without a quote": wished(pay().replace("'transfer'", "'exchange'"), "payments_exchanges_are_quoted"),
    "charge by quote": wished(quoted("charge"), "payments_quoted_are_at_once"),
    "exchange for later": wished(quoted(scheduled_at="now()"), "payments_quoted_are_at_once"),
    "target amount of nothing": wished(quoted(target_amount="0"), "payments_target_amount_is_positive"),
    "target amount NaN": wished(quoted(target_amount="'NaN'"), "payments_target_amount_is_positive"),
    "payment at no rate": wished(quoted(rate="0"), "payments_rate_is_positive"),
    "payment with another quote": Break(of_open("quote_id = %(new)s"), "payments_stay_as_quoted"),
    # balances
    "balance NaN": both(of_account("balance = 'NaN'"), "accounts_balance_is_bounded"),
    "held NaN": both(of_account("balance = 'NaN', held = 'NaN'"), "accounts_balance_is_bounded"),
    "held NaN, balance a number": both(of_account("held = 'NaN'"), "accounts_held_is_not_negative"),
    "held below zero": both(of_account("held = -1"), "accounts_held_is_not_negative"),
    "held above balance": both(of_account("held = balance + 1"), "accounts_available_not_below_floor"),
    "balance below floor": both(of_account("balance = floor - 1"), "accounts_available_not_below_floor"),
    "balance above ceiling": both(of_account("balance = 5001", "capped"), "accounts_balance_not_above_ceiling"),
    "last_seq below zero": both(of_account("last_seq = -1"), "accounts_last_seq_is_not_negative"),
    "floor NaN": Break(of_account("floor = 'NaN'"), "accounts_available_not_below_floor"),
    "floor NaN under a balance NaN": Break(of_account("floor = 'NaN', balance = 'NaN'"), "accounts_balance_is_bounded"),
    "floor NaN of a technical account": Break(
        of_account("floor = 'NaN'", "wire"), "accounts_available_not_below_floor"
    ),
    "floor NULL of a customer's": Break(of_account("floor = NULL"), "accounts_owned_have_a_floor"),
    "floor above the balance": Break(of_account("floor = balance + 1"), "accounts_available_not_below_floor"),
    "ceiling NaN": Break(of_account("ceiling = 'NaN'"), "accounts_ceiling_is_bounded"),
    "ceiling below zero": Break(
        of_account("ceiling = -1, balance = -2, floor = -2", "poor"), "accounts_ceiling_is_bounded"
    ),
    "ceiling below the balance": Break(of_account("ceiling = balance - 1"), "accounts_balance_not_above_ceiling"),
    # who has which account
    "account of nobody": wished(account(owner_id="NULL"), "accounts_are_owned_or_technical"),
    "account without token": wished(account(token="NULL"), "accounts_are_owned_or_technical"),
    "account of a stranger to us": wished(account(owner_id="%(new)s"), "accounts_owner_id_fkey"),
    "account in no currency": wished(account(currency="'XXX'"), "accounts_currency_fkey"),
    "account with a guessable token": wished(account(token="'wal_1'"), "accounts_token_is_well_formed"),
    "account with a code and an owner": Break(account(code="'wire'"), "accounts_are_owned_or_technical"),
    "second technical account": Break(
        account(code="'wire'", owner_id="NULL", token="NULL"), "accounts_technical_one_per_code"
    ),
    "technical account of a new kind": Break(
        account(code="'slush'", owner_id="NULL", token="NULL"), "accounts_technical_code_is_known"
    ),
    "account born rich": Break(account(balance="'NaN'"), "accounts_balance_is_bounded"),
    "account born with a ceiling": Break(account(ceiling="-1"), "accounts_balance_not_above_ceiling"),
    "digits of a currency in use": Break(
        "UPDATE currencies SET digits = 3 WHERE code = 'EUR'", "currencies_digits_are_fixed"
    ),
    "code of a currency in use": Break(
        "UPDATE currencies SET code = 'EUX' WHERE code = 'EUR'", "currencies_digits_are_fixed"
    ),
    "19 digits": Break("UPDATE currencies SET digits = 19 WHERE code = 'CHF'", "currencies_digits_are_bounded"),
    "19 digits of a new currency": gateways(currency(digits="19"), "currencies_digits_are_bounded"),
    "money made by a state": Break(
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
    "token told to who gave an older one": Break(of_account("token_since = NULL"), NO_BREAK),
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
    "limit eased": Break("UPDATE charge_limits SET per_charge = 2", NO_BREAK),
    "limits lifted": Break("DELETE FROM charge_limits", NO_BREAK, DENIED, NO_BREAK),
    "merchants let in again": Break("DELETE FROM blocked_merchants", NO_BREAK, DENIED, NO_BREAK),
    "wallet limited by nothing": Break(of_account("is_limited = true"), NO_BREAK),
    # adjustments
    "adjustment sideways": gateways(adjustment(direction="'sideways'"), "adjustments_direction_is_known"),
    **{
        f"adjustment of {amount}": gateways(adjustment(amount=amount), "adjustments_amount_is_positive")
        for amount in ("0", "-1", "'NaN'")
    },
    "adjustment without a word why": gateways(adjustment(reason="''"), "adjustments_reasons_are_bounded"),
    "adjustment proposed by a client": gateways(adjustment(proposed_by="%(ann)s"), "adjustments_are_of_ops"),
    "adjustment approved at birth": Break(
        adjustment(approved_by="%(chief)s", approved_at="now()", payment_id="%(new)s"), NO_BREAK, DENIED, DENIED
    ),
    **{
        f"adjustment approved {what}": gateways(of_adjustment(assignments), stopped_by)
        for what, assignments, stopped_by in [
            (
                "by whoever proposed it",
                "approved_by = %(ops)s, approved_at = now(), payment_id = %(new)s",
                "adjustments_take_two_people",
            ),
            (
                "by a client",
                "approved_by = %(ann)s, approved_at = now(), payment_id = %(new)s",
                "adjustments_are_of_ops",
            ),
            ("by nobody", "approved_at = now(), payment_id = %(new)s", "adjustments_are_approved_wholly"),
            ("without a payment", "approved_by = %(chief)s, approved_at = now()", "adjustments_are_approved_wholly"),
            (
                "by the payment of another",
                "approved_by = %(chief)s, approved_at = now(), payment_id = %(done)s",
                "adjustments_one_a_payment",
            ),
        ]
    },
    "adjustment approved twice": gateways(
        of_adjustment("approved_at = now()", "agreed"), "adjustments_are_decided_once"
    ),
    "adjustment rejected at birth": Break(
        adjustment(rejected_by="%(ops)s", rejected_at="now()", rejection_reason="'x'"), NO_BREAK, DENIED, DENIED
    ),
    **{
        f"adjustment rejected {what}": gateways(of_adjustment(f"rejected_at = now(), {assignments}", state), stopped_by)
        for what, assignments, state, stopped_by in [
            ("by a client", "rejected_by = %(ann)s, rejection_reason = 'x'", "proposed", "adjustments_are_of_ops"),
            ("by nobody", "rejection_reason = 'x'", "proposed", "adjustments_are_rejected_wholly"),
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
    "adjustment approved after its rejection": gateways(
        of_adjustment("approved_by = %(chief)s, approved_at = now(), payment_id = %(new)s", "rejected"),
        "adjustments_are_decided_once",
    ),
    "adjustment proposed again": gateways(
        of_adjustment("rejected_by = NULL, rejected_at = NULL, rejection_reason = NULL", "rejected"),
        "adjustments_are_decided_once",
    ),
    "adjustment of another amount": Break(of_adjustment("amount = 2"), "adjustments_are_decided_once"),
    "adjustment of another account": Break(of_adjustment("account_id = %(poor)s"), "adjustments_are_decided_once"),
    "adjustment proposed by somebody else": Break(
        of_adjustment("proposed_by = %(chief)s"), "adjustments_are_decided_once"
    ),
    "DELETE FROM adjustments": Break("DELETE FROM adjustments", "adjustments_are_never_deleted"),
    "TRUNCATE adjustments": Break("TRUNCATE adjustments", "adjustments_are_never_truncated"),
    # the double entry
    "an operation alone": both(operations((HERE, "5")), "operations_sum_to_zero"),
    "sum not zero": both(operations((HERE, "-5"), (HERE, "6")), "operations_sum_to_zero"),
    "one bad payment of a batch": both(
        operations((HERE, "-5"), (HERE, "5"), (THERE, "-5"), (THERE, "4")), "operations_sum_to_zero"
    ),
    "two bad payments that cancel out": both(operations((HERE, "-5"), (THERE, "5")), "operations_sum_to_zero"),
    "two currencies that cancel out": both(pair(HERE).replace("'EUR'", "'USD'", 1), "operations_sum_to_zero"),
    "sum not zero, into a partition": Break(operations((HERE, "5"), into="{o}"), "operations_sum_to_zero"),
    "operations as the ledger writes them": Break(posted(), NO_BREAK, NO_BREAK),
    "operations of what stays open": both(posted(moves="%(new)s"), "operations_are_of_what_is_completed"),
    "operations of what was completed before": both(pair(THERE), "operations_are_of_what_is_completed"),
    "operations of no payment": both(pair("%(new)s"), "operations_are_of_what_is_completed"),
    "operations of what stays open, into a partition": Break(
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
        f"{verb} {table}": Break(f"{verb} {table}{rest}", stop.format(state))
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
        f"{verb} {table}": Break(f"{verb} {table}", f"{name}_are_never_{stop}")
        for table, name in {
            "payments": "payments",
            "{p}": "payments",
            "payment_references": "payment_references",
        }.items()
        for verb, stop in [("DELETE FROM", "deleted"), ("TRUNCATE", "truncated")]
    },
    "SELECT from a partition": Break("SELECT FROM {p}", NO_BREAK),
    "INSERT into a partition": Break(
        pay(amount="0").replace("INTO payments", "INTO {p}"), "payments_amount_is_positive"
    ),
    "UPDATE of a final payment in a partition": Break(
        "UPDATE {p} SET attempts = 1 WHERE id = %(done)s", "payments_final_is_final"
    ),
    "forged event": Break(
        "INSERT INTO events (subject_id, version, name) VALUES (%(open)s, 9, 'payment.completed')",
        "events_are_told_by_triggers",
    ),
    "attempt of somebody else": both(tried(actor="'ann'"), "payment_attempts_actor_is_known"),
    "attempt before the first": both(tried(attempt="-1"), "payment_attempts_attempt_is_not_negative"),
    "attempt with a long story": both(tried(error="repeat('x', 501)"), "payment_attempts_error_is_bounded"),
    "attempt of another time": Break(tried(created_at="now()"), NO_BREAK),
    # one key, one reference, one payment
    "second payment under one key": wished(
        "INSERT INTO idempotency_keys (user_id, key, fingerprint, payment_id) "
        "SELECT user_id, key, fingerprint, %(new)s FROM idempotency_keys WHERE payment_id = %(done)s",
        "idempotency_keys_pkey",
    ),
    "key of nothing": wished(
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
    "another word for a reference": Break(
        "UPDATE payment_references SET reference = 'A-3' WHERE reference = 'A-2'", PASS
    ),
    "reference of another merchant": Break(
        "UPDATE payment_references SET merchant_id = %(ann)s WHERE reference = 'A-2'", PASS
    ),
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
    "user with another's address": wished(new_user(email="'ANN@elsewhere.example'"), "users_email_is_unique"),
    "user with a role of ours": Break(new_user(role="'ops'"), NO_BREAK, NO_BREAK, "users_who_sign_up_are_customers"),
    "user with another role of ours": Break(
        new_user(role="'auditor'"), NO_BREAK, NO_BREAK, "users_who_sign_up_are_customers"
    ),
    "user with no role that is": Break(
        new_user(role="'root'"), *["users_role_is_known"] * 2, "users_who_sign_up_are_customers"
    ),
    "user with a confirmed address": Break(new_user(email_confirmed_at="now()"), NO_BREAK, NO_BREAK),
    "client made ops": Break("UPDATE users SET role = 'ops' WHERE id = %(ann)s", NO_BREAK),
    "token of a new kind": gateways(token(kind="'cookie'"), "tokens_kind_is_known"),
    "session for ever": gateways(token(kind="'session'"), "tokens_sessions_expire"),
    "token with an empty name": wished(token(name="''"), "tokens_name_is_bounded"),
    "token with an empty user agent": gateways(token(user_agent="''"), "tokens_user_agent_is_bounded"),
    "token with its text": wished(token(hash="'pay_0'"), "tokens_hash_is_sha256"),
    "token known already": wished(token(hash="sha256('kept')"), "tokens_hash_is_unique"),
    "client's token that brings in money": Break(
        token(scopes="ARRAY['deposits:write']"), NO_BREAK, NO_BREAK, "tokens_deposits_are_the_operators"
    ),
    "token unrevoked": Break(
        of_token("revoked_at = NULL", "ended"), "tokens_stay_revoked", DENIED, "tokens_stay_revoked"
    ),
    "expired key prolonged": gateways(of_token("expires_at = NULL", "kept"), "tokens_stay_revoked"),
    "replaced key prolonged": gateways(of_token("expires_at = NULL", "rolled"), "tokens_stay_revoked"),
    "token given to another": Break(of_token("user_id = %(shop)s", "kept"), NO_BREAK),
    "confirmation for a new purpose": gateways(confirmation(purpose="'fun'"), "confirmations_purpose_is_known"),
    "confirmation given out by the asker": Break(
        confirmation(hash="sha256('x')", expires_at="now()"), NO_BREAK, DENIED
    ),
    "confirmation with its text": both(of_confirmation("hash = 'cfm_0'"), "confirmations_hash_is_sha256"),
    "confirmation for ever": both(of_confirmation("expires_at = NULL"), "confirmations_expire"),
    "confirmation with the hash of another": Break(
        of_confirmation("hash = sha256('used')"), *["confirmations_hash_is_unique"] * 2
    ),
    "confirmation used before it was sent": gateways(
        of_confirmation("used_at = now()", "unsent"), "confirmations_are_used_once_given"
    ),
    "confirmation used twice": gateways(of_confirmation("used_at = now()", "used"), "confirmations_are_used_once"),
    "confirmation of less than no attempts": both(
        of_confirmation("attempts = -1"), "confirmations_attempts_are_not_negative"
    ),
    "confirmation with a long story": Break(
        of_confirmation("last_error = repeat('x', 501)"), *["confirmations_last_error_is_bounded"] * 2
    ),
    "throttle of a plain address": gateways(throttle("'ann@example.com'", "1"), "login_throttles_subject_is_sha256"),
    "throttle of no attempts": gateways(throttle("sha256('a')", "0"), "login_throttles_attempts_are_positive"),
    # commands
    "command to do something else": gateways(command(kind="'mint'"), "commands_kind_is_known"),
    "command without a word why": gateways(command(reason="''"), "commands_reason_is_bounded"),
    "second open command": gateways(command(payment_id="%(open)s"), "commands_one_open_retry"),
    "command with its outcome": Break(command(outcome="'done'", decided_at="now()"), NO_BREAK, DENIED),
    "command with an outcome and no time": both(
        of_command("outcome = 'done'"), "commands_decided_exactly_with_outcome"
    ),
    "command with an unknown outcome": Break(
        of_command("outcome = 'perhaps', decided_at = now()"), *["commands_outcome_is_known"] * 2
    ),
    "command decided twice": Break(
        of_command("outcome = 'refused', decided_at = now()", "decided"), *["commands_are_decided_once"] * 2
    ),
    "DELETE FROM commands": Break("DELETE FROM commands", "commands_are_never_deleted"),
    "TRUNCATE commands": Break("TRUNCATE commands", "commands_are_never_truncated"),
    "void with an amount": gateways(
        command(kind="'void'", amount="1", reason="NULL"), "commands_only_captures_have_amounts"
    ),
    "capture of nothing": gateways(
        command(kind="'capture'", amount="0", reason="NULL"), "commands_only_captures_have_amounts"
    ),
    "retry without a reason": gateways(command(reason="NULL"), "commands_retries_have_reasons"),
    "void after a capture": gateways(
        command(kind="'void'", payment_id="%(held)s", reason="NULL"), "commands_one_ending"
    ),
    # the house's own money
    "technical account closed": Break(
        of_account("is_active = false", "wire"), NO_BREAK, DENIED, "accounts_of_ours_are_not_the_gateways"
    ),
    "bonus": Break(pay().replace("'transfer'", "'bonus'"), NO_BREAK, NO_BREAK, "payments_of_the_house_are_the_workers"),
    "payment revived": Break(of_open("due_at = now()"), NO_BREAK, NO_BREAK),
    "audit in another's name": Break(
        "INSERT INTO audit_log (actor, action, target, written_by) VALUES ('x', 'y', 'z', 'nobody')", NO_BREAK
    ),
    # what only the gateway might try: a wish with more than a wish in it
    **{
        f"wish with its own {column}": Break(pay(f", {column}", f", {value}"), NO_BREAK)
        for column, value in {
            "state": "'INITIATED'",
            "due_at": "now()",
            "created_at": "now()",
            "version": "1",
            "attempts": "0",
            "commission": "0",
            "parked_at": "NULL",
            "failure_code": "NULL",
            "finalized_at": "NULL",
            "last_error": "NULL",
        }.items()
    },
    **{
        f"wallet with its own {column}": Break(account(**{column: value}), NO_BREAK)
        for column, value in {
            "balance": "1",
            "held": "0",
            "floor": "-1",
            "ceiling": "NULL",
            "last_seq": "0",
            "is_frozen": "false",
        }.items()
    },
    # what else a role could turn to
    "lock a balance": Break("SELECT FROM accounts WHERE id = %(rich)s FOR UPDATE", *[NO_BREAK] * 3),
    "lock a payment": Break("SELECT FROM payments WHERE id = %(open)s FOR UPDATE", NO_BREAK, NO_BREAK),
    "lock the table": Break("LOCK TABLE accounts IN EXCLUSIVE MODE", NO_BREAK),
    "make_partition": Break("SELECT make_partition('payments', now() + interval '9 months')", NO_BREAK),
    "ensure_partitions": Break("SELECT ensure_partitions()", NO_BREAK, NO_BREAK),
    "make a table": Break("CREATE TABLE mine (id integer)", NO_BREAK),
    "disable the triggers": Break("ALTER TABLE operations DISABLE TRIGGER USER", NO_BREAK),
    "skip the triggers": Break("SET session_replication_role = replica", DENIED),
    "become the owner": Break("SET ROLE payments_owner", NO_BREAK),
    "read the audit": Break("SELECT FROM audit_log", *[NO_BREAK] * 3),
}

"""Each CHECK of the schema met over HTTP, at its edge and one past it: a value is taken or refused, never a fault."""

from typing import Any

import pytest

from tests.gateway.harness import ApiHarness
from tests.gateway.http import action_column_bounds, breach_column_bounds, retry_column_bounds, token_column_bounds
from tests.gateway.http import column_bounds as ways
from tests.gateway.http.column_bounds import Probe, Scene, amount, choice, member, text

OVERFLOW = [["9" * 36 + ".99", "0.01"], ["5" + "0" * 35 + ".00"] * 2]
IBANS = ["", "DE89370400440532013001", "DE8937040044053201300", "XX" + "0" * 33, "x" * 60]
IBANS += ["\u0414E89370400440532013000"]
BICS = ["", "COBADEFFXX", "COBADEFFXXXX", "COBA1EFF", "x" * 60]

REACHED: dict[str, list[Probe]] = {
    **action_column_bounds.REACHED,
    **breach_column_bounds.REACHED,
    "accounts_label_is_bounded": [text(ways.wallet, "label", 100), text(ways.change_wallet, "label", 100)],
    "adjustments_amount_is_positive": [amount(ways.adjust, "amount")],
    "adjustments_direction_is_known": [choice(ways.adjust, "direction", "credit", "debit")],
    "adjustments_reasons_are_bounded": [text(ways.adjust, "reason", 500), text(ways.approve, "reason", 500)],
    "adjustments_rejection_reason_is_bounded": [text(ways.reject, "reason", 500)],
    "adjustments_take_two_people": [Probe(ways.approve_by, ["chief"], ["ops"])],
    "audit_log_reason_is_bounded": [text(ways.deactivate, "reason", 500)],
    "bank_accounts_bic_is_well_formed": [Probe(member(ways.bank_account, "bic"), ["COBADEFF", "COBADEFFXXX"], BICS)],
    "bank_accounts_iban_is_well_formed": [Probe(member(ways.bank_account, "iban"), ["NO9386011117947"], IBANS)],
    "bank_accounts_organization_name_is_bounded": [text(ways.bank_account, "organization_name", 70)],
    "bank_statement_lines_amount_is_positive": [
        Probe(member(ways.statement, "amount"), ["0.01", "9" * 36 + ".99"], ["0", "-1", "1" + "0" * 36, "NaN", "1e3"])
    ],
    "bank_statement_lines_direction_is_known": [
        Probe(member(ways.statement, "direction"), ["credit", "debit"], ["", "sideways"])
    ],
    "bank_statement_lines_match_reason_is_bounded": [text(ways.match, "reason", 500)],
    "bank_statement_lines_texts_are_bounded": [
        Probe(member(ways.statement, name), ["x", "x" * 140], ["x" * 141, "a\x00b"])
        for name in ("end_to_end_id", "bank_reference", "description")
    ],
    "bank_statements_period_is_bounded": [
        Probe(
            ways.statement_of_days,
            [("2026-01-01", "2026-12-31"), ("2026-12-31", "2026-01-01")],
            [("2025-01-01", "2026-11-01"), ("2025-11-01", "2026-11-03")],
        )
    ],
    "bulks_atomic_are_transfers_at_once": [
        Probe(member(ways.bulk), [{"mode": "atomic"}], [{"mode": "atomic", "is_open": True}])
    ],
    "bulks_lines_are_bounded": [Probe(ways.charge_many, [1, 1000], [0, 1001])],
    "bulks_mode_is_known": [choice(ways.bulk, "mode", "atomic", "best_effort")],
    "bulks_total_is_bounded": [Probe(ways.charge_in_all, [["9" * 36 + ".98", "0.01"]], OVERFLOW)],
    "charge_limits_limit_something": [Probe(member(ways.limit), [{"per_day": "1.00"}], [{}, {"per_day": None}])],
    "charge_limits_per_charge_is_positive": [amount(ways.limit, "per_charge")],
    "charge_limits_per_day_is_positive": [amount(ways.limit, "per_day")],
    "commands_only_captures_have_amounts": [
        Probe(member(ways.capture, "amount"), ["0.01", "1.00"], ["0", "1.01", "9" * 36 + ".99", "1" + "0" * 36, "-1"])
    ],
    **retry_column_bounds.REACHED,
    "commission_terms_amounts_have_a_currency": [
        Probe(member(ways.terms_of_any), [{}, {"currency": "EUR", "fixed": "1"}], [{"fixed": "1"}, {"maximum": "1"}])
    ],
    "commission_terms_bounds_are_in_order": [
        amount(ways.terms, "minimum", zero=True),
        amount(ways.terms, "maximum", zero=True),
        Probe(member(ways.terms), [{"minimum": "1", "maximum": "1"}], [{"minimum": "1.01", "maximum": "1"}]),
    ],
    "commission_terms_fixed_is_bounded": [amount(ways.terms, "fixed", zero=True)],
    "commission_terms_percent_is_bounded": [
        Probe(member(ways.terms, "percent"), ["0", "100", "99.999999"], ["100.000001", "101", "-1", "NaN", "0.0000001"])
    ],
    "commission_terms_type_is_known": [choice(ways.terms, "type", "deposit", "withdrawal", "transfer", "charge")],
    "currencies_balance_maximum_is_bounded": [
        amount(ways.currency, "balance_maximum"),
        amount(ways.change_currency, "balance_maximum"),
    ],
    "currencies_code_is_well_formed": [
        Probe(member(ways.currency, "code"), ["ZZ9", "Z" * 12], ["ZZ", "Z" * 13, "9ZZ", "zzz", "Z\u00c9Z", "ZZZ\n", ""])
    ],
    "currencies_digits_are_bounded": [
        Probe(member(ways.currency, "digits"), [0, 18], [-1, 19, 10**29, 1.0, "2", True])
    ],
    "currencies_kind_is_known": [choice(ways.currency, "kind", "crypto", "custom")],
    "currencies_maximum_is_bounded": [
        amount(ways.currency, "maximum"),
        amount(ways.change_currency, "maximum"),
        Probe(member(ways.currency), [{"minimum": "2", "maximum": "2"}], [{"minimum": "2", "maximum": "1"}]),
        Probe(member(ways.change_currency), [{"minimum": "2", "maximum": "2"}], [{"minimum": "2", "maximum": "1"}]),
    ],
    "currencies_minimum_is_bounded": [amount(ways.currency, "minimum"), amount(ways.change_currency, "minimum")],
    "currencies_name_is_bounded": [text(ways.currency, "name", 100), text(ways.change_currency, "name", 100)],
    "exchange_rates_are_not_backdated": [
        Probe(
            member(ways.rate, "valid_from"), ["2200-01-01T00:00:00Z"], ["2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z"]
        )
    ],
    "exchange_rates_currencies_differ": [Probe(member(ways.rate, "target"), ["EUR"], ["CHF", "XXX"])],
    "exchange_rates_rate_is_positive": [
        Probe(
            member(ways.rate, "rate"), ["0." + "0" * 17 + "1", "9" * 20 + "." + "9" * 18], ["0", "1" + "0" * 20, "-1"]
        )
    ],
    "exchange_rates_source_name_is_bounded": [text(ways.rate, "source_name", 100)],
    "exchange_rates_spread_is_bounded": [Probe(member(ways.rate, "spread"), ["0", "99.999999"], ["100", "-1"])],
    "idempotency_keys_key_is_bounded": [Probe(ways.keyed, ["!", "k" * 255], ["", "k" * 256])],
    "instructions_bic_is_well_formed": [
        Probe(member(ways.withdraw, "bic"), ["COBADEFF", "COBADEFFXXX"], BICS),
        Probe(member(ways.pay_many, "counterparty_bic"), ["COBADEFF", "COBADEFFXXX"], BICS),
    ],
    "instructions_iban_is_well_formed": [
        Probe(member(ways.withdraw, "iban"), ["NO9386011117947", "MT31MALT01100000000000000000123"], IBANS)
    ],
    "instructions_creditor_reference_is_well_formed": [
        Probe(
            ways.pay_referred,
            ["RF18539007547034", "RF47" + "A" * 21, "210000000003139471430009017"],
            ["RF19539007547034", "RF18", "RF47" + "A" * 22, "210000000003139471430009018", "", "x" * 60],
        )
    ],
    "instructions_ids_are_bounded": [
        text(ways.pay_many, "instruction_id", 35),
        text(ways.pay_many, "end_to_end_id", 35),
    ],
    "instructions_remittance_is_of_one_kind": [
        Probe(
            member(ways.pay_many),
            [{"description": "x"}],
            [{"description": "x", "creditor_reference": "RF18539007547034"}],
        )
    ],
    "instructions_words_are_bounded": [
        text(ways.withdraw, "name", 70),
        text(ways.pay_many, "counterparty_name", 70),
        text(ways.pay_many, "description", 140),
    ],
    "payment_references_reference_is_bounded": [text(ways.charge_line, "reference", 100)],
    "payments_amount_is_positive": [
        amount(ways.deposit, "amount"),
        amount(ways.transfer, "amount"),
        amount(ways.charge, "amount"),
        amount(ways.withdraw, "amount"),
        amount(ways.charge_line, "amount"),
        amount(ways.pay_many, "amount"),
        Probe(member(ways.refund, "amount"), ["0.01", "1.00"], ["0", "1" + "0" * 36, "0.001"]),
    ],
    "payments_bulks_are_of_withdrawals_or_charges": [
        Probe(member(ways.charge_line), [{}], [{"capture": False}, {"scheduled_at": "2200-01-01T00:00:00Z"}])
    ],
    "payments_only_charges_are_captured_later": [
        Probe(member(ways.charge, "capture"), [True, False], [0, "false"]),
        Probe(member(ways.transfer, "capture"), [], [True, False]),
    ],
    "payments_quoted_are_at_once": [
        Probe(member(ways.quoted_transfer), [{}], [{"scheduled_at": "2200-01-01T00:00:00Z"}])
    ],
    "payments_reason_is_known": [choice(ways.refund, "reason", "duplicate", "fraudulent", "requested_by_customer")],
    "payments_reference_is_bounded": [text(ways.charge, "reference", 100)],
    "payments_scheduled_are_orders": [
        Probe(member(way, "scheduled_at"), fits, ["9999-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "", "x"])
        for way, fits in (
            (ways.charge, ["2200-01-01T00:00:00Z", "9998-12-31T23:59:59Z"]),
            (ways.transfer, ["2200-01-01T00:00:00Z", "1971-01-01T00:00:00Z"]),
            (ways.deposit, []),
            (ways.withdraw, []),
        )
    ],
    "payments_source_is_not_target": [Probe(ways.transfer_to, ["other"], ["customer_wallet"])],
    "payments_summary_is_bounded": [
        text(way, "summary", 70) for way in (ways.charge, ways.transfer, ways.withdraw, ways.charge_line)
    ],
    "quotes_amounts_are_positive": [
        Probe(member(ways.quote, "amount"), ["0.02", "9" * 34 + ".00"], ["0", "9" * 36 + ".99", "1" + "0" * 36])
    ],
    "quotes_currencies_differ": [Probe(member(ways.quote, "target_currency"), ["USD"], ["EUR"])],
    **token_column_bounds.TOKENS,
    "users_email_is_bounded": [
        Probe(member(ways.sign_up, "email"), ["a@b.co", "a" * 64 + "@" + "b" * 61 + ".example.com"], ["a@", "x" * 255])
    ],
    "users_first_name_is_bounded": [text(ways.sign_up, "first_name", 50), text(ways.me, "first_name", 50)],
    "users_last_name_is_bounded": [text(ways.sign_up, "last_name", 50), text(ways.me, "last_name", 50)],
    "users_name_is_bounded": [
        text(lambda scene, members: ways.sign_up(scene, {"url": "https://shop.example.com", **members}), "name", 100),
        text(ways.me, "name", 100),
    ],
    "users_password_is_hashed": [
        Probe(
            member(ways.sign_up, "password"), ["p a s s w o r d", "pass w\u00f6rd " * 10], ["short", "pass word " * 13]
        )
    ],
    "users_phone_number_is_e164": [
        Probe(
            member(way, "phone_number"),
            fits,
            ["+4930123456789012", "+811201234567890123", "+49 1234", "+999 1234567", "+1", "", "+" + "9" * 40],
        )
        for way, fits in (
            (ways.sign_up, ["+683 4002", "+690 3000", "+678 22345", "+49 30 1234 5678 901"]),
            (ways.me, ["+683 4003", "+49 30 1234 5678 902"]),
        )
    ],
    "users_url_is_bounded": [
        Probe(
            member(lambda scene, members: ways.sign_up(scene, {"name": "Shop", **members}), "url"),
            ["http://a.co", "https://a.co/" + "x" * 187, "https://a.co:65535/"],
            ["https://a.co/" + "x" * 188, "https://a.co:65536/", "a.co", "ftp://a.co", ""],
        )
    ],
    "webhook_endpoints_description_is_bounded": [text(ways.hook, "description", 200)],
    "webhook_endpoints_event_types_are_bounded": [
        Probe(member(ways.hook, "event_types"), [["*"]], [[], ["*"] * 2, ["x"], "*", [None], ["*"] * 21])
    ],
    "webhook_endpoints_payment_types_are_known": [
        Probe(member(ways.hook, "payment_types"), [["refund"]], [[], ["refund"] * 2, ["gift"], "refund", [None]])
    ],
    "webhook_endpoints_url_is_bounded": [
        Probe(
            member(ways.hook, "url"),
            ["https://8.8.8.8/" + "x" * 1984, "https://8.8.8.8:8443/"],
            ["https://8.8.8.8/" + "x" * 1985, "https://8.8.8.8:65536/", "https://8.8.8.8:99999/", "x", ""],
        )
    ],
}
"""By constraint, the members of bodies, cells of files and headers that its column is filled from."""

OURS = {
    **action_column_bounds.OURS,
    **breach_column_bounds.OURS,
    "accounts": "are_owned_or_technical available_not_below_floor balance_is_bounded balance_not_above_ceiling"
    " ceiling_is_bounded floor_is_bounded held_is_not_negative last_seq_is_not_negative owned_have_a_floor"
    " technical_code_is_known token_is_well_formed",
    "adjustments": "are_approved_or_rejected are_approved_wholly are_rejected_wholly",
    "audit_log": "action_is_bounded actor_is_bounded",
    "bank_statement_counts": "are_not_negative",
    "bank_statement_lines": "account_is_bounded are_dismissed_wholly are_matched_wholly dismissed_are_the_banks"
    " expected_on_a_day matched_need_no_match mismatched_say_how name_what_is_here number_is_bounded verdict_is_known",
    "bank_statements": "account_is_bounded form_is_known hash_is_sha256 set_aside_is_a_short_list",
    "bulks": "counts_are_within_lines failure_is_bounded finalized_exactly_when_final held_is_within_total"
    " kind_is_known state_is_known transfers_come_from_a_bank_account",
    "confirmations": "are_used_once_given attempts_are_not_negative expire hash_is_sha256 last_error_is_bounded"
    " of_invitations_name_them purpose_is_known",
    "freezes": "are_thawed_wholly for_breaches_are_of_wallets_by_nobody name_one_thing reasons_are_bounded",
    "idempotency_keys": "actions_are_on_payments fingerprint_is_sha256 name_one_thing request_id_is_bounded",
    "instructions": "answer_is_known answered_are_not_due answered_exactly_with_answer answers_are_bounded"
    " are_submitted_by_a_rail attempts_are_not_negative resolved_are_answered",
    "login_throttles": "attempts_are_positive subject_is_sha256",
    "operations": "account_seq_is_positive amount_is_not_zero balance_after_is_bounded kind_is_known"
    " line_is_not_negative",
    "payment_attempts": "actor_is_known attempt_is_not_negative error_is_bounded",
    "pauses": "are_released_at_their_end are_resumed_wholly end_after_they_begin name_one_thing rail_is_well_formed"
    " reasons_are_bounded type_is_known",
    "payments": "are_quoted_wholly attempts_are_not_negative bulk_line_is_positive captured_exactly_when_completed"
    " captured_is_within_amount commission_is_within_amount exchanges_are_quoted failure_exactly_when_failed"
    " finalized_exactly_when_final holds_expire last_error_is_bounded lines_are_of_a_bulk parked_only_while_open"
    " rate_is_positive refunds_name_their_charge state_is_known target_amount_is_positive type_is_known",
    "quotes": "commission_is_within_amount expire offer_something offer_wholly rate_is_positive"
    " transfer_amounts_are_positive transfer_commission_is_within_amount",
    **{"rail_positions": "are_bounded", "refund_totals": "are_within_captured", "users": "role_is_known"},
    "returns": "amount_is_positive words_are_bounded",
    **retry_column_bounds.OURS,
    **{"tokens": "act_for_another hash_is_sha256 kind_is_known second_factors_are_of_sessions sessions_expire"},
    "webhook_attempts": "answer_is_bounded error_is_bounded reason_is_bounded",
    "webhook_deliveries": "attempts_are_not_negative finished_exactly_when_done last_error_is_bounded"
    " pending_exactly_with_next state_is_known tries_are_bounded",
    "webhook_endpoints": "deleted_are_inactive disabled_are_inactive disabled_reason_is_known pings_are_not_negative",
    **{"webhook_secrets": "are_well_formed", "worker_heartbeats": "name_is_bounded"},
}
"""By table, the constraints on columns that no caller fills: states, counts, hashes, results of workers and banks."""

CHECKS = """
SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = conrelid)
"""


@pytest.fixture(scope="module")
def scene(api: ApiHarness) -> Scene:
    return Scene(api)


def test_every_check_is_met_or_known_to_be_ours_alone(api: ApiHarness) -> None:
    unreached = {f"{table}_{name}" for table, names in OURS.items() for name in names.split()}
    assert not unreached & REACHED.keys()
    assert set(api.execute(CHECKS)) == unreached | REACHED.keys()


CASES = [(name, number) for name, probes in REACHED.items() for number in range(len(probes))]


@pytest.mark.parametrize(("constraint", "number"), CASES)
def test_a_value_is_taken_at_the_edge_and_refused_past_it(scene: Scene, constraint: str, number: int) -> None:
    way, fits, beyond = REACHED[constraint][number]
    wrong: dict[str, Any] = {}
    for values, expected in ((fits, (200, 201, 202)), (beyond, (400, 404, 409, 413, 422))):
        for value in values:
            answer = way(scene, value)
            if answer.status_code not in expected:
                wrong[repr(value)[:60]] = (answer.status_code, answer.get_json())
    assert not wrong

"""N31 to N41 over HTTP: an amount is a decimal string of its currency's digits, or nothing."""

import json
import secrets

import pytest

from tests.gateway.harness import ApiHarness, ApiUser


class Payer:
    """A client with a wallet in each of three currencies, and a second one to pay into."""

    def __init__(self, api: ApiHarness) -> None:
        self.api = api
        self.person: ApiUser = api.person()
        self.wallets = {code: self.person.wallet(currency=code) for code in ("EUR", "JPY", "KWD")}
        self.others = {code: self.person.wallet(currency=code) for code in self.wallets}

    def pay(self, amount: object, currency: object = "EUR", wallet: str = "EUR") -> tuple[int, str]:
        """Status and code of a transfer of this amount; nothing may be stored."""
        body = {"source": self.wallets[wallet], "target": self.others[wallet], "amount": amount, "currency": currency}
        return self.pay_text(json.dumps(body))

    def pay_text(self, text: str) -> tuple[int, str]:
        """The same, for the text of a body."""
        with self.api.unchanged():
            answer = self.person.raw("/v1/transfers", text.encode())
        return answer.status_code, answer.get_json()["code"]


@pytest.fixture(scope="module")
def payer(api: ApiHarness) -> Payer:
    return Payer(api)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_n31_literals_that_are_no_json(payer: Payer, literal: str) -> None:
    text = '{"source":"%s","target":"%s","amount":%s,"currency":"EUR"}'
    assert payer.pay_text(text % (payer.wallets["EUR"], payer.others["EUR"], literal)) == (400, "malformed_json")


@pytest.mark.parametrize("literal", ["1e400", "-1e400", "1e-400", "1.5", "10", "0", "0.1"])
def test_n32_n36_json_numbers(payer: Payer, literal: str) -> None:
    text = '{"source":"%s","target":"%s","amount":%s,"currency":"EUR"}'
    outcome = payer.pay_text(text % (payer.wallets["EUR"], payer.others["EUR"], literal))
    assert outcome == (422, "amount_must_be_string")


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "sNaN", "inf", "1e1000000", "1e-1000000", "1e3"])
def test_n31_n32_strings_that_are_no_decimals(payer: Payer, amount: str) -> None:
    assert payer.pay(amount) == (422, "amount_invalid")


@pytest.mark.parametrize("amount", ["0", "0.0", "0.00"])
def test_n33_zero(payer: Payer, amount: str) -> None:
    assert payer.pay(amount) == (422, "amount_not_positive")


@pytest.mark.parametrize("amount", ["-0", "-1", "-0.00", "-0.01", "\u22121"])
def test_n33_negative(payer: Payer, amount: str) -> None:
    assert payer.pay(amount) == (422, "amount_invalid")


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.5", "JPY"), ("1.0", "JPY"), ("0.005", "EUR"), ("1.000", "EUR"), ("1.0001", "KWD")]
)
def test_n34_more_digits_than_the_currency_has(payer: Payer, amount: str, currency: str) -> None:
    assert payer.pay(amount, currency, currency) == (422, "amount_precision")


@pytest.mark.parametrize("amount", ["1" + "0" * 36, "9" * 38, "9" * 59, "9" * 200, "9" * 60_000])
def test_n35_n39_too_large(payer: Payer, amount: str) -> None:
    assert payer.pay(amount) == (422, "amount_too_large")


@pytest.mark.parametrize("amount", ["9" * 36 + ".99", "92233720368547758.08"])
def test_n35_what_fits_38_digits_is_taken(payer: Payer, amount: str) -> None:
    body = {"source": payer.wallets["EUR"], "target": payer.others["EUR"], "amount": amount, "currency": "EUR"}
    answer = payer.person.order("/v1/transfers", body)
    assert (answer.status_code, answer.get_json()["amount"]) == (202, amount)


@pytest.mark.parametrize(
    "amount",
    ["1_000", " 10 ", "10 ", "+10", "0x10", "1,000.00", "1,00", "\u0661\u0660", "\uff11\uff10", "10.", ".5", "01",
     "1.0.0", "10\n", "\u00a010", "1'000", "ten", "10\x00", "10 EUR", "\ud800"],
)  # fmt: skip
def test_n37_texts_that_look_like_numbers(payer: Payer, amount: str) -> None:
    assert payer.pay(amount) == (422, "amount_invalid")


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (True, "amount_must_be_string"),
        (None, "null_not_allowed"),
        ([], "amount_must_be_string"),
        (["1.00"], "amount_must_be_string"),
        ({}, "amount_must_be_string"),
        ("", "amount_invalid"),
    ],
)
def test_n38_other_types(payer: Payer, amount: object, code: str) -> None:
    assert payer.pay(amount) == (422, code)


def test_n39_an_integer_of_5000_digits(payer: Payer) -> None:
    text = '{"source":"%s","target":"%s","amount":%s,"currency":"EUR"}'
    outcome = payer.pay_text(text % (payer.wallets["EUR"], payer.others["EUR"], "9" * 5_000))
    assert outcome == (422, "integer_too_long")


@pytest.mark.parametrize("currency", ["eur", "EU", "XXQ", "ЕUR", "EUR ", "", "E" * 13, "1EU", "EUR\x00", "XXX"])
def test_n40_currencies_that_are_none(payer: Payer, currency: str) -> None:
    assert payer.pay("1.00", currency) == (422, "currency_unknown")


@pytest.mark.parametrize(
    ("currency", "code"), [(1, "invalid_type"), (None, "null_not_allowed"), (["EUR"], "invalid_type")]
)
def test_n40_currencies_of_other_types(payer: Payer, currency: object, code: str) -> None:
    assert payer.pay("1.00", currency) == (422, code)


def test_n40_currency_of_another_wallet(payer: Payer) -> None:
    assert payer.pay("1", "JPY", "EUR") == (422, "currency_mismatch")


def test_n41_from_a_wallet_to_itself(payer: Payer) -> None:
    wallet = payer.wallets["EUR"]
    body = {"source": wallet, "target": wallet, "amount": "1.00", "currency": "EUR"}
    assert payer.pay_text(json.dumps(body)) == (422, "same_source_and_target")


def test_the_bounds_of_a_currency(api: ApiHarness) -> None:
    person = api.person()
    source, target = person.wallet(currency="CHF"), person.wallet(currency="CHF")
    order = {"source": source, "target": target, "amount": "5.00", "currency": "CHF"}
    kept = secrets.token_hex(8)
    assert person.order("/v1/transfers", order, kept).status_code == 202
    outcomes = {}
    for bounds in ({"maximum": 499}, {"maximum": 500}, {"minimum": 501}, {"is_active": False}):
        api.execute("UPDATE currencies SET minimum = NULL, maximum = NULL, is_active = true WHERE code = 'CHF'")
        for column, value in bounds.items():
            api.execute(f"UPDATE currencies SET {column} = %s WHERE code = 'CHF'", value)
        vars(api.app.extensions["gateway"]).pop("reference_data")
        vars(api.app.extensions["gateway"]).pop("group_commit")
        answer = person.order("/v1/transfers", order)
        outcomes[str(bounds)] = answer.get_json().get("code", answer.status_code)
        assert person.order("/v1/transfers", order, kept).headers["Idempotent-Replayed"] == "true"
    assert list(outcomes.values()) == ["amount_too_large", 202, "amount_too_small", "currency_inactive"]

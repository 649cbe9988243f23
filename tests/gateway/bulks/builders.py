"""Bodies of bulks for the tests: organisations, their lines, and IBANs that are well-formed."""

from typing import Any

from schwifty import IBAN
from werkzeug.test import TestResponse

from tests.gateway.harness import ApiHarness, ApiUser

ORGANIZATION = {"organization_name": "ACME Corp", "organization_iban": "DE89370400440532013000"}
BIC = "COBADEFFXXX"
TRANSFERS, CHARGES = "/v1/bulk-transfers", "/v1/bulk-charges"


def iban(n: int) -> str:
    """An IBAN of its own for each number."""
    return IBAN.generate("DE", bank_code="37040044", account_code=f"{n:010}").compact


def line(amount: str = "1.00", n: int = 1, **members: Any) -> dict[str, Any]:
    """A line of a bulk of transfers."""
    bank = {"counterparty_name": f"Payee {n}", "counterparty_iban": iban(n), "counterparty_bic": BIC}
    return {"amount": amount, **bank, "description": f"Salary {n}", **members}


def order(*lines: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A bulk of transfers."""
    return {**ORGANIZATION, "organization_bic": BIC, "credit_transfers": list(lines), **members}


def organization(api: ApiHarness, funds: str | None = None, currency: str = "EUR") -> tuple[ApiUser, str]:
    """A merchant with a registered bank account, and the token of the wallet that pays for it."""
    merchant = api.person("merchant", "ACME Corp")
    wallet = merchant.wallet(funds, currency)
    registered = {"organization_name": ORGANIZATION["organization_name"], "iban": ORGANIZATION["organization_iban"]}
    answer = merchant.call("POST", "/v1/bank-accounts", json={**registered, "bic": BIC, "wallet": wallet})
    assert answer.status_code == 201
    return merchant, wallet


def read(person: ApiUser, answer: TestResponse) -> dict[str, Any]:
    """The bulk that was ordered, as it is now."""
    return person.get(answer.headers["Location"]).get_json()


def lines(person: ApiUser, answer: TestResponse, query: str = "limit=100") -> list[dict[str, Any]]:
    """A page of its lines."""
    return person.get(f"{answer.headers['Location']}/lines?{query}").get_json()["data"]


def answer_of_the_bank(api: ApiHarness, kind: str, payments: list[str]) -> None:
    """The bank confirms or rejects these, and a worker ends them so."""
    api.execute(
        "WITH answered AS (UPDATE instructions SET answer = %s, answered_at = now(), due_at = NULL"
        " WHERE payment_id = ANY(%s::uuid[]) RETURNING payment_id)"
        " INSERT INTO commands (id, kind, payment_id) SELECT gen_random_uuid(), %s, payment_id FROM answered",
        *(f"{kind}ed", payments, kind),
    )
    api.post_payments()


def funds(person: ApiUser, wallet: str) -> tuple[str, str]:
    """Balance and available."""
    shown = person.get(f"/v1/wallets/{wallet}").get_json()
    return shown["balance"], shown["available"]


def errors_of(answer: Any) -> list[tuple[str, str]]:
    """Pointer and code of each error in a member of the body."""
    return [(error["pointer"], error["code"]) for error in answer.get_json()["errors"]]

"""References of uploaded lines: a FAILED line frees its reference for the next upload, any other keeps it."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from models.invariants import violations
from models.session import transaction
from tests.gateway.bulks.builders import TRANSFERS, line, lines, order, organization
from tests.gateway.bulks.pain001_files import file_of, sent, transfer
from tests.gateway.bulks.uploads import CSV, JSON_LINES, OPEN, close, json_lines, put, table
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.orders import deposit_into

REFERENCES = ["U-1", "U-2"]


def referred(api: ApiHarness, merchant: ApiUser) -> list[str]:
    """The payments that have the merchant's references, in their order."""
    names = "SELECT payment_id::text FROM payment_references WHERE merchant_id = %s ORDER BY reference"
    return api.execute(names, merchant.id)


@pytest.mark.parametrize(("media_type", "written"), [(JSON_LINES, json_lines), (CSV, table)])
def test_an_upload_takes_the_references_of_one_that_failed(api: ApiHarness, media_type: str, written: Any) -> None:
    merchant, wallet = organization(api)
    data = written([line("5.00", n, reference=reference) for n, reference in enumerate(REFERENCES)])

    def upload(person: ApiUser) -> tuple[TestResponse, TestResponse]:
        opened = person.order(TRANSFERS, order(**OPEN))
        return opened, put(person, opened, data, media_type=media_type)

    first, answer = upload(merchant)
    assert answer.status_code == 200
    assert close(merchant, first).status_code in (200, 202)
    api.post_payments()
    assert {row["state"] for row in lines(merchant, first)} == {"FAILED"}

    deposit = deposit_into(wallet, "10.00")
    assert merchant.order("/v1/deposits", deposit).status_code == 202
    api.post_payments()
    second, answer = upload(merchant)
    assert answer.status_code == 200
    assert close(merchant, second).status_code in (200, 202)
    api.post_payments()
    paid = {row["reference"]: (row["state"], row["payment"]) for row in lines(merchant, second)}
    assert {reference: state for reference, (state, _) in paid.items()} == dict.fromkeys(REFERENCES, "AUTHORIZED")

    third, answer = upload(merchant)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "duplicate_reference")
    assert lines(merchant, third) == []
    assert referred(api, merchant) == [paid[reference][1] for reference in REFERENCES]
    with transaction(api.worker) as connection:
        assert violations(connection) == []


def test_pain001_ids_neither_take_nor_keep_a_freed_reference(api: ApiHarness) -> None:
    merchant, wallet = organization(api)
    named = order(*(line("5.00", n, reference=reference) for n, reference in enumerate(REFERENCES)))
    ids = (f"<EndToEndId>{reference}</EndToEndId>" for reference in REFERENCES)
    file = file_of(*(transfer(n, "5.00", id) for n, id in enumerate(ids)))

    def ended(answer: TestResponse) -> tuple[set[str], list[str]]:
        assert answer.status_code == 202
        api.post_payments()
        rows = lines(merchant, answer)
        return {row["state"] for row in rows}, [row["payment"] for row in rows]

    state, failed = ended(merchant.order(TRANSFERS, named))
    assert (state, ended(sent(merchant, file))[0]) == ({"FAILED"}, {"FAILED"})
    assert referred(api, merchant) == failed

    deposit = deposit_into(wallet, "30.00")
    assert merchant.order("/v1/deposits", deposit).status_code == 202
    api.post_payments()
    assert ended(sent(merchant, file))[0] == {"AUTHORIZED"}, "the same message, on the second try"
    assert referred(api, merchant) == failed
    state, paid = ended(merchant.order(TRANSFERS, named))
    assert (state, referred(api, merchant)) == ({"AUTHORIZED"}, paid)
    assert merchant.order(TRANSFERS, named).get_json()["code"] == "duplicate_reference"
    assert ended(sent(merchant, file))[0] == {"AUTHORIZED"}
    assert referred(api, merchant) == paid

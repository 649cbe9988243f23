"""Bulks and their lines as they are read: in pages, downloaded, listed, and by whom."""

import csv
import io
import json

from uuid_utils import compat as uuids

from tests.gateway.bulks.builders import (
    TRANSFERS,
    line,
    lines,
    order,
    organization,
)
from tests.gateway.harness import ApiHarness, ApiUser


def test_lines_are_read_in_pages_and_by_state(api: ApiHarness) -> None:
    merchant, _ = organization(api, "2.00")
    answer = merchant.order(TRANSFERS, order(*(line(n=n) for n in range(5)), mode="best_effort"))
    api.post_payments()
    path = f"{answer.headers['Location']}/lines"
    first = merchant.get(f"{path}?limit=2").get_json()
    second = merchant.get(f"{path}?limit=2&cursor={first['next_cursor']}").get_json()
    third = merchant.get(f"{path}?limit=2&cursor={second['next_cursor']}").get_json()
    back = merchant.get(f"{path}?limit=2&cursor={third['prev_cursor']}").get_json()
    numbers = [[sent["line"] for sent in page["data"]] for page in (first, second, third, back)]
    assert numbers == [[1, 2], [3, 4], [5], [3, 4]]
    assert (third["has_more"], back["has_more"]) == (False, True)
    assert [sent["line"] for sent in lines(merchant, answer, "state=FAILED")] == [3, 4, 5]
    assert merchant.get(f"{path}?limit=101").status_code == 422


def test_lines_are_downloaded(api: ApiHarness) -> None:
    merchant, _ = organization(api, "1.00")
    sent_lines = [line(n=n, counterparty_name=name) for n, name in enumerate(["=1+1", "Ödön, Bt."])]
    answer = merchant.order(TRANSFERS, order(*sent_lines, mode="best_effort"))
    api.post_payments()
    path = f"{answer.headers['Location']}/lines"
    table = merchant.get(path, Accept="text/csv").get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["line"], row["counterparty_name"], row["state"]) for row in rows] == [
        ("1", "'=1+1", "AUTHORIZED"),
        ("2", "Ödön, Bt.", "FAILED"),
    ]
    answer_body = merchant.get(path, Accept="application/x-ndjson").get_data(as_text=True).splitlines()
    assert [json.loads(text) for text in answer_body] == lines(merchant, answer)


def test_bulk_is_visible_to_its_initiator_and_readers(api: ApiHarness, payer: ApiUser) -> None:
    answer = payer.order(TRANSFERS, order(line()))
    path, other = answer.headers["Location"], organization(api)[0]
    unknown = f"{TRANSFERS}/{uuids.uuid7()}"
    for reader in (api.person("client"), other):
        for suffix in ("", "/lines"):
            foreign, unknown_bulk = reader.get(path + suffix), reader.get(unknown + suffix)
            assert (foreign.status_code, unknown_bulk.status_code) == (404, 404)
            assert foreign.get_json()["detail"] == unknown_bulk.get_json()["detail"]
        assert reader.get(TRANSFERS).get_json()["data"] == []
    assert other.call("POST", f"{path}/close", json={}).status_code == 404
    assert payer.get(path.replace("transfers", "charges")).status_code == 404
    for role in ("ops", "auditor"):
        reader = api.person(role)
        assert (reader.get(path).status_code, reader.get(f"{path}/lines").status_code) == (200, 200)
        assert reader.get(f"{TRANSFERS}?limit=1").get_json()["data"][0]["id"] == answer.get_json()["id"]


def test_bulks_are_listed_newest_first_and_by_state(api: ApiHarness, payer: ApiUser) -> None:
    ids = [payer.order(TRANSFERS, order(line(n=n))).get_json()["id"] for n in range(3)]
    assert [bulk["id"] for bulk in payer.get(f"{TRANSFERS}?limit=2").get_json()["data"]] == ids[:0:-1]
    api.post_payments()
    assert len(payer.get(f"{TRANSFERS}?state=FAILED,COMPLETED").get_json()["data"]) == 3
    assert payer.get(f"{TRANSFERS}?state=INITIATED").get_json()["data"] == []
    assert payer.get(f"{TRANSFERS}?state=AUTHORIZED").status_code == 422


def test_bulk_with_known_etag_answers_304(api: ApiHarness, payer: ApiUser) -> None:
    answer = payer.order(TRANSFERS, order(line()))
    path, tag = answer.headers["Location"], answer.headers["ETag"]
    assert payer.get(path, **{"If-None-Match": tag}).status_code == 304
    api.post_payments()
    assert payer.get(path, **{"If-None-Match": tag}).status_code == 200

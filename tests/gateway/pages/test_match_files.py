"""The page that matches lines by a file: it is tried first, and says of each line what becomes of it."""

import io
from html import unescape

import pytest

from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.pages.browsers import Browser, Elements, alerts
from tests.gateway.reconciliation.statements import judged, paid, row, table

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture
def customer_wallet(client: ApiUser) -> str:
    return client.wallet("50.00")


def test_file_is_tried_shown_and_stored(
    api: ApiHarness, ops: Browser, auditor: Browser, client: ApiUser, customer_wallet: str
) -> None:
    payment, api_ops = paid(api, client, customer_wallet), api.person("ops")
    id, _ = judged(api_ops, table(row(), row()))
    path = f"/console/reconciliation/{id}"
    file = f"line,payment,reason\n1,{payment},{HOSTILE.replace(chr(34), chr(39))}\n7,{payment},x\n".encode()

    def form(data: bytes, **others: object) -> dict[str, object]:
        return {"csrf": ops.csrf(path), "file": (io.BytesIO(data), "m.csv"), "form": "text/csv", **others}

    with api.unchanged():
        tried = ops.client.post(f"{path}/matches", data=form(file))
        assert tried.status_code == 200
        assert "What the file would do" in tried.text
        assert "The statement has no such line." in tried.text
        assert not Elements(tried.text).all("img")
        refused = ops.client.post(f"{path}/matches", data=form(b"a,b\n"))
        assert refused.status_code == 422
        assert "The columns are, each once: line, payment, reason." in alerts(refused)
        for broken in ({"file": ""}, {"form": "text/html"}):
            assert ops.client.post(f"{path}/matches", data=form(file, **broken)).status_code == 422
        assert ops.client.post(f"{path}/matches", data=form(file, csrf="x")).status_code == 403
        theirs = {"csrf": auditor.csrf(path), "file": (io.BytesIO(file), "m.csv"), "form": "text/csv"}
        assert auditor.client.post(f"{path}/matches", data=theirs).status_code == 403
        assert "Match by a file" not in auditor.get(path).text
    [hidden] = Elements(tried.text).all("input", name="file")
    assert hidden["value"] == file.decode()
    stored = ops.client.post(
        f"{path}/matches/store",
        data={"csrf": ops.csrf(path), "file": unescape(str(hidden["value"])), "form": "text/csv"},
    )
    assert stored.status_code == 200
    assert "What the file did" in stored.text
    assert "Lines matched: 1" in stored.text
    assert [entry["reason"] for entry in api.audit_log(f"{id}/1")] == [HOSTILE.replace(chr(34), chr(39))]
    again = ops.client.post(f"{path}/matches", data=form(file))
    assert "There is nothing to match." in again.text

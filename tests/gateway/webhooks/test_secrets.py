"""Secrets of webhook endpoints: shown once, rotated with an overlap."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from models.session import transaction
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.webhooks.helpers import PATH, ask_for, audited_changes, endpoint

WEEK = 7 * 24 * 3600


SIGNING = (
    "SELECT secret FROM webhook_secrets WHERE endpoint_id = %s AND (expires_at IS NULL OR expires_at > now())"
    " ORDER BY created_at DESC, id DESC"
)


def rotated(person: ApiUser, id: str, **members: Any) -> str:
    answer = person.call("POST", f"{PATH}/{id}/rotate-secret", json=members)
    assert answer.status_code == 200
    return answer.get_json()["secret"]


def test_two_newest_secrets_sign(api: ApiHarness, client: ApiUser) -> None:
    first = ask_for(client).get_json()
    id = first["id"]
    second = rotated(client, id)
    assert api.execute(SIGNING, id) == [second, first["secret"]]
    [seconds] = api.execute(
        "SELECT extract(epoch FROM expires_at - now()) FROM webhook_secrets WHERE secret = %s", first["secret"]
    )
    assert 86_300 < seconds <= 86_400
    third = rotated(client, id, overlap_seconds=WEEK)
    assert api.execute(SIGNING, id) == [third, second]
    fourth = rotated(client, id, overlap_seconds=0)
    assert api.execute(SIGNING, id) == [fourth]
    assert [action for action, *_ in audited_changes(api, id)[1:]] == ["webhook_endpoints.rotate"] * 3
    assert audited_changes(api, id)[3][2] == {"overlap_seconds": 0}
    assert not api.execute("SELECT 1 FROM audit_log a WHERE strpos(a::text, 'whsec_') > 0")


def test_concurrent_rotations_leave_one_newest_secret(api: ApiHarness, client: ApiUser) -> None:
    id = endpoint(client)
    secrets: list[str] = []
    threads = [threading.Thread(target=lambda: secrets.append(rotated(client, id))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(secrets)) == 4
    signing = api.execute(SIGNING, id)
    assert len(signing) == 2
    assert set(signing) <= set(secrets)


@pytest.mark.parametrize("seconds", [-1, WEEK + 1, 1.5, "60", True])
def test_too_long_overlap_is_refused(api: ApiHarness, client: ApiUser, seconds: Any) -> None:
    id = endpoint(client)
    with api.unchanged():
        answer = client.call("POST", f"{PATH}/{id}/rotate-secret", json={"overlap_seconds": seconds})
    assert answer.status_code == 422


def test_secret_is_shown_once_and_not_readable_by_gateway(api: ApiHarness, client: ApiUser) -> None:
    answer = ask_for(client)
    id, secret = answer.get_json()["id"], answer.get_json()["secret"]
    for path in (PATH, f"{PATH}/{id}", f"{PATH}/{id}/deliveries"):
        assert "whsec_" not in client.get(path).get_data(as_text=True)
    ping = client.call("POST", f"{PATH}/{id}/test", json={})
    change = client.call("PATCH", f"{PATH}/{id}", json={"is_active": False}, headers={"If-Match": "*"})
    assert "whsec_" not in json.dumps([ping.get_json(), change.get_json()])
    for column in ("secret", "*", "s::text"):
        with pytest.raises(DBAPIError) as denied, transaction(api.gateway) as connection:
            connection.exec_driver_sql(f"SELECT {column} FROM webhook_secrets s WHERE s.secret = %s", (secret,))
        assert denied.value.orig.pgcode == "42501"
    assert api.execute("SELECT secret FROM webhook_secrets WHERE endpoint_id = %s", id) == [secret]

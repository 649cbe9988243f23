"""Receipts: genuine ones verify offline, forged ones do not, and they show nobody what is another's."""

import base64
import copy
import json
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedded.home import CHECKOUT
from models.checkpoint import SigningKey
from models.receipt import ReceiptForged, verify
from tests.gateway.harness import ApiHarness, ApiUser
from workers import auditor

Receipt = dict[str, Any]


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """The key that signs."""
    return SigningKey(secrets.token_urlsafe(32))


def sign(api: ApiHarness, key: SigningKey) -> None:
    """Verify and sign all that is posted."""
    assert auditor.run(api.worker, 600).found == []
    auditor.sign(api.worker, key)


@pytest.fixture(scope="module")
def payer(api: ApiHarness) -> ApiUser:
    return api.person("client", "Ann")


@pytest.fixture(scope="module")
def payee(api: ApiHarness) -> ApiUser:
    return api.person("client", "Bob")


@pytest.fixture(scope="module")
def payment(api: ApiHarness, payer: ApiUser, payee: ApiUser, key: SigningKey) -> str:
    """A transfer that is signed, in a batch of some, and batches after it."""
    rich, poor = api.wallet(payer.id, 1000), api.wallet(payee.id)
    ids = [api.transfer(payer.id, rich, poor, 10 + number) for number in range(40)]
    api.post_payments()
    api.wallet(payee.id, 5)
    sign(api, key)
    return ids[20]


@pytest.fixture(scope="module")
def public_keys(api: ApiHarness, payment: str) -> dict[str, bytes]:
    """As anybody gets them."""
    data = api.anonymous().get("/v1/receipt-keys").get_json()["data"]
    return {one["id"]: base64.b64decode(one["public_key"]) for one in data}


@pytest.fixture(scope="module")
def receipt(payer: ApiUser, payment: str) -> Receipt:
    answer = payer.get(f"/v1/payments/{payment}/receipt")
    assert answer.status_code == 200
    body: Receipt = answer.get_json()
    return body


def test_each_sees_own_operation_and_ops_all(
    ops: ApiUser, payer: ApiUser, payee: ApiUser, payment: str, public_keys: dict[str, bytes]
) -> None:
    seen = {}
    for caller in (payer, payee, ops):
        body = caller.get(f"/v1/payments/{payment}/receipt").get_json()
        verify(body, public_keys)
        seen[caller.id] = [one["amount_minor"] for one in body["operations"]]
        for one in body["operations"]:
            hidden = {name for name, value in one.items() if value is None}
            assert hidden in (set(), set(one) - {"line", "hash"})
    assert seen == {payer.id: ["-30", None], payee.id: [None, "30"], ops.id: ["-30", "30"]}


def test_stranger_gets_no_receipt(stranger: ApiUser, payment: str) -> None:
    assert stranger.get(f"/v1/payments/{payment}/receipt").status_code == 404


def members(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all members that are not objects or arrays."""
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from members(one, (*way, name))
    else:
        yield way


def changed(value: Any) -> Any:
    """Another value of the same form."""
    if isinstance(value, int):
        return value + 1
    if value is None:
        return "1"
    return ("1" if value[0] != "1" else "2") + value[1:]


def test_receipt_with_any_member_changed_is_forged(receipt: Receipt, public_keys: dict[str, bytes]) -> None:
    verify(receipt, public_keys)
    ways = list(members(receipt))
    assert len(ways) > 40
    for way in ways:
        forged = copy.deepcopy(receipt)
        inner = forged
        for name in way[:-1]:
            inner = inner[name]
        inner[way[-1]] = changed(inner[way[-1]])
        with pytest.raises(ReceiptForged):
            verify(forged, public_keys)
            pytest.fail(f"{way} can be changed")


OTHERS = {"fewer": lambda rows: rows[:1], "turned": lambda rows: rows[::-1], "more": lambda rows: [*rows, rows[0]]}


@pytest.mark.parametrize("change", OTHERS)
def test_receipt_with_other_operations_is_forged(receipt: Receipt, public_keys: dict[str, bytes], change: str) -> None:
    with pytest.raises(ReceiptForged):
        verify({**receipt, "operations": OTHERS[change](receipt["operations"])}, public_keys)


@pytest.mark.parametrize("name", ["payment", "operations", "batch", "checkpoint"])
def test_receipt_without_a_member_is_forged(receipt: Receipt, public_keys: dict[str, bytes], name: str) -> None:
    with pytest.raises(ReceiptForged):
        verify({other: value for other, value in receipt.items() if other != name}, public_keys)


def test_receipt_signed_by_another_key_is_forged(receipt: Receipt, public_keys: dict[str, bytes]) -> None:
    stranger = SigningKey(secrets.token_hex(32))
    with pytest.raises(ReceiptForged):
        verify(receipt, dict.fromkeys(public_keys, stranger.public_key))
    with pytest.raises(ReceiptForged):
        verify(receipt, {stranger.id: stranger.public_key})


def test_receipt_verifies_offline(
    api: ApiHarness, tmp_path: Path, receipt: Receipt, public_keys: dict[str, bytes]
) -> None:
    keys, file = tmp_path / "receipt-keys.json", tmp_path / "receipt.json"
    alone = shutil.copy(CHECKOUT / "models" / "receipt.py", tmp_path)
    keys.write_text(api.anonymous().get("/v1/receipt-keys").get_data(as_text=True))
    for text, status in ((json.dumps(receipt), 0), (json.dumps(receipt).replace("-30", "-31"), 1)):
        file.write_text(text)
        for folder, command in (
            (CHECKOUT, ["-m", "models.receipt", "verify", str(file), "--keys", str(keys)]),
            (tmp_path, [alone, "verify", str(file)]),
        ):
            done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout.split(":")[0].strip()) == (status, "FORGED" if status else "genuine")
    keys.unlink()
    done = subprocess.run(
        [sys.executable, alone, "verify", file], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.strip().endswith("there is no file receipt-keys.json")) == (2, True)


def test_receipt_is_pending_until_it_is_signed(api: ApiHarness, key: SigningKey, payment: str, payee: ApiUser) -> None:
    poor, other = api.wallet(payee.id, 10), api.wallet(payee.id)
    id = api.order("transfer", payee.id, poor, other, 5)
    for _ in range(2):
        answer = payee.get(f"/v1/payments/{id}/receipt")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "receipt_pending")
        api.post_payments()
    sign(api, key)
    assert payee.get(f"/v1/payments/{id}/receipt").status_code == 200


def test_failed_payment_has_no_receipt(api: ApiHarness, payment: str, payee: ApiUser) -> None:
    id = api.transfer(payee.id, api.wallet(payee.id), api.wallet(payee.id), 5)
    api.post_payments()
    answer = payee.get(f"/v1/payments/{id}/receipt")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "receipt_unavailable")

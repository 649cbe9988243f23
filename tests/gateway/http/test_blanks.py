"""One rule for blanks wherever a reference or an e-mail address comes in: pasted text names the same thing."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from tests.gateway.bulks.builders import CHARGES, TRANSFERS, line, lines, order, organization
from tests.gateway.harness import ApiHarness, ApiUser
from tests.gateway.identity import signed_up_users
from tests.gateway.ops.payouts import PAID, send, withdraw
from tests.unicode_blanks import BLANKS

PLAIN = "Invoice \u00e9 1"
BLANK = "".join(BLANKS)
SPELT = f"{BLANK}Inv\u00adoice{BLANK}e\u0301\u200b{BLANK}\ufeff1{BLANK}"
"""The same, as it comes out of a spreadsheet, a mail or a page."""

NAMES = re.compile(r"(^|_)(reference|email|end_to_end_id)$")
"""Of members and parameters that are under the rule."""

Outcome = tuple[Any, ...]


class Scene(NamedTuple):
    """A merchant whose charge of a customer has the reference, and a user who signed up."""

    api: ApiHarness
    merchant: ApiUser
    customer_wallet: str
    charged: str
    email: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [{"wallet": self.customer_wallet, "amount": "1.00", "reference": SPELT}]


@pytest.fixture(scope="module")
def scene(api: ApiHarness) -> Scene:
    merchant, _ = organization(api)
    customer_wallet = api.person().wallet("10.00")
    charge = {"wallet": customer_wallet, "amount": "1.00", "currency": "EUR", "reference": PLAIN}
    answer = merchant.order("/v1/charges", charge)
    assert answer.status_code == 202
    email, _ = signed_up_users.newcomer(api)
    return Scene(api, merchant, customer_wallet, answer.get_json()["id"], email)


def taken(answer: TestResponse) -> Outcome:
    body = answer.get_json()
    return answer.status_code, body["code"], body.get("payment")


def charge(scene: Scene) -> Outcome:
    return taken(scene.merchant.order("/v1/charges", {**scene.lines[0], "currency": "EUR"}))


def charges(scene: Scene) -> Outcome:
    return taken(scene.merchant.order(CHARGES, {"currency": "EUR", "charges": scene.lines}))


def transfers(scene: Scene) -> Outcome:
    return taken(scene.merchant.order(TRANSFERS, order(line(reference=SPELT))))


def ordered(scene: Scene, member: str, spelt: str) -> Outcome:
    payee = line(**{member: spelt})
    if member == "creditor_reference":
        del payee["description"]
    answer = scene.merchant.order(TRANSFERS, order(payee))
    return answer.status_code, lines(scene.merchant, answer)[0][member]


def end_to_end_id(scene: Scene) -> Outcome:
    return ordered(scene, "end_to_end_id", SPELT)


def creditor_reference(scene: Scene) -> Outcome:
    return ordered(scene, "creditor_reference", "\u00a0RF18\u2009\t5390\u200b0754\u202f7034\n")


def upload(scene: Scene, media_type: str, data: bytes) -> Outcome:
    opened = scene.merchant.order(CHARGES, {"currency": "EUR", "charges": [], "is_open": True})
    path = f"{opened.headers['Location']}/lines"
    return taken(scene.merchant.call("PUT", path, data=data, content_type=media_type))


def json_lines(scene: Scene) -> Outcome:
    return upload(scene, "application/x-ndjson", json.dumps(scene.lines[0]).encode())


def csv(scene: Scene) -> Outcome:
    spelt = re.sub("[\n\r]", "", SPELT)
    return upload(scene, "text/csv", f"wallet,amount,reference\n{scene.customer_wallet},1.00,{spelt}\n".encode())


def found(path: str, field: str) -> Callable[[Scene], Outcome]:
    def ask(scene: Scene) -> Outcome:
        scene.api.post_payments()
        with_wallet = path.replace("{wallet}", scene.merchant.get("/v1/wallets").get_json()["data"][0]["token"])
        answer = scene.merchant.call("GET", with_wallet, query_string={"reference": SPELT})
        return answer.status_code, [row[field] for row in answer.get_json()["data"]]

    return ask


def spelt(scene: Scene) -> str:
    return f"{BLANK}\ufeff{scene.email[:2]}\u200b{scene.email[2:]}{BLANK}"


def sign_up(role: str) -> Callable[[Scene], Outcome]:
    return lambda scene: signed_up_users.outcome(
        signed_up_users.sign_up(scene.api, signed_up_users.form(role, email=spelt(scene)))
    )


def sign_in(scene: Scene) -> Outcome:
    return (signed_up_users.sign_in(scene.api, spelt(scene)).status_code,)


def mailed(path: str, purpose: str) -> Callable[[Scene], Outcome]:
    def ask(scene: Scene) -> Outcome:
        count = "SELECT count(*) FROM confirmations c JOIN users u ON u.id = user_id WHERE email = %s AND purpose = %s"
        [before] = scene.api.execute(count, scene.email, purpose)
        answer = signed_up_users.post(scene.api, path, email=spelt(scene))
        [after] = scene.api.execute(count, scene.email, purpose)
        return answer.status_code, after - before

    return ask


def invited(scene: Scene) -> Outcome:
    merchant = scene.api.person("merchant")
    scene.api.execute(
        "INSERT INTO memberships SELECT %s::uuid, id, 'viewer' FROM users WHERE email = %s", merchant.id, scene.email
    )
    return signed_up_users.outcome(
        merchant.call("POST", "/v1/invitations", json={"email": spelt(scene), "role": "viewer"})
    )


def invited_by_ops(scene: Scene) -> Outcome:
    merchant = scene.api.person("merchant")
    scene.api.execute("UPDATE users SET is_active = false WHERE id = %s", merchant.id)
    body = {"email": spelt(scene), "reason": "x"}
    answer = scene.api.person("ops").call("POST", f"/v1/ops/users/{merchant.id}/invitations", json=body)
    return answer.status_code, answer.get_json()["email"] == scene.email


def searched(scene: Scene) -> Outcome:
    answer = scene.api.person("ops").call("GET", "/v1/ops/users", query_string={"email": spelt(scene)})
    return answer.status_code, [row["email"] == scene.email for row in answer.get_json()["data"]]


def resolved(scene: Scene) -> Outcome:
    client = scene.api.person()
    payment = send(scene.api, withdraw(scene.api, client, client.wallet("5.00")), parks=True)
    evidence = {**PAID, "bank_reference": SPELT}
    answer = scene.api.person("ops").call("POST", f"/v1/ops/payments/{payment}/resolve", json=evidence)
    return answer.status_code, answer.get_json()["bank_reference"]


DUPLICATE = (409, "duplicate_reference", "the charge")

CASES: dict[str, tuple[Callable[[Scene], Outcome], Outcome]] = {
    "post /v1/charges /reference": (charge, DUPLICATE),
    "post /v1/bulk-charges /charges/0/reference": (charges, DUPLICATE),
    "post /v1/bulk-transfers /credit_transfers/0/reference": (transfers, DUPLICATE),
    "post /v1/bulk-transfers /credit_transfers/0/end_to_end_id": (end_to_end_id, (202, PLAIN)),
    "post /v1/bulk-transfers /credit_transfers/0/creditor_reference": (creditor_reference, (202, "RF18539007547034")),
    "get /v1/payments ?reference": (found("/v1/payments", "id"), (200, ["the charge"])),
    "get /v1/wallets/{token}/operations ?reference": (
        found("/v1/wallets/{wallet}/operations", "payment"),
        (200, ["the charge"]),
    ),
    "post /v1/clients /email": (sign_up("client"), (409, "duplicate_email")),
    "post /v1/merchants /email": (sign_up("merchant"), (409, "duplicate_email")),
    "post /v1/sessions /email": (sign_in, (201,)),
    "post /v1/confirmations/resend /email": (mailed("/v1/confirmations/resend", "email"), (202, 1)),
    "post /v1/password-resets /email": (mailed("/v1/password-resets", "password"), (202, 1)),
    "post /v1/invitations /email": (invited, (409, "duplicate_member")),
    "post /v1/ops/users/{id}/invitations /email": (invited_by_ops, (201, True)),
    "get /v1/ops/users ?email": (searched, (200, [True])),
    "post /v1/ops/payments/{id}/resolve /bank_reference": (resolved, (201, PLAIN)),
}
"""Each way in that the contract has for such a text, and what comes of the text with blanks."""

FILES: dict[str, tuple[Callable[[Scene], Outcome], Outcome]] = {
    "lines of a bulk as JSON Lines": (json_lines, DUPLICATE),
    "lines of a bulk as CSV": (csv, DUPLICATE),
}
"""Ways in whose members the contract does not list."""


def ways_in(contract: dict[str, Any]) -> Iterator[str]:
    """Every parameter and member of a body whose name is under the rule."""

    def members(schema: dict[str, Any], pointer: str = "") -> Iterator[str]:
        if "$ref" in schema:
            schema = contract["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, inner in schema.get("properties", {}).items():
            yield f"{pointer}/{name}"
            yield from members(inner, f"{pointer}/{name}")
        yield from members(schema["items"], f"{pointer}/0") if "items" in schema else ()

    for path, operations in contract["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            for parameter in operation.get("parameters", ()):
                if parameter.get("in") == "query" and NAMES.search(parameter["name"]):
                    yield f"{method} {path} ?{parameter['name']}"
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for pointer in members(content["schema"]):
                    if NAMES.search(pointer.rpartition("/")[2]):
                        yield f"{method} {path} {pointer}"


def test_every_way_in_for_such_a_text_is_tried(api: ApiHarness) -> None:
    assert set(ways_in(api.contract)) == CASES.keys()


@pytest.mark.parametrize("way", [*CASES, *FILES])
def test_pasted_text_names_the_same_thing(scene: Scene, way: str) -> None:
    ask, expected = (CASES | FILES)[way]
    named = {"the charge": scene.charged}
    assert ask(scene) == tuple(
        [named.get(item, item) for item in part] if isinstance(part, list) else named.get(part, part)
        for part in expected
    )


def test_the_reference_is_answered_as_it_is_kept(scene: Scene) -> None:
    answer = scene.merchant.order("/v1/charges", {**scene.lines[0], "currency": "EUR", "reference": f"{SPELT}2"})
    assert answer.get_json()["reference"] == f"{PLAIN} 2"


@pytest.mark.parametrize("character", ["\x00", "\x1f", "\u202e"], ids=ascii)
def test_other_control_characters_are_refused(scene: Scene, character: str) -> None:
    with scene.api.unchanged():
        body = {**scene.lines[0], "currency": "EUR", "reference": f"A{character}1"}
        answer = scene.merchant.order("/v1/charges", body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "text_invalid")


@pytest.mark.parametrize("nothing", [BLANK, "\u200b", "\ufeff\u00ad "], ids=ascii)
def test_blanks_alone_are_no_reference(scene: Scene, nothing: str) -> None:
    with scene.api.unchanged():
        answer = scene.merchant.order("/v1/charges", {**scene.lines[0], "currency": "EUR", "reference": nothing})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "invalid_value")

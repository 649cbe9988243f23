"""The gateway under test and users who call it; every answer is compared with the OpenAPI document."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

import settings
from gateway import create_app
from gateway.http.access_log import HEADERS
from gateway.http.errors import PROBLEMS
from gateway.pages import registration
from models.session import transaction
from tests.builders import Builder
from tests.support import Database, engine_of

TABLES = (
    "users", "accounts", "payments", "operations", "idempotency_keys", "payment_references", "events",
    "commands", "confirmations", "audit_log", "exchange_rates", "quotes", "charge_limits", "blocked_merchants", "bulks",
    "bank_accounts", "instructions", "inquiries", "resolutions", "bank_statements", "bank_statement_lines", "freezes",
    "pauses", "paused_payments", "rail_files", "rail_file_contents", "assignments", "saved_views",
    "second_factors", "recovery_codes", "memberships", "invitations", "makers",
    "webhook_endpoints", "webhook_secrets", "webhook_deliveries", "webhook_attempts",
    "refund_totals", "payment_children", "selections", "batches", "batch_items", "breaches",
)  # fmt: skip
SECRET_KEY = "a secret of the tests, long enough for a key"
SECOND_FACTOR_KEY = "f0" * 32
NEVER_SAID = ("Traceback", "psycopg2", "sqlalchemy", "SELECT ", "INSERT ", "argon2", SECRET_KEY, SECOND_FACTOR_KEY)
NO_LIMIT = "1000000 per second"


def settings_for(database: Database, **changes: Any) -> settings.Settings:
    """The gateway's settings in this database, deposits open."""
    defaults = {
        "gateway_database_url": database.gateway,
        "secret_key": SECRET_KEY,
        "require_second_factor": False,
        "second_factor_keys": (SECOND_FACTOR_KEY,),
        "deposits_open": True,
        "secure_cookies": True,
        "max_wallets_per_merchant": 0,
        "limits_redis_url": "unix:///nowhere/redis.sock?db=1",
        "rate_limit_token": NO_LIMIT,
        "rate_limit_address": NO_LIMIT,
        "sign_up_limit": NO_LIMIT,
        "queue_age_max_seconds": 0,  # tests let payments be due for days
    }
    return replace(settings.load(), **{**defaults, **changes})


FILES = {"text/csv", "application/x-ndjson", "text/html", "text/event-stream"}
NEVER_JSON = {"application/xml", "application/octet-stream"}


def is_file(answer: TestResponse) -> bool:
    """True if a format other than JSON was requested and answered, or what has no JSON was."""
    accepted = answer.request.headers.get("Accept", "")
    return answer.mimetype in NEVER_JSON or (answer.mimetype in FILES and answer.mimetype in accepted)


@cache
def contract() -> dict[str, Any]:
    """The OpenAPI document that every gateway of this process serves."""
    return json.loads(create_app().extensions["contract"]())


class ApiHarness(Builder):
    """The gateway over a migrated database, and its users."""

    opened: ClassVar[list["ApiHarness"]] = []
    """The harnesses of the module, closed at its end: their threads would look for their servers for all tests."""

    def __init__(self, database: Database, **changes: Any) -> None:
        super().__init__(*map(engine_of, (database.owner, database.worker, database.gateway)))
        self.database = database
        self.app: Flask = create_app(settings_for(database, **changes))
        self.opened.append(self)

    def close(self) -> None:
        """End the gateway's threads and all connections."""
        self.opened.remove(self)
        self.app.extensions["gateway"].close()
        for engine in (self.owner, self.worker, self.gateway):
            engine.dispose()

    @property
    def contract(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return contract()

    def person(self, role: str = "client", name: str = "Ann", scopes: list[str] | None = None) -> "ApiUser":
        """A new user with a token."""
        id = self.user(role, name)
        return ApiUser(self, id, self.token(id, scopes))

    def anonymous(self) -> "ApiUser":
        """A caller without a token."""
        return ApiUser(self, "", "")

    @property
    def rules(self) -> list[Rule]:
        """The routes, without those of pages, which are for people."""
        pages = {blueprint.name for blueprint in registration.BLUEPRINTS}
        return [rule for rule in self.app.url_map.iter_rules() if rule.endpoint.partition(".")[0] not in pages]

    def execute(self, statement: str, *parameters: object) -> Any:
        """Run a statement as the owner; the first column of its rows, if it has any."""
        with transaction(self.owner) as connection:
            result = connection.exec_driver_sql(statement, parameters)
            return [row[0] for row in result] if result.returns_rows else None

    def audit_log(self, target: str) -> list[dict[str, Any]]:
        """The entries of the audit log about the target, oldest first."""
        return self.execute("SELECT to_jsonb(l) FROM audit_log l WHERE target = %s ORDER BY id", target)

    def tables(self) -> dict[str, str]:
        """The number of rows of each table, with the transactions that wrote them: any write changes one of both."""
        written = "SELECT ARRAY['{0}', concat(count(*), ' ', sum(xmin::text::bigint), ' ', max(xmin::text))] FROM {0}"
        return dict(self.execute(" UNION ALL ".join(map(written.format, TABLES))))

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing is stored within the block."""
        before = self.tables()
        yield
        assert self.tables() == before

    def check(self, answer: TestResponse) -> TestResponse:
        """Compare an answer with the OpenAPI document; returns the answer."""
        text = "" if (answer.mimetype or "").startswith("text/") else answer.get_data().decode(errors="replace")
        assert not [secret for secret in NEVER_SAID if secret in text], text
        if answer.request.path != "/openapi.json":  # which has an example of one
            assert "whsec_" not in text or answer.request.method == "POST", "a webhook's secret is shown when made"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Request-Id"]
        if answer.status_code >= 400 and answer.request.method != "HEAD":
            self._check_problem(answer)
        elif answer.status_code not in (204, 304) and answer.request.method in ("GET", "POST") and not is_file(answer):
            self._check_body(answer)
        self._check_declared(answer)
        return answer

    def _operation(self, answer: TestResponse) -> dict[str, Any] | None:
        """The operation of the OpenAPI document that answered, if it is one of them."""
        method = answer.request.method.replace("HEAD", "GET")
        with suppress(HTTPException):
            rule = self.app.url_map.bind("").match(answer.request.path, method, return_rule=True)[0].rule
            return self.contract["paths"].get(rule.replace("<", "{").replace(">", "}"), {}).get(method.lower())
        return None

    def _check_declared(self, answer: TestResponse) -> None:
        """The contract names this status for this operation, and every header that came with it."""
        operation = self._operation(answer)
        if operation is None or answer.status_code >= 500:
            return
        said = operation["responses"].get(str(answer.status_code))
        assert said is not None, f"{operation['operationId']} does not declare {answer.status_code}: {answer.text}"
        if "$ref" in said:
            said = self.contract["components"]["responses"][said["$ref"].rpartition("/")[2]]
        undeclared = {name for name, _ in answer.headers if not name.startswith("Access-Control-")}
        undeclared -= {*said["headers"], *HEADERS, "Content-Type", "Content-Length", "Vary"}
        assert not undeclared, f"{operation['operationId']} does not declare at {answer.status_code}: {undeclared}"

    def _check_problem(self, answer: TestResponse) -> None:
        body = answer.get_json()
        assert answer.mimetype == "application/problem+json"
        assert answer.status_code == body["status"] == PROBLEMS[body["code"]].status
        assert body["request_id"] == answer.headers["Request-Id"]
        assert body["retryable"] is PROBLEMS[body["code"]].retryable
        self._validate(self.contract["components"]["schemas"]["Problem"], body)

    def _check_body(self, answer: TestResponse) -> None:
        operation = self._operation(answer)
        if operation is not None:
            content = operation["responses"][str(answer.status_code)]["content"]["application/json"]
            self._validate(content["schema"], answer.get_json(), exact=True)

    def _validate(self, schema: dict[str, Any], body: Any, *, exact: bool = False) -> None:
        components = self.contract["components"]
        rooted = {**schema, "components": components}
        Draft202012Validator(rooted).validate(body)
        if exact:
            named = components["schemas"][schema["$ref"].rpartition("/")[2]]
            assert set(body) == set(named["properties"])


@dataclass(frozen=True)
class ApiUser:
    """A user with a token."""

    api: ApiHarness
    id: str
    token: str

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        """Send a request and check its answer."""
        headers = {**({"Authorization": f"Bearer {self.token}"} if self.token else {}), **kwargs.pop("headers", {})}
        answer = self.api.app.test_client().open(path, method=method, headers=headers, buffered=True, **kwargs)
        return self.api.check(answer)

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.call("GET", path, headers=headers)

    def order(self, path: str, body: Any, key: str | None = None, **headers: str) -> TestResponse:
        """A POST with a new Idempotency-Key, unless `key` is passed."""
        return self.call("POST", path, json=body, headers={"Idempotency-Key": key or secrets.token_hex(8), **headers})

    def raw(
        self, path: str, data: bytes, content_type: str | None = "application/json", **headers: str
    ) -> TestResponse:
        """A POST of exactly these bytes."""
        return self.call(
            "POST",
            path,
            data=data,
            content_type=content_type,
            headers={"Idempotency-Key": secrets.token_hex(8), **headers},
        )

    def wallet(self, funds: str | None = None, currency: str = "EUR") -> str:
        """The token of a new wallet, with these funds posted to it."""
        token = self.call("POST", "/v1/wallets", json={"currency": currency}).get_json()["token"]
        if funds is not None:
            deposit = {"wallet": token, "amount": funds, "currency": currency, "source": "wire"}
            assert self.order("/v1/deposits", deposit).status_code == 202
            self.api.post_payments()
        return token

    def charge(self, wallet: str, amount: str, **members: Any) -> str:
        """The id of a charge of the wallet in EUR, not yet posted."""
        answer = self.order("/v1/charges", {"wallet": wallet, "amount": amount, "currency": "EUR", **members})
        assert answer.status_code == 202, answer.get_json()
        return answer.get_json()["id"]

    def payment(self, id: str) -> dict[str, Any]:
        """The payment, as the API answers it."""
        return self.get(f"/v1/payments/{id}").get_json()

    def balance(self, wallet: str) -> str:
        """The wallet's balance, as the API answers it."""
        return self.get(f"/v1/wallets/{wallet}").get_json()["balance"]

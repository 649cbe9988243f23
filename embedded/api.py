"""A client of the HTTP API for the stack itself."""

import json
import time
import urllib.error
import urllib.request
from typing import Any

CALL_SECONDS_MAX = 10
INSIST_SECONDS_MAX = 15
AGAIN_SECONDS = 0.5
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ApiError(Exception):
    """An error answer of the API; the message is its status, code and detail."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code')}: {problem.get('detail') or problem.get('title')}")
        self.status = status
        self.problem = problem
        self.is_retryable = problem.get("retryable") is True


def call(
    url: str, token: str | None = None, body: dict | None = None, key: str | None = None, method: str | None = None
) -> Any:
    """GET, POST with a body, or another method: the decoded answer; raises ApiError, or OSError if unreachable."""
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    if body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  our own gateway's URL
    try:
        with _direct.open(request, timeout=CALL_SECONDS_MAX) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise ApiError(error.code, _problem(error.read())) from None


def insist(url: str, token: str | None = None, body: dict | None = None, key: str | None = None) -> Any:
    """As `call` for idempotent requests (GET, or POST with a key): repeated while the error is retryable."""
    deadline = time.monotonic() + INSIST_SECONDS_MAX
    while True:
        try:
            return call(url, token, body, key)
        except ApiError as error:
            if not error.is_retryable or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


def is_ready(url: str) -> bool:
    """Return True if the gateway answers, and reaches its database."""
    try:
        call(f"{url}/health/ready")
    except (OSError, ApiError):
        return False
    return True


def problems(url: str) -> list[dict[str, str]]:
    """The problems that GET /status reports: code, detail and the command that helps."""
    try:
        status = call(f"{url}/status")
    except ApiError as error:
        status = error.problem
    return status.get("problems", [])


def _problem(text: bytes) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError:
        return {"title": text[:200].decode(errors="replace")}

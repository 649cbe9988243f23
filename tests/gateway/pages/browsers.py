"""A browser without scripts: keeps cookies, follows nothing, and sends forms as they are on the page."""

import re
from html.parser import HTMLParser
from typing import Any

from werkzeug.test import Client, TestResponse

from gateway.identity import passwords
from tests.gateway.harness import NEVER_SAID, ApiHarness

SESSION, VISIT = "__Host-payments_session", "__Host-payments_visit"
PASSWORD = "correct horse 4 battery"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class Elements(HTMLParser):
    """The start tags of a page, and the text outside of any."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of each tag that has these."""
        return [found for name, found in self.tags if name == tag and attributes.items() <= found.items()]


class Browser:
    """One browser, signed in if it has a token."""

    def __init__(self, api: ApiHarness, token: str = "") -> None:
        self.api = api
        self.client: Client = api.app.test_client()
        if token:
            self.client.set_cookie(SESSION, token)

    def get(self, path: str, status: int = 200, **headers: str) -> TestResponse:
        """A page; no answer says what it must not, and none is kept or framed."""
        return self._checked(self.client.get(path, headers=headers, buffered=True), status)

    def page(self, path: str) -> Elements:
        """What a page is made of."""
        return Elements(self.get(path).text)

    def form(self, path: str, data: dict[str, Any], shown_on: str | None = None, **headers: str) -> TestResponse:
        """Send a form with the token of the page that shows it."""
        return self.post(path, {**data, "csrf": self.csrf(shown_on or path)}, **headers)

    def post(self, path: str, data: dict[str, Any], **headers: str) -> TestResponse:
        """Send a form with exactly these fields."""
        return self._checked(self.client.post(path, data=data, headers=headers), None)

    def csrf(self, path: str) -> str:
        """The token of the forms of a page."""
        found = CSRF.search(self.client.get(path).text)
        assert found, f"{path} has no form"
        return found[1]

    def cookie(self, name: str) -> str | None:
        """The value of a cookie."""
        kept = self.client.get_cookie(name)
        return kept.value if kept else None

    def _checked(self, answer: TestResponse, status: int | None) -> TestResponse:
        assert status is None or answer.status_code == status, (answer.status_code, answer.headers, answer.text)
        assert answer.status_code < 500, answer.text
        assert not [secret for secret in NEVER_SAID if secret in answer.text]
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        if answer.mimetype == "text/html":
            assert answer.headers["Cache-Control"] == "no-store"
        return answer


def with_password(api: ApiHarness, role: str, name: str = "Olga") -> str:
    """The e-mail address of a new user who can sign in by PASSWORD."""
    id = api.user(role, name)
    api.execute("UPDATE users SET password_hash = %s WHERE id = %s", passwords.hash(PASSWORD), id)
    return f"{id}@example.com"


def signed_in(api: ApiHarness, email: str) -> Browser:
    """A browser after signing in."""
    browser = Browser(api)
    answer = browser.form("/sign-in", {"email": email, "password": PASSWORD, "next": ""})
    assert answer.status_code == 303, answer.text
    return browser


def alerts(answer: TestResponse) -> str:
    """The text of a page, to look for what it says."""
    return " ".join(Elements(answer.text).text.split())

"""A headless Chromium, a stack with payments of every kind, and the people who look at them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from embedded.stack import Stack
from gateway.identity import passwords
from tests.browser import chromium
from tests.browser.scene import Scene

PASSWORD = "correct horse 4 battery"
SECONDS_MAX = 60
"""Of one step in the browser, however busy the machine is."""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    """The browser, one for a module: while it is driven, no other test of the process can run an event loop."""
    found = chromium.find()
    expect.set_options(timeout=SECONDS_MAX * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.path, args=list(chromium.FLAGS), env={**os.environ, **found.environment}
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def scene(stack: Stack) -> Iterator[Scene]:
    """Payments of every kind, with hostile names, and an ops user who can sign in by PASSWORD."""
    scene = Scene(stack, passwords.hash(PASSWORD))
    yield scene
    scene.close()


@dataclass
class Visit:
    """A browser window of one person, and all that the browser complained of."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Keep what the browser says, but neither that a page itself has the status of an error, which tests look at,
        nor that a test was in a field before the page could put it into the first one."""
        if message.text.startswith("Failed to load resource") and "/pages/" not in message.location["url"]:
            return
        if not message.text.startswith("Autofocus processing was blocked"):
            self.complaints.append(message.text)

    def close(self) -> None:
        """Close the window; fails if the browser complained, of a policy above all."""
        self.context.close()
        assert self.complaints == []


class Visits:
    """Opens windows on the stack."""

    def __init__(self, chrome: Browser, stack: Stack) -> None:
        self._chrome, self._url = chrome, stack.url
        self._open: list[Visit] = []

    def __call__(self, token: str = "", **options: Any) -> Visit:
        """A new window, signed in if there is a token."""
        context = self._chrome.new_context(base_url=self._url, **options)
        context.set_default_timeout(SECONDS_MAX * 1000)
        if token:
            context.add_cookies([{"name": "payments_session", "value": token, "url": self._url}])
        visit = Visit(context, context.new_page())
        visit.page.on("console", visit.note)
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on("dialog", lambda dialog: (visit.complaints.append(dialog.message), dialog.dismiss()))
        self._open.append(visit)
        return visit

    def close(self) -> None:
        """Close all windows."""
        while self._open:
            self._open.pop().close()


@pytest.fixture
def visit(chrome: Browser, stack: Stack) -> Iterator[Visits]:
    """Opens windows that end with the test."""
    visits = Visits(chrome, stack)
    yield visits
    visits.close()

"""`python -m tests.browser.screenshots`: the pictures of the pages in docs/images, from a stack made for them."""

import os
import sys
from datetime import timedelta

from playwright.sync_api import Browser, ViewportSize, sync_playwright

import settings
from bench import history, stack, world
from bench.measure import Bench
from bench.stack import Stack
from embedded.business import Business
from embedded.home import CHECKOUT
from models.session import transaction
from models.user import Role
from tests.browser import chromium

IMAGES = CHECKOUT / "docs" / "images"
BYTES_MAX = 100_000
WINDOW = ViewportSize(width=1200, height=700)
WALLETS, PAYMENTS = 40, 4_000
"""What the payments of the last hour were between, beside those of the business."""

ENVIRON = {"ENVIRONMENT_NAME": "production", "ENVIRONMENT_COLOR": "blue", "RELEASE": "2026.12.1"}


def main() -> int:
    """Make all pictures; returns 1 if one is too large."""
    with stack.running(**ENVIRON) as servers, sync_playwright() as playwright:
        servers.start_processes()
        rush_hour(servers)
        business = Business(servers)
        business.trade()
        found = chromium.find()
        browser = playwright.chromium.launch(
            executable_path=found.path, args=list(chromium.FLAGS), env={**os.environ, **found.environment}
        )
        IMAGES.mkdir(exist_ok=True)
        sizes = [shoot(browser, servers.url, *picture) for picture in pictures(business)]
        browser.close()
    return 1 if max(sizes) > BYTES_MAX else 0


def pictures(business: Business) -> list[tuple[str, str, str]]:
    """Name, token of the visitor and path of each picture."""
    ops, shop = business.ops[0]["token"], business.shops[1]["token"]
    return [
        ("overview", ops, "/console"),
        ("payments", ops, "/console/payments"),
        ("payment", ops, f"/console/payments/{business.ids['parked']}"),
        ("app", shop, "/app"),
    ]


def shoot(browser: Browser, url: str, name: str, token: str, path: str) -> int:
    """Write a picture of a page; returns its bytes."""
    context = browser.new_context(base_url=url, viewport=WINDOW, color_scheme="light", reduced_motion="reduce")
    context.add_cookies([{"name": "payments_session", "value": token, "url": url}])
    page = context.new_page()
    page.goto(path)
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    context.close()
    size = file.stat().st_size
    sys.stderr.write(f"{file.relative_to(CHECKOUT)}: {size // 1000} kB\n")
    return size


def rush_hour(servers: Stack) -> None:
    """An hour of payments between other people."""
    with transaction(servers.engine(settings.WORKER_ROLE)) as connection:
        ops = world.newcomer(connection, "ops", Role.OPS)
        clients = [world.newcomer(connection, f"client{number}", Role.CLIENT) for number in range(WALLETS)]
    people = world.make(servers.engine(settings.GATEWAY_ROLE), clients, ops, WALLETS)
    world.submit(servers.engine(settings.GATEWAY_ROLE), people.deposits())
    Bench(servers, people, 1.0).wait_until_posted()
    history.write(servers.engine(), people, PAYMENTS, timedelta(hours=1), with_failures=True)


if __name__ == "__main__":
    sys.exit(main())

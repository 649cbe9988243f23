"""Registers the pages in the app; they are no part of the OpenAPI document."""

from flask import Flask

from gateway.pages import invitations, password_reset, quotes
from gateway.pages.app import access, controls, home, live, members, orders, profile, statements, wallet, webhooks
from gateway.pages.app import payment as app_payment
from gateway.pages.app import payments as app_payments
from gateway.pages.app.pages import app_pages
from gateway.pages.console import (
    accounts,
    adjustments,
    approvals,
    audit,
    bulks,
    closing,
    overview,
    payment,
    payments,
    rails,
    reconciliation,
    retries,
    saved_views,
    search,
    user,
    users,
    workers,
)
from gateway.pages.console import webhooks as console_webhooks
from gateway.pages.console.pages import console
from gateway.pages.second_factor import second_factor_pages
from gateway.pages.sign_in import signing_in
from gateway.pages.static_files import static_files

NAVIGATION = {
    "/console": [
        ("Overview", "/console"),
        ("Payments", "/console/payments"),
        ("Batches", "/console/batches"),
        ("Bulks", "/console/bulks"),
        ("Rails", "/console/rails"),
        ("Reconciliation", "/console/reconciliation"),
        ("Webhooks", "/console/webhooks"),
        ("Workers", "/console/workers"),
        ("Approvals", "/console/approvals"),
        ("Users", "/console/users"),
        ("Accounts", "/console/accounts"),
        ("Closing", "/console/closing"),
        ("Audit", "/console/audit"),
    ],
    "/app": [
        ("Wallets", "/app"),
        ("Payments", "/app/payments"),
        ("Webhooks", "/app/webhooks"),
        ("Closing", "/app/closing"),
        ("Members", "/app/members"),
        ("Access", "/app/access"),
        ("You", "/app/profile"),
    ],
}
"""The links of each kind of pages: label and path."""

NAVIGATION_SCOPES = {"/app/closing": "members:read", "/app/members": "members:read"}
"""The scopes without which a link is not shown: members:read is of merchants alone."""

SIGN_IN = (password_reset, invitations)
CONSOLE = (
    *(overview, payments, retries, payment, search, saved_views),
    *(bulks, rails, reconciliation, adjustments, console_webhooks, workers),
    *(approvals, users, user, accounts, closing, audit, quotes),
)
"""The modules that add their pages to the blueprint of others when they are imported."""

APP = (home, wallet, controls, statements, live, app_payments, app_payment, orders, webhooks, members, access, profile)
"""The modules of the pages of merchants and clients."""

BLUEPRINTS = (signing_in, static_files, second_factor_pages, console, app_pages)


def register(app: Flask) -> None:
    """Add sign-in, the console and the pages of merchants and clients."""
    app.extensions["navigation"] = NAVIGATION
    app.extensions["navigation_scopes"] = NAVIGATION_SCOPES
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)

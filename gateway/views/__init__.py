"""The routes, a file for each kind of thing."""

from gateway.views.currencies import currencies
from gateway.views.health import health
from gateway.views.orders import orders
from gateway.views.payments import payments
from gateway.views.wallets import wallets

BLUEPRINTS = (orders, payments, wallets, currencies, health)
"""All that the OpenAPI document describes, in its order."""

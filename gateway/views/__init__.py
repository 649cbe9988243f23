"""The routes, a file for each kind of thing."""

from gateway.views.api_keys import api_keys
from gateway.views.confirmations import confirmations
from gateway.views.currencies import currencies
from gateway.views.health import health
from gateway.views.me import me
from gateway.views.ops import ops
from gateway.views.ops_payments import ops_payments
from gateway.views.orders import orders
from gateway.views.payments import payments
from gateway.views.sessions import sessions
from gateway.views.sign_up import sign_up
from gateway.views.wallets import wallets

BLUEPRINTS = (
    sign_up,
    confirmations,
    sessions,
    api_keys,
    me,
    orders,
    payments,
    wallets,
    currencies,
    ops_payments,
    ops,
    health,
)
"""All that the OpenAPI document describes, in its order."""

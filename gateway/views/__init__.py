"""The routes, a file for each kind of thing."""

from gateway.views.adjustments import adjustments
from gateway.views.api_keys import api_keys
from gateway.views.bank_accounts import bank_accounts
from gateway.views.bulk_charges import bulk_charges
from gateway.views.bulk_transfers import bulk_transfers
from gateway.views.commissions import commissions
from gateway.views.confirmations import confirmations
from gateway.views.currencies import currencies
from gateway.views.endings import endings
from gateway.views.events import events
from gateway.views.exchanges import exchanges
from gateway.views.health import health
from gateway.views.history import history
from gateway.views.me import me
from gateway.views.ops import ops
from gateway.views.ops_payments import ops_payments
from gateway.views.orders import orders
from gateway.views.payments import payments
from gateway.views.rates import rates
from gateway.views.reconciliations import reconciliations
from gateway.views.refunds import refunds
from gateway.views.sessions import sessions
from gateway.views.sign_up import sign_up
from gateway.views.streams import streams
from gateway.views.timeline import timeline
from gateway.views.wallets import wallets
from gateway.views.webhook_deliveries import webhook_deliveries
from gateway.views.webhook_endpoints import webhook_endpoints
from gateway.views.withdrawals import withdrawals

BLUEPRINTS = (
    sign_up,
    confirmations,
    sessions,
    api_keys,
    me,
    orders,
    withdrawals,
    exchanges,
    endings,
    refunds,
    bank_accounts,
    bulk_transfers,
    bulk_charges,
    payments,
    timeline,
    streams,
    events,
    wallets,
    history,
    currencies,
    rates,
    commissions,
    webhook_endpoints,
    webhook_deliveries,
    ops_payments,
    adjustments,
    reconciliations,
    ops,
    health,
)
"""All that the OpenAPI document describes, in its order."""

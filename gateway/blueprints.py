"""The blueprints of all routes."""

from gateway.bulks.bank_account_routes import bank_accounts
from gateway.bulks.routes import bulk_charges, bulk_transfers
from gateway.commission.routes import commissions
from gateway.events.feed_routes import events
from gateway.events.stream_routes import streams
from gateway.exchange.currency_routes import currencies
from gateway.exchange.rate_routes import rates
from gateway.exchange.routes import exchanges
from gateway.identity.api_key_routes import api_keys
from gateway.identity.confirmation_routes import confirmations
from gateway.identity.invitation_routes import invitations
from gateway.identity.me_routes import me
from gateway.identity.member_routes import members
from gateway.identity.merchant_routes import merchant
from gateway.identity.second_factor_routes import second_factor_views
from gateway.identity.session_routes import sessions
from gateway.identity.sign_up_routes import sign_up
from gateway.ops.account_routes import ops_accounts
from gateway.ops.action_routes import ops_actions
from gateway.ops.adjustment_routes import adjustments
from gateway.ops.assignment_routes import assignments
from gateway.ops.batch_routes import batches
from gateway.ops.breach_routes import breaches
from gateway.ops.closing_routes import closings
from gateway.ops.explanation_routes import explanations
from gateway.ops.freeze_routes import freezes
from gateway.ops.health_routes import health
from gateway.ops.note_routes import notes
from gateway.ops.overview_routes import overview
from gateway.ops.owner_routes import owner_invitations
from gateway.ops.pause_routes import pauses
from gateway.ops.payment_routes import ops_payments
from gateway.ops.rail_routes import rails as ops_rails
from gateway.ops.related_routes import related
from gateway.ops.resolution_routes import resolutions
from gateway.ops.routes import ops
from gateway.ops.saved_view_routes import saved_views
from gateway.ops.search_routes import searches
from gateway.ops.worker_routes import workers
from gateway.payments.action_routes import endings
from gateway.payments.create_routes import orders, withdrawals
from gateway.payments.receipt_routes import receipts
from gateway.payments.refund_routes import refunds
from gateway.payments.routes import payments
from gateway.payments.timeline_routes import timeline
from gateway.reconciliation.routes import reconciliations
from gateway.wallets.history_routes import history
from gateway.wallets.routes import wallets
from gateway.webhooks.delivery_routes import webhook_deliveries
from gateway.webhooks.endpoint_routes import webhook_endpoints
from gateway.webhooks.ops_routes import ops_webhooks

BLUEPRINTS = (
    sign_up,
    confirmations,
    sessions,
    api_keys,
    me,
    second_factor_views,
    merchant,
    members,
    invitations,
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
    receipts,
    streams,
    events,
    wallets,
    history,
    currencies,
    rates,
    commissions,
    webhook_endpoints,
    webhook_deliveries,
    overview,
    assignments,
    saved_views,
    searches,
    ops_payments,
    ops_actions,
    explanations,
    related,
    notes,
    resolutions,
    batches,
    adjustments,
    freezes,
    pauses,
    ops_rails,
    ops_webhooks,
    workers,
    reconciliations,
    closings,
    breaches,
    ops,
    owner_invitations,
    ops_accounts,
    health,
)
"""Everything that the OpenAPI document describes, in its order."""

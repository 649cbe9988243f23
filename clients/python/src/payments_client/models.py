"""Every object that the API answers with. Written by the generator from docs/openapi.json."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from payments_client.model import Model

UserRole = Literal["client", "merchant", "ops", "auditor", "member"] | str
MemberRole = Literal["owner", "operator", "viewer"] | str
InvitationState = Literal["open", "expired", "accepted", "withdrawn"] | str
FailureCode = (
    Literal[
        "insufficient_funds",
        "account_unknown",
        "account_inactive",
        "account_frozen",
        "merchant_blocked",
        "currency_mismatch",
        "limit_exceeded",
        "not_permitted",
        "commission_exceeds_amount",
        "quote_expired",
        "refund_exceeds_charge",
        "rejected_by_bank",
        "canceled",
        "canceled_by_ops",
        "expired",
        "system_failure",
    ]
    | str
)
PaymentType = (
    Literal["deposit", "withdrawal", "transfer", "charge", "exchange", "refund", "adjustment", "return", "bonus"] | str
)
PaymentState = Literal["INITIATED", "AUTHORIZED", "COMPLETED", "FAILED"] | str
QuoteState = Literal["open", "used", "expired"] | str
BulkKind = Literal["transfers", "charges"] | str
BulkState = Literal["INITIATED", "COMPLETED", "PARTIALLY_COMPLETED", "FAILED"] | str
BulkMode = Literal["atomic", "best_effort"] | str
OperationKind = Literal["transfer", "commission", "exchange"] | str
StepStep = (
    Literal[
        "initiated",
        "attempt_failed",
        "submitted",
        "pending",
        "parked",
        "retry",
        "capture",
        "void",
        "cancel",
        "fail",
        "ask",
        "resolve",
        "confirmed",
        "rejected",
        "authorized",
        "completed",
        "failed",
        "refunded",
        "returned",
    ]
    | str
)
StepActor = Literal["maker", "ops", "worker", "bank"] | str
StepOutcome = Literal["done", "refused"] | str
EventType = (
    Literal[
        "payment.initiated",
        "payment.authorized",
        "payment.completed",
        "payment.failed",
        "payment.parked",
        "bulk.completed",
        "bulk.partially_completed",
        "bulk.failed",
        "webhook_endpoint.disabled",
    ]
    | str
)
CurrencyKind = Literal["fiat", "crypto", "custom"] | str
PreviewType = Literal["transfer", "charge", "deposit", "withdrawal"] | str
NewEndpointDisabledReason = Literal["gone", "failing"] | str
PingType = Literal["ping"] | str
DeliveryType = (
    Literal[
        "payment.initiated",
        "payment.authorized",
        "payment.completed",
        "payment.failed",
        "payment.parked",
        "bulk.completed",
        "bulk.partially_completed",
        "bulk.failed",
        "webhook_endpoint.disabled",
        "ping",
    ]
    | str
)
DeliveryState = Literal["pending", "delivered", "failed"] | str
OverviewCountName = (
    Literal[
        "waiting",
        "parked",
        "undecided",
        "authorized_over_a_day",
        "paused",
        "adjustments_proposed",
        "resolutions_proposed",
        "reconciliation_exceptions",
        "endpoints_disabled",
        "endpoints_failing",
        "webhooks_waiting",
        "breaches",
    ]
    | str
)
OpenItemKind = (
    Literal[
        "parked",
        "undecided",
        "adjustments_proposed",
        "resolutions_proposed",
        "reconciliation_exceptions",
        "endpoints_disabled",
        "breaches",
    ]
    | str
)
SavedViewList = Literal["payments", "users", "accounts", "audit", "webhooks", "bulks", "adjustments"] | str
SearchHitKind = (
    Literal[
        "payment", "account", "user", "bulk", "batch", "adjustment", "reconciliation", "webhook_delivery", "audit_entry"
    ]
    | str
)
SearchHitMatchedBy = (
    Literal[
        "id",
        "webhook_id",
        "wallet",
        "last4",
        "email",
        "phone_number",
        "idempotency_key",
        "reference",
        "bank_reference",
        "request_id",
    ]
    | str
)
ListedPaymentActions = Literal["retry", "ask", "cancel", "fail", "capture", "void", "resolve"] | str
BatchDetailState = Literal["running", "stopped", "done"] | str
RefusedActionCode = (
    Literal[
        "payment_final",
        "illegal_transition",
        "ending_ordered",
        "atomic_bulk_line",
        "money_may_be_outside",
        "payout_not_sent",
        "payout_answered",
        "payout_in_progress",
        "resolution_open",
        "not_two_ops_users",
    ]
    | str
)
PayoutProgressAnswer = Literal["confirmed", "rejected"] | str
CommandKind = Literal["retry", "capture", "void", "cancel", "fail", "resolve", "confirm", "reject"] | str
InquiryAnswer = Literal["confirmed", "rejected", "pending", "unknown", "not_found", "unreachable", "not_sent"] | str
InquiryKnownAnswer = Literal["confirmed", "rejected", "pending", "unknown"] | str
ResolutionState = Literal["proposed", "approved", "rejected", "done", "refused"] | str
ResolutionOutcome = Literal["paid", "not_paid"] | str
WaitCauseCode = (
    Literal[
        "posting",
        "locked",
        "posting_stale",
        "broker_away",
        "workers_deaf",
        "beat_silent",
        "due",
        "scheduled",
        "next_attempt",
        "partition_missing",
        "parked",
        "paused",
        "frozen",
        "hold",
        "ordered",
        "rail_paused",
        "rails_stale",
        "not_sent",
        "at_bank",
        "approval",
        "atomic_bulk",
    ]
    | str
)
RowLockRow = Literal["payment", "payout", "bulk", "source", "target"] | str
ExplanationBroker = Literal["ok", "away"] | str
RelatedLineVerdict = Literal["matched", "mismatched", "missing_here", "missing_there", "expected", "dismissed"] | str
BatchItemOutcome = Literal["waiting", "retried", "completed", "failed", "parked", "skipped"] | str
BatchItemSkipReason = Literal["final", "moved_on", "stopped"] | str
AdjustmentState = Literal["proposed", "approved", "rejected"] | str
AdjustmentDirection = Literal["credit", "debit"] | str
RailFileState = Literal["written", "read", "broken"] | str
OpsEndpointState = Literal["ok", "failing", "disabled", "inactive"] | str
WorkerDetailQueue = Literal["payments", "upkeep", "rails", "webhooks"] | str
ExceptionAgeDays = Literal["0-1", "2-5", "over-5"] | str
ReconciliationForm = Literal["csv", "camt.053"] | str
DismissalCategory = Literal["fee", "interest", "tax", "own_transfer", "bank_correction", "other"] | str
LineMatchOutcome = Literal["matched", "unchanged", "refused"] | str
AccountCode = Literal["internal", "commission", "wire", "wallet", "crypto", "exchange"] | str
HealthStatus = Literal["ok"] | str
ReplicaState = Literal["ok", "behind", "away", "promoted", "failed"] | str
HealthProblemCode = (
    Literal[
        "database_read_only",
        "partition_missing",
        "clock_wrong",
        "dump_restored",
        "posting_stale",
        "upkeep_stale",
        "rails_stale",
        "webhooks_stale",
        "replica_unused",
        "broker_away",
        "workers_deaf",
        "beat_silent",
        "payments_overdue",
        "payments_parked",
        "payments_undecided",
        "books_broken",
        "verification_stale",
        "webhooks_behind",
    ]
    | str
)
StatusStatus = Literal["ok", "degraded"] | str
StatusDatabase = Literal["ok", "read_only"] | str
PaymentEventType = (
    Literal["payment.initiated", "payment.authorized", "payment.completed", "payment.failed", "payment.parked"] | str
)
BulkEventType = Literal["bulk.completed", "bulk.partially_completed", "bulk.failed"] | str
EndpointEventType = Literal["webhook_endpoint.disabled", "ping"] | str


class Flaw(Model):
    """Flaw."""

    pointer: str | None
    parameter: str | None
    code: str
    detail: str


class Problem(Model):
    """Problem."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[Flaw]
    request_id: str
    retryable: bool
    payment: str | None
    batch: str | None
    lines: int | None


class User(Model):
    """User."""

    id: str
    role: UserRole
    email: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    name: str
    url: str | None
    is_active: bool
    email_confirmed: bool
    created_at: datetime


class Mail(Model):
    """Mail."""

    detail: str


class NewSession(Model):
    """New session."""

    id: str
    prefix: str
    last4: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    idle_minutes: int | None
    second_factor_at: datetime | None
    merchant: str | None
    is_current: bool
    token: str


class Session(Model):
    """Session."""

    id: str
    prefix: str
    last4: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    idle_minutes: int | None
    second_factor_at: datetime | None
    merchant: str | None
    is_current: bool


class NewApiKey(Model):
    """New api key."""

    id: str
    name: str | None
    prefix: str
    last4: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    token: str


class ApiKey(Model):
    """Api key."""

    id: str
    name: str | None
    prefix: str
    last4: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None


class SecondFactor(Model):
    """Second factor."""

    is_active: bool
    is_required: bool
    confirmed_at: datetime | None
    recovery_codes_left: int


class NewSecondFactor(Model):
    """New second factor."""

    secret: str
    uri: str
    qr_code: str | None


class RecoveryCodes(Model):
    """Recovery codes."""

    recovery_codes: list[str]


class Merchant(Model):
    """Merchant."""

    id: str
    name: str
    url: str | None
    is_active: bool
    created_at: datetime


class Member(Model):
    """Member."""

    id: str
    email: str
    name: str
    role: MemberRole
    is_active: bool
    has_second_factor: bool
    created_at: datetime
    is_you: bool


class Membership(Model):
    """Membership."""

    id: str
    name: str
    role: MemberRole
    is_active: bool
    created_at: datetime


class Invitation(Model):
    """Invitation."""

    id: str
    email: str
    role: MemberRole
    state: InvitationState
    is_by_ops: bool
    invited_by: str | None
    accepted_by: str | None
    created_at: datetime
    expires_at: datetime


class AcceptedInvitation(Model):
    """Accepted invitation."""

    merchant: str
    merchant_name: str
    user: str
    email: str
    role: MemberRole
    is_new_user: bool


class Side(Model):
    """Side."""

    wallet: str | None
    name: str
    last4: str | None


class Failure(Model):
    """Failure."""

    code: FailureCode
    message: str
    retryable: bool


class Paused(Model):
    """Paused."""

    reason: str | None
    since: datetime
    until: datetime | None


class Payment(Model):
    """Payment."""

    id: str
    type: PaymentType
    state: PaymentState
    source: Side
    target: Side
    amount: Decimal | None
    currency: str
    commission: Decimal | None
    target_amount: Decimal | None
    target_currency: str
    rate: Decimal | None
    summary: str | None
    reference: str | None
    reason: str | None
    metadata: dict[str, str] | None
    failure: Failure | None
    attempts: int
    next_attempt_at: datetime | None
    paused: Paused | None
    captured_amount: Decimal | None
    refunded_amount: Decimal | None
    merchant: str | None
    balance_after: Decimal | None
    parent: str | None
    bulk: str | None
    scheduled_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    finalized_at: datetime | None


class Offer(Model):
    """Offer."""

    source_amount: Decimal
    target_amount: Decimal
    commission: Decimal


class Quote(Model):
    """Quote."""

    id: str
    state: QuoteState
    source_currency: str
    target_currency: str
    rate: Decimal
    source_amount: Decimal | None
    target_amount: Decimal | None
    commission: Decimal | None
    transfer: Offer | None
    payment: str | None
    user: str
    created_at: datetime
    expires_at: datetime


class BankAccount(Model):
    """Bank account."""

    id: str
    organization_name: str
    iban: str
    bic: str | None
    wallet: str | None
    currency: str
    is_active: bool
    created_at: datetime


class Counts(Model):
    """Counts."""

    lines: int
    initiated: int
    authorized: int
    completed: int
    failed: int


class Bulk(Model):
    """Bulk."""

    id: str
    kind: BulkKind
    state: BulkState
    mode: BulkMode
    is_open: bool
    bank_account: str | None
    total: Decimal
    currency: str
    counts: Counts
    failure: Failure | None
    created_at: datetime
    finalized_at: datetime | None


class Counterparty(Model):
    """Counterparty."""

    name: str
    last4: str | None


class Line(Model):
    """Line."""

    line: int
    payment: str
    state: PaymentState
    amount: Decimal
    counterparty: Counterparty
    description: str | None
    creditor_reference: str | None
    reference: str | None
    instruction_id: str | None
    end_to_end_id: str | None
    scheduled_at: datetime | None
    failure: Failure | None
    finalized_at: datetime | None


class Operation(Model):
    """Operation."""

    line: int
    account: Side
    amount: Decimal
    currency: str
    kind: OperationKind
    balance_after: Decimal | None
    created_at: datetime


class AcceptingRequest(Model):
    """Accepting request."""

    idempotency_key: str | None
    request_id: str | None
    quote: str | None


class Step(Model):
    """Step."""

    at: datetime
    step: StepStep
    actor: StepActor
    actor_id: str | None
    attempt: int | None
    waited_seconds: float | None
    next_attempt_at: datetime | None
    outcome: StepOutcome | None
    reason: str | None
    error: str | None
    failure: Failure | None
    payment: str | None


class ReceiptOperation(Model):
    """Receipt operation."""

    line: int
    hash: str
    salt: str | None
    account: str | None
    amount_minor: str | None
    currency: str | None
    kind: OperationKind | None
    balance_after_minor: str | None
    account_seq: int | None


class PathStep(Model):
    """Path step."""

    position: int
    hashes: list[str]


class ReceiptBatch(Model):
    """Receipt batch."""

    path: list[PathStep]
    number: int
    previous_hash: str
    posted_at: datetime


class ReceiptCheckpoint(Model):
    """Receipt checkpoint."""

    path: list[PathStep]
    number: int
    first_batch: int
    last_batch: int
    previous_hash: str
    signed_at: datetime
    key: str
    signature: str


class Receipt(Model):
    """Receipt."""

    payment: str
    operations: list[ReceiptOperation]
    batch: ReceiptBatch
    checkpoint: ReceiptCheckpoint


class ReceiptKey(Model):
    """Receipt key."""

    id: str
    public_key: str
    created_at: datetime


class Event(Model):
    """Event."""

    id: str
    type: EventType
    timestamp: datetime
    version: int
    data: Payment | Bulk | Endpoint


class Limit(Model):
    """Limit."""

    merchant: str | None
    per_charge: Decimal | None
    per_day: Decimal | None


class Wallet(Model):
    """Wallet."""

    label: str | None
    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    is_active: bool
    is_frozen: bool
    charge_limits: list[Limit]
    blocked_merchants: list[str]
    created_at: datetime
    token: str


class ChargingMerchant(Model):
    """Charging merchant."""

    merchant: str
    name: str
    charges: int
    total: Decimal
    last_charged_at: datetime
    is_blocked: bool


class HistoryRow(Model):
    """History row."""

    payment: str
    type: PaymentType
    success: bool
    amount: Decimal
    currency: str
    commission: Decimal | None
    balance_after: Decimal | None
    counterparty: Counterparty
    summary: str | None
    reference: str | None
    failure: Failure | None
    created_at: datetime
    finalized_at: datetime


class Balance(Model):
    """Balance."""

    wallet: str
    balance: Decimal
    currency: str
    at: datetime


class StatementTotals(Model):
    """Statement totals."""

    lines: int
    received: Decimal
    paid: Decimal


class Statement(Model):
    """Statement."""

    wallet: str
    currency: str
    month: str
    opening: Decimal
    totals: StatementTotals
    is_complete: bool
    lines: list[HistoryRow]
    closing: Decimal


class Currency(Model):
    """Currency."""

    code: str
    digits: int
    kind: CurrencyKind
    name: str
    minimum: Decimal | None
    maximum: Decimal | None
    balance_maximum: Decimal | None
    is_active: bool


class Rate(Model):
    """Rate."""

    source: str
    target: str
    rate: Decimal
    spread: Decimal
    source_name: str
    valid_from: datetime


class Terms(Model):
    """Terms."""

    percent: Decimal
    fixed: Decimal
    minimum: Decimal
    maximum: Decimal | None
    smallest_paying_amount: Decimal | None
    smallest_paying_units: int | None
    ending_minimum: Decimal | None


class Preview(Model):
    """Preview."""

    type: PreviewType
    amount: Decimal
    currency: str
    commission: Decimal
    arrives: Decimal | None
    terms: Terms


class KeptTerms(Model):
    """Kept terms."""

    percent: Decimal
    fixed: Decimal
    minimum: Decimal
    maximum: Decimal | None
    smallest_paying_amount: Decimal | None
    smallest_paying_units: int | None
    ending_minimum: Decimal | None
    id: str
    type: PreviewType
    currency: str | None
    merchant: str | None
    valid_from: datetime
    created_at: datetime


class Day(Model):
    """Day."""

    date: date
    currency: str
    taken: Decimal
    given_back: Decimal
    net: Decimal
    payments: int


class Takings(Model):
    """Takings."""

    data: list[Day]


class NewEndpoint(Model):
    """New endpoint."""

    id: str
    url: str
    event_types: list[str]
    payment_types: list[PaymentType] | None
    description: str | None
    is_active: bool
    disabled_reason: NewEndpointDisabledReason | None
    failing_since: datetime | None
    created_at: datetime
    secret: str


class Endpoint(Model):
    """Endpoint."""

    id: str
    url: str
    event_types: list[str]
    payment_types: list[PaymentType] | None
    description: str | None
    is_active: bool
    disabled_reason: NewEndpointDisabledReason | None
    failing_since: datetime | None
    created_at: datetime


class Ping(Model):
    """Ping."""

    type: PingType
    endpoint: str
    deliveries: str


class Delivery(Model):
    """Delivery."""

    id: str
    endpoint: str
    event: str
    type: DeliveryType
    subject: str
    version: int
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    last_reason: str | None
    last_milliseconds: int | None
    last_answer: str | None
    finished_at: datetime | None
    created_at: datetime


class Redelivered(Model):
    """Redelivered."""

    redelivered: int
    has_more: bool


class Try(Model):
    """Try."""

    attempt: int
    status: int | None
    error: str | None
    reason: str | None
    milliseconds: int
    answer: str | None
    created_at: datetime


class WholeDelivery(Model):
    """Whole delivery."""

    id: str
    endpoint: str
    event: str
    type: DeliveryType
    subject: str
    version: int
    occurred_at: datetime
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    last_reason: str | None
    last_milliseconds: int | None
    last_answer: str | None
    finished_at: datetime | None
    created_at: datetime
    tries: list[Try]


class OverviewWindow(Model):
    """Overview window."""

    accepted: int
    initiated: int
    authorized: int
    completed: int
    failed: int
    is_estimate: bool
    seconds: int
    p50_seconds: float | None
    p95_seconds: float | None
    p99_seconds: float | None


class OverviewFailure(Model):
    """Overview failure."""

    failure: str
    count: int


class OverviewSlot(Model):
    """Overview slot."""

    accepted: int
    initiated: int
    authorized: int
    completed: int
    failed: int
    is_estimate: bool
    begins_at: datetime
    failures: list[OverviewFailure]
    oldest_due_seconds: float | None


class OverviewCount(Model):
    """Overview count."""

    name: OverviewCountName
    count: int
    is_exact: bool
    oldest_at: datetime | None


class Imbalance(Model):
    """Imbalance."""

    currency: str
    amount: Decimal
    looked_at: datetime


class Overview(Model):
    """Overview."""

    at: datetime
    windows: list[OverviewWindow]
    slot_seconds: int
    slots: list[OverviewSlot]
    counts: list[OverviewCount]
    imbalances: list[Imbalance]


class OpenItem(Model):
    """Open item."""

    kind: OpenItemKind
    subject: str
    since: datetime | None
    label: str
    assignment: str | None
    taken_by: str | None
    taken_by_name: str | None
    taken_at: datetime | None


class Assignment(Model):
    """Assignment."""

    id: str
    kind: OpenItemKind
    subject: str
    since: datetime
    reason: str | None
    taken_by: str | None
    taken_at: datetime
    given_by: str | None
    given_at: datetime | None
    given_reason: str | None


class SavedView(Model):
    """Saved view."""

    id: str
    user: str | None
    owner: str | None
    list: SavedViewList
    name: str
    query: str
    is_shared: bool
    created_at: datetime


class SearchHit(Model):
    """Search hit."""

    kind: SearchHitKind
    id: str
    matched_by: SearchHitMatchedBy
    label: str
    path: str


class ListedPayment(Model):
    """Listed payment."""

    id: str
    type: PaymentType
    amount: Decimal
    currency: str
    user: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    last_error: str | None
    parked_at: datetime | None
    state: PaymentState
    failure: str | None
    source: Side
    target: Side
    summary: str | None
    reference: str | None
    actions: list[ListedPaymentActions]


class PaymentCount(Model):
    """Payment count."""

    count: int
    is_exact: bool


class SelectionTotal(Model):
    """Selection total."""

    currency: str
    count: int
    amount: Decimal


class SelectionError(Model):
    """Selection error."""

    error: str | None
    count: int


class OpsPayment(Model):
    """Ops payment."""

    id: str
    type: PaymentType
    amount: Decimal
    currency: str
    user: str
    created_at: datetime
    due_at: datetime | None
    attempts: int
    last_error: str | None
    parked_at: datetime | None
    state: PaymentState
    failure: str | None


class Selection(Model):
    """Selection."""

    selection: str | None
    expires_at: datetime | None
    count: int
    has_more: bool
    totals: list[SelectionTotal]
    oldest_created_at: datetime | None
    errors: list[SelectionError]
    payments: list[OpsPayment]


class BatchOutcomes(Model):
    """Batch outcomes."""

    waiting: int
    retried: int
    completed: int
    failed: int
    parked: int
    skipped: int


class BatchDetail(Model):
    """Batch detail."""

    id: str
    state: BatchDetailState
    user: str | None
    reason: str
    filter: dict[str, Any]
    total: int
    waiting: int
    retried: int
    skipped: int
    created_at: datetime
    ended_at: datetime | None
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None
    outcomes: BatchOutcomes


class RefusedAction(Model):
    """Refused action."""

    action: ListedPaymentActions
    code: RefusedActionCode
    detail: str


class PayoutProgress(Model):
    """Payout progress."""

    rail: str | None
    name: str
    last4: str
    attempts: int
    due_at: datetime | None
    submitted_at: datetime | None
    pending_at: datetime | None
    answer: PayoutProgressAnswer | None
    answered_at: datetime | None
    reason: str | None
    bank_reference: str | None
    last_error: str | None
    resolution: str | None


class Command(Model):
    """Command."""

    kind: CommandKind
    user: str | None
    is_by_ops: bool
    reason: str | None
    created_at: datetime
    decided_at: datetime | None
    outcome: StepOutcome | None


class Inquiry(Model):
    """Inquiry."""

    id: str
    asked_by: str
    reason: str
    created_at: datetime
    answered_at: datetime | None
    answer: InquiryAnswer | None
    answer_reason: str | None
    bank_reference: str | None
    known_answer: InquiryKnownAnswer | None
    known_bank_reference: str | None
    differences: list[str]


class Resolution(Model):
    """Resolution."""

    id: str
    state: ResolutionState
    payment: str
    outcome: ResolutionOutcome
    bank_reference: str | None
    value_date: date | None
    reason: str
    proposed_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    approval_reason: str | None
    rejected_by: str | None
    rejected_at: datetime | None
    rejection_reason: str | None
    executed_at: datetime | None
    refusal: RefusedActionCode | None
    bank_answer: PayoutProgressAnswer | None
    bank_answered_at: datetime | None
    is_contradicted: bool


class Note(Model):
    """Note."""

    text: str
    written_by: str
    created_at: datetime


class PaymentReview(Model):
    """Payment review."""

    payment: Payment
    actions: list[ListedPaymentActions]
    refused: list[RefusedAction]
    request: AcceptingRequest
    parked_at: datetime | None
    last_error: str | None
    payout: PayoutProgress | None
    commands: list[Command]
    inquiries: list[Inquiry]
    resolutions: list[Resolution]
    notes: list[Note]


class WaitCause(Model):
    """Wait cause."""

    code: WaitCauseCode
    detail: str
    help: str
    command: str | None


class RowLock(Model):
    """Row lock."""

    row: RowLockRow
    pid: int
    role: str
    application: str
    transaction_seconds: float | None
    is_poster: bool


class Alive(Model):
    """Alive."""

    name: str
    age_seconds: float
    is_fresh: bool
    hears: bool


class Explanation(Model):
    """Explanation."""

    payment: str
    type: PaymentType
    state: PaymentState
    explained_at: datetime
    causes: list[WaitCause]
    attempts: int
    attempts_max: int
    last_error: str | None
    next_attempt_at: datetime | None
    parked_at: datetime | None
    locks: list[RowLock]
    workers: list[Alive]
    broker: ExplanationBroker
    waiting: int
    oldest_due_seconds: float
    timeline: list[Step]


class RelatedPayment(Model):
    """Related payment."""

    id: str
    type: PaymentType
    state: PaymentState
    amount: Decimal
    currency: str
    created_at: datetime


class RelatedLine(Model):
    """Related line."""

    statement: str
    line: int
    booked_on: date
    verdict: RelatedLineVerdict


class RelatedDelivery(Model):
    """Related delivery."""

    id: str
    endpoint: str
    url: str
    type: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    next_attempt_at: datetime | None
    created_at: datetime


class Related(Model):
    """Related."""

    parent: str | None
    bulk: str | None
    quote: str | None
    children: list[RelatedPayment]
    batches: list[str]
    statement_lines: list[RelatedLine]
    deliveries: list[RelatedDelivery]


class Batch(Model):
    """Batch."""

    id: str
    state: BatchDetailState
    user: str | None
    reason: str
    filter: dict[str, Any]
    total: int
    waiting: int
    retried: int
    skipped: int
    created_at: datetime
    ended_at: datetime | None
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None


class BatchItem(Model):
    """Batch item."""

    payment: str
    outcome: BatchItemOutcome
    skip_reason: BatchItemSkipReason | None
    decided_at: datetime | None
    type: PaymentType
    amount: Decimal
    currency: str
    state: PaymentState
    failure: str | None
    last_error: str | None


class Adjustment(Model):
    """Adjustment."""

    id: str
    state: AdjustmentState
    account: str
    wallet: str | None
    direction: AdjustmentDirection
    amount: Decimal
    currency: str
    reason: str
    proposed_by: str | None
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    approval_reason: str | None
    payment: str | None
    rejected_by: str | None
    rejected_at: datetime | None
    rejection_reason: str | None


class Freeze(Model):
    """Freeze."""

    id: str
    account: str | None
    user: str | None
    in_force: bool
    reason: str
    frozen_by: str | None
    frozen_at: datetime
    thaw_reason: str | None
    thawed_by: str | None
    thawed_at: datetime | None
    breach: str | None


class Pause(Model):
    """Pause."""

    id: str
    type: PaymentType | None
    merchant: str | None
    currency: str | None
    rail: str | None
    in_force: bool
    reason: str
    paused_by: str | None
    paused_at: datetime
    until: datetime | None
    resume_reason: str | None
    resumed_by: str | None
    resumed_at: datetime | None


class RailFiles(Model):
    """Rail files."""

    written: int
    read: int
    broken: int


class Rail(Model):
    """Rail."""

    rail: str | None
    to_tell: int
    told: int
    received: int
    undecided: int
    asked: int
    oldest_at: datetime | None
    is_exact: bool
    pause: str | None
    updates_read_at: datetime | None
    files: RailFiles


class RailFile(Model):
    """Rail file."""

    id: str
    rail: str
    state: RailFileState
    name: str
    items: int | None
    noted_at: datetime
    bytes: int | None
    sha256: str | None


class OpenDeliveries(Model):
    """Open deliveries."""

    pending: int
    failed: int


class OpsEndpoint(Model):
    """Ops endpoint."""

    id: str
    url: str
    event_types: list[str]
    payment_types: list[PaymentType] | None
    description: str | None
    is_active: bool
    disabled_reason: NewEndpointDisabledReason | None
    failing_since: datetime | None
    created_at: datetime
    user: str
    owner: str
    state: OpsEndpointState
    deliveries: OpenDeliveries
    next_attempt_at: datetime | None


class WorkerDetail(Model):
    """Worker detail."""

    name: str
    queue: WorkerDetailQueue | None
    is_fresh: bool
    age_seconds: float
    hears: bool
    heard_seconds: float | None


class Poster(Model):
    """Poster."""

    pid: int
    name: str
    posts: bool


class Queue(Model):
    """Queue."""

    name: str
    messages: int | None


class PostedBatch(Model):
    """Posted batch."""

    number: int
    posted_at: datetime
    payments: int


class Workers(Model):
    """Workers."""

    at: datetime
    broker: ExplanationBroker
    stale_after_seconds: float
    workers: list[WorkerDetail]
    posters: list[Poster]
    queues: list[Queue]
    batches: list[PostedBatch]
    waiting: int
    oldest_due_seconds: float


class VerdictCounts(Model):
    """Verdict counts."""

    matched: int
    mismatched: int
    missing_here: int
    missing_there: int
    expected: int
    dismissed: int


class ExceptionAge(Model):
    """Exception age."""

    days: ExceptionAgeDays
    count: int


class SetAside(Model):
    """Set aside."""

    pointer: str
    code: str
    detail: str


class Reconciliation(Model):
    """Reconciliation."""

    id: str
    form: ReconciliationForm
    account: str | None
    begins_on: date
    ends_on: date
    counts: VerdictCounts
    ages: list[ExceptionAge]
    set_aside: list[SetAside]
    uploaded_by: str | None
    created_at: datetime


class Match(Model):
    """Match."""

    payment: str
    reason: str
    matched_by: str | None
    matched_at: datetime


class Dismissal(Model):
    """Dismissal."""

    category: DismissalCategory
    reason: str
    dismissed_by: str | None
    dismissed_at: datetime


class StatementLine(Model):
    """Statement line."""

    line: int
    account: str | None
    booked_on: date
    value_date: date | None
    direction: AdjustmentDirection
    amount: Decimal
    currency: str
    end_to_end_id: str | None
    bank_reference: str | None
    description: str | None
    verdict: RelatedLineVerdict
    age_days: int | None
    difference: str | None
    payment: str | None
    match: Match | None
    dismissal: Dismissal | None


class LineMatch(Model):
    """Line match."""

    number: int
    line: int | None
    payment: str | None
    outcome: LineMatchOutcome
    code: str | None
    pointer: str | None
    detail: str | None


class LineMatches(Model):
    """Line matches."""

    statement: str
    dry_run: bool
    matched: int
    unchanged: int
    refused: int
    lines: list[LineMatch]


class TrialBalance(Model):
    """Trial balance."""

    code: str
    currency: str
    opening: Decimal
    debits: Decimal
    credits: Decimal
    closing: Decimal


class Outcome(Model):
    """Outcome."""

    type: PaymentType
    state: PaymentState
    currency: str
    count: int
    amount: Decimal


class MerchantCommission(Model):
    """Merchant commission."""

    merchant: str | None
    type: PaymentType
    currency: str
    taken: Decimal
    given_back: Decimal
    net: Decimal


class ClosedReturn(Model):
    """Closed return."""

    withdrawal: str
    payment: str | None
    rail: str
    bank_reference: str
    currency: str
    amount: Decimal
    reason: str | None
    returned_at: datetime


class ClosedAdjustment(Model):
    """Closed adjustment."""

    id: str
    account: str
    direction: AdjustmentDirection
    currency: str
    amount: Decimal
    state: PaymentState
    reason: str
    proposed_by: str | None
    approved_by: str | None
    approved_at: datetime
    payment: str


class Closing(Model):
    """Closing."""

    month: str
    timezone: str
    start: datetime
    end: datetime
    is_over: bool
    trial_balance: list[TrialBalance]
    payments: list[Outcome]
    commission: list[MerchantCommission]
    open: list[Outcome] | None
    returns: list[ClosedReturn]
    adjustments: list[ClosedAdjustment]


class MerchantDay(Model):
    """Merchant day."""

    date: date
    currency: str
    gross: Decimal
    commission: Decimal
    refunds: Decimal
    net: Decimal


class MerchantClosing(Model):
    """Merchant closing."""

    month: str
    timezone: str
    is_over: bool
    days: list[MerchantDay]


class Breach(Model):
    """Breach."""

    id: str
    invariant: str
    subject: str
    details: dict[str, Any]
    found_at: datetime
    healed_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    reason: str | None


class Colleague(Model):
    """Colleague."""

    id: str
    email: str
    name: str
    role: MemberRole
    is_active: bool
    has_second_factor: bool
    created_at: datetime


class OwnerInvitation(Model):
    """Owner invitation."""

    id: str
    email: str
    role: MemberRole
    state: InvitationState
    is_by_ops: bool
    invited_by: str | None
    accepted_by: str | None
    created_at: datetime
    expires_at: datetime
    merchant: str
    reason: str | None


class Account(Model):
    """Account."""

    label: str | None
    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    is_active: bool
    is_frozen: bool
    charge_limits: list[Limit]
    blocked_merchants: list[str]
    created_at: datetime
    id: str
    owner: str | None
    code: AccountCode | None
    last4: str | None
    balance_at: Decimal | None


class OpsSession(Model):
    """Ops session."""

    id: str
    prefix: str
    last4: str
    address: str | None
    user_agent: str | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    second_factor_at: datetime | None
    merchant: str | None


class AuditLine(Model):
    """Audit line."""

    id: str
    created_at: datetime
    actor: str
    token_id: str | None
    address: str | None
    request_id: str | None
    action: str
    target: str
    reason: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    written_by: str


class UserDetail(Model):
    """User detail."""

    id: str
    role: UserRole
    email: str
    first_name: str | None
    last_name: str | None
    phone_number: str | None
    name: str
    url: str | None
    is_active: bool
    email_confirmed: bool
    created_at: datetime
    is_frozen: bool
    members: list[Colleague]
    invitations: list[OwnerInvitation]
    wallets: list[Account]
    sessions: list[OpsSession]
    api_keys: list[ApiKey]
    payments: list[ListedPayment]
    audit: list[AuditLine]


class EndedTokens(Model):
    """Ended tokens."""

    ended: list[str]


class AccountOperation(Model):
    """Account operation."""

    account_seq: int
    payment: str
    type: PaymentType
    kind: str
    amount: Decimal
    currency: str
    balance_after: Decimal
    created_at: datetime


class BalancePoint(Model):
    """Balance point."""

    at: datetime
    balance: Decimal


class BalanceCurve(Model):
    """Balance curve."""

    account: str
    currency: str
    points: list[BalancePoint]


class Health(Model):
    """Health."""

    status: HealthStatus


class Replica(Model):
    """Replica."""

    name: str
    state: ReplicaState
    bytes_behind: int | None
    lag_seconds: float | None


class Worker(Model):
    """Worker."""

    name: str
    age_seconds: float
    is_fresh: bool


class HealthProblem(Model):
    """Health problem."""

    code: HealthProblemCode
    detail: str
    command: str


class PauseNote(Model):
    """Pause note."""

    type: PaymentType | None
    currency: str | None
    rail: str | None
    since: datetime
    until: datetime | None


class Status(Model):
    """Status."""

    status: StatusStatus
    database: StatusDatabase
    broker: ExplanationBroker
    replica: Replica | None
    workers: list[Worker]
    waiting: int
    oldest_due_seconds: float
    problems: list[HealthProblem]
    pauses: list[PauseNote]
    paused: int


class PaymentEvent(Model):
    """Payment event."""

    id: str
    type: PaymentEventType
    timestamp: datetime
    version: int
    data: Payment


class BulkEvent(Model):
    """Bulk event."""

    id: str
    type: BulkEventType
    timestamp: datetime
    version: int
    data: Bulk


class EndpointEvent(Model):
    """Endpoint event."""

    id: str
    type: EndpointEventType
    timestamp: datetime
    version: int
    data: Endpoint

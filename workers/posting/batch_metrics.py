"""What posting counts of itself: batches, the states that payments enter, and after what time they are final."""

from collections.abc import Sequence

import metrics
import telemetry
from models.rules.state import State
from models.rules.types import ClaimedPayment, Decision, PaymentType

FINAL = frozenset({State.COMPLETED, State.FAILED})

metrics.preset(metrics.CLAIMS, metrics.CLAIM_RESULTS)
metrics.preset(metrics.TRANSITIONS, PaymentType, (State.AUTHORIZED, State.COMPLETED, State.FAILED))


def count_claim(result: str) -> None:
    """Count a claim by how it ended, one of CLAIM_RESULTS."""
    metrics.CLAIMS.labels(result).inc()


def count_batch(claimed: Sequence[ClaimedPayment], decision: Decision, seconds: float) -> None:
    """Count a committed batch and its payments; `seconds` is the time since it was claimed."""
    count_claim("decided")
    metrics.BATCH_SIZE.observe(len(claimed))
    metrics.BATCH_SECONDS.observe(seconds)
    payments = {payment.id: payment for payment in claimed}
    moved = [(payments[verdict.payment_id], verdict) for verdict in decision.verdicts]
    metrics.count_transitions((payment.type, verdict.state) for payment, verdict in moved)
    metrics.count_failures((payment.type, verdict.failure) for payment, verdict in moved if verdict.failure)
    final: dict[str, list[float]] = {}
    for payment, verdict in moved:
        if verdict.state in FINAL:
            final.setdefault(payment.type, []).append(payment.waited_ms / 1000 + seconds)
    metrics.observe_final(final)
    if telemetry.is_tracing():
        telemetry.posted(((verdict.payment_id, verdict.state.value) for _, verdict in moved), seconds)

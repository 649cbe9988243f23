"""Resolutions: what a bank never answered, proposed with evidence by one ops user and decided by another."""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, keyset, payment_action, payment_command, pg_arrays
from models.audit import Actor
from models.keyset import START, Cursor
from models.payout import FinalAnswer
from models.records import record
from models.rules import ops_actions
from models.rules.ops_actions import OpsAction, Refusal


class ResolutionOutcome(StrEnum):
    """What the resolution says of the bank."""

    PAID = "paid"
    """The bank paid it: the withdrawal is completed."""
    NOT_PAID = "not_paid"
    """The bank did not pay it, and will not: the withdrawal fails, and its hold is released."""


class ResolutionState(StrEnum):
    """State of a resolution."""

    PROPOSED = "proposed"
    """Not decided yet."""
    APPROVED = "approved"
    """Another ops user approved it; a worker judges it again, and executes it."""
    REJECTED = "rejected"
    """Another ops user rejected it, or its proposer withdrew it; final."""
    DONE = "done"
    """It is the answer of its payment; final."""
    REFUSED = "refused"
    """Its payment had moved on when a worker looked, for instance by a retry; final."""


class Evidence(NamedTuple):
    """What is proposed: the outcome, and where the bank shows it; both are required for `paid`."""

    outcome: str
    bank_reference: str | None = None
    value_date: date | None = None


class Resolution(NamedTuple):
    """A proposal, its decision and its execution. `bank_answer` is what the bank said after all."""

    id: str
    payment_id: str
    outcome: str
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
    refusal: str | None
    bank_answer: str | None
    bank_answered_at: datetime | None
    state: str

    @property
    def evidence(self) -> Evidence:
        """What was proposed."""
        return Evidence(self.outcome, self.bank_reference, self.value_date)

    @property
    def is_contradicted(self) -> bool:
        """Whether the bank said otherwise after all."""
        return self.bank_answer is not None and self.refusal is None and self.bank_answer != self.result().answer

    def result(self) -> FinalAnswer:
        """What is recorded in place of the bank's answer."""
        is_paid = self.outcome == ResolutionOutcome.PAID
        return FinalAnswer(self.payment_id, is_paid, self.reason, self.bank_reference)


STATE = """CASE WHEN r.rejected_by IS NOT NULL THEN 'rejected' WHEN r.refusal IS NOT NULL THEN 'refused'
                WHEN r.executed_at IS NOT NULL THEN 'done' WHEN r.approved_by IS NOT NULL THEN 'approved'
                ELSE 'proposed' END"""
RESOLUTION = f"""
SELECT r.id::text, r.payment_id::text, r.outcome, r.bank_reference, r.value_date, r.reason, r.proposed_by, r.created_at,
       r.approved_by, r.approved_at, r.approval_reason, r.rejected_by, r.rejected_at, r.rejection_reason,
       r.executed_at, r.refusal, r.bank_answer, r.bank_answered_at, {STATE} AS state
FROM resolutions r
"""


def by_id(connection: Connection, id: str) -> Resolution | None:
    """The resolution, or None."""
    return record(Resolution, connection.exec_driver_sql(f"{RESOLUTION} WHERE r.id = %s", (id,)))


def page(
    connection: Connection,
    limit: int,
    at: Cursor = START,
    *,
    states: Sequence[str] | None = None,
    payment_id: str | None = None,
) -> list[Resolution]:
    """Resolutions in these states, or of one payment, newest first."""
    conditions = {f"{STATE} = ANY(%s)": states and list(states), "r.payment_id = %s": payment_id}
    return keyset.page(connection, Resolution, RESOLUTION, conditions, limit, at, key="r.id")


def propose(
    connection: Connection, payment_id: str, evidence: Evidence, actor: Actor, reason: str
) -> Resolution | Refusal:
    """Store a proposal and note it in the audit log; the same proposal by the same ops user is stored once.

    Returns it, or why it is refused. Raises KeyError if there is no such payment.
    """
    refused = ops_actions.refusal(OpsAction.RESOLVE, payment_action.facts(connection, [payment_id])[payment_id])
    if refused is None:
        id = str(uuid7())
        stored = connection.exec_driver_sql(
            "INSERT INTO resolutions (id, payment_id, outcome, bank_reference, value_date, reason, proposed_by)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (id, payment_id, *evidence, reason, actor.name),
        )
        proposed = by_id(connection, id)
        if stored.rowcount == 1 and proposed is not None:
            audit.note(connection, actor, "resolutions.propose", id, reason, after=proposed._asdict())
            return proposed
        refused = Refusal.PROPOSED
    if refused is Refusal.PROPOSED:
        for earlier in page(connection, 1, states=[ResolutionState.PROPOSED], payment_id=payment_id):
            if (earlier.proposed_by, earlier.evidence, earlier.reason) == (actor.name, evidence, reason):
                return earlier
    return refused


OPEN = "approved_by IS NULL AND rejected_by IS NULL"
"""Checked under the row's lock: of concurrent decisions only the first finds it open."""


class Decided(NamedTuple):
    """A resolution after a decision, and whether this call decided it."""

    resolution: Resolution
    is_new: bool


def approve(connection: Connection, proposed: Resolution, actor: Actor, reason: str | None) -> Decided | None:
    """Record who approves the proposal, and order its execution; None if it was decided otherwise, or by others.

    The caller makes sure that `actor` is not its proposer; the schema does too.
    """
    approved = connection.exec_driver_sql(
        f"UPDATE resolutions SET approved_by = %s, approved_at = now(), approval_reason = %s WHERE id = %s AND {OPEN}",
        (actor.name, reason, proposed.id),
    )
    is_new = approved.rowcount == 1
    if is_new:
        payment_command.order_by_ops(connection, "resolve", proposed.payment_id, actor, reason or proposed.reason)
    return _decided(connection, proposed, is_new, "approve", actor, reason)


def reject(connection: Connection, proposed: Resolution, actor: Actor, reason: str) -> Decided | None:
    """Record who rejects the proposal, and why; None if it was decided otherwise, or by others."""
    rejected = connection.exec_driver_sql(
        f"UPDATE resolutions SET rejected_by = %s, rejected_at = now(), rejection_reason = %s WHERE id = %s AND {OPEN}",
        (actor.name, reason, proposed.id),
    )
    return _decided(connection, proposed, rejected.rowcount == 1, "reject", actor, reason)


def _decided(
    connection: Connection, proposed: Resolution, is_new: bool, verb: str, actor: Actor, reason: str | None
) -> Decided | None:
    decided = by_id(connection, proposed.id)
    if decided is None or actor.name != (decided.approved_by if verb == "approve" else decided.rejected_by):
        return None
    if is_new:
        before, after = proposed._asdict(), decided._asdict()
        audit.note(connection, actor, f"resolutions.{verb}", proposed.id, reason, before, after)
    return Decided(decided, is_new)


def approved(connection: Connection, payment_id: str) -> Resolution | None:
    """The payment's resolution that was approved and is not executed yet, locked."""
    rows = connection.exec_driver_sql(
        f"{RESOLUTION} WHERE r.payment_id = %s AND r.approved_by IS NOT NULL AND r.executed_at IS NULL"
        " ORDER BY r.payment_id FOR NO KEY UPDATE OF r",
        (payment_id,),
    )
    return record(Resolution, rows)


def is_of_two_ops_users(connection: Connection, approved: Resolution) -> bool:
    """Whether both are ops users still; as with adjustments, a compromised gateway can name but not make them."""
    people = {approved.proposed_by, approved.approved_by}
    ids = pg_arrays.plain(people - {audit.SHELL.name})
    count = connection.exec_driver_sql(
        "SELECT count(*) FROM users WHERE id = ANY(%s::uuid[]) AND role = 'ops' AND is_active", (ids,)
    ).scalar_one()
    return len(people) == 2 and count == len(people - {audit.SHELL.name})  # noqa: PLR2004 - two people


def executed(connection: Connection, id: str, refusal: Refusal | None) -> None:
    """Record that a worker executed it, or why not."""
    connection.exec_driver_sql("UPDATE resolutions SET executed_at = now(), refusal = %s WHERE id = %s", (refusal, id))


LATER = pg_arrays.Columns("later", "payment_id uuid, answer text")


def note_bank_answers(connection: Connection, answers: Sequence[FinalAnswer]) -> None:
    """Keep what the bank says after all about payments that were resolved in its place; the first answer is kept."""
    connection.exec_driver_sql(
        "UPDATE resolutions r SET bank_answer = later.answer, bank_answered_at = now()"
        f" FROM {LATER.unnest} JOIN instructions i USING (payment_id)"
        " WHERE r.id = i.resolution_id AND r.bank_answer IS NULL",
        LATER.parameters(answers),
    )

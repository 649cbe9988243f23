"""The triggers on payments guard the edges, final states, the order as accepted, and the events."""

import itertools

import pytest
from sqlalchemy.exc import DBAPIError

from models import event, payment, payment_stuck
from models.rules.state import TRANSITIONS, State
from models.session import transaction
from tests.builders import Builder, new_id, scalar

MOVE = {
    State.INITIATED: "state = 'INITIATED', failure_code = NULL, finalized_at = NULL",
    State.AUTHORIZED: "state = 'AUTHORIZED', failure_code = NULL, finalized_at = NULL",
    State.COMPLETED: "state = 'COMPLETED', failure_code = NULL, finalized_at = now()",
    State.FAILED: "state = 'FAILED', failure_code = 'expired', finalized_at = now()",
}
ROLES = pytest.mark.parametrize("role", ["owner", "worker"])


@pytest.fixture(scope="module")
def in_state(shared_world: Builder) -> dict[State, str]:
    """A payment in each state, by hand."""
    ann, bob = shared_world.user(), shared_world.user()
    rich, poor = shared_world.wallet(ann, funds=1000), shared_world.wallet(bob)
    ids = {state: shared_world.transfer(ann, rich, poor, 100) for state in State}
    for state, id in ids.items():
        if state is not State.INITIATED:
            with transaction(shared_world.worker) as connection:
                connection.exec_driver_sql(f"UPDATE payments SET {MOVE[state]} WHERE id = %s", (id,))
    return ids


def change(world: Builder, role: str, id: str, assignments: str) -> str | None:
    """Try a change and take it back; what refused it, or None."""
    with getattr(world, role).connect() as connection:
        try:
            done = connection.exec_driver_sql(f"UPDATE payments SET {assignments} WHERE id = %s", (id,))
        except DBAPIError as error:
            return error.orig.diag.constraint_name or error.orig.pgcode
        assert done.rowcount == 1
    return None


@ROLES
@pytest.mark.parametrize(("state", "target"), list(itertools.permutations(State, 2)))
def test_trigger_has_the_edges_of_TRANSITIONS(shared_world, in_state, role, state, target):  # noqa: N802
    refused_by = change(shared_world, role, in_state[state], MOVE[target])
    if target in TRANSITIONS[state]:
        assert refused_by is None
    else:
        assert refused_by == ("payments_final_is_final" if state.is_final else "payments_move_along_edges")


@ROLES
@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED])
@pytest.mark.parametrize(
    "assignment", ["due_at = now()", "attempts = 1", "last_error = 'x'", "commission = 1", "state = state"]
)
def test_final_payment_cannot_be_changed(shared_world, in_state, role, state, assignment):
    assert change(shared_world, role, in_state[state], assignment) == "payments_final_is_final"


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED])
@pytest.mark.parametrize("assignment", ["amount = 1", "target_id = user_id", "summary = 'x'", "version = 1"])
def test_final_payment_cannot_be_changed_by_its_owner_either(shared_world, in_state, state, assignment):
    assert change(shared_world, "owner", in_state[state], assignment) == "payments_final_is_final"
    assert change(shared_world, "worker", in_state[state], assignment) == "42501"


@ROLES
@pytest.mark.parametrize(
    ("assignments", "constraint"),
    [
        ("finalized_at = now()", "payments_finalized_exactly_when_final"),
        ("state = 'COMPLETED'", "payments_finalized_exactly_when_final"),
        ("state = 'FAILED', failure_code = 'expired'", "payments_finalized_exactly_when_final"),
        ("failure_code = 'expired'", "payments_failure_exactly_when_failed"),
        ("state = 'COMPLETED', finalized_at = now(), failure_code = 'expired'", "payments_failure_exactly_when_failed"),
        ("state = 'FAILED', finalized_at = now()", "payments_failure_exactly_when_failed"),
        (f"{MOVE[State.COMPLETED]}, parked_at = now()", "payments_parked_only_while_open"),
        ("attempts = -1", "payments_attempts_are_not_negative"),
        ("last_error = repeat('x', 501)", "payments_last_error_is_bounded"),
    ],
)
@pytest.mark.parametrize("state", [State.INITIATED, State.AUTHORIZED])
def test_columns_agree_with_the_state(shared_world, in_state, role, state, assignments, constraint):
    assert change(shared_world, role, in_state[state], assignments) == constraint


@pytest.mark.parametrize("state", [State.INITIATED, State.AUTHORIZED])
@pytest.mark.parametrize(
    "assignment",
    [
        *("amount = amount + 1", "amount = 'NaN'", "currency = 'USD'", "type = 'charge'", "user_id = target_id"),
        *("source_id = user_id", "target_id = user_id", "created_at = now() - interval '1 day'"),
        "id = uuid_floor(now())",
    ],
)
def test_ordered_columns_cannot_be_changed(shared_world, in_state, state, assignment):
    assert change(shared_world, "owner", in_state[state], assignment) == "payments_orders_are_immutable"
    assert change(shared_world, "worker", in_state[state], assignment) == "42501"


def test_version_is_counted_and_cannot_be_set(world):
    ann, bob = world.user(), world.user()
    id = world.transfer(ann, world.wallet(ann), world.wallet(bob), 100)
    version = "SELECT version FROM payments WHERE id = %s"
    with transaction(world.owner) as connection:
        assert scalar(connection, version, id) == 1
        connection.exec_driver_sql("UPDATE payments SET version = 99 WHERE id = %s", (id,))
        assert scalar(connection, version, id) == 2
        connection.exec_driver_sql("UPDATE payments SET version = 0, attempts = 1 WHERE id = %s", (id,))
        assert scalar(connection, version, id) == 3


def story(world: Builder, id: str) -> list[tuple[str, int]]:
    """The payment's events as (name, version)."""
    with transaction(world.gateway) as connection:
        return [(row.name, row.version) for row in event.of_subjects(connection, [id])]


def test_every_transition_writes_its_event(world):
    ann, bob = world.user(), world.user()
    rich, poor = world.wallet(ann, funds=100), world.wallet(bob)
    good, bad = world.transfer(ann, rich, poor, 100), world.transfer(ann, rich, poor, 1)
    assert story(world, good) == [("payment.initiated", 1)]
    world.post_payments()
    assert story(world, good) == [("payment.initiated", 1), ("payment.completed", 2)]
    assert story(world, bad) == [("payment.initiated", 1), ("payment.failed", 2)]


def test_parking_writes_an_event_each_time(world):
    ann, bob = world.user(), world.user()
    id = world.transfer(ann, world.wallet(ann, funds=100), world.wallet(bob), 100)
    with transaction(world.worker) as connection:
        assert payment.postpone(connection, id, 1, "no luck", 0.0, park=False)
    world.park(id)
    with transaction(world.worker) as connection:
        connection.exec_driver_sql("UPDATE payments SET due_at = now() WHERE id = %s", (id,))
        payment_stuck.reset_for_retry(connection, [id])
    world.park(id)
    with transaction(world.worker) as connection:
        payment_stuck.reset_for_retry(connection, [id])
    world.post_payments()
    assert story(world, id) == [
        *(("payment.initiated", 1), ("payment.parked", 3), ("payment.parked", 6), ("payment.completed", 8)),
    ]


def test_authorization_and_its_end_write_events(shared_world, in_state):
    assert story(shared_world, in_state[State.AUTHORIZED]) == [("payment.initiated", 1), ("payment.authorized", 2)]


def test_rolled_back_transition_writes_no_event(world):
    ann, bob = world.user(), world.user()
    id = world.transfer(ann, world.wallet(ann), world.wallet(bob), 100)
    with world.worker.connect() as connection:
        connection.exec_driver_sql(f"UPDATE payments SET {MOVE[State.FAILED]} WHERE id = %s", (id,))
        connection.rollback()
    assert story(world, id) == [("payment.initiated", 1)]


@pytest.mark.parametrize(("scheduled", "waits"), [("1 hour", True), ("-1 hour", False)])
def test_scheduled_payment_is_due_at_its_time(shared_world, scheduled, waits):
    """The trigger payments_wait_for_their_time sets `due_at`."""
    ann = shared_world.user()
    source, target = shared_world.wallet(ann), shared_world.wallet(shared_world.user())
    with shared_world.gateway.connect() as connection:
        connection.exec_driver_sql(
            "INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, scheduled_at)"
            " VALUES (%s, 'transfer', %s, %s, %s, 1, 'EUR', now() + %s::interval)",
            (id := new_id(), ann, source, target, scheduled),
        )
        due = scalar(connection, "SELECT due_at = greatest(now(), scheduled_at) FROM payments WHERE id = %s", id)
        later = scalar(connection, "SELECT due_at > now() FROM payments WHERE id = %s", id)
    assert (due, later) == (True, waits)

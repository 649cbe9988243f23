"""A payment that the database refuses to make final: it alone is tried again, parked, and brought back by a person."""

import json

import pytest

from embedded.stack import Stack
from models import posting_lock
from models.rules.retry import ATTEMPTS_MAX
from models.session import transaction
from tests.e2e.state_machine.audit import owner, scalar
from tests.e2e.state_machine.users import ACCEPTED, StackUsers
from tests.faults.conftest import Reckon
from tests.faults.inject import logged
from tests.faults.ops import flask
from tests.support import eventually

pytestmark = pytest.mark.slow

POISON = """
CREATE FUNCTION refuse_the_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$;
CREATE TRIGGER poison BEFORE UPDATE OF state ON payments
    FOR EACH ROW WHEN (NEW.summary = 'poison') EXECUTE FUNCTION refuse_the_poison();
"""
CURE = "DROP FUNCTION refuse_the_poison CASCADE"
LAST_ATTEMPT = f"UPDATE payments SET attempts = {ATTEMPTS_MAX - 1}, due_at = now() WHERE summary = 'poison'"
"""As if all waits but the last were over: together they take about four minutes."""

ATTEMPTS = "SELECT attempts FROM payments WHERE summary = 'poison'"
NEIGHBOURS_ATTEMPTS = "SELECT coalesce(max(attempts), 0) FROM payments WHERE summary IS DISTINCT FROM 'poison'"


def execute(stack: Stack, statement: str) -> None:
    with transaction(owner(stack)) as connection:
        connection.exec_driver_sql(statement)


def test_one_poison_payment_harms_no_other(stack: Stack, users: StackUsers, reckoned: Reckon) -> None:
    execute(stack, POISON)
    orders = users.mixed(100)
    poison = users.charge(users.clients[0], "1.00")
    poison = poison._replace(body={**poison.body, "summary": "poison"})
    with transaction(owner(stack)) as stranger:
        posting_lock.lead(stranger)  # so that all of them are posted together
        answers = users.submit([*orders[:50], poison, *orders[50:]])
    assert {answer.status for answer in answers} == {ACCEPTED}
    culprit = next(answer for answer in answers if answer.order is poison)

    eventually(lambda: scalar(stack, ATTEMPTS) >= 1)
    for answer in answers:
        if answer is not culprit:
            assert users.final(answer)["attempts"] == 0
    assert scalar(stack, NEIGHBOURS_ATTEMPTS) == 0
    assert logged(stack, "posting", "batch failed, splitting it") > 0, "it shared a batch, and was found by halving"

    execute(stack, LAST_ATTEMPT)
    reckoning = reckoned(answers)
    assert reckoning.parked == 1
    shown = json.loads(flask(stack, "payments", "parked", "--json"))
    assert (shown["id"], shown["attempts"]) == (culprit.payment_id, ATTEMPTS_MAX)

    execute(stack, CURE)
    flask(stack, "payments", "retry", culprit.payment_id, "--reason", "the trigger is gone")
    assert users.final(culprit)["state"] == "COMPLETED"
    assert reckoned(answers).parked == 0

"""The constraints of actions of ops, questions to banks and resolutions, attacked in SQL by each role."""

import pytest

from models import payout, resolution
from models.audit import Actor
from models.payout import FinalAnswer
from models.resolution import Evidence, Resolution
from models.rules.ops_actions import Refusal
from models.session import transaction
from tests.builders import Builder, new_id
from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, insert, stopper

SPENT = "UPDATE instructions SET submitted_at = now(), rail = 'r', due_at = NULL WHERE payment_id = %s"


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """Withdrawals: sent (and parked), unsent, due, one with an open resolution and one that was resolved."""
    ann, rich = shared_world.client(1000)
    wire, ops, chief = shared_world.technical("wire"), shared_world.user("ops"), shared_world.user("ops")
    kinds = ("sent", "unsent", "due", "proposed_of", "agreed_of")
    ids = {kind: shared_world.order("withdrawal", ann, rich, wire, 10) for kind in kinds}
    shared_world.post_payments()
    with transaction(shared_world.owner) as connection:
        for kind in ("sent", "proposed_of", "agreed_of"):
            connection.exec_driver_sql(SPENT, (ids[kind],))
            connection.exec_driver_sql("UPDATE payments SET parked_at = now() WHERE id = %s", (ids[kind],))
        connection.exec_driver_sql("UPDATE instructions SET due_at = NULL WHERE payment_id = %s", (ids["unsent"],))
    made = {}
    with transaction(shared_world.gateway) as connection:
        for kind in ("proposed", "agreed"):
            proposed = resolution.propose(connection, ids[f"{kind}_of"], Evidence("not_paid"), Actor(ops), "x")
            assert isinstance(proposed, Resolution), Refusal(proposed)
            made[kind] = proposed.id
            if kind == "agreed":
                assert resolution.approve(connection, proposed, Actor(chief), None) is not None
    with transaction(shared_world.worker) as connection:
        question = insert("inquiries", {"id": "%(id)s", "payment_id": "%(of)s", "asked_by": "'shell'", "reason": "'x'"})
        for name in ("asked", "answered"):
            made[name] = new_id()
            of = ids["sent" if name == "asked" else "agreed_of"]
            connection.exec_driver_sql(question, {"id": made[name], "of": of})
        connection.exec_driver_sql(
            "UPDATE inquiries SET answered_at = now(), answer = 'pending', known_answer = 'pending' WHERE id = %s",
            (made["answered"],),
        )
    return {**ids, **made, "ann": ann, "ops": ops, "chief": chief}


def command(kind: str, **columns: str) -> str:
    return of_shell(kind, **{"user_id": "%(ops)s"} | columns)


def of_shell(kind: str, **columns: str) -> str:
    given = {"id": "%(new)s", "kind": f"'{kind}'", "payment_id": "%(due)s", "is_by_ops": "true", "reason": "'x'"}
    return insert("commands", given | columns)


def asked(**columns: str) -> str:
    given = {"id": "%(new)s", "payment_id": "%(due)s", "asked_by": "%(ops)s", "reason": "'x'"}
    return insert("inquiries", given | columns)


def said(assignments: str, which: str = "asked") -> str:
    return f"UPDATE inquiries SET {assignments} WHERE id = %({which})s"


def proposed(**columns: str) -> str:
    given = {"id": "%(new)s", "payment_id": "%(due)s", "outcome": "'not_paid'", "reason": "'x'"}
    return insert("resolutions", given | {"proposed_by": "%(ops)s"} | columns)


def of(assignments: str, which: str = "proposed") -> str:
    return f"UPDATE resolutions SET {assignments} WHERE id = %({which})s"


def failed(which: str) -> str:
    return f"UPDATE payments SET state = 'FAILED', failure_code = 'x', finalized_at = now() WHERE id = %({which})s"


def answered(which: str, of: str, answer: str = "rejected") -> str:
    return (
        f"UPDATE instructions SET answer = '{answer}', answered_at = now(), resolution_id = %({of})s, due_at = NULL"
        f" WHERE payment_id = %({which})s"
    )


GATEWAY_MAY_TRY, WORKER_MAY_TRY = {"worker": DENIED}, {"gateway": DENIED}
OWNER_ALONE = {"worker": DENIED, "gateway": DENIED}
BY_CHIEF = "approved_by = %(chief)s, approved_at = now()"

ATTACKS = [
    (NO_BREAK, command("fail"), GATEWAY_MAY_TRY),
    (NO_BREAK, of_shell("fail"), {"gateway": "commands_by_ops_are_of_ops"}),
    ("commands_by_ops_are_of_ops", command("fail", user_id="%(ann)s"), GATEWAY_MAY_TRY),
    ("commands_kind_is_known", command("mint"), GATEWAY_MAY_TRY),
    ("commands_of_ops_have_reasons", command("void", reason="NULL"), GATEWAY_MAY_TRY),
    ("commands_of_ops_have_reasons", of_shell("void", reason="NULL"), {"gateway": "commands_by_ops_are_of_ops"}),
    ("commands_only_ops_fail_and_resolve", command("fail", is_by_ops="false"), GATEWAY_MAY_TRY),
    ("commands_only_ops_fail_and_resolve", command("resolve", is_by_ops="false"), GATEWAY_MAY_TRY),
    ("commands_are_a_users_or_the_banks", of_shell("cancel", is_by_ops="false"), {}),
    ("commands_one_open_resolve", command("resolve", payment_id="%(agreed_of)s"), GATEWAY_MAY_TRY),
    ("payments_sent_fail_by_an_answer", failed("sent"), WORKER_MAY_TRY),
    ("payments_sent_fail_by_an_answer", failed("due"), WORKER_MAY_TRY),
    (NO_BREAK, failed("unsent"), WORKER_MAY_TRY),
    (NO_BREAK, asked(), {}),
    (NO_BREAK, asked(asked_by="'shell'"), {"gateway": "inquiries_are_of_ops"}),
    ("inquiries_are_of_ops", asked(asked_by="%(ann)s"), {}),
    ("inquiries_are_of_ops", asked(asked_by="'Ops'"), {}),
    ("inquiries_words_are_bounded", asked(reason="''"), {}),
    ("inquiries_words_are_bounded", asked(reason="repeat('x', 501)"), {}),
    ("inquiries_one_open", asked(payment_id="%(sent)s"), {}),
    ("inquiries_answer_is_known", said("answered_at = now(), answer = 'perhaps'"), WORKER_MAY_TRY),
    ("inquiries_known_answer_is_known", said("answered_at = now(), answer = 'pending', known_answer = 'x'"),
        WORKER_MAY_TRY),
    ("inquiries_answered_exactly_with_answer", said("answer = 'pending'"), WORKER_MAY_TRY),
    ("inquiries_answered_exactly_with_answer", said("bank_reference = 'x'"), WORKER_MAY_TRY),
    ("inquiries_are_answered_once", said("answer = 'confirmed'", "answered"), WORKER_MAY_TRY),
    ("inquiries_are_answered_once", said("reason = 'y'"), OWNER_ALONE),
    ("inquiries_are_never_deleted", "DELETE FROM inquiries", OWNER_ALONE),
    ("inquiries_are_never_truncated", "TRUNCATE inquiries", OWNER_ALONE),
    (NO_BREAK, proposed(), {}),
    (NO_BREAK, proposed(proposed_by="'shell'"), {"gateway": "resolutions_are_proposed_by_ops"}),
    ("resolutions_are_proposed_by_ops", proposed(proposed_by="%(ann)s"), {}),
    ("resolutions_outcome_is_known", proposed(outcome="'half'"), {}),
    ("resolutions_paid_have_evidence", proposed(outcome="'paid'"), {}),
    ("resolutions_paid_have_evidence", proposed(outcome="'paid'", bank_reference="'x'"), {}),
    ("resolutions_words_are_bounded", proposed(reason="''"), {}),
    ("resolutions_words_are_bounded", proposed(bank_reference="repeat('x', 101)"), {}),
    ("resolutions_one_open", proposed(payment_id="%(proposed_of)s"), {}),
    (NO_BREAK, proposed(approved_by="%(chief)s", approved_at="now()"), OWNER_ALONE),
    (NO_BREAK, of(BY_CHIEF), {}),
    (NO_BREAK, of("approved_by = 'shell', approved_at = now()"), {"gateway": "resolutions_are_decided_by_ops"}),
    ("resolutions_take_two_people", of("approved_by = %(ops)s, approved_at = now()"), {}),
    ("resolutions_are_decided_by_ops", of("approved_by = %(ann)s, approved_at = now()"), {}),
    ("resolutions_are_approved_wholly", of("approved_by = %(chief)s"), {}),
    ("resolutions_are_approved_wholly", of("approval_reason = 'x'"), {}),
    ("resolutions_are_rejected_wholly", of("rejected_by = %(chief)s, rejected_at = now()"), {}),
    ("resolutions_are_approved_or_rejected", of(f"{BY_CHIEF}, rejected_by = %(chief)s, rejected_at = now(),"
        " rejection_reason = 'x'"), {}),
    ("resolutions_are_executed_if_approved", of("executed_at = now()"), WORKER_MAY_TRY),
    ("resolutions_are_executed_if_approved", of("refusal = 'x'", "agreed"), WORKER_MAY_TRY),
    ("resolutions_hear_of_the_bank_wholly", of("executed_at = now(), bank_answer = 'rejected'", "agreed"),
        WORKER_MAY_TRY),
    ("resolutions_hear_of_the_bank_wholly", of("bank_answer = 'rejected', bank_answered_at = now()", "agreed"),
        WORKER_MAY_TRY),
    ("resolutions_are_decided_once", of("approved_by = %(ops)s", "agreed"), {}),
    ("resolutions_are_decided_once", of("rejected_by = %(ops)s, rejected_at = now(), rejection_reason = 'x'", "agreed"),
        {}),
    ("resolutions_are_decided_once", of("outcome = 'paid', bank_reference = 'x', value_date = now()"), OWNER_ALONE),
    ("resolutions_are_never_deleted", "DELETE FROM resolutions", OWNER_ALONE),
    ("resolutions_are_never_truncated", "TRUNCATE resolutions", OWNER_ALONE),
    (NO_BREAK, answered("agreed_of", "agreed"), WORKER_MAY_TRY),
    ("instructions_are_resolved_by_two", answered("agreed_of", "agreed", "confirmed"), WORKER_MAY_TRY),
    ("instructions_are_resolved_by_two", answered("proposed_of", "proposed"), WORKER_MAY_TRY),
    ("instructions_are_resolved_by_two", answered("sent", "agreed"), WORKER_MAY_TRY),
    ("instructions_are_resolved_by_two",
        "UPDATE instructions SET resolution_id = %(agreed)s WHERE payment_id = %(agreed_of)s", WORKER_MAY_TRY),
]  # fmt: skip


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize(("owner", "sql", "others"), ATTACKS, ids=lambda part: str(part)[:60])
def test_attack_is_stopped_by_the_named_constraint(
    shared_world: Builder, names: dict[str, str], owner: str | None, sql: str, others: dict[str, str], role: str
) -> None:
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, {**names, "new": new_id()}) == others.get(role, owner)


def test_resolution_without_an_answer_is_refused(shared_world: Builder, names: dict[str, str]) -> None:
    """By the owner who switches the trigger off."""
    with shared_world.owner.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE instructions DISABLE TRIGGER instructions_are_resolved_by_two")
        sql = "UPDATE instructions SET resolution_id = %(agreed)s WHERE payment_id = %(agreed_of)s"
        assert stopper(connection, sql, names) == "instructions_resolved_are_answered"


def test_answer_of_a_bank_needs_no_resolution(shared_world: Builder, names: dict[str, str]) -> None:
    with transaction(shared_world.worker) as connection:
        assert payout.store_answers(connection, [FinalAnswer(names["sent"], True)]) == {names["sent"]}

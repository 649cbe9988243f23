"""The constraints of payouts, their answers and returns, attacked in SQL by each role."""

import pytest

from models import bank_return, payout, rail
from models.bank_return import Return
from models.payout import Counterparty, FinalAnswer
from models.rail import BankFile
from models.session import transaction
from tests.builders import Builder
from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, insert, stopper

WHOM = Counterparty("DE89370400440532013000", "Ann", "COBADEFFXXX", "Rent")


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """A withdrawal whose bank has not answered (open), and one that it confirmed (done) and sent back."""
    ann = shared_world.user()
    rich, wire = shared_world.wallet(ann, funds=1000), shared_world.technical("wire")
    payments = [shared_world.new_payment("withdrawal", ann, rich, wire, 10) for _ in range(2)]
    ids = shared_world.accept(*payments)
    with transaction(shared_world.gateway) as connection:
        payout.keep(connection, dict.fromkeys(ids, WHOM))
    shared_world.post_payments()
    with transaction(shared_world.worker) as connection:
        payout.store_answers(connection, [FinalAnswer(ids[1], True)])
        bank_return.keep(connection, "r", [Return("1", ids[1], 4)])
    shared_world.post_payments()
    with transaction(shared_world.worker) as connection:
        assert bank_return.give_back(connection, 9) == 1
        bank_return.keep(connection, "r", [Return("2", ids[1], 4), Return("3", ids[1], 4)])
        payout.move_position(connection, "r", "9")
        rail.note_files(connection, "r", [BankFile("read", "kept.xml", 1, b"<a/>"), BankFile("read", "bare.xml", 1)])
        with_content, bare = sorted(rail.files(connection, 2, rail="r"), key=lambda file: file.bytes is None)
    return {
        "kept": with_content.id,
        "bare": bare.id,
        "open": ids[0],
        "done": ids[1],
        "ann": ann,
        "rich": rich,
        "wire": wire,
    }


def kept(**columns: str) -> str:
    values = {"payment_id": "%(new)s", "iban": "'DE89370400440532013000'", "name": "'Ann'"} | columns
    return insert("instructions", values)


def changed(assignments: str, which: str = "open") -> str:
    return f"UPDATE instructions SET {assignments} WHERE payment_id = %({which})s"


def came_back(**columns: str) -> str:
    values = {"rail": "'r'", "bank_id": "'new'", "parent_id": "%(done)s", "amount": "1"} | columns
    return insert("returns", values)


def command(kind: str, **columns: str) -> str:
    values = {"id": "%(new)s", "kind": f"'{kind}'", "payment_id": "%(open)s"} | columns
    return insert("commands", values)


def file(**columns: str) -> str:
    values = {"id": "%(new)s", "rail": "'r'", "state": "'read'", "name": "'a.xml'", "items": "1"} | columns
    return insert("rail_files", values)


def content(text: str = "'x'::bytea", **columns: str) -> str:
    values = {"file_id": "%(bare)s", "content": text, "hash": f"sha256({text})"} | columns
    return insert("rail_file_contents", values)


def gave_back(assignments: str, bank_id: str) -> str:
    return f"UPDATE returns SET {assignments} WHERE bank_id = '{bank_id}'"


ORDER = (
    "INSERT INTO payments (id, type, user_id, source_id, target_id, amount, currency, parent_id)"
    " VALUES (%(new)s, '{type}', %(ann)s, %(wire)s, %(rich)s, 1, 'EUR', {parent})"
)
GATEWAY_MAY_TRY, WORKER_MAY_TRY = {"worker": DENIED}, {"gateway": DENIED}
OWNER_ALONE = {"worker": DENIED, "gateway": DENIED}

ATTACKS = [
    ("instructions_iban_is_well_formed", kept(iban="'DE8'"), GATEWAY_MAY_TRY),
    ("instructions_iban_is_well_formed", kept(iban="'de89370400440532013000'"), GATEWAY_MAY_TRY),
    ("instructions_iban_is_well_formed", kept(iban="'DE89' || repeat('0', 31)"), GATEWAY_MAY_TRY),
    ("instructions_bic_is_well_formed", kept(bic="'COBADEF'"), GATEWAY_MAY_TRY),
    ("instructions_words_are_bounded", kept(name="''"), GATEWAY_MAY_TRY),
    ("instructions_words_are_bounded", kept(name="repeat('x', 71)"), GATEWAY_MAY_TRY),
    ("instructions_words_are_bounded", kept(description="repeat('x', 141)"), GATEWAY_MAY_TRY),
    ("instructions_creditor_reference_is_well_formed", kept(creditor_reference="'RF18'"), GATEWAY_MAY_TRY),
    ("instructions_creditor_reference_is_well_formed", kept(creditor_reference="repeat('1', 26)"), GATEWAY_MAY_TRY),
    (NO_BREAK, kept(creditor_reference="repeat('1', 27)"), GATEWAY_MAY_TRY),
    ("instructions_remittance_is_of_one_kind", kept(creditor_reference="'RF18539007547034'", description="'x'"),
        GATEWAY_MAY_TRY),
    ("instructions_ids_are_bounded", kept(instruction_id="''"), GATEWAY_MAY_TRY),
    ("instructions_ids_are_bounded", kept(end_to_end_id="repeat('x', 36)"), GATEWAY_MAY_TRY),
    (NO_BREAK, kept(end_to_end_id="repeat('x', 35)"), GATEWAY_MAY_TRY),
    ("instructions_orders_are_immutable", changed("end_to_end_id = 'x'"), OWNER_ALONE),
    ("instructions_orders_are_immutable", changed("creditor_reference = 'RF18539007547034'"), OWNER_ALONE),
    ("instructions_pkey", kept(payment_id="%(open)s"), GATEWAY_MAY_TRY),
    (NO_BREAK, kept(due_at="now()"), OWNER_ALONE),
    (NO_BREAK, kept(answer="'confirmed'", answered_at="now()"), OWNER_ALONE),
    ("instructions_answers_are_bounded", changed("last_error = repeat('x', 501)"), WORKER_MAY_TRY),
    ("instructions_answers_are_bounded", changed("reason = ''"), WORKER_MAY_TRY),
    ("instructions_answers_are_bounded", changed("rail = repeat('x', 51)"), WORKER_MAY_TRY),
    ("instructions_answers_are_bounded", changed("bank_reference = repeat('x', 101)"), WORKER_MAY_TRY),
    ("instructions_attempts_are_not_negative", changed("attempts = -1"), WORKER_MAY_TRY),
    ("instructions_are_submitted_by_a_rail", changed("submitted_at = now(), rail = NULL"), WORKER_MAY_TRY),
    ("instructions_answer_is_known", changed("answer = 'perhaps', answered_at = now(), due_at = NULL"), WORKER_MAY_TRY),
    ("instructions_answered_exactly_with_answer", changed("answer = 'rejected', due_at = NULL"), WORKER_MAY_TRY),
    ("instructions_answered_exactly_with_answer", changed("answered_at = now()"), WORKER_MAY_TRY),
    ("instructions_answered_are_not_due", changed("answer = 'rejected', answered_at = now()"), WORKER_MAY_TRY),
    ("instructions_are_answered_once", changed("answer = 'rejected'", "done"), WORKER_MAY_TRY),
    ("instructions_are_answered_once", changed("due_at = now()", "done"), WORKER_MAY_TRY),
    ("instructions_are_answered_once", changed("iban = 'NO9386011117947'"), OWNER_ALONE),
    ("instructions_are_never_deleted", "DELETE FROM instructions", OWNER_ALONE),
    ("instructions_are_never_truncated", "TRUNCATE instructions", OWNER_ALONE),
    ("returns_pkey", came_back(bank_id="'1'"), WORKER_MAY_TRY),
    ("returns_amount_is_positive", came_back(amount="0"), WORKER_MAY_TRY),
    ("returns_words_are_bounded", came_back(bank_id="''"), WORKER_MAY_TRY),
    ("returns_words_are_bounded", came_back(reason="repeat('x', 501)"), WORKER_MAY_TRY),
    (NO_BREAK, came_back(payment_id="%(new)s"), OWNER_ALONE),
    ("returns_are_given_back_once", gave_back("payment_id = %(new)s", "1"), WORKER_MAY_TRY),
    ("returns_are_given_back_once", gave_back("amount = 9", "2"), OWNER_ALONE),
    (
        "returns_one_a_payment",
        gave_back("payment_id = (SELECT payment_id FROM returns WHERE bank_id = '1')", "2"),
        WORKER_MAY_TRY,
    ),
    ("returns_are_never_deleted", "DELETE FROM returns", OWNER_ALONE),
    ("returns_are_never_truncated", "TRUNCATE returns", OWNER_ALONE),
    ("rail_positions_are_bounded", "UPDATE rail_positions SET position = repeat('x', 501)", WORKER_MAY_TRY),
    (NO_BREAK, file(), WORKER_MAY_TRY),
    ("rail_files_once", file(name="'kept.xml'"), WORKER_MAY_TRY),
    ("rail_files_state_is_known", file(state="'lost'"), WORKER_MAY_TRY),
    ("rail_files_are_named", file(name="''"), WORKER_MAY_TRY),
    ("rail_files_items_are_counted_unless_broken", file(items="NULL"), WORKER_MAY_TRY),
    ("rail_files_items_are_counted_unless_broken", file(state="'broken'"), WORKER_MAY_TRY),
    ("rail_files_are_append_only", "UPDATE rail_files SET items = 2", OWNER_ALONE),
    ("rail_files_are_append_only", "DELETE FROM rail_files", OWNER_ALONE),
    ("rail_files_are_never_truncated", "TRUNCATE rail_files CASCADE", OWNER_ALONE),
    (NO_BREAK, content(), WORKER_MAY_TRY),
    (NO_BREAK, content("repeat('x', 8388608)::bytea"), WORKER_MAY_TRY),
    ("rail_file_contents_are_bounded", content("repeat('x', 8388609)::bytea"), WORKER_MAY_TRY),
    ("rail_file_contents_have_their_hash", content(hash="sha256('y')"), WORKER_MAY_TRY),
    ("rail_file_contents_pkey", content(file_id="%(kept)s"), WORKER_MAY_TRY),
    ("rail_file_contents_file_id_fkey", content(file_id="%(new)s"), WORKER_MAY_TRY),
    ("rail_file_contents_are_append_only", "UPDATE rail_file_contents SET content = ''", OWNER_ALONE),
    ("rail_file_contents_are_append_only", "DELETE FROM rail_file_contents", OWNER_ALONE),
    ("rail_file_contents_are_never_truncated", "TRUNCATE rail_file_contents", OWNER_ALONE),
    ("commands_are_a_users_or_the_banks", command("cancel"), {}),
    ("commands_are_a_users_or_the_banks", command("confirm", user_id="%(ann)s"), {
        "worker": DENIED, "gateway": "commands_of_the_bank_are_the_workers",
    }),
    (NO_BREAK, command("confirm"), {"gateway": "commands_of_the_bank_are_the_workers"}),
    (NO_BREAK, command("reject"), {"gateway": "commands_of_the_bank_are_the_workers"}),
    ("commands_one_answer", command("reject", payment_id="%(done)s"), {
        "gateway": "commands_of_the_bank_are_the_workers",
    }),
    (NO_BREAK, command("cancel", user_id="%(ann)s", payment_id="%(done)s"), GATEWAY_MAY_TRY),
    (NO_BREAK, ORDER.format(type="return", parent="%(done)s"), {"gateway": "payments_returns_are_the_workers"}),
    ("payments_refunds_name_their_charge", ORDER.format(type="return", parent="NULL"), {
        "gateway": "payments_returns_are_the_workers",
    }),
    ("payments_refunds_name_their_charge", ORDER.format(type="withdrawal", parent="%(done)s"), {}),
]  # fmt: skip


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize(("owner", "sql", "others"), ATTACKS, ids=lambda part: str(part)[:60])
def test_attack_is_stopped_by_the_named_constraint(
    shared_world: Builder, new: dict[str, str], owner: str | None, sql: str, others: dict[str, str], role: str
) -> None:
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, new) == others.get(role, owner)

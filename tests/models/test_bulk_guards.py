"""The constraints of bulks and bank accounts, attacked in SQL by each role."""

import pytest

from models import bank_account, bulk
from models.bulk import BulkKind, BulkMode, NewBulk, NewLine
from models.session import transaction
from models.user import Role
from tests.builders import Builder, new_id
from tests.models.constraint_attacks.statements import DENIED, NO_BREAK, insert, stopper

IBAN = "DE89370400440532013000"


def accepted(world: Builder, head: NewBulk, *lines: NewLine) -> str:
    """The id of a bulk as the gateway keeps it."""
    with transaction(world.gateway) as connection:
        assert bulk.accept(connection, head, head.id, bytes(32), lines).lines == len(lines)
    return head.id


@pytest.fixture(scope="module")
def names(shared_world: Builder) -> dict[str, str]:
    """A shop with a bank account; bulks of it that are open, decided (atomic, at its bank), undecided, and final."""
    shop, ann = shared_world.user(Role.MERCHANT), shared_world.user()
    rich, customer_wallet = shared_world.wallet(shop, funds=1000), shared_world.wallet(ann, funds=1000)
    account, wire = new_id(), shared_world.technical("wire")
    with transaction(shared_world.gateway) as connection:
        assert bank_account.register(connection, account, shop, "Shop", IBAN, None, rich)
    common = (shop, "EUR", account, rich, None, wire)
    payee = {"reference": None, "iban": IBAN, "name": "Bob"}
    atomic = NewBulk(new_id(), BulkKind.TRANSFERS, BulkMode.ATOMIC, *common)
    line, undecided_line = NewLine(new_id(), 10, **payee), NewLine(new_id(), 10, **payee)
    ids = {"decided": accepted(shared_world, atomic, line)}
    charges = NewBulk(new_id(), BulkKind.CHARGES, BulkMode.BEST_EFFORT, shop, "EUR", target_id=rich)
    ids["final"] = accepted(shared_world, charges, NewLine(new_id(), 10, None, customer_wallet))
    shared_world.post_payments()
    ids["undecided"] = accepted(shared_world, atomic._replace(id=new_id()), undecided_line)
    opened = NewBulk(new_id(), BulkKind.TRANSFERS, BulkMode.BEST_EFFORT, *common, is_open=True)
    ids["open"] = accepted(shared_world, opened, NewLine(new_id(), 10, **payee))
    sides = {
        "shop": shop,
        "ann": ann,
        "rich": rich,
        "customer_wallet": customer_wallet,
        "account": account,
        "wire": wire,
    }
    return {**ids, **sides, "line": undecided_line.id}


def registered(**columns: str) -> str:
    values = {"id": "%(new)s", "merchant_id": "%(shop)s", "organization_name": "'Shop'", "iban": "'NO9386011117947'"}
    return insert("bank_accounts", {**values, "account_id": "%(rich)s", **columns})


def ordered(**columns: str) -> str:
    values = {
        **{"id": "%(new)s", "kind": "'charges'", "mode": "'best_effort'", "user_id": "%(shop)s"},
        **{"target_id": "%(rich)s", "currency": "'EUR'", "total": "1", "lines": "1"},
    }
    return insert("bulks", values | columns)


TRANSFERS = {"kind": "'transfers'", "bank_account_id": "%(account)s", "source_id": "%(rich)s", "target_id": "NULL"}


def changed(assignments: str, which: str = "open") -> str:
    return f"UPDATE bulks SET {assignments} WHERE id = %({which})s"


def paid(**columns: str) -> str:
    """A payment that says it is a line of the open bulk, of which it is the second if that is there."""
    values = {
        **{"id": "%(new)s", "type": "'withdrawal'", "user_id": "%(shop)s", "source_id": "%(rich)s"},
        **{"target_id": "%(wire)s", "amount": "1", "currency": "'EUR'", "bulk_id": "%(open)s", "bulk_line": "2"},
    }
    return insert("payments", values | columns)


MORE = "UPDATE bulks SET lines = 2, total = 11 WHERE id = %(open)s; "
WHOLE = {**TRANSFERS, "mode": "'atomic'", "lines": "2", "total": "2"}
OF_WHOLE = {"bulk_id": "%(new)s", "bulk_line": "1"}
CANCEL = "INSERT INTO commands (id, kind, payment_id, user_id) VALUES (%(new)s, 'cancel', %(line)s, %(shop)s)"
KEY = "INSERT INTO idempotency_keys (user_id, key, fingerprint, {}) VALUES (%(shop)s, 'k', sha256('k'), {})"
GATEWAY_MAY_TRY, WORKER_MAY_TRY = {"worker": DENIED}, {"gateway": DENIED}
OWNER_ALONE = {"worker": DENIED, "gateway": DENIED}
OF_ACCOUNT = "UPDATE bank_accounts SET {} WHERE id = %(account)s"

ATTACKS = [
    ("bank_accounts_one_per_iban", registered(iban=f"'{IBAN}'"), GATEWAY_MAY_TRY),
    ("bank_accounts_organization_name_is_bounded", registered(organization_name="''"), GATEWAY_MAY_TRY),
    ("bank_accounts_organization_name_is_bounded", registered(organization_name="repeat('x', 71)"), GATEWAY_MAY_TRY),
    ("bank_accounts_iban_is_well_formed", registered(iban="'DE8'"), GATEWAY_MAY_TRY),
    ("bank_accounts_bic_is_well_formed", registered(bic="'COBADEF'"), GATEWAY_MAY_TRY),
    ("bank_accounts_pay_from_own_wallets", registered(account_id="%(customer_wallet)s"), GATEWAY_MAY_TRY),
    ("bank_accounts_pay_from_own_wallets", registered(account_id="%(wire)s"), GATEWAY_MAY_TRY),
    ("bank_accounts_stay_as_registered", OF_ACCOUNT.format("iban = 'NO9386011117947'"), OWNER_ALONE),
    ("bank_accounts_stay_as_registered", OF_ACCOUNT.format("account_id = %(customer_wallet)s"), OWNER_ALONE),
    (NO_BREAK, OF_ACCOUNT.format("is_active = false"), GATEWAY_MAY_TRY),
    ("bank_accounts_are_never_deleted", "DELETE FROM bank_accounts WHERE id = %(account)s", OWNER_ALONE),
    ("bank_accounts_are_never_truncated", "TRUNCATE bank_accounts CASCADE", OWNER_ALONE),
    ("bulks_kind_is_known", ordered(kind="'both'"), GATEWAY_MAY_TRY),
    ("bulks_mode_is_known", ordered(mode="'both'"), GATEWAY_MAY_TRY),
    ("bulks_state_is_known", ordered(state="'DONE'", finalized_at="now()"), OWNER_ALONE),
    ("bulks_transfers_come_from_a_bank_account", ordered(kind="'transfers'"), GATEWAY_MAY_TRY),
    ("bulks_transfers_come_from_a_bank_account", ordered(source_id="%(customer_wallet)s"), GATEWAY_MAY_TRY),
    ("bulks_transfers_come_from_a_bank_account", ordered(**TRANSFERS | {"source_id": "NULL"}), GATEWAY_MAY_TRY),
    ("bulks_atomic_are_transfers_at_once", ordered(mode="'atomic'"), GATEWAY_MAY_TRY),
    ("bulks_atomic_are_transfers_at_once", ordered(mode="'atomic'", is_open="true", **TRANSFERS), GATEWAY_MAY_TRY),
    ("bulks_lines_are_bounded", ordered(lines="0"), GATEWAY_MAY_TRY),
    ("bulks_lines_are_bounded", ordered(lines="100001", total="100001"), GATEWAY_MAY_TRY),
    ("bulks_lines_are_bounded", ordered(mode="'atomic'", lines="1001", total="1001", **TRANSFERS), GATEWAY_MAY_TRY),
    ("bulks_total_is_bounded", ordered(lines="2"), GATEWAY_MAY_TRY),
    ("bulks_total_is_bounded", ordered(total="'NaN'"), GATEWAY_MAY_TRY),
    (NO_BREAK, ordered(), GATEWAY_MAY_TRY),
    (NO_BREAK, ordered(held="0"), OWNER_ALONE),
    (NO_BREAK, ordered(is_decided="true"), OWNER_ALONE),
    ("bulks_held_is_within_total", changed("held = 11", "undecided"), WORKER_MAY_TRY),
    ("bulks_held_is_within_total", changed("held = -1", "undecided"), WORKER_MAY_TRY),
    ("bulks_held_is_within_total", changed("held = 1"), WORKER_MAY_TRY),
    ("bulks_counts_are_within_lines", changed("authorized = 2"), WORKER_MAY_TRY),
    ("bulks_counts_are_within_lines", changed("authorized = -1"), WORKER_MAY_TRY),
    ("bulks_failure_is_bounded", changed("failure_code = ''", "undecided"), WORKER_MAY_TRY),
    ("bulks_finalized_exactly_when_final", ordered(finalized_at="now()"), OWNER_ALONE),
    ("bulks_final_is_final", changed("completed = 0", "final"), WORKER_MAY_TRY),
    ("bulks_final_is_final", changed("is_open = true", "final"), GATEWAY_MAY_TRY),
    ("bulks_orders_are_immutable", changed("is_open = true", "decided"), GATEWAY_MAY_TRY),
    ("bulks_orders_are_immutable", changed("lines = 2, total = 20", "decided"), GATEWAY_MAY_TRY),
    ("bulks_orders_are_immutable", changed("lines = 0, total = 0"), GATEWAY_MAY_TRY),
    ("bulks_orders_are_immutable", changed("total = 9"), GATEWAY_MAY_TRY),
    ("bulks_orders_are_immutable", changed("currency = 'USD'"), OWNER_ALONE),
    ("bulks_orders_are_immutable", changed("user_id = %(ann)s"), OWNER_ALONE),
    (NO_BREAK, changed("lines = 2, total = 11"), GATEWAY_MAY_TRY),
    ("bulks_are_decided_once", changed("is_decided = false", "decided"), WORKER_MAY_TRY),
    ("bulks_are_decided_once", changed("failure_code = 'expired'", "decided"), WORKER_MAY_TRY),
    ("bulks_are_never_deleted", "DELETE FROM bulks WHERE id = %(open)s", OWNER_ALONE),
    ("bulks_are_never_truncated", "TRUNCATE bulks", OWNER_ALONE),
    (NO_BREAK, MORE + paid(), GATEWAY_MAY_TRY),
    ("payments_lines_are_of_a_bulk", paid(bulk_line="NULL"), GATEWAY_MAY_TRY),
    ("payments_lines_are_of_a_bulk", paid(bulk_id="NULL"), GATEWAY_MAY_TRY),
    ("payments_bulk_line_is_positive", paid(bulk_line="0"), GATEWAY_MAY_TRY),
    ("payments_bulks_are_of_withdrawals_or_charges", paid(type="'transfer'"), GATEWAY_MAY_TRY),
    ("payments_bulks_are_of_withdrawals_or_charges", paid(scheduled_at="now()", type="'charge'"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", paid(), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(bulk_line="1"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(bulk_id="%(new)s"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(user_id="%(ann)s"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(source_id="%(customer_wallet)s"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(target_id="%(customer_wallet)s"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(target_id="%(new)s"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(type="'charge'"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", MORE + paid(currency="'USD'"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", paid(bulk_id="%(undecided)s", bulk_line="1"), GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", f"{ordered(**WHOLE)}; {paid(**OF_WHOLE)}", GATEWAY_MAY_TRY),
    ("payments_lines_fit_their_bulk", f"{ordered(**{**WHOLE, 'lines': '1'})}; {paid(**OF_WHOLE)}", GATEWAY_MAY_TRY),
    (NO_BREAK, f"{ordered(**{**WHOLE, 'lines': '1', 'total': '1'})}; {paid(**OF_WHOLE)}", GATEWAY_MAY_TRY),
    ("payments_stay_in_their_bulk", "UPDATE payments SET bulk_line = 2 WHERE id = %(line)s", OWNER_ALONE),
    ("commands_leave_bulks_whole", CANCEL, GATEWAY_MAY_TRY),
    (NO_BREAK, KEY.format("bulk_id", "%(open)s"), GATEWAY_MAY_TRY),
    ("idempotency_keys_name_one_thing", KEY.format("bulk_id, payment_id", "%(open)s, %(line)s"), GATEWAY_MAY_TRY),
]  # fmt: skip


@pytest.mark.parametrize("role", ["owner", "worker", "gateway"])
@pytest.mark.parametrize(("owner", "sql", "others"), ATTACKS, ids=lambda part: str(part)[:60])
def test_attack_is_stopped_by_the_named_constraint(
    shared_world: Builder, new: dict[str, str], owner: str | None, sql: str, others: dict[str, str], role: str
) -> None:
    with getattr(shared_world, role).connect() as connection:
        assert stopper(connection, sql, new) == others.get(role, owner)


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ("completed = 2", "COMPLETED"),
        ("completed = 1, failed = 1", "PARTIALLY_COMPLETED"),
        ("failed = 2", "FAILED"),
        ("completed = 1", "INITIATED"),
    ],
)
def test_bulk_state_follows_its_lines(shared_world: Builder, new: dict[str, str], ends: str, state: str) -> None:
    """The trigger bulks_follow_their_lines sets it, whatever the worker writes."""
    with shared_world.owner.connect() as connection:
        connection.exec_driver_sql(ordered(lines="2", total="2"), new)
        row = connection.exec_driver_sql(
            f"UPDATE bulks SET {ends} WHERE id = %(new)s RETURNING state, finalized_at IS NOT NULL, version", new
        ).one()
    assert tuple(row) == (state, state != "INITIATED", 2)

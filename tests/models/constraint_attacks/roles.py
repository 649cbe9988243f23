"""Commands, technical accounts, and what else a role could try."""

from tests.models.constraint_attacks.statements import (
    DENIED,
    NO_BREAK,
    Attack,
    account,
    both,
    command,
    gateways,
    of_account,
    of_command,
    of_open,
    pay,
)

ATTACKS = {
    # commands
    "command to do something else": gateways(command(kind="'mint'"), "commands_kind_is_known"),
    "command without a word why": gateways(command(reason="''"), "commands_reason_is_bounded"),
    "second open command": gateways(command(payment_id="%(open)s"), "commands_one_open_retry"),
    "command with its outcome": Attack(command(outcome="'done'", decided_at="now()"), NO_BREAK, DENIED),
    "command with an outcome and no time": both(
        of_command("outcome = 'done'"), "commands_decided_exactly_with_outcome"
    ),
    "command with an unknown outcome": Attack(
        of_command("outcome = 'perhaps', decided_at = now()"), *["commands_outcome_is_known"] * 2
    ),
    "command decided twice": Attack(
        of_command("outcome = 'refused', decided_at = now()", "decided"), *["commands_are_decided_once"] * 2
    ),
    "DELETE FROM commands": Attack("DELETE FROM commands", "commands_are_never_deleted"),
    "TRUNCATE commands": Attack("TRUNCATE commands", "commands_are_never_truncated"),
    "void with an amount": gateways(
        command(kind="'void'", amount="1", reason="NULL"), "commands_only_captures_have_amounts"
    ),
    "capture of nothing": gateways(
        command(kind="'capture'", amount="0", reason="NULL"), "commands_only_captures_have_amounts"
    ),
    "retry without a reason": gateways(command(reason="NULL"), "commands_retries_have_reasons"),
    "void after a capture": gateways(
        command(kind="'void'", payment_id="%(held)s", reason="NULL"), "commands_one_ending"
    ),
    # money of technical accounts
    "technical account closed": Attack(
        of_account("is_active = false", "wire"), NO_BREAK, DENIED, "accounts_of_ours_are_not_the_gateways"
    ),
    "bonus": Attack(
        pay().replace("'transfer'", "'bonus'"), NO_BREAK, NO_BREAK, "payments_of_the_house_are_the_workers"
    ),
    "payment revived": Attack(of_open("due_at = now()"), NO_BREAK, NO_BREAK),
    "audit in another's name": Attack(
        "INSERT INTO audit_log (actor, action, target, written_by) VALUES ('x', 'y', 'z', 'nobody')", NO_BREAK
    ),
    # attempts of the gateway: a new payment with columns it may not set
    **{
        f"new payment with its own {column}": Attack(pay(f", {column}", f", {value}"), NO_BREAK)
        for column, value in {
            "state": "'INITIATED'",
            "due_at": "now()",
            "created_at": "now()",
            "version": "1",
            "attempts": "0",
            "commission": "0",
            "parked_at": "NULL",
            "failure_code": "NULL",
            "finalized_at": "NULL",
            "last_error": "NULL",
        }.items()
    },
    **{
        f"wallet with its own {column}": Attack(account(**{column: value}), NO_BREAK)
        for column, value in {
            "balance": "1",
            "held": "0",
            "floor": "-1",
            "ceiling": "NULL",
            "last_seq": "0",
            "is_frozen": "false",
        }.items()
    },
    # what else a role could turn to
    "lock a balance": Attack("SELECT FROM accounts WHERE id = %(rich)s FOR UPDATE", *[NO_BREAK] * 3),
    "lock a payment": Attack("SELECT FROM payments WHERE id = %(open)s FOR UPDATE", NO_BREAK, NO_BREAK),
    "lock the table": Attack("LOCK TABLE accounts IN EXCLUSIVE MODE", NO_BREAK),
    "make_partition": Attack("SELECT make_partition('payments', now() + interval '9 months')", NO_BREAK),
    "ensure_partitions": Attack("SELECT ensure_partitions()", NO_BREAK, NO_BREAK),
    "drop_superseded_indexes": Attack("SELECT drop_superseded_indexes()", NO_BREAK, NO_BREAK),
    "supersede_index": Attack("SELECT supersede_index('payments_pkey')", NO_BREAK),
    "make a table": Attack("CREATE TABLE mine (id integer)", NO_BREAK),
    "disable the triggers": Attack("ALTER TABLE operations DISABLE TRIGGER USER", NO_BREAK),
    "skip the triggers": Attack("SET session_replication_role = replica", DENIED),
    "become the owner": Attack("SET ROLE payments_owner", NO_BREAK),
    "read the audit": Attack("SELECT FROM audit_log", *[NO_BREAK] * 3),
}

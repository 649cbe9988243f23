"""Stores an uploaded bank statement, compared with our payments, once a file."""

import json
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection
from uuid_utils import uuid7

from models import audit, bank_statement, reconciliation
from models.audit import Actor
from models.bank_statement import StatementRecord
from models.reconciliation import Upload
from models.session import Contention
from models.statement_file import Currencies, ParsedStatement

Parse = Callable[[bytes, Currencies], ParsedStatement]


class Stored(NamedTuple):
    """A stored statement, and whether this call stored it: the same file again is the same statement."""

    statement: StatementRecord
    is_new: bool


def store(connection: Connection, hash: bytes, parsed: ParsedStatement, actor: Actor) -> Stored:
    """Store the statement of the file with this SHA-256 and note it in the audit log; raises StatementTooLarge."""
    new = Upload(
        id=str(uuid7()),
        hash=hash,
        form=parsed.form,
        account=parsed.account,
        begins_on=parsed.begins_on,
        ends_on=parsed.ends_on,
        set_aside=json.dumps(parsed.set_aside),
        uploaded_by=actor.user_id,
    )
    is_new = reconciliation.add(connection, new, parsed.lines, parsed.periods)
    statement = bank_statement.by_hash(connection, hash)
    if statement is None:
        raise Contention
    if is_new:
        after = bank_statement.body(statement)
        audit.note(connection, actor, "reconciliations.upload", statement.id, after=after)
    return Stored(statement, is_new)

"""`flask ops statements|upload-statement|statement-lines|match-line|match-lines|dismiss-line`: bank statements."""

import hashlib
import json
from typing import Any
from uuid import UUID

import click

from models import bank_statement, currency, match_file, statement_file, statement_matches, statement_upload
from models.audit import SHELL
from models.bank_statement import StatementLine, StatementRecord
from models.keyset import START
from models.match_file import InvalidMatchFile
from models.reconciliation import StatementTooLarge
from models.rules.money import render
from models.rules.reconciliation import DETAILS, AgeBucket, DismissCategory, LineProblem, MatchVerdict
from models.session import Connection, transaction
from models.statement_file import BYTES_MAX, InvalidStatement
from models.statement_matches import MatchOutcome
from workers import process
from workers.cli import table
from workers.cli.arguments import FileArgument, reasoned
from workers.cli.dry_run import dry, tried

ROWS_MAX = 1_000
"""Most statements or lines listed by one command."""

LINES_MAX = 100_000
"""The range of the column."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
limited = click.option("--limit", type=click.IntRange(1, ROWS_MAX), default=100, show_default=True)


@click.command("statements")
@click.option("--id", "statement_id", type=click.UUID, help="Only this one.")
@limited
@as_json
def statements(statement_id: UUID | None, limit: int, as_json: bool) -> None:
    """List bank statements, newest first, with their exceptions by age in days."""
    with transaction(process.engine()) as connection:
        if statement_id is None:
            found = bank_statement.statements(connection, limit, START)
        else:
            found = [_statement(connection, statement_id)]
    _show(found, as_json)


def _show(found: list[StatementRecord], as_json: bool) -> None:
    """Print statements as a table, or as JSON."""
    if as_json:
        for one in found:
            click.echo(json.dumps(bank_statement.body(one)))
        return
    header = ("statement", "from", "to", "0-1", "2-5", "over 5", "expected", "matched", "account")
    cells = [
        (
            *(one.id, one.begins_on.isoformat(), one.ends_on.isoformat()),
            *(str(one.ages.get(bucket, 0)) for bucket in AgeBucket),
            *(str(one.counts.get(verdict, 0)) for verdict in (MatchVerdict.EXPECTED, MatchVerdict.MATCHED)),
            one.account or "",
        )
        for one in found
    ]
    table.show(header, cells) if cells else click.echo("none")


@click.command("upload-statement")
@click.argument("data", metavar="FILE", type=FileArgument(BYTES_MAX))
@click.option("--form", type=click.Choice(["csv", "camt.053"]), help="By default camt.053 if the file begins with <.")
@dry
@as_json
def upload_statement(data: bytes, form: str | None, dry_run: bool, as_json: bool) -> None:
    """Compare the bank statement FILE with payments; the same file again shows the earlier result."""
    if len(data) > BYTES_MAX:
        raise click.ClickException(f"body_too_large: at most {BYTES_MAX} bytes")
    is_xml = form == "camt.053" or (form is None and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<")
    parse = statement_file.parse_camt053 if is_xml else statement_file.parse_csv
    try:
        with tried(dry_run) as connection:
            parsed = parse(data, currency.all_by_code(connection))
            stored = statement_upload.store(connection, hashlib.sha256(data).digest(), parsed, SHELL)
    except InvalidStatement as error:
        raise click.ClickException(str(error)) from error
    except StatementTooLarge:
        raise click.ClickException("too many payments of these days are missing") from None
    if not as_json:
        state = "new" if stored.is_new else "known before"
        click.echo(f"{'dry run, nothing is stored: ' if dry_run else ''}{state}, {len(parsed.set_aside)} set aside")
    _show([stored.statement], as_json)


@click.command("statement-lines")
@click.argument("statement_id", type=click.UUID)
@click.option("--verdict", "verdicts", type=click.Choice([verdict.value for verdict in MatchVerdict]), multiple=True)
@click.option("--age", "ages", type=click.Choice([bucket.value for bucket in AgeBucket]), multiple=True)
@limited
@as_json
def statement_lines(
    statement_id: UUID, verdicts: tuple[str, ...], ages: tuple[str, ...], limit: int, as_json: bool
) -> None:
    """List the lines of a bank statement, and the payments that it lacks."""
    with transaction(process.engine()) as connection:
        _statement(connection, statement_id)
        found = bank_statement.page(
            connection, str(statement_id), limit, START, verdicts=list(verdicts), ages=list(ages)
        )
    if as_json:
        for one in found:
            click.echo(json.dumps(bank_statement.line_body(one)))
        return
    table.show(("line", "payment", "verdict", "days", "amount", "direction", "what"), [_cells(one) for one in found])


@click.command("dismiss-line")
@click.argument("statement_id", type=click.UUID)
@click.argument("number", metavar="LINE", type=click.IntRange(1, LINES_MAX))
@click.option("--category", type=click.Choice([category.value for category in DismissCategory]), required=True)
@reasoned
@click.option("--dry-run", is_flag=True, help="Only say whether it is possible now, by the same rule.")
@as_json
def dismiss_line(statement_id: UUID, number: int, category: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Put aside what the bank booked and no payment is, such as a fee."""
    with transaction(process.engine()) as connection:
        before = _line(connection, str(statement_id), number)
        kind = DismissCategory(category)
        if dry_run:
            after: StatementLine | LineProblem = bank_statement.problem(before, category) or before
        else:
            after = bank_statement.dismiss(connection, str(statement_id), before, kind, SHELL, reason)
    if isinstance(after, LineProblem):
        raise click.ClickException(f"{after}: {DETAILS[after]}")
    body: dict[str, Any] = bank_statement.line_body(after)
    done = "possible: line" if dry_run else "put aside: line"
    click.echo(json.dumps(body) if as_json else f"{done} {number} of {statement_id}, {category}")


@click.command("match-line")
@click.argument("statement_id", type=click.UUID)
@click.argument("number", metavar="LINE", type=click.IntRange(1, LINES_MAX))
@click.argument("payment_id", type=click.UUID)
@reasoned
@dry
@as_json
def match_line(statement_id: UUID, number: int, payment_id: UUID, reason: str, dry_run: bool, as_json: bool) -> None:
    """Match a line to a payment, or accept that a payment is missing in the statement."""
    with tried(dry_run) as connection:
        before = _line(connection, str(statement_id), number)
        after = bank_statement.match(connection, str(statement_id), before, str(payment_id), SHELL, reason)
    if not isinstance(after, StatementLine):
        raise click.ClickException(f"{after}: {DETAILS[after]}")
    done = "dry run, nothing is stored: matched" if dry_run else "matched"
    line = f"{done}: line {number} of {statement_id} to {payment_id}"
    click.echo(json.dumps(bank_statement.line_body(after)) if as_json else line)


@click.command("match-lines")
@click.argument("statement_id", type=click.UUID)
@click.argument("data", metavar="FILE", type=FileArgument(match_file.BYTES_MAX))
@click.option("--form", type=click.Choice(["csv", "jsonl"]), help="By default jsonl if the file begins with {.")
@dry
@as_json
def match_lines(statement_id: UUID, data: bytes, form: str | None, dry_run: bool, as_json: bool) -> None:
    """Match many lines to payments by a FILE with line, payment and reason of each; exits with 1 if one is refused."""
    if len(data) > match_file.BYTES_MAX:
        raise click.ClickException(f"body_too_large: at most {match_file.BYTES_MAX} bytes")
    is_csv = form == "csv" or (form is None and data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{")
    try:
        lines = match_file.parse(data, is_csv=is_csv)
    except InvalidMatchFile as error:
        raise click.ClickException(f"{error.pointer or ''} {error}".strip()) from error
    with tried(dry_run) as connection:
        id = _statement(connection, statement_id).id
        done = statement_matches.match_all(connection, id, lines, SHELL)
    if as_json:
        click.echo(json.dumps(statement_matches.body(id, done, dry_run=dry_run)))
    else:
        click.echo("dry run, nothing is stored" if dry_run else f"matches of {id}")
        header = ("number", "line", "payment", "outcome", "why")
        table.show(header, [tuple(str(cell or "") for cell in (*one[:4], one.detail)) for one in done])
    if any(one.outcome is MatchOutcome.REFUSED for one in done):
        raise SystemExit(1)


COMMANDS = (statements, upload_statement, statement_lines, match_line, match_lines, dismiss_line)


def _statement(connection: Connection, id: UUID) -> StatementRecord:
    found = bank_statement.by_id(connection, str(id))
    if found is None:
        raise click.ClickException(f"there is no statement {id}")
    return found


def _line(connection: Connection, id: str, number: int) -> StatementLine:
    found = bank_statement.line(connection, id, number)
    if found is None:
        raise click.ClickException(f"there is no line {number} of a statement {id}")
    return found


def _cells(one: StatementLine) -> tuple[str, ...]:
    what = one.dismiss_category or one.difference or one.description
    return (
        *(str(one.line), one.payment_id or one.matched_payment_id or "", one.verdict),
        "" if one.age_days is None else str(one.age_days),
        *(f"{render(one.amount, one.digits)} {one.currency}", one.direction, what or ""),
    )

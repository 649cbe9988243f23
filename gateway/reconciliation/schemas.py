"""Schemas of reconciliation: lines of a bank statement compared with payments."""

import marshmallow as ma

from gateway.http.fields import Choice, ChoiceList, Id, Input, Text
from gateway.http.schemas import Output, PageQuery, amount_text, one_of
from models.audit import REASON_LENGTH_MAX
from models.rules.reconciliation import AgeBucket, Difference, DismissCategory, MatchVerdict
from models.statement_file import DIRECTIONS
from models.statement_matches import MatchOutcome

DIFFERENCES = f"How a mismatched line differs from its payment, the gravest first: {', '.join(Difference)}."


class UploadInput(Input):
    """No parameters: the file is the body."""


class StatementLineQuery(PageQuery):
    """Page and filter of the lines of a statement."""

    verdict = ChoiceList(MatchVerdict)
    age = ChoiceList(AgeBucket)


class MatchInput(Input):
    """A manual match: the payment that a line belongs to, and why."""

    payment = Id(required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)


class DryRun(Choice):
    """Whether it is only tried."""

    def __init__(self) -> None:
        super().__init__(["true", "false"], load_default="false")
        text = "`true`: only say what would become of each line; nothing is stored."
        self.metadata = {**self.metadata, "description": text}


class MatchFileQuery(Input):
    """How a file of matches is taken: the file is the body."""

    dry_run = DryRun()


class LineMatchSchema(Output):
    """A line of the file, and what became of it."""

    number = ma.fields.Integer()
    line = ma.fields.Integer(allow_none=True)
    payment = ma.fields.UUID(allow_none=True)
    outcome = one_of(MatchOutcome)
    code = ma.fields.String(allow_none=True)
    pointer = ma.fields.String(allow_none=True)
    detail = ma.fields.String(allow_none=True)


class LineMatchesSchema(Output):
    """What became of the lines of a file of matches."""

    statement = ma.fields.UUID()
    dry_run = ma.fields.Boolean()
    matched = ma.fields.Integer()
    unchanged = ma.fields.Integer()
    refused = ma.fields.Integer()
    lines = ma.fields.List(ma.fields.Nested(LineMatchSchema))


class DismissInput(Input):
    """What a booking is that is put aside, and why."""

    category = Choice(DismissCategory, required=True)
    reason = Text(REASON_LENGTH_MAX, required=True)


class VerdictCountsSchema(Output):
    """The number of lines per verdict; manual matches count as matched."""

    matched = ma.fields.Integer()
    mismatched = ma.fields.Integer()
    missing_here = ma.fields.Integer()
    missing_there = ma.fields.Integer()
    expected = ma.fields.Integer()
    dismissed = ma.fields.Integer()


class ExceptionAgeSchema(Output):
    """The number of exceptions that have waited so many days."""

    days = one_of(AgeBucket)
    count = ma.fields.Integer()


class SetAsideSchema(Output):
    """A line that could not be read, with its position in the file."""

    pointer = ma.fields.String()
    code = ma.fields.String()
    detail = ma.fields.String()


class ReconciliationSchema(Output):
    """A bank statement, and the verdicts of its lines when it was uploaded."""

    id = ma.fields.UUID()
    form = one_of(["csv", "camt.053"])
    account = ma.fields.String(allow_none=True)
    begins_on = ma.fields.Date()
    ends_on = ma.fields.Date()
    counts = ma.fields.Nested(VerdictCountsSchema)
    ages = ma.fields.List(ma.fields.Nested(ExceptionAgeSchema))
    set_aside = ma.fields.List(ma.fields.Nested(SetAsideSchema))
    uploaded_by = ma.fields.UUID(allow_none=True)
    created_at = ma.fields.DateTime()


class MatchSchema(Output):
    """A manual match."""

    payment = ma.fields.UUID()
    reason = ma.fields.String()
    matched_by = ma.fields.UUID(allow_none=True)
    matched_at = ma.fields.DateTime()


class DismissalSchema(Output):
    """A line that was put aside, by whom and as what."""

    category = one_of(DismissCategory)
    reason = ma.fields.String()
    dismissed_by = ma.fields.UUID(allow_none=True)
    dismissed_at = ma.fields.DateTime()


class StatementLineSchema(Output):
    """A line of a statement, or a payment that is missing in it."""

    line = ma.fields.Integer()
    account = ma.fields.String(allow_none=True)
    booked_on = ma.fields.Date()
    value_date = ma.fields.Date(allow_none=True)
    direction = one_of(DIRECTIONS)
    amount = amount_text()
    currency = ma.fields.String()
    end_to_end_id = ma.fields.String(allow_none=True)
    bank_reference = ma.fields.String(allow_none=True)
    description = ma.fields.String(allow_none=True)
    verdict = one_of(MatchVerdict)
    age_days = ma.fields.Integer(allow_none=True)
    difference = ma.fields.String(allow_none=True, metadata={"description": DIFFERENCES})
    payment = ma.fields.UUID(allow_none=True)
    match = ma.fields.Nested(MatchSchema, allow_none=True)
    dismissal = ma.fields.Nested(DismissalSchema, allow_none=True)

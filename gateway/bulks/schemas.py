"""Schemas of bulks, their lines and bank accounts."""

import re
from typing import Any

import marshmallow as ma

from gateway.http.bank_fields import Bic, CreditorReference, Iban, refuse_mismatch
from gateway.http.errors import FieldError
from gateway.http.fields import (
    Amount,
    ChangeInput,
    Choice,
    ChoiceList,
    CurrencyCode,
    Input,
    SingleSpacedText,
    StrictField,
    Text,
    Timestamp,
    TrueOrFalse,
    WalletToken,
    WholeNumber,
)
from gateway.http.payment_fields import SUMMARY_LENGTH_MAX, Reference
from gateway.http.schemas import CounterpartySchema, FailureSchema, Output, PageQuery, amount_text, one_of
from models.bulk import BulkKind, BulkMode, BulkState
from models.rules.state import State

LINES_MAX = 1_000
"""In one request: one statement stores them, and an atomic bulk is held in one step."""

UPLOADED_LINES_MAX = 100_000
"""In all requests of an uploaded bulk together."""

# Limits of a SEPA credit transfer:
NAME_LENGTH_MAX = 70
DESCRIPTION_LENGTH_MAX = 140
PAYMENT_ID_LENGTH_MAX = 35

_NUMBER = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class LineList(ma.fields.List):
    """The lines of a bulk, a bounded list; errors are reported per line."""

    make_error = StrictField.make_error

    def __init__(self, line: type[Input]) -> None:
        super().__init__(ma.fields.Nested(line), required=True, metadata={"maxItems": LINES_MAX})

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        if type(value) is not list:
            raise ma.ValidationError([FieldError("invalid_type", "A list is expected.")])
        if len(value) > LINES_MAX:
            raise ma.ValidationError(
                [FieldError("invalid_value", f"At most {LINES_MAX} lines; upload more to an open bulk.")]
            )
        return super()._deserialize(value, *args, **kwargs)


class TransferLine(Input):
    """A line of a bulk of transfers: a withdrawal to a bank account."""

    amount = Amount(required=True)
    currency = CurrencyCode()
    counterparty_name = Text(NAME_LENGTH_MAX, required=True)
    counterparty_iban = Iban(required=True)
    counterparty_bic = Bic()
    description = Text(DESCRIPTION_LENGTH_MAX)
    creditor_reference = CreditorReference()
    reference = Reference()
    instruction_id = SingleSpacedText(PAYMENT_ID_LENGTH_MAX)
    end_to_end_id = SingleSpacedText(PAYMENT_ID_LENGTH_MAX)
    scheduled_at = Timestamp()

    @ma.validates_schema
    def _check_bic_matches_iban(self, data: dict[str, Any], **_: Any) -> None:
        refuse_mismatch(data["counterparty_iban"], data.get("counterparty_bic"), "counterparty_bic")

    @ma.validates_schema
    def _check_single_remittance(self, data: dict[str, Any], **_: Any) -> None:
        if "description" in data and "creditor_reference" in data:
            error = FieldError(
                "invalid_value", "A credit transfer carries a description or a creditor reference, not both."
            )
            raise ma.ValidationError({"creditor_reference": [error]})


class ChargeLine(Input):
    """A charge of a customer's wallet."""

    wallet = WalletToken(required=True)
    amount = Amount(required=True)
    currency = CurrencyCode()
    summary = Text(SUMMARY_LENGTH_MAX)
    reference = Reference()


def _refuse_empty(data: dict[str, Any], member: str) -> None:
    if not data[member] and not data["is_open"]:
        raise ma.ValidationError({member: [FieldError("invalid_value", "At least one line is required.")]})


class BulkTransferInput(Input):
    """Payments from the wallet of a registered bank account to many bank accounts."""

    organization_name = Text(NAME_LENGTH_MAX, required=True)
    organization_iban = Iban(required=True)
    organization_bic = Bic()
    currency = CurrencyCode()
    mode = Choice(BulkMode, load_default=BulkMode.ATOMIC.value)
    is_open = TrueOrFalse(load_default=False)
    credit_transfers = LineList(TransferLine)

    @ma.validates_schema
    def _check_bulk(self, data: dict[str, Any], **_: Any) -> None:
        if data["is_open"] and data["mode"] == BulkMode.ATOMIC:
            raise ma.ValidationError({"mode": [FieldError("invalid_value", "An atomic bulk cannot be open.")]})
        _refuse_empty(data, "credit_transfers")
        if "organization_bic" in data:
            refuse_mismatch(data["organization_iban"], data["organization_bic"], "organization_bic")


class BulkChargeInput(Input):
    """Charges of many wallets into one of your own, each posted independently."""

    currency = CurrencyCode(required=True)
    target = WalletToken()
    is_open = TrueOrFalse(load_default=False)
    charges = LineList(ChargeLine)

    @ma.validates_schema
    def _check_bulk(self, data: dict[str, Any], **_: Any) -> None:
        _refuse_empty(data, "charges")


class LineNumber(StrictField):
    """The number of a line, starting with 1, as a query parameter."""

    def __init__(self, **kwargs: Any) -> None:
        description = "The position in the bulk of the body's first line, from 1."
        bounds = {"type": "integer", "minimum": 1, "maximum": UPLOADED_LINES_MAX}
        super().__init__(metadata={"description": description, **bounds}, **kwargs)

    def read(self, text: str) -> int:
        if not _NUMBER.fullmatch(text) or int(text) > UPLOADED_LINES_MAX:
            raise self.refuse("invalid_value", f"1 to {UPLOADED_LINES_MAX}.")
        return int(text)


class UploadQuery(Input):
    """The position in the bulk of the body's first line."""

    first_line = LineNumber(data_key="from", load_default=1)


class CloseInput(Input):
    """The total number of lines, checked before the bulk is closed."""

    lines = WholeNumber(UPLOADED_LINES_MAX)


class BulkQuery(PageQuery):
    """Filters of the list of bulks."""

    state = ChoiceList(BulkState)


class LineQuery(PageQuery):
    """Filters of the list of lines."""

    state = ChoiceList(State)


class BankAccountInput(Input):
    """A bank account of an organisation, and the wallet that pays for it."""

    organization_name = Text(NAME_LENGTH_MAX, required=True)
    iban = Iban(required=True)
    bic = Bic()
    wallet = WalletToken(required=True)

    @ma.validates_schema
    def _check_bic_matches_iban(self, data: dict[str, Any], **_: Any) -> None:
        refuse_mismatch(data["iban"], data.get("bic"))


class BankAccountChange(ChangeInput):
    """A change of a bank account."""

    is_active = TrueOrFalse(required=True)


class BankAccountSchema(Output):
    """A bank account of an organisation."""

    id = ma.fields.UUID()
    organization_name = ma.fields.String()
    iban = ma.fields.String()
    bic = ma.fields.String(allow_none=True)
    wallet = ma.fields.String(allow_none=True, metadata={"description": "Only shown to its owner."})
    currency = ma.fields.String()
    is_active = ma.fields.Boolean()
    created_at = ma.fields.DateTime()


class CountsSchema(Output):
    """The number of lines, in all and in each state."""

    lines = ma.fields.Integer()
    initiated = ma.fields.Integer()
    authorized = ma.fields.Integer()
    completed = ma.fields.Integer()
    failed = ma.fields.Integer()


class BulkSchema(Output):
    """A bulk."""

    id = ma.fields.UUID()
    kind = one_of(BulkKind)
    state = one_of(BulkState)
    mode = one_of(BulkMode)
    is_open = ma.fields.Boolean()
    bank_account = ma.fields.UUID(allow_none=True)
    total = amount_text()
    currency = ma.fields.String()
    counts = ma.fields.Nested(CountsSchema)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    created_at = ma.fields.DateTime()
    finalized_at = ma.fields.DateTime(allow_none=True)


class LineSchema(Output):
    """A line of a bulk, with its payment."""

    line = ma.fields.Integer()
    payment = ma.fields.UUID()
    state = one_of(State)
    amount = amount_text()
    counterparty = ma.fields.Nested(CounterpartySchema)
    description = ma.fields.String(allow_none=True)
    creditor_reference = ma.fields.String(allow_none=True)
    reference = ma.fields.String(allow_none=True)
    instruction_id = ma.fields.String(allow_none=True)
    end_to_end_id = ma.fields.String(allow_none=True)
    scheduled_at = ma.fields.DateTime(allow_none=True)
    failure = ma.fields.Nested(FailureSchema, allow_none=True)
    finalized_at = ma.fields.DateTime(allow_none=True)

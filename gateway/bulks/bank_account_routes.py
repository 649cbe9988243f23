"""POST and GET /v1/bank-accounts, GET and PATCH /v1/bank-accounts/{id}: the debtors of bulk transfers."""

from flask import g
from uuid_utils import uuid7

from gateway.auth.guards import actor, requires
from gateway.bulks.lines import invalid_bulk
from gateway.bulks.representations import bank_account_body
from gateway.bulks.schemas import BankAccountChange, BankAccountInput, BankAccountSchema
from gateway.http.blueprint import IF_MATCH, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.etag import etag, precondition_failed, require_if_match
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.pagination import paginated
from gateway.services import services
from models import account, audit, bank_account
from models.bank_account import BankAccount
from models.session import Connection, statements, transaction

READ_ALL = "wallets:read-all"

bank_accounts = Blueprint(
    "bank_accounts",
    __name__,
    url_prefix="/v1/bank-accounts",
    description="Bank accounts of organisations that pay by bulk transfer.",
)


@bank_accounts.route("", methods=["POST"])
@requires("bulks:write")
@bank_accounts.arguments(BankAccountInput)
@bank_accounts.response(201, BankAccountSchema)
def register(body: Body) -> JsonAnswer:
    """Register a bank account of an organisation, with the wallet of yours that pays for it."""
    id = str(uuid7())
    with transaction(services().engine) as connection:
        wallet = account.parties_by_token(connection, [body["wallet"]]).get(body["wallet"])
        if wallet is None or wallet.owner_id != g.caller.id:
            raise invalid_bulk([("/wallet", "not_found", "There is no such wallet that you may use.")])
        details = (body["organization_name"], body["iban"], body.get("bic"), wallet.id)
        created = bank_account.register(connection, id, g.caller.id, *details)
        if created is None:
            raise ApiError("duplicate_bank_account", "You have registered this IBAN already.")
        audit.note(connection, actor(), "bank_accounts.register", id)
    return bank_account_body(created, g.caller), {**_etag_header(created), "Location": f"/v1/bank-accounts/{id}"}


@bank_accounts.route("")
@requires("wallets:read")
@bank_accounts.arguments(PageQuery, location="query")
@bank_accounts.response(200, page_of(BankAccountSchema))
def list_bank_accounts(query: Body) -> JsonAnswer:
    """List your bank accounts, newest first."""
    caller = g.caller
    merchant_id = None if READ_ALL in caller.scopes else caller.id
    return paginated(query, bank_account.page, lambda row: bank_account_body(row, caller), merchant_id=merchant_id)


@bank_accounts.route("/<id>")
@requires("wallets:read")
@bank_accounts.response(200, BankAccountSchema)
def get_bank_account(id: str) -> JsonAnswer:
    """Get one of your bank accounts."""
    with statements(services().engine) as connection:
        current = _visible(connection, id, reads_all=READ_ALL in g.caller.scopes)
    return bank_account_body(current, g.caller), _etag_header(current)


@bank_accounts.route("/<id>", methods=["PATCH"])
@requires("bulks:write")
@bank_accounts.doc(parameters=[IF_MATCH])
@bank_accounts.arguments(BankAccountChange)
@bank_accounts.response(200, BankAccountSchema)
def change_bank_account(body: Body, id: str) -> JsonAnswer:
    """Activate or deactivate one of your bank accounts; an inactive one cannot pay."""
    with transaction(services().engine) as connection:
        current = _visible(connection, id, reads_all=False)
        require_if_match(current.version, "bank account")
        changed: BankAccount | None = current
        if body["is_active"] != current.is_active:
            changed = bank_account.change(connection, id, current.version, body["is_active"])
        if changed is None:
            raise precondition_failed("bank account")
        if changed.version != current.version:
            before = {"is_active": current.is_active}
            audit.note(connection, actor(), "bank_accounts.change", id, before=before, after=body)
    return bank_account_body(changed, g.caller), _etag_header(changed)


def _etag_header(current: BankAccount) -> dict[str, str]:
    return {"ETag": etag(current.version, g.caller.id)}


def _visible(connection: Connection, id: str, *, reads_all: bool) -> BankAccount:
    """The bank account, if it is the caller's or they may read all; raises ApiError not_found."""
    current = bank_account.by_id(connection, path_id(id))
    return found(current, lambda current: reads_all or current.merchant_id == g.caller.id)

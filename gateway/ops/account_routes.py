"""GET /v1/ops/accounts/{id}/operations and /v1/ops/balances: the operations of an account, and curves of balances."""

from functools import partial
from typing import Any

from gateway.auth.guards import requires
from gateway.http.blueprint import Blueprint, JsonAnswer
from gateway.http.found import found, path_id
from gateway.http.schemas import PageQuery, page_of
from gateway.lists.pagination import only_page, paginated
from gateway.ops.user_schemas import AccountOperationSchema, BalanceCurveQuery, BalanceCurveSchema
from gateway.services import reader, services
from models import account_operation, balance_curve, ops_account
from models.session import statements

ops_accounts = Blueprint(
    "ops_accounts", __name__, url_prefix="/v1/ops", description="What moved on accounts, and their balances over time."
)


@ops_accounts.route("/accounts/<id>/operations")
@requires("ops:read")
@ops_accounts.arguments(PageQuery, location="query")
@ops_accounts.response(200, page_of(AccountOperationSchema))
def list_operations(query: dict[str, Any], id: str) -> JsonAnswer:
    """List the operations of an account, technical ones too, newest first."""
    with statements(services().engine) as connection:
        found(next(iter(ops_account.page(connection, 1, id=path_id(id), is_active=None)), None))
    return paginated(query, account_operation.page, account_operation.body, account_id=id)


@ops_accounts.route("/balances")
@requires("ops:read")
@ops_accounts.arguments(BalanceCurveQuery, location="query")
@ops_accounts.response(200, page_of(BalanceCurveSchema))
def list_balances(query: dict[str, Any]) -> JsonAnswer:
    """Show the balances of accounts over the last days, at 61 times that are equally far from each other; each is that
    after all payments posted by then. Accounts that do not exist are left out.
    """
    curves = reader()(partial(balance_curve.curves, account_ids=query["account"], days=query["days"]))
    return only_page(map(balance_curve.body, curves))

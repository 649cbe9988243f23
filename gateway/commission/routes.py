"""POST /v1/commissions/preview, /v1/ops/commission-terms and GET /v1/ops/commissions: the price of payments."""

from functools import partial

from flask import g

from gateway.acceptance.reference_data import limits_error, minor_units
from gateway.auth.guards import actor, requires
from gateway.commission.schemas import (
    CommissionReportQuery,
    KeptTermsSchema,
    PreviewInput,
    PreviewSchema,
    TakingsSchema,
    TermsInput,
    TermsQuery,
)
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.schemas import page_of
from gateway.lists.pagination import paginated
from gateway.services import reader, services
from models import account, audit, commission_report, commission_terms, user
from models.commission_body import day_body, record_body, terms_body
from models.currency import Currency
from models.rules.commission import FREE, Terms, commission
from models.rules.money import MoneyError, parse, render
from models.session import statements, transaction

commissions = Blueprint(
    "commissions", __name__, url_prefix="/v1", description="The commission of payments: preview, terms and a report."
)


SIDES = {"transfer": ("source", "target"), "charge": ("target", "source"), "withdrawal": ("source",)}
"""First the wallet that must be the initiator's own, then the one that may be; a deposit only has a target."""


@commissions.route("/commissions/preview", methods=["POST"])
@requires("payments:read")
@commissions.arguments(PreviewInput)
@commissions.response(200, PreviewSchema)
def preview(body: Body) -> JsonAnswer:
    """Preview the commission of a payment that you, or for ops a merchant, would create now; moves no money."""
    currency = services().reference_data.currency(body["currency"])
    amount = minor_units(body["amount"], currency)
    limit_error = limits_error(amount, currency)
    if limit_error is not None:
        raise limit_error
    initiator_id = body.get("merchant", g.caller.id)
    if initiator_id != g.caller.id and "ops:read" not in g.caller.scopes:
        raise invalid([("/merchant", "not_found", "You may preview your own terms only.")])
    with statements(services().engine) as connection:
        parties = account.parties_by_token(connection, {body[side] for side in ("source", "target") if side in body})
        terms = commission_terms.in_force(connection, body["type"], currency.code, initiator_id)
    own_side, *other_sides = SIDES.get(body["type"], ("target",))
    owners = {}
    for side in {"source", "target"} & body.keys():
        party = parties.get(body[side])
        if party is None or (side == own_side and party.owner_id != initiator_id):
            raise invalid([(f"/{side}", "not_found", "There is no such wallet that you may use.")])
        owners[side] = party.owner_id
    if any(owners.get(side) == initiator_id for side in other_sides):
        terms = FREE
    fee = commission(amount, terms)
    return {
        "type": body["type"],
        "amount": render(amount, currency.digits),
        "currency": currency.code,
        "commission": render(fee, currency.digits),
        "arrives": render(amount - fee, currency.digits) if fee < amount else None,
        "terms": terms_body(terms, currency.code, currency.digits),
    }, {}


@commissions.route("/ops/commission-terms")
@requires("ops:read")
@commissions.arguments(TermsQuery, location="query")
@commissions.response(200, page_of(KeptTermsSchema))
def list_terms(query: Body) -> JsonAnswer:
    """List the terms of commission, newest first: current, past and future ones."""
    filters = {name: query.get(name) for name in ("type", "currency")}
    return paginated(query, commission_terms.page, record_body, merchant_id=query.get("merchant"), **filters)


@commissions.route("/ops/commission-terms", methods=["POST"])
@requires("ops:commissions")
@commissions.arguments(TermsInput)
@commissions.response(201, KeptTermsSchema)
def add_terms(body: Body) -> JsonAnswer:
    """Add terms for payments accepted from `valid_from` on; earliest, and by default, a minute from now."""
    terms, merchant, valid_from = _terms(body), body.get("merchant"), body.get("valid_from")
    with transaction(services().engine) as connection:
        if merchant is not None and user.by_id(connection, merchant) is None:
            raise invalid([("/merchant", "not_found", "There is no such user.")])
        if valid_from is not None and not commission_terms.is_announced_in_time(connection, valid_from):
            raise invalid([("/valid_from", "invalid_value", "Must be at least a minute from now.")])
        record = commission_terms.add(connection, body["type"], body.get("currency"), merchant, terms, valid_from)
        if record is None:
            raise ApiError("duplicate_terms", "There are terms for the same payments with the same valid_from.")
        created = record_body(record)
        audit.note(connection, actor(), "commission_terms.add", record.id, body["reason"], None, created)
    return created, {}


@commissions.route("/ops/commissions")
@requires("ops:read")
@commissions.arguments(CommissionReportQuery, location="query")
@commissions.response(200, TakingsSchema)
def report(query: Body) -> JsonAnswer:
    """Report the commission taken and given back, by day (UTC) and currency."""
    of_time = {"since": query["since"], "until": query["until"], "currency": query.get("currency")}
    days = reader()(partial(commission_report.by_day, **of_time))
    return {"data": [day_body(day) for day in days]}, {}


def _terms(body: Body) -> Terms:
    """The terms of the body, in minor units; raises ApiError."""
    if "currency" not in body:
        return Terms(body["percent"])
    currency = services().reference_data.currency(body["currency"])
    fixed, minimum = (_minor_units(body[name], name, currency) for name in ("fixed", "minimum"))
    maximum = _minor_units(body["maximum"], "maximum", currency) if "maximum" in body else None
    if maximum is not None and maximum < minimum:
        raise invalid([("/maximum", "invalid_value", "Must not be below the minimum.")])
    return Terms(body["percent"], fixed, minimum, maximum)


def _minor_units(text: str, name: str, currency: Currency) -> int:
    """An amount in minor units that may be zero; raises ApiError."""
    try:
        return parse(text, currency.digits)
    except MoneyError as error:
        if error.code == "amount_not_positive":
            return 0
        raise invalid([(f"/{name}", error.code, error.detail)]) from None

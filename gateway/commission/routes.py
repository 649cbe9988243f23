"""POST /v1/commissions/preview; /v1/ops/commission-terms and GET /v1/ops/commissions: what moving money costs."""

from flask import g

from gateway.acceptance.reference_data import limits_error, minor_units
from gateway.auth import tokens
from gateway.auth.tokens import requires
from gateway.commission.schemas import (
    KeptTermsSchema,
    PreviewInput,
    PreviewSchema,
    TakingsQuery,
    TakingsSchema,
    TermsInput,
    TermsQuery,
)
from gateway.http.blueprint import Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError, invalid
from gateway.http.schemas import page_of
from gateway.lists.paging import paginated
from gateway.services import services
from models import account, audit, commission_report, commission_terms, user
from models.commission_report import DailyCommission
from models.commission_terms import TermsRecord
from models.currency import Currency
from models.rules.commission import FREE, PERCENT_DIGITS, Terms, commission, smallest_paying
from models.rules.money import MoneyError, parse, render
from models.session import statements, transaction

commissions = Blueprint(
    "commissions", __name__, url_prefix="/v1", description="What a payment costs: preview, terms and a report."
)


SIDES = {"transfer": ("source", "target"), "charge": ("target", "source"), "withdrawal": ("source",)}
"""Which wallet is the maker's own, and which may be; a deposit goes into the maker's own, from outside."""


@commissions.route("/commissions/preview", methods=["POST"])
@requires("payments:read")
@commissions.arguments(PreviewInput)
@commissions.response(200, PreviewSchema)
def preview(body: Body) -> JsonAnswer:
    """What would be taken of a payment that you order now, or, for ops, a merchant; moves nothing."""
    known = services().reference_data.currency(body["currency"])
    amount = minor_units(body["amount"], known)
    refused = limits_error(amount, known)
    if refused is not None:
        raise refused
    maker = body.get("merchant", g.caller.id)
    if maker != g.caller.id and "ops:read" not in g.caller.scopes:
        raise invalid([("/merchant", "not_found", "Only your own terms are yours to see.")])
    with statements(services().engine) as connection:
        parties = account.parties_by_token(connection, {body[side] for side in ("source", "target") if side in body})
        terms = commission_terms.in_force(connection, body["type"], known.code, maker)
    own, *other = SIDES.get(body["type"], ("target",))
    owners = {}
    for side in {"source", "target"} & body.keys():
        party = parties.get(body[side])
        if party is None or (side == own and party.owner_id != maker):
            raise invalid([(f"/{side}", "not_found", "There is no such wallet that you may use.")])
        owners[side] = party.owner_id
    if any(owners.get(side) == maker for side in other):
        terms = FREE
    fee = commission(amount, terms)
    return {
        "type": body["type"],
        "amount": render(amount, known.digits),
        "currency": known.code,
        "commission": render(fee, known.digits),
        "arrives": render(amount - fee, known.digits) if fee < amount else None,
        "terms": _terms_body(terms, known.code, known.digits),
    }, {}


@commissions.route("/ops/commission-terms")
@requires("ops:read")
@commissions.arguments(TermsQuery, location="query")
@commissions.response(200, page_of(KeptTermsSchema))
def list_terms(query: Body) -> JsonAnswer:
    """Terms of commission, newest first: those in force, those that were, and those to come."""
    asked = {name: query.get(name) for name in ("type", "currency")}
    return paginated(query, commission_terms.page, _kept_body, merchant_id=query.get("merchant"), **asked)


@commissions.route("/ops/commission-terms", methods=["POST"])
@requires("ops:commissions")
@commissions.arguments(TermsInput)
@commissions.response(201, KeptTermsSchema)
def add_terms(body: Body) -> JsonAnswer:
    """New terms, for payments accepted from `valid_from` on: a minute from now at the earliest, and by default."""
    terms, merchant, since = _terms(body), body.get("merchant"), body.get("valid_from")
    with transaction(services().engine) as connection:
        if merchant is not None and user.by_id(connection, merchant) is None:
            raise invalid([("/merchant", "not_found", "There is no such user.")])
        if since is not None and not commission_terms.is_told_ahead(connection, since):
            raise invalid([("/valid_from", "invalid_value", "A minute from now at the earliest.")])
        kept = commission_terms.add(connection, body["type"], body.get("currency"), merchant, terms, since)
        if kept is None:
            raise ApiError("duplicate_terms", "Other terms for the same begin at this very moment.")
        shown = _kept_body(kept)
        audit.note(connection, tokens.actor(), "commission_terms.add", kept.id, body["reason"], None, shown)
    return shown, {}


@commissions.route("/ops/commissions")
@requires("ops:read")
@commissions.arguments(TakingsQuery, location="query")
@commissions.response(200, TakingsSchema)
def report(query: Body) -> JsonAnswer:
    """What commission was taken and given back, by day (UTC) and currency."""
    with statements(services().engine) as connection:
        days = commission_report.by_day(connection, query["since"], query["until"], query.get("currency"))
    return {"data": [_day_body(day) for day in days]}, {}


def _terms(body: Body) -> Terms:
    """The terms of the body, in minor units; raises ApiError."""
    if "currency" not in body:
        return Terms(body["percent"])
    known = services().reference_data.currency(body["currency"])
    fixed, minimum = (_part(body[name], name, known) for name in ("fixed", "minimum"))
    maximum = _part(body["maximum"], "maximum", known) if "maximum" in body else None
    if maximum is not None and maximum < minimum:
        raise invalid([("/maximum", "invalid_value", "Below the minimum.")])
    return Terms(body["percent"], fixed, minimum, maximum)


def _part(text: str, name: str, known: Currency) -> int:
    """An amount in minor units that may be zero; raises ApiError."""
    try:
        return parse(text, known.digits)
    except MoneyError as error:
        if error.code == "amount_not_positive":
            return 0
        raise invalid([(f"/{name}", error.code, error.detail)]) from None


def _terms_body(terms: Terms, currency: str | None, digits: int) -> Body:
    paying = smallest_paying(terms)
    has_free = currency is not None and paying is not None and paying > 1
    return {
        "percent": render(terms.percent_millionths, PERCENT_DIGITS).rstrip("0").rstrip("."),
        "fixed": render(terms.fixed, digits),
        "minimum": render(terms.minimum, digits),
        "maximum": None if terms.maximum is None else render(terms.maximum, digits),
        "smallest_paying_amount": render(paying, digits) if paying and currency else None,
        "smallest_paying_units": paying,
        "ending_minimum": render(1, digits) if has_free else None,
    }


def _kept_body(kept: TermsRecord) -> Body:
    return {
        "id": kept.id,
        "type": kept.type,
        "currency": kept.currency,
        "merchant": kept.merchant_id,
        **_terms_body(kept.terms, kept.currency, kept.digits),
        "valid_from": kept.valid_from.isoformat(),
        "created_at": kept.created_at.isoformat(),
    }


def _day_body(day: DailyCommission) -> Body:
    return {
        "date": day.date.isoformat(),
        "currency": day.currency,
        "taken": render(day.taken, day.digits),
        "given_back": render(day.given_back, day.digits),
        "net": render(day.net, day.digits),
        "payments": day.payments,
    }

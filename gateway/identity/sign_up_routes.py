"""POST /v1/clients, /v1/merchants: a customer signs up."""

from typing import NamedTuple

from flask import request
from uuid_utils import uuid7

import celery_config
from gateway.auth.rate_limit import per_address
from gateway.auth.tokens import actor, public
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.idempotency import idempotency_key, request_fingerprint
from gateway.http.parsing import body_of_request
from gateway.identity import passwords
from gateway.identity.fields import refuse_weak
from gateway.identity.representations import user_body
from gateway.identity.schemas import ClientInput, MerchantInput, UserSchema
from gateway.services import services
from models import audit, confirmation, idempotency, user
from models.confirmation import Purpose
from models.session import Connection, Contention, statements, transaction
from models.user import NAME_LENGTH_MAX, NewUser, Role, User

sign_up = Blueprint("sign_up", __name__, url_prefix="/v1", description="New clients and merchants.")


@sign_up.route("/clients", methods=["POST"])
@public
@per_address("sign-up")
@sign_up.doc(parameters=[IDEMPOTENCY_KEY])
@sign_up.arguments(ClientInput)
@sign_up.response(201, UserSchema)
def sign_up_client(body: Body) -> JsonAnswer:
    """Sign up as a client; a mail asks to confirm the address, and wallets are opened at once."""
    return _sign_up(Role.CLIENT, f"{body['first_name']} {body['last_name']}"[:NAME_LENGTH_MAX], None, body)


@sign_up.route("/merchants", methods=["POST"])
@public
@per_address("sign-up")
@sign_up.doc(parameters=[IDEMPOTENCY_KEY])
@sign_up.arguments(MerchantInput)
@sign_up.response(201, UserSchema)
def sign_up_merchant(body: Body) -> JsonAnswer:
    """Sign up as a merchant; a mail asks to confirm the address."""
    return _sign_up(Role.MERCHANT, body["name"], body["url"], body)


class SignUpKey(NamedTuple):
    """The Idempotency-Key, and the fingerprint of all but the password: a fast hash of that must not be kept."""

    key: str
    fingerprint: bytes


def _sign_up(role: Role, name: str, url: str | None, body: Body) -> JsonAnswer:
    refuse_weak(body["password"], body["email"])
    claim = _claim()
    new = NewUser(
        str(uuid7()), body["email"], role, name, body["first_name"], body["last_name"], body["phone_number"], url,
        passwords.hash(body["password"]),
    )  # fmt: skip
    with transaction(services().engine) as connection:
        made = _keep(connection, new, claim)
    if made is None:
        earlier = _earlier(new, claim, body["password"])
        return user_body(earlier), {"Location": "/v1/me", "Idempotent-Replayed": "true"}
    for task in (celery_config.WELCOME, celery_config.MAIL):
        celery_config.ring(request.environ[REQUEST_ID], task)
    return user_body(made), {"Location": "/v1/me"}


def _claim() -> SignUpKey | None:
    if "Idempotency-Key" not in request.headers:
        return None
    rest = {name: value for name, value in body_of_request().items() if name != "password"}
    return SignUpKey(idempotency_key(request.environ), request_fingerprint(request.path, rest))


def _keep(connection: Connection, new: NewUser, claim: SignUpKey | None) -> User | None:
    """The user, with the wish for a mail and the key; None if address or number is taken."""
    if not user.sign_up(connection, new):
        return None
    confirmation.ask(connection, str(uuid7()), new.id, Purpose.EMAIL)
    if claim is not None:
        idempotency.keep_sign_up(connection, new.id, *claim)
    audit.note(connection, actor(new.id), "users.sign_up", new.id, after={"role": new.role, "email": new.email})
    return user.by_id(connection, new.id)


def _earlier(new: NewUser, claim: SignUpKey | None, password: str) -> User:
    """Whom this very request made before; raises ApiError with what is taken."""
    with statements(services().engine) as connection:
        known = user.by_email(connection, new.email)
        if known is None or claim is None:
            raise _taken(connection, new)
        named = (known.id, claim.key)
        kept = idempotency.find(connection, [named]).get(named)
        if kept is None or not kept.signed_up:
            raise _taken(connection, new)
        hashed = user.password_hash(connection, known.id)
    if kept.fingerprint != claim.fingerprint or not passwords.verify(hashed, password):
        raise ApiError("idempotency_key_reused", "This key stands for another sign-up.")
    return known


def _taken(connection: Connection, new: NewUser) -> Exception:
    match user.taken(connection, new.email, new.phone_number):
        case "email":
            return ApiError("duplicate_email", "Sign in, or have the password reset.")
        case "phone_number":
            return ApiError("duplicate_phone_number", "Another user has this phone number.")
        case _:
            return Contention()

"""POST /v1/clients and /v1/merchants: customers sign up."""

from flask import request
from uuid_utils import uuid7

import bell
import celery_config
from gateway.auth.guards import actor, public
from gateway.auth.rate_limit import per_address
from gateway.http.access_log import REQUEST_ID
from gateway.http.blueprint import IDEMPOTENCY_KEY, Blueprint, Body, JsonAnswer
from gateway.http.errors import ApiError
from gateway.http.idempotency import REPLAYED, RequestKey, idempotency_key, request_fingerprint
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
    """Sign up as a client; an e-mail asks to confirm the address, and wallets are opened at once."""
    return _sign_up(Role.CLIENT, f"{body['first_name']} {body['last_name']}"[:NAME_LENGTH_MAX], None, body)


@sign_up.route("/merchants", methods=["POST"])
@public
@per_address("sign-up")
@sign_up.doc(parameters=[IDEMPOTENCY_KEY])
@sign_up.arguments(MerchantInput)
@sign_up.response(201, UserSchema)
def sign_up_merchant(body: Body) -> JsonAnswer:
    """Sign up as a merchant; an e-mail asks to confirm the address."""
    return _sign_up(Role.MERCHANT, body["name"], body["url"], body)


def _sign_up(role: Role, name: str, url: str | None, body: Body) -> JsonAnswer:
    refuse_weak(body["password"], body["email"])
    id = str(uuid7())
    key = _sign_up_key(id)
    new = NewUser(
        id, body["email"], role, name, body["first_name"], body["last_name"], body["phone_number"], url,
        passwords.hash(body["password"]),
    )  # fmt: skip
    with transaction(services().engine) as connection:
        created = _create(connection, new, key)
    if created is None:
        earlier = _replayed(new, key, body["password"])
        return user_body(earlier), {"Location": "/v1/me", **REPLAYED}
    for task in (celery_config.WELCOME, celery_config.MAIL):
        bell.ring(request.environ[REQUEST_ID], task)
    return user_body(created), {"Location": "/v1/me"}


def _sign_up_key(user_id: str) -> RequestKey | None:
    """The key, with a fingerprint of the body without the password, of which no fast hash may be stored."""
    if "Idempotency-Key" not in request.headers:
        return None
    rest = {name: value for name, value in body_of_request().items() if name != "password"}
    return RequestKey(user_id, idempotency_key(request.environ), request_fingerprint(request.path, rest))


def _create(connection: Connection, new: NewUser, key: RequestKey | None) -> User | None:
    """Create the user, request the confirmation e-mail and store the key; None if the address or number is in use."""
    if not user.sign_up(connection, new):
        return None
    confirmation.ask(connection, str(uuid7()), new.id, Purpose.EMAIL)
    if key is not None:
        idempotency.keep(connection, *key, signed_up=True)
    audit.note(connection, actor(new.id), "users.sign_up", new.id, after={"role": new.role, "email": new.email})
    return user.by_id(connection, new.id)


def _replayed(new: NewUser, key: RequestKey | None, password: str) -> User:
    """The user that this same request created before; raises ApiError that says what is in use."""
    with statements(services().engine) as connection:
        existing = user.by_email(connection, new.email)
        if existing is None or key is None:
            raise _in_use_error(connection, new)
        user_key = (existing.id, key.key)
        stored = idempotency.find(connection, [user_key]).get(user_key)
        if stored is None or stored.object_id != existing.id:
            raise _in_use_error(connection, new)
        hashed = user.password_hash(connection, existing.id)
    if stored.fingerprint != key.fingerprint or not passwords.verify(hashed, password):
        raise ApiError("idempotency_key_reused", "This key was used for another sign-up.")
    return existing


def _in_use_error(connection: Connection, new: NewUser) -> Exception:
    match user.taken_field(connection, new.email, new.phone_number):
        case "email":
            return ApiError("duplicate_email", "Sign in, or reset the password.")
        case "phone_number":
            return ApiError("duplicate_phone_number", "Another user has this phone number.")
        case _:
            return Contention()

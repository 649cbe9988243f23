"""Who users are: sign-up, mails, sessions, and their own data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from payments_client.testing.books import Books, FakeWallet
from payments_client.testing.people import Token, User, now
from payments_client.testing.problems import Refused, invalid
from payments_client.testing.queries import listed
from payments_client.testing.routing import Asked, Body, answers
from payments_client.testing.views import iso
from payments_client.testing.wallet_routes import require_version

FIRST_CURRENCIES = ("EUR",)
"""In each of these a new client has a wallet at once."""

HOURS_MAX = 12
PASSWORD_LENGTH_MIN = 12
MAIL = {"detail": "If a user with this address can use it, an e-mail has been sent."}


def user_json(user: User) -> dict[str, Any]:
    """A user, as they see themselves."""
    return {
        "id": user.id,
        "role": user.role,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "phone_number": user.phone_number,
        "name": user.name,
        "url": user.url,
        "is_active": True,
        "email_confirmed": user.is_confirmed,
        "created_at": user.created_at.isoformat(),
    }


@answers("create_client", "create_merchant")
def sign_up(books: Books, asked: Asked) -> httpx.Response:
    """A new user, whose address is to be confirmed by the mail that was sent to it."""
    body, role = asked.body, asked.id.removeprefix("create_")
    _refuse_weak(body["password"])
    key = asked.headers.get("Idempotency-Key")
    known = _by_email(books, body["email"])
    if known:
        if key and books.by_key.get((known.id, key), ("", None))[0] == body:
            return httpx.Response(201, json=user_json(known), headers={"Idempotent-Replayed": "true"})
        raise Refused(409, "duplicate_email")
    if any(user.phone_number == body["phone_number"] for user in books.users):
        raise Refused(409, "duplicate_phone_number")
    name = body["name"] if role == "merchant" else f"{body['first_name']} {body['last_name']}"
    given = {one: body[one] for one in ("email", "password", "first_name", "last_name", "phone_number")}
    user = User(role, name, url=body.get("url"), is_confirmed=False, **given)
    books.users.append(user)
    books.mail(user, "email")
    if key:
        books.by_key[user.id, key] = body, user
    for currency in FIRST_CURRENCIES if role == "client" else ():
        wallet = FakeWallet(user, currency)
        books.wallets[wallet.token] = wallet
    return httpx.Response(201, json=user_json(user))


def _refuse_weak(password: str) -> None:
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Refused(422, "password_too_short", "/password")


def _by_email(books: Books, email: str) -> User | None:
    return next((user for user in books.users if user.email and user.email.lower() == email.lower()), None)


def _redeemed(books: Books, token: str, purpose: str) -> User:
    user, wanted = books.mails.pop(token, (None, ""))
    if user is None or wanted != purpose:
        raise Refused(422, "confirmation_invalid", "/token")
    return user


@answers("create_confirmation")
def confirm(books: Books, asked: Asked) -> httpx.Response:
    """An address that is confirmed."""
    _redeemed(books, asked.body["token"], "email").is_confirmed = True
    return httpx.Response(204)


@answers("resend_confirmation", "create_password_reset")
def mail(books: Books, asked: Asked) -> httpx.Response:
    """Another mail, if the address is a user's who can use it; the answer is the same."""
    user, purpose = _by_email(books, asked.body["email"]), "password" if "password" in asked.id else "email"
    if user and not (purpose == "email" and user.is_confirmed):
        books.mail(user, purpose)
    return httpx.Response(202, json=MAIL)


@answers("confirm_password_reset")
def reset_password(books: Books, asked: Asked) -> httpx.Response:
    """A new password; all sessions end."""
    _refuse_weak(asked.body["password"])
    user = _redeemed(books, asked.body["token"], "password")
    user.password, user.is_confirmed = asked.body["password"], True
    _end_sessions(books, user)
    return httpx.Response(204)


def own_tokens(books: Books, user: User, kind: str) -> list[Token]:
    """The user's valid tokens of that kind, the newest first."""
    return [t for t in reversed(books.tokens.values()) if t.user is user and t.kind == kind and t.is_valid]


def _end_sessions(books: Books, user: User, but: Token | None = None) -> None:
    for token in own_tokens(books, user, "session"):
        if token is not but:
            del books.tokens[token.text]


def session_json(token: Token, asked: Asked) -> dict[str, Any]:
    """A session."""
    return {
        "id": token.id,
        "prefix": token.text[:8],
        "last4": token.text[-4:],
        "address": "127.0.0.1",
        "user_agent": token.user_agent,
        "created_at": token.created_at.isoformat(),
        "expires_at": iso(token.expires_at),
        "last_used_at": iso(token.last_used_at),
        "idle_minutes": token.idle_minutes,
        "second_factor_at": None,
        "merchant": None,
        "is_current": token is asked.token,
    }


@answers("create_session")
def sign_in(books: Books, asked: Asked) -> httpx.Response:
    """A new session, with its token."""
    body = asked.body
    user = _by_email(books, body["email"])
    if user is None or user.password != body["password"] or body.get("role", user.role) != user.role:
        raise Refused(401, "credentials_invalid")
    expires_at = now() + timedelta(hours=min(HOURS_MAX, body.get("lifetime_hours", HOURS_MAX)))
    token = Token(user, "session", expires_at=expires_at, user_agent=asked.headers.get("User-Agent"))
    token.idle_minutes = body.get("idle_minutes")
    books.tokens[token.text] = token
    return httpx.Response(201, json={**session_json(token, asked), "is_current": True, "token": token.text})


@answers("list_sessions")
def list_sessions(books: Books, asked: Asked) -> httpx.Response:
    """The caller's sessions, the newest first."""
    return listed(asked, [session_json(token, asked) for token in own_tokens(books, asked.user, "session")])


@answers("delete_sessions")
def end_all_sessions(books: Books, asked: Asked) -> httpx.Response:
    """No session of the caller is left."""
    _end_sessions(books, asked.user)
    return httpx.Response(204)


@answers("delete_current_session")
def end_current_session(books: Books, asked: Asked) -> httpx.Response:
    """The session that asks is no more."""
    return revoke(books, asked, "session", asked.token.id)


@answers("delete_session")
def end_session(books: Books, asked: Asked, id: str) -> httpx.Response:
    """One of the caller's sessions is no more."""
    return revoke(books, asked, "session", id)


def revoke(books: Books, asked: Asked, kind: str, id: str) -> httpx.Response:
    """One of the caller\'s tokens of that kind is no more; raises Refused."""
    for token in own_tokens(books, asked.user, kind):
        if token.id == id:
            del books.tokens[token.text]
            return httpx.Response(204)
    raise Refused(404, "not_found")


@answers("get_me")
def get_me(_books: Books, asked: Asked) -> httpx.Response:
    """The caller's own user."""
    return httpx.Response(200, json=user_json(asked.user))


@answers("update_me")
def update_me(books: Books, asked: Asked) -> httpx.Response:
    """The caller's own user, changed; a new password needs the current one, and ends other sessions."""
    user, body = asked.user, asked.body
    if user.role != "merchant" and (unknown := [name for name in ("name", "url") if name in body]):
        raise invalid([(f"/{name}", "unknown_field") for name in unknown])
    _change_password(books, asked, body)
    for name in ("name", "url", "first_name", "last_name", "phone_number"):
        setattr(user, name, body.get(name, getattr(user, name)))
    if user.role == "client" and user.first_name and user.last_name:
        user.name = f"{user.first_name} {user.last_name}"
    return httpx.Response(200, json=user_json(user))


def _change_password(books: Books, asked: Asked, body: Body) -> None:
    given = [name for name in ("current_password", "password") if name in body]
    if not given:
        return
    if missing := {"current_password", "password"} - set(given):
        raise invalid([(f"/{name}", "required") for name in missing])
    _refuse_weak(body["password"])
    if body["current_password"] != asked.user.password:
        raise Refused(422, "current_password_wrong", "/current_password")
    asked.user.password = body["password"]
    _end_sessions(books, asked.user, but=asked.token)


def _of_merchant(user: User) -> httpx.Response:
    body = {"id": user.id, "name": user.name, "url": user.url, "is_active": True}
    headers = {"ETag": f'W/"{user.version}"'}
    return httpx.Response(200, json={**body, "created_at": user.created_at.isoformat()}, headers=headers)


@answers("get_merchant")
def get_merchant(_books: Books, asked: Asked) -> httpx.Response:
    """What customers see of the merchant."""
    return _of_merchant(asked.user)


@answers("update_merchant")
def update_merchant(_books: Books, asked: Asked) -> httpx.Response:
    """What customers see of the merchant, changed."""
    require_version(asked, asked.user.version)
    for name in ("name", "url"):
        setattr(asked.user, name, asked.body.get(name, getattr(asked.user, name)))
    asked.user.version += 1
    return _of_merchant(asked.user)

"""/console/users/{id}: a person with members, wallets, sessions, keys, payments, audit entries, and what ops may do."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.console.user_verbs import FREEZES, ONE_OF, VERBS
from gateway.pages.curves import sparkline
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import DONE, Verb, offered
from gateway.pages.visitors import attempt, get, visitor

DAYS = "30"
"""Days of a sparkline."""


@console.get("/users/<id>")
def user(id: str) -> Response:
    """One person."""
    return _page(id)


@console.post("/users/<id>/<name>")
def act_on_user(id: str, name: str) -> Response:
    """Carry out a verb; the page shows the refusal if the API refuses it."""
    verb = VERBS.get(name)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    freeze = _freeze(id) if name == "thaw" else None
    if name == "thaw" and freeze is None:
        raise PageError(409, "Not frozen", "This user is not frozen any more; wallets may be, each by itself.")
    answer = attempt(_call(verb, id, request.form, freeze))
    return redirect(f"/console/users/{id}?{DONE}={name}") if answer.is_ok else _page(id, answer, name)


@console.post("/users/<id>/invitations/<invitation>/withdraw")
def withdraw_owner(id: str, invitation: str) -> Response:
    """Withdraw an invitation that ops made."""
    answer = attempt(VERBS["withdraw-owner"].call(invitation, request.form))
    return redirect(f"/console/users/{id}?{DONE}=withdraw-owner") if answer.is_ok else _page(id, answer, invitation)


@console.post("/users/<id>/<kind>/<token>/end")
def end_token(id: str, kind: str, token: str) -> Response:
    """End one session or key."""
    if kind not in ONE_OF:
        raise PageError(404, "There is no such action", "")
    name, member = ONE_OF[kind]
    call = VERBS[name].call(id, request.form)
    answer = attempt(call._replace(body={**(call.body or {}), member: token}))
    return redirect(f"/console/users/{id}?{DONE}={name}") if answer.is_ok else _page(id, answer, token)


def _call(verb: Verb, id: str, form: Mapping[str, str], freeze: Mapping[str, Any] | None) -> ApiCall:
    """The request of a verb; a freeze is thawed by its own id."""
    if verb.name == "thaw" and freeze:
        return verb.call(freeze["id"], form)
    call = verb.call(id, form)
    return call._replace(body={**(call.body or {}), "user": id}) if verb.name == "freeze" else call


def _page(id: str, refused: ApiAnswer | None = None, name: str | None = None) -> Response:
    answer = get(f"/v1/ops/users/{id}")
    person = answer.body
    freeze = _freeze(id) if person["is_frozen"] else None
    names = _legal(person, freeze)
    verbs = offered(VERBS, names, visitor())
    return render(
        "console/user.html",
        200 if refused is None else refused.status,
        user=person,
        path_of_user=f"/console/users/{id}",
        sparks=_sparks(person["wallets"]),
        freeze=freeze,
        verbs=verbs,
        curls={verb.name: _call(verb, id, {"reason": "REASON", "email": "EMAIL"}, freeze).curl() for verb in verbs},
        end_lines={kind: _end_line(id, kind) for kind in ONE_OF},
        withdraw=VERBS["withdraw-owner"],
        may_end=visitor().may(VERBS["end-sessions"].scope),
        refused=refused.body if refused else None,
        refused_verb=name,
        values=request.form.to_dict() if refused else {},
        done=VERBS[request.args[DONE]] if request.args.get(DONE) in VERBS else None,
        call=answer.call,
    )


def _legal(person: Mapping[str, Any], freeze: Mapping[str, Any] | None) -> list[str]:
    """The names of the verbs that suit the person's state; none of those that shut out suits oneself."""
    names = ["thaw"] if freeze else [] if person["is_frozen"] else ["freeze"]
    names += ["end-sessions"] if person["sessions"] else []
    names += ["end-api-keys"] if person["api_keys"] else []
    if person["id"] != visitor().caller.id:
        names += ["deactivate" if person["is_active"] else "activate", "reset-second-factor"]
    if person["role"] == "merchant" and not any(_is_active_owner(member) for member in person["members"]):
        names += ["invite-owner"]
    return names


def _is_active_owner(member: Mapping[str, Any]) -> bool:
    return bool(member["role"] == "owner" and member["is_active"])


def _freeze(id: str) -> dict[str, Any] | None:
    """The freeze of the user that is in force."""
    return next(iter(get(FREEZES, {"user": id, "in_force": "true"}).body["data"]), None)


def _sparks(wallets: list[dict[str, Any]]) -> dict[str, Any]:
    """The sparkline of each wallet, by its id."""
    if not wallets:
        return {}
    ids = ",".join(wallet["id"] for wallet in wallets)
    curves = get("/v1/ops/balances", {"account": ids, "days": DAYS}).body["data"]
    return {curve["account"]: sparkline(curve) for curve in curves}


def _end_line(id: str, kind: str) -> str:
    """The command that ends one session or key."""
    name, member = ONE_OF[kind]
    return VERBS[name].call(id, {})._replace(body={member: "ID", "reason": "REASON"}).curl()

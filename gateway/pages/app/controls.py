"""/app/wallets/{token}/controls: limits for merchants, whom the owner blocks, and label, use and token."""

from collections.abc import Mapping
from typing import Any

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.app.pages import app_pages
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import redirect, render
from gateway.pages.verbs import DONE
from gateway.pages.visitors import attempt, get, visitor

WRITE = "wallets:write"
WALLET = "/v1/wallets/{token}"

MERCHANT, PER_CHARGE, PER_DAY = "merchant", "per_charge", "per_day"
ETAG = "etag"
"""The field with the version that the form was made for."""

DONE_TEXTS = {
    "limit": "The limit is set.",
    "block": "The merchant is blocked.",
    "unblock": "The merchant is no longer blocked.",
    "label": "The label is changed.",
    "use": "The use of the wallet is changed.",
    "rotate": "The wallet has a new token: the one before charges nothing any more.",
}
"""By the last part of the path of the form."""


@app_pages.get("/wallets/<token>/controls")
def controls(token: str) -> Response:
    """Who may charge the wallet, and how much."""
    return _page(token)


@app_pages.post("/wallets/<token>/controls/<name>")
def change_controls(token: str, name: str) -> Response:
    """Change one of them; if the wallet was changed since the form was made, it is shown as it is now."""
    if name not in DONE_TEXTS:
        raise PageError(404, "There is no such action", "")
    if name == "rotate":
        answer = attempt(ApiCall("POST", f"{WALLET.format(token=token)}/rotate", body={}))
    else:
        body = _change(name, get(WALLET.format(token=token)).body, request.form)
        headers = {"If-Match": request.form.get(ETAG, "")}
        answer = attempt(ApiCall("PATCH", WALLET.format(token=token), body=body, headers=headers))
    if answer.is_ok:
        return redirect(f"/app/wallets/{answer.body['token']}/controls?{DONE}={name}")
    return _page(token, refused=_at_fields(answer), name=name)


def _change(name: str, wallet: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """The members of the wallet after the change; the API refuses them if the wallet is not the form's any more."""
    merchant = form.get(MERCHANT, "").strip()
    if name == "limit":
        others = [limit for limit in wallet["charge_limits"] if (limit["merchant"] or "") != merchant]
        new = {part: form.get(part, "").strip() or None for part in (PER_CHARGE, PER_DAY)}
        return {"charge_limits": [{MERCHANT: merchant or None, **new}] * any(new.values()) + others}
    if name in ("block", "unblock"):
        blocked = [one for one in wallet["blocked_merchants"] if one != merchant]
        return {"blocked_merchants": [*([merchant] if name == "block" else []), *blocked]}
    if name == "label":
        return {"label": form.get("label", "").strip() or None}
    return {"is_active": form.get("is_active") == "true"}


def _at_fields(answer: ApiAnswer) -> ApiAnswer:
    """The refusal with the names of the form's fields: the new limit or merchant is the first of the list."""
    prefixes = ("/charge_limits/0", "/blocked_merchants/0")
    errors = []
    for error in answer.body.get("errors", []):
        pointer = str(error.get("pointer", ""))
        prefix = next((prefix for prefix in prefixes if pointer.startswith(prefix)), "")
        rest = pointer.removeprefix(prefix) if prefix else pointer
        errors.append({**error, "pointer": rest or f"/{MERCHANT}"})
    return answer._replace(body={**answer.body, "errors": errors})


def _page(token: str, *, refused: ApiAnswer | None = None, name: str = "") -> Response:
    shown = get(WALLET.format(token=token))
    wallet, merchants = shown.body, get(f"{WALLET.format(token=token)}/merchants", {"limit": "100"}).body["data"]
    names = {row["merchant"]: row["name"] for row in merchants}
    named = {limit["merchant"] for limit in wallet["charge_limits"]} | {*wallet["blocked_merchants"]}
    choices = [("", "all merchants without a limit of their own"), *names.items()]
    choices += [(id, id) for id in sorted(named - {None, *names})]
    is_stale = refused is not None and refused.code == "precondition_failed"
    return render(
        "app/controls.html",
        200 if refused is None else refused.status,
        wallet=wallet,
        etag=shown.etag,
        path_of_wallet=f"/app/wallets/{token}",
        names=names,
        merchants=[row for row in merchants if not row["is_blocked"]],
        choices=choices,
        may_write=visitor().may(WRITE),
        refused=refused.body if refused else None,
        form=name,
        values={} if is_stale or refused is None else request.form.to_dict(),
        is_stale=is_stale,
        done=DONE_TEXTS.get(request.args.get(DONE, "")),
        curl_line=ApiCall(
            "PATCH",
            WALLET.format(token=token),
            body={name: wallet[name] for name in ("charge_limits", "blocked_merchants")},
            headers={"If-Match": shown.etag},
        ).curl(),
        call=shown.call,
    )

"""/console/rails: the connections to banks and their files, and what is paused."""

from collections.abc import Mapping

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall
from gateway.pages.console.pages import console
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import REASON, Verb, VerbField, offered
from gateway.pages.visitors import attempt, download, get, visitor

PATH = "/console/rails"
PAGE_LENGTH = "50"
SCOPES = ("rail", "type", "merchant", "currency")
"""What a pause is of, one of them; each is a member of the request."""

FILE_STATES = ("written", "read", "broken")
MEDIA_TYPES = "application/xml, application/octet-stream"
FILTERS = (ListFilter("state", "State", FILE_STATES),)

PAUSE = Verb(
    "pause",
    "Pause",
    "Payments are accepted as before, and wait until it is resumed; a rail is sent nothing, and is still read.",
    "/v1/ops/pauses",
    "ops:pause",
    (
        VerbField("scope", "Pause a", [(scope, scope) for scope in SCOPES]),
        VerbField("name", "Which", hint="Such as sepa, withdrawal, EUR, or the id of a merchant."),
        VerbField(
            "until", "Until", is_required=False, hint="Such as 2026-01-31T12:00:00Z. Empty: until it is resumed."
        ),
        REASON,
    ),
    is_dangerous=True,
)
RESUME = Verb(
    "resume",
    "Resume",
    "What waits is posted in the order it had.",
    "/v1/ops/pauses/{id}/resume",
    "ops:pause",
)


@console.get("/rails")
def rails() -> Response:
    """The rails and the pauses in force."""
    return _page()


@console.post("/rails/pauses")
def pause() -> Response:
    """Pause a rail, a type of payments, a merchant or a currency."""
    answer = attempt(_pause_call(request.form))
    return redirect(f"{PATH}?done=paused") if answer.is_ok else _page(answer, PAUSE.name)


@console.post("/rails/pauses/<id>/resume")
def resume(id: str) -> Response:
    """End a pause."""
    answer = attempt(RESUME.call(id, request.form))
    return redirect(f"{PATH}?done=resumed") if answer.is_ok else _page(answer, id)


@console.get("/rails/<rail>")
def rail_files(rail: str) -> Response:
    """The files that a rail wrote and read, newest first."""
    asked = query()
    answer = get(f"/v1/ops/rails/{rail}/files", {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    return render(
        "console/rail_files.html",
        rail=rail,
        page=answer.body,
        states=FILE_STATES,
        chips=chips(asked, FILTERS),
        call=answer.call,
    )


@console.get("/rails/<rail>/files/<id>")
def rail_file(rail: str, id: str) -> Response:
    """A file as it was written or read."""
    return download(f"/v1/ops/rails/{rail}/files/{id}/content", {}, MEDIA_TYPES)


def _pause_call(form: Mapping[str, str]) -> ApiCall:
    call = PAUSE.call("", form)
    body = dict(call.body or {})
    scope, name = body.pop("scope", ""), body.pop("name", "")
    return call._replace(body={scope if scope in SCOPES else SCOPES[0]: name, **body})


def _page(refused: ApiAnswer | None = None, refused_at: str = "") -> Response:
    asked = query()
    answer = get("/v1/ops/rails")
    pauses = get("/v1/ops/pauses", {"in_force": "true", "limit": PAGE_LENGTH, **chosen(asked, ())}).body
    verbs = offered({verb.name: verb for verb in (PAUSE, RESUME)}, (PAUSE.name, RESUME.name), visitor())
    return render(
        "console/rails.html",
        200 if refused is None else refused.status,
        rails=answer.body["data"],
        pauses=pauses,
        scopes=SCOPES,
        may_pause=bool(verbs),
        pause=PAUSE,
        resume=RESUME,
        pause_curl=_pause_call({"scope": "rail", "name": "RAIL", "reason": "REASON"}).curl(),
        resume_curl=RESUME.curl,
        refused=refused.body if refused else None,
        refused_at=refused_at,
        values=request.form.to_dict() if refused else {},
        done=asked.get("done", "") if asked.get("done") in ("paused", "resumed") else "",
        call=answer.call,
    )

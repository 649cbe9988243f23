"""/console/reconciliation: bank statements with their exceptions by age; matching lines, also by a file; dismissing."""

from flask import Response, request

from gateway.pages.api_calls import ApiAnswer, ApiCall, ApiFile
from gateway.pages.console.pages import console
from gateway.pages.filters import ListFilter, chips, chosen
from gateway.pages.page_errors import PageError
from gateway.pages.rendering import query, redirect, render
from gateway.pages.verbs import REASON, Verb, VerbField, offered
from gateway.pages.visitors import attempt, get, takes_file, visitor

PATH = "/console/reconciliation"
API = "/v1/ops/reconciliations"
SCOPE = "ops:reconciliations"
PAGE_LENGTH = "50"
STATEMENT_BYTES_MAX = 4 * 1024 * 1024
"""As the API takes it."""

EXCEPTIONS = ("mismatched", "missing_here", "missing_there")
VERDICTS = (*EXCEPTIONS, "expected", "matched", "dismissed")
AGES = ("0-1", "2-5", "over-5")
CATEGORIES = ("fee", "interest", "tax", "own_transfer", "bank_correction", "other")

FILTERS = (ListFilter("verdict", "Verdict"), ListFilter("age", "Days"))

MATCHES_BYTES_MAX = 256 * 1024
"""Of a file of matches, as the API takes it."""

CSV, XML, JSON_LINES = "text/csv", "application/xml", "application/x-ndjson"
FORMS = ((CSV, "CSV"), (XML, "camt.053"))
"""The media types of statements, with their names."""

MATCH_FORMS = ((CSV, "CSV"), (JSON_LINES, "JSON Lines"))
"""Those of files of matches."""

MATCH = Verb(
    "match",
    "Match",
    "The line is matched to this payment, by you; no money moves.",
    f"{API}/{{id}}/match",
    SCOPE,
    (VerbField("payment", "Id of the payment"), REASON),
)
DISMISS = Verb(
    "dismiss",
    "Put aside",
    "No payment is what the bank booked here; it no longer needs a person.",
    f"{API}/{{id}}/dismiss",
    SCOPE,
    (VerbField("category", "It is", [(name, name.replace("_", " ")) for name in CATEGORIES]), REASON),
)
LINE_VERBS = {verb.name: verb for verb in (MATCH, DISMISS)}

POSSIBLE = {
    "mismatched": ("match", "dismiss"),
    "missing_here": ("match", "dismiss"),
    "missing_there": ("match",),
    "expected": ("match",),
}
"""The verbs of a line by its verdict; the others are decided."""


@console.get("/reconciliation")
def reconciliation() -> Response:
    """Bank statements, newest first."""
    return _statements()


@console.post("/reconciliation")
@takes_file(STATEMENT_BYTES_MAX)
def upload_statement() -> Response:
    """Compare a statement of the bank with the payments."""
    brought, form = request.files.get("statement"), request.form.get("form", "")
    if brought is None or not brought.filename or form not in dict(FORMS):
        raise PageError(422, "No file was sent", "Choose the file of a bank statement, and its format.")
    answer = attempt(ApiCall("POST", API, file=ApiFile(brought.read(), form, "statement")))
    return redirect(f"{PATH}/{answer.body['id']}") if answer.is_ok else _statements(answer)


@console.get("/reconciliation/<id>")
def statement(id: str) -> Response:
    """One statement and its lines."""
    return _statement(id)


@console.post("/reconciliation/<id>/lines/<line>/<name>")
def decide_line(id: str, line: str, name: str) -> Response:
    """Match a line to a payment, or put it aside."""
    verb = LINE_VERBS.get(name)
    if verb is None:
        raise PageError(404, "There is no such action", "")
    answer = attempt(verb.call(f"{id}/lines/{line}", request.form))
    if answer.is_ok:
        return redirect(f"{PATH}/{id}?done={line}&verdict={','.join(EXCEPTIONS)}")
    return _statement(id, refused=answer, at=f"{name}-{line}")


@console.post("/reconciliation/<id>/matches")
@takes_file(MATCHES_BYTES_MAX)
def try_matches(id: str) -> Response:
    """Say what a file of matches would do."""
    brought, form = request.files.get("file"), request.form.get("form", "")
    if brought is None or not brought.filename or form not in dict(MATCH_FORMS):
        raise PageError(422, "No file was sent", "Choose a file of matches, and its format.")
    data = brought.read()
    answer = attempt(_matches_call(id, data, form, {"dry_run": "true"}))
    if not answer.is_ok:
        return _statement(id, refused=answer, at="matches")
    return _matches(id, answer, data.decode(errors="replace"), form)


@console.post("/reconciliation/<id>/matches/store")
@takes_file(2 * MATCHES_BYTES_MAX)
def store_matches(id: str) -> Response:
    """Match what the file said, as it was shown."""
    data, form = request.form.get("file", "").encode(), request.form.get("form", CSV)
    answer = attempt(_matches_call(id, data, form if form in dict(MATCH_FORMS) else CSV, {}))
    return _matches(id, answer) if answer.is_ok else _statement(id, refused=answer, at="matches")


def _matches_call(id: str, data: bytes, form: str, asked: dict[str, str]) -> ApiCall:
    return ApiCall("POST", f"{API}/{id}/lines/match", asked, file=ApiFile(data, form, "matches"))


def _matches(id: str, answer: ApiAnswer, text: str = "", form: str = CSV) -> Response:
    """What became of a file of matches, or would; then with what stores it."""
    return render(
        "console/matches.html",
        done=answer.body,
        path_of_statement=f"{PATH}/{id}",
        text=text,
        form=form,
        store_curl=_matches_call(id, b"", form, {}).curl(),
        call=answer.call,
    )


def _statements(refused: ApiAnswer | None = None) -> Response:
    answer = get(API, {"limit": PAGE_LENGTH, **chosen(query(), ())})
    upload = ApiCall("POST", API, file=ApiFile(b"", CSV, "statement.csv"))
    return render(
        "console/reconciliation.html",
        200 if refused is None else refused.status,
        page=answer.body,
        call=answer.call,
        exceptions=",".join(EXCEPTIONS),
        forms=FORMS,
        may_upload=visitor().may(SCOPE),
        upload_curl=upload.curl(),
        problem=refused.body if refused else None,
    )


def _statement(id: str, *, refused: ApiAnswer | None = None, at: str = "") -> Response:
    asked = query()
    answer = get(f"{API}/{id}")
    lines = get(f"{API}/{id}/lines", {"limit": PAGE_LENGTH, **chosen(asked, FILTERS)})
    verbs = {
        row["line"]: offered(LINE_VERBS, POSSIBLE.get(row["verdict"], ()), visitor()) for row in lines.body["data"]
    }
    return render(
        "console/statement.html",
        200 if refused is None else refused.status,
        statement=answer.body,
        path_of_statement=f"{PATH}/{id}",
        verdicts=VERDICTS,
        exceptions=",".join(EXCEPTIONS),
        verdict=asked.get("verdict", ""),
        age=asked.get("age", ""),
        chips=chips(asked, FILTERS),
        lines=lines.body,
        verbs=verbs,
        curl_of=lambda verb, line: verb.curl(f"{id}/lines/{line}"),
        done=asked.get("done", "") if asked.get("done", "").isdecimal() else "",
        problem=refused.body if refused else None,
        may_match=visitor().may(SCOPE),
        match_forms=MATCH_FORMS,
        matches_curl=_matches_call(id, b"", CSV, {"dry_run": "true"}).curl(),
        problem_at=at
        if at == "matches" or any(f"{verb.name}-{line}" == at for line, some in verbs.items() for verb in some)
        else "",
        values=request.form.to_dict() if refused else {},
        call=lines.call,
    )

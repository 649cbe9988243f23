"""Responses about a bulk: at once, or after a wait for its outcome."""

from http import HTTPStatus

from flask import g, request

from gateway.bulks.create import AcceptedBulk
from gateway.bulks.representations import bulk_headers
from gateway.http.access_log import CALLER
from gateway.http.idempotency import REPLAYED
from gateway.outcomes.prefer import is_final, wait_for
from gateway.outcomes.responses import JsonResult, outcome_status
from gateway.services import services
from models.representations import bulk_body


def bulk_response(accepted: AcceptedBulk) -> JsonResult:
    """201 if the bulk became final within the caller's wait, else 202; an open bulk is answered without a wait."""
    bulk, applied = wait_for(accepted.bulk, lambda bulk: bulk.is_open or is_final(bulk), request.environ, services())
    g.caller = request.environ[CALLER]
    headers = {**bulk_headers(bulk, g.caller), **(REPLAYED if accepted.is_replay else {}), **applied}
    return bulk_body(bulk), headers, outcome_status(bulk, applied, HTTPStatus.CREATED)

"""The JSON of payments as ops users see them, and of resolutions."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from models import payment_note
from models.ops_payment import OpsPayment
from models.representations import ViewerLike, iso, payment_body
from models.resolution import Resolution
from models.rules.ops_actions import DETAILS, OpsAction, possible, refusal


def review_body(reviewed: OpsPayment, viewer: ViewerLike) -> dict[str, Any]:
    """The payment, what ops users may do about it now, and what was done."""
    refused = {action: refusal(action, reviewed.facts) for action in OpsAction}
    return {
        "payment": payment_body(reviewed.view, viewer),
        "actions": possible(reviewed.facts),
        "refused": [
            {"action": action, "code": code, "detail": DETAILS[code]} for action, code in refused.items() if code
        ],
        "request": reviewed.request._asdict(),
        "parked_at": iso(reviewed.view.parked_at),
        "last_error": reviewed.last_error,
        "payout": None if reviewed.payout is None else _plain(reviewed.payout._asdict(), resolution_id="resolution"),
        "commands": [_plain(command) for command in reviewed.commands],
        "inquiries": [
            {**_plain(inquiry._asdict()), "differences": inquiry.differences} for inquiry in reviewed.inquiries
        ],
        "resolutions": [resolution_body(resolution) for resolution in reviewed.resolutions],
        "notes": [payment_note.body(note) for note in reviewed.notes],
    }


def resolution_body(resolution: Resolution) -> dict[str, Any]:
    """A resolution, and whether the bank contradicts it."""
    return {**_plain(resolution._asdict(), payment_id="payment"), "is_contradicted": resolution.is_contradicted}


def _plain(members: Mapping[str, object], **renamed: str) -> dict[str, Any]:
    """The members with their times as text, and some by another name."""
    return {
        renamed.get(name, name): value.isoformat() if isinstance(value, datetime | date) else value
        for name, value in members.items()
    }

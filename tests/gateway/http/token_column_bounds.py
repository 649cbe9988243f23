"""The probes of constraints on sessions and API keys."""

from typing import Any

from werkzeug.test import TestResponse

from tests.gateway.http import column_bounds as ways
from tests.gateway.http.column_bounds import Probe, Scene, member, text
from tests.gateway.identity import signed_up_users


def sign_in(scene: Scene, members: dict[str, Any]) -> TestResponse:
    email, _ = signed_up_users.newcomer(scene.api)
    body = {"email": email, "password": signed_up_users.PASSWORD, **members}
    return scene.api.anonymous().call("POST", "/v1/sessions", json=body)


TOKENS = {
    "tokens_idle_sessions_end": [Probe(member(sign_in, "idle_minutes"), [1, 1440], [0, 1441, "30"])],
    "tokens_name_is_bounded": [text(ways.key, "name", 100)],
    "tokens_user_agent_is_bounded": [Probe(ways.sign_in_with, ["", "x", "x" * 5000, "\u00e9"], [])],
}
"""Of sessions and API keys."""

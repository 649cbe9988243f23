"""`flask ops saved-views`, `save-view`, `change-view` and `delete-view`."""

import json

from tests.builders import new_id
from tests.workers.books import Books
from tests.workers.cli.listing import Run, audited


def test_views_are_saved_for_all_changed_and_deleted(flask: Run, books: Books) -> None:
    assert flask("ops", "saved-views").output == "none\n"
    wanted = ("ops", "save-view", "payments", "Failed", "state=FAILED")
    assert "is saved" in flask(*wanted, "--dry-run").output
    assert flask("ops", "saved-views").output == "none\n"
    view = json.loads(flask(*wanted, "--json").output)
    assert (view["user"], view["is_shared"]) == (None, True)
    assert "saved already" in flask(*wanted).output
    assert json.loads(flask("ops", "saved-views", "--list", "payments", "--json").output) == view
    assert json.loads(flask("ops", "saved-views", "--user", new_id(), "--json").output) == view
    assert "duplicate_view" in flask("ops", "save-view", "payments", "failed", "parked=true", fails=True).output
    assert "unknown_parameter" in flask("ops", "save-view", "audit", "x", "state=FAILED", fails=True).output
    other = json.loads(flask("ops", "save-view", "payments", "Parked", "parked=true", "--json").output)
    assert "duplicate_view" in flask("ops", "change-view", other["id"], "--name", "FAILED", fails=True).output
    changed = json.loads(
        flask("ops", "change-view", view["id"], "--query", "state=FAILED&type=charge", "--json").output
    )
    assert changed == {**view, "query": "state=FAILED&type=charge"}
    assert "is deleted" in flask("ops", "delete-view", view["id"]).output
    assert "there is no view" in flask("ops", "delete-view", view["id"], fails=True).output
    assert [action for _, action, _ in audited(books, view["id"])] == [
        f"saved_views.{action}" for action in ("create", "update", "delete")
    ]

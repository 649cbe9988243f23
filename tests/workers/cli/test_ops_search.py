"""`flask ops search`, as ops call it."""

import json

from models import user
from models.session import transaction
from tests.workers.books import Books
from tests.workers.cli.listing import Run


def test_ops_search_lists_what_is_found(flask: Run, books: Books) -> None:
    ann, wallet = books.client(10)
    with transaction(books.worker) as connection:
        email = user.by_id(connection, ann).email
        token = connection.exec_driver_sql("SELECT token FROM accounts WHERE id = %s", (wallet,)).scalar_one()
    [hit] = map(json.loads, flask("ops", "search", email, "--json").output.splitlines())
    assert hit == {
        **{"kind": "user", "id": ann, "matched_by": "email", "label": "client Ann"},
        "path": f"/v1/ops/users/{ann}",
    }
    header, row = flask("ops", "search", token).output.splitlines()
    assert header.split() == ["kind", "id", "by", "what"]
    assert row.split()[:3] == ["account", wallet, "wallet"]
    assert flask("ops", "search", "nothing has this").output == "none\n"

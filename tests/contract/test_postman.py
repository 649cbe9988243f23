"""The Postman collection in docs/ is what the OpenAPI document gives today."""

import json
from pathlib import Path

from tests.contract import node

COLLECTION = node.HERE.parents[1] / "docs" / "payments.postman_collection.json"


def test_the_committed_collection_is_that_of_the_document(tmp_path: Path) -> None:
    made = tmp_path / "collection.json"
    node.run("node", "postman.mjs", str(made))
    assert json.loads(COLLECTION.read_text()) == json.loads(made.read_text()), "run: make contract"


def test_the_collection_has_every_operation() -> None:
    document = json.loads((node.HERE.parents[1] / "docs" / "openapi.json").read_text())
    pending = json.loads(COLLECTION.read_text())["item"]
    requests = []
    while pending:
        item = pending.pop()
        pending += item.get("item", [])
        requests += [item["request"]] if "request" in item else []
    operations = [method for item in document["paths"].values() for method in item if method != "parameters"]
    assert len(requests) == len(operations)
    assert all(request["auth"]["type"] in ("bearer", "noauth") for request in requests if request.get("auth"))

"""The collections for Postman and Bruno in docs/ are what the OpenAPI document gives today."""

import json
from pathlib import Path

from tests.contract import node

DOCS = node.HERE.parents[1] / "docs"
COLLECTION, BRUNO = DOCS / "payments.postman_collection.json", DOCS / "payments.bruno_collection.json"


def test_the_committed_collection_is_that_of_the_document(tmp_path: Path) -> None:
    made = tmp_path / "collection.json"
    node.run("node", "postman.mjs", str(made))
    assert json.loads(COLLECTION.read_text()) == json.loads(made.read_text()), "run: make contract"


def test_the_collection_for_bruno_is_that_for_postman(tmp_path: Path) -> None:
    made = tmp_path / "collection.json"
    node.run("node", "bruno.mjs", str(made))
    assert json.loads(BRUNO.read_text()) == json.loads(made.read_text()), "run: make contract"
    pending, requests = list(json.loads(BRUNO.read_text())["items"]), []
    while pending:
        item = pending.pop()
        pending += item.get("items", [])
        requests += [item["request"]] if "request" in item else []
    assert len(requests) == operations()
    assert all(request["url"].startswith("{{baseUrl}}/") for request in requests)


def operations() -> int:
    """How many the document has."""
    document = json.loads((DOCS / "openapi.json").read_text())
    return sum(method != "parameters" for item in document["paths"].values() for method in item)


def test_the_collection_has_every_operation() -> None:
    pending = json.loads(COLLECTION.read_text())["item"]
    requests = []
    while pending:
        item = pending.pop()
        pending += item.get("item", [])
        requests += [item["request"]] if "request" in item else []
    assert len(requests) == operations()
    assert all(request["auth"]["type"] in ("bearer", "noauth") for request in requests if request.get("auth"))

"""The rules that the whole OpenAPI document keeps, so that clients can be generated from it: walked, not sampled."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marshmallow as ma
import pytest
from jsonschema import Draft202012Validator

from gateway.events.schemas import EventQuery
from gateway.http.errors import PROBLEMS
from gateway.http.fields import Input
from gateway.http.openapi import operations
from models.event import NAMES
from tests.gateway.harness import ApiHarness

STABLE_IDS = Path(__file__).with_name("operation_ids.json")
WORDS_MIN = 2


@pytest.fixture(scope="module")
def document(api: ApiHarness) -> dict[str, Any]:
    return api.contract


@pytest.fixture(scope="module")
def all_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return list(operations.operations(document["paths"]))


def nodes(node: Any, place: str = "#") -> Iterator[tuple[str, Any]]:
    """Every node of the document with its place; values of examples are no part of it."""
    yield place, node
    if isinstance(node, dict):
        for name, inner in node.items():
            if name not in ("example", "examples"):
                yield from nodes(inner, f"{place}/{name}")
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from nodes(inner, f"{place}/{index}")


def test_operation_ids_are_unique_and_stable(all_operations: Any) -> None:
    ids = {f"{method.upper()} {path}": operation["operationId"] for path, method, operation in all_operations}
    assert len(set(ids.values())) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", id) for id in ids.values())
    known = json.loads(STABLE_IDS.read_text())
    changed = {key: id for key, id in known.items() if ids.get(key) != id}
    assert not changed, "generated clients call operations by these names: keep them (openapi/operations.py)"
    added = {key: id for key, id in ids.items() if key not in known}
    assert not added, f"add these lines to tests/gateway/{STABLE_IDS.name}"


def test_everything_has_a_description_in_words(document: dict[str, Any], all_operations: Any) -> None:
    named = {
        f"{name}.{member}": described
        for name, schema in document["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
    }
    for path, method, operation in all_operations:
        named[f"{method} {path}"] = operation
        named |= {f"{method} {path} {parameter['name']}": parameter for parameter in operation.get("parameters", ())}
        named |= {
            f"{path} {parameter['name']}": parameter for parameter in document["paths"][path].get("parameters", ())
        }
    named |= {f"header {name}": header for name, header in document["components"]["headers"].items()}
    named |= {f"tag {tag['name']}": tag for tag in document["tags"]}
    missing = [
        name
        for name, described in named.items()
        if len(re.findall(r"\w+", described.get("description", ""))) < WORDS_MIN
        or re.sub(r"\W", "", described["description"]).lower() == re.sub(r"\W", "", name.split(".")[-1]).lower()
    ]
    assert not missing, "describe them in gateway/http/openapi/descriptions.py or in the field's metadata"


def test_nothing_has_a_default(document: dict[str, Any]) -> None:
    with_default = [place for place, node in nodes(document) if isinstance(node, dict) and "default" in node]
    assert not [place for place in with_default if not place.endswith("/responses")]
    limit = _parameter(document, "/v1/payments", "limit")
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100}
    assert limit["description"].endswith("Default: `20`.")
    assert not limit.get("required")


def test_tags_are_words_that_the_operations_use(document: dict[str, Any], all_operations: Any) -> None:
    tags = [tag["name"] for tag in document["tags"]]
    assert {tag for _, _, operation in all_operations for tag in operation["tags"]} == set(tags)
    assert not [tag for tag in tags if "_" in tag or not tag[0].isupper()]


def test_ids_in_paths_are_uuids(document: dict[str, Any]) -> None:
    in_path = {
        (parameter["name"], parameter["schema"].get("format"))
        for item in document["paths"].values()
        for parameter in item.get("parameters", ())
        if parameter["name"] == "id"
    }
    assert in_path == {("id", "uuid")}


def test_bounds_of_a_filter_are_one_deep_object(document: dict[str, Any], all_operations: Any) -> None:
    names = [parameter["name"] for _, _, operation in all_operations for parameter in operation.get("parameters", ())]
    assert not [name for name in names if "[" in name]
    amount = _parameter(document, "/v1/payments", "amount")
    assert (amount["style"], amount["explode"]) == ("deepObject", True)
    assert amount["schema"]["anyOf"][1]["properties"].keys() == {"gte", "gt", "lte", "lt"}
    metadata = _parameter(document, "/v1/payments", "metadata")
    assert metadata["schema"]["additionalProperties"]["type"] == "string"


def _parameter(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    [found] = [parameter for parameter in document["paths"][path]["get"]["parameters"] if parameter["name"] == name]
    return found


BOUNDED = re.compile(r"(^|_)(cursor|token|url)$|^after$")


def test_cursors_tokens_and_urls_carry_their_bounds(document: dict[str, Any], all_operations: Any) -> None:
    found = {
        f"{name}.{member}": described
        for name, schema in document["components"]["schemas"].items()
        for member, described in schema.get("properties", {}).items()
        if BOUNDED.search(member) and name != "AuditLine"
    }
    for _, _, operation in all_operations:
        for parameter in operation.get("parameters", ()):
            if BOUNDED.search(parameter["name"]):
                found[f"{operation['operationId']} {parameter['name']}"] = parameter["schema"]
    assert len(found) > 40
    assert not [name for name, schema in found.items() if not {"maxLength", "pattern"} & schema.keys()]


def test_every_operation_declares_what_it_refuses(document: dict[str, Any], all_operations: Any) -> None:
    for _, _, operation in all_operations:
        answers = operation["responses"]
        assert {"400", "422", "429", "503", "default"} <= answers.keys(), operation["operationId"]
        assert bool(operation["security"]) <= ({"401", "403", "406"} <= answers.keys()), operation["operationId"]
        assert ("requestBody" in operation) <= ({"413", "415"} <= answers.keys()), operation["operationId"]
    codes = " ".join(answer["description"] for answer in document["components"]["responses"].values())
    assert not [code for code in PROBLEMS if f"`{code}`" not in codes]


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    components = document["components"]
    bodies = [
        (place, form)
        for place, node in nodes({name: document[name] for name in ("paths", "webhooks", "components")})
        if isinstance(node, dict)
        for form in node.get("content", {}).values()
    ]
    assert len(bodies) > 150
    for place, form in bodies:
        examples = [components["examples"][name] for name in form.get("examples", {})]
        [example] = [example["value"] for example in examples] or [form.get("example")]
        assert example not in (None, ""), place
        Draft202012Validator({**form["schema"], "components": components}).validate(example)


def test_examples_of_orders_are_read_by_the_gateway(document: dict[str, Any]) -> None:
    schemas = {schema.__name__.removesuffix("Schema"): schema for schema in _subclasses(Input)}
    sent = [name for name in document["components"]["examples"] if name in schemas]
    assert len(sent) > 30
    for name in sent:
        value = document["components"]["examples"][name]["value"]
        try:
            schemas[name]().load(value)
        except ma.ValidationError as error:
            pytest.fail(f"{name}: {error.messages} {value}", pytrace=False)


def _subclasses(schema: type) -> Iterator[type]:
    for inner in schema.__subclasses__():
        yield inner
        yield from _subclasses(inner)


def test_every_event_is_a_webhook(document: dict[str, Any]) -> None:
    assert list(document["webhooks"]) == list(NAMES)
    for name, item in document["webhooks"].items():
        [form] = item["post"]["requestBody"]["content"].values()
        schema = document["components"]["schemas"][form["schema"]["$ref"].rpartition("/")[2]]
        assert name in schema["properties"]["type"]["enum"]
        assert "$ref" in schema["properties"]["data"]


def test_lists_answer_in_media_types_of_their_own(document: dict[str, Any]) -> None:
    content = document["paths"]["/v1/payments"]["get"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/PaymentPage"}
    assert content["text/csv"]["schema"]["type"] == content["application/x-ndjson"]["schema"]["type"] == "string"
    assert content["text/csv"]["example"].startswith("id,type,state,source_wallet,")
    assert json.loads(content["application/x-ndjson"]["example"])["type"] == "charge"


def test_the_feed_has_its_query_beside_its_header(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/v1/events"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == [*EventQuery._declared_fields, "Last-Event-ID"]

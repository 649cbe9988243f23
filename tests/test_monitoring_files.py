"""Alert rules, dashboard and Prometheus's settings in deploy/ are well formed, and name only what docs explain."""

import json
import re
from typing import Any

import promql_parser as promql
import pytest
import yaml

import metrics
from embedded.home import CHECKOUT
from tests.alert_rules import RULES, dashboard_expressions, metric_names, parts

DEPLOY = CHECKOUT / "deploy"
SEVERITIES = {"critical", "warning", "info"}
DURATION = re.compile(r"[1-9]\d*[smh]")


GROUP_MEMBERS = {"name", "rules", "interval", "limit", "query_offset", "labels"}
RULE_MEMBERS = {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
"""What Prometheus reads of a rule file; it refuses any other member, as `promtool check rules` does."""

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
TEMPLATE = re.compile(r"\{\{\s*(?:\$labels\.([a-zA-Z_]\w*)|\$value(?:\s*\|\s*\w+)?)\s*\}\}")
"""The only templates that are used: a label, or the value."""


class Strict(yaml.SafeLoader):
    """Reads YAML as Prometheus does: a key that is there twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice in {node.start_mark}: {keys}"
        return super().construct_mapping(node, deep)


def groups() -> list[dict[str, Any]]:
    document = yaml.load((DEPLOY / "alerts.yml").read_text(), Strict)
    assert document.keys() == {"groups"}
    return list(document["groups"])


def rules() -> list[dict[str, Any]]:
    return [rule for group in groups() for rule in group["rules"]]


def test_rule_file_has_what_prometheus_reads_and_nothing_else():
    names = [group["name"] for group in groups()]
    assert len(set(names)) == len(names), "the names of groups are unique"
    for group in groups():
        assert {"name", "rules"} <= group.keys() <= GROUP_MEMBERS
    for rule in rules():
        assert rule.keys() <= RULE_MEMBERS
        for texts in (rule["labels"], rule["annotations"]):
            assert all(LABEL.fullmatch(name) and type(text) is str for name, text in texts.items()), rule["alert"]


def test_annotations_use_templates_of_labels_that_the_expression_keeps():
    for rule in rules():
        texts = [*rule["labels"].values(), *rule["annotations"].values()]
        named = {match[1] for text in texts for match in TEMPLATE.finditer(text) if match[1]}
        assert all("{{" not in TEMPLATE.sub("", text) for text in texts), rule["alert"]
        node = promql.parse(rule["expr"])
        kept = {label for part in parts(node) for label in _labels(part)}
        assert named <= kept, f"{rule['alert']}: {named - kept}"


def _labels(part: Any) -> set[str]:
    """The labels by which a part aggregates, or that it matches."""
    modifier = getattr(part, "modifier", None)
    matchers = getattr(getattr(part, "matchers", None), "matchers", ())
    return set(getattr(modifier, "labels", ()) or ()) | {matcher.name for matcher in matchers}


def test_each_rule_has_what_prometheus_and_people_need():
    assert len(RULES) == len(rules()), "names are unique"
    for rule in rules():
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["annotations"]["summary"]
        assert DURATION.fullmatch(rule.get("for", "1m"))


def test_each_expression_is_promql():
    for text in [*RULES.values(), *dashboard_expressions()]:
        assert promql.parse(text), text
    for wrong in ("max(payments_problem", "rate(payments_problem)", "sum by (a) (1) ==", "payments_problem[5x]"):
        with pytest.raises(ValueError):
            promql.parse(wrong)


def test_each_expression_has_the_types_that_its_functions_take():
    """What promtool checks beyond the grammar: rate of a range, a number as the quantile, comparisons with numbers."""
    for text in [*RULES.values(), *dashboard_expressions()]:
        for part in parts(promql.parse(text)):
            if isinstance(part, promql.Call):
                taken = [type(argument).__name__ for argument in part.args]
                assert len(taken) == len(part.func.arg_types), text
                if part.func.name in ("rate", "increase"):
                    assert taken == ["MatrixSelector"], text


def test_each_metric_of_rules_and_dashboard_is_documented():
    documented = set(re.findall(r"^\| `(payments_\w+)", (CHECKOUT / "docs" / "metrics.md").read_text(), re.M))
    suffix = re.compile(r"_(bucket|sum|count)$")
    named = {
        suffix.sub("", name) for text in [*RULES.values(), *dashboard_expressions()] for name in metric_names(text)
    }
    assert named <= documented
    counted = {family.name for family in metrics.REGISTRY.collect() if family.name.startswith("payments_")}
    assert {name.removesuffix("_total") for name in documented} >= counted


def test_the_dashboard_has_panels_with_own_places():
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels) == len({panel["id"] for panel in panels}) == len({p["title"] for p in panels})


def test_the_dashboard_has_what_grafana_reads():
    board = json.loads((DEPLOY / "dashboard.json").read_text())
    assert board["schemaVersion"] >= 39 and board["uid"] and board["title"]
    variables = {variable["name"]: variable["type"] for variable in board["templating"]["list"]}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert panel["type"] in {"stat", "timeseries"} and place["x"] + place["w"] <= 24 and place["h"] > 0
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
            assert source == {"type": "prometheus", "uid": "${datasource}"} and variables["datasource"] == "datasource"

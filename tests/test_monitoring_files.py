"""Alert rules, dashboard and Prometheus's settings in deploy/ are well formed, and name only what docs explain."""

import json
import re
from typing import Any

import promql_parser as promql
import yaml

import metrics
from embedded.home import CHECKOUT
from tests.alert_rules import RULES, dashboard_expressions, metric_names

DEPLOY = CHECKOUT / "deploy"
SEVERITIES = {"critical", "warning", "info"}
DURATION = re.compile(r"[1-9]\d*[smh]")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


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

"""Alert rules and their expressions: enough of PromQL to evaluate them over what processes export."""

import json
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import promql_parser as promql
import yaml
from prometheus_client.parser import text_string_to_metric_families

from embedded.home import CHECKOUT

RULES: dict[str, str] = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load((CHECKOUT / "deploy" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
"""The expression of each alert, by its name."""

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]


class Scrape(NamedTuple):
    """What was exported at a moment: values by name and labels."""

    samples: dict[str, Vector]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Scrape":
        """Of several processes, each with its own `instance`."""
        samples: dict[str, Vector] = {}
        for number, text in enumerate(texts):
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    labels = frozenset([*sample.labels.items(), ("instance", str(number))])
                    samples.setdefault(sample.name, {})[labels] = sample.value
        return cls(samples)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all that have these labels."""
        return sum(value for has, value in self.samples.get(name, {}).items() if labels.items() <= set(has))


COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": float.__gt__, "<": float.__lt__, "==": float.__eq__, "!=": float.__ne__,
}  # fmt: skip
AGGREGATE: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
MATCH: dict[str, Callable[[str, str], bool]] = {
    "MatchOp.Equal": lambda wanted, value: value == wanted,
    "MatchOp.NotEqual": lambda wanted, value: value != wanted,
    "MatchOp.Re": lambda wanted, value: re.fullmatch(wanted, value) is not None,
    "MatchOp.NotRe": lambda wanted, value: re.fullmatch(wanted, value) is None,
}


@cache
def parsed(expression: str) -> Any:
    return promql.parse(expression)


def parts(node: Any) -> Iterable[Any]:
    """The node and all below it."""
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "args"):
        below = getattr(node, name, None)
        for child in below if isinstance(below, list) else [below]:
            if isinstance(child, promql.Expr):
                yield from parts(child)


def metric_names(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return {node.name for node in parts(parsed(expression)) if isinstance(node, promql.VectorSelector)}


def dashboard_expressions() -> list[str]:
    """The expressions of the dashboard, with an interval of their own for Grafana's."""
    panels = json.loads((CHECKOUT / "deploy" / "dashboard.json").read_text())["panels"]
    return [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]


def firing(now: Scrape, before: Scrape | None = None) -> set[str]:
    """The alerts that fire at `now`, whatever they wait for; what is counted is what grew since `before`."""
    return {name for name, text in RULES.items() if evaluate(parsed(text), now, before or now)}


def evaluate(node: Any, now: Scrape, before: Scrape) -> Any:
    """The value of the expression: a vector, or a number."""
    match node:
        case promql.NumberLiteral():
            return node.val
        case promql.ParenExpr():
            return evaluate(node.expr, now, before)
        case promql.VectorSelector():
            return _select(node, now)
        case promql.Call():
            return _call(node, now, before)
        case promql.AggregateExpr():
            return _aggregate(node, evaluate(node.expr, now, before))
        case promql.BinaryExpr():
            return _binary(str(node.op), evaluate(node.lhs, now, before), evaluate(node.rhs, now, before))
    raise NotImplementedError(node)


def _select(node: Any, scrape: Scrape) -> Vector:
    wanted = [(MATCH[str(m.op)], m.value, m.name) for m in node.matchers.matchers]

    def fits(labels: Labels) -> bool:
        values = dict(labels) if wanted else {}
        return all(matches(value, values.get(name, "")) for matches, value, name in wanted)

    return {labels: value for labels, value in scrape.samples.get(node.name, {}).items() if fits(labels)}


def _call(node: Any, now: Scrape, before: Scrape) -> Any:
    name = node.func.name
    if name in ("rate", "increase"):
        selector, seconds = node.args[0].vector_selector, node.args[0].range.total_seconds()
        earlier = _select(selector, before)
        grown = {labels: value - earlier.get(labels, 0) for labels, value in _select(selector, now).items()}
        return {labels: value / (seconds if name == "rate" else 1) for labels, value in grown.items()}
    if name == "absent":
        return {} if evaluate(node.args[0], now, before) else {frozenset(): 1.0}
    if name == "histogram_quantile":
        return _quantile(node.args[0].val, evaluate(node.args[1], now, before))
    raise NotImplementedError(name)


def _quantile(share: float, buckets: Vector) -> Vector:
    """The upper bound of the bucket that holds this share of what was counted; Prometheus itself interpolates."""
    grouped: dict[Labels, dict[float, float]] = {}
    for labels, count in buckets.items():
        rest = frozenset(label for label in labels if label[0] != "le")
        grouped.setdefault(rest, {})[float(dict(labels)["le"])] = count
    return {
        rest: next(bound for bound in sorted(counts) if counts[bound] >= share * counts[math.inf])
        for rest, counts in grouped.items()
        if counts[math.inf] > 0
    }


def _aggregate(node: Any, vector: Vector) -> Vector:
    by = set(node.modifier.labels) if node.modifier else set()
    grouped: dict[Labels, list[float]] = {}
    for labels, value in vector.items():
        grouped.setdefault(frozenset(label for label in labels if label[0] in by), []).append(value)
    return {labels: AGGREGATE[str(node.op)](values) for labels, values in grouped.items()}


def _binary(operator: str, left: Vector, right: Vector | float) -> Vector:
    if operator == "or":
        assert isinstance(right, dict)
        return right | left
    if operator == "/":
        assert isinstance(right, dict)
        return {labels: left[labels] / right[labels] for labels in left.keys() & right.keys() if right[labels]}
    assert isinstance(right, float), "the rules compare with numbers"
    return {labels: value for labels, value in left.items() if COMPARE[operator](value, right)}

"""What processes count: many values at once as one by one, and for all processes of a service, also ended ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram

import metrics
from embedded.home import CHECKOUT
from tests.alert_rules import Scrape

COUNT = """
import os, settings
settings.begin_metrics()
import metrics
metrics.POOL_SIZE.inc(8)
metrics.count_transitions([("transfer", "COMPLETED")] * 2)
child = os.fork()
if child == 0:
    metrics.POOL_SIZE.inc(8)
    metrics.count_transitions([("transfer", "COMPLETED")] * 3)
    os._exit(0)
os.waitpid(child, 0)
print(metrics.exposition().decode())
"""


def test_many_values_count_as_one_by_one() -> None:
    values = [0.0, 0.01, 0.02, 0.020001, 0.3, 5.0, 1e9, 604800.0]
    many, single = CollectorRegistry(), CollectorRegistry()
    metrics.BatchHistogram("x", "x", buckets=metrics.LONG_SECONDS, registry=many).observe_many(values)
    one_by_one = Histogram("y", "x", buckets=metrics.LONG_SECONDS, registry=single)
    for value in values:
        one_by_one.observe(value)

    def samples(registry: CollectorRegistry, name: str) -> dict[str, float]:
        return {
            sample.name.removeprefix(name) + str(sample.labels): sample.value
            for family in registry.collect()
            for sample in family.samples
            if sample.name.startswith(name) and not sample.name.endswith("_created")
        }

    assert samples(many, "x") == samples(single, "y")


@pytest.mark.parametrize("is_given", [True, False])
def test_processes_count_together_and_only_those_that_live_have_connections(tmp_path: Path, is_given: bool) -> None:
    (tmp_path / "counter_1.db").write_bytes(b"left behind by an earlier start")
    environ = {**os.environ, "METRICS_TOKEN": "t" * 16, "TMPDIR": str(tmp_path), "PYTHONPATH": str(CHECKOUT)}
    if is_given:
        environ["PROMETHEUS_MULTIPROC_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=environ, cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    scrape = Scrape.of([done.stdout])
    assert scrape.total("payments_transitions_total", type="transfer", state="COMPLETED") == 5
    assert scrape.total("payments_pool_size") == 8
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [], "a folder of its own is removed"


@pytest.mark.parametrize(
    ("rule", "template"),
    [
        ("/v1/payments/<id>", "/v1/payments/{id}"),
        ("/v1/bulks/<uuid:id>/lines/<int(min=1):n>", "/v1/bulks/{id}/lines/{n}"),
    ],
)
def test_routes_are_named_by_their_templates(rule: str, template: str) -> None:
    assert metrics.template(rule) == template

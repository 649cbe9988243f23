"""Prometheus's own tool reads the alert rules, and they ring by the series of deploy/alerts-hosts.test.yml."""

import subprocess

from embedded.home import CHECKOUT

PROMTOOL = "/usr/bin/promtool"


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        [PROMTOOL, *arguments], cwd=CHECKOUT / "deploy", check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_all_rules() -> None:
    assert promtool("check", "rules", "alerts.yml", "alerts-hosts.yml").count("SUCCESS") == 2


def test_alerts_of_hosts_ring_by_what_they_are_about() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts-hosts.test.yml")

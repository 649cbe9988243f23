"""The Helm chart: rendered, valid by the schemas of Kubernetes, with processes and secrets as in docker-compose.yml."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from embedded.home import CHECKOUT
from tests.kubernetes.helm import CHART, VERSION, rendered, run

SERVICES = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
SERVICE_OF = {"gateway": "gateway-1", "beat": "beat-1"}
PARTS = ["gateway", "posting", "upkeep", "rails", "webhooks", "beat", "migrate"]

Item = dict[str, Any]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return rendered()


@pytest.fixture(scope="module")
def workloads(items: list[Item]) -> dict[str, Item]:
    return {item["metadata"]["name"]: item for item in items if item["kind"] in ("Deployment", "Job")}


def pod(item: Item) -> Item:
    return dict(item["spec"]["template"]["spec"])


def test_helm_finds_no_fault(tmp_path: Path) -> None:
    assert f'"v{VERSION}"' in run("version").stdout
    linted = run("lint", "--strict", str(CHART))
    assert linted.returncode == 0, linted.stdout
    packed = run("package", str(CHART), "--destination", str(tmp_path))
    assert packed.returncode == 0, packed.stderr


OTHER = ("--set", "workers.webhooks.scaling=null", "--set-string", "image.tag=2", "--namespace", "shop")


@pytest.mark.parametrize("options", [(), OTHER], ids=["as it is", "with other values"])
def test_objects_are_valid(options: tuple[str, ...]) -> None:
    for item in rendered(*options, release="shop"):
        kubernetes_validate.validate(item, "1.37", strict=True)


def test_the_parts_are_all_there(items: list[Item], workloads: dict[str, Item]) -> None:
    assert set(workloads) == {f"payments-{part}" for part in PARTS}
    names = {kind: {i["metadata"]["name"] for i in items if i["kind"] == kind} for kind in {i["kind"] for i in items}}
    assert names["HorizontalPodAutoscaler"] == {"payments-gateway", "payments-webhooks"}
    assert names["PodDisruptionBudget"] == {"payments-gateway", "payments-posting"}
    assert names["NetworkPolicy"] == {"payments", "payments-gateway"}
    assert names["Service"] == {"payments-gateway"}


def test_the_migration_comes_first(items: list[Item]) -> None:
    hooks = {item["kind"]: item["metadata"].get("annotations", {}) for item in items}
    weights = {kind: int(a.get("helm.sh/hook-weight", "0")) for kind, a in hooks.items() if "helm.sh/hook" in a}
    assert weights == {"Job": 0, "ConfigMap": -1, "ServiceAccount": -1}
    assert hooks["Job"]["helm.sh/hook"] == "pre-install,pre-upgrade"


@pytest.mark.parametrize("part", PARTS)
def test_a_workload_is_the_service_of_compose(workloads: dict[str, Item], part: str) -> None:
    service, workload = SERVICES[SERVICE_OF.get(part, part)], workloads[f"payments-{part}"]
    [container] = pod(workload)["containers"]
    command = service["command"]
    assert sorted(container["args"]) == sorted(command.split() if isinstance(command, str) else command)
    files = {entry["value"].rpartition("/")[2] for entry in container["env"] if entry["name"].endswith("_FILE")}
    assert files == set(service["secrets"])
    [secret] = [volume["secret"]["secretName"] for volume in pod(workload)["volumes"] if "secret" in volume]
    guide = (CHECKOUT / "docs/guides/kubernetes.md").read_text()
    [line] = re.findall(rf"generic {secret} (.+)$", guide, re.M)
    assert set(re.findall(r"--from-file=(\w+)", line)) == files


@pytest.mark.parametrize("part", PARTS)
def test_a_pod_is_confined_and_bounded(workloads: dict[str, Item], part: str) -> None:
    spec = pod(workloads[f"payments-{part}"])
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "memory" in container["resources"]["limits"]
    assert not [entry for entry in container["env"] if re.search("URL$|KEYS?$|TOKEN$", entry["name"])], "files alone"
    assert part in ("beat", "migrate") or "readinessProbe" in container


def test_selectors_lead_to_pods(items: list[Item], workloads: dict[str, Item]) -> None:
    labels = [item["spec"]["template"]["metadata"]["labels"] for item in workloads.values()]
    selectors = [
        item["spec"]["selector"].get("matchLabels", item["spec"]["selector"])
        for item in items
        if "selector" in item.get("spec", {})
    ]
    assert selectors and all(any(selector.items() <= found.items() for found in labels) for selector in selectors)
    scaled = {item["spec"]["scaleTargetRef"]["name"] for item in items if item["kind"] == "HorizontalPodAutoscaler"}
    assert scaled <= workloads.keys()
    assert all("replicas" not in workloads[name]["spec"] for name in scaled), "else each upgrade undoes the scaling"


def test_two_releases_do_not_meet() -> None:
    def names(release: str) -> set[tuple[str, str]]:
        return {(item["kind"], item["metadata"]["name"]) for item in rendered(release=release)}

    assert not names("payments") & names("staging")


@pytest.mark.parametrize("wrong", ["gateway.replicas=0", "workers.posting.queue=null", "settings.lower=x", "unknown=1"])
def test_values_that_are_none_are_refused(wrong: str) -> None:
    refused = run("template", "payments", str(CHART), "--set", wrong)
    assert refused.returncode != 0
    assert "schema" in refused.stderr

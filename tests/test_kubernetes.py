"""The manifests of deploy/kubernetes: valid by its schemas, with the processes and secrets of docker-compose.yml."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from embedded.home import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "kubernetes"
ITEMS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "payments.yaml").read_text())["items"]
WORKLOADS = {item["metadata"]["name"]: item for item in ITEMS if item["kind"] in ("Deployment", "Job")}
SERVICES = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
SERVICE_OF = {"gateway": "gateway-1", "beat": "beat-1"}


def pod(item: dict[str, Any]) -> dict[str, Any]:
    return dict(item["spec"]["template"]["spec"])


@pytest.mark.parametrize("number", range(len(ITEMS)), ids=lambda number: ITEMS[number]["metadata"]["name"])
def test_a_manifest_is_valid(number: int) -> None:
    kubernetes_validate.validate(ITEMS[number], "1.37", strict=True)


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_the_service_of_compose(name: str) -> None:
    part = name.removeprefix("payments-")
    service = SERVICES[SERVICE_OF.get(part, part)]
    [container] = pod(WORKLOADS[name])["containers"]
    command = service["command"]
    assert sorted(container["args"]) == sorted(command.split() if isinstance(command, str) else command)
    files = {entry["value"].rpartition("/")[2] for entry in container["env"] if entry["name"].endswith("_FILE")}
    assert files == set(service["secrets"])
    [secret] = [volume["secret"]["secretName"] for volume in pod(WORKLOADS[name])["volumes"] if "secret" in volume]
    guide = (CHECKOUT / "docs/guides/kubernetes.md").read_text()
    [line] = re.findall(rf"generic {secret} (.+)$", guide, re.M)
    assert set(re.findall(r"--from-file=(\w+)", line)) == files


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_confined_and_bounded(name: str) -> None:
    spec = pod(WORKLOADS[name])
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert "memory" in container["resources"]["limits"]
    assert not [entry for entry in container["env"] if re.search("URL$|KEYS?$|TOKEN$", entry["name"])], "files alone"


def test_selectors_lead_to_pods() -> None:
    labels = [item["spec"]["template"]["metadata"]["labels"] for item in WORKLOADS.values()]
    selectors = [
        item["spec"]["selector"].get("matchLabels", item["spec"]["selector"])
        for item in ITEMS
        if "selector" in item.get("spec", {})
    ]
    assert selectors and all(any(selector.items() <= found.items() for found in labels) for selector in selectors)
    targets = {item["spec"]["scaleTargetRef"]["name"] for item in ITEMS if item["kind"] == "HorizontalPodAutoscaler"}
    assert targets <= WORKLOADS.keys()

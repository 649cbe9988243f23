"""The playbook of deploy/ansible runs what docker-compose.yml runs, with the same secrets, none on a command line."""

import re
from typing import Any

import yaml

from deploy import make_secrets
from embedded.home import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "ansible"
[PLAY] = yaml.safe_load((FOLDER / "playbook.yml").read_text())
VALUES = PLAY["vars"]
GROUPS = yaml.safe_load((FOLDER / "inventory.yml").read_text())["payments"]["children"].keys()
SERVICES = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
SERVICE_OF = {"gateway": "gateway-1", "beat": "beat-1"}
TASKS: list[dict[str, Any]] = [*PLAY["tasks"], *PLAY["handlers"]]


def secrets_of(process: dict[str, Any]) -> set[str]:
    """As the playbook gives them."""
    if isinstance(process["secrets"], list):
        return set(process["secrets"])
    return {*VALUES["of_workers"], *re.findall(r"'(\w+)'", process["secrets"])}


def test_processes_are_those_of_compose_with_their_secrets() -> None:
    for process in VALUES["processes"]:
        service = SERVICES[SERVICE_OF.get(process["name"], process["name"])]
        command = service["command"]
        text = command if isinstance(command, str) else " ".join(command)
        own = process["command"].replace("%%", "%").replace("{{ quiet }}", VALUES["quiet"])
        assert sorted(own.split()) == sorted(text.split())
        assert secrets_of(process) == set(service["secrets"])
    assert {process["name"] for process in VALUES["processes"]} | {"migrate"} == GROUPS


def test_secrets_are_copied_from_files_and_never_shown() -> None:
    [lays] = [task for task in TASKS if "secrets_folder" in str(task)]
    assert lays["no_log"] is True and lays["ansible.builtin.copy"]["mode"] == "0400"
    assert not [task for task in TASKS if re.search(r"lookup\(|environment'", str(task))], "ps shows an environment"
    unit = (FOLDER / "templates/process.service").read_text()
    assert "LoadCredential={{ secret }}:" in unit
    known = make_secrets.secrets().keys()
    assert {name for process in VALUES["processes"] for name in secrets_of(process)} <= known
    assert not {name for name in known if name.upper() in (FOLDER / "templates/settings.env").read_text()}


def test_what_is_laid_is_there() -> None:
    text = (FOLDER / "playbook.yml").read_text()
    templates = set(re.findall(r"src: (\w+\.?\w*)\b(?=,|\n)", text))
    assert templates == {path.name for path in (FOLDER / "templates").iterdir()}


def test_each_task_says_what_it_changes() -> None:
    """Modules that know; a command only where a file says that it ran."""
    for task in TASKS:
        [module] = [name for name in task if name.startswith("ansible.builtin.")]
        if module in ("ansible.builtin.command", "ansible.builtin.unarchive"):
            assert task[module]["creates"]

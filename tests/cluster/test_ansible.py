"""The playbook on a Debian of its own, in a chroot: it lays what servers accept, and its second run changes nothing."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy import make_secrets
from embedded.home import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PACKAGES = "python3-venv,python3-apt,ca-certificates"
TOOLS = ("ansible-core==2.19.14", "ansible-lint==26.10.1")
HOST = "a.internal"
PATH = "/opt/ansible/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FILES = "/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf"
"""By which this machine reaches registries."""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """Debian 12 with ansible, and what the playbook takes; it needs root."""
    root = Path(tempfile.mkdtemp(prefix="payments-ansible-"))
    root.chmod(0o755)
    try:
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root)
        for file in FILES:
            if Path(file).exists():
                shutil.copy(file, f"{root}{file}")
        for mounted in ("proc", "dev"):
            run("mount", "--bind", f"/{mounted}", root / mounted)
        inside(root, "python3 -m venv /opt/ansible && /opt/ansible/bin/pip install -q " + " ".join(TOOLS))
        source = root / "srv/source"
        source.mkdir()
        shutil.copytree(CHECKOUT / "deploy", source / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
        run("git", "-C", CHECKOUT, "archive", f"--output={source}/payments-1.tar.gz", "HEAD")
        make_secrets.write(source / "secrets")
        inventory = yaml.safe_load((CHECKOUT / "deploy/ansible/inventory.yml").read_text())
        own = inventory["payments"]
        own["vars"] |= {"starts": False, "ansible_connection": "local", "ansible_become": False}
        own["children"] = {name: {"hosts": {HOST: None}} for name in own["children"]}
        (source / "inventory.yml").write_text(yaml.safe_dump(inventory))
        yield root
    finally:
        for mounted in ("proc", "dev"):
            subprocess.run(["umount", root / mounted], check=False)
        if not os.path.ismount(root / "proc") and not os.path.ismount(root / "dev"):
            shutil.rmtree(root, ignore_errors=True)


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def inside(root: Path, script: str) -> str:
    return run(
        "chroot",
        root,
        "env",
        "-u",
        "PIP_FIND_LINKS",
        f"PATH={PATH}",
        "HOME=/root",
        "LC_ALL=C.UTF-8",
        "sh",
        "-c",
        script,
    )


def play(root: Path) -> dict[str, int]:
    """The counts of a run."""
    told = inside(root, "cd /srv/source/deploy/ansible && ansible-playbook -i /srv/source/inventory.yml playbook.yml")
    for secret in (root / "srv/source/secrets").iterdir():
        assert secret.read_text().strip() not in told
    return {name: int(count) for name, count in re.findall(r"(ok|changed|failed)=(\d+)", told.partition("RECAP")[2])}


def test_the_playbook_lays_all_and_then_changes_nothing(root: Path) -> None:
    first = play(root)
    assert first["failed"] == 0 and first["changed"] > 10
    second = play(root)
    assert (second["failed"], second["changed"]) == (0, 0)
    inside(root, "nginx -t && rsyslogd -N1 -f /etc/payments-logs/rsyslog.conf")
    inside(root, "cd /opt/payments/1 && venv/bin/python -c 'import celery_config, wsgi'")
    assert (root / "etc/payments").stat().st_mode & 0o077 == 0
    sys.stdout.write(f"\nansible: first run changed {first['changed']}, second {second['changed']}\n")


def test_the_playbook_is_as_ansible_lint_wants_it(root: Path) -> None:
    inside(root, "cd /srv/source/deploy/ansible && ansible-lint --offline playbook.yml")

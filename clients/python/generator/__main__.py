"""`python -m clients.python.generator [FOLDER]` writes the generated modules."""

import json
import subprocess
import sys
from pathlib import Path

from clients.python.generator.models import render_inputs, render_models
from clients.python.generator.operations import operations
from clients.python.generator.resources import render_resources, render_routes

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "clients" / "python" / "src" / "payments_client"
DOCUMENT = ROOT / "docs" / "openapi.json"


def rendered() -> dict[str, str]:
    """The generated modules, by file name."""
    document = json.loads(DOCUMENT.read_text())
    found = operations(document)
    return {
        "models.py": render_models(document),
        "inputs.py": render_inputs(document),
        "_routes.py": render_routes(found),
        "_resources.py": render_resources(document, found, is_async=False),
        "_async_resources.py": render_resources(document, found, is_async=True),
    }


def formatted(text: str) -> str:
    """The module as the linter and formatter of this project have it."""
    ruff, name = Path(sys.executable).with_name("ruff"), ["--stdin-filename", PACKAGE / "generated.py", "-"]
    for command in (["check", "--fix-only", "--quiet", "--select=I,F401,RUF036"], ["format"]):
        done = subprocess.run([ruff, *command, *name], input=text, capture_output=True, text=True, check=True, cwd=ROOT)
        text = done.stdout
    return text


def write(folder: Path) -> None:
    """Write the modules into the folder."""
    for name, text in rendered().items():
        (folder / name).write_text(formatted(text))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if sys.argv[1:] else PACKAGE)

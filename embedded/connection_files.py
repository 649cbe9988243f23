"""The running stack's addresses: `.run/stack.json` for programs, `.run/env` for a shell; mode 0600, removed with it."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from embedded.home import CHECKOUT, write_private

if TYPE_CHECKING:
    from embedded.demo import People
    from embedded.stack import Stack

STACK_FILE = CHECKOUT / ".run" / "stack.json"
ENV_FILE = CHECKOUT / ".run" / "env"

PROGRAMS = (Path(sys.prefix) / "bin", CHECKOUT / "docs" / "guides" / "bin")
"""Directories that `.run/env` puts first on PATH: flask and other tools, and the programs of the guides."""


def write(stack: "Stack", people: "People") -> None:
    """Write both files for this stack, run by this process."""
    info = describe(stack, people)
    write_private(ENV_FILE, shell_variables(info))
    write_private(STACK_FILE, json.dumps(info, indent=2) + "\n")


def describe(stack: "Stack", people: "People") -> dict[str, Any]:
    """The content of stack.json."""
    return {
        "url": stack.url,
        "database_url": stack.database_url,
        "redis_url": stack.redis_url,
        "broker_url": stack.broker_url,
        "secret_key": stack.secret_key,
        "receipt_key": stack.receipt_key,
        "second_factor_keys": stack.second_factor_keys,
        "mail": stack.mail,
        "bank": stack.bank_url if stack.bank else None,
        "metrics": {"token": stack.metrics_token, "urls": stack.metrics_urls},
        "ops_token": people["ops"]["token"],
        "users": people,
        "pids": {"supervisor": os.getpid()} | stack.pids,
    }


def remove() -> None:
    """Remove both files."""
    for file in (STACK_FILE, ENV_FILE):
        file.unlink(missing_ok=True)


def read() -> dict[str, Any] | None:
    """The content of stack.json, or None; it may be left over from a killed supervisor."""
    try:
        info: dict[str, Any] = json.loads(STACK_FILE.read_text())
    except FileNotFoundError:
        return None
    return info


def shell_variables(info: dict[str, Any]) -> str:
    """The text of `.run/env`: only assignments, for any POSIX shell."""
    people = {name.upper(): user for name, user in info["users"].items()}
    variables = {
        "URL": info["url"],
        **{name: user["token"] for name, user in people.items()},
        **{f"{name}_PASSWORD": user["password"] for name, user in people.items() if "password" in user},
        **{f"{name}S_WALLET": user["wallet"] for name, user in people.items() if "wallet" in user},
        "MAIL_DIR": unquote(info["mail"].removeprefix("file://")),
        "BANK": info["bank"] or "",
        "METRICS_TOKEN": info["metrics"]["token"],
        "METRICS_URLS": " ".join(info["metrics"]["urls"].values()),
    }
    lines = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    programs = ":".join(map(str, PROGRAMS))
    lines.append(f"case :$PATH: in *:{shlex.quote(programs)}:*) ;; *) PATH={shlex.quote(programs)}:$PATH ;; esac")
    return "\n".join(lines) + "\n"

"""Users with tokens, made in the worker's role: JSON list of {email, role, name} in, {email, token} out."""

import json
import sys

from workers.cli.users import create_user, issue_token


def with_token(email: str, role: str, name: str) -> dict[str, str]:
    """A further token for who is there; else a new user, with `id`."""
    token = issue_token(email)
    return {"email": email, "token": token} if token else create_user(email, role, name)


if __name__ == "__main__":
    json.dump([with_token(**wanted) for wanted in json.load(sys.stdin)], sys.stdout)

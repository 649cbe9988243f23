"""Prints an .env with new secrets for docker-compose.yml: `python3 deploy/make_env.py > .env`. Needs no library."""

import hashlib
import hmac
from secrets import token_hex

SECRET_BYTES = 32
"""256 random bits each."""


def derived(owner_password: str, role: str) -> str:
    """The password that the migration sets for the role, the same as that of `database_urls.role_password`."""
    return hmac.new(owner_password.encode(), role.encode(), hashlib.sha256).hexdigest()


def environment() -> dict[str, str]:
    """Every variable that docker-compose.yml requires."""
    owner_password = token_hex(SECRET_BYTES)
    return {
        "OWNER_PASSWORD": owner_password,
        "WORKER_PASSWORD": derived(owner_password, "payments_worker"),
        "GATEWAY_PASSWORD": derived(owner_password, "payments_gateway"),
        "VALKEY_PASSWORD": token_hex(SECRET_BYTES),
        "VALKEY_WORKER_PASSWORD": token_hex(SECRET_BYTES),
        "VALKEY_GATEWAY_PASSWORD": token_hex(SECRET_BYTES),
        "SECRET_KEY": token_hex(SECRET_BYTES),
        "RECEIPT_KEY": token_hex(SECRET_BYTES),
        "SECOND_FACTOR_KEYS": token_hex(SECRET_BYTES),
        "METRICS_TOKEN": token_hex(SECRET_BYTES),
    }


if __name__ == "__main__":
    print("\n".join(f"{name}={value}" for name, value in environment().items()))  # noqa: T201 - its output is the file

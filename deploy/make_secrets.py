"""Writes new secrets to a folder, a file for each: `python3 deploy/make_secrets.py secrets`. Needs no library.

For docker-compose.yml, for `kubectl create secret generic payments --from-file=secrets`, and for deploy/ansible.
"""

import hashlib
import hmac
import sys
from pathlib import Path
from secrets import token_hex

SECRET_BYTES = 32
"""256 random bits each."""

SERVERS = {"postgres": "postgres", "pgbouncer": "pgbouncer:6432", "valkey": "valkey", "replica": "replica"}
"""Where the servers are; others are given after the folder, as NAME=host:port; `replica=` if there is none."""

USERS = Path(__file__).parent / "valkey.acl"


def derived(owner_password: str, role: str) -> str:
    """The password that the migration sets for the role, the same as that of `database_urls.role_password`."""
    return hmac.new(owner_password.encode(), role.encode(), hashlib.sha256).hexdigest()


def secrets(**hosts: str) -> dict[str, str]:
    """Every secret, by the name of its file."""
    postgres, pooler, valkey, replica = (SERVERS | hosts).values()
    owner = token_hex(SECRET_BYTES)
    worker, gateway = (derived(owner, role) for role in ("payments_worker", "payments_gateway"))
    admins, workers, gateways = (token_hex(SECRET_BYTES) for _ in range(3))
    users = USERS.read_text()
    for word, password in (("ADMIN", admins), ("WORKER", workers), ("GATEWAY", gateways)):
        users = users.replace(f">{word}_PASSWORD", f"#{hashlib.sha256(password.encode()).hexdigest()}")
    return {
        "owner_password": owner,
        "database_url": f"postgresql://payments:{owner}@{postgres}/payments",
        "worker_database_url": f"postgresql://payments_worker:{worker}@{pooler}/payments",
        "gateway_database_url": f"postgresql://payments_gateway:{gateway}@{pooler}/payments",
        "listen_database_url": f"postgresql://payments_gateway:{gateway}@{postgres}/payments",
        "replica_database_url": f"postgresql://payments_gateway:{gateway}@{replica}/payments" if replica else "",
        "pgbouncer_users": f'"payments_gateway" "{gateway}"\n"payments_worker" "{worker}"',
        "replica_password": token_hex(SECRET_BYTES),
        "valkey_users": users.strip(),
        "valkey_admin_password": admins,
        "worker_redis_url": f"redis://payments_worker:{workers}@{valkey}/0",
        "gateway_redis_url": f"redis://payments_gateway:{gateways}@{valkey}/0",
        "secret_key": token_hex(SECRET_BYTES),
        "receipt_key": token_hex(SECRET_BYTES),
        "second_factor_keys": token_hex(SECRET_BYTES),
        "metrics_token": token_hex(SECRET_BYTES),
        "grafana_password": token_hex(SECRET_BYTES),
    }


def write(folder: Path, **hosts: str) -> None:
    """Write them all, or raise FileExistsError: secrets in use are never replaced."""
    folder.mkdir(mode=0o700)
    for name, secret in secrets(**hosts).items():
        file = folder / name
        file.write_text(f"{secret}\n")
        file.chmod(0o444)  # read by users of containers; on the host nobody else gets into the folder


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(
            "make_secrets.py FOLDER [postgres=host:port] [pgbouncer=host:port] [valkey=host:port] [replica=host:port]"
        )
    write(Path(sys.argv[1]), **dict(argument.split("=", 1) for argument in sys.argv[2:]))

"""The reference, PostgreSQL itself: pgbench on the same server, in a separate database."""

import os
import re
import subprocess

from sqlalchemy import make_url

from embedded.postgres import Postgres

DATABASE = "bench_reference"
SCALE = 10
CLIENTS = 8
THREADS = 2

_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class Reference:
    """pgbench at scale 10 with 8 clients and 2 threads, on the server that is measured."""

    def __init__(self, postgres: Postgres) -> None:
        """Create and fill the database."""
        self.pgbench = postgres.bin_dir / "pgbench"
        self.environ = os.environ | libpq_environ(postgres.create_database(DATABASE))
        self._run("-i", "-q", "-s", str(SCALE))

    def tpcb_per_second(self, seconds: float) -> float:
        """Transactions per second of the tpcb-like script."""
        return self._measure(seconds)

    def select_per_second(self, seconds: float) -> float:
        """Transactions per second of one SELECT by key (`pgbench -S`, simple protocol)."""
        return self._measure(seconds, "-S")

    def _measure(self, seconds: float, *options: str) -> float:
        whole = str(max(1, round(seconds)))
        output = self._run("-n", "-c", str(CLIENTS), "-j", str(THREADS), "-T", whole, *options)
        found = _TPS.search(output)
        return float(found[1]) if found else 0.0  # it prints no rate if the time was too short for a transaction

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([self.pgbench, *arguments], env=self.environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"pgbench {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def libpq_environ(url: str) -> dict[str, str]:
    """The environment by which libpq's programs find the database of a SQLAlchemy URL."""
    parsed = make_url(url)
    return {
        "PGHOST": str(parsed.query.get("host") or parsed.host),
        "PGPORT": str(parsed.port or 5432),
        "PGUSER": str(parsed.username),
        "PGPASSWORD": str(parsed.password),
        "PGDATABASE": str(parsed.database),
    }

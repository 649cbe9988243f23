"""Drivers that prepare and measure each peer."""

import json
import os
import random
import secrets
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Protocol

import redis
from sqlalchemy import NullPool, create_engine, text

from bench import load
from bench.load import Plan
from bench.reference import libpq_environ
from bench.stack import CHECKOUT, Stack

HERE = Path(__file__).parent
CONNECTIONS = 8
REQUESTS = 5_000
START_SECONDS_MAX = 30
WEB = ["gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "8", "bench.peers.naive_peer:web"]
WORKER = ["celery", "-A", "bench.peers.naive_peer", "worker", "--concurrency", "2", "--loglevel", "WARNING"]


class Peer(Protocol):
    """A system to compare with; `name` is the name of its figure."""

    name: str

    def per_second(self, seconds: float) -> float:
        """Payments per second, measured for this time."""


def prepare(stack: Stack, accounts: int) -> list[Peer]:
    """All peers, ready to be measured."""
    return [Hordak(stack), Naive(stack, accounts)]


class Hordak:
    """django-hordak 2.0 with four processes, in an environment of its own."""

    name = "hordak"
    home = CHECKOUT / ".run" / "bench-peers"

    def __init__(self, stack: Stack) -> None:
        if not self.home.exists():
            venv.create(self.home, with_pip=True)
        requirements = HERE / "hordak_requirements.txt"
        pip = [self.home / "bin" / "pip", "install", "--quiet", "--require-hashes", "-r", requirements]
        subprocess.run(pip, check=True)
        self.environ = os.environ | libpq_environ(stack.postgres.create_database("bench_hordak"))
        self._run("prepare")

    def per_second(self, seconds: float) -> float:
        """Transfers a second of its four processes together."""
        return float(self._run("measure", str(seconds)))

    def _run(self, *arguments: str) -> str:
        command = [self.home / "bin" / "python", HERE / "hordak_peer.py", *arguments]
        done = subprocess.run(command, env=self.environ, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout


class Naive:
    """Flask behind gunicorn with two times eight threads, Celery with two; up only while measured."""

    name = "naive"

    def __init__(self, stack: Stack, accounts: int) -> None:
        self.stack = stack
        self.accounts = accounts
        self.address = ("127.0.0.1", free_port())
        self.token = secrets.token_hex(32)
        url = stack.postgres.create_database("bench_naive")
        self.engine = create_engine(url, poolclass=NullPool)
        self.broker = stack.valkey.url(1)
        broker = self.broker.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        self.environ = {"NAIVE_DATABASE_URL": url, "NAIVE_REDIS_URL": broker}
        fill = [sys.executable, "-m", "bench.peers.naive_peer", str(accounts), self.token]
        subprocess.run(fill, cwd=CHECKOUT, env=os.environ | self.environ, check=True)

    def per_second(self, seconds: float) -> float:
        """Payments COMPLETED a second, 8 connections at full load."""
        redis.Redis.from_url(self.broker).flushdb()
        chance = random.Random(20)
        pairs = [chance.sample(range(1, self.accounts + 1), 2) for _ in range(REQUESTS)]
        requests = [self._request(*pair) for pair in pairs]
        web = self.stack.start_other("naive web", *WEB, "--bind", f"127.0.0.1:{self.address[1]}", **self.environ)
        worker = self.stack.start_other("naive worker", *WORKER, **self.environ)
        self.started = time.time()
        try:
            worker.wait_until(self._is_posting, START_SECONDS_MAX)
            outcome = load.generate(Plan(self.address, requests, CONNECTIONS, seconds))
            with self.engine.connect() as connection:
                window = {"opened": outcome.opened, "closed": outcome.closed}
                return connection.scalar(COMPLETED, window) / seconds
        finally:
            worker.stop()
            web.stop()

    def _request(self, source: int, target: int) -> bytes:
        order = {"source": source, "target": target, "amount": "1.00"}
        return load.post("/v1/transfers", self.token, json.dumps(order).encode())

    def _is_posting(self) -> bool:
        """Return True if a payment submitted now, or before, is COMPLETED."""
        plan = Plan(self.address, [self._request(1, 2)], connections=1, seconds=0.1, warm_up=0)
        try:
            load.run(plan)
        except OSError:
            return False
        with self.engine.connect() as connection:
            return connection.scalar(COMPLETED, {"opened": self.started, "closed": time.time()}) > 0


COMPLETED = text("""
    SELECT count(*) FROM payments WHERE state = 'COMPLETED'
    AND extract(epoch FROM finalized_at AT TIME ZONE 'UTC') BETWEEN :opened AND :closed
""")


def free_port() -> int:
    """A free TCP port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]

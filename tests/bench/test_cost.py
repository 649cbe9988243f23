"""The cost of a payment leaves out nothing that has ended, and counts what the WAL holds."""

import subprocess
import sys

import psutil
import pytest

from bench.cost import Meter
from bench.stack import Product, cpu_seconds_of
from embedded import home
from embedded.postgres import SUPERUSER, Postgres

ENDS_A_THREAD_AND_A_CHILD = """
import subprocess, sys, threading, time
def burn():
    while time.thread_time() < 0.3: pass
thread = threading.Thread(target=burn)
thread.start()
thread.join()
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"])
print(flush=True)
input()
"""
ROWS = 1_000


def test_cpu_of_ended_threads_and_children_is_counted() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", ENDS_A_THREAD_AND_A_CHILD], **pipes) as process:
        process.stdout.readline()
        assert cpu_seconds_of(psutil.Process(process.pid)) >= 0.59
        process.stdin.close()


def test_wal_of_known_insertions_is_counted() -> None:
    with home.temporary() as place:
        postgres = Postgres(place, options={"autovacuum": "off"})
        postgres.start()
        try:
            product = Product("", "", postgres.url(SUPERUSER, SUPERUSER))
            product.cpu_seconds = lambda: {"postgres": cpu_seconds_of(psutil.Process(postgres.pid))}
            with product.superuser_engine().connect() as connection:
                connection.exec_driver_sql("CREATE TABLE kept (id int PRIMARY KEY, other int)")
                connection.exec_driver_sql("CREATE INDEX ON kept (other)")
                with Meter(product) as meter:
                    connection.exec_driver_sql(f"INSERT INTO kept SELECT n, n FROM generate_series(1, {ROWS}) AS n")
                    meter.stop()
                    connection.exec_driver_sql(f"INSERT INTO kept SELECT -n, n FROM generate_series(1, {ROWS}) AS n")
        finally:
            postgres.stop()
    cost = meter.per(ROWS, {"load": 1.0})
    assert cost["index_insertions"] == pytest.approx(2, abs=0.01)
    assert 3 <= cost["wal_records"] < 3.5
    assert cost["wal_bytes"] > 150
    assert cost["cpu_postgres"] > 0
    assert cost["cpu_load"] == 1_000

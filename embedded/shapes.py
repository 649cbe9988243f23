"""Which processes the embedded stack has, by its shape, and what each of them runs."""

from embedded.home import StackError

WORKER = ["celery", "-A", "celery_config", "worker", "--without-gossip", "--without-mingle", "--without-heartbeat"]
"""Celery's own heartbeats are off: a worker would try to send one until the broker is back, and ignore signals."""

GATEWAY = ["gunicorn", "--config", "gateway/gunicorn_conf.py", "wsgi:app"]

HOUSEKEEPING = ("posting", "upkeep", "rails", "webhooks", "beat")
"""The kinds of work of the process of that name, whose tasks are threads; each other process does that of its name."""

THREADS = 16
"""Of each task one may run or wait, and of each queue another wait: more are not taken, so none waits for a thread."""

SHAPES = {
    "compact": {
        "gateway": GATEWAY,
        "posting": [*WORKER, "--queues", "payments", "--pool", "solo", "-n", "posting@%h"],
        "housekeeping": [
            *(*WORKER, "--queues", "payments,upkeep,rails,webhooks", "--pool", "threads"),
            *("--concurrency", f"{THREADS}", "--beat", "-n", "housekeeping@%h"),
        ],
    },
    "separate": {
        "gateway": GATEWAY,
        "posting": [*WORKER, "--queues", "payments", "--concurrency", "2", "-n", "posting@%h"],
        "upkeep": [*WORKER, "--queues", "upkeep", "--pool", "solo", "-n", "upkeep@%h"],
        "rails": [*WORKER, "--queues", "rails", "--pool", "solo", "-n", "rails@%h"],
        "webhooks": [*WORKER, "--queues", "webhooks", "--pool", "solo", "-n", "webhooks@%h"],
        "beat": ["celery", "-A", "celery_config", "beat"],
    },
}
"""Every process of the product, by name: a Python module and its arguments. By STACK_SHAPE, in as many processes as
memory allows (compact), or in those of a large deployment."""

BANK = [
    *("gunicorn", "--config", "embedded/bank_serve.py", "--worker-class", "gthread", "--threads", "64"),
    *("--graceful-timeout", "2", "--no-control-socket", "--bind", "{bind}", "embedded.bank:app()"),
]
"""The simulated bank: one server process, whose threads may hang."""


def commands(shape: str) -> dict[str, list[str]]:
    """The processes of that shape; raises StackError if there is none."""
    if shape not in SHAPES:
        raise StackError(f"STACK_SHAPE is {' or '.join(SHAPES)}, not {shape!r}")
    return SHAPES[shape]


def kinds(name: str) -> tuple[str, ...]:
    """The kinds of work that the process of this name does."""
    return HOUSEKEEPING if name == "housekeeping" else (name,)

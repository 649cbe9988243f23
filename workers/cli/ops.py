"""`flask ops`: what ops do over HTTP, in a shell and with the worker's database role."""

from workers.cli.group import WorkerGroup
from workers.cli.ops_batches import COMMANDS

ops_cli = WorkerGroup("ops", help="Retry many payments, and see how far that is (with the worker's database role).")
for command in COMMANDS:
    ops_cli.add_command(command)

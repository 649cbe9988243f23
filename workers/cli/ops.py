"""`flask ops`: what ops do over HTTP, in a shell and with the worker's database role; and the canary."""

from workers.cli import ops_batches, ops_books
from workers.cli.group import WorkerGroup
from workers.cli.ops_canary import canary

ops_cli = WorkerGroup("ops", help="Retry many payments, verify and sign the books, pay as a canary.")
for command in (*ops_batches.COMMANDS, *ops_books.COMMANDS, canary):
    ops_cli.add_command(command)

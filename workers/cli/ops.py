"""`flask ops`: what ops do over HTTP, in a shell and with the worker's database role."""

from workers.cli import ops_batches, ops_books
from workers.cli.group import WorkerGroup

ops_cli = WorkerGroup("ops", help="Retry many payments, verify and sign the books (with the worker's database role).")
for command in (*ops_batches.COMMANDS, *ops_books.COMMANDS):
    ops_cli.add_command(command)

"""The application of the `flask` commands: without the gateway, which takes twice as long to load."""

from flask import Flask

from workers.cli.books import books_cli
from workers.cli.ops import ops_cli
from workers.cli.payments import payments_cli
from workers.cli.users import users_cli
from workers.cli.workers import workers_cli

GROUPS = (books_cli, ops_cli, payments_cli, users_cli, workers_cli)

app = Flask("workers")
for group in GROUPS:
    app.cli.add_command(group)

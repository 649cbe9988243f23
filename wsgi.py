"""The WSGI application, with the `flask` commands of gateway and workers."""

from gateway import create_app
from workers.cli.books import books_cli
from workers.cli.payments import payments_cli
from workers.cli.users import users_cli
from workers.cli.workers import workers_cli

app = create_app()
app.cli.add_command(books_cli)
app.cli.add_command(payments_cli)
app.cli.add_command(users_cli)
app.cli.add_command(workers_cli)

"""The WSGI application, and the commands of gateway and workers on `flask`."""

from gateway import create_app
from workers.books import books_cli
from workers.commands import payments_cli
from workers.health import workers_cli
from workers.users import users_cli

app = create_app()
app.cli.add_command(books_cli)
app.cli.add_command(payments_cli)
app.cli.add_command(users_cli)
app.cli.add_command(workers_cli)

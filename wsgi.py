"""The WSGI application, with the `flask` commands of gateway and workers."""

from gateway import create_app
from workers.cli.app import GROUPS

app = create_app()
for group in GROUPS:
    app.cli.add_command(group)

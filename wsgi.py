"""The WSGI application; `flask --app wsgi` has the commands of the OpenAPI document besides those of the workers."""

from gateway import create_app
from workers.cli.app import GROUPS

app = create_app()
for group in GROUPS:
    app.cli.add_command(group)

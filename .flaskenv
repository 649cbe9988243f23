# What `flask` runs in a checkout: the commands of the workers; `flask --app wsgi` has those of the gateway too.
FLASK_APP=workers.cli.app

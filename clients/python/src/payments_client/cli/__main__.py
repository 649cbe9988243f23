"""`python -m payments_client.cli` is the command `payments`."""

from payments_client.cli.app import main

main()

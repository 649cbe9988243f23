"""The blueprint of the pages of merchants and clients; the modules of its pages add to it."""

from gateway.pages.visitors import page_blueprint

MERCHANT, CLIENT = "merchant", "client"

app_pages = page_blueprint("app_pages", "/app", (MERCHANT, CLIENT))

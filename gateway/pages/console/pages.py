"""The blueprint of the console; the modules of its pages add to it."""

from gateway.pages.visitors import AUDITOR, OPS, page_blueprint

console = page_blueprint("console", "/console", (OPS, AUDITOR))

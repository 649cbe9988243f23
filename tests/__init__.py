"""Tests of the product, on servers of their own: a stack that runs in this checkout is not theirs."""

import settings

settings.STACK_FILE = settings.STACK_FILE.with_name("none")

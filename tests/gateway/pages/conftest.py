"""Browsers of the people of a console."""

import pytest

from tests.gateway.harness import ApiHarness
from tests.gateway.pages.browsers import Browser


@pytest.fixture(scope="module")
def ops(api: ApiHarness) -> Browser:
    return Browser(api, api.person("ops", "Olga").token)


@pytest.fixture(scope="module")
def auditor(api: ApiHarness) -> Browser:
    return Browser(api, api.person("auditor", "Aud").token)

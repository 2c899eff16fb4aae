"""Webhooks may go to this machine, in plain http and to any port, where a test says so by using `loopback`."""

import pytest
from pytest_django.fixtures import Settings


class AnyPort(list[int]):
    """The ports of test servers are whatever was free."""

    def __contains__(self, port: object) -> bool:
        return True


@pytest.fixture
def loopback(settings: Settings) -> Settings:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    settings.WEBHOOK_PORTS = AnyPort()
    return settings

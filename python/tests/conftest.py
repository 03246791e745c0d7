"""Shared fixtures."""

import pytest
from fake_daemon import FakeDaemon


@pytest.fixture
def daemon():
    """A fake daemon with golden answers."""
    fake = FakeDaemon()
    yield fake
    fake.close()


@pytest.fixture
def client(daemon):
    """A client of it."""
    with daemon.client() as made:
        yield made

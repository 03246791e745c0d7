"""Shared fixtures."""

import pytest
from fake_daemon import FakeDaemon
from fake_slots import SlotStreams


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


@pytest.fixture
def slots(daemon):
    """The fake daemon's streams in shared memory."""
    streams = SlotStreams(daemon)
    yield streams
    streams.close()

"""Shared fixtures."""

import os
import sys
from pathlib import Path

import pytest
from fake_daemon import FakeDaemon
from fake_slots import SlotStreams

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "Benchmarks"))

import harness  # noqa: E402


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


@pytest.fixture(scope="session")
def binaries():
    """Where the built programs are: ``$GROUNDWELL_BIN``, or the newest build of this checkout."""
    given = os.environ.get("GROUNDWELL_BIN")
    folders = [Path(given)] if given else [ROOT / ".build" / kind for kind in ("release", "debug")]
    found = [folder for folder in folders if (folder / "groundwelld").is_file()]
    if not found:
        pytest.skip("needs groundwelld: make build, or set GROUNDWELL_BIN")
    return max(found, key=lambda folder: (folder / "groundwelld").stat().st_mtime)


@pytest.fixture(scope="module")
def real_daemon(binaries):
    """A daemon of our own with a few triplets of three categories; ``restart`` it at will."""
    with harness.Daemon(binaries, workers=0) as daemon:
        with daemon.start() as client:
            harness.fill(client, {"cat": 9, "dog": 7, "yak": 5}, 16)
        yield daemon

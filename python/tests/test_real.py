"""Streams of a real daemon: the same bytes after a restart, a fork, a state."""

import os
from itertools import islice

import groundwell
import harness
import pytest
from groundwell import GroundwellError
from test_slots import in_child

CATEGORIES = ["cat", "dog", "yak"]


@pytest.fixture
def client(real_daemon):
    with groundwell.connect(real_daemon.socket) as made:
        yield made


@pytest.fixture
def expected(client):
    with client.stream(CATEGORIES, 4, 16, seed=3, delivery="inline") as stream:
        return [stream.get(k).body.tobytes() for k in range(24)]


@pytest.mark.parametrize("delivery", ["inline", "memfd"])
def test_a_stream_goes_on_across_a_kill_of_the_daemon(real_daemon, client, expected, delivery):
    if delivery not in client.server["capabilities"]:
        pytest.skip(f"this daemon has no delivery '{delivery}'")
    stream = client.stream(CATEGORIES, 4, 16, seed=3, delivery=delivery)
    assert stream.delivery == delivery
    held = [next(stream), next(stream)]
    real_daemon.kill()
    real_daemon.start().close()
    for k in range(2, 20):
        assert next(stream).body.tobytes() == expected[k]
    assert [batch.body.tobytes() for batch in held] == expected[:2]


def test_a_daemon_that_is_away_for_long_is_an_error_that_says_so(real_daemon, client):
    stream = client.stream(CATEGORIES, 4, 16, reconnect_timeout=0.2)
    next(stream)
    real_daemon.kill()
    try:
        with pytest.raises(GroundwellError) as caught:
            list(islice(stream, 9))
        assert caught.value.word == "not_running"
    finally:
        real_daemon.start().close()
    assert next(stream).k >= 1


def test_parent_and_child_read_the_same_stream(client, expected):
    stream = client.stream(CATEGORIES, 4, 16, seed=3)
    batch = next(stream)
    found = in_child(
        lambda: [next(stream).body.tobytes() for _ in range(6)] == expected[1:7]
        and batch.body.tobytes() == expected[0]
    )
    assert found == "True"
    for k in range(1, 12):
        assert next(stream).body.tobytes() == expected[k]
    assert batch.body.tobytes() == expected[0]


def test_a_state_goes_on_elsewhere_and_for_another_rank(client, expected):
    whole = client.stream(CATEGORIES, 4, 16, seed=3)
    list(islice((batch.k for batch in whole), 5))
    state = whole.state_dict()
    harness.fill(client, {name: entry.stock + 20 for name, entry in client.counts().items()}, 16)
    again = client.stream(CATEGORIES, 4, 16, seed=3)
    again.load_state_dict(state)
    assert next(again).body.tobytes() == expected[5]
    wanted = again.get(5).triplet.tolist()
    half = client.stream(CATEGORIES, 4, 16, seed=3, rank=1, world=2)
    half.load_state_dict(state)
    assert next(half).triplet.tolist() == wanted[2:] and half.batch_size == 2
    other = client.stream(CATEGORIES, 4, 16, seed=3)
    other.load_state_dict(half.state_dict())
    assert next(other).k == 6 and other.batch_size == 4
    for wrong in (["cat", "dog"], ["dog", "cat", "yak"]):
        with pytest.raises(GroundwellError) as caught:
            client.stream(wrong, 4, 16, seed=3).load_state_dict(state)
        assert caught.value.word == "plan_mismatch"


def test_a_client_that_dies_leaves_nothing_in_the_daemon(real_daemon, client):
    stream = client.stream(CATEGORIES, 4, 16, prefetch=0)
    next(stream)

    def files():
        return len(os.listdir(f"/proc/{real_daemon.process.pid}/fd"))

    base = files()
    for _ in range(20):
        child = os.fork()
        if child == 0:
            batches = list(islice(stream, 3))
            os._exit(len(batches))
        os.waitpid(child, 0)
    for _ in range(200):
        client.ping()
        if files() <= base:
            break
    assert files() <= base

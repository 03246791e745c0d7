"""Batches in shared memory against a fake daemon: views, their end, forks, limits."""

import gc
import itertools
import os
import pickle
import threading
import time

import numpy as np
import pytest
from fake_slots import EPOCH, body_of
from groundwell import GroundwellError


def wait_until(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.001)


def in_child(work):
    """What ``work`` returns in a forked child, as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer = "it raised"
        try:
            answer = str(work())
        except BaseException as error:
            answer = repr(error)
        finally:
            os.write(writing, answer.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_arrays_are_writable_aligned_views_of_the_slot(slots, client):
    with client.stream(["cat", "dog"], 2) as stream:
        assert stream.delivery == "memfd" and stream.slots == 4 and len(stream) == EPOCH
        batch = next(stream)
        (memory,) = [m for ms in slots.memories.values() for m in ms if m.k == 0]
        assert batch.body.tobytes() == body_of(0) and batch.waits["decode_us"] == 3
        for array in batch.tensors.values():
            assert array.flags.writeable and array.ctypes.data % 64 == 0
            assert np.shares_memory(array, batch.body)
        batch.image[:] = 77
        assert memory.map.find(bytes([77]) * batch.image.size) > 0


def test_a_slot_is_used_again_only_when_the_last_view_is_gone(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=1)
    batch = next(stream)
    corner = batch.labels[1, :2][:, ::2]
    del batch
    for _ in range(2):
        with pytest.raises(GroundwellError, match="1 batches .* 1 slots.*copy.*slots=") as caught:
            next(stream)
        assert caught.value.word == "batches_held"
    assert (corner == 65535).all() and slots.out() == 1
    del corner
    assert next(stream).triplet[0] == 1
    assert slots.over_quota == 0


def test_a_batch_in_a_reference_cycle_is_found(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=1)
    gc.disable()
    try:
        loop = [next(stream)]
        loop.append(loop)
        del loop
        assert next(stream).k == 1
    finally:
        gc.enable()


def test_the_daemon_hears_at_once_that_a_batch_is_gone(slots, client):
    stream = client.stream(["cat", "dog"], 2, prefetch=0)
    batch = next(stream)
    assert slots.out() == 1
    del batch
    wait_until(lambda: slots.out() == 0)


def test_the_iterator_asks_ahead_within_its_slots(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=4)
    batch = next(stream)
    wait_until(lambda: slots.delivered == [0, 1, 2, 3])
    kept = [batch]
    for k in range(1, 30):
        batch = next(stream)
        assert batch.body.tobytes() == body_of(k)
        kept = [kept[-1], batch]
    assert slots.over_quota == 0
    every = [m for ms in slots.memories.values() for m in ms]
    assert len(every) == 4


def test_a_quota_below_the_slots_costs_no_waiting(slots, client):
    slots.most = 2
    stream = client.stream(["cat", "dog"], 2, slots=8)
    start = time.monotonic()
    for k in range(30):
        batch = next(stream)
        assert batch.k == k
    assert time.monotonic() - start < 3 and slots.over_quota < 10


def test_get_and_seek_take_the_place_of_what_was_asked_ahead(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=2)
    first = next(stream)
    assert stream.get(1000).triplet[0] == 1000
    assert next(stream).k == 1
    stream.seek(50)
    assert next(stream).k == 50 and stream.token.k == 51
    assert first.triplet[0] == 0
    with pytest.raises(GroundwellError, match="batch -1"):
        stream.seek(-1)


def test_a_copy_does_not_hold_a_slot(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=1)
    copies = [next(stream).copy() for _ in range(10)]
    assert [copy.body.tobytes() for copy in copies] == [body_of(k) for k in range(10)]
    assert all(array.ctypes.data % 64 == 0 for array in copies[3].tensors.values())
    same = pickle.loads(pickle.dumps(copies[3]))
    assert same.body.tobytes() == body_of(3) and same.token == copies[3].token


def test_finalizers_in_other_threads_never_wait(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=8)
    handed, errors = [], []

    def drop():
        while True:
            wait_until(lambda: handed)
            batch = handed.pop(0)
            if batch is None:
                return
            if batch.body.tobytes() != body_of(batch.k):
                errors.append(batch.k)
            del batch

    thread = threading.Thread(target=drop)
    thread.start()
    for _ in range(200):
        while len(handed) > 2:
            time.sleep(0)
        handed.append(next(stream))
    handed.append(None)
    thread.join(20)
    assert not errors and not thread.is_alive() and stream.token.k == 200


def test_a_finalizer_that_runs_inside_a_call_does_not_lock_up(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=2, prefetch=0)
    connection = stream._opening.connection
    batch = next(stream)
    table = stream._opening._table
    for lock in (connection._sending, connection._changed, stream._lock, table._lock):
        with lock:
            del batch
        batch = next(stream)
    assert batch.k == 4 and slots.over_quota == 0


def test_batches_alive_at_a_fork_are_thrown_away_not_used_again(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=2, prefetch=0)
    batch = next(stream)
    before = batch.body.tobytes()
    assert in_child(lambda: batch.body.tobytes() == before) == "True"
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        os._exit(0 if batch.body.tobytes() == before else 1)
    del batch
    for k in range(1, 6):
        assert next(stream).k == k
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(reading)
    os.close(writing)
    assert slots.discarded == 1
    assert [m.k for ms in slots.memories.values() for m in ms].count(None) <= 2


def test_a_child_neither_gives_back_nor_holds_its_parents_connection(slots, daemon, client):
    stream = client.stream(["cat", "dog"], 2, slots=2, prefetch=0)
    batches = [next(stream)]

    def work():
        batches.clear()
        gc.collect()
        return stream._opening.connection.is_usable, stream._opening.connection._socket.fileno()

    assert in_child(work) == "(False, -1)"
    assert daemon.sent("batch.done") == [] and next(stream).k == 1


def test_after_a_lost_connection_old_batches_stay_and_the_next_is_the_exact_one(
    slots, daemon, client
):
    stream = client.stream(["cat", "dog"], 2, slots=3)
    old = list(itertools.islice(stream, 2))
    # All three slots are there: their descriptors count in the base.
    wait_until(lambda: slots.delivered == [0, 1, 2])
    base = descriptors()
    for conversation in list(slots.memories):
        slots.forget(*conversation)
    client._connection._socket.shutdown(2)
    batch = next(stream)
    assert batch.k == 2 and batch.body.tobytes() == body_of(2)
    assert [entry.body.tobytes() for entry in old] == [body_of(0), body_of(1)]
    del old
    assert [next(stream).k for _ in range(20)] == list(range(3, 23))
    assert daemon.connections == 2
    done = [entry["k"] for entry in daemon.sent("batch.done")]
    assert 0 not in done and 1 not in done
    del batch
    assert descriptors() <= base + 8


def test_a_stream_that_is_dropped_gives_everything_back(slots, daemon, client):
    client.ping()
    base = descriptors()
    for _ in range(3):
        stream = client.stream(["cat", "dog"], 2)
        next(stream)
        del stream
    wait_until(lambda: len(daemon.sent("stream.close")) == 3)
    wait_until(lambda: slots.out() == 0)
    client.ping()
    gc.collect()
    assert descriptors() <= base


@pytest.mark.parametrize(
    "change, message",
    [
        ({"bytes": 1 << 20}, "not that large"),
        ({"bytes": 0}, "not that large"),
        ({"capacity_bytes": 1 << 30}, "should have 1073741824"),
        ({"slot": "x"}, "described"),
        ({"descriptor": False}, "with 1 descriptors"),
    ],
)
def test_slots_that_make_no_sense_are_refused(slots, daemon, client, change, message):
    slots.slot_changes = change
    client.ping()
    base = descriptors()
    with pytest.raises(GroundwellError, match=message) as caught:
        next(client.stream(["cat", "dog"], 2, prefetch=0))
    assert caught.value.word == "bad_answer"
    del caught
    gc.collect()
    wait_until(lambda: not slots.memories)
    assert descriptors() <= base


def test_a_slot_that_could_shrink_is_refused(slots, client):
    slots.seals = 0
    with pytest.raises(GroundwellError, match="not sealed against shrinking"):
        next(client.stream(["cat", "dog"], 2, prefetch=0))


def test_a_tensor_that_was_not_asked_for_is_named(slots, client):
    batch = next(client.stream(["cat", "dog"], 2))
    with pytest.raises(GroundwellError, match="tensors=.*'instances'") as caught:
        batch.instance_offset
    assert caught.value.word == "tensor_missing"


def test_a_stream_that_asks_ahead_gives_back_with_its_next_request(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=3)
    batch = next(stream)
    wait_until(lambda: slots.out() == 3)
    del batch
    time.sleep(0.05)
    assert slots.out() == 3
    batch = next(stream)
    wait_until(lambda: slots.delivered == [0, 1, 2, 3])
    assert slots.over_quota == 0 and batch.k == 1

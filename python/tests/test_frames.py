"""Frames: golden bytes, pieces, limits, and descriptors that ride on them."""

import array
import json
import os
import socket
import threading
import time

import pytest
from golden import FRAMES, frame, raw

from groundwell import ConnectionLost, TimedOut, frames


@pytest.fixture
def pair():
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


def soon(seconds=5.0):
    return time.monotonic() + seconds


@pytest.mark.parametrize("name", sorted(path.name for path in FRAMES.glob("*.request.bin")))
def test_golden_requests_are_what_this_client_writes(name):
    golden = frame(name)
    written = b"".join(frames.encode(golden.message, golden.body.tobytes()))
    assert written == raw(name)


def test_a_golden_body_is_read_whole_and_aligned():
    golden = frame("batch.get.response.bin")
    assert golden.message["result"]["k"] == 5
    assert golden.body.nbytes > 0 and golden.body.ctypes.data % 64 == 0


def test_frames_that_come_byte_by_byte_and_glued_together(pair):
    near, far = pair
    names = ["ping.response.bin", "batch.get.response.bin", "error.response.bin"]
    stream = b"".join(raw(name) for name in names)

    def drip():
        for index in range(300):
            far.sendall(stream[index : index + 1])
        far.sendall(stream[300:])

    sender = threading.Thread(target=drip)
    sender.start()
    reader = frames.FrameReader(near)
    for name in names:
        got, expected = reader.read(soon()), frame(name)
        assert got.message == expected.message
        assert got.body.tobytes() == expected.body.tobytes()
    sender.join()


def test_a_read_that_timed_out_goes_on_where_it_stopped(pair):
    near, far = pair
    stream = raw("batch.get.response.bin")
    reader = frames.FrameReader(near)
    for start in range(0, len(stream) - 1, 100):
        far.sendall(stream[start : min(start + 100, len(stream) - 1)])
        with pytest.raises(TimedOut):
            reader.read(time.monotonic())
    far.sendall(stream[-1:])
    assert reader.read(soon()).body.tobytes() == frame("batch.get.response.bin").body.tobytes()


def header(magic=b"GWF1", version=1, flags=0, descriptors=0, reserved=0, json=2, body=0):
    return frames.HEADER.pack(magic, version, flags, descriptors, reserved, json, body)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"HTTP/1.1 400 Bad Request", "is this a Groundwell socket"),
        (header(version=2), "is this a Groundwell socket"),
        (header(flags=1), "is this a Groundwell socket"),
        (header(reserved=1), "is this a Groundwell socket"),
        (header(descriptors=5), "5 descriptors"),
        (header(json=1), "1 bytes of JSON"),
        (header(json=(1 << 20) + 1), "bytes of JSON"),
        (header(body=(256 << 20) + 1), "a body of 268435457 bytes; at most 268435456"),
        (header(json=2) + b"[]", "no JSON object"),
        (header(json=2) + b"\xff\xfe", "no JSON object"),
        (header(json=200_000) + b"[" * 200_000, "no JSON object"),
        (header(descriptors=1) + b"{}", "more descriptors than came"),
    ],
)
def test_a_broken_frame_ends_the_connection_with_a_reason(pair, data, part):
    near, far = pair
    sender = threading.Thread(target=lambda: far.sendall(data))
    sender.start()
    with pytest.raises(ConnectionLost, match=part) as caught:
        frames.FrameReader(near).read(soon())
    assert caught.value.word == "bad_answer"
    sender.join()


def test_the_end_of_the_stream_is_a_lost_connection(pair):
    near, far = pair
    far.sendall(raw("ping.response.bin")[:-1])
    far.close()
    with pytest.raises(ConnectionLost, match="closed the connection"):
        frames.FrameReader(near).read(soon())


def test_descriptors_stay_with_their_frames_and_are_not_inherited(pair):
    near, far = pair
    first = raw("descriptors.bin")
    text = json.dumps({"jsonrpc": "2.0", "id": 4, "result": {}}).encode()
    second = header(descriptors=1, json=len(text)) + text
    made = [os.memfd_create(f"test {number}") for number in range(3)]
    for number, descriptor in enumerate(made):
        os.write(descriptor, b"%d" % number)

    def send(data, descriptors):
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
        assert far.sendmsg([data], [rights]) == len(data)

    send(first, made[:2])
    send(second, made[2:])
    for descriptor in made:
        os.close(descriptor)
    reader = frames.FrameReader(near)
    one, two = reader.read(soon()), reader.read(soon())
    got = one.descriptors + two.descriptors
    assert (len(one.descriptors), len(two.descriptors)) == (2, 1)
    assert [os.pread(descriptor, 1, 0) for descriptor in got] == [b"0", b"1", b"2"]
    assert not any(os.get_inheritable(descriptor) for descriptor in got)
    for descriptor in got:
        os.close(descriptor)


def test_closing_a_reader_closes_descriptors_that_nobody_took(pair):
    near, far = pair
    reading, writing = os.pipe()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writing]))
    far.sendmsg([raw("descriptors.bin")[:10]], [rights])
    os.close(writing)
    reader = frames.FrameReader(near)
    with pytest.raises(TimedOut):
        reader.read(time.monotonic())
    reader.close()
    assert os.read(reading, 1) == b""  # The last writing end is gone.
    os.close(reading)

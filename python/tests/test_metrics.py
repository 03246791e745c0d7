"""The figures of a real daemon, as an OpenMetrics parser reads them, and the server they come from."""

import os
import socket
import time
from contextlib import closing

import groundwell
import harness
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from service import Manager, listening

TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Endpoint:
    """A client of the figures that says exactly what a test wants."""

    def __init__(self, path):
        self.path = path

    def connect(self):
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(20)
        made.connect(self.path)
        return made

    def ask(self, request=b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"):
        """Status, headers and body of one answer."""
        with closing(self.connect()) as made:
            made.sendall(request)
            return self.answer(made)

    @staticmethod
    def answer(made):
        data = b""
        while part := made.recv(1 << 16):
            data += part
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(first.split(" ")[1]), headers, body.decode()

    def figures(self):
        """Every sample by its name and labels."""
        status, headers, body = self.ask()
        assert (status, headers["Content-Type"]) == (200, TYPE)
        found = {}
        for family in text_string_to_metric_families(body):
            assert family.documentation and family.type in ("counter", "gauge", "info")
            for sample in family.samples:
                key = (sample.name, *sorted(sample.labels.items()))
                assert key not in found
                found[key] = sample.value
        return found


@pytest.fixture(scope="module")
def manager(binaries):
    with Manager(binaries) as made:
        made.start("--metrics", f"unix:{made.folder}/metrics", "--stall-seconds", "1")
        yield made
        assert made.stop() == 0
        assert not os.path.exists(f"{made.folder}/metrics")


@pytest.fixture
def endpoint(manager):
    return Endpoint(f"{manager.folder}/metrics")


def test_figures_count_what_was_done(manager, endpoint):
    before = endpoint.figures()
    with manager.client() as client:
        harness.fill(client, {"cat": 5, "potted plant": 3}, 16)
        client.backfill({"cat": 9}, engine="nobody", companions=False)
        with client.stream(["cat", "potted plant"], 4, delivery="memfd") as stream:
            bytes_out = sum(next(stream).body.nbytes for _ in range(3))
            with client.stream(["cat"], 2, delivery="inline") as other:
                next(other)
                during = endpoint.figures()
        with pytest.raises(groundwell.GroundwellError):
            client.call("counts", {"categories": ["unicorn"]})
    after = endpoint.figures()

    def grown(*key):
        return after[key] - before.get(key, 0)

    assert grown("groundwell_ingested_triplets_total") == 8
    assert grown("groundwell_ingested_bytes_total") > 8 * 16 * 16 * 4
    assert grown("groundwell_batches_total", ("delivery", "memfd")) >= 3
    assert grown("groundwell_batches_total", ("delivery", "inline")) >= 1
    assert grown("groundwell_batch_bytes_total") >= bytes_out
    assert grown("groundwell_batch_triplets_total") >= 3 * 4 + 2
    assert grown("groundwell_batch_wait_seconds_total", ("cause", "decode")) > 0
    for cause in ("disk", "quota", "thin"):
        assert grown("groundwell_batch_wait_seconds_total", ("cause", cause)) >= 0
    assert grown("groundwell_refusals_total", ("word", "category_unknown")) == 1
    assert after[("groundwell_category_stock", ("category", "potted plant"))] == 3
    assert after[("groundwell_category_shortfall", ("category", "cat"))] == 4
    assert after[("groundwell_category_pending", ("category", "cat"))] == 4
    assert after[("groundwell_queue_depth", ("queue", "work"))] == 4
    assert after[("groundwell_wal_bytes",)] > 0
    assert after[("groundwell_pack_bytes",)] > 0
    assert after[("groundwell_triplets",)] == 8
    assert during[("groundwell_slot_bytes",)] > 0
    assert during[("groundwell_streams",)] == 2
    assert during[("groundwell_connections",)] == 1
    assert after[("groundwell_checksum_failures_total",)] == 0


def test_leases_that_run_out_and_damaged_triplets_are_counted(binaries):
    with Manager(binaries) as made:
        made.start("--metrics", f"unix:{made.folder}/metrics")
        endpoint = Endpoint(f"{made.folder}/metrics")
        with made.client() as client:
            harness.fill(client, {"cat": 2}, 16)
            client.backfill({"dog": 1}, engine=harness.OWN_ENGINE, companions=False)
            assert client.lease("w", [harness.OWN_ENGINE], 1, lease_seconds=1)
            until = time.monotonic() + 10
            while not endpoint.figures()[("groundwell_lease_expiries_total",)]:
                assert time.monotonic() < until
                time.sleep(0.05)
            pack = next((made.folder / "store" / "packs").glob("*.pack"))
            data = bytearray(pack.read_bytes())
            data[len(data) // 4] ^= 0xFF
            pack.write_bytes(data)
            assert client.check(deep=True).quarantined
            figures = endpoint.figures()
            assert figures[("groundwell_checksum_failures_total",)] >= 1
            assert figures[("groundwell_quarantined_triplets",)] >= 1
            assert figures[("groundwell_lease_expiries_total",)] == 1


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
def test_images_that_come_from_memory_are_counted_and_the_same(binaries, layout):
    with Manager(binaries) as made:
        made.start("--metrics", f"unix:{made.folder}/metrics")
        endpoint = Endpoint(f"{made.folder}/metrics")
        with made.client() as client:
            harness.fill(client, {"cat": 4}, 16)
            seen = {}
            with client.stream(["cat"], 4, tensors=["image", "labels", "triplet"], layout=layout) as stream:
                for _ in range(6):
                    batch = next(stream)
                    for place, triplet in enumerate(batch.triplet):
                        what = (batch.image[place].tobytes(), batch.labels[place].tobytes())
                        seen.setdefault(int(triplet), set()).add(what)
            figures = endpoint.figures()
        assert len(seen) == 4 and all(len(found) == 1 for found in seen.values())
        # Kept the second time and from memory afterwards; the client asks for more batches than it takes.
        assert figures[("groundwell_pixel_cache_hits_total",)] >= 6 * 4 - 3 * 4
        assert figures[("groundwell_pixel_cache_bytes",)] > 4 * 16 * 16 * 3


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics HTTP/1.0\n\n", 200),
        (b"GET /metrics?name=x HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nxxx", 405),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", 405),
        (b"GET /metrics HTTP/2\r\n\r\n", 505),
        (b"\x00\xff\x00\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"X" * 20_000, 431),
    ],
)
def test_only_reading_is_answered(endpoint, request_bytes, status):
    found, headers, body = endpoint.ask(request_bytes)
    assert found == status
    assert headers["Connection"] == "close"
    assert int(headers["Content-Length"]) == len(body.encode())


def test_head_has_the_headers_alone(endpoint):
    status, headers, body = endpoint.ask(b"HEAD /metrics HTTP/1.1\r\n\r\n")
    assert (status, headers["Content-Type"], body) == (200, TYPE, "")
    assert int(headers["Content-Length"]) > 1000


def test_slow_clients_are_dropped_and_others_are_served(manager, endpoint):
    slow = [endpoint.connect() for _ in range(20)]
    for made in slow:
        made.sendall(b"GET /metr")
    started = time.monotonic()
    endpoint.figures()  # Waits for a place, which the slow ones must give up.
    assert time.monotonic() - started < 12
    with manager.client() as client:
        client.call("ping", {})
    for made in slow:
        assert made.recv(100) == b""
        made.close()


def test_one_that_does_not_read_is_dropped(manager, endpoint):
    with closing(endpoint.connect()) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        silent.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        for _ in range(20):
            endpoint.figures()


def test_a_descriptor_that_comes_along_is_closed(endpoint):
    with closing(endpoint.connect()) as made:
        reading, writing = os.pipe()
        socket.send_fds(made, [b"GET /metrics HTTP/1.1\r\n\r\n"], [writing])
        os.close(writing)
        assert endpoint.answer(made)[0] == 200
        assert os.read(reading, 1) == b""  # Nobody has the other end any more.
        os.close(reading)


def test_a_port_answers_its_own_names_only(binaries):
    with Manager(binaries) as manager:
        manager.start("--metrics", "127.0.0.1:0")
        line = next(line for line in manager.log().splitlines() if "http://" in line)
        port = int(line.partition("http://127.0.0.1:")[2].partition("/")[0])

        def status(host):
            with closing(socket.create_connection(("127.0.0.1", port), 5)) as made:
                made.sendall(f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                return Endpoint.answer(made)[0]

        assert status(f"127.0.0.1:{port}") == status("LOCALHOST") == status("[::1]:80") == 200
        assert status("rebound.example") == status("127.0.0.1.example:80") == 403


def test_a_socket_unit_may_hand_the_endpoint_over(binaries, tmp_path):
    path = str(tmp_path / "m")
    made = listening(path)
    with Manager(binaries) as manager:
        manager.start(passed=((made, "metrics"),))
        assert Endpoint(path).figures()[("groundwell_triplets",)] == 0
        assert manager.stop() == 0
        assert os.path.exists(path)
    made.close()


def test_the_socket_is_its_owners_alone(manager, endpoint):
    assert os.stat(endpoint.path).st_mode & 0o777 == 0o600

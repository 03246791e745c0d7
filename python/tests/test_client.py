"""The client against a fake daemon: every method, its errors, and its connection's life."""

import os
import pickle
import socket
import threading
import time

import groundwell
import numpy as np
import pytest
from golden import frame
from groundwell import GroundwellError, Lease, Mask, Provenance
from test_safetensors import IMAGE, MASK


def golden_request(method):
    return frame(f"{method}.request.bin").message["params"]


def job(**changes):
    return {**frame("job.wait.response.bin").message["result"]["jobs"][0], **changes}


def test_hello_comes_first_and_its_limits_are_kept(daemon, client):
    client.ping()
    assert [entry["method"] for entry in daemon.requests] == ["hello", "ping"]
    assert daemon.sent("hello")[0]["protocols"] == [1]
    assert client.server["server"] == "groundwelld 0.1.0"


def test_counts(daemon, client):
    counts = client.counts(minimum=100, categories=["cat"])
    assert daemon.sent("counts") == [golden_request("counts")]
    assert (counts.snapshot, counts.triplets, len(counts)) == (1042, 1000, 1)
    assert counts["cat"].stock == 60 and counts["cat"].shortfall == 40
    assert list(counts) == ["cat"] and "dog" not in counts


def test_backfill_of_a_mapping_and_of_names(daemon, client):
    result = client.backfill(
        {"cat": 80}, engine="scenes", image_size=64, priority=1, seed=7, companions=True
    )
    client.backfill(["cat", "dog"], 5)
    client.backfill("cat", 6)
    assert daemon.sent("backfill") == [
        golden_request("backfill"),
        {"goals": [{"category": "cat", "target": 5}, {"category": "dog", "target": 5}]},
        {"goals": [{"category": "cat", "target": 6}]},
    ]
    assert result.outcomes[0].outcome == "created" and result.job_numbers == [3]
    with pytest.raises(GroundwellError, match="need a target"):
        client.backfill(["cat"])
    with pytest.raises(GroundwellError, match="not both"):
        client.backfill({"cat": 1}, 2)


def test_backfill_waits_and_reports_progress(daemon, client):
    def wait(conversation, request):
        conversation.progress(request, [job(state="active", done=7)])
        conversation.progress({"id": 9999}, [job(state="active", done=1)])
        finished = len(daemon.sent("job.wait")) == 2
        state = "done" if finished else "active"
        result = {"jobs": [job(state=state, done=20, parked=0)], "finished": finished}
        conversation.answer(request, result)

    daemon.handlers["job.wait"] = wait
    seen = []
    result = client.backfill(["cat"], 80, wait=True, progress=lambda jobs: seen.append(jobs[0]))
    assert [entry.done for entry in seen] == [7, 20, 7, 20]
    assert result.jobs[0].state == "done"


def test_waiting_ends_with_an_error_when_a_job_falls_short_or_time_is_up(daemon, client):
    with pytest.raises(GroundwellError, match="job 3 .'cat'. is failed with 19 of 20") as caught:
        client.backfill({"cat": 80}, wait=True)
    assert caught.value.word == "job_failed"
    daemon.handlers["job.wait"] = lambda conversation, request: conversation.answer(
        request, {"jobs": [job(state="active")], "finished": False}
    )
    with pytest.raises(GroundwellError, match="they go on") as caught:
        client.wait([3], wait_timeout=0)
    assert caught.value.word == "deadline_reached"


def test_jobs_and_cancel(daemon, client):
    jobs = client.jobs([3], state="active", limit=10)
    assert daemon.sent("job.list") == [golden_request("job.list")]
    assert jobs[0].last_error == "item 4: no sprite of 'cat'" and jobs[0].state == "failed"
    assert client.cancel(3)[0].job == 3
    assert daemon.sent("job.cancel") == [golden_request("job.cancel")]


def test_query_and_triplet(daemon, client):
    params = golden_request("triplet.query")
    found = client.query(**params)
    assert daemon.sent("triplet.query") == [params]
    assert found[0].masks == [Mask("cat", 0, "exact", 1, 0.75, 812)]
    assert found[0].provenance.sampler == "ddim"
    triplet = client.triplet(17)
    assert triplet.info == found[0]
    assert (triplet.image == IMAGE).all() and (triplet.masks == MASK).all()


def test_check_and_status(client):
    assert client.status()["workers"][0]["state"] == "running"
    result = client.check(deep=True)
    assert result.quarantined == [17] and result.blobs_read == 2800


def test_work(daemon, client):
    items = client.lease("local-0", ["scenes"], 16, lease_seconds=30, wait_seconds=10)
    assert daemon.sent("work.lease") == [golden_request("work.lease")]
    assert items[0].lease == Lease(3, 4, 9) and items[0].companions[0]["category"] == "dog"
    params = golden_request("work.submit")
    submitted = client.submit(
        items[0],
        IMAGE,
        MASK.astype(bool),
        [Mask(**mask) for mask in params["masks"]],
        prompt=params["prompt"],
        provenance=Provenance(**params["provenance"]),
    )
    assert submitted.triplet == 17 and not submitted.duplicate
    assert daemon.sent("work.submit") == [params]
    assert daemon.bodies["work.submit"] == frame("work.submit.request.bin").body.tobytes()
    assert client.renew(items, 30) == [Lease(3, 4, 9)]
    assert client.fail(items[0], "no sprite of 'cat'") is True
    client.release([Lease(3, 4, 9)])
    for method in ("work.renew", "work.fail", "work.release"):
        assert daemon.sent(method) == [golden_request(method)]


def test_a_refused_request_raises_its_word_and_leaves_the_connection_usable(daemon, client):
    def refuse(conversation, request):
        error = frame("error.response.bin").message["error"]
        conversation.send({"jsonrpc": "2.0", "id": request["id"], "error": error})

    daemon.handlers["counts"] = refuse
    with pytest.raises(GroundwellError) as caught:
        client.counts()
    error = caught.value
    assert (error.word, error.code, error.retry_after) == ("over_quota", -32060, 0.25)
    assert error.message == "64 requests have no answer yet; at most 64"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.word, copy.code, str(copy)) == (error.word, error.code, str(error))
    client.ping()
    assert daemon.connections == 1


def test_answers_in_another_order_reach_the_threads_that_asked(daemon, client):
    held = []
    everyone_asked = threading.Event()

    def hold(conversation, request):
        held.append(request)
        if len(held) == 8:
            for earlier in reversed(held):
                info = frame("triplet.get.response.bin")
                result = {**info.message["result"], "triplet": earlier["params"]["triplet"]}
                conversation.answer(earlier, result, info.body.tobytes())
            everyone_asked.set()

    daemon.handlers["triplet.get"] = hold
    client.ping()
    got = {}

    def ask(number):
        got[number] = client.triplet(number).info.triplet

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert everyone_asked.is_set()
    assert got == {number: number for number in range(8)}


def test_a_late_answer_is_dropped_and_the_connection_stays(daemon):
    late = []

    def dawdle(conversation, request):
        late.append(request)
        if len(late) == 2:
            conversation.answer(late[0], {"old": True})
            conversation.answer(late[1], {"new": True})

    daemon.handlers["status"] = dawdle
    with daemon.client(timeout=0.2) as client:
        with pytest.raises(groundwell.TimedOut):
            client.status()
        client.timeout = 5
        assert client.status() == {"new": True}
        assert not client._connection._pending
    assert daemon.connections == 1


def test_a_lost_connection_is_told_and_the_next_call_connects_anew(daemon, client):
    daemon.handlers["counts"] = lambda conversation, request: conversation.hang_up()
    with pytest.raises(groundwell.ConnectionLost):
        client.counts()
    client.ping()
    assert daemon.connections == 2
    assert [entry["method"] for entry in daemon.requests].count("hello") == 2


def test_the_daemons_last_words_before_it_hangs_up_are_the_error(daemon, client):
    def expel(conversation, request):
        error = {"code": -32000, "message": "frame version 9", "data": {"word": "bad_frame"}}
        conversation.send({"jsonrpc": "2.0", "id": None, "error": error})
        conversation.hang_up()

    daemon.handlers["counts"] = expel
    with pytest.raises(groundwell.ConnectionLost) as caught:
        client.counts()
    assert (caught.value.word, caught.value.message) == ("bad_frame", "frame version 9")


def test_closing_wakes_a_thread_that_waits(daemon, client):
    asked = threading.Event()
    daemon.handlers["status"] = lambda conversation, request: asked.set()
    caught = []

    def ask():
        with pytest.raises(groundwell.ConnectionLost) as error:
            client.status()
        caught.append(error.value)

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(5)
    client.close()
    thread.join(5)
    assert caught and not thread.is_alive()


def test_a_forked_child_gets_its_own_connection(daemon, client):
    client.ping()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        word = b"no answer"
        try:
            dialled = []
            client._dial = lambda: dialled.append(1) or (_ for _ in ()).throw(
                groundwell.ConnectionLost("dialled", "not_running")
            )
            client.ping()
        except GroundwellError as error:
            word = error.word.encode() + b" %d" % len(dialled)
        finally:
            os.write(writing, word)
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"not_running 1"
    os.close(reading)
    os.close(writing)
    client.ping()
    assert daemon.connections == 1


def test_a_hello_that_is_refused_leaves_nothing_open(daemon):
    daemon.handlers["hello"] = lambda conversation, request: conversation.refuse(
        request, -32003, "protocol_unsupported", "this daemon speaks 2"
    )
    client = daemon.client()
    with pytest.raises(GroundwellError, match="this daemon speaks 2"):
        client.ping()
    assert client._connection is None


def test_a_missing_daemon_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "none.sock"
    with pytest.raises(GroundwellError, match="start groundwelld, or set GROUNDWELL_SOCKET") as e:
        groundwell.connect(path)
    assert e.value.word == "not_running" and str(path) in e.value.message
    with pytest.raises(GroundwellError, match="socket path of 108 bytes"):
        groundwell.connect("/" + "x" * 107)


def test_connect_says_hello_over_a_real_socket(tmp_path, daemon):
    path = str(tmp_path / "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    thread = threading.Thread(target=lambda: daemon._serve(listener.accept()[0]))
    thread.start()
    with groundwell.connect(path, timeout=5) as client:
        assert client.counts()["cat"].stock == 60
    thread.join(5)
    listener.close()


def test_the_default_path_follows_the_daemons_rule(monkeypatch):
    monkeypatch.setenv("GROUNDWELL_SOCKET", "/a/b.sock")
    assert groundwell.default_socket_path() == "/a/b.sock"
    monkeypatch.setenv("GROUNDWELL_SOCKET", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    assert groundwell.default_socket_path() == "/run/user/7/groundwell/groundwelld.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(os, "getuid", lambda: 7)
    assert groundwell.default_socket_path() == "/tmp/groundwell-7/groundwelld.sock"


def test_a_text_where_a_list_belongs_is_refused(client):
    with pytest.raises(GroundwellError, match="expected a list, got the text 'cat'"):
        client.counts(categories="cat")


def test_a_silent_daemon_is_given_up_after_the_timeout(daemon):
    daemon.handlers["hello"] = lambda conversation, request: None
    start = time.monotonic()
    with pytest.raises(groundwell.TimedOut):
        daemon.client(timeout=0.1).ping()
    assert time.monotonic() - start < 4


def test_an_answer_with_fields_missing_is_a_bad_answer(daemon, client):
    daemon.handlers["work.submit"] = lambda conversation, request: conversation.answer(
        request, {"triplet": 1}
    )
    with pytest.raises(GroundwellError, match="duplicate") as caught:
        client.submit(
            Lease(1, 2, 3), IMAGE, np.asarray(MASK), [], prompt="", provenance=Provenance("x", 1, "w", 1)
        )
    assert caught.value.word == "bad_answer"


def test_delete_takes_any_number_and_each_once(daemon, client):
    result = client.delete([17, 18, 17, 4711])
    assert daemon.sent("triplet.delete") == [golden_request("triplet.delete")]
    assert (result.deleted, result.missing, result.snapshot) == (2, [4711], 1043)
    result = client.delete(range(1, 1502))
    sizes = [len(sent["triplets"]) for sent in daemon.sent("triplet.delete")[1:]]
    assert sizes == [1000, 501] and result.deleted == 4 and result.missing == [4711, 4711]
    assert client.delete([]).deleted == 0


def test_compact(daemon, client):
    result = client.compact(dead_percent=20)
    assert daemon.sent("store.compact") == [golden_request("store.compact")]
    assert (result.forgotten, result.packs, result.held, result.oldest_held) == (120, 2, 30, 1042)


def test_search(daemon, client):
    found = client.search("cat on grass", category="cat", after=4711, limit=10)
    assert daemon.sent("triplet.search") == [golden_request("triplet.search")]
    assert [entry.triplet for entry in found] == [17]


def test_quarantine_is_listed_in_pages_and_released(daemon, client):
    pages = []

    def answer(conversation, request):
        pages.append(request["params"])
        entry = {"triplet": 7 + len(pages), "found_microseconds": 5, "reason": "a bit"}
        result = {"triplets": [entry]}
        if len(pages) < 3:
            result["next"] = entry["triplet"]
        conversation.answer(request, result)

    daemon.handlers["quarantine.list"] = answer
    assert [entry.triplet for entry in client.quarantined()] == [8, 9, 10]
    assert [page.get("after") for page in pages] == [None, 8, 9]
    result = client.release_quarantined([17, 18, 4711])
    assert daemon.sent("quarantine.release") == [golden_request("quarantine.release")]
    assert result.released == {17: 1044} and result.missing == [4711]
    assert list(result.damaged) == [18]


def test_backup_and_recount(daemon, client):
    result = client.backup("/backup/groundwell-monday")
    assert daemon.sent("store.backup") == [golden_request("store.backup")]
    assert result.snapshot == 1042 and result.files[0]["path"] == "catalog.sqlite"
    client.backup("monday")
    assert daemon.sent("store.backup")[1] == {"directory": os.path.join(os.getcwd(), "monday")}
    assert client.recount().left == ["triplet 17 has no mask"]

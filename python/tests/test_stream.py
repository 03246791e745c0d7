"""Streams against a fake daemon: order, addressing, resume, reopening."""

import time
from itertools import islice

import groundwell
import pytest
from golden import frame
from groundwell import GroundwellError

TOKEN = frame("stream.open.response.bin").message["result"]["token"]


def opened(**changes):
    plain = {"batch_size": 2, "image_size": 8, "delivery": "inline", "slots": 0, "shares": [1.0],
             "tensors": None, "layout": "nhwc"}  # fmt: skip
    return {**frame("stream.open.response.bin").message["result"], **plain, **changes}


def batch(conversation, request):
    golden = frame("batch.get.response.bin")
    k = request["params"]["k"]
    result = {**golden.message["result"], "k": k, "token": {**TOKEN, "k": k + 1}, "slot": None}
    conversation.answer(request, result, golden.body.tobytes())


@pytest.fixture(autouse=True)
def streaming(daemon):
    daemon.handlers["stream.open"] = lambda conversation, request: conversation.answer(
        request, opened()
    )
    daemon.handlers["batch.get"] = batch


def test_parameters_reach_the_daemon(daemon, client):
    client.stream(
        ["cat", "dog"], 32, 64, minimum=100, seed=7, snapshot=1042, rank=0, world=1,
        wait_timeout=60,
    )
    client.stream(split="pascal-1", batch_size=4, on_thin="fail")
    client.stream()
    sent = daemon.sent("stream.open")
    golden = frame("stream.open.request.bin").message["params"]
    assert sent[0] == {name: golden[name] for name in sent[0]}
    assert set(sent[0]) == {
        "categories", "batch_size", "image_size", "seed", "policy", "minimum", "on_thin",
        "wait_seconds", "rank", "world", "snapshot", "delivery",
    }  # fmt: skip
    assert sent[1]["split"] == "pascal-1" and "all" not in sent[1]
    assert sent[1]["on_thin"] == "fail"
    assert sent[2]["all"] is True and sent[2]["batch_size"] == 32


def test_batches_come_in_order_with_views_and_a_token(client):
    with client.stream(["cat", "dog"], 2) as stream:
        assert stream.epoch_batches == 7 and stream.names == ["cat"] and stream.filled == {"cat": 40}
        batches = list(islice(stream, 3))
        assert [entry.k for entry in batches] == [0, 1, 2]
        assert stream.token.k == 3 and stream.snapshot == 1042
        assert batches[0].image.shape == (2, 8, 8, 3) and batches[0].labels.dtype == "uint16"
        assert batches[0].triplet.tolist() == [17, 1 << 40]
        assert batches[0].prompts == ["a photograph of a cat on the grass"]
        assert batches[0].thin == ["dog"] and batches[0].epochs == [0]
        assert stream.get(1000).k == 1000
        assert stream.token.k == 3


def test_every_batch_is_given_back_and_the_stream_closed(daemon, client):
    with client.stream(["cat"], 2) as stream:
        list(islice(stream, 2))
    assert daemon.sent("batch.done") == [{"stream": 1, "k": 0}, {"stream": 1, "k": 1}]
    assert daemon.sent("stream.close") == [{"stream": 1}]
    with pytest.raises(GroundwellError, match="the stream is closed"):
        next(stream)


def test_a_token_goes_on_where_it_stopped(daemon, client):
    stream = client.stream(["cat"], 2)
    token = list(islice(stream, 5))[-1].token
    again = client.stream(["cat"], 2, resume=token)
    assert next(again).k == 5
    sent = daemon.sent("stream.open")[1]
    assert (sent["snapshot"], sent["seed"], sent["policy"]) == (1042, 7, "balanced")
    assert sent["store"] == TOKEN["store"]
    assert client.stream(["cat"], 2, start=9).token.k == 9
    with pytest.raises(GroundwellError, match="start is -1"):
        client.stream(["cat"], 2, start=-1)


def test_a_stream_opens_itself_again_at_its_snapshot(daemon, client):
    stream = client.stream(["cat"], 2)
    next(stream)

    def hang_up_once(conversation, request):
        daemon.handlers["batch.get"] = batch
        conversation.hang_up()

    daemon.handlers["batch.get"] = hang_up_once
    assert next(stream).k == 1
    assert daemon.connections == 2
    changed = {name: TOKEN[name] for name in ("snapshot", "store", "seed", "edges")}
    assert daemon.sent("stream.open")[1] == {**daemon.sent("stream.open")[0], **changed}


def test_a_stream_that_would_change_refuses_to_go_on(daemon, client):
    stream = client.stream(["cat"], 2)
    daemon.handlers["stream.open"] = lambda conversation, request: conversation.answer(
        request, opened(plan="another")
    )
    client.close()
    with pytest.raises(GroundwellError, match="would give other batches") as caught:
        next(stream)
    assert caught.value.word == "snapshot_gone"


def test_a_daemon_that_stays_away_is_a_lost_connection(daemon, client):
    stream = client.stream(["cat"], 2)
    daemon.handlers["batch.get"] = lambda conversation, request: conversation.hang_up()
    with pytest.raises(groundwell.ConnectionLost):
        next(stream)
    assert stream.token.k == 0


def test_opening_reports_the_backfill_it_waits_for(daemon, client):
    job = frame("job.list.response.bin").message["result"]["jobs"][0]

    def open_slowly(conversation, request):
        for done in (1, 5, 20):
            conversation.progress(request, [{**job, "done": done}])
        conversation.answer(request, opened())

    daemon.handlers["stream.open"] = open_slowly
    seen = []
    client.stream(["cat"], 2, minimum=40, progress=lambda jobs: seen.append(jobs[0].done))
    assert seen == [1, 5, 20]


def test_a_batch_of_another_size_or_without_a_tensor_is_refused(daemon, client):
    daemon.handlers["stream.open"] = lambda conversation, request: conversation.answer(
        request, opened(batch_size=3)
    )
    with pytest.raises(GroundwellError, match=r"expected \(3, 8, 8, 3\)"):
        next(client.stream(["cat"], 3))

    def bare(conversation, request):
        body = frame("triplet.get.response.bin").body.tobytes()
        result = {**frame("batch.get.response.bin").message["result"], "slot": None}
        conversation.answer(request, result, body)

    daemon.handlers["batch.get"] = bare
    with pytest.raises(GroundwellError, match="lacks labels, target"):
        next(client.stream(["cat"], 3))


def test_a_batch_that_is_late_is_waited_for_again_not_asked_for_again(daemon):
    held = []
    daemon.handlers["batch.get"] = lambda conversation, request: held.append(
        (conversation, request)
    )
    with daemon.client(timeout=0.1) as client:
        stream = client.stream(["cat"], 2, wait_timeout=0)
        for _ in range(2):
            with pytest.raises(groundwell.TimedOut):
                next(stream)
        client.timeout = 5
        batch(*held[0])
        assert next(stream).k == 0
    assert daemon.sent("batch.get") == [{"stream": 1, "k": 0}]


def test_a_bound_on_draws_lets_batches_wait_with_progress(daemon):
    job = frame("job.list.response.bin").message["result"]["jobs"][0]

    def get_slowly(conversation, request):
        time.sleep(0.3)
        conversation.progress(request, [job])
        batch(conversation, request)

    daemon.handlers["batch.get"] = get_slowly
    seen = []
    with daemon.client(timeout=0.1) as client:
        stream = client.stream(
            ["cat"], 2, maximum_draws=3, wait_timeout=5, progress=lambda jobs: seen.extend(jobs)
        )
        assert next(stream).k == 0 and len(seen) == 1
        with pytest.raises(groundwell.TimedOut):
            next(client.stream(["cat"], 2, wait_timeout=5))


def test_new_options_reach_the_daemon_and_an_old_one_is_refused(daemon, client):
    options = dict(
        policy="mixture", unseen=["dog"], unseen_share=0.25, follow=True, maximum_draws=4,
        tensors=["image", "labels"], layout="nchw", resize="bilinear", flip=True, prompts=False,
        slots=8, threshold=0.01, power=1.0, delivery="inline",
    )  # fmt: skip
    client.stream(["cat", "dog"], 2, crop=(0.5, 1), **options)
    sent = daemon.sent("stream.open")[0]
    assert {name: sent[name] for name in options} == options and sent["crop"] == [0.5, 1]
    for weights in ([3, 1], {"dog": 1, "cat": 3}):
        client.stream(["cat", "dog"], 2, policy="weights", weights=weights)
        assert daemon.sent("stream.open")[-1]["weights"] == [3.0, 1.0]
    for wrong, message in [([1], "1 weights for 2"), ({"cat": 1, "yak": 2}, "differ in dog, yak")]:
        with pytest.raises(GroundwellError, match=message):
            client.stream(["cat", "dog"], 2, weights=wrong)
    with pytest.raises(GroundwellError, match="weights need categories"):
        client.stream(weights=[1])
    with pytest.raises(GroundwellError, match="prefetch is 33"):
        client.stream(["cat"], 2, prefetch=33)
    old = opened()
    del old["shares"]
    daemon.handlers["stream.open"] = lambda conversation, request: conversation.answer(
        request, old
    )
    with pytest.raises(GroundwellError, match="too old for flip, slots") as caught:
        client.stream(["cat"], 2, flip=True, slots=2)
    assert caught.value.word == "unsupported"


def test_a_stopping_daemon_is_waited_for(daemon, client):
    answers = []

    def stop_for_a_while(conversation, request):
        answers.append(1)
        if len(answers) < 5:
            return conversation.refuse(request, -32071, "stopping", "ask again")
        batch(conversation, request)

    daemon.handlers["batch.get"] = stop_for_a_while
    assert next(client.stream(["cat"], 2)).k == 0 and len(answers) == 5

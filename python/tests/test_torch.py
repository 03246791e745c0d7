"""Tensors and the DataLoader; needs PyTorch, which the client does not."""

import gc
import multiprocessing
import os
import pickle
import warnings
from itertools import islice

import numpy as np
import pytest
from fake_slots import body_of
from groundwell import GroundwellError, connect

REASON = "needs PyTorch: pip install 'groundwell[torch]'"
torch = pytest.importorskip("torch", reason=REASON)
from torch.utils.data import DataLoader  # noqa: E402

from groundwell.epochs import EpochBoard  # noqa: E402
from groundwell.torch import BatchDataset  # noqa: E402

CATEGORIES = ["cat", "dog", "yak"]
BATCH = 4


@pytest.fixture(autouse=True)
def no_warnings():
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Python says so of any fork beside a thread; PyTorch has threads.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        # Of the DataLoader on few cores, and of torchdata with a newer PyTorch.
        warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
        warnings.filterwarnings("ignore", "'set_vital' is deprecated", UserWarning)
        yield


@pytest.fixture
def dataset(real_daemon):
    return lambda **options: BatchDataset(
        CATEGORIES, BATCH, 16, seed=5, socket_path=real_daemon.socket, **options
    )


@pytest.fixture(scope="module")
def expected(real_daemon):
    """The first batches of the stream, read plainly."""
    with connect(real_daemon.socket) as client:
        with client.stream(CATEGORIES, BATCH, 16, seed=5) as stream:
            assert len(stream) == 7
            return [stream.get(k).triplet.tolist() for k in range(7 * 5)]


def numbers(items):
    return [item["k"] for item in items]


def check(items, expected, first):
    """How many items there are; each must be whole, in order, and that of the stream."""
    count = 0
    for item in items:
        assert item["k"] == first + count
        assert item["triplet"].tolist() == expected[item["k"]]
        assert item["image"].shape == (BATCH, 16, 16, 3) and len(item["prompts"]) == BATCH
        assert item["labels"].dtype == torch.uint16
        count += 1
    return count


# Tensors


def test_tensors_share_the_slot_are_writable_and_hold_it(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=1)
    batch = next(stream)
    tensors = batch.torch()
    assert set(tensors) == set(batch.tensors)
    for name, tensor in tensors.items():
        assert tensor.data_ptr() == batch.tensors[name].ctypes.data
    assert tensors["labels"].dtype == torch.uint16 and tensors["labels"][0, 0, 0] == 65535
    tensors["image"].add_(3)
    assert (batch.image == 3).all()
    corner = tensors["image"].float().sum() + 0 * tensors["image"][0, 0].view(-1)[0]
    view = tensors["triplet"][:1].numpy()
    del batch, tensors, tensor
    gc.collect()
    with pytest.raises(GroundwellError, match="1 batches"):
        next(stream)
    assert corner == 3 * 2 * 8 * 8 * 3 and view[0] == 0
    del view
    batch = next(stream)
    assert batch.body.tobytes() == body_of(1)


def test_gradients_keep_the_batch_they_need(slots, client):
    stream = client.stream(["cat", "dog"], 2, slots=2)
    weight = torch.ones(8, requires_grad=True)
    tensors = next(stream).torch()
    loss = (tensors["probability"].repeat(4) * weight).sum() + tensors["image"].float().sum()
    del tensors
    loss.backward()
    assert weight.grad.tolist() == [0.25, 0.5] * 4
    assert [next(stream).k for _ in range(5)] == [1, 2, 3, 4, 5]


def test_inline_batches_become_writable_tensors_too(real_daemon):
    with connect(real_daemon.socket) as client:
        batch = next(client.stream(CATEGORIES, BATCH, 16, delivery="inline"))
        tensors = batch.torch()
        tensors["labels"][0] = 9
        assert (batch.labels[0] == 9).all()


# The DataLoader


@pytest.mark.parametrize("workers, persistent", [(0, False), (1, False), (2, True), (3, False)])
def test_workers_give_the_same_batches_in_order_epoch_after_epoch(
    dataset, expected, workers, persistent
):
    data = dataset()
    loader = DataLoader(data, None, num_workers=workers, persistent_workers=persistent)
    assert len(loader) == 7
    for epoch in range(3):
        assert check(loader, expected, 7 * epoch) == 7


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start_workers_do_as_well(dataset, expected, method):
    data = dataset(epoch_batches=4)
    next(iter(data))  # This process has a connection already.
    multiprocessing.set_forkserver_preload(["torch"])
    loader = DataLoader(data, None, num_workers=2, multiprocessing_context=method)
    for epoch in (1, 2) if method == "forkserver" else (1,):  # Spawn takes its time.
        assert check(loader, expected, 4 * epoch) == 4


def test_an_epoch_left_early_is_followed_by_the_next(dataset, expected):
    for workers, persistent in [(0, False), (2, False), (2, True)]:
        loader = DataLoader(dataset(), None, num_workers=workers, persistent_workers=persistent)
        for epoch in range(3):
            assert check(islice(loader, 2), expected, 7 * epoch) == 2


def test_a_loader_that_is_seeded_alike_every_time_still_goes_on(dataset, expected):
    generator = torch.Generator()
    loader = DataLoader(dataset(), None, num_workers=2, generator=generator)
    for epoch in range(3):
        generator.manual_seed(0)
        assert check(loader, expected, 7 * epoch) == 7


def test_many_batches_on_their_way_do_not_run_out_of_slots(dataset, expected):
    data = dataset(epoch_batches=20, slots=1)
    loader = DataLoader(data, None, num_workers=1, prefetch_factor=10)
    assert check(loader, expected, 0) == 20


def test_pin_memory_is_no_obstacle(dataset, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # There is no GPU here.
        assert check(DataLoader(dataset(), None, pin_memory=True), expected, 0) == 7
        loader = DataLoader(dataset(), None, pin_memory=True, num_workers=2)
        assert check(loader, expected, 0) == 7


def test_a_state_resumes_inside_an_epoch_with_any_number_of_workers(dataset, expected):
    data = dataset()
    for workers, persistent in [(0, False), (2, False), (3, True)]:
        items = islice(DataLoader(data, None, num_workers=0), 3)
        last = numbers(items)[-1]
        state = pickle.loads(pickle.dumps(data.state_dict()))
        assert state == data.state_dict(last + 1)
        other = dataset()
        other.load_state_dict(state)
        loader = DataLoader(other, None, num_workers=workers, persistent_workers=persistent)
        left = 6 - last % 7
        assert check(loader, expected, last + 1) == left
        assert check(loader, expected, last + 1 + left) == 7


def test_a_state_at_the_end_of_an_epoch_gives_a_whole_one(dataset, expected):
    data = dataset()
    assert check(DataLoader(data, None), expected, 0) == 7
    other = dataset()
    other.load_state_dict(data.state_dict())
    assert check(DataLoader(other, None, num_workers=2), expected, 7) == 7


def test_after_workers_the_dataset_asks_which_batch_comes_next(dataset, expected):
    data = dataset()
    assert data.state_dict() == data.state_dict(0)
    items = list(islice(DataLoader(data, None, num_workers=2), 4))
    with pytest.raises(GroundwellError, match=r"state_dict\(item\['k'\] \+ 1\)"):
        data.state_dict()
    data.load_state_dict(data.state_dict(items[-1]["k"] + 1))
    assert check(DataLoader(data, None, num_workers=2), expected, 4) == 3


def test_states_of_other_streams_are_refused(dataset):
    data = dataset()
    with pytest.raises(GroundwellError, match="counts 3 batches"):
        data.load_state_dict(dataset(epoch_batches=3).state_dict())
    with pytest.raises(GroundwellError, match="no state of a stream"):
        data.load_state_dict({"span": data.state_dict()["span"], "epoch_batches": 7})
    state = data.state_dict()
    with pytest.raises(GroundwellError, match="one of 2 workers"):
        data.load_state_dict({**state, "span": {**state["span"], "workers": 2}})
    with pytest.raises(GroundwellError) as caught:
        dataset(policy="balanced", minimum=1, split=None, start=0, world=2, rank=0).load_state_dict(
            {**state, "plan": "0" * 16}
        )
    assert caught.value.word == "plan_mismatch"


@pytest.mark.parametrize("workers, persistent", [(0, False), (2, False), (2, True)])
def test_stateful_data_loader_goes_on_exactly(dataset, expected, workers, persistent):
    reason = "needs torchdata: pip install torchdata"
    module = pytest.importorskip("torchdata.stateful_dataloader", reason=reason)

    def loader():
        return module.StatefulDataLoader(
            dataset(), None, num_workers=workers, persistent_workers=persistent
        )

    for taken in (0, 1, 4, 7):
        first = loader()
        items = iter(first)
        assert numbers(islice(items, taken)) == list(range(taken))
        if taken == 7:
            assert list(items) == []
        state = pickle.loads(pickle.dumps(first.state_dict()))
        del items
        second = loader()
        second.load_state_dict(state)
        rest = 7 - taken
        if rest:
            assert check(second, expected, taken) == rest
        assert check(second, expected, 7) == 7
        assert check(second, expected, 14) == 7


def run_rank(rank, folder, path, results):
    os.environ.update(MASTER_ADDR="localhost", GLOO_SOCKET_IFNAME="lo")
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    data = BatchDataset(CATEGORIES, BATCH, 16, seed=5, socket_path=path)
    items = [item["triplet"].tolist() for item in islice(DataLoader(data, None), 5)]
    state = [data.state_dict()]
    torch.distributed.broadcast_object_list(state, src=0)  # One rank saves, all load.
    again = BatchDataset(CATEGORIES, BATCH, 16, seed=5, socket_path=path)
    again.load_state_dict(state[0])
    items += [item["triplet"].tolist() for item in DataLoader(again, None)]
    results.put((rank, items))
    torch.distributed.destroy_process_group()


def test_ranks_share_each_batch_and_load_one_state(real_daemon, expected, tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    arguments = (str(tmp_path), real_daemon.socket, results)
    ranks = [context.Process(target=run_rank, args=(rank, *arguments)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    got = dict(results.get(timeout=120) for _ in ranks)
    for process in ranks:
        process.join(60)
    assert [left + right for left, right in zip(got[0], got[1])] == expected[:7]


def test_a_dataset_says_what_it_cannot_do(dataset, real_daemon):
    with pytest.raises(GroundwellError, match="both rank and world"):
        dataset(rank=1)
    with pytest.raises(GroundwellError, match="epoch_batches is 0"):
        dataset(epoch_batches=0)
    with pytest.raises(GroundwellError, match="at most 512 workers"):
        EpochBoard(7, 0).next_span(512, 600, 1, 0)
    assert np.array_equal(dataset(start=3).state_dict()["token"]["k"], 3)

"""The golden plan vectors, against an implementation that shares nothing with Swift's."""

import plan
import pytest
from golden import vectors


@pytest.mark.parametrize("vector", vectors("hashes.json"), ids=lambda v: v["input"] or "empty")
def test_hashes(vector):
    if vector["function"] == "mix64":
        value = plan.mix64(int(vector["input"], 16))
    else:
        value = plan.fnv1a64(vector["input"])
    assert f"{value:016x}" == vector["output"]


def test_permutations():
    entries = vectors("permutations.json")
    assert len(entries) >= 38
    for vector in entries:
        key = int(vector["key"], 16)
        images = [plan.permute(vector["count"], key, index) for index in vector["indices"]]
        assert images == vector["images"], vector["count"]
        if len(images) == vector["count"]:
            assert sorted(images) == list(range(vector["count"]))


def made(vector):
    categories = [(entry["category"], entry["count"]) for entry in vector["categories"]]
    parameters = ("policy", "weights", "threshold", "power", "unseen", "unseen_share")
    return plan.Plan(
        vector["batch_size"],
        categories,
        vector["seed"],
        vector["rank"],
        vector["world"],
        edges=vector.get("edges") or {},
        **{name: vector[name] for name in parameters if vector.get(name) is not None},
    )


def test_plans():
    entries = vectors("plans.json")
    assert len(entries) == 63
    assert {vector["policy"] for vector in entries} == {
        "balanced", "natural", "weights", "repeat-factor", "mixture",
    }  # fmt: skip
    assert sum("edges" in vector for vector in entries) == 2
    for vector in entries:
        again = made(vector)
        assert again.shares() == vector["shares"]
        for batch in vector["batches"]:
            assert again.draws(batch["k"]) == [tuple(draw) for draw in batch["draws"]]


def test_epochs():
    """The length of an epoch by counting draw after draw, where that does not take too long."""
    entries = [v for v in vectors("plans.json") if v["epoch_batches"] * v["batch_size"] < 20_000]
    assert len(entries) > 50
    for vector in entries:
        assert made(vector).epoch_batches() == vector["epoch_batches"]


def test_shares_of_extreme_weights():
    assert plan.whole_shares([1, 1e-300, 1e300]) == [1, 1, 65534]
    assert plan.whole_shares([1, 1, 1]) == [21846, 21845, 21845]

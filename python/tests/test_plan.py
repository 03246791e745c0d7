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


def test_plans():
    entries = vectors("plans.json")
    assert len(entries) == 15
    for vector in entries:
        categories = [(entry["category"], entry["count"]) for entry in vector["categories"]]
        made = plan.Plan(
            vector["batch_size"], categories, vector["seed"], vector["rank"], vector["world"]
        )
        assert made.epoch_batches() == vector["epoch_batches"]
        for batch in vector["batches"]:
            assert made.draws(batch["k"]) == [tuple(draw) for draw in batch["draws"]]

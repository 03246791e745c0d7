"""Drawn pictures with the masks of the network that judges."""

import numpy as np
import pytest

REASON = "pre-training needs more: pip install -r python/pretrain/requirements.txt"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("diffusers", reason=REASON)
drawing = pytest.importorskip("PIL.Image", reason=REASON)

from pretrain import evaluators, labelled  # noqa: E402


def test_the_five_kinds_show_different_categories():
    split = {"seen": [f"s{n}" for n in range(5)], "unseen": [f"u{n}" for n in range(3)]}
    asked = labelled.asked_for(split, 40)
    assert len(asked) == 5 * 40
    kinds = ["".join(sorted(name[0] for name in entry)) for entry in asked]
    assert [kinds[40 * n] for n in range(5)] == ["s", "u", "ss", "su", "uu"]
    assert all(len(set(kinds[40 * n : 40 * n + 40])) == 1 for n in range(5))
    assert all(len(set(entry)) == len(entry) for entry in asked)
    assert len(set(asked[120:160])) == 15


def test_only_pictures_that_show_all_are_labelled(tmp_path):
    images = torch.randint(0, 255, (2, 3, 8, 8), dtype=torch.uint8)
    maps = torch.zeros(2, 4, 4, dtype=torch.long)
    maps[:, 0] = 1
    maps[1, 3, :2] = 3
    asked = [(0, 2), (0, 2)]
    kept = labelled.write_folder(tmp_path, images, maps, asked, ["p", "q"], ["cat", "dog", "owl"])
    assert kept == 1
    lines = (tmp_path / "prompts.csv").read_text().split()
    assert lines[1:] == [
        "00001.png,00001-0.png,cat,q,oracle", "00001.png,00001-2.png,owl,q,oracle"
    ]  # fmt: skip
    mask = np.asarray(drawing.open(tmp_path / "00001-2.png"))
    assert mask.shape == (8, 8) and mask[6:, :4].all() and int((mask > 0).sum()) == 8


def test_small_objects_count_beside_the_background():
    labels = torch.zeros(1, 100, dtype=torch.long)
    labels[0, :4], labels[0, 4:10] = 7, 65535
    shares = evaluators._pixel_shares(labels)
    assert float(shares[0, 4:10].sum()) == 0
    assert float(shares[0, :4].sum()) == pytest.approx(2)
    assert float(shares[0, 10:].sum()) == pytest.approx(90**0.5)


def test_the_segmenter_begins_with_the_classifiers_way_down():
    classifier, segmenter = evaluators.Classifier(5), evaluators.Segmenter(5)
    segmenter.begin_with(classifier)
    image = torch.randn(2, 3, 64, 64)
    theirs = classifier.levels(classifier.stem(image))
    assert torch.equal(theirs, segmenter.levels(segmenter.stem(image)))
    assert segmenter(image).shape == (2, 6, 32, 32)

"""Bodies against the golden ones, and broken ones."""

import json

import numpy as np
import pytest
from golden import frame

from groundwell import GroundwellError, safetensors

IMAGE = (np.arange(192) * 37 + 11).astype(np.uint8).reshape(8, 8, 3)
MASK = (np.arange(64) % 8 < 4).astype(np.uint8).reshape(1, 8, 8)


def test_encodes_the_golden_body_byte_for_byte():
    body = safetensors.encode({"image": IMAGE, "masks": MASK})
    assert body == frame("triplet.get.response.bin").body.tobytes()
    batch = frame("batch.get.response.bin").body  # Has gaps to fill.
    assert safetensors.encode(safetensors.decode(batch)) == batch.tobytes()


def test_decodes_every_element_type_as_aligned_views():
    body = frame("batch.get.response.bin").body
    tensors = safetensors.decode(body)
    assert {name: (array.dtype.str, array.shape) for name, array in tensors.items()} == {
        "image": ("|u1", (2, 8, 8, 3)),
        "labels": ("<u2", (2, 8, 8)),
        "target": ("|u1", (2, 8, 8)),
        "category": ("<i4", (2,)),
        "triplet": ("<i8", (2,)),
        "probability": ("<f4", (2,)),
    }
    assert (tensors["image"][0] == IMAGE).all()
    assert (tensors["target"][1] == MASK[0].reshape(-1)[::-1].reshape(8, 8)).all()
    assert (tensors["labels"] == tensors["target"] * 2).all()
    assert tensors["triplet"].tolist() == [17, 1 << 40]
    assert tensors["category"].tolist() == [0, 1]
    assert tensors["probability"].tolist() == [0.25, 0.125]
    for array in tensors.values():
        assert array.ctypes.data % 64 == 0
        assert np.shares_memory(array, body)


def body_of(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    return np.frombuffer(size.to_bytes(8, "little") + text + data, np.uint8)


def entry(dtype="U8", shape=(4,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_empty_tensors_and_metadata_are_fine():
    header = {"__metadata__": {"a": "b"}, "none": entry(shape=(0, 3), offsets=(0, 0)), "x": entry()}
    tensors = safetensors.decode(body_of(header, b"abcd"))
    assert tensors["x"].tobytes() == b"abcd" and tensors["none"].shape == (0, 3)


@pytest.mark.parametrize(
    "body",
    [
        np.frombuffer(b"short", np.uint8),
        body_of({"x": entry()}, b"abcd", length=1 << 40),
        body_of(b"{", b""),
        body_of(b"[1]"),
        body_of(b"[" * 100_000),
        body_of({"x": 3}),
        body_of({"x": entry(dtype="F64", offsets=(0, 32))}, bytes(32)),
        body_of({"x": entry(shape=(-4,))}, b"abcd"),
        body_of({"x": entry(shape=(5,))}, b"abcd"),
        body_of({"x": entry(offsets=(1, 5))}, b"abcde"),
        body_of({"x": entry()}, b"abc"),
        body_of({"x": entry()}, b"abcde"),
        body_of({"x": entry(), "y": entry()}, b"abcd"),
        body_of({"x": entry(offsets=(0, 4, 8))}, b"abcd"),
    ],
)
def test_broken_bodies_are_refused(body):
    with pytest.raises(GroundwellError) as caught:
        safetensors.decode(body)
    assert caught.value.word == "bad_answer"


def test_reserved_names_and_other_types_are_not_written():
    with pytest.raises(ValueError, match="__x"):
        safetensors.encode({"__x": MASK})
    with pytest.raises(ValueError, match="float64"):
        safetensors.encode({"x": np.zeros(2)})

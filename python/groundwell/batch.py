"""One batch: named views of one piece of memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from . import safetensors
from .errors import GroundwellError
from .safetensors import Array
from .values import ResumeToken, from_wire

if TYPE_CHECKING:
    import torch

#: What a batch can hold, in the order of the body.
TENSORS = ("image", "labels", "target", "category", "triplet", "probability", "instances")
#: What a batch holds unless the stream was asked for something else.
DEFAULT_TENSORS = TENSORS[:-1]
#: Asking for instances gives all three.
INSTANCE_TENSORS = ("instances", "instance_label", "instance_offset")


@dataclass(frozen=True, eq=False)
class Batch:
    """Triplets delivered together; the arrays are views of ``body``.

    ``n`` is the batch size of this rank, ``s`` the side of the images. The memory belongs to the
    batch for as long as any view of it is alive: this object, an array, a slice of one, a tensor.
    After that the daemon writes another batch there. :meth:`copy` gives a batch with memory of
    its own.
    """

    k: int
    #: Continues the stream behind this batch.
    token: ResumeToken
    #: The texts that the images were made from; empty for a stream with ``prompts=False``.
    prompts: list[str]
    #: How often the category of each triplet had been gone through before.
    epochs: list[int]
    #: Categories in this batch that have fewer triplets than the stream's minimum.
    thin: list[str]
    #: All bytes behind the batch's JSON: same stream and k, same bytes.
    body: Array
    #: The arrays by name.
    tensors: dict[str, Array]
    #: Microseconds that the daemon spent on it: ``thin_us``, ``quota_us``, ``disk_us``,
    #: ``decode_us``.
    waits: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, answer: dict[str, Any], body: Array) -> Batch:
        """A batch from the daemon's answer and the bytes that belong to it."""
        try:
            return cls(
                k=answer["k"],
                token=from_wire(ResumeToken, answer["token"]),
                prompts=answer.get("prompts") or [],
                epochs=answer["epochs"],
                thin=answer["thin"],
                body=body,
                tensors=safetensors.decode(body),
                waits=answer.get("waits") or {},
            )
        except KeyError as error:
            raise GroundwellError("bad_answer", f"a batch without {error}") from None

    @property
    def image(self) -> Array:
        """``uint8 [n, s, s, 3]``, sRGB; ``[n, 3, s, s]`` with the layout ``nchw``."""
        return self._tensor("image")

    @property
    def labels(self) -> Array:
        """``uint16 [n, s, s]``: 0 background, 1 + position of the category, 65535 ignore."""
        return self._tensor("labels")

    @property
    def target(self) -> Array:
        """``uint8 [n, s, s]``: the mask of the category that each triplet was drawn for."""
        return self._tensor("target")

    @property
    def category(self) -> Array:
        """``int32 [n]``: position in the stream of the category that each was drawn for."""
        return self._tensor("category")

    @property
    def triplet(self) -> Array:
        """``int64 [n]``: ids."""
        return self._tensor("triplet")

    @property
    def probability(self) -> Array:
        """``float32 [n]``: the chance that one draw is this triplet for this category."""
        return self._tensor("probability")

    @property
    def instances(self) -> Array:
        """``uint8 [m, s, s]``: one mask of 0 and 1 for each object, image by image."""
        return self._tensor("instances")

    @property
    def instance_label(self) -> Array:
        """``uint16 [m]``: its value in the label map."""
        return self._tensor("instance_label")

    @property
    def instance_offset(self) -> Array:
        """``int64 [n + 1]``: image ``i`` has the masks from ``offset[i]`` to ``offset[i + 1]``."""
        return self._tensor("instance_offset")

    def copy(self) -> Batch:
        """The same batch in memory of its own, to be kept for as long as one likes."""
        body = safetensors.aligned(self.body.nbytes)
        np.copyto(body, self.body)
        return replace(self, body=body, tensors=safetensors.decode(body))

    def torch(self) -> dict[str, torch.Tensor]:
        """The arrays as tensors that share the batch's memory; writable, no copy.

        Needs PyTorch 2.3 or newer (``pip install groundwell[torch]``): before it there was no
        ``uint16``.
        """
        return tensors_of(self.tensors)

    def __reduce__(self) -> tuple[Any, ...]:
        rest = (self.k, self.token, self.prompts, self.epochs, self.thin, self.waits)
        return (_restored, (np.array(self.body), *rest))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in self.tensors.items())
        return f"Batch(k={self.k}, {shapes})"

    def _tensor(self, name: str) -> Array:
        found = self.tensors.get(name)
        if found is None:
            raise GroundwellError(
                "tensor_missing",
                f"the stream was opened without '{name}'; ask for it with tensors=[..., "
                f"'{'instances' if name.startswith('instance') else name}']",
            )
        return found


def tensors_of(arrays: dict[str, Array]) -> dict[str, torch.Tensor]:
    """Tensors that share the memory of arrays, and keep it."""
    try:
        import torch
    except ImportError:
        raise GroundwellError(
            "no_torch", "PyTorch is not installed here: pip install groundwell[torch]"
        ) from None
    if not hasattr(torch, "uint16"):
        raise GroundwellError(
            "no_torch", f"PyTorch {torch.__version__} has no uint16; 2.3 or newer is needed"
        )
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def check_shape(
    batch: Batch, names: list[str], count: int, side: int, layout: Optional[str]
) -> None:
    """Refuses a batch that lacks a tensor or has images of another shape."""
    wanted = [entry for name in names for entry in _parts(name)]
    missing = [name for name in wanted if name not in batch.tensors]
    if missing:
        raise GroundwellError("bad_answer", f"the batch lacks {', '.join(missing)}")
    if "image" not in batch.tensors:
        return
    expected = (count, 3, side, side) if layout == "nchw" else (count, side, side, 3)
    if batch.tensors["image"].shape != expected:
        raise GroundwellError(
            "bad_answer",
            f"the batch's image is {batch.tensors['image'].shape}; expected {expected}",
        )


def _parts(name: str) -> tuple[str, ...]:
    return INSTANCE_TENSORS if name == "instances" else (name,)


def _restored(
    body: Array, k: int, token: ResumeToken, prompts: list[str], epochs: list[int],
    thin: list[str], waits: dict[str, int],
) -> Batch:  # fmt: skip
    tensors = safetensors.decode(body)
    return Batch(k, token, prompts, epochs, thin, body, tensors, waits)

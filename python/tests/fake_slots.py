"""Streams of a fake daemon that delivers in memfds, as strict as the real one."""

from __future__ import annotations

import fcntl
import mmap
import os
from typing import Any, Optional

import numpy as np
from fake_daemon import Conversation, FakeDaemon
from golden import frame

from groundwell import safetensors

N, SIDE, EPOCH = 2, 8, 7
STORE = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


def body_of(k: int) -> bytes:
    """What batch ``k`` is: every byte of it follows from ``k``."""
    image = np.full((N, SIDE, SIDE, 3), k % 251, np.uint8)
    labels = np.full((N, SIDE, SIDE), 65535 - k % 7, np.uint16)
    return safetensors.encode(
        {
            "image": image,
            "labels": labels,
            "target": np.full((N, SIDE, SIDE), k % 2, np.uint8),
            "category": np.array([0, 1], np.int32),
            "triplet": np.array([k, 1 << 40], np.int64),
            "probability": np.array([0.25, 0.5], np.float32),
        }
    )


class _Memory:
    """One memfd, and the batch that is out in it."""

    def __init__(self, slot: int, capacity: int, seals: int) -> None:
        self.slot = slot
        self.descriptor = os.memfd_create("slot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.posix_fallocate(self.descriptor, 0, capacity)
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
        self.map = mmap.mmap(self.descriptor, capacity)
        self.was_sent = False
        self.k: Optional[int] = None

    def close(self) -> None:
        os.close(self.descriptor)


class SlotStreams:
    """Handlers for a fake daemon; slots belong to a connection and a stream, as they should."""

    capacity = 16384
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW

    def __init__(self, daemon: FakeDaemon) -> None:
        self.memories: dict[tuple[int, int], list[_Memory]] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.delivered: list[int] = []
        self.discarded = 0
        self.over_quota = 0
        #: Fewer than the slots that are granted, where quotas of bytes are used up.
        self.most = 64
        self.plan = "0123456789abcdef"
        #: What differs in the answer to stream.open, and in the slots of batches.
        self.changes: dict[str, Any] = {}
        self.slot_changes: dict[str, Any] = {}
        self._last = 0
        hello = frame("hello.response.bin").message["result"]
        hello = {**hello, "capabilities": ["inline", "memfd"]}
        daemon.handlers["hello"] = lambda conversation, request: conversation.answer(
            request, hello
        )
        for name in ("stream.open", "stream.close", "batch.get", "batch.done"):
            daemon.handlers[name] = getattr(self, name.replace(".", "_"))

    def stream_open(self, conversation: Conversation, request: dict[str, Any]) -> None:
        params = request["params"]
        self._last += 1
        self.counts[id(conversation), self._last] = params.get("slots", 4)
        result = {
            **frame("stream.open.response.bin").message["result"],
            "stream": self._last,
            "categories": [
                {"category": name, "label": label, "stock": 60, "thin": False}
                for label, name in enumerate(params.get("categories") or ["cat", "dog"], 1)
            ],
            "batch_size": N,
            "image_size": SIDE,
            "epoch_batches": EPOCH,
            "plan": self.plan,
            "shares": [0.5, 0.5],
            "token": self.token(0),
            "delivery": params["delivery"],
            "slots": params.get("slots", 4),
            **self.changes,
        }
        conversation.answer(request, result)

    def token(self, k: int) -> dict[str, Any]:
        return {"store": STORE, "snapshot": 1042, "policy": "balanced", "seed": 7, "k": k}

    def batch_get(self, conversation: Conversation, request: dict[str, Any]) -> None:
        params = request["params"]
        key, k = (id(conversation), params["stream"]), params["k"]
        memories = self.memories.setdefault(key, [])
        if sum(memory.k is not None for memory in memories) >= min(self.most, self.counts[key]):
            self.over_quota += 1
            return conversation.refuse(
                request, -32060, "over_quota", "no slot", retry_after_milliseconds=1000
            )
        free = [memory for memory in memories if memory.k is None]
        if not free:
            used = {memory.slot for memory in memories}
            number = min(set(range(len(memories) + 1)) - used)
            free = [_Memory(number, self.capacity, self.seals)]
            memories.append(free[0])
        memory, body = free[0], body_of(k)
        memory.map[: len(body)] = body
        memory.k = k
        self.delivered.append(k)
        is_first, memory.was_sent = not memory.was_sent, True
        slot = {
            "slot": memory.slot, "capacity_bytes": self.capacity, "bytes": len(body),
            "descriptor": is_first, **self.slot_changes,
        }  # fmt: skip
        golden = frame("batch.get.response.bin").message["result"]
        result = {
            **golden, "k": k, "token": self.token(k + 1), "slot": slot,
            "waits": {"thin_us": 0, "quota_us": 1, "disk_us": 2, "decode_us": 3},
        }  # fmt: skip
        conversation.answer(request, result, b"", [memory.descriptor] if is_first else [])

    def batch_done(self, conversation: Conversation, request: dict[str, Any]) -> None:
        params = request["params"]
        memories = self.memories.get((id(conversation), params["stream"]))
        if memories is None:
            return conversation.refuse(request, -32040, "stream_unknown", "closed")
        memory = next(entry for entry in memories if entry.slot == params["slot"])
        assert memory.k == params["k"], "a batch was given back twice, or another's slot"
        memory.k = None
        if params.get("discard"):
            self.discarded += 1
            memories.remove(memory)
            memory.close()
        conversation.answer(request, {})

    def stream_close(self, conversation: Conversation, request: dict[str, Any]) -> None:
        self.forget(id(conversation), request["params"]["stream"])
        conversation.answer(request, {})

    def forget(self, conversation: int, stream: int) -> None:
        for memory in self.memories.pop((conversation, stream), []):
            memory.close()

    def out(self) -> int:
        """Batches that have not been given back."""
        every = [memory for memories in self.memories.values() for memory in memories]
        return sum(memory.k is not None for memory in every)

    def close(self) -> None:
        for key in list(self.memories):
            self.forget(*key)

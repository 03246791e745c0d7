"""The methods of a generator: work items out, triplets in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional, Union

import numpy as np

from . import safetensors
from .calls import Calls
from .options import given
from .safetensors import Array
from .values import Lease, Mask, Provenance, Submitted, WorkItem, from_wire, to_wire


class WorkCalls(Calls):
    """Leasing, making and handing in."""

    def lease(
        self,
        worker: str,
        engines: Sequence[str],
        count: int = 1,
        *,
        lease_seconds: Optional[int] = None,
        wait_seconds: float = 0.0,
    ) -> list[WorkItem]:
        """Takes work items; empty when there are none within ``wait_seconds``."""
        answer, _ = self._call(
            "work.lease",
            given(
                worker=worker,
                engines=list(engines),
                count=count,
                lease_seconds=lease_seconds,
                wait_seconds=wait_seconds,
            ),
            timeout=self.timeout + wait_seconds,
        )
        return [from_wire(WorkItem, entry) for entry in answer["items"]]

    def submit(
        self,
        lease: Union[WorkItem, Lease],
        image: Array,
        masks: Array,
        infos: Sequence[Mask],
        *,
        prompt: str,
        provenance: Provenance,
    ) -> Submitted:
        """Hands in a triplet; returns when it is durable.

        ``image`` is ``uint8 [height, width, 3]``, ``masks`` is ``uint8 [masks, height, width]``
        of 0 and 1 with one entry of ``infos`` each.
        """
        body = safetensors.encode(
            {"image": np.asarray(image, np.uint8), "masks": np.asarray(masks, np.uint8)}
        )
        answer, _ = self._call(
            "work.submit",
            {
                "lease": to_wire(_lease(lease)),
                "prompt": prompt,
                "masks": [to_wire(info) for info in infos],
                "provenance": to_wire(provenance),
            },
            body,
        )
        return from_wire(Submitted, answer)

    def renew(
        self, leases: Iterable[Union[WorkItem, Lease]], lease_seconds: Optional[int] = None
    ) -> list[Lease]:
        """Makes leases last longer; returns those that are lost."""
        named = [to_wire(_lease(lease)) for lease in leases]
        answer = self.call("work.renew", given(leases=named, lease_seconds=lease_seconds))
        return [from_wire(Lease, entry) for entry in answer["lost"]]

    def fail(self, lease: Union[WorkItem, Lease], error: str) -> bool:
        """Reports that an item cannot be made; returns whether it is parked now."""
        answer = self.call("work.fail", {"lease": to_wire(_lease(lease)), "error": error})
        return bool(answer["parked"])

    def release(self, leases: Iterable[Union[WorkItem, Lease]]) -> None:
        """Gives leases back without counting a failure."""
        self.call("work.release", {"leases": [to_wire(_lease(lease)) for lease in leases]})


def _lease(lease: Union[WorkItem, Lease]) -> Lease:
    return lease.lease if isinstance(lease, WorkItem) else lease

"""How a stream is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from .calls import Calls, ProgressCallback, reporting
from .errors import GroundwellError
from .opening import Opening
from .options import check_understood, given, listed, weights_of
from .stream import Stream
from .values import ResumeToken


class StreamCalls(Calls):
    """Opening streams."""

    def stream(
        self,
        categories: Optional[Sequence[str]] = None,
        batch_size: int = 32,
        image_size: Optional[int] = None,
        *,
        split: Optional[str] = None,
        minimum: int = 1,
        on_thin: str = "wait",
        maximum_draws: Optional[int] = None,
        seed: int = 0,
        snapshot: Optional[int] = None,
        follow: Optional[bool] = None,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
        resume: Optional[ResumeToken] = None,
        policy: str = "balanced",
        weights: Optional[Union[Sequence[float], Mapping[str, float]]] = None,
        threshold: Optional[float] = None,
        power: Optional[float] = None,
        unseen: Optional[Sequence[str]] = None,
        unseen_share: Optional[float] = None,
        tensors: Optional[Sequence[str]] = None,
        layout: Optional[str] = None,
        resize: Optional[str] = None,
        flip: Optional[bool] = None,
        crop: Optional[tuple[float, float]] = None,
        prompts: Optional[bool] = None,
        delivery: Optional[str] = None,
        slots: Optional[int] = None,
        prefetch: Optional[int] = None,
        wait_timeout: float = 600.0,
        reconnect_timeout: float = 30.0,
        progress: Optional[ProgressCallback] = None,
    ) -> Stream:
        """Opens a stream of batches over ``categories``, a ``split``, or all categories.

        What is drawn. ``policy`` is ``balanced``, ``natural``, ``weights`` (with ``weights``, one
        for each category or by name), ``repeat-factor`` (LVIS; ``threshold``, ``power``) or
        ``mixture`` (``unseen`` categories get ``unseen_share`` of the draws). A category with
        fewer than ``minimum`` triplets is filled up first (``on_thin="wait"``), drawn again and
        again (``"repeat"``), or the reason to refuse (``"fail"``); with ``maximum_draws`` the
        same happens before a triplet of such a category is drawn that often. ``progress`` hears
        of the backfills that are waited for. ``follow`` takes in new triplets where a category
        begins anew. ``resume`` takes the token of an earlier stream
        or batch and goes on behind it; the other arguments must be as they were.

        What is in a batch. ``tensors`` names arrays of :class:`Batch` (all but ``instances``);
        ``layout`` is ``nhwc`` or ``nchw``; ``resize`` is ``area`` or ``bilinear``; ``flip``
        mirrors every second image; ``crop=(low, high)`` cuts out a random part with that share of
        the area; ``prompts=False`` leaves the texts out.

        How it comes. ``delivery`` is ``memfd`` (memory shared with the daemon, where it offers
        that) or ``inline``; with the former up to ``slots`` batches are in use at a time, and
        ``prefetch`` of them (all but one) are prepared ahead. A daemon that restarts is waited
        for ``reconnect_timeout`` seconds.
        """
        store: Optional[str] = None
        edges: Optional[dict[str, list[list[int]]]] = None
        if resume is not None:
            store, snapshot, edges = resume.store, resume.snapshot, resume.edges
            policy, seed, start = resume.policy, resume.seed, resume.k
        if not isinstance(start, int) or start < 0:
            raise GroundwellError("invalid_params", f"start is {start!r}; expected 0 or more")
        params = given(
            categories=listed(categories),
            split=split,
            all=True if categories is None and split is None else None,
            batch_size=batch_size,
            image_size=image_size,
            seed=seed,
            policy=policy,
            weights=weights_of(weights, categories),
            threshold=threshold,
            power=power,
            unseen=listed(unseen),
            unseen_share=unseen_share,
            minimum=minimum,
            on_thin=on_thin,
            maximum_draws=maximum_draws,
            wait_seconds=wait_timeout,
            rank=rank,
            world=world,
            snapshot=snapshot,
            follow=follow,
            edges=edges,
            store=store,
            tensors=listed(tensors),
            layout=layout,
            resize=resize,
            flip=flip,
            crop=listed(crop),
            prompts=prompts,
            delivery=delivery,
            slots=slots,
        )
        return Stream(
            self,
            params,
            start,
            self.open_stream(params, progress),
            prefetch=prefetch,
            reconnect_timeout=reconnect_timeout,
            progress=progress,
        )

    def open_stream(
        self, params: dict[str, Any], progress: Optional[ProgressCallback]
    ) -> Opening:
        """Sends ``stream.open``; the stream lives as long as the connection it came on.

        Without a ``delivery`` in ``params`` it is ``memfd`` where the daemon offers that.
        """
        connection = self._ready()
        offered = self.server.get("capabilities") or []
        delivery = "memfd" if "memfd" in offered else "inline"
        answer, _ = connection.call(
            "stream.open",
            {"delivery": delivery, **params},
            timeout=self.timeout + float(params.get("wait_seconds", 0)),
            progress=reporting(progress),
        )
        # A bound on draws makes batches wait for a backfill, as opening does for the minimum.
        may_wait = params.get("maximum_draws") is not None and params.get("on_thin") == "wait"
        opening = Opening(
            connection,
            answer,
            self.timeout,
            patience=float(params.get("wait_seconds", 0)) if may_wait else 0.0,
            progress=reporting(progress),
        )
        check_understood(params, answer)
        return opening

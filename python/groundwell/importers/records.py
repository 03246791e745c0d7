"""Triplets as ``groundwell export`` describes them: JSON facts beside PNG pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

from ..importing import ImportItem
from .items import BrokenItem, MaskList, picture
from .runs import is_number

SOURCES = {"exact", "oracle", "grounding", "daam", "import"}


def item_of(
    name: str, facts: Any, image: bytes, masks: Sequence[bytes]
) -> Optional[ImportItem]:
    """One item from its facts and its pictures. Raises :class:`BrokenItem`."""
    if not isinstance(facts, dict) or not isinstance(facts.get("masks"), list):
        raise BrokenItem("its facts have no list 'masks'")
    prompt = facts.get("prompt", "")
    if not isinstance(prompt, str):
        raise BrokenItem("its prompt is no text")
    if len(facts["masks"]) != len(masks):
        raise BrokenItem(f"{len(masks)} masks, {len(facts['masks'])} are told of")
    pixels = picture(image, name="the image")
    gathered = MaskList(*pixels.shape[:2])
    for index, (info, mask) in enumerate(zip(facts["masks"], masks)):
        if not isinstance(info, dict) or not isinstance(info.get("category"), str):
            raise BrokenItem(f"mask {index} has no category")
        source = info.get("source", "import")
        if source not in SOURCES:
            raise BrokenItem(f"mask {index}: the label source {source!r:.40} is unknown")
        instance = info.get("instance")
        shares = {
            key: float(info[key])
            for key in ("confidence", "visible_fraction")
            if is_number(info.get(key))
        }
        gathered.add(
            info["category"],
            picture(mask, mode=None, name=f"mask {index}") > 0,
            instance=instance if isinstance(instance, int) else None,
            source=source,
            **shares,
        )
    return gathered.item(name, prompt, pixels)

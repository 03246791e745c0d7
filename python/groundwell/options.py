"""What a stream can be opened with, as the daemon wants to hear it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from .errors import GroundwellError

#: What a stream that opens itself again takes from its token.
TOKEN_PARAMETERS = ("store", "snapshot", "policy", "seed", "edges")
#: Options that a daemon without shares in its answer does not know, and would ignore.
_NEWER = {
    "weights", "threshold", "power", "unseen", "unseen_share", "follow", "maximum_draws",
    "tensors", "layout", "resize", "flip", "crop", "prompts", "slots",
}  # fmt: skip


def given(**params: Any) -> dict[str, Any]:
    """The parameters that are not None."""
    return {name: value for name, value in params.items() if value is not None}


def listed(values: Optional[Sequence[Any]]) -> Optional[list[Any]]:
    """A list, where a list belongs and not a text."""
    if isinstance(values, str):
        raise GroundwellError("invalid_params", f"expected a list, got the text '{values}'")
    return None if values is None else list(values)


def weights_of(
    weights: Optional[Union[Sequence[float], Mapping[str, float]]],
    categories: Optional[Sequence[str]],
) -> Optional[list[float]]:
    """One weight for each category, in the order of the categories."""
    if weights is None:
        return None
    if categories is None:
        raise GroundwellError("invalid_params", "weights need categories, to say which is whose")
    if isinstance(weights, Mapping):
        if set(weights) != set(categories):
            odd = sorted(set(weights) ^ set(categories))
            raise GroundwellError(
                "invalid_params", f"weights and categories differ in {', '.join(odd)}"
            )
        return [float(weights[name]) for name in categories]
    if len(weights) != len(categories):
        raise GroundwellError(
            "invalid_params", f"{len(weights)} weights for {len(categories)} categories"
        )
    return [float(weight) for weight in weights]


def check_understood(params: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Refuses a stream from a daemon that is too old to know what it was asked for."""
    ignored = sorted(_NEWER & set(params)) if "shares" not in answer else []
    if ignored:
        raise GroundwellError(
            "unsupported", f"this daemon is too old for {', '.join(ignored)}; update groundwelld"
        )

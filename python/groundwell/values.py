"""What the daemon's answers become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Optional, TypeVar

from .errors import GroundwellError
from .safetensors import Array

Value = TypeVar("Value")


def from_wire(kind: type[Value], data: Any) -> Value:
    """A dataclass from a JSON object: what it does not know is left out.

    Fields that the object lacks keep their default; one without a default is refused.
    """
    if not isinstance(data, dict):
        raise GroundwellError("bad_answer", f"expected a {kind.__name__}, got {data!r:.80}")
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    try:
        return kind(**{name: value for name, value in data.items() if name in known})
    except TypeError as error:
        raise GroundwellError("bad_answer", f"{kind.__name__}: {error}") from None


def to_wire(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are set."""
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: content for name, content in pairs if content is not None}


@dataclass(frozen=True)
class CategoryCount:
    """What the store has of one category."""

    category: str
    #: Live triplets that show it.
    stock: int
    #: Live masks of it.
    instances: int
    #: Triplets it should have.
    target: int
    #: Work items under way for it.
    pending: int
    #: What is missing to the target, or to the minimum that was asked for if that is more.
    shortfall: int


class Counts(Mapping[str, CategoryCount]):
    """The counts of all categories of one snapshot, by name."""

    def __init__(self, snapshot: int, triplets: int, categories: list[CategoryCount]) -> None:
        self.snapshot = snapshot
        self.triplets = triplets
        self._by_name = {count.category: count for count in categories}

    def __getitem__(self, category: str) -> CategoryCount:
        return self._by_name[category]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        stocks = {name: count.stock for name, count in self._by_name.items()}
        return f"Counts(snapshot={self.snapshot}, triplets={self.triplets}, {stocks})"


@dataclass(frozen=True)
class Job:
    """A backfill under way or finished."""

    job: int
    category: str
    target: int
    engine: str
    image_size: int
    priority: int
    #: ``active``, ``done``, ``failed`` (an item is parked) or ``cancelled``.
    state: str
    items: int
    done: int
    parked: int
    leased: int
    created_microseconds: int
    finished_microseconds: Optional[int] = None
    last_error: Optional[str] = None


@dataclass(frozen=True)
class Outcome:
    """What became of one goal of a backfill."""

    category: str
    #: ``created``, ``joined`` or ``satisfied``.
    outcome: str
    jobs: list[int]
    stock: int
    target: int


@dataclass(frozen=True)
class Backfill:
    """What became of a backfill; ``jobs`` holds their last known state when it was waited for."""

    outcomes: list[Outcome]
    jobs: list[Job]

    @property
    def job_numbers(self) -> list[int]:
        """The jobs that lead to the targets, each once, in order."""
        return sorted({job for outcome in self.outcomes for job in outcome.jobs})


@dataclass(frozen=True)
class Mask:
    """What is known of one mask besides its pixels."""

    category: str
    instance: int
    #: ``exact``, ``oracle``, ``grounding``, ``daam`` or ``import``.
    source: str
    confidence: Optional[float] = None
    visible_fraction: Optional[float] = None
    pixel_count: Optional[int] = None


@dataclass(frozen=True)
class Provenance:
    """How a triplet was made."""

    engine: str
    seed: int
    worker: str
    created_microseconds: int
    model_fingerprint: Optional[str] = None
    sampler: Optional[str] = None
    steps: Optional[int] = None
    guidance_scale: Optional[float] = None
    grounding_fingerprint: Optional[str] = None


@dataclass(frozen=True)
class TripletInfo:
    """What is known of one triplet besides its pixels."""

    triplet: int
    width: int
    height: int
    prompt: str
    masks: list[Mask]
    provenance: Provenance
    committed_microseconds: int

    @classmethod
    def from_wire(cls, data: Any) -> TripletInfo:
        """Reads the daemon's JSON."""
        info = from_wire(cls, data)
        return cls(
            info.triplet,
            info.width,
            info.height,
            info.prompt,
            [from_wire(Mask, mask) for mask in info.masks],
            from_wire(Provenance, info.provenance),
            info.committed_microseconds,
        )


@dataclass(frozen=True)
class Triplet:
    """A triplet with its pixels."""

    info: TripletInfo
    #: ``uint8 [height, width, 3]``.
    image: Array
    #: ``uint8 [masks, height, width]`` of 0 and 1, in the order of ``info.masks``.
    masks: Array


@dataclass(frozen=True)
class Deletion:
    """What became of a request to delete triplets."""

    #: How many it deleted.
    deleted: int
    #: Those that the store does not have, or no longer.
    missing: list[int]
    #: The first snapshot without them.
    snapshot: int


@dataclass(frozen=True)
class Compaction:
    """What a compaction has done."""

    #: Deleted triplets that are forgotten now.
    forgotten: int
    #: Live triplets whose records moved.
    moved: int
    #: Packs that are gone.
    packs: int
    #: Bytes that packs take less than before.
    freed_bytes: int
    #: Dead bytes that are left.
    dead_bytes: int
    #: Deleted triplets that a held snapshot still shows.
    held: int
    #: Packs that were left because they hold damaged triplets.
    damaged: list[int]
    #: The oldest snapshot that is held.
    oldest_held: Optional[int] = None


@dataclass(frozen=True)
class Recount:
    """What a recount has corrected, and what it could not."""

    corrected: list[str]
    left: list[str]


@dataclass(frozen=True)
class BackupResult:
    """What a backup holds."""

    store: str
    catalog_version: int
    #: The last change-sequence number in the copy.
    snapshot: int
    triplets: int
    created_microseconds: int
    #: ``path``, ``bytes`` and ``checksum`` of each file.
    files: list[dict[str, Any]]


@dataclass(frozen=True)
class Quarantined:
    """A triplet that was set aside."""

    triplet: int
    found_microseconds: int
    reason: str


@dataclass(frozen=True)
class Release:
    """What became of triplets that were to be taken back."""

    #: New ids by old ones.
    released: dict[int, int]
    #: What is still wrong, by id.
    damaged: dict[int, str]
    #: Those that are not set aside, or not there.
    missing: list[int]


@dataclass(frozen=True)
class CheckResult:
    """What a check of the store found."""

    triplets: int
    masks: int
    blobs_read: int
    #: One sentence each; empty when all is well.
    problems: list[str]
    #: Triplets that are set aside because their bytes broke.
    quarantined: list[int]


@dataclass(frozen=True)
class Lease:
    """Names one lease of one work item."""

    job: int
    ordinal: int
    token: int


@dataclass(frozen=True)
class WorkItem:
    """One triplet to make."""

    job: int
    ordinal: int
    #: The fencing token that ``submit`` must show.
    token: int
    #: The category that must be in the image.
    category: str
    engine: str
    image_size: int
    #: Same seed, same triplet.
    seed: int
    #: Categories that may appear beside it: ``{"category": ..., "weight": ...}``.
    companions: list[dict[str, Any]]
    #: Failures so far.
    attempts: int
    expires_microseconds: int

    @property
    def lease(self) -> Lease:
        """What names this lease."""
        return Lease(self.job, self.ordinal, self.token)


@dataclass(frozen=True)
class Submitted:
    """The answer to a submit: the triplet is durable."""

    triplet: int
    #: Whether the item had been handed in before.
    duplicate: bool


@dataclass(frozen=True)
class ResumeToken:
    """The values that continue a stream anywhere."""

    store: str
    snapshot: int
    policy: str
    seed: int
    #: The next batch.
    k: int
    #: Of a stream that follows the store: where each category took more triplets, as
    #: ``[turn, count]``.
    edges: Optional[dict[str, list[list[int]]]] = None


@dataclass(frozen=True)
class StreamCategory:
    """One category of a stream."""

    category: str
    #: Its value in the label map, from 1.
    label: int
    #: Triplets it has in the snapshot.
    stock: int
    #: Whether it has fewer than the stream's minimum.
    thin: bool

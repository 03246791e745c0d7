"""What can go wrong, with the daemon's stable words."""

from __future__ import annotations

from typing import Any, Optional


class GroundwellError(Exception):
    """A request failed, or could not be made.

    ``word`` is stable and meant for programs: one of the daemon's words (``category_unknown``,
    ``token_stale`` ...; the table is in ``schema/README.md``), or one of this package's own:
    ``not_running``, ``connection_lost``, ``timed_out``, ``bad_answer``, ``job_failed``,
    ``batches_held``, ``plan_mismatch``, ``tensor_missing``, ``no_shared_memory``, ``no_torch``.
    ``code`` is the JSON-RPC code, 0 for this package's own words.
    """

    def __init__(
        self, word: str, message: str, code: int = 0, retry_after: Optional[float] = None
    ) -> None:
        super().__init__(f"{word}: {message}")
        self.word = word
        self.code = code
        self.message = message
        #: Seconds after which asking again makes sense, where the daemon said so.
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.word, self.message, self.code, self.retry_after))

    @classmethod
    def from_wire(cls, error: Any) -> GroundwellError:
        """The error object of a JSON-RPC answer."""
        if not isinstance(error, dict):
            return cls("bad_answer", f"an error that is no object: {error!r}")
        data = error.get("data")
        details = data if isinstance(data, dict) else {}
        milliseconds = details.get("retry_after_milliseconds")
        return cls(
            str(details.get("word", "unnamed")),
            str(error.get("message", "")),
            int(error.get("code", 0)),
            milliseconds / 1000 if isinstance(milliseconds, (int, float)) else None,
        )


class ConnectionLost(GroundwellError):
    """The daemon is gone or has closed the connection; the next call connects anew.

    Whether the request was carried out is unknown. Every method of the daemon may be sent again.
    """

    def __init__(self, message: str, word: str = "connection_lost") -> None:
        super().__init__(word, message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.word))


class TimedOut(GroundwellError):
    """The daemon did not answer in time. The connection stays usable."""

    def __init__(self, message: str) -> None:
        super().__init__("timed_out", message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message,))

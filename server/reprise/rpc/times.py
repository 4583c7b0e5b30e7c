"""Times and spans of time as google.protobuf has them."""

from __future__ import annotations

from google.protobuf import duration_pb2, timestamp_pb2

from reprise.domain.errors import FieldProblem, InvalidArgument

_LONGEST_S = 100 * 365.25 * 24 * 3600


def set_time(target: timestamp_pb2.Timestamp, at_ns: int) -> None:
    target.seconds, target.nanos = divmod(at_ns, 1_000_000_000)


def seconds(duration: duration_pb2.Duration, field: str) -> float:
    """Errors: InvalidArgument for less than nothing, and for more than a century."""
    found = duration.seconds + duration.nanos / 1e9
    if not 0 <= found <= _LONGEST_S:
        raise InvalidArgument(FieldProblem(field, f"expected 0 to {_LONGEST_S:.0f} s, got {found:g} s"))
    return found

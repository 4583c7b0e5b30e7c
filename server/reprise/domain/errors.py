"""What can go wrong, as the service says it. `rpc` alone knows which status code each class becomes.

Invariant: an error's `reason` is stable (clients match on it), its message names the field and what was expected.
The docstring of a class is its default message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field of a request: its path, and what was expected."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class RepriseError(Exception):
    """Something went wrong."""

    reason: str = "UNKNOWN_REASON"

    def __init__(self, message: str | None = None, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message or type(self).__doc__)
        self.metadata: dict[str, str] = dict(metadata or {})

    @property
    def message(self) -> str:
        return str(self.args[0])


class InvalidArgument(RepriseError):
    """The request is not valid."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self, problems: Sequence[FieldProblem] | FieldProblem, metadata: Mapping[str, str] | None = None
    ) -> None:
        self.problems: tuple[FieldProblem, ...] = (
            (problems,) if isinstance(problems, FieldProblem) else tuple(problems)
        )
        super().__init__("; ".join(str(problem) for problem in self.problems), metadata)


class RequestIdReused(InvalidArgument):
    """The request id was used before, with another request."""

    reason = "REQUEST_ID_REUSED"


class NotFound(RepriseError):
    """The resource does not exist."""

    reason = "RESOURCE_NOT_FOUND"


class AlreadyExists(RepriseError):
    """A run of this name exists."""

    reason = "RESOURCE_ALREADY_EXISTS"


class FailedPrecondition(RepriseError):
    """The state of the resource does not allow this."""

    reason = "STATE_DOES_NOT_ALLOW"


class Aborted(RepriseError):
    """The world has changed since the plan was made; plan again."""

    reason = "PLAN_OUTDATED"


class Unavailable(RepriseError):
    """A store cannot be reached now; try again."""

    reason = "STORE_UNAVAILABLE"


class ResourceExhausted(RepriseError):
    """A limit is reached."""

    reason = "LIMIT_REACHED"


class PermissionDenied(RepriseError):
    """The caller may not do this."""

    reason = "PERMISSION_DENIED"


class Unauthenticated(RepriseError):
    """It is not known who calls."""

    reason = "UNAUTHENTICATED"


class DeadlineExceeded(RepriseError):
    """The deadline of the call has passed, or its caller has gone."""

    reason = "DEADLINE_EXCEEDED"


class Unimplemented(RepriseError):
    """This server does not do that."""

    reason = "NOT_IMPLEMENTED"


class IllegalMove(RepriseError):
    """The state cannot change in this way."""

    reason = "ILLEGAL_MOVE"


class FenceLost(RepriseError):
    """Another server owns the run now; this one must let go of it."""

    reason = "FENCE_LOST"


class DataDirInUse(RepriseError):
    """Another server uses this data directory."""

    reason = "DATA_DIR_IN_USE"

"""What a call to the server can end in, as exceptions.

Invariant: `reason` and `code` are the server's and stable; `violations` name the fields of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field of a request: its path, and what was expected."""

    field: str
    message: str


class CallError(Exception):
    """The server refused a call, or could not be reached.

    `code` is the name of a google.rpc.Code, `reason` that of the ErrorInfo ("" without one).
    """

    def __init__(
        self,
        code: str,
        message: str,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata: dict[str, str] = dict(metadata or {})
        self.violations = tuple(violations)


class NotFoundError(CallError):
    """The run, task or operation does not exist."""


class InvalidArgumentError(CallError):
    """The request is not valid; `violations` say where."""


class AlreadyExistsError(CallError):
    """A run of this name exists."""


class FailedPreconditionError(CallError):
    """The state of the run does not allow this."""


class AbortedError(CallError):
    """The world has changed since the plan was made."""


class UnavailableError(CallError):
    """The server cannot be reached now, or one of its stores cannot."""


class DeadlineExceededError(CallError):
    """No answer within the time given."""


_CLASSES: dict[str, type[CallError]] = {
    "NOT_FOUND": NotFoundError,
    "INVALID_ARGUMENT": InvalidArgumentError,
    "ALREADY_EXISTS": AlreadyExistsError,
    "FAILED_PRECONDITION": FailedPreconditionError,
    "ABORTED": AbortedError,
    "UNAVAILABLE": UnavailableError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
}


def from_rpc_error(error: Any) -> CallError:
    """The exception for a grpc.RpcError that is also a grpc.Call."""
    # Imported here: these two register with the protobuf runtime, which a successful call need not pay for.
    from google.rpc import error_details_pb2, status_pb2

    code, message = error.code().name, error.details() or ""
    reason, metadata, violations = "", {}, []
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                reason, metadata = info.reason, dict(info.metadata)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest.FromString(detail.value)
                violations += [Violation(each.field, each.description) for each in bad.field_violations]
    return _CLASSES.get(code, CallError)(code, message, reason, metadata, violations)

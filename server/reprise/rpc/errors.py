"""One table from what went wrong to what a caller is told (AIP-193).

Invariants: every class of `domain.errors` has a row; every error leaves with an ErrorInfo; the text of an
unforeseen exception never leaves, it is logged under an opaque id that does. A status fits into a response's
headers.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from google.rpc.code_pb2 import Code

from reprise.domain import errors
from reprise.domain.errors import FieldProblem, RepriseError

DOMAIN = "reprise"
INTERNAL_REASON = "INTERNAL"

CODES: dict[type[RepriseError], Code.ValueType] = {
    errors.InvalidArgument: Code.INVALID_ARGUMENT,
    errors.RequestIdReused: Code.INVALID_ARGUMENT,
    errors.NotFound: Code.NOT_FOUND,
    errors.AlreadyExists: Code.ALREADY_EXISTS,
    errors.FailedPrecondition: Code.FAILED_PRECONDITION,
    errors.Aborted: Code.ABORTED,
    errors.Unavailable: Code.UNAVAILABLE,
    errors.ResourceExhausted: Code.RESOURCE_EXHAUSTED,
    errors.PermissionDenied: Code.PERMISSION_DENIED,
    errors.Unauthenticated: Code.UNAUTHENTICATED,
    errors.DeadlineExceeded: Code.DEADLINE_EXCEEDED,
    errors.Unimplemented: Code.UNIMPLEMENTED,
    errors.IllegalMove: Code.FAILED_PRECONDITION,
    errors.FenceLost: Code.ABORTED,
    errors.DataDirInUse: Code.UNAVAILABLE,
}

# grpc refuses headers of more than some 8 KiB altogether, base64 and percent encoding included.
_LONGEST_MESSAGE_BYTES = 600
_LONGEST_VIOLATIONS_BYTES = 2500
_LONGEST_METADATA_BYTES = 1000

_log = logging.getLogger("reprise.rpc")


def status_of(error: Exception) -> status_pb2.Status:
    """The status that leaves the server for `error`. Logs what is not foreseen."""
    if isinstance(error, RepriseError):
        code = _code_of(type(error))
        if code is not None:
            return _known(error, code)
    opaque_id = secrets.token_hex(16)
    _log.error("unforeseen failure %s", opaque_id, exc_info=error)
    status = status_pb2.Status(
        code=Code.INTERNAL,
        message=f"something unforeseen went wrong; the server's log has it under {opaque_id}",
    )
    _add_info(status, INTERNAL_REASON, {"id": opaque_id})
    return status


def _code_of(kind: type[RepriseError]) -> Code.ValueType | None:
    return next((CODES[base] for base in kind.__mro__ if base in CODES), None)


def _known(error: RepriseError, code: Code.ValueType) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=_shorten(error.message, _LONGEST_MESSAGE_BYTES))
    _add_info(status, error.reason, error.metadata)
    if isinstance(error, errors.InvalidArgument):
        _add_violations(status, error.problems)
    return status


def _add_info(status: status_pb2.Status, reason: str, metadata: dict[str, str]) -> None:
    kept: dict[str, str] = {}
    left = _LONGEST_METADATA_BYTES
    for key, value in metadata.items():
        kept[key] = _shorten(value, max(left, 3))
        left -= len(key.encode()) + len(kept[key].encode())
        if left <= 0:
            break
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=kept)
    status.details.add().Pack(info)


def _add_violations(status: status_pb2.Status, problems: Sequence[FieldProblem]) -> None:
    request = error_details_pb2.BadRequest()
    left = _LONGEST_VIOLATIONS_BYTES
    for count, problem in enumerate(problems):
        field, message = _shorten(problem.field, 400), _shorten(problem.message, 600)
        left -= len(field.encode()) + len(message.encode()) + 8
        if left < 0 and count:
            request.field_violations.add(description=f"and {len(problems) - count} more")
            break
        request.field_violations.add(field=field, description=message)
    detail = any_pb2.Any()
    detail.Pack(request)
    status.details.append(detail)


def _shorten(text: str, longest: int) -> str:
    """At most `longest` bytes of UTF-8, on one line: some clients cut a status at a line break."""
    text = text[: longest + 1].replace("\n", " ")
    raw = text.encode("utf-8", "replace")
    if len(raw) <= longest:
        return raw.decode()
    return raw[: longest - 3].decode("utf-8", "ignore") + "..."

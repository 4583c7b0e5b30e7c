"""Who may do what: the question that an authorizer of the host's answers for every call.

Invariant: it is asked before anything is looked up, and about a project, never about a run: so a refusal is the
same whether the run exists or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from reprise.domain.names import Parent


class Permission(StrEnum):
    """What a call needs. A rerun needs CREATE and GET, a plan of one GET; `list` governs operations too.

    USE_ARTIFACT_URI is needed besides where a call names an input artifact by its URI: the answer says whether there
    is anything, on this host or in a store that this server reaches.
    """

    CREATE = "pipelineJobs.create"
    GET = "pipelineJobs.get"
    LIST = "pipelineJobs.list"
    CANCEL = "pipelineJobs.cancel"
    DELETE = "pipelineJobs.delete"
    USE_ARTIFACT_URI = "artifacts.useByUri"
    GET_OPERATION = "operations.get"
    LIST_OPERATIONS = "operations.list"
    CANCEL_OPERATION = "operations.cancel"
    DELETE_OPERATION = "operations.delete"
    LIST_CACHE = "cacheEntries.list"
    DROP_CACHE = "cacheEntries.drop"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as far as the transport knows.

    `metadata`: of the call (HTTP headers, for REST), names in lower case; a name given twice has its last value.
    `peer`: where it comes from. `identities`: of a client's certificate, where TLS asked for one.
    """

    metadata: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    identities: tuple[str, ...] = ()


class Authorizer(Protocol):
    """Decides about calls. Called from many threads at once, for every call: it should not block for long."""

    def authorize(self, caller: Caller, permission: Permission, parent: Parent) -> None:
        """Return if `caller` may do this under `parent`, whose project is never an alias.

        Errors: PermissionDenied; Unauthenticated where it is not even known who calls.
        """
        ...


class AllowAll:
    """Everybody may do everything: for a server that only its own machine reaches."""

    def authorize(self, caller: Caller, permission: Permission, parent: Parent) -> None:
        return

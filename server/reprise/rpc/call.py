"""What a handler knows of the call besides its message."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from reprise.domain.authorization import AllowAll, Authorizer, Caller, Permission
from reprise.domain.commands import CreateRun
from reprise.domain.errors import DeadlineExceeded
from reprise.domain.names import Parent
from reprise.domain.run import Party

_ALLOW_ALL = AllowAll()
_NOBODY = Caller()


class Call(NamedTuple):
    """`party`: under which service name it came in.

    `is_active`: False once nobody waits for the answer any more. `when_over`: calls back when that is so, where the
    transport can tell; what waits looks at `is_active` all the same.
    """

    party: Party
    request_id: str = ""
    is_active: Callable[[], bool] = lambda: True
    when_over: Callable[[Callable[[], None]], object] = lambda _callback: None
    caller: Callable[[], Caller] = lambda: _NOBODY
    authorizer: Authorizer = _ALLOW_ALL

    def needs(self, permission: Permission, parent: Parent) -> None:
        """Go on only for somebody who may do this, and who still waits for the answer.

        Errors: PermissionDenied, Unauthenticated, DeadlineExceeded.
        """
        if not isinstance(self.authorizer, AllowAll):
            self.authorizer.authorize(self.caller(), permission, parent)
        if not self.is_active():
            raise DeadlineExceeded()

    def needs_for_inputs(self, command: CreateRun) -> None:
        """Go on only for somebody who may name the input artifacts as this command does. Errors: as `needs`."""
        if command.names_artifact_uris:
            self.needs(Permission.USE_ARTIFACT_URI, command.parent)

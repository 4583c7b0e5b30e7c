"""What a handler knows of the call besides its message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from reprise.domain.run import Party


@dataclass(frozen=True, slots=True)
class Call:
    """`party`: under which service name it came in.

    `is_active`: False once nobody waits for the answer any more.
    """

    party: Party
    request_id: str = ""
    is_active: Callable[[], bool] = lambda: True

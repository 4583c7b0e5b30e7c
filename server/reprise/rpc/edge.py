"""What the handlers of one server have in common, beside the service behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

from reprise.domain.authorization import AllowAll, Authorizer
from reprise.domain.names import Projects
from reprise.rpc.limits import RequestLimits


@dataclass(frozen=True, slots=True)
class Edge:
    """How names are read, how much one request may ask for, who may call."""

    projects: Projects = field(default_factory=Projects)
    limits: RequestLimits = field(default_factory=RequestLimits)
    authorizer: Authorizer = field(default_factory=AllowAll)

"""The table of HTTP routes, read from the google.api.http annotations of the methods.

Invariant: no route is written by hand. A method with an annotation is served, and described, at each of its bindings.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.longrunning import operations_proto_pb2 as operations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

from reprise.domain.run import Party
from reprise.pb.v1 import pipeline_service_pb2

_VARIABLE = re.compile(r"\{([\w.]+)(?:=([^}]*))?\}")
_WILDCARDS = {"*": "[^/]+", "**": ".+"}
_PARTIES = {"v1": Party.VERTEX_V1, "v1beta1": Party.VERTEX_V1BETA1}
_OPERATION = "{name=projects/*/locations/*/operations/*}"

# Google's own annotations of the operations are for names at the root; as each of its services does, this one says
# where its operations are. Its clients poll under /ui.
_OPERATION_RULES: Mapping[str, http_pb2.HttpRule] = {
    name: http_pb2.HttpRule(
        additional_bindings=[
            http_pb2.HttpRule(**{verb: f"/{version}/{template}"}, body=body)
            for version in ("v1", "v1beta1", "ui")
        ]
    )
    for name, verb, template, body in (
        ("ListOperations", "get", "{name=projects/*/locations/*}/operations", ""),
        ("GetOperation", "get", _OPERATION, ""),
        ("DeleteOperation", "delete", _OPERATION, ""),
        ("CancelOperation", "post", f"{_OPERATION}:cancel", "*"),
        ("WaitOperation", "post", f"{_OPERATION}:wait", ""),
    )
}


@dataclass(frozen=True, slots=True)
class Route:
    """One binding of one method.

    `fields`: the path's variables in order, each the path of a field of the request. `body`: the field that the body
    is, `*` for the whole request, empty for no body. `party`: under which service name the call counts as made.
    """

    service: str
    method: MethodDescriptor
    verb: str
    template: str
    body: str
    party: Party
    fields: tuple[str, ...]
    pattern: str

    @property
    def request(self) -> Descriptor:
        return self.method.input_type

    @property
    def segments(self) -> str:
        """The template with its variables replaced by what they stand for: `/v1/projects/*/locations/*`."""
        return _VARIABLE.sub(lambda match: match[2] or "*", self.template)


@dataclass(frozen=True, slots=True)
class Match:
    """`allowed`: the methods of HTTP that the path knows; `route` is None when it does not know the one asked for."""

    route: Route | None
    variables: Mapping[str, str]
    allowed: frozenset[str]


class RouteTable:
    """Every route of every service."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self.prefixes = frozenset(route.template.split("/")[1] for route in self.routes)

    @cached_property
    def _patterns(self) -> tuple[tuple[Route, re.Pattern[str]], ...]:
        # For the first request: a server is up sooner without them, and may never be asked over HTTP.
        return tuple((route, re.compile(route.pattern)) for route in self.routes)

    def is_known(self, path: str) -> bool:
        """Whether the path is in the part of the address space that belongs to the API."""
        return path.startswith("/") and path.split("/")[1] in self.prefixes

    def match(self, verb: str, path: str) -> Match:
        """The route of a request. `path` is as it came, percent-encoded."""
        found: Route | None = None
        variables: dict[str, str] = {}
        allowed = set()
        for route, pattern in self._patterns:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            allowed.add(route.verb)
            if found is None and route.verb == verb:
                found = route
                variables = {
                    field: urllib.parse.unquote(text)
                    for field, text in zip(route.fields, match.groups(), strict=True)
                }
        return Match(found, variables, frozenset(allowed))


def route_table() -> RouteTable:
    """The routes of the API as it is declared."""
    pipelines = pipeline_service_pb2.DESCRIPTOR.services_by_name["PipelineService"]
    operations = operations_pb2.DESCRIPTOR.services_by_name["Operations"]
    return RouteTable([*_routes(pipelines, {}), *_routes(operations, _OPERATION_RULES)])


def _routes(service: ServiceDescriptor, rules: Mapping[str, http_pb2.HttpRule]) -> Iterator[Route]:
    for method in service.methods:
        rule = rules.get(method.name, method.GetOptions().Extensions[annotations_pb2.http])
        for binding in (rule, *rule.additional_bindings):
            if (verb := binding.WhichOneof("pattern")) is not None:
                yield _route(service, method, verb, binding)


def _route(service: ServiceDescriptor, method: MethodDescriptor, verb: str, rule: Any) -> Route:
    template: str = getattr(rule, verb)
    parts, fields, end = [], [], 0
    for match in _VARIABLE.finditer(template):
        is_last = "/" not in template[match.end() :]
        parts += [re.escape(template[end : match.start()]), f"({_segments(match[2] or '*', is_last)})"]
        fields.append(match[1])
        end = match.end()
    parts.append(re.escape(template[end:]))
    return Route(
        service=service.full_name,
        method=method,
        verb=verb.upper(),
        template=template,
        body=rule.body,
        party=_PARTIES.get(template.split("/")[1], Party.REPRISE),
        fields=tuple(fields),
        pattern="".join(parts),
    )


def _segments(pattern: str, is_last: bool) -> str:
    """The last segment of a path has no colon in it: what follows one is a custom verb."""
    *heads, last = (_WILDCARDS.get(segment, re.escape(segment)) for segment in pattern.split("/"))
    return "/".join((*heads, "[^/:]+" if is_last and last == _WILDCARDS["*"] else last))

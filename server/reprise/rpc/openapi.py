"""The API as an OpenAPI document, made of the same table of routes that is served.

Invariant: every route of the table is in it, with every field of its messages, and nothing else is.
"""

from __future__ import annotations

import re
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from reprise.rpc.routes import Route, RouteTable

_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"$ref": "#/components/schemas/google.protobuf.Any"}},
            },
        }
    },
}
_INTEGERS_IN_JSON = {FieldDescriptor.CPPTYPE_INT32: "int32", FieldDescriptor.CPPTYPE_UINT32: "uint32"}
_INTEGERS_AS_TEXT = {FieldDescriptor.CPPTYPE_INT64: "int64", FieldDescriptor.CPPTYPE_UINT64: "uint64"}
# The JSON forms that protobuf gives to these.
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "additionalProperties": True,
    },
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Empty": {"type": "object", "additionalProperties": False},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
}
_WILDCARD = re.compile(r"(\w+)/\*")


def document(table: RouteTable) -> dict[str, Any]:
    """As of OpenAPI 3.1."""
    schemas: dict[str, Any] = {"Error": _ERROR, "google.protobuf.Any": _WELL_KNOWN["google.protobuf.Any"]}
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        path, parameters = _path(route)
        paths.setdefault(path, {})[route.verb.lower()] = _operation(route, parameters, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reprise", "version": "v1"},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _path(route: Route) -> tuple[str, list[str]]:
    """A template's wildcards become parameters, named after the collection that they stand in."""
    names: list[str] = []

    def named(match: re.Match[str]) -> str:
        names.append(match[1].removesuffix("s"))
        return f"{match[1]}/{{{names[-1]}}}"

    return _WILDCARD.sub(named, route.segments), names


def _operation(route: Route, names: list[str], schemas: dict[str, Any]) -> dict[str, Any]:
    version = route.template.split("/")[1]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    taken = {field.split(".")[0] for field in route.fields} | {route.body}
    if route.body != "*":
        parameters += [
            {"name": name, "in": "query", "schema": schema}
            for field in route.request.fields
            if field.name not in taken
            for name, schema in _query(field, field.json_name, schemas)
        ]
    described: dict[str, Any] = {
        "operationId": f"{version}.{route.service}.{route.method.name}",
        "tags": [route.service],
        "parameters": parameters,
        "responses": {
            "200": {"description": "done", "content": _content(_answer(route, schemas))},
            "default": {"description": "refused", "content": _content({"$ref": _reference("Error")})},
        },
    }
    if route.body:
        kind: Any = (
            route.request if route.body == "*" else route.request.fields_by_name[route.body].message_type
        )
        described["requestBody"] = {"content": _content(_message(kind, schemas))}
    return described


def _answer(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = _message(route.method.output_type, schemas)
    return {"type": "array", "items": schema} if route.method.server_streaming else schema


def _query(field: FieldDescriptor, name: str, schemas: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    kind = field.message_type
    if kind is None or kind.full_name in _WELL_KNOWN:
        return [(name, _field(field, schemas))]
    if field.is_repeated:
        return []
    return [found for each in kind.fields for found in _query(each, f"{name}.{each.json_name}", schemas)]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _reference(name: str) -> str:
    return f"#/components/schemas/{name}"


def _message(kind: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if kind.full_name not in schemas:
        schemas[kind.full_name] = {}  # a message may hold itself
        schemas[kind.full_name] = (
            _WELL_KNOWN[kind.full_name]
            if kind.full_name in _WELL_KNOWN
            else {
                "type": "object",
                "properties": {field.json_name: _field(field, schemas) for field in kind.fields},
                "additionalProperties": False,
            }
        )
    return {"$ref": _reference(kind.full_name)}


def _field(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        return {
            "type": "object",
            "additionalProperties": _single(kind.fields_by_name["value"], schemas),
        }
    schema = _single(field, schemas)
    return {"type": "array", "items": schema} if field.is_repeated else schema


def _single(field: FieldDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.message_type is not None:
        return _message(field.message_type, schemas)
    if field.enum_type is not None:
        return _enum(field.enum_type, schemas)
    if field.cpp_type in _INTEGERS_IN_JSON:
        return {"type": "integer", "format": _INTEGERS_IN_JSON[field.cpp_type]}
    if field.cpp_type in _INTEGERS_AS_TEXT:
        return {"type": ["string", "integer"], "format": _INTEGERS_AS_TEXT[field.cpp_type]}
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return {"type": "boolean"}
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return {"type": "number"}
    if field.type == FieldDescriptor.TYPE_BYTES:
        return {"type": "string", "contentEncoding": "base64"}
    return {"type": "string"}


def _enum(kind: EnumDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    """By name, or by number."""
    schemas[kind.full_name] = {
        "oneOf": [{"type": "string", "enum": [value.name for value in kind.values]}, {"type": "integer"}]
    }
    return {"$ref": _reference(kind.full_name)}

"""Messages as the JSON that Google's servers answer with.

Invariant: a payload of an Any holds only what the type that it names has.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from reprise.domain.run import Party

_OWN_FIELDS = 1000
_EXACT_IN_A_DOUBLE = 2**53


def to_json(message: Message, are_enums_numbers: bool) -> bytes:
    return dump(plain(message, are_enums_numbers))


class _Names:
    """Finds the messages in an Any: those of Google's names are ours, without the fields that only ours have.

    Google's clients read an operation strictly, so a payload may hold only what the type that it names has.
    """

    def FindMessageTypeByName(self, name: str) -> Descriptor:  # noqa: N802  (json_format calls it)
        for party in (Party.VERTEX_V1, Party.VERTEX_V1BETA1):
            if name.startswith(f"{party}."):
                name = f"{Party.REPRISE}{name.removeprefix(party)}"
        return descriptor_pool.Default().FindMessageTypeByName(name)


_NAMES = _Names()


def plain(message: Message, are_enums_numbers: bool) -> Any:
    _strip_any(message)
    return json_format.MessageToDict(
        message,
        use_integers_for_enums=are_enums_numbers,
        descriptor_pool=_NAMES,  # type: ignore[arg-type]  # all that json_format asks of one
    )


def _strip_any(message: Message) -> None:
    """Take the fields of our own out of each Any with a type of Google's, at the top of the message or below."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        _strip_payload(message)
        return
    if message.DESCRIPTOR.file.package != "google.longrunning":
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for each in value if field.is_repeated else (value,):
            _strip_any(each)


def _strip_payload(payload: Any) -> None:
    _, _, name = payload.type_url.rpartition("/")
    if name.startswith("google.cloud.aiplatform."):
        message = message_factory.GetMessageClass(_NAMES.FindMessageTypeByName(name)).FromString(
            payload.value
        )
        _strip_own(message)
        payload.value = message.SerializeToString()


def _strip_own(message: Message) -> None:
    for field, value in message.ListFields():
        if field.number >= _OWN_FIELDS:
            message.ClearField(field.name)
        elif field.message_type is not None and field.message_type.file.package == Party.REPRISE:
            if not field.is_repeated:
                _strip_own(value)
            elif not field.message_type.GetOptions().map_entry:
                for each in value:
                    _strip_own(each)


def dump(value: Any) -> bytes:
    return json.dumps(_whole(value), ensure_ascii=False, separators=(",", ":")).encode()


def _whole(value: Any) -> Any:
    """Whole numbers without a fraction: what was 3 when it was sent is 3 again."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _EXACT_IN_A_DOUBLE else value
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value

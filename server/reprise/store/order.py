"""The order of a list of runs, as a caller writes it."""

from __future__ import annotations

from collections.abc import Sequence

from reprise.domain.errors import FieldProblem, InvalidArgument

Order = Sequence[tuple[str, bool]]  # field, is descending

# With the kinds of a key's values, the run's id last; what places equal ones stands in between.
KEY_KINDS: dict[str, tuple[type[int] | type[str], ...]] = {
    "create_time": (int, int),
    "display_name": (str, int, int),
    "update_time": (int, int),
    "end_time": (int, int),
}
NEVER_CHANGES = ("create_time", "display_name")


def parse_order(text: str) -> Order:
    """Errors: InvalidArgument."""
    if not text.strip():
        return [("create_time", True)]
    order: list[tuple[str, bool]] = []
    for part in text.split(","):
        words = part.split()
        if len(words) not in (1, 2) or words[0] not in KEY_KINDS or words[1:] not in ([], ["asc"], ["desc"]):
            raise InvalidArgument(
                FieldProblem(
                    "order_by",
                    f"expected one of {', '.join(KEY_KINDS)}, with asc or desc, got {part[:100]!r}",
                )
            )
        order.append((words[0], words[1:] == ["desc"]))
    if len({field for field, _ in order}) < len(order):
        raise InvalidArgument(FieldProblem("order_by", "names a field twice"))
    return order

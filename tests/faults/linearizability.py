"""Whether calls that overlapped can be put in one order, each between its begin and its end, in which one run that does
one thing at a time would have answered them so (Wing and Gong's search, with what the run does by itself in between).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ENDED = ("SUCCEEDED", "CANCELLED")
GONE = "gone"


@dataclass(frozen=True)
class Call:
    """`begin` and `end` by one clock; `said` is what it answered. An `end` of inf: it never answered."""

    what: str  # get, cancel, delete, rerun; complete: the last task of the run ends
    begin: float
    end: float
    said: str = ""

    def __str__(self) -> str:
        return f"{self.begin:.6f} to {self.end:.6f} {self.what} -> {self.said}"


def order_of(calls: Sequence[Call]) -> list[str] | None:
    """An order that explains the answers, with the states between them; None: there is none."""
    failed: set[tuple[frozenset[int], str, bool]] = set()

    def search(left: frozenset[int], state: str, is_complete: bool) -> list[str] | None:
        if not left:
            return [state]
        if (left, state, is_complete) in failed:
            return None
        first_end = min(calls[index].end for index in left)
        for index in sorted(left):
            call = calls[index]
            if call.begin > first_end:
                continue
            for after in _after(state, call):
                rest = search(left - {index}, after, is_complete or call.what == "complete")
                if rest is not None:
                    return [state, str(call), *rest]
        for after in _by_itself(state, is_complete):
            rest = search(left, after, is_complete)
            if rest is not None:
                return [state, "(by itself)", *rest]
        failed.add((left, state, is_complete))
        return None

    return search(frozenset(range(len(calls))), "RUNNING", False)


def _by_itself(state: str, is_complete: bool) -> Sequence[str]:
    match state:
        case "RUNNING" if is_complete:
            return ("SUCCEEDED",)
        case "CANCELLING":
            return ("CANCELLED", "SUCCEEDED") if is_complete else ("CANCELLED",)
    return ()


def _after(state: str, call: Call) -> Sequence[str]:
    """The states that the run may be in after this call, if it may answer what it answered."""
    is_there = state != GONE
    match call.what:
        case "complete":
            return (state,)
        case "get":
            return (state,) if call.said == (state if is_there else "NOT_FOUND") else ()
        case "cancel":
            if call.said == "NOT_FOUND":
                return () if is_there else (state,)
            if call.said != "OK" or not is_there:
                return ()
            return ("CANCELLING",) if state == "RUNNING" else (state,)
        case "delete":
            wanted = "NOT_FOUND" if not is_there else "OK" if state in ENDED else "FAILED_PRECONDITION"
            if call.said != wanted:
                return ()
            return (GONE,) if wanted == "OK" else (state,)
        case "rerun":
            wanted = "NOT_FOUND" if not is_there else "OK" if state in ENDED else "FAILED_PRECONDITION"
            return (state,) if call.said == wanted else ()
    raise AssertionError(call.what)

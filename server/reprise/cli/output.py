"""What a person or a script reads: aligned tables, JSON, states in colour where the output is a terminal.

Invariant: with --json, standard output is one JSON document and nothing else; all talk goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_COLOURS = {
    "SUCCEEDED": "32",
    "REUSE": "32",
    "FAILED": "31",
    "CANCELLED": "33",
    "CANCELLING": "33",
    "SKIPPED": "36",
    "SKIP": "36",
    "RUNNING": "34",
    "EXECUTE": "34",
    "RE_EVALUATE": "35",
    "NOT_TRIGGERED": "90",
    "DROPPED": "90",
    "PENDING": "90",
    "QUEUED": "90",
}
_GAP = "  "


class Output:
    """Where a command writes to."""

    def __init__(self, is_json: bool, out: TextIO | None = None, talk: TextIO | None = None) -> None:
        self.is_json = is_json
        self.out = out or sys.stdout
        self.talk = talk or sys.stderr
        self.is_live = self.talk.isatty() and not is_json
        self._is_coloured = self.out.isatty() and "NO_COLOR" not in os.environ

    def json(self, document: Any) -> None:
        self.out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")

    def line(self, text: str = "") -> None:
        self.out.write(text + "\n")
        self.out.flush()

    def say(self, text: str) -> None:
        """To the person, whatever the output is for."""
        self.talk.write(text + "\n")
        self.talk.flush()

    def state(self, word: str) -> str:
        colour = _COLOURS.get(word)
        return f"\x1b[{colour}m{word}\x1b[0m" if colour and self._is_coloured else word

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "") -> None:
        """Columns as wide as they need to be; columns without any content are left out."""
        for line in table_lines(headings, rows):
            self.out.write(indent + self._paint(line) + "\n")
        self.out.flush()

    def _paint(self, line: str) -> str:
        if not self._is_coloured:
            return line
        # Whole words only, from the right end of a column gap, so that widths stay as they were counted.
        words = line.split(" ")
        return " ".join(self.state(word) for word in words)


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table, without trailing blanks; columns without any content are left out."""
    cells = [[_clean(cell) for cell in row] for row in rows]
    kept = [i for i in range(len(headings)) if not cells or any(row[i] for row in cells)]
    widths = {i: max([len(headings[i]), *(len(row[i]) for row in cells)]) for i in kept}
    return [_GAP.join(row[i].ljust(widths[i]) for i in kept).rstrip() for row in [list(headings), *cells]]


def _clean(text: str) -> str:
    # A newline or a control character in an error message must not break the table or the terminal.
    return "".join(character if character.isprintable() else " " for character in text).strip()


def shorten(text: str, width: int) -> str:
    """The text on one line of at most `width` characters."""
    text = " ".join(_clean(text).split())
    return text if len(text) <= width else text[: width - 1] + "…"


def format_duration(seconds: float) -> str:
    """42ms, 3.2s, 4m05s, 2h03m."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"


def format_time(seconds: float) -> str:
    """The local date and time, to the second; "" for 0."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds)) if seconds else ""

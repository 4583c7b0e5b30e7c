"""Spans of time as a person types them: 90, 90s, 15m, 12h, 7d."""

from __future__ import annotations

import argparse
import re

_TEXT = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """For `type=` of an argument. Errors: ArgumentTypeError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected e.g. 90, 15m, 12h or 7d, got {text!r}")
    return float(found[1]) * _SECONDS[found[2]]

"""What the command's exit code says; scripts rely on it, so a number never changes its meaning."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    SUCCEEDED = 0  # done as asked; with --wait: the run succeeded
    RUN_FAILED = 1
    USAGE = 2  # argparse's own
    RUN_CANCELLED = 3
    NOT_FOUND = 4
    UNREACHABLE = 5
    REFUSED = 6  # the server says that the request is not valid, or not now
    TIMED_OUT = 7  # what was waited for has not ended yet
    SERVER_ERROR = 8
    INTERRUPTED = 130


EPILOG = """exit codes:
  0  done; where a run was waited for: it succeeded
  1  the run failed
  2  wrong usage, or a file that is no compiled pipeline
  3  the run was cancelled
  4  no such run, task or operation
  5  the server cannot be reached
  6  the server refused the request
  7  the time to wait is over and the run has not ended
  8  the server failed
"""

"""The command `reprise`.

Invariant: this module imports argparse and nothing heavy, so that `reprise --help` and wrong usage answer at
once; each command's module is imported when the command is called.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from reprise import __version__
from reprise.cli.arguments import add_commands
from reprise.cli.exit_codes import EPILOG, ExitCode


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code (see exit_codes)."""
    parser = argparse.ArgumentParser(
        prog="reprise",
        description="Run, rerun and cancel compiled Kubeflow pipelines on your own machines.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reprise {__version__}")
    add_commands(parser)
    arguments = parser.parse_args(argv)
    module_name, _, function_name = arguments.handler.partition(":")
    try:
        handler = getattr(importlib.import_module(module_name), function_name)
        return int(handler(arguments))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone, e.g. `head`; Python must not complain about it again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.SUCCEEDED


if __name__ == "__main__":
    sys.exit(main())

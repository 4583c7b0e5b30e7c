"""Runs the clients of every language against a fresh server and prints which scenarios each has passed.

    REPRISE_CLIENTS=all python tests/clients/conformance.py [CLIENT...]

Ends with 1 if a client failed; one that cannot be run here is said to be skipped, with the reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from published import CLIENTS, Missing
from served import PROJECT_ALIAS, Served

_DONE = "ok "
_LAST = "all good"


@dataclass(frozen=True)
class Result:
    """`problem`: why it was skipped or where it failed; empty when it passed all of its scenarios."""

    passed: tuple[str, ...] = ()
    is_skipped: bool = False
    problem: str = ""


def run(name: str) -> Result:
    """One client against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="reprise-conformance-") as text:
        folder = Path(text)
        server = Served(folder / "data", "--environments=host", PROJECT_ALIAS)
        try:
            done = CLIENTS[name](server, folder).run()
        except Missing as error:
            return Result(is_skipped=True, problem=str(error))
        finally:
            server.stop()
    lines = done.stdout.splitlines()
    passed = tuple(line.removeprefix(_DONE) for line in lines if line.startswith(_DONE))
    if done.returncode == 0 and lines[-1:] == [_LAST]:
        return Result(passed)
    return Result(passed, problem=(done.stderr.strip() or done.stdout.strip())[-2000:])


def table(results: dict[str, Result]) -> str:
    """A line for each scenario, a column for each client."""
    scenarios = list(dict.fromkeys(each for result in results.values() for each in result.passed))
    wide = max(map(len, [*scenarios, "scenario"]))
    lines = [[f"{'scenario':{wide}}", *results]]
    for scenario in scenarios:
        cells = ["passed" if scenario in result.passed else "-" for result in results.values()]
        lines.append([f"{scenario:{wide}}", *cells])
    verdicts = [
        "skipped" if result.is_skipped else "FAILED" if result.problem else "all good"
        for result in results.values()
    ]
    lines.append([f"{'':{wide}}", *verdicts])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"of {', '.join(CLIENTS)}; default: all")
    names = parser.parse_args().clients or list(CLIENTS)
    if unknown := set(names) - CLIENTS.keys():
        parser.error(f"there is no client {', '.join(sorted(unknown))}")
    results = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = run(name)
    print(table(results))
    print("(-: the client has no such call; v1 knows no reruns)")
    for name, result in results.items():
        if result.problem:
            print(f"\n{name} {'was skipped' if result.is_skipped else 'FAILED'}: {result.problem}")
    return int(any(result.problem and not result.is_skipped for result in results.values()))


if __name__ == "__main__":
    raise SystemExit(main())

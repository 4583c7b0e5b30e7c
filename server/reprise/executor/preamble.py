"""What the commands of KFP components really do: their `pip install` lines, and the program behind a wrapper.

Invariant: a command is taken apart only if every word of it is understood; any other is run as it stands.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

_SHELLS = frozenset({"sh", "bash", "/bin/sh", "/bin/bash"})
_SHELL_OPTIONS = re.compile(r"-[euxo]*c")

# Parts of the script that only prepare for pip; a managed environment has no need of them.
_ENSURE_PIP = re.compile(r'if ! \[ -x "\$\(command -v pip\)" \]; then\s[^;]*?\sfi\s', re.DOTALL)
_OWN_VENV = re.compile(
    r"\s*export PIP_DISABLE_PIP_VERSION_CHECK=1\s+tmp=\$\(mktemp -d\)\s+"
    r'python3 -m venv "\$tmp/venv" --system-site-packages\s+\. "\$tmp/venv/bin/activate"\s'
)
_REST = ["&&", "$0", "$@"]
_PIP = ["python3", "-m", "pip", "install"]
# Options that say how loud pip is and where it installs to: an environment of the server's decides that.
_MEANINGLESS = frozenset(
    {
        "--quiet",
        "-q",
        "-qq",
        "--no-warn-script-location",
        "--user",
        "--disable-pip-version-check",
        "--upgrade-strategy=only-if-needed",
    }
)

_KFP_WRAPPER = re.compile(
    r'program_path=\$\(mktemp -d\) printf "%s" "\$0" > "\$program_path/ephemeral_component\.py" '
    r"(?P<runtime>_KFP_RUNTIME=true )?python3 -m (?P<module>kfp\.(?:dsl|components)\.executor_main) "
    r'--component_module_path "\$program_path/ephemeral_component\.py" "\$@"'
)
_SCRIPT_WRAPPER = re.compile(
    r'program_path=\$\(mktemp\) printf "%s" "\$0" > "\$program_path" '
    r'python3 (?P<unbuffered>-u )?"\$program_path" "\$@"'
)


@dataclass(frozen=True, slots=True)
class Split:
    """A command without its installation lines: what each `pip install` was given, in order, and the rest."""

    requirements: tuple[tuple[str, ...], ...]
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PythonProgram:
    """Python source that a wrapper writes to a file and runs, with KFP's executor (`module`) or by itself."""

    source: str
    arguments: tuple[str, ...]
    module: str | None
    is_runtime_flag_set: bool = False
    is_unbuffered: bool = False


def split_installs(argv: Sequence[str]) -> Split:
    """Take the `pip install` lines off the front; none where the command is not known to begin with any."""
    requirements: list[tuple[str, ...]] = []
    rest = tuple(argv)
    # `sh -c '<installs> && "$0" "$@"' <the command itself>`
    while len(rest) > 3 and rest[0] in _SHELLS and rest[1] == "-c":
        installs = _parse_installs(rest[2])
        if installs is None:
            break
        requirements.extend(installs)
        rest = rest[3:]
    return Split(tuple(requirements), rest)


def python_program(argv: Sequence[str]) -> PythonProgram | None:
    """The Python source that `argv` (without installs) runs, if it is one of KFP's wrappers."""
    if len(argv) < 4 or argv[0] not in _SHELLS or _SHELL_OPTIONS.fullmatch(argv[1]) is None:
        return None
    script = " ".join(argv[2].split())
    source, arguments = argv[3], tuple(argv[4:])
    match = _KFP_WRAPPER.fullmatch(script)
    if match is not None:
        return PythonProgram(source, arguments, match["module"], match["runtime"] is not None)
    match = _SCRIPT_WRAPPER.fullmatch(script)
    if match is not None:
        return PythonProgram(source, arguments, None, is_unbuffered=match["unbuffered"] is not None)
    return None


def _parse_installs(script: str) -> list[tuple[str, ...]] | None:
    """The arguments of each `pip install` of the script; None where it does anything else."""
    text, has_check = _ENSURE_PIP.subn(" ", script, count=1)
    text = _OWN_VENV.sub(" ", text)
    if has_check == 0 and "pip install" not in text:
        return None
    try:
        lexer = shlex.shlex(text.strip(), posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = ""
        words = list(lexer)
    except ValueError:
        return None
    if words[-3:] != _REST:
        return None
    words = words[:-3]
    if words[:1] == ["("] and words[-1:] == [")"]:
        # The older form: `(A || A --user) && "$0" "$@"`.
        first, bar, second = _partition(words[1:-1], "||")
        if not bar or second not in ([*first, "--user"], first):
            return None
        words = first
    installs: list[tuple[str, ...]] = []
    while words:
        command, _, words = _partition(words, "&&")
        arguments = _pip_arguments(command)
        if arguments is None:
            return None
        if arguments:
            installs.append(arguments)
    return installs


def _partition(words: list[str], separator: str) -> tuple[list[str], bool, list[str]]:
    if separator not in words:
        return words, False, []
    at = words.index(separator)
    return words[:at], True, words[at + 1 :]


def _pip_arguments(command: Sequence[str]) -> tuple[str, ...] | None:
    words = list(command)
    while words and re.fullmatch(r"PIP_[A-Z_]+=\w*", words[0]):
        words.pop(0)
    if words[:4] not in (_PIP, ["python", *_PIP[1:]]):
        return None
    arguments = words[4:]
    # Anything the shell would still expand or redirect is not understood here.
    if any(re.fullmatch(r"[();<>|&]+", word) or "$" in word or "`" in word for word in arguments):
        return None
    return tuple(word for word in arguments if word not in _MEANINGLESS)

"""Commands of KFP components, as its compilers have written them over the years."""

from __future__ import annotations

import pytest
from reprise.executor.preamble import python_program, split_installs

CHECK = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

"""
WRAPPER = """program_path=$(mktemp -d)

printf "%s" "$0" > "$program_path/ephemeral_component.py"
_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path \
                        "$program_path/ephemeral_component.py"                         "$@"
"""
EARLY_WRAPPER = """program_path=$(mktemp -d)
printf "%s" "$0" > "$program_path/ephemeral_component.py"
python3 -m kfp.components.executor_main                         --component_module_path \
                        "$program_path/ephemeral_component.py"                         "$@"
"""
FIRST_WRAPPER = """program_path=$(mktemp)
printf "%s" "$0" > "$program_path"
python3 -u "$program_path" "$@"
"""
REST = ("sh", "-ec", WRAPPER, "def f(): ...", "--executor_input", "{}", "--function_to_execute", "f")
QUIET = "python3 -m pip install --quiet --no-warn-script-location"


@pytest.mark.parametrize(
    ("script", "requirements"),
    [
        (
            f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'kfp==2.14.3' '--no-deps' "
            '\'typing-extensions>=3.7.4,<5; python_version<"3.9"\' && "$0" "$@"\n',
            [("kfp==2.14.3", "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"')],
        ),
        (
            f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'pandas==1.0.4' 'x[y]>=1'  &&  {QUIET} "
            "'kfp==2.17.0' '--no-deps' && \"$0\" \"$@\"\n",
            [("pandas==1.0.4", "x[y]>=1"), ("kfp==2.17.0", "--no-deps")],
        ),
        (
            f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet     "
            '--no-warn-script-location \'kfp==2.0.0-beta.16\' && "$0" "$@"\n',
            [("kfp==2.0.0-beta.16",)],
        ),
        (
            f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} --index-url https://one.example/simple "
            "--extra-index-url https://two.example/simple --trusted-host https://one.example/simple "
            '\'dill\' && "$0" "$@"\n',
            [
                (
                    "--index-url",
                    "https://one.example/simple",
                    "--extra-index-url",
                    "https://two.example/simple",
                    "--trusted-host",
                    "https://one.example/simple",
                    "dill",
                )
            ],
        ),
        (
            f"(PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'xgboost==1.6.1' 'pandas' || "
            f"PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'xgboost==1.6.1' 'pandas' --user) && \"$0\" \"$@\"",
            [("xgboost==1.6.1", "pandas")],
        ),
        (
            f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'a'  &&  \n"
            'export PIP_DISABLE_PIP_VERSION_CHECK=1\ntmp=$(mktemp -d)\npython3 -m venv "$tmp/venv" '
            '--system-site-packages\n. "$tmp/venv/bin/activate"\n'
            f" {QUIET} 'kfp==2.14.3' '--no-deps' && \"$0\" \"$@\"\n",
            [("a",), ("kfp==2.14.3", "--no-deps")],
        ),
    ],
)
def test_install_lines_are_taken_off(script: str, requirements: list[tuple[str, ...]]) -> None:
    split = split_installs(("sh", "-c", script, *REST))
    assert list(split.requirements) == requirements
    assert split.argv == REST


@pytest.mark.parametrize(
    "script",
    [
        'set -e -x\necho "$0"\n',
        f'{QUIET} \'a\' && echo more && "$0" "$@"',
        f'{QUIET} "$PACKAGE" && "$0" "$@"',
        f'{QUIET} a > /tmp/log && "$0" "$@"',
        f'{QUIET} a; "$0" "$@"',
        f"{QUIET} a",
        f'{QUIET} \'a && "$0" "$@"',
        f'({QUIET} a || {QUIET} b) && "$0" "$@"',
    ],
)
def test_a_script_that_does_anything_else_is_left_as_it_is(script: str) -> None:
    argv = ("sh", "-c", script, "echo", "x")
    assert split_installs(argv).requirements == ()
    assert split_installs(argv).argv == argv


def test_the_source_behind_a_wrapper_is_found() -> None:
    program = python_program(REST)
    assert program is not None
    assert (program.source, program.module) == ("def f(): ...", "kfp.dsl.executor_main")
    assert program.arguments == ("--executor_input", "{}", "--function_to_execute", "f")
    assert program.is_runtime_flag_set


def test_the_wrapper_of_early_versions_is_known() -> None:
    program = python_program(("sh", "-ec", EARLY_WRAPPER, "source", "--x", "1"))
    assert program is not None
    assert (program.module, program.is_runtime_flag_set) == ("kfp.components.executor_main", False)


def test_the_wrapper_of_the_first_version_runs_the_source_itself() -> None:
    program = python_program(("sh", "-ec", FIRST_WRAPPER, "print(1)", "--x", "1"))
    assert program is not None
    assert (program.module, program.source, program.is_unbuffered) == (None, "print(1)", True)
    assert program.arguments == ("--x", "1")


def test_other_commands_are_no_wrappers() -> None:
    assert python_program(("sh", "-ec", "echo $0", "x")) is None
    assert python_program(("python3", "-u", "-c", "print(1)")) is None
    assert python_program(("sh", "-ec", WRAPPER + "rm -rf x", "source")) is None

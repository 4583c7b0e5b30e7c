"""From a leaf to an attempt, and its outputs: components run by KFP's own executor."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from reprise.executor.contract import AttemptSpec, Cause, Exit
from reprise.executor.environment import HostEnvironment
from reprise.executor.launch import CannotLaunch, HostMaker, Views
from reprise.executor.outputs import collect
from reprise.executor.subprocess import SubprocessExecutor
from reprise.pb.engine.v1 import engine_pb2 as engine

from .test_preamble import CHECK, FIRST_WRAPPER, QUIET, WRAPPER


class Leaf:
    """A container task whose folders lie below `folder`."""

    def __init__(self, folder: Path, command: list[str], args: list[str]) -> None:
        self.folder = folder
        self.attempt_dir = folder / "attempt"
        self.root = folder / "root"
        self.command = command
        self.args = args
        self.env: dict[str, str] = {}
        self.inputs: dict[str, object] = {}

    def launch(self) -> engine.Launch:
        return engine.Launch(
            task_id=3,
            output_parameters=[engine.OutputParameter(name="Output", type="NUMBER_INTEGER")],
            output_artifacts=[engine.OutputArtifact(name="data", schema_title="system.Dataset")],
        )

    def rendered(self) -> engine.Rendered:
        executor_input = {
            "inputs": {"parameterValues": self.inputs},
            "outputs": {
                "parameters": {"Output": {"outputFile": str(self.root / "parameters" / "Output")}},
                "artifacts": {
                    "data": {
                        "artifacts": [
                            {
                                "name": "7",
                                "uri": str(self.root / "data"),
                                "type": {"schemaTitle": "system.Dataset"},
                                "metadata": {},
                            }
                        ]
                    }
                },
                "outputFile": str(self.root / "executor_output.json"),
            },
        }
        text = json.dumps(executor_input)
        artifact = engine.Artifact(name="7", uri=str(self.root / "data"), schema_title="system.Dataset")
        return engine.Rendered(
            argv_command=self.command,
            argv_args=[text if arg == "{{$}}" else arg for arg in self.args],
            env=[engine.EnvVar(name=name, value=value) for name, value in self.env.items()],
            output_file=str(self.root / "executor_output.json"),
            image="python:3.11",
            output_files=[
                engine.OutputFile(
                    name="Output", type="NUMBER_INTEGER", path=str(self.root / "parameters" / "Output")
                )
            ],
            output_artifacts=[
                engine.PreparedArtifact(name="data", artifact=artifact, path=str(self.root / "data"))
            ],
        )

    async def make(self) -> AttemptSpec:
        maker = HostMaker(HostEnvironment(Path(sys.executable), self.folder), server_env=dict(os.environ))
        return await maker.make(
            self.launch(), self.rendered(), run_id=1, number=1, attempt_dir=str(self.attempt_dir)
        )

    def run(self) -> tuple[Exit, str]:
        async def main() -> Exit:
            executor = SubprocessExecutor(self.folder / "data-dir")
            await executor.open()
            spec = await self.make()
            handle = executor.handle(spec)
            await executor.start(spec, handle)
            end = await executor.wait(handle)
            await executor.close()
            return end

        end = asyncio.run(main())
        log = self.attempt_dir / "log"
        return end, log.read_text() if log.exists() else ""

    def outputs(self) -> engine.Values:
        return collect(self.rendered(), self.launch(), self.attempt_dir / "work")


def lightweight(folder: Path, source: str, function: str = "f") -> Leaf:
    install = f"{CHECK}PIP_DISABLE_PIP_VERSION_CHECK=1 {QUIET} 'kfp==2.14.3' '--no-deps' && \"$0\" \"$@\"\n"
    header = "import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
    command = ["sh", "-c", install, "sh", "-ec", WRAPPER, header + source]
    return Leaf(folder, command, ["--executor_input", "{{$}}", "--function_to_execute", function])


def test_a_lightweight_component_runs_without_a_shell_and_gives_its_outputs(tmp_path: Path) -> None:
    leaf = lightweight(
        tmp_path,
        "def f(a: int, data: dsl.Output[dsl.Dataset]) -> int:\n"
        "    open(data.path, 'w').write('rows')\n"
        "    data.metadata['rows'] = 2**53 + 1\n"
        "    return a + 2**53\n",
    )
    leaf.inputs = {"a": 1}
    spec = asyncio.run(leaf.make())
    assert spec.argv[:3] == (sys.executable, "-m", "kfp.dsl.executor_main")
    assert spec.env["_KFP_RUNTIME"] == "true"
    end, log = leaf.run()
    assert end.is_success, log
    values = leaf.outputs()
    assert [(one.name, one.json) for one in values.parameters] == [("Output", "9007199254740993")]
    (artifacts,) = values.artifacts
    assert artifacts.artifacts[0].metadata_json == '{"rows":9007199254740993}'
    assert artifacts.artifacts[0].author_metadata
    assert (tmp_path / "root" / "data").read_text() == "rows"


def test_a_component_whose_source_and_inputs_are_larger_than_an_argument_runs(tmp_path: Path) -> None:
    leaf = lightweight(
        tmp_path,
        f"BIG = '{'x' * 300_000}'\n"
        "def f(text: str, data: dsl.Output[dsl.Dataset]) -> int:\n    return len(text) + len(BIG)\n",
    )
    leaf.inputs = {"text": "y" * 400_000}
    end, log = leaf.run()
    assert end.is_success, log[-2000:]
    assert leaf.outputs().parameters[0].json == "700000"


def test_a_component_that_raises_fails_with_its_traceback_in_the_log(tmp_path: Path) -> None:
    end, log = lightweight(tmp_path, "def f() -> int:\n    raise ValueError('seven')\n").run()
    assert (end.cause, end.exit_code) == (Cause.EXITED, 1)
    assert "ValueError: seven" in log


def test_a_component_of_the_first_version_runs_from_a_file(tmp_path: Path) -> None:
    source = "import sys\nopen(sys.argv[1], 'w').write('5\\n')\n"
    place = str(tmp_path / "root" / "parameters" / "Output")
    leaf = Leaf(tmp_path, ["sh", "-ec", FIRST_WRAPPER, source], [place])
    end, log = leaf.run()
    assert end.is_success, log
    assert leaf.outputs().parameters[0].json == "5"


def test_a_plain_command_sees_its_own_variables_folders_and_nothing_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SECRET", "s")
    leaf = Leaf(
        tmp_path, ["sh", "-c", "env; pwd; ls -d $TMPDIR; python3 -c 'import sys; print(sys.prefix)'"], []
    )
    leaf.env = {"MINE": "1"}
    end, log = leaf.run()
    assert end.is_success, log
    lines = log.splitlines()
    assert "MINE=1" in lines
    assert "SERVER_SECRET" not in log
    assert str(tmp_path / "attempt" / "work") in lines
    assert str(tmp_path / "attempt" / "tmp") in lines
    assert lines[-1] == sys.prefix


def test_the_folders_of_all_outputs_exist_before_the_start(tmp_path: Path) -> None:
    leaf = Leaf(
        tmp_path,
        ["sh", "-c", f"echo 1 > {tmp_path}/root/parameters/Output; echo x > {tmp_path}/root/data"],
        [],
    )
    end, log = leaf.run()
    assert end.is_success, log


def test_an_empty_command_is_refused_with_the_image_named(tmp_path: Path) -> None:
    with pytest.raises(CannotLaunch, match=r"entrypoint of its image 'python:3.11'.*container executor"):
        asyncio.run(Leaf(tmp_path, [], ["--x"]).make())


def test_a_program_that_is_only_in_the_image_is_explained(tmp_path: Path) -> None:
    end, _ = Leaf(tmp_path, ["my-program-in-the-image"], []).run()
    assert end.cause is Cause.NOT_STARTED
    assert "no such program: my-program-in-the-image" in end.message
    assert "'python:3.11'" in end.message
    assert "container executor" in end.message


def test_an_argument_that_is_too_large_is_refused_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(CannotLaunch, match="argument 1 of the command has 200000 bytes"):
        asyncio.run(Leaf(tmp_path, ["echo"], ["x" * 200_000]).make())


def test_a_problem_of_rendering_is_the_reason(tmp_path: Path) -> None:
    leaf = Leaf(tmp_path, ["echo"], [])
    rendered = leaf.rendered()
    rendered.problems.add(field="args[0]", message="no such input: x")
    maker = HostMaker(HostEnvironment(Path(sys.executable), tmp_path))
    with pytest.raises(CannotLaunch, match="no such input: x"):
        asyncio.run(maker.make(leaf.launch(), rendered, run_id=1, number=1, attempt_dir=str(tmp_path / "a")))


@pytest.mark.parametrize(
    ("args", "is_made"),
    [
        ([], False),
        (["--out", "{root}/executor_output.json"], True),
        (["--under", "{root}/more/of/it"], True),
        (['{{"outputs": {{"outputFile": "/written/otherwise"}}}}'], True),
    ],
)
def test_a_task_without_outputs_has_a_folder_for_them_only_if_it_is_told_of_one(
    tmp_path: Path, args: list[str], is_made: bool
) -> None:
    outputs = str(tmp_path / "outputs")
    rendered = engine.Rendered(
        argv_command=["true"],
        argv_args=[arg.format(root=outputs) for arg in args],
        output_file=f"{outputs}/executor_output.json",
    )
    maker = HostMaker(HostEnvironment(Path(sys.executable), tmp_path))
    views = Views(outputs=(outputs,))
    leaf = Leaf(tmp_path, [], [])
    made = maker.make(
        leaf.launch(), rendered, run_id=1, number=1, attempt_dir=str(tmp_path / "a"), views=views
    )
    assert (outputs in asyncio.run(made).folders) is is_made

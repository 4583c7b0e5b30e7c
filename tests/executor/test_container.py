"""What only containers have: mounts, images, leftovers, an engine that is away or no engine at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from containers import HOST_CONFIG, IMAGE, Podman
from reprise.executor.container import ContainerExecutor
from reprise.executor.container_launch import ContainerMaker
from reprise.executor.container_spec import ContainerConfigInvalid, checked_host_config, create_body
from reprise.executor.contract import AttemptSpec, Cause
from reprise.executor.engine_api import EngineApi, EngineRefused, EngineUnreachable, default_socket
from reprise.executor.images import Images, ImageUnavailable
from reprise.executor.launch import CannotLaunch, Views
from reprise.pb.engine.v1 import engine_pb2 as messages

from .place import Place


def spec_in(folder: Path, **more: object) -> AttemptSpec:
    attempt_dir = folder / "runs" / "1" / "2" / "1"
    return AttemptSpec(
        run_id=1,
        task_id=2,
        number=1,
        attempt_dir=str(attempt_dir),
        argv=("run",),
        env={"A": "1"},
        cwd=str(attempt_dir / "work"),
        image="some/image:1",
        grace_s=1.0,
        **more,  # type: ignore[arg-type]
    )


def mounts(body: object) -> dict[str, bool]:
    """Path, and whether it is read-only; source and target are the same."""
    found = body["HostConfig"]["Mounts"]  # type: ignore[index]
    assert all(mount["Source"] == mount["Target"] and mount["Type"] == "bind" for mount in found)
    return {mount["Source"]: mount["ReadOnly"] for mount in found}


def test_a_container_sees_its_own_folders_its_outputs_and_its_inputs_read_only(tmp_path: Path) -> None:
    made, missing, below = tmp_path / "made", tmp_path / "missing", tmp_path / "out" / "7" / "earlier"
    made.touch()
    below.mkdir(parents=True)
    spec = spec_in(
        tmp_path,
        read_paths=(str(made), str(missing), str(below)),
        write_paths=(str(tmp_path / "out" / "7"), str(tmp_path / "out" / "7" / "x")),
    )
    assert mounts(create_body(spec, "id", "", {})) == {
        f"{spec.attempt_dir}/work": False,
        f"{spec.attempt_dir}/tmp": False,
        str(tmp_path / "out" / "7"): False,
        str(made): True,
    }


def test_limits_requests_and_the_wishes_of_the_operator_reach_the_engine(tmp_path: Path) -> None:
    spec = spec_in(
        tmp_path,
        cpu_limit=0.5,
        cpu_request=0.25,
        memory_limit_bytes=2e9,
        memory_request_bytes=1e9,
        args=("x",),
    )
    body = create_body(spec, "id", "/app", {"NetworkMode": "none"})
    config = body["HostConfig"]
    assert (config["NanoCpus"], config["CpuShares"]) == (500_000_000, 256)
    assert (config["Memory"], config["MemorySwap"], config["MemoryReservation"]) == (
        2 * 10**9,
        2 * 10**9,
        10**9,
    )
    assert config["NetworkMode"] == "none"
    assert (body["Entrypoint"], body["Cmd"]) == (["run"], ["x"])
    assert "WorkingDir" not in body, "the image has one"
    assert body["Labels"]["io.reprise.data-dir"] == "id"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ('{"AutoRemove": true}', "AutoRemove"),
        ('{"PidMode": "host"}', "PidMode"),
    ],
)
def test_a_host_config_that_cannot_be_is_refused_naming_the_setting(text: str, words: str) -> None:
    with pytest.raises(ContainerConfigInvalid, match=rf"container_host_config.*{words}"):
        checked_host_config(text)


def test_without_an_engine_the_executor_says_where_it_looked(tmp_path: Path) -> None:
    api = EngineApi(tmp_path / "no.sock")
    capability = ContainerExecutor(tmp_path, api, Images(api)).capabilities()[0]
    assert not capability.is_available
    assert str(tmp_path / "no.sock") in capability.detail


def test_the_socket_is_that_of_docker_host_or_where_engines_usually_listen(tmp_path: Path) -> None:
    assert default_socket({"DOCKER_HOST": "unix:///some/where.sock"}) == Path("/some/where.sock")
    assert default_socket({"DOCKER_HOST": "tcp://elsewhere:2375"}).name.endswith(".sock")
    socket = tmp_path / "podman" / "podman.sock"
    socket.parent.mkdir()
    socket.touch()
    found = default_socket({"XDG_RUNTIME_DIR": str(tmp_path)})
    assert found == socket or found.exists()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asked(tmp_path: Path, said: Sequence[bytes], path: str = "/thing") -> object:
    """What a client gets from something at the socket that says this, first to `/_ping`, and hangs up."""

    async def main() -> object:
        answers = iter(said)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(answers))
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(answer, tmp_path / "engine.sock")
        async with server:
            return await EngineApi(tmp_path / "engine.sock").call("GET", path)

    return asyncio.run(main())


_PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


def test_answers_come_whole_in_chunks_by_length_or_to_the_end_of_the_connection(tmp_path: Path) -> None:
    chunked = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n'
    assert asked(tmp_path, [_PING, chunked]) == {"a": 1}
    assert asked(tmp_path, [_PING, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"]) == []
    assert asked(tmp_path, [_PING, b'HTTP/1.1 200 OK\r\n\r\n{"a": 1}\n{"b": 2}\n']) == [{"a": 1}, {"b": 2}]
    assert asked(tmp_path, [_PING, b"HTTP/1.1 204 No Content\r\n\r\n"]) is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"no answer at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_whole_answer_is_none(tmp_path: Path, said: bytes) -> None:
    with pytest.raises(EngineUnreachable):
        asked(tmp_path, [_PING, said])


def test_something_else_at_the_socket_is_no_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match="is no container engine"):
        asked(tmp_path, [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"])


def test_an_error_of_the_engine_is_told_in_its_own_words(tmp_path: Path) -> None:
    error = b'HTTP/1.1 409 Conflict\r\nContent-Length: 22\r\n\r\n{"message": "in use "}'
    with pytest.raises(EngineRefused, match="in use") as caught:
        asked(tmp_path, [_PING, error])
    assert caught.value.status == 409


def test_an_image_that_many_ask_for_is_pulled_once_and_no_more_when_all_have_given_up(engine: Podman) -> None:
    async def main() -> tuple[list[object], bool]:
        images = Images(EngineApi(engine.socket))
        failures = await asyncio.gather(
            *(images.get("localhost:1/no/such:image") for _ in range(5)), return_exceptions=True
        )
        asking = asyncio.create_task(images.get("localhost:1/no/other:image"))
        # The engine tries three times, a second apart: by then it is under way.
        await asyncio.wait({asking}, timeout=0.5)
        assert images._pulls
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return list(failures), bool(images._pulls)

    failures, is_still_pulled = asyncio.run(main())
    assert {type(failure) for failure in failures} == {ImageUnavailable}
    assert len({str(failure) for failure in failures}) == 1, "one pull, one set of words"
    assert not is_still_pulled


def test_leftovers_of_this_data_directory_are_removed_and_nothing_else(
    engine: Podman, tmp_path: Path
) -> None:
    async def main() -> tuple[set[str], set[str]]:
        for name in ("ours", "theirs"):
            (tmp_path / name).mkdir()
        ours, theirs = Place(tmp_path / "ours", engine), Place(tmp_path / "theirs", engine)
        executor, other = ours.executor(), theirs.executor()
        for one in (executor, other):
            await one.open()
        handles = {
            "ended": await ours.begin(executor, ours.spec("true")),
            "living": await ours.begin(executor, ours.spec("sleep 1000")),
            "abandoned": await ours.begin(executor, ours.spec("sleep 1000")),
            "theirs": await theirs.begin(other, theirs.spec("true")),
        }
        names = {json.loads(handle)["container"]: what for what, handle in handles.items()}
        await executor.wait(handles["ended"])
        await other.wait(handles["theirs"])

        def left() -> set[str]:
            found = [one for place in (ours, theirs) for one in engine.containers(place.data_dir)]
            return {names[name] for one in found for name in one["Names"]}  # type: ignore[attr-defined]

        before = left()

        async def living() -> Sequence[bytes]:
            return [handles["living"]]

        await executor.sweep(living)
        after = left()
        await executor.cancel(handles["living"])
        assert (await executor.wait(handles["living"])).cause is Cause.CANCELLED
        executor.release([handles["living"]])
        other.release([handles["theirs"]])
        await asyncio.gather(*executor._removing, *other._removing)  # type: ignore[attr-defined]
        assert left() == set()
        for one in (executor, other):
            await one.close()
        return before, after

    before, after = asyncio.run(main())
    assert before == {"ended", "living", "abandoned", "theirs"}
    assert after == {"living", "theirs"}


def made(engine: Podman, tmp_path: Path, rendered: messages.Rendered, vouched: bool = False) -> AttemptSpec:
    maker = ContainerMaker(Images(EngineApi(engine.socket)), are_devices_vouched=vouched)
    launch = messages.Launch(task_id=2)
    making = maker.make(
        launch, rendered, run_id=1, number=1, attempt_dir=str(tmp_path / "attempt"), views=Views()
    )
    return asyncio.run(making)


def test_a_source_that_no_argument_holds_goes_in_by_a_file_and_the_pip_line_stays(
    engine: Podman, tmp_path: Path
) -> None:
    source = "print(1)\n" + "# long\n" * 30_000
    pip = (
        "python3 -m pip install --quiet --no-warn-script-location 'kfp==2.14.0' '--no-deps' && \"$0\" \"$@\""
    )
    wrapper = (
        'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
        "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "
        '--component_module_path "$program_path/ephemeral_component.py" "$@"\n'
    )
    rendered = messages.Rendered(
        image=IMAGE, argv_command=["sh", "-c", pip, "sh", "-ec", wrapper, source], argv_args=["--x", "y"]
    )
    spec = made(engine, tmp_path, rendered)
    assert spec.argv[:3] == ("sh", "-c", pip)
    assert spec.argv[-2:] == ("--x", "y")
    file = Path(spec.argv[6])
    assert file.read_text() == source
    assert mounts(create_body(spec, "id", "", HOST_CONFIG))[str(file.parent)] is True


def test_a_task_that_cannot_be_run_in_a_container_says_why(engine: Podman, tmp_path: Path) -> None:
    with pytest.raises(CannotLaunch, match="names no image"):
        made(engine, tmp_path, messages.Rendered(argv_command=["true"]))
    with pytest.raises(CannotLaunch, match="no entrypoint"):
        made(engine, tmp_path, messages.Rendered(image=IMAGE))
    greedy = messages.Rendered(image=IMAGE, argv_command=["true"])
    greedy.resources.accelerator_type, greedy.resources.accelerator_count = "NVIDIA_TESLA_P4", 2
    with pytest.raises(CannotLaunch, match="asks for 2 x NVIDIA_TESLA_P4"):
        made(engine, tmp_path, greedy)
    assert made(engine, tmp_path, greedy, vouched=True).argv == ("true",)

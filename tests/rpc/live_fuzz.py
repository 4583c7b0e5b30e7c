"""Nearly right calls against a real server, over gRPC and REST: every one gets a documented status, none UNKNOWN or
INTERNAL; the server's memory does not grow; and whatever has been stored can be read back.

    python tests/rpc/live_fuzz.py --calls 100000 [--seed N] [--threads N]

Prints the statuses, the memory before and after, and what was read back; ends with 1 where something was wrong, with
the call that showed it.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.longrunning import operations_proto_pb2 as longrunning
from google.protobuf import json_format, message_factory, struct_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from reprise.pb.v1 import pipeline_job_pb2, pipeline_service_pb2

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from served import Served
from test_hostile_rest import rest_request

PARENT = "projects/p/locations/l"
Code = grpc.StatusCode
DOCUMENTED = {
    Code.OK,
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.FAILED_PRECONDITION,
    Code.ABORTED,
    Code.RESOURCE_EXHAUSTED,
    Code.UNIMPLEMENTED,
    Code.DEADLINE_EXCEEDED,  # of calls that were told to wait for longer than they had time
}
DOCUMENTED_HTTP = {200, 400, 403, 404, 405, 409, 429, 501}
_WAIT_S = 0.3
_STAGES = 10
_WAITING = {"WatchPipelineJob", "GetTaskLog", "WaitOperation"}
_PACKAGES = ("reprise.v1", "google.cloud.aiplatform.v1", "google.cloud.aiplatform.v1beta1")
_TEXTS = (
    *("", "x", "r1", "é\u2028", "../..", "a" * 300, "\x00", "*", "-1", "1.5", "projects/p/locations/l"),
    *(f"{PARENT}/pipelineJobs/r{number}" for number in range(4)),
    *(f"{PARENT}/operations/{number}" for number in (1, 2**63, 2**64)),
    *("state=FAILED", 'labels.a="b" OR NOT (state=1)', "create_time desc", "name,state", "step", "1"),
)
_NUMBERS = (0, 1, 2, 7, -1, 100, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63))
_SPEC = {
    "pipelineInfo": {"name": "fuzz"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.13.0",
    "deploymentSpec": {"executors": {"e": {"container": {"image": "i", "command": ["true"], "args": ["x"]}}}},
    "components": {
        "c": {"executorLabel": "e", "inputDefinitions": {"parameters": {"n": {"parameterType": "LIST"}}}}
    },
    "root": {
        "inputDefinitions": {"parameters": {"n": {"parameterType": "LIST", "isOptional": True}}},
        "dag": {
            "tasks": {
                "step": {
                    "taskInfo": {"name": "step"},
                    "componentRef": {"name": "c"},
                    "inputs": {"parameters": {"n": {"runtimeValue": {"constant": [1, {"a": None}]}}}},
                }
            }
        },
    },
}


@dataclass
class Found:
    """`wrong`: what should not have been, each with the call that showed it. `memory_kib`: of the server, after each
    tenth of the calls."""

    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory_kib: list[int] = field(default_factory=list)
    runs_read_back: int = 0
    operations_read_back: int = 0


class _Calls:
    """An endless supply of calls."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        services = (
            (pipeline_service_pb2.DESCRIPTOR.services_by_name["PipelineService"], _PACKAGES),
            (longrunning.DESCRIPTOR.services_by_name["Operations"], ()),
        )
        self._methods = [(method, packages) for service, packages in services for method in service.methods]
        self._spec = json_format.ParseDict(_SPEC, struct_pb2.Struct())

    def next(self) -> tuple[str, str, bytes, bool]:
        """Path, method, bytes, whether it is a stream."""
        chance = self._chance
        method, packages = chance.choice(self._methods)
        service = (
            f"{chance.choice(packages)}.PipelineService" if packages else "google.longrunning.Operations"
        )
        message = message_factory.GetMessageClass(method.input_type)()
        if chance.random() < 0.7:
            self._valid(method.name, message)
        else:
            self._fill(message, 0)
        data = message.SerializeToString()
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 4))):
            data = self._spoiled(data)
        return f"/{service}/{method.name}", method.name, data, method.server_streaming

    def rest(self) -> Any:
        return rest_request(self._chance, PARENT)

    def _valid(self, name: str, message: Any) -> None:
        chance = self._chance
        run = f"{PARENT}/pipelineJobs/r{chance.randrange(6)}"
        for field_name, value in (
            ("parent", run if name == "ListPipelineTasks" else PARENT),
            ("name", f"{PARENT}/operations/1" if "Operation" in name else run),
            ("task", "step"),
        ):
            if field_name in message.DESCRIPTOR.fields_by_name:
                setattr(message, field_name, value)
        if "names" in message.DESCRIPTOR.fields_by_name:
            message.names.extend(f"{PARENT}/pipelineJobs/r{number}" for number in range(chance.randint(1, 3)))
        if name == "CreatePipelineJob":
            message.pipeline_job_id = f"r{chance.randrange(6)}"
            message.pipeline_job.pipeline_spec.CopyFrom(self._spec)
            if chance.random() < 0.5:
                self._fill(message.pipeline_job.runtime_config, 2)
            message.pipeline_job.labels[chance.choice(_TEXTS)[:60]] = chance.choice(_TEXTS)
        elif name == "PlanRerun":
            if chance.random() < 0.5:
                self._fill(message.rerun, 2)
            message.rerun.name = run

    def _fill(self, message: Message, depth: int) -> None:
        chance = self._chance
        fields = list(message.DESCRIPTOR.fields)
        for each in chance.sample(fields, min(len(fields), chance.randint(0, 4))):
            try:
                self._set(message, each, depth)
            except (ValueError, TypeError, UnicodeError):
                continue  # no such value can be sent

    def _set(self, message: Any, each: FieldDescriptor, depth: int) -> None:
        kind: Descriptor | None = each.message_type
        if kind is not None and kind.GetOptions().map_entry:
            target = getattr(message, each.name)
            value = kind.fields_by_name["value"]
            if value.message_type is None:
                target[self._chance.choice(_TEXTS)] = self._scalar(value)
            elif depth < 5:
                self._fill(target[self._chance.choice(_TEXTS)], depth + 1)
        elif kind is not None:
            if depth < 5:
                target = getattr(message, each.name)
                if each.is_repeated:
                    self._fill(target.add(), depth + 1)
                else:
                    target.SetInParent()
                    self._fill(target, depth + 1)
        elif each.is_repeated:
            getattr(message, each.name).extend(self._scalar(each) for _ in range(self._chance.randint(1, 3)))
        else:
            setattr(message, each.name, self._scalar(each))

    def _scalar(self, each: FieldDescriptor) -> Any:
        chance = self._chance
        match each.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING:
                text = chance.choice(_TEXTS)
                return text.encode() if each.type == FieldDescriptor.TYPE_BYTES else text
            case FieldDescriptor.CPPTYPE_BOOL:
                return chance.random() < 0.5
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return chance.choice((0.0, 1.5, -1e308, float("nan"), float("inf"), 2.0**53 + 2))
            case FieldDescriptor.CPPTYPE_ENUM:
                return chance.choice((0, 1, 2, 77))
            case _:
                return chance.choice(_NUMBERS)

    def _spoiled(self, good: bytes) -> bytes:
        chance, data = self._chance, bytearray(good)
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 8)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 8))
            case 3:
                data[at:at] = data[at : at + chance.randint(1, 40)]
            case _:
                del data[at:]
        return bytes(data)


def fuzz(server: Served, calls: int, seed: int = 0, threads: int = 4) -> Found:
    found = Found()
    lock = threading.Lock()
    channel = grpc.insecure_channel(server.grpc, [("grpc.max_receive_message_length", -1)])

    def work(number: int, count: int) -> None:
        supply = _Calls(seed * 1000 + number)
        rest = http.client.HTTPConnection(server.http, timeout=30)
        for _ in range(count):
            if supply._chance.random() < 0.3:
                status, wrong = _over_http(rest, supply.rest())
            else:
                status, wrong = _over_grpc(channel, *supply.next())
            with lock:
                found.statuses[status] += 1
                if wrong:
                    found.wrong.append(wrong)
        rest.close()

    def run(count: int, first: int) -> None:
        workers = [
            threading.Thread(target=work, args=(first + number, count // threads), daemon=True)
            for number in range(threads)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    for tenth in range(_STAGES):
        run(calls // _STAGES, tenth * threads)
        found.memory_kib.append(_rss_kib(server.process.pid))
    _read_back(channel, server, found)
    channel.close()
    return found


def _over_grpc(
    channel: grpc.Channel, path: str, method: str, data: bytes, is_stream: bool
) -> tuple[str, str]:
    timeout = _WAIT_S if method in _WAITING else 30
    try:
        if is_stream:
            for _ in channel.unary_stream(path)(data, timeout=timeout):
                pass
        else:
            channel.unary_unary(path)(data, timeout=timeout)
        return "OK", ""
    except grpc.RpcError as error:
        failure: Any = error
        code = failure.code()
        is_expected = code in DOCUMENTED and (code is not Code.DEADLINE_EXCEEDED or method in _WAITING)
        if is_expected:
            return code.name, ""
        return code.name, f"{code.name} {failure.details()}: {path} {data.hex()}"


def _over_http(connection: http.client.HTTPConnection, request: Any) -> tuple[str, str]:
    try:
        target = request.target.encode("latin-1", "replace").decode("latin-1").replace(" ", "%20")
        target = "".join(char if "!" <= char <= "~" else "%20" for char in target)
        headers = {"Content-Type": request.content_type}
        try:
            connection.request(request.verb, target, request.body, headers)
            answer = connection.getresponse()
        except (BrokenPipeError, ConnectionResetError, http.client.RemoteDisconnected):
            connection.close()  # kept for so long that the server has closed it, as HTTP allows: once more on a new one
            connection.request(request.verb, target, request.body, headers)
            answer = connection.getresponse()
        body = answer.read()
        text = f"{answer.status}"
        if answer.status not in DOCUMENTED_HTTP:
            return text, f"{text} {body[:200]!r}: {request}"
        if answer.getheader("Content-Type", "").startswith("application/json"):
            json.loads(body)
        return text, ""
    except (http.client.HTTPException, OSError, ValueError) as error:
        connection.close()
        return "broken", f"{error!r}: {request}"


def _read_back(channel: grpc.Channel, server: Served, found: Found) -> None:
    """Every run and every operation, whole, over gRPC and over REST."""
    rest = http.client.HTTPConnection(server.http, timeout=30)
    for name in _names(channel):
        get = pipeline_service_pb2.GetPipelineJobRequest(name=name).SerializeToString()
        try:
            data = channel.unary_unary("/reprise.v1.PipelineService/GetPipelineJob")(get, timeout=30)
            pipeline_job_pb2.PipelineJob.FromString(data)
            rest.request("GET", f"/v1/{name}")
            answer = rest.getresponse()
            json.loads(answer.read())
            if answer.status != 200:
                raise ValueError(f"REST answers {answer.status}")
            found.runs_read_back += 1
        except (grpc.RpcError, ValueError) as error:
            found.wrong.append(f"{name} cannot be read back: {error}")
    token = ""
    while True:
        request = longrunning.ListOperationsRequest(name=PARENT, page_size=1000, page_token=token)
        data = channel.unary_unary("/google.longrunning.Operations/ListOperations")(
            request.SerializeToString(), timeout=30
        )
        page = longrunning.ListOperationsResponse.FromString(data)
        found.operations_read_back += len(page.operations)
        token = page.next_page_token
        if not token:
            break
    rest.close()


def _names(channel: grpc.Channel) -> Iterator[str]:
    token = ""
    while True:
        request = pipeline_service_pb2.ListPipelineJobsRequest(parent=PARENT, page_size=500, page_token=token)
        data = channel.unary_unary("/reprise.v1.PipelineService/ListPipelineJobs")(
            request.SerializeToString(), timeout=30
        )
        page = pipeline_service_pb2.ListPipelineJobsResponse.FromString(data)
        yield from (job.name for job in page.pipeline_jobs)
        token = page.next_page_token
        if not token:
            return


def _rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError("no VmRSS")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=4)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="reprise-fuzz-") as folder:
        server = Served(Path(folder) / "data", "--environments=host", "--max-tasks=2")
        begin = time.monotonic()
        try:
            found = fuzz(server, given.calls, given.seed, given.threads)
        finally:
            server.stop()
        print(f"{sum(found.statuses.values())} calls in {time.monotonic() - begin:.0f} s")
        for status, count in found.statuses.most_common():
            print(f"{count:8} {status}")
        sizes = " ".join(f"{size / 1024:.1f}" for size in found.memory_kib)
        print(f"memory of the server after each tenth, MiB: {sizes}")
        print(f"read back: {found.runs_read_back} runs, {found.operations_read_back} operations")
        for wrong in found.wrong[:20]:
            print(f"WRONG: {wrong[:2000]}")
        print(f"{len(found.wrong)} wrong")
    return int(bool(found.wrong))


if __name__ == "__main__":
    sys.exit(main())

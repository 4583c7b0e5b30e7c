from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from reprise.platform_spec import PlatformCheck, check_platform_spec


def _check(config: dict[str, Any], is_vouched: bool = False) -> PlatformCheck:
    document = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-a": config}}}}}
    struct = json_format.ParseDict(document, struct_pb2.Struct())
    return check_platform_spec(struct.SerializeToString(), "pipeline_job.platform_spec", is_vouched)


def test_a_volume_is_refused_with_the_path_of_its_field() -> None:
    check = _check({"pvcMount": [{"mountPath": "/data", "constant": "claim"}]})
    assert [problem.field for problem in check.problems] == [
        "pipeline_job.platform_spec.platforms['kubernetes'].deploymentSpec.executors['exec-a'].pvcMount"
    ]


def test_how_a_pod_is_placed_is_accepted() -> None:
    assert _check({"nodeSelector": {"labels": {"a": "b"}}, "tolerations": [{"key": "x"}]}).problems == []


def test_a_secret_is_refused_unless_the_operator_vouches_for_the_environment() -> None:
    secret = {"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "V"}]}]}
    assert len(_check(secret).problems) == 1
    vouched = _check(secret, is_vouched=True)
    assert vouched.problems == []
    assert "secretAsEnv" in vouched.warnings[0]


def test_what_is_optional_may_be_absent() -> None:
    assert _check({"secretAsVolume": [{"mountPath": "/m", "optional": True}]}).problems == []


def test_an_unknown_platform_is_refused() -> None:
    struct = json_format.ParseDict({"platforms": {"other": {}}}, struct_pb2.Struct())
    check = check_platform_spec(struct.SerializeToString(), "platform_spec", False)
    assert "'kubernetes'" in check.problems[0].message


def test_a_deadline_is_taken_as_text_or_number_and_none_of_zero() -> None:
    assert _check({"activeDeadlineSeconds": "20"}).timeouts_s == {"exec-a": 20}
    assert _check({"active_deadline_seconds": 20}).timeouts_s == {"exec-a": 20}
    assert _check({"activeDeadlineSeconds": 0}).timeouts_s == {}


@pytest.mark.parametrize("seconds", [-1, 0.5, True, "soon", "1e3", 1e300, None, [1]])
def test_a_deadline_that_is_no_whole_number_of_seconds_is_refused_with_its_field(seconds: object) -> None:
    check = _check({"activeDeadlineSeconds": seconds})
    assert check.timeouts_s == {}
    (problem,) = check.problems
    assert problem.field.endswith("executors['exec-a'].activeDeadlineSeconds")
    assert "whole seconds" in problem.message

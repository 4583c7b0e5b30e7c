from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reprise.domain.errors import InvalidArgument
from reprise.domain.names import OperationName, Parent, RunName


@given(st.from_regex(r"[a-z0-9][-a-z0-9]{0,127}", fullmatch=True))
def test_a_made_run_name_parses_back_to_itself(job_id: str) -> None:
    name = RunName.make(Parent("p", "l"), job_id)
    assert RunName.parse(str(name)) == name


@pytest.mark.parametrize("job_id", ["", "-a", "A", "a_b", "a" * 129, "a/b", "ä", "a\n"])
def test_a_bad_run_id_is_refused_naming_the_field(job_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        RunName.make(Parent("p", "l"), job_id)
    assert caught.value.problems[0].field == "pipeline_job_id"


@pytest.mark.parametrize("text", ["", "projects/p", "projects/p/locations/l/x/y", "projects//locations/l"])
def test_a_bad_parent_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        Parent.parse(text)


@given(st.text(max_size=300))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parse in (Parent.parse, RunName.parse, OperationName.parse):
        try:
            parsed = parse(text)
        except InvalidArgument:
            continue
        assert str(parsed) == text

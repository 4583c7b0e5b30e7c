"""The language of list filters: what parses, and that nothing else than InvalidArgument comes of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reprise.domain.errors import InvalidArgument
from reprise.domain.filter import DEEPEST, LONGEST, And, Comparison, Node, Not, Or, parse
from reprise.store.clauses import to_clause


def c(field: str, operator: str, *pattern: str) -> Comparison:
    return Comparison(field, operator, pattern)


A, B, C = (c(name, "=", name) for name in "abc")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("", None),
        ("  ", None),
        ("a=a", A),
        (" a = a ", A),
        ('a="a"', A),
        ("a='a'", A),
        ("((a=a))", A),
        ("a=a AND b=b", And((A, B))),
        ("a=a b=b", And((A, B))),
        ("a=a AND b=b OR c=c", And((A, Or((B, C))))),
        ("a=a OR b=b AND c=c", And((Or((A, B)), C))),
        ("a=a b=b AND c=c", And((And((A, B)), C))),
        ("(a=a AND b=b) OR c=c", Or((And((A, B)), C))),
        ("NOT a=a OR b=b", Or((Not(A), B))),
        ("-a=a", Not(A)),
        ("-(a=a b=b)", Not(And((A, B)))),
        ("NOT (a=a)", Not(A)),
        ("a!=a", c("a", "!=", "a")),
        ("a<=1", c("a", "<=", "1")),
        ("a>=1", c("a", ">=", "1")),
        ("a<1", c("a", "<", "1")),
        ("a>1", c("a", ">", "1")),
        ("a:*", c("a", ":", "", "")),
        ('labels."a key"=x', c("labels.a key", "=", "x")),
        ('labels."a*\\"b":*', c('labels.a*"b', ":", "", "")),
        ("labels.my-key=x", c("labels.my-key", "=", "x")),
        ("a=*b*", c("a", "=", "", "b", "")),
        ('a="b*c"', c("a", "=", "b", "c")),
        (r'a="b\*c"', c("a", "=", "b*c")),
        (r'a="b\"c\\"', c("a", "=", 'b"c\\')),
        ('a=""', c("a", "=", "")),
        ('a="AND"', c("a", "=", "AND")),
        ("a=-5", c("a", "=", "-5")),
        ("t>2026-01-31T12:00:00Z", c("t", ">", "2026-01-31T12:00:00Z")),
        ("t>2026-01-31T12:00:00+01:00 a=a", And((c("t", ">", "2026-01-31T12:00:00+01:00"), A))),
        ('a="b c" b=b', And((c("a", "=", "b c"), B))),
        ("a=süd", c("a", "=", "süd")),
        ("NOTa=a", c("NOTa", "=", "a")),
    ],
)
def test_a_filter_means_what_aip_160_says(text: str, node: Node | None) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    "text",
    [
        *("a", "a=", "=a", "a=\ud800", "a=\0", "(a=a", "a=a)", "()", "a=a AND", "AND a=a", "a=a OR", "NOT"),
        *("-", 'a="b', '"a"=b', "a==b", "a=a OR OR b=b", "NOT NOT a=a", "a b", "a=(b)", "\\", "a=b\\"),
        *('labels ."a"=b', 'labels. "a"=b', 'labels."a', 'labels"a"=b'),
        *("a = a = a", "( a=a AND )", "!a=b", "a,b=c"),
    ],
)
def test_what_is_not_in_the_language_is_refused_for_its_field(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        to_clause(parse(text), {})
    assert refused.value.problems[0].field == "filter"


@pytest.mark.parametrize(
    "text",
    [
        'name="x"',
        "labels=x",
        "state=HAPPY",
        "state>RUNNING",
        "state=RUN*",
        "create_time>yesterday",
        "create_time>2026-13-01",
        "create_time=2026*",
        "create_time:2026",
        "create_time>9999-12-31T23:59:59Z",
        "create_time>0001-01-01T00:00:00+23:59",
        "display_name<a*",
        "pipeline_name.x=a",
    ],
)
def test_what_a_field_cannot_be_compared_with_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        to_clause(parse(text), {})
    assert refused.value.problems[0].field == "filter"


def test_a_filter_has_bounds() -> None:
    with pytest.raises(InvalidArgument):
        parse("(" * (DEEPEST + 2) + "a=a" + ")" * (DEEPEST + 2))
    assert parse("(" * DEEPEST + "a=a" + ")" * DEEPEST) == A
    with pytest.raises(InvalidArgument):
        parse("a=" + "a" * LONGEST)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
comparisons = st.builds(
    Comparison,
    st.sampled_from(["display_name", "labels.k", "pipeline_name"]),
    st.sampled_from(["=", "!=", ":", "<"]),
    st.lists(words, min_size=1, max_size=3).map(tuple),
)


def _branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, children) | st.builds(And, several) | st.builds(Or, several)


def _write(node: Any) -> str:
    """A filter that means `node`, each part of it in brackets."""
    if isinstance(node, Comparison):
        value = "*".join(
            part.replace("\\", "\\\\").replace('"', '\\"').replace("*", "\\*") for part in node.pattern
        )
        return f'{node.field} {node.operator} "{value}"'
    if isinstance(node, Not):
        return f"NOT ({_write(node.term)})"
    word = " AND " if isinstance(node, And) else " OR "
    return word.join(f"({_write(term)})" for term in node.terms)


@given(st.recursive(comparisons, _branches, max_leaves=12))
def test_what_is_written_out_is_read_back(node: Any) -> None:
    assert parse(_write(node)) == node


@given(
    st.lists(
        st.sampled_from(["a", "labels.x", "display_name", "create_time", "state", "AND", "OR", "NOT", "-"])
        | st.sampled_from(["(", ")", "=", "!=", "<", ">", ":", "*", '"', "'", "\\", " ", "2026-01-01", "RUN"])
        | st.text(max_size=3)
    ).map("".join)
)
def test_no_text_makes_anything_but_a_condition_or_a_refusal(text: str) -> None:
    try:
        to_clause(parse(text), {})
    except InvalidArgument as refused:
        assert refused.problems[0].field == "filter"

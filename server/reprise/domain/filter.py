"""Filters of lists: the language of AIP-160, parsed.

Grammar: OR binds closer than AND, terms side by side mean AND, NOT and `-` negate one term.
Invariant: any text either parses or raises InvalidArgument for the field `filter`; none raises anything else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reprise.domain.errors import FieldProblem, InvalidArgument

LONGEST = 10_000
DEEPEST = 50

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator><=|>=|!=|=|<|>|:)
      | (?P<paren>[()])
      | (?P<minus>-(?=[A-Za-z_(]))
      | (?P<text>(?:[^\s"'()<>=!:\\]|\\.)+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?)?\s*(Z|z|[+-]\d\d:?\d\d)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`pattern` holds the value in parts between its wildcards: one part where it has none."""

    field: str
    operator: str
    pattern: tuple[str, ...]

    @property
    def value(self) -> str:
        return "*".join(self.pattern)

    @property
    def has_wildcard(self) -> bool:
        return len(self.pattern) > 1

    def matches(self, text: str) -> bool:
        """Whether the text is the pattern, each wildcard standing for any text; in linear time."""
        first, *rest = self.pattern
        if not rest:
            return text == first
        *middle, last = rest
        if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


@dataclass(frozen=True, slots=True)
class Not:
    term: Node


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Node, ...]


Node = Comparison | Not | And | Or


def problem(message: str) -> InvalidArgument:
    return InvalidArgument(FieldProblem("filter", message))


def parse(text: str) -> Node | None:
    """None: no restriction. Errors: InvalidArgument."""
    if len(text) > LONGEST:
        raise problem(f"is longer than {LONGEST} characters")
    if not is_storable(text):
        raise problem("has a character that no text can have")
    tokens = _tokens(text)
    if not tokens:
        return None
    parser = _Parser(tokens)
    node = parser.expression(0)
    parser.expect_end()
    return node


def is_storable(text: str) -> bool:
    """Whether both databases take this text: not with half of a surrogate pair or with NUL in it."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise problem(f"expected a field, an operator or a value at character {at + 1}")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return tokens


def _unquote(token: _Token) -> tuple[str, ...]:
    """The parts between unescaped `*`; a backslash takes the next character as it is."""
    body = token.text[1:-1] if token.kind == "quoted" else token.text
    parts: list[str] = []
    part: list[str] = []
    characters = iter(body)
    for character in characters:
        if character == "\\":
            part.append(next(characters, "\\"))
        elif character == "*":
            parts.append("".join(part))
            part = []
        else:
            part.append(character)
    return (*parts, "".join(part))


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._next = 0

    def expression(self, depth: int) -> Node:
        """Sequences joined by AND."""
        if depth > DEEPEST:
            raise problem(f"is nested deeper than {DEEPEST}")
        terms = [self._sequence(depth)]
        while self._take_word("AND"):
            terms.append(self._sequence(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def expect_end(self) -> None:
        token = self._peek()
        if token is not None:
            raise problem(f"did not expect {token.text[:50]!r} at character {token.at + 1}")

    def _sequence(self, depth: int) -> Node:
        terms = [self._factor(depth)]
        while self._begins_term():
            terms.append(self._factor(depth))
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _factor(self, depth: int) -> Node:
        terms = [self._term(depth)]
        while self._take_word("OR"):
            terms.append(self._term(depth))
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _term(self, depth: int) -> Node:
        token = self._peek()
        if token is not None and (token.kind == "minus" or (token.kind == "text" and token.text == "NOT")):
            self._next += 1
            return Not(self._simple(depth))
        return self._simple(depth)

    def _simple(self, depth: int) -> Node:
        token = self._take("a comparison")
        if token.kind == "paren" and token.text == "(":
            node = self.expression(depth + 1)
            closing = self._take("')'")
            if closing.text != ")" or closing.kind != "paren":
                raise problem(f"expected ')' at character {closing.at + 1}")
            return node
        if token.kind != "text" or token.text in ("AND", "OR", "NOT"):
            raise problem(f"expected a field at character {token.at + 1}, got {token.text[:50]!r}")
        field = _ESCAPE.sub(r"\1", token.text) + self._quoted_key(token)
        operator = self._take(f"an operator after {token.text[:50]!r}")
        if operator.kind != "operator":
            raise problem(f"expected an operator after {token.text[:50]!r}, got {operator.text[:50]!r}")
        value = self._take(f"a value after {operator.text!r}")
        # A field and an operator stand before it, so a word like AND is a value here only in quotes.
        if value.kind == "minus":
            value = _Token("text", "-" + self._take("a value").text, value.at)
        if value.kind not in ("text", "quoted"):
            raise problem(f"expected a value after {operator.text!r}, got {value.text[:50]!r}")
        return Comparison(field, operator.text, self._whole_value(value))

    def _quoted_key(self, field: _Token) -> str:
        """What follows in `labels."a key"`; "" where nothing does."""
        token = self._peek()
        is_next = token is not None and token.at == field.at + len(field.text)
        if token is None or not is_next or token.kind != "quoted" or not field.text.endswith("."):
            return ""
        self._next += 1
        return _ESCAPE.sub(r"\1", token.text[1:-1])

    def _whole_value(self, value: _Token) -> tuple[str, ...]:
        """An unquoted time has colons in it: what follows without a space belongs to the value."""
        parts = list(_unquote(value))
        end = value.at + len(value.text)
        while value.kind == "text":
            token = self._peek()
            if token is None or token.at != end or token.kind in ("paren", "quoted"):
                break
            if token.kind == "operator" and token.text != ":":
                break
            self._next += 1
            more = _unquote(token)
            parts = [*parts[:-1], parts[-1] + more[0], *more[1:]]
            end = token.at + len(token.text)
        return tuple(parts)

    def _begins_term(self) -> bool:
        token = self._peek()
        if token is None or token.text == ")":
            return False
        return not (token.kind == "text" and token.text in ("AND", "OR"))

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, expected: str) -> _Token:
        token = self._peek()
        if token is None:
            raise problem(f"expected {expected} at the end")
        self._next += 1
        return token

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        if token is None or token.kind != "text" or token.text != word:
            return False
        self._next += 1
        return True


def plain_value(node: Comparison) -> str:
    """The value of a comparison that takes no wildcard. Errors: InvalidArgument."""
    if node.has_wildcard:
        raise problem(f"{node.field} {node.operator} takes no wildcard")
    return node.value


def time_ns(node: Comparison) -> int:
    """The value as a time, in nanoseconds since the epoch. Errors: InvalidArgument."""
    text = plain_value(node)
    match = _TIME.fullmatch(text)
    wrong = problem(f"{node.field} is compared with a time such as 2026-01-31T12:00:00Z, got {text[:100]!r}")
    if match is None:
        raise wrong
    date, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "z") else zone
    try:
        at = datetime.fromisoformat(f"{date}T{clock or '00:00:00'}{zone}")
        since = at - _EPOCH
    except (ValueError, OverflowError) as error:
        raise wrong from error
    at_ns = (since // timedelta(seconds=1)) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if abs(at_ns) >= 2**63:
        raise wrong
    return at_ns

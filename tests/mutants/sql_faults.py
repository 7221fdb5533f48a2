"""Which faults can be planted in a statement or a function of SQL. It reads tokens, not grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)|(?P<text>'(?:[^']|'')*')|(?P<parameter>%\(\w+\)s|%s)"""
    r"""|(?P<word>[A-Za-z_][\w.]*)|(?P<number>\d+)|(?P<sign>::|:=|=>|<=|>=|<>|\$\$|.)""",
    re.S,
)
# Where a term of a condition begins, and where it ends, but for brackets.
OPENS = {"WHERE", "ON", "WHEN", "THEN", "AND", "OR", "SELECT"}
CLOSES = {
    *("AND", "OR", "WHEN", "THEN", "ELSE", "ORDER", "GROUP", "LIMIT", "OFFSET", "FOR", "UNION", "RETURNING"),
    *("WHERE", "INTO", "LEFT", "JOIN", "CROSS", "ON", "FROM", "$$", ";", ","),
}
SWAPS = {
    **{"<": "<=", "<=": "<", ">": ">=", ">=": ">", "+": "-", "-": "+"},
    **{"LEAST": "greatest", "GREATEST": "least", "MIN": "max", "MAX": "min"},
    **{"LEFT": "", "DESC": "", "TRUE": "false", "FALSE": "true"},
}
# What may follow IS, and what takes the place of both.
IS = {
    ("NOT", "NULL"): "IS NULL",
    ("NULL",): "IS NOT NULL",
    ("DISTINCT", "FROM"): "IS NOT DISTINCT FROM",
}


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        return self.text.upper()


def _tokens(sql: str) -> list[Token]:
    """The tokens with how many brackets and CASEs each stands in; an opening one stands outside of itself."""
    found: list[Token] = []
    depth = cases = 0
    for match in _TOKEN.finditer(sql):
        if match.lastgroup == "space":
            continue
        text = match[0]
        if text == ")":
            depth -= 1
        if text.upper() == "END" and cases:
            depth, cases = depth - 1, cases - 1
        found.append(Token(text, match.start(), match.end(), depth))
        if text == "(":
            depth += 1
        if text.upper() == "CASE":
            depth, cases = depth + 1, cases + 1
    return found


def sql_faults(sql: str) -> Iterator[tuple[str, str]]:
    """What is changed, and the whole text with that change."""
    tokens = _tokens(sql)
    for start, end, instead in _cuts(sql, tokens):
        was = " ".join(sql[start:end].split())
        before = " ".join(sql[max(0, start - 60) : start].split())[-32:]
        yield f"…{before} ‹{was}› → ‹{instead.strip()}›", sql[:start] + instead + sql[end:]


def _cuts(sql: str, tokens: list[Token]) -> Iterator[tuple[int, int, str]]:
    """From where to where the text is replaced, and by what."""
    for at, token in enumerate(tokens):
        yield from _of_a_word(tokens, at)
        if token.word in {"AND", "OR"} and tokens[at - 1].word != "CREATE":
            end = _end_of_term(tokens, at)
            yield token.start, tokens[end].end, " "
            if tokens[first := _start_of_term(tokens, at)].depth == token.depth and _begins(tokens, first):
                yield tokens[first].start, token.end, " "
        if token.word == "WHERE" and tokens[_end_of_term(tokens, at) + 1].word not in {"AND", "OR"}:
            yield tokens[at + 1].start, tokens[_end_of_term(tokens, at)].end, " true "
        if token.word in {"IF", "WHEN"} and tokens[at - 1].word != "END":
            yield from _condition(tokens, at)
        if token.word == "PERFORM":
            end = next(i for i in range(at, len(tokens)) if tokens[i].text == ";")
            yield token.start, tokens[end].start, "NULL"
        if token.word in {"FOR", "ORDER"}:
            yield from _clause(tokens, at)


def _of_a_word(tokens: list[Token], at: int) -> Iterator[tuple[int, int, str]]:
    token, after = tokens[at], tokens[at + 1 : at + 4]
    words = [other.word for other in after]
    is_function = token.word not in {"LEAST", "GREATEST", "MIN", "MAX"} or (words[:1] == ["("])
    if token.word in SWAPS and is_function and not (token.word in {"TRUE", "FALSE"} and words[:1] == [")"]):
        yield token.start, token.end, SWAPS[token.word]
    if token.word == "NOT" and words[:1] not in (["FOUND"], ["NULL"], ["DISTINCT"]):
        yield token.start, token.end, ""
    for was, instead in IS.items() if token.word == "IS" else ():
        if words[: len(was)] == list(was):
            yield token.start, after[len(was) - 1].end, instead
    if token.word == "COALESCE":
        yield _without_default(tokens, at)
    if token.text.isdigit() and tokens[at - 1].word not in {"PERFORM", "SELECT", "LIMIT", "OFFSET"}:
        yield token.start, token.end, str(int(token.text) + 1)
    if re.fullmatch(r"'\d+ ?s(econds)?'", token.text):
        number = re.search(r"\d+", token.text)
        assert number
        yield token.start, token.end, token.text.replace(number[0], str(int(number[0]) + 1))
    if token.word == "SET" and words[:1] == ["LOCK_TIMEOUT"]:
        yield token.start, after[2].end, ""


def _without_default(tokens: list[Token], at: int) -> tuple[int, int, str]:
    """The first argument of a coalesce in the place of the whole."""
    depth = tokens[at].depth
    comma = next(i for i in range(at, len(tokens)) if tokens[i].text == "," and tokens[i].depth == depth + 1)
    close = next(i for i in range(comma, len(tokens)) if tokens[i].text == ")" and tokens[i].depth == depth)
    return tokens[at].start, tokens[close].end, f"({_text(tokens, at + 2, comma)})"


def _text(tokens: list[Token], start: int, end: int) -> str:
    return " ".join(token.text for token in tokens[start:end])


def _end_of_term(tokens: list[Token], at: int) -> int:
    """The last token of the term that follows this one."""
    depth = tokens[at].depth
    for i in range(at + 1, len(tokens)):
        other = tokens[i]
        if other.depth < depth or (i > at + 1 and other.depth == depth and _closes(tokens, i)):
            return i - 1
    return len(tokens) - 1


def _start_of_term(tokens: list[Token], at: int) -> int:
    """The first token of the term that ends before this one."""
    depth = tokens[at].depth
    for i in range(at - 1, -1, -1):
        is_edge = tokens[i].word in OPENS or _closes(tokens, i)
        if tokens[i].depth < depth or (tokens[i].depth == depth and is_edge):
            return i + 1
    return 0


def _closes(tokens: list[Token], i: int) -> bool:
    return tokens[i].word in CLOSES and tokens[i - 1].word != "DISTINCT"


def _begins(tokens: list[Token], first: int) -> bool:
    """Whether the condition begins with this term: what joins it to an earlier one is a fault of its own."""
    return first > 0 and tokens[first - 1].word not in {"AND", "OR"}


def _condition(tokens: list[Token], at: int) -> Iterator[tuple[int, int, str]]:
    depth = tokens[at].depth
    after = range(at, len(tokens))
    then = next((i for i in after if tokens[i].word == "THEN" and tokens[i].depth == depth), len(tokens))
    semicolon = next((i for i in after if tokens[i].text == ";"), len(tokens))
    if then < semicolon:
        for answer in ("true", "false"):
            yield tokens[at + 1].start, tokens[then - 1].end, answer


def _clause(tokens: list[Token], at: int) -> Iterator[tuple[int, int, str]]:
    """A lock, or an order, left out."""
    words = [token.word for token in tokens[at : at + 4]]
    if words == ["FOR", "NO", "KEY", "UPDATE"]:
        yield tokens[at].start, tokens[at + 3].end, ""
    elif words[:2] == ["ORDER", "BY"]:
        yield tokens[at].start, tokens[_end_of_term(tokens, at)].end, ""

"""Bodies that are not what the API promises to read."""

import io
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.parsers import BoundedJSONParser, parse_json
from tokenplan.kit.problems import BodyTooLarge


@pytest.mark.parametrize(
    "body, value",
    [
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b" [1.5, null, true] ", [1.5, None, True]),
        ('{"name": "Zoë 🙂"}'.encode(), {"name": "Zoë 🙂"}),
        (b'{"a": "\\\\u0000 \\ud83d\\ude42"}', {"a": "\\u0000 🙂"}),
        (b'{"n": %d}' % 2**70, {"n": 2**70}),
    ],
)
def test_json_is_read(body: bytes, value: Any) -> None:
    assert parse_json(body) == value


@pytest.mark.parametrize(
    "body, detail",
    [
        (b"{", "The body is not JSON: Expecting property name"),
        (b"", "The body is not JSON"),
        (b'{"a": "\x00"}', "The body is not JSON: Invalid control character"),
        (b'{"a": NaN}', "NaN is not JSON."),
        (b"[-Infinity]", "-Infinity is not JSON."),
        (b"[1e999]", "A number in the body is too large."),
        (b"[" + b"9" * 10_000 + b"]", "A number in the body is too large."),
        (b'{"a": "\xff"}', "The body is not UTF-8."),
        ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8."),
        (b"\xef\xbb\xbf{}", "The body is not JSON"),
        (b"[" * 100_000, "The body is nested too deeply."),
    ],
)
def test_what_is_not_json_in_utf8_is_refused(body: bytes, detail: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse_json(body)
    assert str(refused.value.detail).startswith(detail)


@pytest.mark.parametrize(
    "body, pointer",
    [
        (b'{"name": "a\\u0000b"}', "/name"),
        (b'{"n": 1, "rows": [{"x": "ok"}, {"x": "\\ud800"}]}', "/rows/1/x"),
        (b'{"\\uDFFF": 1}', ""),
        (b'"\\u0000"', ""),
    ],
)
def test_text_that_cannot_be_stored_is_refused_where_it_is(body: bytes, pointer: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_json(body)
    assert refused.value.pointer == pointer


def test_no_more_than_the_limit_is_ever_read(settings: Any) -> None:
    settings.API_MAX_BODY_BYTES = 10
    assert BoundedJSONParser().parse(io.BytesIO(b'"12345678"')) == "12345678"
    stream = io.BytesIO(b'"' + b"x" * 10_000_000)
    with pytest.raises(BodyTooLarge):
        BoundedJSONParser().parse(stream)
    assert stream.tell() == 11

"""What Django is called with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest

from tests.helpers.asgi import request
from tokenplan.web.wsgi_calls import call, environ_of


def test_a_request_is_what_was_sent() -> None:
    scope = request("/a%20b/%C3%A9%2F?x=%C3%A9&y=1", method="PUT", headers={"content-type": "text/plain"})
    received = WSGIRequest(environ_of(scope, b"body"))
    assert (received.method, received.path) == ("PUT", "/a b/é/")
    assert received.GET.dict() == {"x": "é", "y": "1"}
    assert received.body == b"body"
    assert received.META["CONTENT_LENGTH"] == "4"
    assert received.META["REMOTE_ADDR"] == "192.0.2.1"
    assert received.META["SERVER_PORT"] == "8000"
    assert received.headers["Content-Type"] == "text/plain"


def sent(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return environ_of({**request("/"), "headers": list(headers)}, b"")


def test_headers_that_come_twice_are_joined() -> None:
    environ = sent((b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2"))
    assert environ["HTTP_X_FORWARDED_FOR"] == "1.1.1.1,2.2.2.2"
    assert sent((b"cookie", b"a=1"), (b"cookie", b"b=2"))["HTTP_COOKIE"] == "a=1; b=2"


def test_a_header_with_an_underscore_does_not_pass_for_a_proxys() -> None:
    assert "HTTP_X_FORWARDED_FOR" not in sent((b"x_forwarded_for", b"1.1.1.1"))


def test_a_body_in_chunks_has_a_length() -> None:
    scope = request("/", method="POST", headers={"transfer-encoding": "chunked"})
    environ = environ_of(scope, b"abc")
    assert environ["CONTENT_LENGTH"] == "3"
    assert "HTTP_TRANSFER_ENCODING" not in environ


@pytest.mark.parametrize("fails", [False, True])
def test_the_body_is_not_kept_after_the_answer(fails: bool) -> None:
    received: list[Any] = []

    def wsgi(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        received.append(environ["wsgi.input"].read())
        if fails:
            raise OSError
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    environ = environ_of(request("/", method="POST"), b"body")
    if fails:
        with pytest.raises(OSError):
            call(wsgi, environ)
    else:
        assert call(wsgi, environ).body == b"ok"
    assert received == [b"body"]
    assert environ["wsgi.input"].closed

"""A body sent in chunks, without Content-Length, counts as any other. Django alone takes it for empty."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest

from quota.api.gateway.authorize import Authorize
from tests.helpers.api_client import Office, make_office
from tokenplan.middleware import BodyLimit
from tokenplan.wsgi import give_length


def send(office: Office, body: bytes) -> tuple[int, Any]:
    """What the web server hands over for a body of unknown length, answered."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/gateway/authorize",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "HTTP_AUTHORIZATION": f"Bearer {office.gateway.credential}",
        "CONTENT_TYPE": "application/json",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.url_scheme": "http",
    }
    give_length(environ)
    answer = BodyLimit(Authorize.as_view())(WSGIRequest(environ))
    return answer.status_code, json.loads(answer.content)


def test_it_is_read() -> None:
    office = make_office()
    body = {"request_id": "r1", "key": office.key, "model": "penny", "estimate": {"calls": 2}}
    status, answer = send(office, json.dumps(body).encode())
    assert (status, answer["estimate_nanousd"]) == (201, 20_000_000)


def test_a_huge_one_is_refused_by_its_length() -> None:
    status, answer = send(make_office(), b"a" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1))
    assert (status, answer["code"]) == (413, "body_too_large")

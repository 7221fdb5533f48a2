"""A body sent in chunks, without Content-Length, counts as any other. Django alone takes it for empty."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest

from quota.api.gateway.authorize import Authorize
from tests.helpers.api_client import Office, make_office
from tests.helpers.asgi import request
from tokenplan.middleware import BodyLimit
from tokenplan.web.wsgi_calls import environ_of


def send(office: Office, body: bytes) -> tuple[int, Any]:
    """What the web server hands over for a body of unknown length, answered."""
    scope = request(
        "/api/v1/gateway/authorize",
        method="POST",
        headers={
            "transfer-encoding": "chunked",
            "authorization": f"Bearer {office.gateway.credential}",
            "content-type": "application/json",
        },
    )
    answer = BodyLimit(Authorize.as_view())(WSGIRequest(environ_of(scope, body)))
    return answer.status_code, json.loads(answer.content)


def test_it_is_read() -> None:
    office = make_office()
    body = {"request_id": "r1", "key": office.key, "model": "penny", "estimate": {"calls": 2}}
    status, answer = send(office, json.dumps(body).encode())
    assert (status, answer["estimate_nanousd"]) == (201, 20_000_000)


def test_a_huge_one_is_refused_by_its_length() -> None:
    status, answer = send(make_office(), b"a" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1))
    assert (status, answer["code"]) == (413, "body_too_large")

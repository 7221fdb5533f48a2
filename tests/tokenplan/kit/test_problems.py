"""Every failure of the API is a problem document, one by one."""

import json
import logging
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client, RequestFactory

from tests.helpers.failing_urls import FAILURES
from tokenplan.kit import problems

pytestmark = [pytest.mark.urls("tests.helpers.failing_urls"), pytest.mark.django_db]
WRONG = "A value is not valid"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def problem(answer: Any) -> dict[str, Any]:
    assert answer["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = json.loads(answer.content)
    assert document["status"] == answer.status_code
    assert document["type"] == f"/problems/{document['code']}"
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    "name, status, code",
    [
        ("refusal", 409, "seat_taken"),
        ("refusal-detail", 422, "invalid"),
        ("refusal-401", 401, "key_invalid"),
        ("refusal-429", 409, "refused"),
        ("drf-401", 403, "not_authenticated"),
        ("drf-throttled", 429, "throttled"),
        ("drf-throttled-unknown", 429, "throttled"),
        ("drf-other", 500, "refused"),
        ("http404", 404, "not_found"),
        ("denied", 403, "permission_denied"),
        ("too-big", 413, "body_too_large"),
        ("suspicious", 400, "malformed"),
        ("hung-up", 400, "malformed"),
        ("django-validation", 422, "invalid"),
        ("data", 422, "invalid"),
        ("surrogate", 422, "invalid"),
        ("away", 503, "unavailable"),
        ("closed", 503, "unavailable"),
        ("pool", 503, "unavailable"),
        ("defect", 500, "internal_error"),
    ],
)
def test_what_a_view_raises(name: str, status: int, code: str, client: Client) -> None:
    document = problem(client.get(f"/api/{name}"))
    assert (document["status"], document["code"]) == (status, code)
    assert "secret" not in str(document)
    assert "internal words" not in str(document)


def test_the_table_above_is_complete() -> None:
    [table] = [mark for mark in test_what_a_view_raises.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {row[0] for row in table.args[1]} == set(FAILURES)


def test_a_refusal_says_which_field_and_when_to_come_back(client: Client) -> None:
    document = problem(client.get("/api/refusal-detail"))
    assert document["pointer"] == "/n"
    assert document["errors"] == [{"pointer": "/n", "detail": "Too large."}]
    answer = client.get("/api/refusal-429")
    assert (answer["Retry-After"], problem(answer)["retry_after"]) == ("30", 30)
    assert client.get("/api/drf-throttled")["Retry-After"] == "1"
    assert "Retry-After" not in client.get("/api/drf-throttled-unknown")
    assert client.get("/api/away")["Retry-After"] == "1"
    assert client.get("/api/refusal-401")["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_defect_is_logged_with_its_traceback(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/api/defect")
    [record] = [record for record in caplog.records if record.name == "tokenplan.kit.problems"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_each_wrong_field_is_named(client: Client) -> None:
    body = {"name": "too long", "rows": [{"number": 1}, {"number": -1}, {}, "x"]}
    document = problem(client.post("/api/echo", body, content_type="application/json"))
    assert (document["status"], document["code"], document["title"]) == (422, "invalid", WRONG)
    assert document["pointer"] == "/name"
    assert document["detail"] == "/name: Ensure this field has no more than 5 characters."
    assert [error["pointer"] for error in document["errors"]] == [
        "/name",
        "/rows/1/number",
        "/rows/2/number",
        "/rows/3",
    ]


def test_what_is_wrong_with_the_whole_points_to_the_whole(client: Client) -> None:
    for body in ({"name": "none", "rows": []}, [1, 2]):
        document = problem(client.post("/api/echo", body, content_type="application/json"))
        assert (document["status"], document["pointer"]) == (422, "")


@pytest.mark.parametrize(
    "body, content_type, status, code",
    [
        (b"{", "application/json", 400, "malformed"),
        (b"[" * 50_000, "application/json", 400, "malformed"),
        (b'{"name": "\\u0000"}', "application/json", 422, "invalid"),
        (b"name=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b"{}", "text/plain", 415, "unsupported_media_type"),
        (b" " * 1_048_577, "application/json", 413, "body_too_large"),
        (b" " * 10_000_000, "application/json", 413, "body_too_large"),
    ],
)
def test_bodies_that_cannot_be_read(
    body: bytes, content_type: str, status: int, code: str, client: Client
) -> None:
    document = problem(client.post("/api/echo", body, content_type=content_type))
    assert (document["status"], document["code"]) == (status, code)


def test_the_wrong_method_and_a_type_nobody_writes(client: Client) -> None:
    answer = client.get("/api/echo")
    assert problem(answer)["code"] == "method_not_allowed"
    assert "POST" in answer["Allow"]
    document = problem(
        client.post("/api/echo", {}, content_type="application/json", headers={"Accept": "a/b"})
    )
    assert (document["status"], document["code"]) == (406, "not_acceptable")


def test_outside_of_views_the_api_speaks_json_too(client: Client) -> None:
    for path, status, code in (
        ("/api/nowhere", 404, "not_found"),
        ("/api/plain/http404", 404, "not_found"),
        ("/api/plain/suspicious", 400, "malformed"),
        ("/api/plain/too-big", 413, "body_too_large"),
        ("/api/plain/defect", 500, "internal_error"),
        ("/api/plain/away", 503, "unavailable"),
    ):
        document = problem(client.get(path))
        assert (path, document["status"], document["code"]) == (path, status, code)


@pytest.mark.urls("tokenplan.urls")
def test_pages_keep_their_own_answers(client: Client, rf: RequestFactory) -> None:
    page = rf.get("/page")
    for answer, status in (
        (client.get("/nowhere"), 404),
        (problems.bad_request(page, SuspiciousOperation()), 400),
        (problems.server_error(page), 500),
    ):
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (status, "text/html")

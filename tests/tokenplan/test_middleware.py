"""The security headers of every answer, the limit on a body, what is compressed, and where pages read."""

import pytest
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import path
from pytest_django.fixtures import Settings

from teams.models import Team
from tokenplan.kit import replica
from tokenplan.kit.replica import REPLICA, Nearness, Router, reads_from
from tokenplan.middleware import CompressedPages, ReplicaReads


@pytest.mark.django_db
def test_every_answer_has_a_content_security_policy(client: Client) -> None:
    response = client.get("/accounts/login/")
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_huge_body_is_refused_unread(client: Client) -> None:
    body = b" " * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
    response = client.post("/api/v1/gateway/authorize", body, content_type="application/json")
    assert response.status_code == 413
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("headers", "streams", "compressed"),
    [
        ({}, False, True),
        ({"Content-Type": "application/json"}, False, False),
        ({"Cache-Control": "private, no-store"}, False, False),
        ({}, True, False),
    ],
)
def test_pages_alone_are_compressed_and_none_that_may_show_a_secret(
    headers: dict[str, str], streams: bool, compressed: bool
) -> None:
    body = b"the same again and again " * 100
    kind = StreamingHttpResponse if streams else HttpResponse
    answer = kind([body], headers=headers)
    asked = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})

    got = CompressedPages(lambda request: answer).process_response(asked, answer)

    assert (got.headers.get("Content-Encoding") == "gzip") is compressed


def show_where(request: HttpRequest) -> HttpResponse:
    """Where the page reads, and after a write."""
    before = reads_from()
    if "write" in request.GET:
        Router().db_for_write(Team)
    return HttpResponse(f"{before} {reads_from()}")


def break_off(request: HttpRequest) -> HttpResponse:
    """Fails wherever `at` says, as a database that goes away does."""
    if reads_from() in request.GET["at"]:
        raise OperationalError("terminating connection")
    return HttpResponse(f"made from {reads_from()}")


urlpatterns = [path("where/", show_where), path("admin/where/", show_where), path("broken/", break_off)]


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Client:
    """One with a session, of an installation whose replica is near and has everything before 0/100."""
    monkeypatch.setitem(settings.DATABASES, REPLICA, settings.DATABASES["default"])
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["tokenplan.middleware.ReplicaReads"]
    monkeypatch.setattr(Nearness, "is_near", lambda self, position, failures: position <= "0/100")
    monkeypatch.setattr(replica, "position", lambda: "0/200")
    client = Client(raise_request_exception=False)
    client.cookies[settings.SESSION_COOKIE_NAME] = "something"
    return client


def test_a_page_reads_from_the_replica_until_it_writes(browser: Client) -> None:
    assert browser.get("/where/").content == b"replica replica"
    assert browser.head("/where/").status_code == 200
    assert ReplicaReads.COOKIE not in browser.cookies
    assert browser.get("/where/?write").content == b"replica default"


def test_who_has_written_reads_from_the_primary_until_the_replica_has_it(browser: Client) -> None:
    assert browser.post("/where/?write").content == b"default default"
    cookie = browser.cookies[ReplicaReads.COOKIE]
    assert (cookie.value, cookie["max-age"], cookie["httponly"]) == ("0/200", 70, True)
    assert browser.get("/where/").content == b"default default"
    browser.cookies[ReplicaReads.COOKIE] = "0/100"
    assert browser.get("/where/").content == b"replica replica"


def test_where_nobody_can_say_how_far_the_log_is_no_replica_is_far_enough(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> str:
        raise OperationalError

    monkeypatch.setattr(replica, "position", away)
    assert browser.post("/where/?write").status_code == 200
    assert browser.cookies[ReplicaReads.COOKIE].value == "FFFFFFFF/FFFFFFFF"


@pytest.mark.parametrize("value", ["", "x", "0/0'--"])
def test_a_position_that_is_none_is_as_if_it_was_far_ahead(browser: Client, value: str) -> None:
    browser.cookies[ReplicaReads.COOKIE] = value
    assert browser.get("/where/").content == b"default default"


def test_operators_and_those_without_a_session_read_from_the_primary(browser: Client) -> None:
    assert browser.get("/admin/where/").content == b"default default"
    assert Client().get("/where/").content == b"default default"
    assert Client().post("/where/?write").cookies == {}


def test_a_page_that_the_replica_breaks_off_is_made_again_from_the_primary(browser: Client) -> None:
    assert browser.get("/broken/?at=replica").content == b"made from default"
    assert browser.get("/broken/?at=replica,default").status_code == 500
    assert browser.post("/broken/?at=default").status_code == 500


def test_without_a_replica_nothing_is_asked(settings: Settings) -> None:
    with pytest.raises(MiddlewareNotUsed):
        ReplicaReads(lambda request: HttpResponse())
    assert settings.DATABASE_ROUTERS == []

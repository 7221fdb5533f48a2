"""A session that cannot be saved because the database is away is another thing than one that was ended."""

from __future__ import annotations

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from tests.helpers.browsing import PASSWORD
from tests.helpers.factories import make_user
from tokenplan.kit.sessions import SessionStore

pytestmark = pytest.mark.django_db


def test_a_session_that_was_ended_meanwhile_is_not_saved() -> None:
    session = SessionStore("0" * 32)
    with pytest.raises(UpdateError):
        session.save()


@pytest.mark.parametrize(
    "cookie", ["\x00" * 32, '"\\000bcdefghijklmnopqrstuvwxyz012345"', "é" * 32, "x" * 7, "x" * 41, ""]
)
@pytest.mark.parametrize("url", ["/plans/", "/account/", "/api/v1/me/", "/admin/"])
def test_who_comes_with_what_is_no_key_has_no_session(cookie: str, url: str) -> None:
    without = Client(raise_request_exception=False).get(url)
    client = Client(raise_request_exception=False, headers={"Cookie": f"sessionid={cookie}"})
    assert client.get(url).status_code == without.status_code


def test_as_the_database_goes_away_the_answer_is_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(raise_request_exception=False)
    make_user("ann@example.com", password=PASSWORD)

    def away(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr("django.contrib.sessions.models.Session.save", away)
    answer = client.post(reverse("account_login"), {"login": "ann@example.com", "password": PASSWORD})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")

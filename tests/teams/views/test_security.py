"""The page Security: what protects the account, and where its person is signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from teams.models import AuditEntry, User
from tests.helpers.factories import T0, make_user
from tests.helpers.proof import prove
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
PAGE = "/account/security/"
OTHERS = "/account/sessions/end-others/"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Safari/604.1"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.com", password=PASSWORD)


def signed_in(user: User, agent: str) -> Client:
    client = Client(headers={"User-Agent": agent})
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get(PAGE).status_code == 200


def row_of(client: Client) -> UserSession:
    return UserSession.objects.get(session_key=client.session.session_key)


def end(client: Client, of: Client) -> Any:
    return client.post(f"/account/sessions/{row_of(of).pk}/end/")


def test_it_gathers_what_protects_the_account(ada: User) -> None:
    client = signed_in(ada, LAPTOP)

    page = read(client, PAGE)

    assert "all your other sessions are signed out" in page
    assert "Authenticator app Off" in page
    assert "Firefox on Linux This session From 127.0.0.1, signed in now, last seen now." in page
    assert "Sign out all other sessions" not in page
    assert "Recovery codes" not in page


def test_whoever_has_no_password_is_offered_one(ada: User) -> None:
    client = Client()
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)

    assert "Set a password" in read(client, PAGE)


def test_a_session_is_ended_and_its_device_is_signed_out(ada: User) -> None:
    laptop, phone = signed_in(ada, LAPTOP), signed_in(ada, PHONE)
    assert "Safari on iPhone From 127.0.0.1" in read(laptop, PAGE)

    answer = end(prove(laptop), phone)

    assert answer.headers["Location"] == PAGE
    page = read(laptop, PAGE)
    assert not is_in(phone)
    assert "That session is signed out." in page
    assert "iPhone" not in page
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject, entry.by) == ("session.ended", "ada@example.com", ada)


def test_all_others_are_ended_at_once_and_this_one_stays(ada: User) -> None:
    laptop, phone, other = (signed_in(ada, agent) for agent in (LAPTOP, PHONE, PHONE))

    answer = prove(laptop).post(OTHERS, follow=True)

    assert "2 other sessions are signed out." in words(answer)
    assert [is_in(one) for one in (laptop, phone, other)] == [True, False, False]
    assert AuditEntry.objects.latest("pk").details == {"sessions": 2}


def test_it_asks_for_a_recent_proof_and_has_ended_nothing(ada: User) -> None:
    laptop, phone = signed_in(ada, LAPTOP), signed_in(ada, PHONE)

    for answer in (end(laptop, phone), laptop.post(OTHERS)):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert is_in(phone)


def test_somebody_elses_session_does_not_exist_and_this_one_is_not_ended(ada: User) -> None:
    laptop, eve = signed_in(ada, LAPTOP), signed_in(make_user("eve@example.com", password=PASSWORD), PHONE)

    assert end(prove(eve), laptop).status_code == 404
    assert end(eve, eve).status_code == 404
    assert is_in(laptop)
    assert is_in(eve)
    assert "Firefox" not in read(eve, PAGE)


def test_another_password_ends_all_other_sessions(ada: User) -> None:
    laptop, phone = signed_in(ada, LAPTOP), signed_in(ada, PHONE)
    new = "another-horse-battery"

    laptop.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})

    assert not is_in(phone)
    page = read(laptop, PAGE)
    assert "Firefox on Linux This session" in page
    assert "iPhone" not in page


def test_when_it_was_seen_is_noted_every_ten_minutes(ada: User) -> None:
    laptop = signed_in(ada, LAPTOP)

    for minutes, seen in ((9, 0), (10, 10), (19, 10), (25, 25)):
        with time_machine.travel(T0 + timedelta(minutes=minutes), tick=False):
            laptop.get(PAGE)
        assert row_of(laptop).last_seen_at == T0 + timedelta(minutes=seen), minutes


def test_the_page_asks_the_database_as_often_for_four_sessions(ada: User) -> None:
    laptop = signed_in(ada, LAPTOP)
    with CaptureQueriesContext(connection) as queries:
        laptop.get(PAGE)
        for_one = len(queries)
    for _ in range(3):
        signed_in(ada, PHONE)

    with CaptureQueriesContext(connection) as queries:
        assert words(laptop.get(PAGE)).count("Safari on iPhone From 127.0.0.1") == 3
        assert len(queries) == for_one

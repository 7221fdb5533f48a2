"""One's own key: never without the password, new texts at will."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
import time_machine
from django.test import Client
from pytest_django.fixtures import Settings

from teams.models import SubscriptionKey
from tests.helpers.factories import T0, key_of, make_member, make_team, make_user
from tests.helpers.proof import prove
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
ROTATE = "/account/keys/acme/rotate/"


@pytest.fixture
def client() -> Client:
    """Somebody signed in by password, a member of one regular Team."""
    user = make_user("ada@example.com", password=PASSWORD)
    make_member(make_team("Acme"), user)
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return client


def confirm(client: Client, url: str, *, no_store: bool = True) -> str:
    """The page behind the question for the password."""
    asked = client.get(url)
    assert asked.headers["Location"] == f"/accounts/reauthenticate/?next={quote(url, safe='')}"
    answer = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": url}, follow=True)
    assert answer.redirect_chain == [(url, 302)]
    assert ("no-store" in answer.headers.get("Cache-Control", "")) == no_store
    return words(answer)


def current() -> SubscriptionKey:
    return SubscriptionKey.objects.current().get(team__slug="acme", membership__user__email="ada@example.com")


def test_the_key_is_shown_to_its_owner_after_the_password_and_works(client: Client) -> None:
    page = confirm(client, "/account/keys/acme/")

    assert key_of(current().membership) in page


def test_without_the_password_there_is_only_the_prefix(client: Client) -> None:
    page = client.get("/account/").content.decode()

    assert current().prefix in page
    assert key_of(current().membership) not in page


def test_a_wrong_password_shows_nothing(client: Client) -> None:
    answer = client.post(
        "/accounts/reauthenticate/", {"password": "wrong", "next": "/account/keys/acme/"}, follow=True
    )

    assert answer.redirect_chain == []
    assert "sk-cp-" not in answer.content.decode()


def test_the_password_is_asked_again_after_five_minutes(client: Client) -> None:
    confirm(client, "/account/keys/acme/")
    with time_machine.travel(T0 + timedelta(seconds=301), tick=False):
        again = client.get("/account/keys/acme/")

    assert again.headers["Location"] == "/accounts/reauthenticate/?next=%2Faccount%2Fkeys%2Facme%2F"


@pytest.mark.parametrize(("overlap", "hours"), [("0", 0), ("3600", 1), ("86400", 24)])
def test_rotating_gives_a_new_key_and_the_old_one_works_as_long_as_chosen(
    client: Client, overlap: str, hours: int
) -> None:
    old = current()
    confirm(client, ROTATE, no_store=False)

    page = submit(client, ROTATE, overlap=overlap)

    old.refresh_from_db()
    assert current().pk != old.pk
    assert old.expires_at == T0 + timedelta(hours=hours)
    assert key_of(current().membership) in page
    if hours:
        assert f"The old key {old.prefix} works until" in page
        assert f"The old one works for {hours} hour" in page
    else:
        assert "The old one no longer works." in page
        assert "works until" not in page


def test_the_password_is_asked_for_before_the_rotation_and_not_after_it(client: Client) -> None:
    old = current()

    asked = client.post(ROTATE, {"overlap": "0"})
    assert asked.headers["Location"] == f"/accounts/reauthenticate/?next={quote(ROTATE, safe='')}"
    assert current() == old

    done = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": ROTATE}, follow=True)
    assert done.redirect_chain == [("/account/keys/acme/", 302)]
    assert current() != old
    assert key_of(current().membership) in words(done)


def test_an_hour_of_overlap_is_offered_first(client: Client) -> None:
    confirm(client, ROTATE, no_store=False)

    form = client.get(ROTATE).content.decode()

    assert re.findall(r'value="(\d+)"[^>]*checked', form) == ["3600"]


@pytest.mark.parametrize("overlap", ["", "86401", "-1", "1e3", "\x00"])
def test_an_overlap_that_is_not_offered_changes_nothing(client: Client, overlap: str) -> None:
    before = current().pk

    assert prove(client).post(ROTATE, {"overlap": overlap}).status_code == 422
    assert current().pk == before


def test_a_revoked_key_says_so_and_rotating_makes_one_that_works(client: Client) -> None:
    assert "Your key for Acme no longer works." in submit(client, "/account/keys/acme/revoke/")
    assert "This key was revoked and no longer works." in read(client, "/account/")
    assert "This key was revoked and no longer works." in confirm(client, "/account/keys/acme/")

    client.post(ROTATE, {"overlap": "0"})

    assert key_of(current().membership) in read(client, "/account/keys/acme/")
    assert current().revoked_at is None


def test_a_key_whose_root_was_withdrawn_is_dead_and_can_be_rotated(
    client: Client, settings: Settings
) -> None:
    settings.KEY_ROOTS = {"new": b"x" * 32}

    assert "no longer works" in confirm(client, "/account/keys/acme/")

    client.post(ROTATE, {"overlap": "0"})
    assert key_of(current().membership) in read(client, "/account/keys/acme/")


def test_asking_for_a_key_by_get_changes_nothing(client: Client) -> None:
    assert client.get("/account/keys/acme/revoke/").status_code == 405
    assert current().revoked_at is None

"""One's own access tokens and name: a token's text is shown once, after the password, to one person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from teams.models import AuditEntry, PersonalAccessToken, User
from teams.services import access_tokens
from tests.helpers.factories import T0, make_user
from tests.helpers.reading import lines, read, submit, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
PASSWORD = "correct-horse-battery"
URL = "/account/tokens/"
TYPED = {"name": "nightly report", "scope": "read", "expires_in_days": "30"}


@pytest.fixture
def client() -> Client:
    """Somebody who has signed in by password and confirmed it just now."""
    client = signed_in(make_user("ada@example.com", password=PASSWORD))
    client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/account/"})
    return client


def signed_in(user: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    return client


def text_in(response: object) -> str:
    """The token that the page shows."""
    found = [word for word in words(response).split() if word.startswith("pat-") and len(word) == 47]  # type: ignore[arg-type]
    assert len(found) <= 1
    return found[0] if found else ""


def make(client: Client, **typed: str) -> str:
    """The text of a new token, from the page that shows it."""
    assert client.post(URL, TYPED | typed).headers["Location"] == URL
    return text_in(client.get(URL))


def me(text: str, method: str = "get") -> int:
    """What the API answers to whoever has that token."""
    call = getattr(Client(), method)
    return int(call("/api/v1/me", headers={"Authorization": f"Bearer {text}"}).status_code)


def test_a_new_token_is_shown_once_and_works(client: Client) -> None:
    answer = client.post(URL, TYPED)
    assert "no-store" in answer.headers["Cache-Control"]
    shown = client.get(URL)

    text = text_in(shown)
    assert "no-store" in shown.headers["Cache-Control"]
    assert 'data-copy="#token"' in shown.content.decode()
    assert text not in str(dict(client.session))
    assert me(text) == 200
    assert me(text, "patch") == 403

    again = client.get(URL)
    assert text[8:] not in again.content.decode()
    assert "nightly report Read" in words(again)
    assert PersonalAccessToken.objects.count() == 1


def test_a_text_that_was_not_fetched_is_lost_after_a_minute(client: Client) -> None:
    client.post(URL, TYPED)
    with time_machine.travel(T0 + timedelta(seconds=61), tick=False):
        assert text_in(client.get(URL)) == ""


def test_the_next_person_at_the_same_browser_sees_no_text(client: Client) -> None:
    client.post(URL, TYPED)
    client.force_login(make_user())

    assert text_in(client.get(URL)) == ""


def test_without_the_password_no_token_is_made_and_with_it_what_was_typed_is() -> None:
    client = signed_in(make_user("ada@example.com", password=PASSWORD))

    asked = client.post(URL, TYPED)
    assert asked.headers["Location"] == "/accounts/reauthenticate/?next=%2Faccount%2Ftokens%2F"
    client.post("/accounts/reauthenticate/", {"password": "wrong", "next": URL})
    assert not PersonalAccessToken.objects.exists()

    shown = client.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": URL}, follow=True)
    assert shown.redirect_chain == [(URL, 302)]
    assert me(text_in(shown)) == 200
    assert PersonalAccessToken.objects.get().name == "nightly report"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_no_other_method_does_anything(client: Client, method: str) -> None:
    assert getattr(client, method)(URL).status_code == 405
    assert getattr(client, method)("/account/profile/").status_code == 405


@pytest.mark.parametrize(
    "typed",
    [
        {"name": ""},
        {"name": "a\u202eb"},
        {"name": "x" * 101},
        {"scope": ""},
        {"scope": "admin"},
        {"expires_in_days": "0"},
        {"expires_in_days": "367"},
        {"expires_in_days": "1e2"},
        {"expires_in_days": "9" * 30},
    ],
)
def test_a_refusal_is_shown_at_its_field_and_leaves_nothing(client: Client, typed: dict[str, str]) -> None:
    answer = client.post(URL, TYPED | typed)

    (field,) = typed
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not PersonalAccessToken.objects.exists()
    assert not AuditEntry.objects.filter(action="access_token.created").exists()
    assert text_in(client.get(URL)) == ""


@pytest.mark.parametrize("days", [1, 366])
def test_a_token_lasts_as_long_as_chosen_and_then_says_that_it_expired(client: Client, days: int) -> None:
    text = make(client, expires_in_days=str(days))

    assert "Works Revoke… nightly report" in read(client, URL)
    with time_machine.travel(T0 + timedelta(days=days, seconds=-1), tick=False):
        assert me(text) == 200
    with time_machine.travel(T0 + timedelta(days=days), tick=False):
        assert me(text) == 401
        client.force_login(User.objects.get(email="ada@example.com"))
        page = read(client, URL)
    assert "Expired" in page
    assert "Revoke…" not in page


def test_the_list_says_when_a_token_was_made_and_last_used(client: Client) -> None:
    text = make(client, scope="manage")
    made, expires = "now", "1 month from now"
    row = f"nightly report Manage {text[:8]} {made}"

    assert f"{row} Never {expires} Works" in read(client, URL)
    me(text)
    assert f"{row} now {expires} Works" in read(client, URL)


def test_a_revoked_token_no_longer_works_and_says_so(client: Client) -> None:
    text = make(client)
    url = f"{URL}{PersonalAccessToken.objects.get().pk}/revoke/"

    assert client.get(url).status_code == 405
    assert me(text) == 200
    page = submit(client, url)
    assert "The token nightly report no longer works." in page
    assert "Revoked" in page
    assert me(text) == 401
    assert "This token does not exist." in submit(client, url)


def test_another_persons_token_is_neither_listed_nor_there(client: Client, as_user: AsUser) -> None:
    other = make_user()
    token, text = access_tokens.create(
        user=other, name="secret plan", scope="read", expires_in_days=1, by=other, at=T0
    )

    assert "secret plan" not in read(client, URL)
    assert client.post(f"{URL}{token.pk}/revoke/").status_code == 404
    assert me(text) == 200
    assert "secret plan" in read(as_user(other), URL)


def listed(page: str) -> list[str]:
    """The names of the tokens in the list of these words."""
    return [name for name in ("nightly", "weekly", "yearly") if f"{name} Read" in page]


@pytest.fixture
def three(client: Client) -> Client:
    """With a token that works, one that has expired and one that was revoked."""
    ada = User.objects.get(email="ada@example.com")
    made = {
        name: access_tokens.create(user=ada, name=name, scope="read", expires_in_days=days, by=ada, at=at)[0]
        for name, days, at in (
            ("nightly", 30, T0),
            ("weekly", 1, T0 - timedelta(days=2)),
            ("yearly", 30, T0 - timedelta(days=1)),
        )
    }
    access_tokens.revoke(token=made["yearly"], by=ada, at=T0)
    return client


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("", ["nightly", "weekly", "yearly"]),
        ("?q=LY", ["nightly", "weekly", "yearly"]),
        ("?q=week", ["weekly"]),
        ("?state=works", ["nightly"]),
        ("?state=expired", ["weekly"]),
        ("?state=revoked", ["yearly"]),
        ("?state=revoked&q=night", []),
        ("?state=nonsense", ["nightly", "weekly", "yearly"]),
    ],
)
def test_tokens_are_found_by_name_and_state_and_the_file_has_those(
    three: Client, asked: str, names: list[str]
) -> None:
    page = read(three, f"{URL}{asked}")
    assert listed(page) == names
    assert f"{len(names)} token" in page
    assert ("Nothing is found. Show all" in page) == (not names)
    file = lines(three, f"{URL}file/{asked}", "access-tokens.csv")
    assert sorted(line.partition(",")[0] for line in file[1:]) == names
    assert (
        f'id="csv" href="{URL}file/{asked}"'.replace("&", "&amp;") in three.get(URL + asked).content.decode()
    )


def test_the_file_says_of_a_token_what_the_page_says_and_never_its_text(three: Client) -> None:
    text = make(three, name="=SUM(A1)")
    me(text)

    heading, last, *others = lines(three, f"{URL}file/")

    assert heading == "Name,Scope,Starts with,Made (UTC),Last used (UTC),Expires (UTC),State"
    moments = "2026-06-03 10:02:00,2026-06-03 10:02:00,2026-07-03 10:02:00"
    assert last == f"'=SUM(A1),Read,{text[:8]},{moments},Works"
    assert [line.rpartition(",")[2] for line in others] == ["Works", "Revoked", "Expired"]
    assert text not in "".join([last, *others])


def test_nobody_gets_a_file_of_another_persons_tokens(three: Client, as_user: AsUser) -> None:
    assert lines(as_user(make_user()), f"{URL}file/")[1:] == []
    assert Client().get(f"{URL}file/").headers["Location"] == f"/accounts/login/?next={URL}file/"
    assert three.post(f"{URL}file/").status_code == 405


def test_who_has_no_token_has_no_list_to_filter(client: Client) -> None:
    page = client.get(URL).content.decode()
    assert ('id="csv"' in page, 'role="search"' in page) == (False, False)

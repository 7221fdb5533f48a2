"""The operators' pages have no door of their own."""

from __future__ import annotations

import pytest
from django.test import Client

from teams.models import User
from tests.helpers.factories import make_user
from tests.helpers.reading import words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


@pytest.fixture
def operator() -> User:
    user = make_user("root@example.com", password=PASSWORD)
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def test_of_forty_guesses_at_the_operators_door_none_is_checked(operator: User) -> None:
    client = Client()
    guesses = [f"guess {number}" for number in range(40)] + [PASSWORD]

    answers = [
        client.post("/admin/login/?next=/admin/", {"username": operator.email, "password": guess})
        for guess in guesses
    ]

    assert {answer.headers.get("Location") for answer in answers} == {"/accounts/login/?next=/admin/"}
    assert "_auth_user_id" not in client.session


def test_the_one_sign_in_stops_guessing_after_five(operator: User) -> None:
    client = Client()
    for number in range(5):
        client.post("/accounts/login/", {"login": operator.email, "password": f"guess {number}"})

    answer = client.post("/accounts/login/", {"login": operator.email, "password": PASSWORD})

    assert "Too many failed login attempts" in words(answer)
    assert "_auth_user_id" not in client.session


def test_an_operator_signs_in_like_everybody_and_comes_to_the_operators_pages(operator: User) -> None:
    client = Client()
    asked = client.get("/admin/teams/user/", follow=True)
    assert asked.redirect_chain[-1][0] == "/accounts/login/?next=/admin/teams/user/"

    answer = client.post(
        "/accounts/login/",
        {"login": operator.email, "password": PASSWORD, "next": "/admin/teams/user/"},
        follow=True,
    )

    assert answer.redirect_chain == [("/admin/teams/user/", 302)]
    assert client.get("/admin/login/").headers["Location"] == "/admin/"


def test_a_stolen_session_of_an_operator_guesses_no_password_there_either(operator: User) -> None:
    client = Client()
    client.force_login(operator)
    victim = make_user("victim@example.com", password=PASSWORD)

    client.post("/admin/login/", {"username": victim.email, "password": PASSWORD})
    change = client.post(
        "/admin/password_change/",
        {"old_password": PASSWORD, "new_password1": "x" * 20, "new_password2": "x" * 20},
    )

    assert client.session["_auth_user_id"] == str(operator.pk)
    assert change.headers["Location"] == "/accounts/password/change/"
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)


def test_whoever_is_no_operator_is_refused_and_not_asked_again() -> None:
    client = Client()
    client.force_login(make_user())

    assert client.get("/admin/", follow=True).status_code == 403

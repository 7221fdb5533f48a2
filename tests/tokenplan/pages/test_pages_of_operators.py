"""The operators' pages have no door of their own."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from teams.models import User
from teams.services.accounts import deactivate
from tests.helpers.factories import T0, make_user
from tests.helpers.reading import words
from tests.helpers.staff import staff

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


def test_whoever_is_no_operator_is_refused_with_whom_to_ask_and_not_asked_again(operator: User) -> None:
    client = Client()
    client.force_login(make_user())

    answer = client.get("/admin/", follow=True)

    assert answer.status_code == 403
    assert (
        "These pages are for the operators of this console. About your Team, ask its Owner. "
        "If your work is to operate it, ask whoever runs it to make you an operator. Go to your account"
    ) in words(answer)
    assert operator.email not in answer.content.decode()


def refused(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 403
    return words(answer).removeprefix("You are not allowed to do this ").removesuffix(" Go to your account")


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("/admin/teams/user/", "Can view user"),
        ("/admin/support/people/1/", "Can view user"),
        ("/admin/support/people/1/bars/", "Can view user"),
        ("/admin/support/teams/1/", "Can view Team"),
        ("/admin/teams/team/1/grant-seat/", "Can change Team"),
        ("/admin/teams/user/1/remove-passkeys/", "Can change user"),
        ("/admin/quota/gateway/add/", "Can add gateway"),
        ("/admin/billing/promotion/add/", "Can add promotion"),
        ("/admin/billing/invitecampaign/add/", "Can add invite campaign"),
    ],
)
def test_staff_without_a_right_read_which_it_is_and_who_gives_it(
    operator: User, url: str, right: str
) -> None:
    assert refused(staff(), url) == f"You need the right “{right}” for this. Ask root@example.com for it."


def test_the_right_that_a_verb_asks_for_beside_that_to_its_rows_is_named_too(operator: User) -> None:
    assert refused(staff("change_user"), "/admin/teams/user/1/remove-passkeys/") == (
        "You need the right “Can change authenticator” for this. Ask root@example.com for it."
    )


def test_staff_read_which_group_has_the_right(operator: User) -> None:
    group = Group.objects.create(name="Support")
    group.permissions.add(Permission.objects.get(codename="view_user"))
    deactivate(user=User.objects.create_superuser("gone@example.com", PASSWORD), by=None, at=T0)

    assert refused(staff(), "/admin/teams/user/") == (
        "You need the right “Can view user” for this, which the group Support has. "
        "Ask root@example.com to put you into it."
    )


def test_what_no_right_gives_names_the_superusers_and_to_them_says_so(operator: User) -> None:
    assert refused(staff(), "/admin/auth/group/add/") == (
        "Only superusers do this, if anybody. Ask root@example.com."
    )
    assert refused(staff(superuser=True), "/admin/teams/team/add/") == (
        "Nobody does this by hand, not even a superuser."
    )

"""One form of an e-mail address where people sign in: no other sign stands for one of its letters."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from teams.models import Mail, User
from tests.helpers.factories import make_user
from tests.helpers.proof import prove
from tests.helpers.reading import words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
# Long s, dotless i, dotted I, Kelvin sign: the four letters that a comparison without case takes for ASCII.
TWINS = [
    "ſam@example.com",
    "sam@ſite.example",
    "mıke@example.com",
    "mİke@example.com",
    "\u212aate@example.com",
]
OTHERS = ["sam@müller.example", "サム@example.com", "sam@example.com\u200b", "ｓam@example.com"]
HINT = "At least 10 characters: no common password, none of digits alone, and none like your name or address."
REFUSED = "Write the address in letters from a to z"


@pytest.fixture(autouse=True)
def people() -> None:
    for email in ("sam@example.com", "sam@site.example", "mike@example.com", "kate@example.com"):
        make_user(email, password=PASSWORD)


@pytest.mark.parametrize("email", TWINS + OTHERS)
def test_nobody_signs_up_as_the_twin_of_another(email: str) -> None:
    before = User.objects.count()
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}

    answer = Client().post("/accounts/signup/", form)

    assert answer.status_code == 200
    assert User.objects.count() == before
    assert not Mail.objects.exists()


@pytest.mark.parametrize("email", TWINS)
def test_the_form_says_how_an_address_is_written_to_those_who_wrote_another(email: str) -> None:
    form = {"email": email, "password1": PASSWORD}
    assert REFUSED in words(Client().post("/accounts/signup/", form))
    assert REFUSED not in words(Client().get("/accounts/signup/"))


@pytest.mark.parametrize("email", TWINS)
def test_a_twin_signs_in_to_nothing_and_has_no_password_reset_mailed(email: str) -> None:
    client = Client()

    client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    client.post("/accounts/password/reset/", {"email": email})

    assert "_auth_user_id" not in client.session
    assert not Mail.objects.exists()


@pytest.mark.parametrize("email", TWINS)
def test_nobody_adds_the_twin_of_another_address(email: str) -> None:
    client = Client()
    client.force_login(make_user())
    before = EmailAddress.objects.count()

    assert REFUSED in words(prove(client).post("/accounts/email/", {"email": email, "action_add": ""}))
    assert EmailAddress.objects.count() == before


def test_an_address_is_one_in_whatever_case_it_is_typed() -> None:
    client = Client()
    form = {"email": "SAM@Example.COM", "password1": PASSWORD, "password2": PASSWORD}
    before = User.objects.count()
    client.post("/accounts/signup/", form)
    assert User.objects.count() == before

    client.post("/accounts/login/", {"login": "SAM@Example.COM", "password": PASSWORD})
    assert client.session["_auth_user_id"] == str(User.objects.get(email="sam@example.com").pk)


def test_a_domain_in_other_letters_is_written_as_it_is_in_the_name_system() -> None:
    form = {"email": "Sam@XN--mller-kva.example", "password1": PASSWORD, "password2": PASSWORD}

    Client().post("/accounts/signup/", form)

    assert User.objects.filter(email="sam@xn--mller-kva.example").exists()
    assert Mail.objects.get().to == "sam@xn--mller-kva.example"


@pytest.mark.parametrize("page", ["login", "signup", "password/reset"])
def test_an_address_is_named_as_on_every_page_and_no_field_says_its_name_twice(page: str) -> None:
    answer = Client().get(f"/accounts/{page}/")

    assert "E-mail address" in words(answer)
    assert "Email" not in words(answer)
    assert "placeholder=" not in answer.content.decode()


def test_a_new_password_is_asked_for_in_the_words_of_other_pages() -> None:
    client = Client()
    client.force_login(User.objects.get(email="sam@example.com"))

    shown = words(prove(client).get("/accounts/password/change/"))

    for label in ("Current password", "New password", "New password, again"):
        assert label in shown
    assert "New Password" not in shown
    assert HINT in shown
    assert HINT in words(Client().get("/accounts/signup/"))


@pytest.mark.parametrize(
    ("said", "kept"),
    [({"time_zone": "Europe/Berlin"}, "Europe/Berlin"), ({"time_zone": "Moon/Base"}, "UTC"), ({}, "UTC")],
)
def test_an_account_begins_in_the_time_zone_of_its_browser_where_that_is_offered(
    said: dict[str, str], kept: str
) -> None:
    Client().post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD, **said})
    assert User.objects.get(email="new@example.com").time_zone == kept

"""Signing up, in and out, and a forgotten password; whoever has an account has a Default Team."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage
from django.test import Client
from django.utils import timezone

from quota.models import CreditAccess
from teams.models import Membership, SubscriptionKey, User
from teams.services import mail as mailer
from tests.helpers.factories import make_user
from tests.helpers.proof import prove
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"


def last_mail() -> EmailMessage:
    """Once all that wait are delivered."""
    mailer.deliver_due(at=timezone.now())
    return mail.outbox[-1]


def link_in_last_mail() -> str:
    found = re.search(r"https?://\S+", str(last_mail().body))
    assert found
    return found.group()


def sign_up(client: Client, email: str = "ada@example.com") -> None:
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
    assert "Check your mail" in words(client.post("/accounts/signup/", form, follow=True))


def test_signing_up_makes_the_default_team_with_its_key_and_waits_for_the_address() -> None:
    client = Client()
    sign_up(client)

    membership = Membership.objects.get(user__email="ada@example.com")
    assert membership.team.is_default
    assert membership.is_owner
    assert SubscriptionKey.objects.filter(membership=membership).count() == 1
    assert CreditAccess.objects.of_one(membership).allowed
    assert client.get("/account/").status_code == 302

    assert last_mail().subject == "Confirm your e-mail address"
    assert "Is ada@example.com your address?" in read(client, link_in_last_mail())
    client.post(link_in_last_mail())
    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert "Personal Owner No plan" in read(client, "/account/")
    assert Membership.objects.count() == 1


def test_signing_up_fails_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**given: object) -> None:
        raise RuntimeError("no Team today")

    monkeypatch.setattr("tokenplan.accounts.open_account", fail)
    with pytest.raises(RuntimeError):
        sign_up(Client())

    assert not User.objects.exists()


def test_an_address_in_use_is_not_given_away() -> None:
    make_user("ada@example.com", password=PASSWORD)

    sign_up(Client())

    assert User.objects.count() == 1
    assert last_mail().to == ["ada@example.com"]


def test_an_account_made_by_a_command_gets_its_default_team_when_it_signs_in() -> None:
    user = User.objects.create_user(email="root@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)

    Client().post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert Membership.objects.get(user=user).team.is_default


def test_a_wrong_password_says_so_at_the_form() -> None:
    make_user("ada@example.com", password=PASSWORD)
    client = Client()

    answer = client.post("/accounts/login/", {"login": "ada@example.com", "password": "wrong"})

    assert "password you specified are not correct" in words(answer)
    assert 'value="ada@example.com"' in answer.content.decode()


def test_a_forgotten_password_is_chosen_anew() -> None:
    make_user("ada@example.com", password=PASSWORD)
    client = Client()

    answer = client.post("/accounts/password/reset/", {"email": "ada@example.com"}, follow=True)
    assert "Check your mail" in words(answer)
    assert last_mail().subject == "Choose a new password"
    page = client.get(link_in_last_mail(), follow=True)
    assert "Choose a new password" in words(page)
    new = {"password1": "another-horse-battery", "password2": "another-horse-battery"}
    client.post(page.request["PATH_INFO"], new)

    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.com", "password": "another-horse-battery"})
    assert client.get("/account/").status_code == 200


def test_links_that_are_no_good_say_what_to_do() -> None:
    client = Client()

    assert "Ask for a new one" in read(client, "/accounts/password/reset/key/1-abc-def/")
    assert "This link has expired or was already used." in read(client, "/accounts/confirm-email/nonsense/")


def test_changing_the_password_and_signing_out() -> None:
    user = make_user("ada@example.com", password=PASSWORD)
    client = Client()
    client.force_login(user)

    assert "Change password" in read(client, "/accounts/password/change/")
    assert "ada@example.com Confirmed Primary" in read(client, "/accounts/email/")
    # Nothing can be done to the only one. What can be done to one of two is there.
    assert "Primary Add an address" in read(client, "/accounts/email/")
    EmailAddress.objects.create(user=User.objects.get(), email="ada@work.example")
    actions = "Not confirmed Make it primary Send the link again Remove Add an address"
    assert actions in read(client, "/accounts/email/")
    assert "Sign out?" in read(client, "/accounts/logout/")
    client.post("/accounts/logout/")
    assert client.get("/account/").status_code == 302


def test_each_page_of_the_sign_in_library_that_can_be_opened_has_our_words() -> None:
    user = make_user("ada@example.com")
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    pages = {
        "/accounts/inactive/": "account/account_inactive.html",
        "/accounts/password/reset/key/done/": "account/password_reset_from_key_done.html",
        "/accounts/email/": "account/email.html",
        "/accounts/password/set/": "account/password_set.html",
    }
    for url, name in pages.items():
        answer = prove(client).get(url)
        assert answer.status_code == 200
        ours = str(settings.BASE_DIR / "templates" / name)
        assert ours in [template.origin.name for template in answer.templates], url

    assert "Sign in with the new one." in read(Client(), "/accounts/password/reset/key/done/")
    assert "Whoever runs this installation can open it again." in read(Client(), "/accounts/inactive/")
    assert "Choose the password" in read(prove(client), "/accounts/password/set/")


def test_the_front_page_leads_in(client: Client) -> None:
    assert "Sign up" in read(client, "/")

    client.force_login(make_user())
    assert client.get("/").headers["Location"] == "/account/"

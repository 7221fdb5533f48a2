"""Changes of an account are told to the addresses that it has had."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone

from teams.models import User
from teams.services.accounts import deactivate
from teams.services.mail import deliver_due
from tests.helpers.factories import T0, make_user
from tests.helpers.proof import prove
from tokenplan.accounts import AccountAdapter

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
NEW = "another-horse-battery"


@pytest.fixture
def ada() -> User:
    user = make_user("ada@example.com", password=PASSWORD)
    EmailAddress.objects.create(user=user, email="ada@work.example", verified=True)
    return user


@pytest.fixture
def client(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return prove(client)


def informed(saying: str) -> list[str]:
    """Whom a mail says this to, by address."""
    deliver_due(at=timezone.now())
    return sorted(one.to[0] for one in mail.outbox if saying in str(one.body))


def test_an_account_that_is_closed_while_its_password_is_changed_stays_closed(ada: User) -> None:
    deactivate(user=User.objects.get(pk=ada.pk), by=None, at=T0)

    AccountAdapter().set_password(ada, NEW)

    ada = User.objects.get(pk=ada.pk)
    assert (ada.check_password(NEW), ada.is_active, ada.deactivated_at) == (True, False, T0)


def test_adding_an_address_is_mailed_to_those_the_account_has(client: Client) -> None:
    client.post("/accounts/email/", {"email": "thief@example.com", "action_add": ""})

    assert informed("The e-mail address thief@example.com was added") == [
        "ada@example.com",
        "ada@work.example",
    ]


def test_removing_an_address_is_mailed_to_it_too(client: Client) -> None:
    client.post("/accounts/email/", {"email": "ada@work.example", "action_remove": ""})

    assert informed("ada@work.example was removed") == ["ada@example.com", "ada@work.example"]


def test_another_primary_address_is_mailed_to_the_old_one(client: Client) -> None:
    client.post("/accounts/email/", {"email": "ada@work.example", "action_primary": ""})

    assert informed("was ada@example.com and is ada@work.example now") == [
        "ada@example.com",
        "ada@work.example",
    ]
    assert User.objects.get().email == "ada@work.example"


def test_whoever_replaces_and_then_removes_an_address_cannot_do_it_quietly(client: Client) -> None:
    client.post("/accounts/email/", {"email": "ada@work.example", "action_primary": ""})
    client.post("/accounts/email/", {"email": "ada@example.com", "action_remove": ""})

    assert "ada@example.com" in informed("ada@example.com was removed")


def test_a_changed_password_is_mailed(client: Client) -> None:
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})

    assert informed("Your password was changed") == ["ada@example.com", "ada@work.example"]


def test_a_reset_password_is_mailed(ada: User) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": "ada@work.example"})
    deliver_due(at=timezone.now())
    link = next(word for word in str(mail.outbox[-1].body).split() if "/password/reset/key/" in word)
    page = client.get(link, follow=True)
    client.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})

    assert informed("Your password was reset") == ["ada@example.com", "ada@work.example"]


def test_a_first_password_is_mailed(ada: User, client: Client) -> None:
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)
    prove(client).post("/accounts/password/set/", {"password1": NEW, "password2": NEW})

    assert informed("had no password, and one was chosen") == ["ada@example.com", "ada@work.example"]

"""What is mailed when an account was changed, and with a code: each mail is read whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail as django_mail
from django.test import Client

from teams.models import Mail, User
from teams.services import mail
from tests.helpers.factories import T0, make_user
from tests.helpers.passkeys import SoftPasskey
from tests.helpers.proof import prove

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct-horse-battery"
OTHER = {"password1": "another-horse-battery", "password2": "another-horse-battery"}
WORK = "o'ada@work.example"
PASSKEYS = "/account/passkeys/"
CHANGED = """\
Hello,

Your account with Token Plan was changed:

{change}

It came from the address 127.0.0.1, with the browser Ada's & <Firefox>, on 3 Jun 2026, 10:02 UTC.

If it was not you: reset your password, look through your e-mail addresses, passkeys and sessions, and \
revoke your keys and access tokens."""
CODE = """\
Hello,

Somebody, hopefully you, wants to do something with your Token Plan account that needs a confirmation. The \
code for it, good for 3 minutes:

{code}

If it was not you, somebody else is signed in to your account: sign in, reset your password, and revoke your \
keys and access tokens."""


@pytest.fixture(autouse=True)
def _at_a_host_name(settings: Any) -> Any:
    settings.BASE_URL = "http://localhost:8000"
    with time_machine.travel(T0, tick=False):
        yield


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.com", password=PASSWORD)


@pytest.fixture
def client(ada: User) -> Client:
    client = Client(headers={"User-Agent": "Ada's & <Firefox>"})
    client.force_login(ada)
    return prove(client)


def has_an_address(client: Client) -> None:
    EmailAddress.objects.create(user=User.objects.get(), email=WORK, verified=True)


def has_a_passkey(client: Client) -> None:
    SoftPasskey().add_to(client)


def has_no_password(client: Client) -> None:
    ada = User.objects.get()
    ada.set_unusable_password()
    ada.save()
    client.force_login(ada)
    prove(client)


def asked_for_a_reset(client: Client) -> None:
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})


def nothing(client: Client) -> None:
    pass


def address(client: Client, action: str) -> None:
    client.post("/accounts/email/", {"email": WORK, action: ""})


def remove_a_passkey(client: Client) -> None:
    client.post(f"{PASSKEYS}{Authenticator.objects.get(type='webauthn').pk}/remove/")


def choose_a_password(client: Client) -> None:
    """By the link that was mailed."""
    words = str(django_mail.outbox.pop().body).split()
    link = next(word for word in words if "/password/reset/key/" in word)
    client.post(client.get(link, follow=True).request["PATH_INFO"], OTHER)


Step = Callable[[Client], object]
CHANGES: list[tuple[Step, Step, str, str]] = [
    (
        nothing,
        lambda client: address(client, "action_add"),
        "An e-mail address was added to your account",
        f"The e-mail address {WORK} was added to your account. It counts as yours once it is confirmed.",
    ),
    (
        has_an_address,
        lambda client: address(client, "action_primary"),
        "Your account has another primary e-mail address",
        f"Your primary e-mail address was ada@example.com and is {WORK} now.",
    ),
    (
        has_an_address,
        lambda client: address(client, "action_remove"),
        "An e-mail address was removed from your account",
        f"The e-mail address {WORK} was removed from your account.",
    ),
    (
        nothing,
        lambda client: client.post("/accounts/password/change/", {"oldpassword": PASSWORD, **OTHER}),
        "Your password was changed",
        "Your password was changed.",
    ),
    (
        has_no_password,
        lambda client: client.post("/accounts/password/set/", OTHER),
        "Your account has a password now",
        "Your account had no password, and one was chosen.",
    ),
    (
        asked_for_a_reset,
        choose_a_password,
        "Your password was reset",
        "Your password was reset by a link that was mailed to an address of your account.",
    ),
    (
        nothing,
        has_a_passkey,
        "A passkey was added to your account",
        "A passkey was added to your account. From now on it signs you in; your password alone does not.",
    ),
    (
        has_a_passkey,
        remove_a_passkey,
        "A passkey was removed from your account",
        "A passkey was removed from your account and no longer signs in.",
    ),
    (
        has_a_passkey,
        lambda client: client.post(f"{PASSKEYS}recovery-codes/new/"),
        "New recovery codes for your account",
        "New recovery codes were made for your account, and the earlier ones no longer work.",
    ),
]


@pytest.mark.parametrize(("before", "change", "subject", "said"), CHANGES, ids=[one[2] for one in CHANGES])
def test_a_change_is_mailed_in_whole_sentences(
    client: Client, before: Step, change: Step, subject: str, said: str
) -> None:
    before(client)
    mail.deliver_due(at=T0)
    if change is not choose_a_password:
        django_mail.outbox.clear()

    change(client)
    Mail.objects.exclude(kind="account_message").delete()  # the link that confirms an added address
    mail.deliver_due(at=T0)

    sent = {(str(one.subject), str(one.body).strip()) for one in django_mail.outbox}
    assert sent == {(subject, CHANGED.format(change=said))}


def test_a_code_is_mailed_in_whole_sentences(ada: User, client: Client) -> None:
    has_no_password(client)

    client.post("/accounts/reauthenticate/code/", {"send": ""})
    mail.deliver_due(at=T0)

    [sent] = django_mail.outbox
    code = client.session["reauthentication_code"]["code"]
    assert (sent.subject, str(sent.body).strip()) == ("Your code", CODE.format(code=code))

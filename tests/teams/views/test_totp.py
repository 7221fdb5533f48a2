"""One's own authenticator app: added and removed after a proof, its code good once and a proof itself."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import segno
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from teams.models import AuditEntry, User
from teams.services.mail import deliver_due
from tests.helpers.factories import T0, make_user
from tests.helpers.passkeys import SECOND_FACTOR
from tests.helpers.reading import read, words
from tests.helpers.totp import ADD, CONFIRM, REMOVE, SoftApp, add_app, app_shown

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
PASSWORD = "correct-horse-battery"
PAGE = "/account/security/"
CODES = "/account/passkeys/recovery-codes/"


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.com", password=PASSWORD)


@pytest.fixture
def client(ada: User, as_user: AsUser) -> Client:
    return as_user(ada)


def by_password() -> Client:
    client = Client()
    asked = client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert asked.headers["Location"] == SECOND_FACTOR
    return client


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def with_code(code: str) -> Client:
    client = by_password()
    client.post(SECOND_FACTOR, {"code": code})
    return client


def test_an_app_is_added_and_from_then_on_its_code_is_asked_for(
    client: Client, ada: User, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        app, answer = add_app(client)

    assert answer.headers["Location"] == CODES
    page = read(client, PAGE)
    assert "Authenticator app On" in page
    assert "10 codes are left." in page
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.by, entry.details) == ("totp.added", ada, {})
    deliver_due(at=timezone.now())
    assert [one.subject for one in mail.outbox] == ["An authenticator app was added to your account"]
    with time_machine.travel(T0 + timedelta(minutes=5), tick=False):
        client.post("/accounts/logout/")
        client = by_password()
        assert "Enter the code that your authenticator app shows" in read(client, SECOND_FACTOR)
        assert "That was not accepted." in words(client.post(SECOND_FACTOR, {"code": "000000"}))
        assert not is_in(client)

        client.post(SECOND_FACTOR, {"code": app.code()})

        assert is_in(client)


def test_the_key_is_sealed_in_the_database(client: Client) -> None:
    app, _ = add_app(client)

    assert app.key not in str(Authenticator.objects.get(type="totp").data)


@pytest.mark.parametrize(("periods", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_of_the_period_before_or_after_is_taken_too(client: Client, periods: int, taken: bool) -> None:
    app, _ = add_app(client)
    cache.clear()  # the code that it was set up with is good once, too

    assert is_in(with_code(app.code(periods=periods))) is taken


def test_a_code_is_good_once_for_as_long_as_it_would_be_taken(client: Client) -> None:
    app, _ = add_app(client)
    code = app.code(periods=1)
    assert is_in(with_code(code))

    for seconds in (1, 31, 59):
        with time_machine.travel(T0 + timedelta(seconds=seconds), tick=False):
            assert not is_in(with_code(code)), seconds


def test_a_recovery_code_stands_in_for_the_app_once(client: Client) -> None:
    add_app(client)
    code = re.findall(r"\b\d{8}\b", read(client, CODES))[0]

    assert is_in(with_code(code))
    assert not is_in(with_code(code))
    assert "9 codes are left." in read(client, PAGE)


def test_a_wrong_code_adds_nothing(client: Client) -> None:
    client.get(ADD)

    answer = client.post(ADD, {"code": "000000"})

    assert "That was not accepted." in words(answer)
    assert not Authenticator.objects.exists()
    assert not AuditEntry.objects.filter(action__startswith="totp").exists()


def test_without_a_proof_the_key_is_not_shown_and_nothing_is_removed(client: Client, ada: User) -> None:
    stolen = Client()
    stolen.force_login(ada)
    assert stolen.get(ADD).headers["Location"].startswith("/accounts/reauthenticate/?next=")
    add_app(client)

    for answer in (stolen.get(REMOVE), stolen.post(REMOVE)):
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/?next=")
    assert Authenticator.objects.filter(type="totp").exists()


def test_removing_it_takes_the_codes_along_and_the_password_signs_in_alone(client: Client) -> None:
    add_app(client)

    assert client.post(REMOVE).headers["Location"] == PAGE

    assert not Authenticator.objects.exists()
    assert AuditEntry.objects.latest("pk").action == "totp.removed"
    deliver_due(at=timezone.now())
    assert mail.outbox[-1].subject == "The authenticator app was removed from your account"
    alone = Client()
    alone.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert is_in(alone)


def test_there_is_one_at_most_and_none_to_remove_leads_back(client: Client) -> None:
    assert client.get(REMOVE).headers["Location"] == PAGE
    add_app(client)
    assert client.get(ADD).headers["Location"] == PAGE


def test_an_account_with_an_unconfirmed_address_reads_why_none_can_be_added(
    client: Client, ada: User
) -> None:
    EmailAddress.objects.create(user=ada, email="other@example.com", verified=False)

    assert "Confirm or remove your other e-mail addresses" in read(client, ADD)
    assert client.post(ADD, {"code": "1"}).status_code == 200
    assert not Authenticator.objects.exists()


def test_its_code_is_a_recent_proof_and_a_recovery_code_is_none(client: Client, ada: User) -> None:
    app, _ = add_app(client)
    codes = re.findall(r"\b\d{8}\b", read(client, CODES))
    session = Client()
    session.force_login(ada)
    asked = session.get("/accounts/reauthenticate/?next=/account/tokens/").content.decode()
    assert f'href="{CONFIRM}' in asked

    refused = session.post(CONFIRM, {"code": codes[0], "next": REMOVE})
    assert "That was not accepted." in words(refused)
    assert session.get(REMOVE).status_code == 302

    assert session.post(CONFIRM, {"code": app.code(periods=1), "next": REMOVE}).headers["Location"] == REMOVE
    assert session.get(REMOVE).status_code == 200
    assert "10 codes are left." in read(session, PAGE)


def test_under_another_secret_the_page_says_what_to_do_and_no_code_is_taken(
    client: Client, settings: Any
) -> None:
    app, _ = add_app(client)
    row = Authenticator.objects.get(type="totp")
    row.data["secret"] = "not sealed by us"
    row.save()

    assert "Its codes no longer work" in read(client, PAGE)
    assert not is_in(with_code(app.code()))
    assert client.post(REMOVE).headers["Location"] == PAGE
    assert not Authenticator.objects.exists()


def test_another_app_has_another_key(client: Client) -> None:
    first, second = (
        re.findall(r'id="totp-key">([^<]+)<', client.get(ADD).content.decode())[0] for _ in range(2)
    )

    assert SoftApp(first).key != SoftApp(second).key
    assert len(SoftApp(first).key) == 32


def test_the_picture_to_scan_is_of_the_key_that_is_shown_and_black_on_white(client: Client) -> None:
    page = client.get(ADD).content.decode()
    link = html.unescape(re.findall(r'href="(otpauth:[^"]+)"', page)[0])
    assert f"secret={app_shown(page).key}&" in link
    (picture,) = re.findall(r'<svg[^>]* class="totp-picture".*?</svg>', page, re.S)
    drawn = segno.make(link, error="m", micro=False)
    width, _height = drawn.symbol_size(scale=4, border=4)
    assert f'width="{width}"' in picture
    assert picture == drawn.svg_inline(
        scale=4, border=4, dark="#000", light="#fff", svgclass="totp-picture", lineclass=None
    )
    assert 'fill="#fff"' in picture
    assert 'stroke="#000"' in picture
    assert "style=" not in picture


def test_the_code_that_an_app_was_set_up_with_is_not_good_again(client: Client) -> None:
    app, _answer = add_app(client)
    client.post("/accounts/logout/")
    assert not is_in(with_code(app.code()))
    assert is_in(with_code(app.code(periods=1)))

"""Passkeys and recovery codes in two tabs: no code works twice, and codes come and go with passkeys."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.db import connections, transaction
from django.test import Client

from teams.models import User
from teams.services import passkeys as service
from tests.helpers.factories import T0, make_user
from tests.helpers.passkeys import ADD, CONFIRM, SECOND_FACTOR, SIGN_IN, SoftPasskey, options
from tests.helpers.proof import prove
from tests.helpers.races import waiting

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct-horse-battery"
PAGE = "/account/security/"
PASSKEYS = "/account/passkeys/"
CODES = f"{PASSKEYS}recovery-codes/"
Post = Callable[[], Any]


@pytest.fixture(autouse=True)
def _at_a_host_name(settings: Any) -> None:
    settings.BASE_URL = "http://localhost:8000"


@pytest.fixture
def ada() -> User:
    return make_user("ada@example.com", password=PASSWORD)


def tab(user: User) -> Client:
    """One in which a recent proof was given. A page that fails answers 500, as it does to a browser."""
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return prove(client)


def after_password() -> Client:
    client = Client(raise_request_exception=False)
    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    return client


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def while_uncommitted(first: Post, second: Post) -> tuple[Any, Any]:
    """The answers: the second is asked when the first has written everything and not committed."""
    late: list[Any] = []

    def run() -> None:
        try:
            late.append(second())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        early = first()
        thread.start()
        waiting("", 1)
    thread.join(30)
    return early, late[0]


def adding(client: Client) -> Post:
    """What the browser sends after its dialog, for a passkey of its own."""
    credential = json.dumps(SoftPasskey().made(options(client.get(ADD))))
    return lambda: client.post(ADD, {"name": "new", "credential": credential})


def removing(client: Client, row: Authenticator) -> Post:
    return lambda: client.post(f"{PASSKEYS}{row.pk}/remove/")


def rows() -> list[str]:
    return sorted(Authenticator.objects.values_list("type", flat=True))


def passkeys() -> list[Authenticator]:
    return list(Authenticator.objects.filter(type="webauthn").order_by("pk"))


def a_code() -> str:
    codes: list[str] = Authenticator.objects.get(type="recovery_codes").wrap().generate_codes()
    return codes[0]


@pytest.mark.parametrize("url", [CODES, f"{CODES}file/"])
def test_a_code_that_is_used_while_the_codes_are_first_shown_stays_used(
    ada: User, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tab(ada)
    SoftPasskey().add_to(mine)
    code, other = a_code(), after_password()
    mark_as_viewed = RecoveryCodes.mark_as_viewed
    using: list[threading.Thread] = []

    def use() -> None:
        try:
            other.post(SECOND_FACTOR, {"code": code})
        finally:
            connections.close_all()

    def while_it_is_used(codes: RecoveryCodes) -> None:
        """The page has read the row, and writes it when the other has used a code, or waits for the page."""
        using.append(threading.Thread(target=use))
        using[0].start()
        using[0].join(1)
        mark_as_viewed(codes)

    with monkeypatch.context() as patch:
        patch.setattr(RecoveryCodes, "mark_as_viewed", while_it_is_used)
        assert mine.get(url).status_code == 200
    using[0].join(30)
    assert signed_in(other)

    again = after_password()
    again.post(SECOND_FACTOR, {"code": code})
    assert not signed_in(again)


def test_two_first_passkeys_at_once_are_both_added(ada: User) -> None:
    early, late = while_uncommitted(adding(tab(ada)), adding(tab(ada)))

    assert (early.headers["Location"], late.headers["Location"]) == (CODES, PAGE)
    assert rows() == ["recovery_codes", "webauthn", "webauthn"]


def test_a_passkey_that_is_added_while_the_last_is_removed_has_codes(ada: User) -> None:
    mine = tab(ada)
    SoftPasskey().add_to(mine)

    _early, late = while_uncommitted(removing(mine, passkeys()[0]), adding(tab(ada)))

    assert late.headers["Location"] == CODES
    assert rows() == ["recovery_codes", "webauthn"]


def test_a_passkey_that_is_added_while_an_operator_removes_all_has_codes(ada: User) -> None:
    SoftPasskey().add_to(tab(ada))
    operator = make_user("op@example.com")
    operator.is_staff = True

    _early, late = while_uncommitted(
        lambda: service.remove_all(user=ada, by=operator, at=T0), adding(tab(ada))
    )

    assert late.headers["Location"] == CODES
    assert rows() == ["recovery_codes", "webauthn"]


def test_no_codes_are_left_when_the_last_two_passkeys_are_removed_at_once(ada: User) -> None:
    mine = tab(ada)
    SoftPasskey().add_to(mine)
    SoftPasskey().add_to(mine)
    one, two = passkeys()

    while_uncommitted(removing(mine, one), removing(tab(ada), two))

    assert rows() == []


def test_no_codes_are_made_while_the_last_passkey_is_removed(ada: User) -> None:
    mine, other = tab(ada), tab(ada)
    SoftPasskey().add_to(mine)

    _early, late = while_uncommitted(
        removing(mine, passkeys()[0]), lambda: other.post(f"{CODES}new/", follow=True)
    )

    assert late.status_code == 200
    assert rows() == []


def test_a_passkey_that_is_renamed_while_it_is_removed_stays_removed(ada: User) -> None:
    mine, other = tab(ada), tab(ada)
    SoftPasskey().add_to(mine)
    row = passkeys()[0]

    _early, late = while_uncommitted(
        removing(mine, row), lambda: other.post(f"{PASSKEYS}{row.pk}/rename/", {"name": "old phone"})
    )

    assert late.status_code == 404
    assert rows() == []


def test_a_code_that_is_used_while_new_ones_are_made_is_refused_in_words(ada: User) -> None:
    mine = tab(ada)
    SoftPasskey().add_to(mine)
    code, other = a_code(), after_password()

    _early, late = while_uncommitted(
        lambda: mine.post(f"{CODES}new/"), lambda: other.post(SECOND_FACTOR, {"code": code})
    )

    assert late.status_code == 200
    assert "That was not accepted." in late.content.decode()
    assert not signed_in(other)


@pytest.mark.parametrize("url", [SIGN_IN, SECOND_FACTOR, CONFIRM])
def test_a_passkey_that_answers_while_it_is_removed_is_refused_in_words(ada: User, url: str) -> None:
    mine = tab(ada)
    passkey = SoftPasskey()
    passkey.add_to(mine)
    SoftPasskey().add_to(mine)
    if url == SIGN_IN:
        other = Client(raise_request_exception=False)
        asked = other.get(url, headers={"Accept": "application/json"}).json()["request_options"]
    else:
        other = after_password() if url == SECOND_FACTOR else Client(raise_request_exception=False)
        if url == CONFIRM:
            other.force_login(ada)
        asked = options(other.get(url))
    answer = passkey.answer(asked)

    _early, late = while_uncommitted(
        removing(mine, passkeys()[0]), lambda: other.post(url, {"credential": answer}, follow=True)
    )

    assert late.status_code == 200
    assert "That was not accepted." in late.content.decode()
    assert signed_in(other) == (url == CONFIRM)
    assert other.get("/account/tokens/").status_code == (200 if url == CONFIRM else 302)
    assert other.get(ADD).status_code == 302  # no proof


def test_a_second_factor_that_answers_while_the_last_passkey_is_removed_leads_to_signing_in(
    ada: User,
) -> None:
    """No second factor is left to ask for: the password alone signs in, when it is given again."""
    mine = tab(ada)
    SoftPasskey().add_to(mine)
    code, other = a_code(), after_password()

    _early, late = while_uncommitted(
        removing(mine, passkeys()[0]), lambda: other.post(SECOND_FACTOR, {"code": code})
    )

    assert (late.status_code, late.headers.get("Location")) == (302, "/accounts/login/")
    assert not signed_in(other)
    assert signed_in(after_password())

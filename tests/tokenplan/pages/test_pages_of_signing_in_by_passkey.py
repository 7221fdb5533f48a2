"""Signing in by a passkey alone; and once there is one, by no other way without it or a recovery code."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from teams.models import User
from teams.services.mail import deliver_due
from tests.helpers.factories import make_user
from tests.helpers.passkeys import SECOND_FACTOR, SIGN_IN, SoftPasskey, options
from tests.helpers.proof import prove
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
NEW = "another-horse-battery"


@pytest.fixture(autouse=True)
def _at_a_host_name(settings: Any) -> None:
    settings.BASE_URL = "http://localhost:8000"


@pytest.fixture
def ada() -> User:
    user = make_user("ada@example.com", password=PASSWORD)
    user.is_staff = user.is_superuser = True
    user.save()
    return user


def own_client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return prove(client)


@pytest.fixture
def passkey(ada: User) -> SoftPasskey:
    """One that Ada has."""
    passkey = SoftPasskey()
    passkey.add_to(own_client(ada))
    return passkey


@pytest.fixture
def codes(passkey: SoftPasskey, ada: User) -> list[str]:
    return re.findall(r"\b\d{8}\b", read(own_client(ada), "/account/passkeys/recovery-codes/"))


def by_password(client: Client, **form: str) -> Any:
    return client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD, **form})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_a_passkey_signs_in_by_itself_and_leads_on(passkey: SoftPasskey) -> None:
    client = Client()
    assert "Sign in with a passkey" in read(client, "/accounts/login/?next=/account/tokens/")

    answer = passkey.sign_in(client, next="/account/tokens/")

    assert answer.headers["Location"] == "/account/tokens/"
    assert is_in(client)


def test_signing_in_by_it_is_no_recent_proof(passkey: SoftPasskey) -> None:
    client = Client()
    passkey.sign_in(client)

    asked = client.post("/account/tokens/", {"name": "ci", "scope": "read", "expires_in_days": "7"})

    assert asked.headers["Location"].startswith("/accounts/reauthenticate/")


@pytest.mark.parametrize("change", ["removed", "closed", "forged", "another's", "unseen owner", "elsewhere"])
def test_one_that_is_removed_or_forged_does_not(passkey: SoftPasskey, ada: User, change: str) -> None:
    client, how = Client(), {}
    if change == "removed":
        Authenticator.objects.filter(type="webauthn").delete()
    elif change == "closed":
        User.objects.filter(pk=ada.pk).update(is_active=False, deactivated_at=timezone.now())
    elif change == "forged":
        how = {"signature": b"x" * 70}
    elif change == "another's":
        eves = SoftPasskey()
        eves.add_to(own_client(make_user("eve@example.com", password=PASSWORD)))
        how, passkey = {"userHandle": passkey.user_handle.encode()}, eves
    elif change == "unseen owner":
        passkey.flags = passkey.flags & ~4
    else:
        passkey.origin = "https://evil.example"

    asked = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()["request_options"]
    client.post(SIGN_IN, {"credential": passkey.answer(asked, **how)}, follow=True)

    assert not is_in(client)


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "null",
        "[]",
        "7",
        '"x"',
        "{}",
        "{",
        '{"response": 7}',
        '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "/"}}',
    ],
)
def test_malformed_input_is_refused_in_words(passkey: SoftPasskey, credential: str) -> None:
    client = Client()
    client.get(SIGN_IN, headers={"Accept": "application/json"})

    answer = client.post(f"{SIGN_IN}?next=/plans/", {"credential": credential})

    assert answer.headers["Location"] == "/accounts/login/?next=%2Fplans%2F"
    by_password(client)
    second = client.post(SECOND_FACTOR, {"credential": credential})
    assert second.status_code == 200
    assert not is_in(client)


@pytest.mark.parametrize("extensions", [7, "x", [1]], ids=str)
def test_an_answer_with_a_malformed_part_is_refused_in_words(passkey: SoftPasskey, extensions: Any) -> None:
    client = Client()
    asked = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()["request_options"]
    answer = {**json.loads(passkey.answer(asked)), "clientExtensionResults": extensions}

    client.post(SIGN_IN, {"credential": json.dumps(answer)})

    assert "That was not accepted." in read(client, "/accounts/login/")
    assert not is_in(client)


def test_the_password_alone_does_not_sign_in_and_a_passkey_completes_it(passkey: SoftPasskey) -> None:
    client = Client()

    asked = by_password(client, next="/account/tokens/")

    assert asked.headers["Location"] == SECOND_FACTOR
    assert not is_in(client)
    assert client.get("/account/").status_code == 302
    assert client.get("/api/v1/me").status_code == 401
    assert "the password alone does not sign you in" in read(client, SECOND_FACTOR)
    assert passkey.confirm(client, SECOND_FACTOR).headers["Location"] == "/account/tokens/"
    assert is_in(client)


def test_a_recovery_code_completes_it_once(codes: list[str]) -> None:
    for completes in (True, False):
        client = Client()
        by_password(client)
        client.post(SECOND_FACTOR, {"code": codes[0]})
        assert is_in(client) is completes


def test_wrong_codes_have_a_limit(codes: list[str]) -> None:
    client = Client()
    by_password(client)
    for _ in range(5):
        assert "That was not accepted." in words(client.post(SECOND_FACTOR, {"code": "00000000"}))

    assert "Too many failed login attempts" in words(client.post(SECOND_FACTOR, {"code": codes[0]}))
    assert not is_in(client)


def test_the_second_step_is_for_whoever_gave_the_password(passkey: SoftPasskey) -> None:
    assert Client().get(SECOND_FACTOR).headers["Location"] == "/accounts/login/"
    assert Client().post(SECOND_FACTOR, {"code": "1"}).headers["Location"] == "/accounts/login/"


def test_a_new_password_does_not_sign_in_without_it(passkey: SoftPasskey) -> None:
    client = Client()
    client.post("/accounts/password/reset/", {"email": "ada@example.com"})
    deliver_due(at=timezone.now())
    body = str(mail.outbox[-1].body)
    page = client.get(re.findall(r"https?://\S+", body)[0], follow=True)

    reset = client.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})

    assert reset.headers["Location"] == SECOND_FACTOR
    assert not is_in(client)
    passkey.confirm(client, SECOND_FACTOR)
    assert is_in(client)


def test_the_operators_door_asks_for_it_too(passkey: SoftPasskey) -> None:
    client = Client()
    door = client.get("/admin/", follow=True).redirect_chain[-1][0]
    assert door == "/accounts/login/?next=/admin/"

    asked = by_password(client, next="/admin/")

    assert asked.headers["Location"] == SECOND_FACTOR
    assert client.get("/admin/").status_code == 302
    assert passkey.confirm(client, SECOND_FACTOR).headers["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_where_browsers_have_none_a_recovery_code_is_asked_for(codes: list[str], settings: Any) -> None:
    settings.BASE_URL = "http://127.0.0.1:8000"
    client = Client()
    by_password(client)

    assert "Use a passkey" not in read(client, SECOND_FACTOR)
    client.post(SECOND_FACTOR, {"code": codes[0]})

    assert is_in(client)


def test_whoever_cancels_is_back_at_the_beginning(passkey: SoftPasskey) -> None:
    client = Client()
    by_password(client)

    client.post("/accounts/logout/", {"next": "/accounts/login/"})

    assert client.get(SECOND_FACTOR).headers["Location"] == "/accounts/login/"


def test_what_is_asked_for_says_nothing_of_who_has_an_account(passkey: SoftPasskey) -> None:
    client = Client()

    asked = client.get(SIGN_IN, headers={"Accept": "application/json"}).json()["request_options"]["publicKey"]

    assert (asked["rpId"], asked["userVerification"]) == ("localhost", "required")
    assert not asked.get("allowCredentials")
    assert client.get(SIGN_IN).headers["Location"] == "/accounts/login/"


def test_every_page_that_asks_for_one_has_a_fresh_challenge(passkey: SoftPasskey) -> None:
    client = Client()
    by_password(client)

    first, second = (options(client.get(SECOND_FACTOR))["publicKey"]["challenge"] for _ in range(2))

    assert first != second
    assert "no-store" in client.get(SECOND_FACTOR).headers["Cache-Control"]

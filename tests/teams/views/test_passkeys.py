"""One's own passkeys and recovery codes: added, renamed and removed after a proof, by their owner alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core import mail
from django.test import Client
from django.utils import timezone

from teams.models import AuditEntry, PersonalAccessToken, User
from teams.services.mail import deliver_due
from tests.helpers.factories import make_member, make_team, make_user
from tests.helpers.passkeys import ADD, CONFIRM, SoftPasskey, options
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
AsUser = Callable[[User], Client]
PASSWORD = "correct-horse-battery"
PAGE = "/account/security/"
PASSKEYS = "/account/passkeys/"
CODES = f"{PASSKEYS}recovery-codes/"


@pytest.fixture(autouse=True)
def _at_a_host_name(settings: Any) -> None:
    settings.BASE_URL = "http://localhost:8000"


@pytest.fixture
def ada() -> User:
    user = make_user("ada@example.com", password=PASSWORD)
    make_member(make_team("Acme"), user)
    return user


@pytest.fixture
def client(ada: User, as_user: AsUser) -> Client:
    return as_user(ada)


def stolen_session(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def codes_shown(client: Client) -> list[str]:
    return re.findall(r"\b\d{8}\b", read(client, CODES))


def said_by_mail() -> list[str]:
    deliver_due(at=timezone.now())
    return [str(one.subject) for one in mail.outbox]


def test_a_passkey_is_added_and_recovery_codes_come_with_it(client: Client, ada: User) -> None:
    answer = SoftPasskey().add_to(client, name="my phone")

    assert answer.headers["Location"] == CODES
    assert len(set(codes_shown(client))) == 10
    page = read(client, PAGE)
    assert "my phone" in page
    assert "10 codes are left." in page
    assert said_by_mail() == ["A passkey was added to your account"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.by, entry.details) == ("passkey.added", ada, {"name": "my phone"})


def test_the_second_passkey_brings_no_other_codes(client: Client) -> None:
    SoftPasskey().add_to(client)
    before = codes_shown(client)

    assert SoftPasskey().add_to(client).headers["Location"] == PAGE

    assert codes_shown(client) == before


def test_a_passkey_is_asked_to_sign_in_by_itself_and_to_know_its_owner(client: Client) -> None:
    asked = options(client.get(ADD))["publicKey"]

    wanted = asked["authenticatorSelection"]
    assert (wanted["residentKey"], wanted["userVerification"]) == ("required", "required")
    assert asked["rp"]["id"] == "localhost"


@pytest.mark.parametrize(
    "passkey",
    [{"verifies": False}, {"origin": "https://evil.example"}, {"origin": "http://localhost.evil.example"}],
    ids=str,
)
def test_one_of_another_host_or_without_its_owner_is_not_added(client: Client, passkey: Any) -> None:
    answer = SoftPasskey(**passkey).add_to(client)

    assert answer.status_code == 200
    assert "That was not accepted." in words(answer)
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "credential",
    [
        "",
        "null",
        "[]",
        "1",
        '"x"',
        "{}",
        '{"response": 1}',
        '{"response": {"clientDataJSON": "AA"}}',
        "{",
        "\x00",
    ],
)
def test_malformed_input_is_refused_in_words(client: Client, credential: str) -> None:
    client.get(ADD)

    answer = client.post(ADD, {"name": "x", "credential": credential})

    assert answer.status_code == 200
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "part", [{"clientExtensionResults": 7}, {"clientExtensionResults": "x"}, {"response": {"x": 1}}], ids=str
)
def test_a_credential_with_a_malformed_part_is_refused_in_words(client: Client, part: Any) -> None:
    answer = SoftPasskey().add_to(client, **part)

    assert "That was not accepted." in words(answer)
    assert not Authenticator.objects.exists()


def test_a_challenge_is_good_once_and_in_its_session_alone(client: Client, ada: User) -> None:
    passkey = SoftPasskey()
    made = json.dumps(passkey.made(options(client.get(ADD))))
    other = stolen_session(ada)
    assert client.post(ADD, {"name": "one", "credential": made}).status_code == 302

    client.post(ADD, {"name": "again", "credential": made})
    other.post(ADD, {"name": "elsewhere", "credential": made})

    assert Authenticator.objects.filter(type="webauthn").count() == 1


def test_nothing_else_that_a_browser_sent_is_kept(client: Client) -> None:
    SoftPasskey().add_to(client, evil="\x00", clientExtensionResults={"large": ["x"] * 100})

    stored = Authenticator.objects.get(type="webauthn").data["credential"]

    assert set(stored) == {"id", "rawId", "type", "response", "clientExtensionResults"}
    assert stored["clientExtensionResults"] == {"credProps": {"rk": True}}


def test_a_copy_of_the_database_has_no_code(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    SoftPasskey().add_to(client)
    shown = set(codes_shown(client))
    codes = Authenticator.objects.get(type="recovery_codes").wrap()
    assert set(codes.generate_codes()) == shown

    monkeypatch.setattr("allauth.mfa.recovery_codes.internal.auth.decrypt", lambda text: text)

    assert not set(codes.generate_codes()) & shown
    assert not {code for code in shown if code in str(codes.instance.data)}


def test_under_another_secret_key_no_code_is_shown_and_new_ones_are_made(
    client: Client, settings: Any
) -> None:
    SoftPasskey().add_to(client)
    lost = codes_shown(client)
    row = Authenticator.objects.get(type="recovery_codes")
    row.data["seed"] = "gAAAAABn" + row.data["seed"][8:]  # as if another key had sealed it
    row.save()

    assert "0 codes are left." in read(client, PAGE)
    assert client.get(CODES).headers["Location"] == f"{CODES}new/"
    assert not row.wrap().validate_code(lost[0])
    client.post(f"{CODES}new/")

    assert len(codes_shown(client)) == 10
    assert not set(codes_shown(client)) & set(lost)


@pytest.mark.django_db(transaction=True)
def test_new_codes_end_the_earlier_ones_and_are_mailed_about_and_audited(client: Client, ada: User) -> None:
    SoftPasskey().add_to(client)
    before = codes_shown(client)
    said = len(said_by_mail())

    answer = client.post(f"{CODES}new/")

    assert answer.headers["Location"] == CODES
    assert not set(codes_shown(client)) & set(before)
    assert [subject.strip() for subject in said_by_mail()[said:]] == ["New recovery codes for your account"]
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.by, entry.subject) == ("passkey.codes_made", ada, ada.email)


def test_codes_are_downloaded_and_no_cache_keeps_them(client: Client) -> None:
    SoftPasskey().add_to(client)
    shown = codes_shown(client)

    file = client.get(f"{CODES}file/")

    assert file.content.decode().split() == shown
    assert "attachment" in file.headers["Content-Disposition"]
    for answer in (file, client.get(CODES), client.get(ADD)):
        assert "no-store" in answer.headers["Cache-Control"]


def test_renaming(client: Client) -> None:
    SoftPasskey().add_to(client)
    row = Authenticator.objects.get(type="webauthn")

    assert client.post(f"{PASSKEYS}{row.pk}/rename/", {"name": "old phone"}).headers["Location"] == PAGE
    assert client.post(f"{PASSKEYS}{row.pk}/rename/", {"name": "x" * 101}).status_code == 200

    assert "old phone" in read(client, PAGE)


def test_the_last_passkey_takes_the_codes_with_it(client: Client, ada: User) -> None:
    SoftPasskey().add_to(client, name="my phone")
    row = Authenticator.objects.get(type="webauthn")
    assert "my phone will no longer sign you in" in read(client, f"{PASSKEYS}{row.pk}/remove/")

    client.post(f"{PASSKEYS}{row.pk}/remove/")

    assert not Authenticator.objects.exists()
    assert "A passkey was removed from your account" in said_by_mail()
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.by, entry.details) == ("passkey.removed", ada, {"name": "my phone"})
    assert client.get(CODES).headers["Location"] == PAGE
    assert client.get(f"{CODES}file/").headers["Location"] == PAGE
    assert client.post(f"{CODES}new/").headers["Location"] == PAGE


def test_a_passkey_of_somebody_else_does_not_exist(client: Client, as_user: AsUser) -> None:
    SoftPasskey().add_to(client)
    row = Authenticator.objects.get(type="webauthn")
    eve = make_user("eve@example.com", password=PASSWORD)

    for visitor in (as_user(eve), stolen_session(eve)):  # nor is a proof asked for
        for verb in ("rename", "remove"):
            assert visitor.get(f"{PASSKEYS}{row.pk}/{verb}/").status_code == 404
            assert visitor.post(f"{PASSKEYS}{row.pk}/{verb}/", {"name": "mine"}).status_code == 404

    row.refresh_from_db()
    assert row.data["name"] == "phone"


def test_a_stolen_session_adds_none_though_its_person_has_no_password(ada: User) -> None:
    """The sign-in library would let it."""
    ada.set_unusable_password()
    ada.save()
    thief = stolen_session(ada)

    asked = thief.get(ADD)
    thief.post(ADD, {"name": "mine", "credential": "{}"})

    assert asked.headers["Location"].startswith("/accounts/reauthenticate/code/")
    assert not Authenticator.objects.exists()


def test_a_passkey_is_a_recent_proof_on_pages_and_in_the_api(client: Client, ada: User) -> None:
    passkey = SoftPasskey()
    passkey.add_to(client)
    session = stolen_session(ada)
    reveal = "/api/v1/teams/acme/key/reveal"
    refused = session.post(reveal, {}, content_type="application/json")
    assert refused.json()["code"] == "reauthentication_required"
    asked = session.get("/account/keys/acme/")
    assert "Use a passkey" in read(session, asked.headers["Location"])

    shown = passkey.confirm(session, next="/account/keys/acme/")

    assert shown.headers["Location"] == "/account/keys/acme/"
    assert session.get("/account/keys/acme/").status_code == 200
    assert session.post(reveal, {}, content_type="application/json").status_code == 200


def test_what_was_posted_is_done_once_the_passkey_has_answered(client: Client, ada: User) -> None:
    passkey = SoftPasskey()
    passkey.add_to(client)
    session = stolen_session(ada)
    session.post("/account/tokens/", {"name": "ci", "scope": "read", "expires_in_days": "7"})
    assert not PersonalAccessToken.objects.exists()

    passkey.confirm(session, next="/account/tokens/")

    assert PersonalAccessToken.objects.get().user == ada


def test_whoever_has_no_password_is_asked_for_the_passkey(client: Client, ada: User) -> None:
    passkey = SoftPasskey()
    passkey.add_to(client)
    ada.set_unusable_password()
    ada.save()
    session = stolen_session(ada)

    assert session.get("/account/keys/acme/").headers["Location"].startswith(CONFIRM)
    passkey.confirm(session)

    assert session.get("/account/keys/acme/").status_code == 200


def test_somebody_elses_passkey_and_a_recovery_code_are_no_proof(
    client: Client, ada: User, as_user: AsUser
) -> None:
    SoftPasskey().add_to(client)
    code = codes_shown(client)[0]
    eves = SoftPasskey()
    eves.add_to(as_user(make_user("eve@example.com", password=PASSWORD)))
    session = stolen_session(ada)

    refused = eves.confirm(session, next="/account/keys/acme/")
    session.post(CONFIRM, {"code": code})

    assert refused.headers["Location"] == f"{CONFIRM}?next=%2Faccount%2Fkeys%2Facme%2F"
    assert "That was not accepted." in read(session, refused.headers["Location"])
    assert session.get("/account/keys/acme/").status_code == 302


def test_an_unconfirmed_address_is_confirmed_or_removed_first(client: Client, ada: User) -> None:
    client.post("/accounts/email/", {"email": "ada@work.example", "action_add": ""})

    for visitor in (client, stolen_session(ada)):  # nor is a proof asked for
        page = visitor.get(ADD)
        assert page.status_code == 200
        assert "Confirm or remove your other e-mail addresses" in words(page)
        assert 'href="/accounts/email/"' in page.content.decode()
        assert "data-passkey" not in page.content.decode()
    assert client.post(ADD, {"name": "x", "credential": "{}"}).status_code == 200
    assert not Authenticator.objects.exists()


def test_an_account_with_a_passkey_takes_no_unconfirmed_address(client: Client) -> None:
    SoftPasskey().add_to(client)

    answer = client.post("/accounts/email/", {"email": "victim@example.com", "action_add": ""})

    assert "An account with a passkey or an authenticator app takes no further address." in words(answer)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "https://[::1]", "https://192.0.2.7", "http://console.example.com"]
)
def test_where_browsers_have_none_it_is_said_and_none_is_offered(
    client: Client, ada: User, settings: Any, url: str
) -> None:
    settings.BASE_URL = url

    assert "Browsers have no passkeys here" in read(client, PAGE)
    assert ADD not in client.get(PAGE).content.decode()
    for visitor in (client, stolen_session(ada)):  # nor is a proof asked for
        page = visitor.get(ADD)
        assert page.status_code == 200
        assert "Browsers have no passkeys here" in words(page)
        assert "data-passkey" not in page.content.decode()
    assert "passkey" not in Client().get("/accounts/login/").content.decode()


def test_the_menu_leads_there(client: Client) -> None:
    assert f'href="{PAGE}"' in client.get("/account/profile/").content.decode()

"""Recent proof on pages: what a stolen session cannot do, and how whoever has no password gives one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone

from teams.models import Mail, Membership, PersonalAccessToken, SubscriptionKey, User
from teams.services.mail import deliver_due
from tests.helpers.factories import T0, key_of, make_member, make_team, make_user
from tests.helpers.proof import prove
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery"
CODE_PAGE = "/accounts/reauthenticate/code/"
TOKEN = {"name": "ci", "scope": "read", "expires_in_days": "7"}


@pytest.fixture
def ada() -> User:
    user = make_user("ada@example.com", password=PASSWORD)
    make_member(make_team("Acme"), user)
    return user


def stolen_session(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def without_password(user: User) -> User:
    user.set_unusable_password()
    user.save()
    return user


def code_in_last_mail() -> str:
    deliver_due(at=timezone.now())
    found = re.search(r"^([A-Z0-9-]{6,})$", str(mail.outbox[-1].body), re.M)
    assert found, mail.outbox[-1].body
    return found.group(1)


def test_a_stolen_session_does_not_become_the_account(ada: User) -> None:
    thief = stolen_session(ada)
    key = SubscriptionKey.objects.get(team__slug="acme", membership__user=ada)

    thief.post("/accounts/email/", {"email": "thief@example.com", "action_add": ""})
    thief.post("/accounts/password/reset/", {"email": "thief@example.com"})
    thief.get("/account/keys/acme/")
    thief.post("/account/keys/acme/rotate/", {"overlap": "0"})
    thief.post("/account/tokens/", TOKEN)
    made = thief.post("/api/v1/me/tokens", TOKEN, content_type="application/json")

    assert made.status_code == 403
    assert list(EmailAddress.objects.filter(user=ada).values_list("email", flat=True)) == ["ada@example.com"]
    assert SubscriptionKey.objects.get(team__slug="acme", membership__user=ada) == key
    assert not PersonalAccessToken.objects.exists()
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_what_was_posted_is_done_once_the_password_is_confirmed(ada: User) -> None:
    client = stolen_session(ada)
    asked = client.post("/accounts/email/", {"email": "ada@work.example", "action_add": ""})

    client.post(asked.headers["Location"], {"password": PASSWORD})

    assert EmailAddress.objects.filter(user=ada, email="ada@work.example", verified=False).exists()


def test_a_proof_is_good_for_five_minutes(ada: User) -> None:
    client = prove(stolen_session(ada))
    with time_machine.travel(T0 + timedelta(seconds=299), tick=False):
        assert client.get("/account/keys/acme/").status_code == 200
    with time_machine.travel(T0 + timedelta(seconds=300), tick=False):
        assert client.get("/account/keys/acme/").status_code == 302


def test_the_proof_of_somebody_else_in_the_same_browser_counts_for_nothing(ada: User) -> None:
    client = prove(stolen_session(make_user("eve@example.com", password=PASSWORD)))
    session = client.session
    session["_auth_user_id"] = str(ada.pk)
    session["_auth_user_hash"] = ada.get_session_auth_hash()
    session.save()

    assert client.get("/account/keys/acme/").status_code == 302


def test_whoever_has_no_password_proves_it_by_a_code_by_mail(ada: User) -> None:
    client = stolen_session(without_password(ada))
    asked = client.get("/account/keys/acme/")
    assert asked.headers["Location"] == f"{CODE_PAGE}?next=%2Faccount%2Fkeys%2Facme%2F"
    assert "a code is mailed to you" in read(client, asked.headers["Location"])
    assert not Mail.objects.exists()

    sent = client.post(CODE_PAGE, {"send": "1", "next": "/account/keys/acme/"}, follow=True)
    assert "mailed to ada@example.com" in words(sent)
    shown = client.post(CODE_PAGE, {"code": code_in_last_mail(), "next": "/account/keys/acme/"}, follow=True)
    assert mail.outbox[-1].to == ["ada@example.com"]

    assert key_of(ada.memberships.get(team__slug="acme")) in words(shown)
    with time_machine.travel(T0 + timedelta(seconds=300), tick=False):
        assert client.get("/account/keys/acme/").headers["Location"].startswith(CODE_PAGE)


def test_a_code_that_is_wrong_three_times_or_too_old_is_no_good(ada: User) -> None:
    client = stolen_session(without_password(ada))
    client.post(CODE_PAGE, {"send": "1"})
    code = code_in_last_mail()
    for _ in range(3):
        answer = client.post(CODE_PAGE, {"code": "WRONG1"})
    assert "The code was wrong too often." in words(answer)
    client.post(CODE_PAGE, {"code": code})
    assert client.get("/account/keys/acme/").status_code == 302

    client.post(CODE_PAGE, {"send": "1"})
    with time_machine.travel(T0 + timedelta(seconds=181), tick=False):
        client.post(CODE_PAGE, {"code": code_in_last_mail()})
        assert client.get("/account/keys/acme/").status_code == 302


def test_a_code_is_good_once(ada: User) -> None:
    client = stolen_session(without_password(ada))
    client.post(CODE_PAGE, {"send": "1"})
    code = code_in_last_mail()
    client.post(CODE_PAGE, {"code": code})
    with time_machine.travel(T0 + timedelta(seconds=170), tick=False):
        client.post(CODE_PAGE, {"code": code})
    with time_machine.travel(T0 + timedelta(seconds=301), tick=False):
        assert client.get("/account/keys/acme/").status_code == 302


def test_a_code_is_mailed_to_a_confirmed_address_alone(ada: User) -> None:
    EmailAddress.objects.filter(user=ada).update(verified=False)
    client = stolen_session(without_password(ada))

    refused = [client.get("/account/keys/acme/"), client.post(CODE_PAGE, {"send": "1"})]

    assert [answer.status_code for answer in refused] == [403, 403]
    assert not Mail.objects.exists()
    for answer in refused:
        assert (
            "You have no password and no confirmed e-mail address, so you cannot confirm that it is you. "
            "Choose a password first, by a link that we mail to your address. Have a link mailed to you"
        ) in words(answer)
        assert 'href="/accounts/password/reset/">Have a link mailed to you</a>' in answer.content.decode()


def test_the_way_that_whoever_can_prove_nothing_is_shown_leads_to_a_password(ada: User) -> None:
    EmailAddress.objects.filter(user=ada).update(verified=False)
    client = stolen_session(without_password(ada))

    client.post("/accounts/password/reset/", {"email": "ada@example.com"})

    assert Mail.objects.get().kind == "reset_password"
    deliver_due(at=timezone.now())
    assert mail.outbox[-1].to == ["ada@example.com"]


def test_whoever_has_a_password_is_asked_for_it_and_not_for_a_code(ada: User) -> None:
    client = stolen_session(ada)

    answer = client.post(CODE_PAGE, {"send": "1"})

    assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not answer.headers["Location"].startswith(CODE_PAGE)
    assert not Mail.objects.exists()


def test_a_first_password_is_set_after_a_proof_and_never_waits_in_the_session(ada: User) -> None:
    client = stolen_session(without_password(ada))
    new = {"password1": "thiefs-horse-battery", "password2": "thiefs-horse-battery"}

    asked = client.post("/accounts/password/set/", new)

    assert asked.headers["Location"] == f"{CODE_PAGE}?next=%2Faccounts%2Fpassword%2Fset%2F"
    assert "thiefs-horse-battery" not in str(dict(client.session.items()))
    ada.refresh_from_db()
    assert not ada.has_usable_password()


def test_a_visitor_is_asked_to_sign_in_and_not_for_a_proof() -> None:
    for url in ("/accounts/email/", "/accounts/password/set/", CODE_PAGE, "/account/keys/acme/rotate/"):
        answer = Client().post(url, {"email": "thief@example.com", "action_add": ""})
        assert answer.headers["Location"].startswith("/accounts/login/"), url


def newcomer(*, confirms_after: timedelta) -> Client:
    """Signs up at T0, and confirms the address in the same browser."""
    client = Client()
    with time_machine.travel(T0, tick=False):
        client.post("/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD})
        deliver_due(at=timezone.now())
    found = re.search(r"https?://\S+", str(mail.outbox[-1].body))
    assert found
    with time_machine.travel(T0 + confirms_after, tick=False):
        client.post(found.group())
    return client


def page_of_the_key(client: Client, *, after: timedelta) -> str:
    slug = Membership.objects.get(user__email="new@example.com").team.slug
    with time_machine.travel(T0 + after, tick=False):
        return words(client.get(f"/account/keys/{slug}/", follow=True))


def test_the_password_of_a_sign_up_is_a_proof_for_five_minutes_from_when_it_was_typed() -> None:
    client = newcomer(confirms_after=timedelta(minutes=1))

    assert "sk-cp-" in page_of_the_key(client, after=timedelta(minutes=4, seconds=59))
    assert "Confirm your password" in page_of_the_key(client, after=timedelta(minutes=5))


def test_so_it_is_none_for_who_confirms_the_address_later_or_in_another_browser() -> None:
    client = newcomer(confirms_after=timedelta(minutes=6))
    assert "Confirm your password" in page_of_the_key(client, after=timedelta(minutes=6))

    another = stolen_session(User.objects.get(email="new@example.com"))
    assert "Confirm your password" in page_of_the_key(another, after=timedelta(minutes=1))


GUESSES_AT_THE_PROOF = 10
GUESSES_AT_THE_PASSWORD = 5
NEW = {"password1": "thiefs-horse-battery", "password2": "thiefs-horse-battery"}


def key_is_shown(client: Client) -> bool:
    return bool(client.get("/account/keys/acme/").status_code == 200)


def test_guesses_at_the_proof_are_ten_a_minute_for_an_account_wherever_they_are_made(ada: User) -> None:
    with time_machine.travel(T0, tick=False):
        thief, another = stolen_session(ada), stolen_session(ada)
        guesses = [
            thief.post("/accounts/reauthenticate/", {"password": f"guess {number}"}).status_code
            for number in range(GUESSES_AT_THE_PROOF)
        ]
        right = [one.post("/accounts/reauthenticate/", {"password": PASSWORD}) for one in (thief, another)]
        assert (guesses, [answer.status_code for answer in right]) == ([200] * 10, [429, 429])
        assert not key_is_shown(thief)
        assert not key_is_shown(another)

    with time_machine.travel(T0 + timedelta(seconds=59), tick=False):
        assert thief.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 429
    with time_machine.travel(T0 + timedelta(seconds=61), tick=False):  # five in five minutes, as at sign-in
        answer = another.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert "Too many failed login attempts" in words(answer)
        assert not key_is_shown(another)
    with time_machine.travel(T0 + timedelta(seconds=301), tick=False):
        assert another.post("/accounts/reauthenticate/", {"password": PASSWORD}).status_code == 302
        assert key_is_shown(another)


def test_guesses_at_the_present_password_are_five_a_minute_and_change_nothing(ada: User) -> None:
    with time_machine.travel(T0, tick=False):
        thief = stolen_session(ada)
        guesses = [
            thief.post("/accounts/password/change/", {**NEW, "oldpassword": f"guess {number}"}).status_code
            for number in range(GUESSES_AT_THE_PASSWORD)
        ]
        right = thief.post("/accounts/password/change/", {**NEW, "oldpassword": PASSWORD})
        assert (guesses, right.status_code) == ([200] * 5, 429)
        ada.refresh_from_db()
        assert ada.check_password(PASSWORD)

    with time_machine.travel(T0 + timedelta(seconds=61), tick=False):
        assert thief.post("/accounts/password/change/", {**NEW, "oldpassword": PASSWORD}).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(NEW["password1"])

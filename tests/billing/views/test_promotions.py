"""The promotions that are for everyone: only what was listed, and what can be used now."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.test import Client

from billing.models import Invitee, InviteLink, Promotion
from billing.services.invites import block_link
from billing.services.promotions import PromotionTerms, set_terms
from billing.views.promotions import REMEMBERED
from teams.models import AuditEntry, User
from tests.helpers.catalog import load_shipped
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.invites import make_campaign, make_friend, make_inviter, make_person
from tests.helpers.reading import read, words
from tests.helpers.stripe_account import StripeAccount
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery"
TITLE = {"en": {"title": "Ten percent off", "description": "For new Teams."}}


def promotion(code: str = "TEN", **other: Any) -> Promotion:
    values: dict[str, Any] = {
        "stripe_id": f"promo_{code}",
        "active": True,
        "percent_hundredths": None if "amount_nanousd" in other else 1_000,
        "duration": "once",
        "scope": "seats",
        "listed": True,
        "words": TITLE,
    }
    return Promotion.objects.create(code=code, **{**values, **other})


def test_a_promotion_says_what_is_saved_for_what_by_whom_when_and_by_which_code(client: Client) -> None:
    promotion(first_purchase=True, starts_at=T0 - timedelta(days=1), expires_at=T0 + timedelta(days=7))

    page = read(client, "/promotions/")

    assert (
        "Ten percent off For new Teams. You save 10% of the first payment For A Team's first seats"
        " Who Teams that have paid for nothing yet, once When 2 Jun 2026, 10:02 to 10 Jun 2026, 10:02 UTC"
        " Code TEN Copy Choose a plan" in page
    )


def test_one_for_credits_and_for_every_payment_says_so(client: Client) -> None:
    promotion(
        "FIVE", amount_nanousd=5 * USD, duration="forever", scope="credits", once_a_team=False, words=TITLE
    )
    page = read(client, "/promotions/")

    assert "You save $5.00 of each purchase For Credits Who Every Team When No end is set Code FIVE" in page
    promotion("ONCE", amount_nanousd=3 * USD, duration="forever", scope="balance", words=TITLE)
    assert "You save $3.00 of one purchase For API balance Who Every Team, once" in read(
        client, "/promotions/"
    )


BOUGHT = {
    "seats": ("Choose a plan", "subscribe/?plan=max&interval=month"),
    "credits": ("Buy Credits", "credits/buy/?"),
    "balance": ("Top up the API balance", "balance/top-up/?"),
}


@pytest.mark.parametrize("scope", BOUGHT)
def test_a_code_leads_to_where_what_it_is_for_is_bought_and_is_filled_in_there(
    as_user: Callable[[User], Client], client: Client, scope: str
) -> None:
    load_shipped()
    promotion("TEN&1", scope=scope)
    ada = make_user()
    mine = as_user(ada)

    page = mine.get("/promotions/").content.decode()
    label, bought = BOUGHT[scope]
    (href,) = re.findall(rf'<a class="btn btn-sm btn-primary" href="([^"]+)">{label}<', page)
    if scope == "seats":
        chosen = mine.get(unescape(href)).content.decode()
        (href,) = re.findall(r'href="(/plans/choose/\?plan=max[^"]+)"', chosen)
    answer = mine.get(unescape(href), follow=True)

    ((to, _status),) = answer.redirect_chain
    assert bought in to
    assert to.endswith("promotion_code=TEN%261")
    assert 'name="promotion_code"' in answer.content.decode()
    assert 'value="TEN&amp;1"' in answer.content.decode()
    make_team("Acme", owner=ada)
    asked = mine.get(unescape(href)).content.decode()
    assert "for which Team?" in asked
    assert "/teams/acme/" in asked


def test_whoever_has_no_account_makes_one_and_is_led_on_with_the_code(client: Client) -> None:
    promotion(scope="credits")

    page = client.get("/promotions/").content.decode()

    led_on = "%2Fplans%2Fchoose%2F%3Fbuy%3Dcredits%26promotion_code%3DTEN"
    assert f'href="/accounts/signup/?next={led_on}"' in page


@pytest.mark.parametrize(
    ("months", "said"), [(3, "first 3 months"), (1, "first month"), (None, "some months")]
)
def test_one_for_some_months_is_for_paying_by_the_month(
    client: Client, months: int | None, said: str
) -> None:
    promotion(duration="repeating", months=months, expires_at=T0 + timedelta(days=1))

    page = read(client, "/promotions/")

    said = said if months is None else f"the {said}"
    assert f"10% of the payments of {said} For A Team's first seats, paid by the month" in page
    assert "until 4 Jun 2026, 10:02 UTC" in page


@pytest.mark.parametrize(
    "hidden",
    [
        {"listed": False},
        {"active": False},
        {"starts_at": T0 + timedelta(seconds=1)},
        {"expires_at": T0},
        {"expires_at": T0, "active": False},
        {"max_redemptions": 3, "times_redeemed": 3},
    ],
)
def test_what_is_not_listed_or_cannot_be_used_now_is_not_there(
    client: Client, hidden: dict[str, Any]
) -> None:
    promotion(**hidden)

    page = read(client, "/promotions/")

    assert "TEN" not in page
    assert "There is no promotion at present." in page


def test_what_ends_first_stands_first(client: Client) -> None:
    promotion("ALWAYS")
    promotion("LATER", expires_at=T0 + timedelta(days=2))
    promotion("SOON", expires_at=T0 + timedelta(days=1))

    page = read(client, "/promotions/")

    assert page.index("SOON") < page.index("LATER") < page.index("ALWAYS")


def test_promotions_are_only_read(client: Client) -> None:
    assert client.post("/promotions/").status_code == 405


def test_an_operator_lists_one_and_the_audit_log_has_it() -> None:
    row = promotion(listed=False, words={})

    set_terms(promotion=row, terms=PromotionTerms(words=TITLE, listed=True), at=T0, by=make_user())

    row.refresh_from_db()
    assert (row.listed, row.title) == (True, "Ten percent off")
    assert AuditEntry.objects.get(action="promotion.terms_set").details["listed"] is True


def test_one_without_a_title_is_not_listed() -> None:
    row = promotion(listed=False, words={})

    with pytest.raises(InvalidValue) as refusal:
        set_terms(promotion=row, terms=PromotionTerms(listed=True), at=T0, by=make_user())

    assert refusal.value.pointer == "/listed"
    row.refresh_from_db()
    assert not row.listed
    assert not AuditEntry.objects.filter(action="promotion.terms_set").exists()


@pytest.fixture
def link(stripe_account: StripeAccount) -> InviteLink:
    """Of a person who pays, with a campaign of ten percent for each side."""
    made = make_inviter(stripe_account)
    make_campaign(stripe_account.at)
    return made


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_campaign_says_what_each_side_gets_for_whom_and_when(
    client: Client, stripe_account: StripeAccount
) -> None:
    make_campaign(stripe_account.at)

    page = read(client, "/promotions/")

    assert (
        "Invite a friend Ten percent for both of you. Who comes by a link saves 10% of every invoice of a"
        " Team's seats, moves to a higher plan and renewals too, as long as the subscription goes on"
        " Who invites gets 10% of what that Team really pays for seats until the campaign ends, without"
        " tax, as vouchers for the API balance that are good for 90 days" in page
    )
    assert "Sign in to get your link" in page
    assert "There is no promotion at present." not in page
    assert "Enter a code" not in page


@pytest.mark.slow
def test_whoever_pays_gets_their_link_there_and_sees_what_it_brought(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    person = link.user
    link.delete()
    client = signed_in(person)
    assert "Get my link" in read(client, "/promotions/")

    assert client.post("/promotions/link/").headers["Location"] == "/promotions/"
    made = InviteLink.objects.get(user=person)
    friend = make_friend(stripe_account, made)
    friend.subscribe(max=2)
    stripe_account.deliver()

    page = read(client, "/promotions/")
    assert f"Your link {settings.BASE_URL}/invite/{made.code}/ Copy" in page
    assert "1 person came by your link. It brought 1 voucher, $9.00 in all." in page


def test_whoever_has_not_paid_gets_none_and_reads_why(stripe_account: StripeAccount) -> None:
    make_campaign(stripe_account.at)
    client = signed_in(make_person(stripe_account.at))

    assert "You get a link of your own once a Team of yours has paid for seats." in read(
        client, "/promotions/"
    )
    assert "You get an invite link once a Team that you own has paid for seats" in words(
        client.post("/promotions/link/", follow=True)
    )
    assert not InviteLink.objects.exists()


def test_nobody_makes_a_link_without_signing_in(client: Client) -> None:
    assert client.post("/promotions/link/").headers["Location"].startswith("/accounts/login/")
    assert signed_in(make_user()).get("/promotions/link/").status_code == 405
    assert not InviteLink.objects.exists()


def test_whoever_has_an_account_takes_the_invitation_up_on_the_links_page(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    person = make_person(stripe_account.at)
    client, page = signed_in(person), f"/invite/{link.code}/"
    assert "Take the invitation up" in read(client, page)
    description = '<meta name="description" content="Invite a friend · Ten percent for both of you.">'
    assert description in client.get(page).content.decode()
    assert not Invitee.objects.exists()

    assert client.post(page).headers["Location"] == "/plans/"

    assert Invitee.objects.get(user=person).inviter == link.user
    assert "You came by this link." in read(client, page)


def test_a_link_of_ones_own_is_refused_with_its_reason(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    client, page = signed_in(link.user), f"/invite/{link.code}/"

    assert "This is your own link; nobody invites themselves." in read(client, page)
    assert "nobody invites themselves" in words(client.post(page, follow=True))
    assert not Invitee.objects.exists()


@pytest.mark.parametrize("code", ["unknown", "a%00b"])
def test_a_link_that_is_unknown_is_gone(stripe_account: StripeAccount, client: Client, code: str) -> None:
    make_campaign(stripe_account.at)

    answer = client.get(f"/invite/{code}/")

    assert answer.status_code == 410
    assert "This link cannot be used" in words(answer)
    assert REMEMBERED not in client.session


def test_whoever_signs_up_in_the_same_browser_has_come_by_the_link(
    stripe_account: StripeAccount, link: InviteLink, client: Client
) -> None:
    assert "Sign up in this browser" in read(client, f"/invite/{link.code}/")
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}

    client.post("/accounts/signup/", form)
    other = Client()
    other.post("/accounts/signup/", {**form, "email": "other@example.com"})

    invitee = Invitee.objects.get()
    assert (invitee.user.email, invitee.inviter) == ("new@example.com", link.user)
    assert User.objects.filter(email="other@example.com").exists()


def test_an_account_is_made_also_where_the_link_can_be_used_no_more(
    stripe_account: StripeAccount, link: InviteLink, client: Client
) -> None:
    client.get(f"/invite/{link.code}/")
    block_link(link=link, reason="sold it", at=stripe_account.at, by=link.user)

    client.post(
        "/accounts/signup/", {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    )

    assert User.objects.get(email="new@example.com").memberships.count() == 1
    assert not Invitee.objects.exists()


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (
            "forever",
            "Due now, then every month $45.00 10% is taken off this invoice and all later ones of the"
            " subscription, since you came by an invite link. A promotion code takes its place.",
        ),
        (
            "once",
            "Due now $45.00 10% is taken off, since you came by an invite link; later invoices are $50.00,"
            " without tax. A promotion code takes its place.",
        ),
    ],
)
def test_the_total_of_the_first_seats_shows_the_discount(
    stripe_account: StripeAccount, duration: str, said: str
) -> None:
    link = make_inviter(stripe_account)
    make_campaign(stripe_account.at, duration=duration)
    friend = make_friend(stripe_account, link)

    page = read(signed_in(friend.owner), f"/teams/{friend.team.slug}/billing/subscribe/?seats_max=1")

    assert said in page


def test_one_that_is_for_nothing_cannot_be_listed() -> None:
    with pytest.raises(IntegrityError, match="a_listed_promotion_is_for_something"):
        promotion(scope="")

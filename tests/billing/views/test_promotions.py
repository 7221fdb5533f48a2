"""The promotions that are for everyone: only what was listed, and what can be used now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from billing.models import Promotion
from billing.services.promotions import PromotionTerms, set_terms
from teams.models import AuditEntry
from tests.helpers.factories import T0, USD, make_user
from tests.helpers.reading import read
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db

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
        "Ten percent off For new Teams. You save 10 % of the first payment For A Team's first seats"
        " Who Teams that have paid for nothing yet, once When 2 Jun 2026, 10:02 to 10 Jun 2026, 10:02 UTC"
        " Code TEN Copy Choose a plan" in page
    )


def test_one_for_credits_and_for_every_payment_says_so(client: Client) -> None:
    promotion(
        "FIVE", amount_nanousd=5 * USD, duration="forever", scope="credits", once_a_team=False, words=TITLE
    )
    html = client.get("/promotions/").content.decode()
    page = read(client, "/promotions/")

    assert "You save $5.00 of every payment For Credits Who Every Team When No end is set Code FIVE" in page
    assert 'href="/account/"' in html.partition("<main")[2].partition("</main>")[0]


def test_one_for_some_months_is_for_paying_by_the_month(client: Client) -> None:
    promotion(duration="repeating", expires_at=T0 + timedelta(days=1))

    page = read(client, "/promotions/")

    assert "10 % of the payments of the first months For A Team's first seats, paid by the month" in page
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


def test_one_that_is_for_nothing_cannot_be_listed() -> None:
    with pytest.raises(IntegrityError, match="a_listed_promotion_is_for_something"):
        promotion(scope="")

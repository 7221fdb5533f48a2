"""What everyone may use, as the page says it."""

from __future__ import annotations

import pytest
import time_machine

from billing.models import Promotion
from tests.helpers.api_client import Caller
from tests.helpers.invites import make_campaign
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db


def test_nothing_is_an_empty_list_and_no_campaign() -> None:
    answer = Caller().get("promotions")

    assert (answer.status, answer.body) == (200, {"promotions": [], "campaign": None})


def test_listed_codes_and_the_campaign_are_there_without_a_credential(stripe_account: StripeAccount) -> None:
    campaign = make_campaign(stripe_account.at)
    for code, listed in (("TEN", True), ("HIDDEN", False)):
        Promotion.objects.create(
            code=code,
            stripe_id=f"promo_{code}",
            active=True,
            percent_hundredths=1_250,
            duration="once",
            scope="seats",
            listed=listed,
            words={"en": {"title": "Less", "description": "For you."}},
        )

    with time_machine.travel(stripe_account.at, tick=False):
        body = Caller().get("promotions").body

    assert body["promotions"] == [
        {
            "code": "TEN",
            "title": "Less",
            "description": "For you.",
            "off_hundredths": 1_250,
            "off_nanousd": None,
            "duration": "once",
            "months": None,
            "scope": "seats",
            "first_purchase": False,
            "once_a_team": True,
            "starts_at": None,
            "expires_at": None,
        }
    ]
    assert body["campaign"] == {
        "title": "Invite a friend",
        "description": "Ten percent for both of you.",
        "off_hundredths": 1_000,
        "duration": "forever",
        "voucher_hundredths": 1_000,
        "voucher_days": 90,
        "starts_at": f"{campaign.starts_at:%Y-%m-%dT%H:%M:%SZ}",
        "ends_at": f"{campaign.ends_at:%Y-%m-%dT%H:%M:%SZ}",
    }

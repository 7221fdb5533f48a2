"""How prorations are counted is said wherever a subscription begins, whatever the account's default."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from billing.stripe_api import sdk
from billing.workflows.checkouts import preview_seats
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount


def test_the_billing_mode_is_flexible_in_checkouts_and_previews(
    stripe_account: StripeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, dict[str, list[str]]] = {}
    ask = sdk.Http.request

    def noted(http: Any, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        sent[url.rpartition("/v1/")[2]] = parse_qs(post_data or "")
        return ask(http, method, url, headers, post_data)

    monkeypatch.setattr(sdk.Http, "request", noted)
    story = Story(stripe_account)
    story.begin_checkout(max=1)
    preview_seats(team=story.team, seats={"max": 1}, interval="month", at=stripe_account.at)

    assert sent["checkout/sessions"]["subscription_data[billing_mode][type]"] == ["flexible"]
    assert sent["invoices/create_preview"]["subscription_details[billing_mode][type]"] == ["flexible"]

"""Checkout Sessions expire, and those that cannot be are refused."""

from datetime import timedelta
from typing import Any

import pytest
import stripe

from tests.helpers.local_stripe.account import T0, Account


def test_an_expired_session_cannot_be_paid(account: Account) -> None:
    first = account.pack_session(expires_at=T0 + 1800)
    second = account.pack_session()
    account.pay(second, "4000002500003155")
    account.api.checkout.sessions.expire(second.id)
    account.pass_time(timedelta(minutes=30))
    for session in (first, second):
        ended = account.reloaded(session)
        assert (ended.status, ended.url) == ("expired", None)
        assert account.pay(session).status_code == 410
    assert [intent.status for intent in account.intents(second)] == ["canceled"]
    with pytest.raises(stripe.InvalidRequestError):
        account.api.checkout.sessions.expire(second.id)
    assert account.kinds().count("checkout.session.expired") == 2


@pytest.mark.parametrize(
    "params",
    [
        {"expires_at": T0 + 1799},
        {"expires_at": T0 + 86401},
        {"success_url": "javascript:alert(1)"},
        {"cancel_url": "http://[nowhere"},
        {"line_items": []},
        {"line_items": [{"price": "price_none"}]},
        {"subscription_data": {"metadata": {"a": "b"}}},
        {"allow_promotion_codes": True, "discounts": [{"coupon": "x"}]},
        {"mode": "subscription"},
        {"customer": "cus_none"},
        {"automatic_tax": {"enabled": "perhaps"}},
    ],
)
def test_an_invalid_session_is_refused(account: Account, params: dict[str, Any]) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        account.pack_session(**params)
    assert account.stripe.store.all("checkout.session") == []

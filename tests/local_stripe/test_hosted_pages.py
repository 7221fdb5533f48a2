"""The pages of an invoice, of the portal, and the front page."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.local_stripe.busy import DAY, T0, Account, be_busy
from tokenplan.local_stripe.payments import disputes


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as made:
        yield made


def get(account: Account, path: str) -> httpx.Response:
    return httpx.get(f"{account.stripe.url}{path}")


def overdue(account: Account) -> tuple[Any, Any, str]:
    """A subscription whose renewal was declined, its open invoice, and its test clock."""
    clock = account.api.test_helpers.test_clocks.create({"frozen_time": T0}).id
    customer = account.customer(test_clock=clock)
    price = account.price(2000, "month")
    account.pay(account.session("subscription", customer, price), "4000000000000341")
    account.api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 32 * DAY})
    (subscription,) = account.api.subscriptions.list({"customer": customer, "status": "past_due"})
    (invoice,) = account.api.invoices.list({"customer": customer, "status": "open"})
    return subscription, invoice, clock


def test_an_overdue_invoice_is_paid_at_its_page_and_the_card_is_used_from_then_on(account: Account) -> None:
    subscription, invoice, _ = overdue(account)
    path = invoice.hosted_invoice_url.removeprefix(account.stripe.url)
    shown = get(account, path)
    assert (shown.status_code, "$20.00" in shown.text) == (200, True)
    assert account.post(path, number="4000000000000002").status_code == 402
    assert account.api.invoices.retrieve(invoice.id).status == "open"
    assert account.post(path, number="4242424242424242").headers["Location"] == path
    assert account.api.invoices.retrieve(invoice.id).status == "paid"
    after = account.api.subscriptions.retrieve(subscription.id, {"expand": ["default_payment_method"]})
    assert (after.status, after.default_payment_method.card.last4) == ("active", "4242")
    assert "It is paid" in account.post(path, number="4242424242424242").text


def test_an_invoice_whose_card_asks_is_paid_when_the_holder_answers(account: Account) -> None:
    subscription, invoice, _ = overdue(account)
    path = invoice.hosted_invoice_url.removeprefix(account.stripe.url)
    asked = account.post(path, number="4000002500003155").headers["Location"]
    assert account.api.invoices.retrieve(invoice.id).status == "open"
    assert account.post(asked, answer="complete").headers["Location"] == path
    assert account.api.invoices.retrieve(invoice.id).status == "paid"
    assert account.api.subscriptions.retrieve(subscription.id).status == "active"


def test_a_card_replaced_in_the_portal_is_charged_at_the_next_attempt(account: Account) -> None:
    subscription, invoice, clock = overdue(account)
    features = {"payment_method_update": {"enabled": True}, "invoice_history": {"enabled": True}}
    account.api.billing_portal.configurations.create({"features": features})
    session = account.api.billing_portal.sessions.create({"customer": subscription.customer})
    path = session.url.removeprefix(account.stripe.url)
    assert invoice.number in get(account, path).text
    assert account.post(path, number="4000000000000002").status_code == 402
    assert account.post(path, number="5555555555554444").headers["Location"] == path
    customer = account.api.customers.retrieve(
        subscription.customer, {"expand": ["invoice_settings.default_payment_method"]}
    )
    assert customer.invoice_settings.default_payment_method.card.last4 == "4444"
    account.api.test_helpers.test_clocks.advance(clock, {"frozen_time": T0 + 45 * DAY})
    assert account.api.subscriptions.retrieve(subscription.id).status == "active"


def test_without_the_feature_the_portal_changes_no_card(account: Account) -> None:
    account.api.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    customer = account.customer()
    session = account.api.billing_portal.sessions.create({"customer": customer})
    assert account.post(f"/portal/{session.id}", number="4242424242424242").status_code == 400
    assert list(account.api.customers.payment_methods.list(customer)) == []


def test_the_front_page_shows_a_busy_account_and_moves_its_clocks(account: Account) -> None:
    be_busy(account)
    shown = get(account, "/")
    assert shown.status_code == 200
    (clock,) = account.api.test_helpers.test_clocks.list()
    account.post(f"/_local/clocks/{clock.id}/advance", by="day")
    after = account.api.test_helpers.test_clocks.retrieve(clock.id)
    assert after.frozen_time == clock.frozen_time + DAY
    assert account.post(f"/_local/clocks/{clock.id}/advance", by="eon").status_code == 400


def test_a_dispute_from_the_front_page_is_open_until_it_is_decided(account: Account) -> None:
    account.pay(account.session("payment", account.customer(), account.price(500)))
    (charge,) = account.api.charges.list()
    account.post(f"/_local/charges/{charge.id}/dispute")
    (dispute,) = account.api.disputes.list()
    assert dispute.status in disputes.OPEN
    assert account.post(f"/_local/charges/{charge.id}/dispute").status_code == 400
    account.post(f"/_local/disputes/{dispute.id}/close", outcome="maybe")
    account.post(f"/_local/disputes/{dispute.id}/close", outcome="lost")
    assert account.api.disputes.retrieve(dispute.id).status == "lost"
    assert account.kinds()[-1] == "charge.dispute.closed"


def test_what_people_typed_is_shown_as_text(account: Account) -> None:
    session = account.session(
        "payment", account.customer(name="<b>Owner</b>"), account.price(500), allow_promotion_codes=True
    )
    evil = "<script>alert(1)</script>"
    for answer in (
        account.post(f"/checkout/{session.id}/promotion", code=evil),
        account.pay(session, evil),
        get(account, f"/checkout/{session.id}?number={evil}"),
        get(account, "/"),
    ):
        assert evil not in answer.text
        assert "<b>Owner" not in answer.text


def test_pages_need_no_script_and_no_other_host(account: Account) -> None:
    session = account.session("payment", account.customer(), account.price(500))
    shown = get(account, f"/checkout/{session.id}")
    policy = shown.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';")
    assert policy.endswith("form-action 'self' https://example.com")
    assert "<script" not in shown.text
    assert set(re.findall(r'(?:src|href)="(https?://[^"/]+)', shown.text)) == {"https://example.com"}
    assert get(account, "/style.css").headers["Content-Type"].startswith("text/css")


@pytest.mark.parametrize(
    "path", ["/nothing", "/checkout/cs_none", "/i/in_none", "/portal/bps_none", "/authenticate/pi_none"]
)
def test_a_page_that_is_not_there_says_so(account: Account, path: str) -> None:
    assert get(account, path).status_code == 404
    assert account.post(path).status_code == 404


def test_an_expired_checkout_leads_back(account: Account) -> None:
    session = account.session("payment", account.customer(), account.price(500))
    account.pass_time(timedelta(days=1))
    shown = get(account, f"/checkout/{session.id}")
    assert (shown.status_code, "https://example.com/left" in shown.text) == (410, True)

"""A customer pays an open invoice at its page."""

from tests.helpers.local_stripe.account import Account


def test_an_overdue_invoice_is_paid_at_its_page_and_the_card_is_used_from_then_on(account: Account) -> None:
    subscription, invoice, _ = account.overdue_subscription()
    path = invoice.hosted_invoice_url.removeprefix(account.stripe.url)
    shown = account.get(path)
    assert (shown.status_code, "$20.00" in shown.text) == (200, True)
    assert account.post(path, number="4000000000000002").status_code == 402
    assert account.api.invoices.retrieve(invoice.id).status == "open"
    assert account.post(path, number="4242424242424242").headers["Location"] == path
    assert account.api.invoices.retrieve(invoice.id).status == "paid"
    after = account.api.subscriptions.retrieve(subscription.id, {"expand": ["default_payment_method"]})
    assert (after.status, after.default_payment_method.card.last4) == ("active", "4242")
    assert "It is paid" in account.post(path, number="4242424242424242").text


def test_an_invoice_whose_card_asks_is_paid_when_the_holder_answers(account: Account) -> None:
    subscription, invoice, _ = account.overdue_subscription()
    path = invoice.hosted_invoice_url.removeprefix(account.stripe.url)
    asked = account.post(path, number="4000002500003155").headers["Location"]
    assert account.api.invoices.retrieve(invoice.id).status == "open"
    assert account.post(asked, answer="complete").headers["Location"] == path
    assert account.api.invoices.retrieve(invoice.id).status == "paid"
    assert account.api.subscriptions.retrieve(subscription.id).status == "active"

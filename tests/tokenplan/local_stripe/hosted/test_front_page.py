"""The front page shows the account, and its switches make things happen."""

import pytest

from tests.helpers.local_stripe.account import DAY, Account
from tests.helpers.local_stripe.busy_account import be_busy
from tokenplan.local_stripe.payments import disputes


def test_a_delayed_payment_is_settled_once(account: Account) -> None:
    session = account.pack_session()
    account.pay(session, "000123456789")
    path = f"/_local/payments/{account.reloaded(session).payment_intent}/settle"
    account.post(path, outcome="fail")
    account.post(path, outcome="succeed")
    assert account.kinds()[-1] == "checkout.session.async_payment_failed"


@pytest.mark.slow
def test_the_front_page_shows_a_busy_account_and_advances_its_clocks(account: Account) -> None:
    be_busy(account)
    shown = account.get("/")
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

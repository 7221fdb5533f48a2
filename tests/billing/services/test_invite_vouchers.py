"""What the inviter gets of what the friend's Team really paid, and what becomes of it afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import InviteVoucher, Invoice
from tests.helpers.factories import USD
from tests.helpers.invites import make_campaign, make_friend, make_inviter, vouchers_of
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db

CENT = USD // 100


def test_who_came_pays_less_and_the_inviter_gets_a_share_of_what_was_paid(
    stripe_account: StripeAccount,
) -> None:
    link = make_inviter(stripe_account)
    make_campaign(stripe_account.at)
    friend = make_friend(stripe_account, link)

    friend.subscribe(max=2)
    stripe_account.deliver()

    assert friend.paid() == [9_000]  # 2 × $50, less 10 %
    (lot,) = vouchers_of(link)
    assert (lot.account, lot.amount_nanousd, lot.remaining_nanousd) == ("balance", 9 * USD, 9 * USD)
    assert lot.expires_at == lot.granted_at + timedelta(days=90)
    voucher = InviteVoucher.objects.get()
    assert (voucher.invoice, voucher.lot) == (Invoice.objects.get(team=friend.team), lot)

"""One invoice, one voucher, whoever hears of it at once; one person, one inviter. Each begins by showing the
race.
"""

from __future__ import annotations

from uuid import uuid4

import pytest

from billing.errors import InviteUsed
from billing.models import InviteCampaign, Invitee, InviteLink, InviteVoucher, Invoice
from billing.services.campaigns import ask_campaign
from billing.services.invite_vouchers import keep_voucher
from billing.services.invites import come_by_link, make_link
from billing.stripe_api.client import api
from billing.sync.invoices import sync_invoice
from billing.sync.payments import sync_payment
from quota.models import CreditLedgerEntry
from teams.models import Mail
from tests.helpers.factories import T0, USD, make_user
from tests.helpers.invites import (
    asked_campaign,
    make_campaign,
    make_friend,
    make_inviter,
    make_person,
    vouchers_of,
)
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.races import race
from tests.helpers.story import Story
from tests.helpers.stripe_account import StripeAccount

pytestmark = pytest.mark.django_db(transaction=True)

WEBHOOKS = 4


@pytest.fixture
def link(stripe_account: StripeAccount) -> InviteLink:
    made = make_inviter(stripe_account)
    make_campaign(stripe_account.at)
    return made


@pytest.fixture
def friend(stripe_account: StripeAccount, link: InviteLink) -> Story:
    """Has paid; nothing was heard of the invoice and its payment yet."""
    story = make_friend(stripe_account, link)
    stripe_account.pay(story.begin_checkout(max=2).url)
    return story


def test_webhooks_for_one_invoice_at_once_make_one_voucher(
    stripe_account: StripeAccount, link: InviteLink, friend: Story
) -> None:
    (charge,) = api().charges.list({"customer": friend.customer}).data
    (bill,) = api().invoices.list({"customer": friend.customer}).data
    at = stripe_account.at

    answers = race(
        *[lambda: sync_payment(charge.payment_intent, at), lambda: sync_invoice(bill.id, at)] * WEBHOOKS
    )
    stripe_account.deliver()

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    (lot,) = vouchers_of(link)
    assert (lot.amount_nanousd, InviteVoucher.objects.count()) == (9 * USD, 1)
    assert CreditLedgerEntry.objects.filter(grant=lot).count() == 1
    assert Mail.objects.filter(kind="invite_voucher").count() == 1


@pytest.mark.slow
def test_two_who_hear_of_one_invoice_wait_for_each_other(
    stripe_account: StripeAccount, link: InviteLink, friend: Story
) -> None:
    stripe_account.deliver()
    bill, at = Invoice.objects.get(team=friend.team), stripe_account.at

    def heard_twice() -> Case:
        InviteVoucher.objects.all().delete()
        bill.pk = None
        bill.stripe_id += "-"
        bill.save()
        return Case(
            lambda: keep_voucher(invoice=bill, at=at),
            lambda: keep_voucher(invoice=bill, at=at),
            lambda: InviteVoucher.objects.filter(invoice=bill).count() == 1,
        )

    is_lost_without_locks_alone(heard_twice)


@pytest.mark.slow
def test_a_refund_beside_the_payment_leaves_a_voucher_of_the_rest(
    stripe_account: StripeAccount, link: InviteLink, friend: Story
) -> None:
    (charge,) = api().charges.list({"customer": friend.customer}).data
    (bill,) = api().invoices.list({"customer": friend.customer}).data
    at = stripe_account.at

    def refund() -> object:
        api().refunds.create({"payment_intent": charge.payment_intent, "amount": 3_000})
        return sync_payment(charge.payment_intent, at)

    answers = race(refund, lambda: sync_invoice(bill.id, at), lambda: sync_payment(charge.payment_intent, at))
    stripe_account.deliver()

    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert [lot.remaining_nanousd for lot in vouchers_of(link)] == [6 * USD]


@pytest.mark.slow
def test_a_person_who_opens_two_links_at_once_comes_by_one(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    other, at = make_inviter(stripe_account), stripe_account.at

    def two_links() -> Case:
        person = make_person(at)
        return Case(
            lambda: come_by_link(code=link.code, at=at, by=person),
            lambda: come_by_link(code=other.code, at=at, by=person),
            lambda: Invitee.objects.get(user=person).inviter == link.user,
            InviteUsed,
        )

    is_lost_without_locks_alone(two_links)


@pytest.mark.slow
def test_a_person_who_asks_for_a_link_in_two_tabs_gets_one(stripe_account: StripeAccount) -> None:
    at = stripe_account.at

    def two_tabs() -> Case:
        person = make_inviter(stripe_account).user
        InviteLink.objects.filter(user=person).delete()
        return Case(
            lambda: make_link(at=at, by=person),
            lambda: make_link(at=at, by=person),
            lambda: InviteLink.objects.filter(user=person).count() == 1,
        )

    is_lost_without_locks_alone(two_tabs)


def test_campaigns_asked_for_at_once_do_not_overlap() -> None:
    """Each was found free to begin: the constraint refuses the second when the first has committed."""
    by = make_user()

    answers = race(
        *[lambda: ask_campaign(request=uuid4(), asked=asked_campaign(T0), at=T0, by=by) for _ in range(3)]
    )

    assert sorted(type(answer).__name__ for answer in answers) == [
        "CampaignOverlaps",
        "CampaignOverlaps",
        "InviteCampaign",
    ]
    assert InviteCampaign.objects.count() == 1

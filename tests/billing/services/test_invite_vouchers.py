"""What the inviter gets of what the friend's Team really paid, and what becomes of it afterwards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.mail import EmailMessage

from billing.models import InviteLink, InviteVoucher, Invoice, Payment
from billing.services.campaigns import end_campaign
from billing.services.contacts import set_contacts
from billing.services.invite_vouchers import keep_voucher
from billing.services.invites import block_link
from billing.stripe_api.client import api
from billing.sync.invoices import sync_invoice
from billing.sync.payments import sync_payment
from billing.sync.reconcile import reconcile
from billing.sync.subscriptions import sync_subscription
from billing.workflows.refunds import refund_payment
from quota.hot_path.settle import release
from quota.models import CreditLedgerEntry
from quota.selectors.reconcile import differences
from quota.services.credits import adjust_lot
from quota.services.reservations import charge_lapsed_holds
from teams.models import Mail, Team
from teams.services.api_keys import create_api_key
from teams.services.keys import reveal_key
from teams.services.mail import deliver_due
from teams.services.teams import transfer_ownership
from tests.helpers.factories import (
    USD,
    Desk,
    make_gateway,
    make_member,
    make_user,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.invites import MASTERCARD, make_campaign, make_friend, make_inviter, vouchers_of
from tests.helpers.promotions import make_code
from tests.helpers.story import Story
from tests.helpers.stripe_account import DISPUTED, GOOD, StripeAccount

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CENT = USD // 100
DAY = timedelta(days=1)
TAKES_NO_REFUND = "4000 0000 0000 5126"


@pytest.fixture
def link(stripe_account: StripeAccount) -> InviteLink:
    """Of a person who pays, with a campaign of ten percent for each side."""
    made = make_inviter(stripe_account)
    make_campaign(stripe_account.at)
    return made


def bought(account: StripeAccount, link: InviteLink, card: str = GOOD, code: str = "") -> Story:
    """The friend's Team has two seats of Max, $100 less 10 %."""
    friend = make_friend(account, link)
    friend.subscribe(max=2, card=card, code=code)
    account.deliver()
    return friend


def payment_of(friend: Story) -> Payment:
    return Payment.objects.filter(team=friend.team, status="succeeded").order_by("pk")[0]


def refund(friend: Story, nanousd: int) -> None:
    refund_payment(
        payment=payment_of(friend), amount_nanousd=nanousd, reason="x", at=friend.account.at, by=make_user()
    )
    friend.account.deliver()


def left(link: InviteLink) -> list[int]:
    return [lot.remaining_nanousd for lot in vouchers_of(link)]


def test_who_came_pays_less_and_the_inviter_gets_a_share_of_what_was_paid(
    stripe_account: StripeAccount, link: InviteLink, mailoutbox: list[EmailMessage]
) -> None:
    books = "books@example.com"  # gets the mails about payments, and this is none
    set_contacts(team=link.user.default_team, emails=[books], by=None, at=stripe_account.at)
    friend = bought(stripe_account, link)

    assert friend.paid() == [9_000]
    (lot,) = vouchers_of(link)
    assert (lot.account, lot.amount_nanousd, lot.remaining_nanousd) == ("balance", 9 * USD, 9 * USD)
    assert lot.expires_at == lot.granted_at + 90 * DAY
    voucher = InviteVoucher.objects.get()
    assert (voucher.invoice, voucher.lot) == (Invoice.objects.get(team=friend.team), lot)
    entry = CreditLedgerEntry.objects.get(grant=lot)
    assert (entry.kind, entry.cause) == ("voucher", "Somebody came by your invite link and paid")
    mail = Mail.objects.get(kind="invite_voucher")
    assert (mail.to, mail.context["amount"]) == (link.user.email, 9 * USD)
    deliver_due(at=stripe_account.at)
    sent = next(one for one in mailoutbox if one.to == [link.user.email] and "voucher" in one.subject)
    assert sent.subject == "Your invite link brought a voucher of $9.00"
    assert "has a voucher of $9.00. It is good until 1 September 2026" in sent.body
    assert f"/teams/{link.user.default_team.slug}/balance/" in sent.body


def test_upgrades_and_renewals_are_cheaper_too_and_bring_a_voucher_each(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = bought(stripe_account, link)

    friend.add("max")
    stripe_account.advance(31 * DAY)
    stripe_account.deliver()

    first, added, renewed = friend.paid()
    assert (first, renewed) == (9_000, 13_500)
    assert 4_400 < added <= 4_500
    assert [lot.amount_nanousd for lot in vouchers_of(link)] == [
        9 * USD,
        added // 10 * CENT,
        1_350 * CENT,
    ]


def test_what_is_paid_after_the_campaign_brings_nothing_and_keeps_its_discount(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = bought(stripe_account, link)
    campaign = InviteVoucher.objects.get().invitee.campaign
    end_campaign(campaign=campaign, at=stripe_account.at + DAY, by=make_user())

    stripe_account.advance(31 * DAY)
    stripe_account.deliver()

    assert friend.paid() == [9_000, 9_000]
    assert len(vouchers_of(link)) == 1


def test_a_discount_on_the_first_invoice_alone_is_not_on_the_next(stripe_account: StripeAccount) -> None:
    link = make_inviter(stripe_account)
    make_campaign(stripe_account.at, duration="once", off_hundredths=2_000, voucher_hundredths=500)

    friend = bought(stripe_account, link)
    stripe_account.advance(31 * DAY)
    stripe_account.deliver()

    assert friend.paid() == [8_000, 10_000]
    assert [lot.amount_nanousd for lot in vouchers_of(link)] == [4 * USD, 5 * USD]


def test_a_typed_code_takes_the_place_of_the_discount_and_the_share_is_of_what_was_paid(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    make_code("HALF", percent_hundredths=5_000)

    friend = bought(stripe_account, link, code="HALF")

    assert friend.paid() == [5_000]
    assert left(link) == [5 * USD]


def test_the_voucher_comes_once_whatever_is_heard_in_which_order(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    stripe_account.pay(friend.begin_checkout(max=2).url)
    (charge,) = api().charges.list({"customer": friend.customer}).data
    (subscription,) = api().subscriptions.list({"customer": friend.customer}).data
    invoice_id = str(subscription.latest_invoice)

    sync_payment(charge.payment_intent, stripe_account.at)
    sync_subscription(subscription.id, stripe_account.at)
    assert left(link) == []
    for _ in range(2):
        sync_invoice(invoice_id, stripe_account.at)
        sync_payment(charge.payment_intent, stripe_account.at)
    stripe_account.deliver()

    assert left(link) == [9 * USD]
    assert Mail.objects.filter(kind="invite_voucher").count() == 1


def test_a_refund_takes_its_share_of_the_voucher_back(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = bought(stripe_account, link)

    refund(friend, 30 * USD)
    assert left(link) == [6 * USD]
    refund(friend, 33 * CENT)  # 10 % of $59.67 is $5.967, in whole cents $5.96

    assert left(link) == [596 * CENT]
    (lot,) = vouchers_of(link)
    kinds = list(CreditLedgerEntry.objects.filter(grant=lot).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["voucher", "adjustment", "adjustment"]
    refund(friend, 5_967 * CENT)
    assert left(link) == [0]


def test_what_of_a_voucher_is_spent_stays_spent(stripe_account: StripeAccount, link: InviteLink) -> None:
    friend = bought(stripe_account, link)
    (lot,) = vouchers_of(link)
    kind = CreditLedgerEntry.Kind.ADJUSTMENT
    adjust_lot(lot=lot, nanousd=-7 * USD, kind=kind, cause="spent", at=stripe_account.at, by=None)

    refund(friend, 90 * USD)

    assert left(link) == [0]
    assert InviteVoucher.objects.get().clawed_nanousd == 9 * USD
    taken = CreditLedgerEntry.objects.filter(grant=lot, cause__startswith="payment ").get()
    assert taken.amount_nanousd == -2 * USD


def test_what_comes_back_to_a_voucher_after_its_refund_is_taken_in_the_night(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    """It was held for a call, charged as the hold ended, and given back as the gateway said it used none."""
    friend, at = bought(stripe_account, link), stripe_account.at
    use_test_rate_card()
    gateway = make_gateway()
    gateway.charge_hold = True
    gateway.save()
    key = create_api_key(
        membership=owner_of(link.user.default_team),
        name="ci",
        month_cap_nanousd=None,
        expires_at=None,
        at=at,
        by=link.user,
    )
    held = Desk(gateway, reveal_key(key.texts.get())).ask(800, at=at)
    charge_lapsed_holds(at=at + DAY)
    assert left(link) == [1 * USD]
    refund(friend, 90 * USD)
    assert left(link) == [0]
    stripe_account.advance(10 * DAY)
    stripe_account.deliver()
    assert reconcile(at=stripe_account.at).unrepaired == []

    release(reservation_id=held.reservation_id, at=stripe_account.at)
    assert left(link) == [8 * USD]
    stripe_account.advance(10 * DAY)
    report = reconcile(at=stripe_account.at)

    (lot,) = vouchers_of(link)
    payment = payment_of(friend)
    took = f"lot {lot.pk} changes by -8000000000 nano-dollars: payment {payment.stripe_id} refunded"
    assert (report.repaired, left(link)) == ([took], [0])
    assert reconcile(at=stripe_account.at).repaired == []
    assert not list(differences(stripe_account.at))


def test_a_refund_that_failed_gives_back_what_it_took(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = bought(stripe_account, link, TAKES_NO_REFUND)
    refund(friend, 45 * USD)
    assert left(link) == [4_500 * USD // 1_000]

    stripe_account.advance(timedelta(hours=2))
    stripe_account.deliver()

    assert left(link) == [9 * USD]


def test_a_refund_that_is_heard_of_before_the_payment_leaves_a_voucher_of_the_rest(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    stripe_account.pay(friend.begin_checkout(max=2).url)
    (charge,) = api().charges.list({"customer": friend.customer}).data
    api().refunds.create({"payment_intent": charge.payment_intent, "amount": 3_000})

    stripe_account.deliver()

    assert left(link) == [6 * USD]
    assert InviteVoucher.objects.get().clawed_nanousd == 0


def test_what_was_refunded_whole_before_it_was_heard_of_brings_nothing(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    stripe_account.pay(friend.begin_checkout(max=2).url)
    (charge,) = api().charges.list({"customer": friend.customer}).data
    api().refunds.create({"payment_intent": charge.payment_intent})

    stripe_account.deliver()

    assert left(link) == []


@pytest.mark.parametrize(("outcome", "kept"), [("won", 9 * USD), ("lost", 0)])
def test_a_dispute_freezes_the_voucher_and_a_lost_one_takes_it(
    stripe_account: StripeAccount, link: InviteLink, outcome: str, kept: int
) -> None:
    bought(stripe_account, link, DISPUTED)
    stripe_account.advance(timedelta(hours=1))
    stripe_account.deliver()
    (lot,) = vouchers_of(link)
    assert lot.frozen_at is not None

    (dispute,) = api().disputes.list({}).data
    page = f"{stripe_account.url}/_local/disputes/{dispute.id}/close"
    httpx.post(page, data={"outcome": outcome}, verify=False)
    stripe_account.deliver()

    (lot,) = vouchers_of(link)
    assert (lot.frozen_at, lot.remaining_nanousd) == (None, kept)


def test_nothing_is_given_to_who_is_in_the_team_that_pays(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    make_member(friend.team, user=link.user)

    friend.subscribe(max=2)
    stripe_account.deliver()

    assert (friend.paid(), left(link)) == ([10_000], [])


def test_nothing_is_given_for_what_the_inviters_own_card_paid(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    bought(stripe_account, link, MASTERCARD)
    assert left(link) == []


def test_a_card_stays_the_inviters_though_they_hand_the_team_on_that_paid_with_it(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    (team,) = Payment.objects.values_list("team", flat=True)
    paying = Team.objects.get(pk=team)
    heir = make_member(paying)
    transfer_ownership(team=paying, to=heir, at=stripe_account.at, by=link.user)

    friend = bought(stripe_account, link, MASTERCARD)
    assert (friend.paid(), left(link)) == ([9_000], [])


def test_the_share_is_of_what_was_paid_without_tax(
    stripe_account: StripeAccount, link: InviteLink, settings: Any
) -> None:
    settings.STRIPE_TAX = True

    friend = bought(stripe_account, link)
    assert friend.paid() == [9_900]
    assert left(link) == [9 * USD]
    refund(friend, 33 * USD)  # of which $30 were not tax
    assert left(link) == [6 * USD]


def test_a_blocked_link_brings_nothing_more_and_what_was_given_stays(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    bought(stripe_account, link)
    block_link(link=link, reason="sold it", at=stripe_account.at, by=make_user())

    stripe_account.advance(31 * DAY)
    stripe_account.deliver()

    assert left(link) == [9 * USD]


def test_a_team_that_nobody_invited_brings_nothing(stripe_account: StripeAccount, link: InviteLink) -> None:
    other = Story(stripe_account)
    other.subscribe(max=2)
    stripe_account.deliver()

    assert (other.paid(), left(link)) == ([10_000], [])
    assert keep_voucher(invoice=Invoice.objects.get(team=other.team), at=stripe_account.at) == []


def test_the_nightly_comparison_gives_what_no_event_has_named(
    stripe_account: StripeAccount, link: InviteLink
) -> None:
    friend = make_friend(stripe_account, link)
    stripe_account.pay(friend.begin_checkout(max=2).url)

    assert reconcile(at=stripe_account.at).unrepaired == []

    assert left(link) == [9 * USD]
    assert list(stripe_account.events())
    assert reconcile(at=stripe_account.at, everything=True).repaired == []

"""Each verb of promotions, invites, contacts and failed refunds that locks, while another is in the middle of
what it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from billing.errors import InviteUnknown
from billing.models import BillingContact, InviteCampaign, InviteLink, Promotion
from billing.services import campaigns, contacts, invites, promotions, refunds
from billing.services.teams import delete_settled_team
from billing.stripe_api.snapshots import RefundSnapshot
from teams.models import AuditEntry
from tests.helpers.bought import buy, say_promotion
from tests.helpers.factories import T0, USD, make_team, make_user
from tests.helpers.invites import asked_campaign
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import InvalidValue, NotFound

pytestmark = pytest.mark.django_db(transaction=True)

LATER = T0 + timedelta(hours=1)


def contacts_named_twice() -> Case:
    """Those of the second alone get mails."""
    team = make_team()

    def names(email: str) -> Callable[[], object]:
        return lambda: contacts.set_contacts(team=team, emails=[email], by=None, at=T0)

    def named() -> list[str]:
        return list(BillingContact.objects.for_team(team).values_list("email", flat=True))

    return Case(names("a@example.com"), names("b@example.com"), lambda: named() == ["b@example.com"])


def contacts_of_a_team_that_is_deleted() -> Case:
    team = make_team()
    return Case(
        lambda: delete_settled_team(team=team, by=None, at=T0),
        lambda: contacts.set_contacts(team=team, emails=["a@example.com"], by=None, at=LATER),
        lambda: not BillingContact.objects.for_team(team).exists(),
        NotFound,
    )


def a_code_that_is_for_two_things() -> Case:
    """What it is for is said once, since Stripe keeps that."""
    promotion, by = say_promotion(f"P{uuid4().hex[:8]}"), make_user()

    def says(scope: str) -> Callable[[], object]:
        terms = promotions.PromotionTerms(scope=scope)
        return lambda: promotions.set_terms(promotion=promotion, terms=terms, at=LATER, by=by)

    return Case(
        says("seats"),
        says("credits"),
        lambda: Promotion.objects.get(pk=promotion.pk).scope == "seats",
        InvalidValue,
    )


def a_code_that_becomes_the_one_of_a_campaign() -> Case:
    promotion, campaign, by = say_promotion(f"P{uuid4().hex[:8]}"), a_campaign(), make_user()
    terms = promotions.PromotionTerms(scope="credits")
    return Case(
        lambda: campaigns.attach_promotion(campaign=campaign, promotion=promotion, at=T0),
        lambda: promotions.set_terms(promotion=promotion, terms=terms, at=LATER, by=by),
        lambda: Promotion.objects.get(pk=promotion.pk).scope == Promotion.Scope.INVITE,
        InvalidValue,
    )


def a_campaign() -> InviteCampaign:
    InviteCampaign.objects.all().delete()
    return campaigns.ask_campaign(request=uuid4(), asked=asked_campaign(T0), at=T0, by=make_user())


def a_campaign_of_two_promotions() -> Case:
    campaign = a_campaign()
    one, other = (say_promotion(f"P{uuid4().hex[:8]}") for _ in range(2))

    def attaches(promotion: Promotion) -> Callable[[], object]:
        return lambda: campaigns.attach_promotion(campaign=campaign, promotion=promotion, at=T0)

    return Case(
        attaches(one),
        attaches(other),
        lambda: InviteCampaign.objects.get(pk=campaign.pk).promotion == one,
    )


def a_campaign_ended_twice() -> Case:
    campaign, by = a_campaign(), make_user()

    def ends(at: datetime) -> Callable[[], object]:
        return lambda: campaigns.end_campaign(campaign=campaign, at=at, by=by)

    return Case(ends(T0), ends(LATER), lambda: InviteCampaign.objects.get(pk=campaign.pk).ends_at == T0)


def a_link_blocked_twice() -> Case:
    by = make_user()
    link = InviteLink.objects.create(user=make_user(), code=uuid4().hex[:12], created_at=T0)

    def blocks(at: datetime) -> Callable[[], object]:
        mine = InviteLink.objects.select_related("user").get(pk=link.pk)
        return lambda: invites.block_link(link=mine, reason="sold it", at=at, by=by)

    logged = AuditEntry.objects.filter(action="invite.link_blocked", subject=link.code)
    return Case(
        blocks(T0),
        blocks(LATER),
        lambda: InviteLink.objects.get(pk=link.pk).blocked_at == T0 and logged.count() == 1,
    )


def a_link_asked_for_while_it_is_blocked() -> Case:
    """Who asks gets none that nobody can come by."""
    person, by = make_user(), make_user()
    link = InviteLink.objects.create(user=person, code=uuid4().hex[:12], created_at=T0)
    return Case(
        lambda: invites.block_link(link=link, reason="sold it", at=T0, by=by),
        lambda: invites.make_link(at=LATER, by=person),
        lambda: InviteLink.objects.get(user=person).blocked_at == T0,
        InviteUnknown,
    )


def a_failed_refund_heard_of_twice() -> Case:
    payment = buy(make_team())
    snapshot = RefundSnapshot(f"re_{uuid4().hex}", payment.stripe_id, 4 * USD, "lost_or_stolen_card")

    def hears() -> object:
        return refunds.fail_refund(payment=payment, snapshot=snapshot, at=T0)

    logged = AuditEntry.objects.filter(action="payment.refund_failed", subject=payment.stripe_id)
    return Case(hears, hears, lambda: logged.count() == 1)


CASES: list[Callable[[], Case]] = [
    contacts_named_twice,
    contacts_of_a_team_that_is_deleted,
    a_code_that_is_for_two_things,
    a_code_that_becomes_the_one_of_a_campaign,
    a_campaign_of_two_promotions,
    a_campaign_ended_twice,
    a_link_blocked_twice,
    a_link_asked_for_while_it_is_blocked,
    a_failed_refund_heard_of_twice,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)

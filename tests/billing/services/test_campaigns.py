"""Campaigns: what an operator may ask for, at most one at a moment, and what stays as it was said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from billing.errors import CampaignOverlaps
from billing.models import InviteCampaign
from billing.selectors.invites import campaign_in_force
from billing.services.campaigns import ask_campaign, end_campaign, set_words
from teams.models import AuditEntry
from tests.helpers.bought import say_promotion
from tests.helpers.factories import T0, make_user
from tests.helpers.invites import DAY, asked_campaign
from tokenplan.kit.errors import InvalidValue

pytestmark = pytest.mark.django_db


def ask(**other: Any) -> InviteCampaign:
    return ask_campaign(request=uuid4(), asked=asked_campaign(T0, **other), at=T0, by=make_user())


def test_the_same_request_again_is_the_same_campaign_and_the_audit_log_has_it_once() -> None:
    request, by = uuid4(), make_user()

    first = ask_campaign(request=request, asked=asked_campaign(T0), at=T0, by=by)
    again = ask_campaign(request=request, asked=asked_campaign(T0), at=T0, by=by)

    assert (first, InviteCampaign.objects.count()) == (again, 1)
    entry = AuditEntry.objects.get(action="campaign.asked")
    assert (entry.by, entry.subject) == (by, "Invite a friend")
    assert (entry.details["off"], entry.details["voucher"], entry.details["voucher_days"]) == (
        "10%",
        "10%",
        90,
    )


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"words": {"en": {"title": ""}}}, "/title_en"),
        ({"ends_at": T0}, "/ends_at"),
        ({"starts_at": T0 + DAY, "ends_at": T0 + DAY}, "/ends_at"),
        ({"off_hundredths": 0}, "/off"),
        ({"off_hundredths": 10_001}, "/off"),
        ({"voucher_hundredths": 0}, "/voucher"),
        ({"voucher_hundredths": 10_001}, "/voucher"),
        ({"duration": "repeating"}, "/duration"),
        ({"voucher_days": 0}, "/voucher_days"),
        ({"voucher_days": 3_651}, "/voucher_days"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        ask(**wrong)

    assert refusal.value.pointer == pointer
    assert not InviteCampaign.objects.exists()
    assert not AuditEntry.objects.filter(action="campaign.asked").exists()


def test_two_campaigns_have_no_moment_in_common() -> None:
    ask(starts_at=T0, ends_at=T0 + 10 * DAY)

    with pytest.raises(CampaignOverlaps):
        ask(starts_at=T0 + 10 * DAY - timedelta(seconds=1), ends_at=T0 + 20 * DAY)
    ask(starts_at=T0 + 10 * DAY, ends_at=T0 + 20 * DAY)

    assert InviteCampaign.objects.count() == 2


def test_it_is_in_force_between_its_days_once_stripe_knows_it() -> None:
    campaign = ask(starts_at=T0, ends_at=T0 + DAY)
    assert campaign_in_force(T0) is None
    campaign.promotion = say_promotion("INVITE-1")
    campaign.save()

    second = timedelta(seconds=1)
    moments = (T0 - second, T0, T0 + DAY - second, T0 + DAY)
    assert [campaign_in_force(at) for at in moments] == [None, campaign, campaign, None]


def test_one_that_is_ended_leaves_room_for_another_and_does_not_begin_again() -> None:
    campaign, by = ask(), make_user()

    ended = end_campaign(campaign=campaign, at=T0 + DAY, by=by)
    end_campaign(campaign=campaign, at=T0 + 2 * DAY, by=by)

    assert ended.ends_at == InviteCampaign.objects.get().ends_at == T0 + DAY
    assert AuditEntry.objects.get(action="campaign.ended").by == by
    ask(starts_at=T0 + DAY)


def test_one_that_is_ended_before_it_began_was_never_in_force() -> None:
    campaign = ask(starts_at=T0 + DAY)

    assert end_campaign(campaign=campaign, at=T0, by=make_user()).ends_at == T0 + DAY
    ask(starts_at=T0, ends_at=T0 + 5 * DAY)


def test_its_words_can_be_corrected_and_what_it_gives_cannot() -> None:
    campaign = ask()

    set_words(campaign=campaign, words={"en": {"title": "Bring a friend"}}, at=T0, by=make_user())
    with pytest.raises(InvalidValue):
        set_words(campaign=campaign, words={"en": {"title": ""}}, at=T0, by=make_user())

    campaign.refresh_from_db()
    assert (campaign.title, campaign.description) == ("Bring a friend", "")
    assert AuditEntry.objects.filter(action="campaign.words_set").count() == 1
    for name, value in (("off_hundredths", 1), ("voucher_days", 1), ("ends_at", T0 + 500 * DAY)):
        with pytest.raises(IntegrityError, match="what a campaign gives stays"), transaction.atomic():
            InviteCampaign.objects.update(**{name: value})

"""What operators do about invites: block a link, end a campaign, change its words."""

from __future__ import annotations

import pytest
import time_machine
from django.test import Client

from billing.models import InviteCampaign, InviteLink, InviteVoucher
from teams.models import AuditEntry, User
from tests.helpers.admin_urls import change_url, verb_url
from tests.helpers.factories import T0
from tests.helpers.invites import DAY, give_invite_voucher
from tests.helpers.reading import read, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator() -> Client:
    give_invite_voucher()
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    return client


def test_a_link_is_blocked_with_a_reason_and_once(operator: Client) -> None:
    link = InviteLink.objects.get()

    assert operator.post(verb_url(link, "block"), {"reason": " "}).status_code == 422
    assert operator.post(verb_url(link, "block"), {"reason": "sold it"}).status_code == 302

    link.refresh_from_db()
    assert link.blocked_at is not None
    assert AuditEntry.objects.get(action="invite.link_blocked").details == {"reason": "sold it"}
    assert "Block it for good" not in read(operator, change_url(link))


def test_a_campaign_is_ended_after_a_question_and_its_words_are_changed(operator: Client) -> None:
    campaign = InviteCampaign.objects.get()
    InviteCampaign.objects.filter(pk=campaign.pk).update(ends_at=T0 + DAY)

    operator.post(verb_url(campaign, "words"), {"title_en": "Bring a friend", "reason": "clearer"})
    with time_machine.travel(T0, tick=False):
        asked = operator.post(verb_url(campaign, "end"), {"reason": "spent"})
        assert "From now on links bring nothing." in words(asked)
        operator.post(verb_url(campaign, "end"), {"confirmed": "yes", "reason": "spent"})

    campaign.refresh_from_db()
    assert (campaign.title, campaign.ends_at) == ("Bring a friend", T0)
    assert AuditEntry.objects.get(action="campaign.words_set").details == {"reason": "clearer"}
    assert AuditEntry.objects.get(action="campaign.ended").details == {"reason": "spent"}


def test_a_voucher_says_what_was_given_and_taken_back(operator: Client) -> None:
    voucher = InviteVoucher.objects.get()

    text = read(operator, change_url(voucher))

    assert "Voucher: $2.00 To be taken back: $0.00" in text

"""Invite campaigns: who asked for which, before Stripe is asked; their words, and their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from billing.errors import CampaignOverlaps
from billing.models import InviteCampaign, Promotion
from teams.models import User
from teams.services.audit import Details, because, record
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction, refused_by, write_alone

Words = Mapping[str, Mapping[str, str]]
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class CampaignAsked:
    """Shares are in hundredths of a percent: off, for who comes, and of what was paid, for the inviter.
    `words` by language: a title and a description.
    """

    starts_at: datetime
    ends_at: datetime
    off_hundredths: int
    voucher_hundredths: int
    duration: str = InviteCampaign.Duration.FOREVER
    voucher_days: int = 90
    words: Words = field(default_factory=dict)


@one_transaction()
def ask_campaign(
    *, request: UUID, asked: CampaignAsked, reason: str = "", at: datetime, by: User
) -> InviteCampaign:
    """The campaign, which is in force once Stripe knows its discount; the same request again gives the same
    one. Raises InvalidValue, and CampaignOverlaps where another one is in force at some moment of it.
    """
    write_alone(InviteCampaign)
    known = InviteCampaign.objects.filter(pk=request).select_related("promotion").first()
    if known is not None:
        return known
    _check(asked, at)
    with refused_by(a_moment_has_at_most_one_invite_campaign=CampaignOverlaps):
        campaign = InviteCampaign.objects.create(
            pk=request,
            starts_at=asked.starts_at,
            ends_at=asked.ends_at,
            off_hundredths=asked.off_hundredths,
            duration=asked.duration,
            voucher_hundredths=asked.voucher_hundredths,
            voucher_days=asked.voucher_days,
            words={language: dict(words) for language, words in asked.words.items()},
            created_at=at,
        )
    details: Details = {
        "starts_at": asked.starts_at.isoformat(),
        "ends_at": asked.ends_at.isoformat(),
        "off": campaign.off,
        "duration": asked.duration,
        "voucher": campaign.voucher,
        "voucher_days": asked.voucher_days,
        **because(reason),
    }
    record(team=None, by=by, action="campaign.asked", subject=campaign.title, details=details, at=at)
    return campaign


def _check_words(words: Words) -> None:
    if not any(said.get("title") for said in words.values()):
        raise InvalidValue(_("Give it a title, for everyone to read"), pointer="/title_en")


def _check(asked: CampaignAsked, at: datetime) -> None:
    _check_words(asked.words)
    if asked.ends_at <= max(asked.starts_at, at):
        raise InvalidValue(_("A campaign ends after it began, and in the future"), pointer="/ends_at")
    for pointer, share in (("/off", asked.off_hundredths), ("/voucher", asked.voucher_hundredths)):
        if not 0 < share <= 10_000:
            raise InvalidValue(_("A percentage is above 0 and at most 100"), pointer=pointer)
    if asked.duration not in InviteCampaign.Duration.values:
        raise InvalidValue(_("The duration is once or forever"), pointer="/duration")
    if not 0 < asked.voucher_days <= MOST_DAYS:
        days = _("A voucher is good for 1 to %(most)s days") % {"most": MOST_DAYS}
        raise InvalidValue(days, pointer="/voucher_days")


@one_transaction()
def attach_promotion(*, campaign: InviteCampaign, promotion: Promotion, at: datetime) -> InviteCampaign:
    """Stripe takes the share off by this promotion, which nobody types; the campaign can be in force."""
    campaign = InviteCampaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if campaign.promotion_id is None:
        row = Promotion.objects.get(pk=promotion.pk)
        row.scope, row.once_a_team = Promotion.Scope.INVITE, False
        row.starts_at, row.words = campaign.starts_at, campaign.words
        row.save(update_fields=["scope", "once_a_team", "starts_at", "words"])
        campaign.promotion = row
        campaign.save(update_fields=["promotion"])
        record(team=None, by=None, action="campaign.at_stripe", subject=campaign.title, at=at)
    return campaign


@one_transaction()
def set_words(
    *, campaign: InviteCampaign, words: Words, reason: str = "", at: datetime, by: User
) -> InviteCampaign:
    """What people read of it from now on. Its shares stay as they were said. Raises InvalidValue."""
    _check_words(words)
    campaign = InviteCampaign.objects.get(pk=campaign.pk)
    campaign.words = {language: dict(said) for language, said in words.items()}
    campaign.save(update_fields=["words"])
    details = because(reason)
    record(team=None, by=by, action="campaign.words_set", subject=campaign.title, details=details, at=at)
    return campaign


@one_transaction()
def end_campaign(*, campaign: InviteCampaign, reason: str = "", at: datetime, by: User) -> InviteCampaign:
    """It ends now, or before it began. What was bought by it keeps its discount, and vouchers stay."""
    campaign = InviteCampaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    if at < campaign.ends_at:
        campaign.ends_at = max(at, campaign.starts_at)
        campaign.save(update_fields=["ends_at"])
        details = because(reason)
        record(team=None, by=by, action="campaign.ended", subject=campaign.title, details=details, at=at)
    return campaign

"""Invite campaigns, by an operator. What is taken off is a promotion at Stripe that nobody types."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing import stripe_api
from billing.fetch import fetch
from billing.models import InviteCampaign, Promotion
from billing.services import campaigns
from billing.services.campaigns import CampaignAsked
from billing.services.promotions import apply_promotion
from billing.workflows.batches import work_each
from teams.models import User


def open_campaign(
    *, request: UUID, asked: CampaignAsked, reason: str = "", at: datetime, by: User
) -> InviteCampaign:
    """A campaign; the same request again gives the same one. Where Stripe does not answer, it is in force
    once the sweep has asked again. Raises what `ask_campaign` does, and what Stripe says.
    """
    campaign = campaigns.ask_campaign(request=request, asked=asked, reason=reason, at=at, by=by)
    return put_to_stripe(campaign=campaign, at=at)


def put_to_stripe(*, campaign: InviteCampaign, at: datetime) -> InviteCampaign:
    """Stripe has the campaign's discount: made now, or by an earlier call. Raises what Stripe says."""
    if campaign.promotion_id is not None:
        return campaign
    coupon_id = stripe_api.create_coupon(
        request=campaign.pk,
        name="Invite link",
        duration=campaign.duration,
        percent_hundredths=campaign.off_hundredths,
    )
    fetched = fetch(
        lambda: stripe_api.create_promotion(
            request=campaign.pk,
            code=f"INVITE-{campaign.pk.hex[:10].upper()}",
            coupon_id=coupon_id,
            expires_at=campaign.ends_at,
        )
    )
    apply_promotion(fetched=fetched)
    made = Promotion.objects.get(stripe_id=fetched.value.id)
    return campaigns.attach_promotion(campaign=campaign, promotion=made, at=at)


def finish_campaigns(*, at: datetime) -> int:
    """The sweep: campaigns whose discount Stripe may not have, since an answer was lost. Returns how many it
    has now. Raises PaymentsUnavailable.
    """
    return work_each(
        InviteCampaign.objects.filter(promotion=None, ends_at__gt=at),
        lambda campaign: put_to_stripe(campaign=campaign, at=at).promotion_id is not None,
        "Campaign %s is not at Stripe",
    )

"""Refusals of buying. Codes are API (docs/errors.md)."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tokenplan.kit.errors import InvalidValue, NotFound, Refusal


class PriceListInvalid(InvalidValue):
    code = "price_list_invalid"
    title = _("The list of prices cannot be loaded")


class PlanNotPriced(Refusal):
    code = "plan_not_priced"
    title = _("The draft needs a price for a month and for a year")


class PlanDraftChanged(Refusal):
    code = "plan_draft_changed"
    title = _("The draft was changed since it was shown; look at it again")


class PriceUnknown(Refusal):
    """Stripe bills a price that this installation did not make."""

    code = "price_unknown"
    title = _("The payment service bills a price that is not among ours")


class PaymentsUnavailable(Refusal):
    """Stripe did not answer, or its answer could not be read. The request may have been carried out, so sync
    before sending it again.
    """

    code = "payments_unavailable"
    status = 503
    title = _("The payment service does not answer; try again in a minute")


class AnswerUnreadable(PaymentsUnavailable):
    """Stripe answered in a shape that this release does not know. Whatever was asked may have been done."""


class StripeRefused(Refusal):
    """Stripe understood the request and declined it; nothing was changed there."""

    code = "payment_service_refused"
    title = _("The payment service refused this")


class StripeMissing(NotFound):
    """Stripe has no such object."""


class PaymentDeclined(Refusal):
    code = "payment_declined"
    status = 402
    title = _("The card was declined; use another one")


class CardNeeded(Refusal):
    """What was asked is paid at once, and the method that is charged does not pay at once."""

    code = "card_needed"
    title = _("This is paid by card or Link; add one under Cards and invoices")


class AddressNeeded(Refusal):
    """Stripe cannot calculate the tax, since it does not know where the customer is."""

    code = "address_needed"
    title = _("The tax cannot be calculated without your address; add it under Cards and invoices")


class NotOnSale(Refusal):
    code = "not_on_sale"
    title = _("This cannot be bought at present")


class PromotionUnknown(InvalidValue):
    """There is no such code. One that has not begun, or was switched off, is unknown too, so that nobody
    finds codes by trying.
    """

    code = "promotion_unknown"
    title = _("There is no such promotion code")


class PromotionOver(InvalidValue):
    code = "promotion_over"
    title = _("This promotion is over")


class PromotionNotForThis(InvalidValue):
    code = "promotion_not_for_this"
    title = _("This promotion code is for something else")


class PromotionByMonth(InvalidValue):
    """A year is one invoice, so a discount for some months would take that share off all of it."""

    code = "promotion_by_month"
    title = _("This promotion code is for paying by the month")


class PromotionForFirstPurchase(InvalidValue):
    code = "promotion_for_first_purchase"
    title = _("This promotion code is for a Team's first purchase")


class PromotionUsed(InvalidValue):
    code = "promotion_used"
    title = _("The Team has used this promotion code already")


class InviteUnknown(Refusal):
    """No such link, one that was blocked, or no campaign in force."""

    code = "invite_unknown"
    status = 410
    title = _("This invite link cannot be used")


class InviteOneself(Refusal):
    code = "invite_oneself"
    title = _("This is your own link; nobody invites themselves")


class InviteFromATeam(Refusal):
    """The two are, or were, in a Team together."""

    code = "invite_from_a_team"
    title = _("You are, or were, in a Team with the person whose link this is")


class InviteForNewcomers(Refusal):
    code = "invite_for_newcomers"
    title = _("One of your Teams has paid for something already; invite links are for people who have not")


class InviteUsed(Refusal):
    code = "invite_used"
    title = _("You came by another person's link already")


class InvitesAfterPaying(Refusal):
    code = "invites_after_paying"
    title = _("You get an invite link once a Team that you own has paid for seats")


class CampaignOverlaps(InvalidValue):
    code = "campaign_overlaps"
    title = _("Another campaign is in force then; end that one first")


class AlreadySubscribed(Refusal):
    code = "already_subscribed"
    title = _("The Team has a subscription already; change that one")


class NotSubscribed(Refusal):
    code = "not_subscribed"
    title = _("The Team has no subscription")


class AmountChanged(Refusal):
    """`amount_nanousd` is the new amount; the detail names it too."""

    code = "amount_changed"
    title = _("The amount has changed since it was shown; look at it again")

    def __init__(self, detail: str | Promise = "", *, amount_nanousd: int = 0) -> None:
        super().__init__(detail)
        self.amount_nanousd = amount_nanousd


class ChangeInProgress(Refusal):
    code = "change_in_progress"
    title = _("Another change of the subscription is not finished; wait for it, pay it or discard it")


class SubscriptionEnding(Refusal):
    code = "subscription_ending"
    title = _("The subscription is canceled and ends with its period; resume it first")


class PaymentOverdue(Refusal):
    code = "payment_overdue"
    title = _("A payment is overdue; pay it first")


class NothingToChange(Refusal):
    code = "nothing_to_change"
    title = _("This would change nothing")


class TeamHasSubscription(Refusal):
    code = "team_has_subscription"
    title = _("The Team has a subscription; cancel it, and delete the Team when it has ended")


class PaymentUnderWay(Refusal):
    code = "payment_under_way"
    title = _("A payment of the Team is under way; wait until it is over")


class RefundTooHigh(InvalidValue):
    code = "refund_too_high"
    title = _("More than was paid cannot be refunded")


class WebhookInvalid(Refusal):
    code = "webhook_invalid"
    status = 400
    title = _("The event does not carry a valid signature of the payment service")

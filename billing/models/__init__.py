"""The rows of what was bought, one module a subject."""

from billing.models.campaigns import InviteCampaign, InvitedTeam, Invitee, InviteLink, InviteVoucher
from billing.models.catalog import Interval, Price
from billing.models.contacts import BillingContact
from billing.models.inbox import StripeEvent
from billing.models.payments import AutoTopUp, Checkout, CreditPurchase, Invoice, Payment, Refund
from billing.models.promotions import Promotion, PromotionRedemption
from billing.models.subscriptions import Change, Customer, PurchasedSeat, Subscription, SubscriptionItem

__all__ = [
    "AutoTopUp",
    "BillingContact",
    "Change",
    "Checkout",
    "CreditPurchase",
    "Customer",
    "Interval",
    "InviteCampaign",
    "InviteLink",
    "InviteVoucher",
    "InvitedTeam",
    "Invitee",
    "Invoice",
    "Payment",
    "Price",
    "Promotion",
    "PromotionRedemption",
    "PurchasedSeat",
    "Refund",
    "StripeEvent",
    "Subscription",
    "SubscriptionItem",
]

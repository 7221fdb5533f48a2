"""The second floor's rows, one module a subject."""

from billing.models.catalog import Interval, Price
from billing.models.subscriptions import PurchasedSeat, Subscription, SubscriptionItem

__all__ = ["Interval", "Price", "PurchasedSeat", "Subscription", "SubscriptionItem"]

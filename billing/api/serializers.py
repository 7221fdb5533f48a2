"""The shapes of buying: offers, the subscription, previews, changes, payments. Money is nano-dollars."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from billing.change_requests import MAX_SEATS
from billing.models import Change, Checkout, Interval, Invoice, Subscription
from billing.selectors.change_requests import KINDS
from quota.api.fields import LARGEST_ID, NANOUSD, PlanSerializer, WindowSerializer
from teams.api.serializers import MemberSerializer
from tokenplan.kit.api import Shape

CODE = r"[a-z][a-z0-9_-]{0,29}"
INTERVALS = Interval.choices


class LimitSerializer(Shape):
    name = serializers.CharField()
    policy = serializers.CharField(source="rule.policy")
    length_seconds = serializers.IntegerField(source="rule.length_seconds")
    limit_nanousd = serializers.IntegerField(source="nanousd")


class OfferSerializer(Shape):
    """A plan on sale; prices are of one seat."""

    plan = PlanSerializer()
    agents_min = serializers.IntegerField(source="plan.agents_min")
    agents_max = serializers.IntegerField(source="plan.agents_max")
    limits = LimitSerializer(many=True)
    month_nanousd = serializers.IntegerField(help_text=NANOUSD)
    year_nanousd = serializers.IntegerField()


class SubscriptionRowSerializer(serializers.Serializer[Subscription]):
    status = serializers.ChoiceField(Subscription.Status.choices)
    interval = serializers.ChoiceField(INTERVALS)
    next_interval = serializers.ChoiceField(
        INTERVALS, allow_blank=True, help_text="Billed so from the next period on; empty: as now."
    )
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="Canceled: when it ends.")
    created_at = serializers.DateTimeField()


class PlanSeatsSerializer(Shape):
    plan = PlanSerializer()
    seat_nanousd = serializers.IntegerField(help_text="What a seat costs an interval.")
    bought = serializers.IntegerField()
    assigned = serializers.IntegerField()
    free = serializers.IntegerField()


class PaidSeatSerializer(Shape):
    """A paid seat. At the period's end it leaves, or becomes one of `next_plan`, or stays."""

    id = serializers.IntegerField()
    number = serializers.IntegerField(help_text="What pages and mails call it.")
    plan = PlanSerializer()
    holder = MemberSerializer(allow_null=True)
    next_plan = PlanSerializer(allow_null=True)
    leaves = serializers.BooleanField()


class DueInvoiceSerializer(serializers.Serializer[Invoice]):
    number = serializers.CharField()
    due_nanousd = serializers.IntegerField()
    url = serializers.CharField(help_text="Where it is paid.")


class OverdueSerializer(Shape):
    """A payment has failed. The seats work again when every one of the `invoices` is paid."""

    since = serializers.DateTimeField(allow_null=True)
    stops_at = serializers.DateTimeField(allow_null=True, help_text="Seats are suspended from then on.")
    pay_url = serializers.CharField(help_text="Stripe's page of the oldest one of the invoices.")
    due_nanousd = serializers.IntegerField(help_text="Of the oldest one.")
    total_nanousd = serializers.IntegerField(help_text="Of all of them.")
    invoices = DueInvoiceSerializer(many=True)


class ChangeSerializer(serializers.Serializer[Change]):
    """A change that acts at once."""

    id = serializers.UUIDField()
    text = serializers.CharField()
    state = serializers.ChoiceField(Change.State.choices)
    amount_nanousd = serializers.IntegerField()
    pay_url = serializers.CharField(help_text="Where it is paid while it awaits that.")
    reason = serializers.CharField(help_text="Why it was not done.")
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class CheckoutSerializer(serializers.Serializer[Checkout]):
    """A session on the payment page at `url`."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Checkout.Kind.choices)
    text = serializers.CharField()
    state = serializers.ChoiceField(Checkout.State.choices)
    url = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class OverviewSerializer(Shape):
    """What the Team has bought. `change` and `checkout` are not finished."""

    subscription = SubscriptionRowSerializer(allow_null=True)
    plans = PlanSeatsSerializer(many=True)
    seats = PaidSeatSerializer(many=True)
    overdue = OverdueSerializer(allow_null=True)
    change = ChangeSerializer(allow_null=True)
    checkout = CheckoutSerializer(allow_null=True)
    balance_nanousd = serializers.IntegerField(help_text="Below 0: the next invoices are lower by that.")
    other_methods = serializers.ListField(
        child=serializers.CharField(),
        help_text="Payment methods that take days, so they pay for no changes and no auto top-ups.",
    )


class LineSerializer(Shape):
    text = serializers.CharField()
    amount_nanousd = serializers.IntegerField()


class InvoicePreviewSerializer(Shape):
    total_nanousd = serializers.IntegerField()
    due_nanousd = serializers.IntegerField(help_text="After the balance.")
    lines = LineSerializer(many=True)


class NextInvoiceSerializer(Shape):
    invoice = InvoicePreviewSerializer(allow_null=True, help_text="Null: there will be none.")
    card = serializers.CharField(
        help_text="The card, or other method, that is charged for it, as people know it."
    )


class EffectSerializer(Shape):
    """A seat before and after; `seat` is null for `count` new ones. Usage is never reset."""

    seat = serializers.IntegerField(source="seat_id", allow_null=True)
    number = serializers.IntegerField(allow_null=True, help_text="What pages and mails call the seat.")
    count = serializers.IntegerField()
    holder = serializers.CharField(help_text="Empty: nobody.")
    before = PlanSerializer(allow_null=True)
    after = PlanSerializer(allow_null=True)
    windows_before = WindowSerializer(many=True)
    windows_after = WindowSerializer(many=True)


class PreviewSerializer(Shape):
    """What a change does. Confirming sends back `amount_nanousd` and `proration_at`."""

    text = serializers.CharField()
    at_once = serializers.BooleanField()
    amount_nanousd = serializers.IntegerField(
        help_text="Charged now where it acts at once; else the next regular invoice."
    )
    lines = LineSerializer(many=True)
    effective_at = serializers.DateTimeField()
    proration_at = serializers.DateTimeField(allow_null=True)
    billed_from = serializers.DateTimeField(
        allow_null=True,
        help_text="From when on a seat that is added or moved up is billed: at least for seven days.",
    )
    carried_nanousd = serializers.IntegerField(
        help_text="Too small for the card: added to the next invoice instead."
    )
    ends_discount = serializers.BooleanField(
        help_text="Whether a promotion code's discount for some months ends, since a year begins."
    )
    renewal_nanousd = serializers.IntegerField(allow_null=True, help_text="Null: it does not renew.")
    renews_at = serializers.DateTimeField()
    effects = EffectSerializer(many=True)


class PromotionCodeField(serializers.CharField):
    """A promotion code as it was typed; empty: none."""

    def __init__(self, **other: Any) -> None:
        values = {"max_length": 40, "required": False, "default": "", "allow_blank": True}
        super().__init__(**{**values, "help_text": "A promotion code for just this.", **other})


class BuySerializer(Shape):
    seats = serializers.DictField(
        child=serializers.IntegerField(min_value=0, max_value=MAX_SEATS),
        help_text="Plan code to number of seats.",
    )
    interval = serializers.ChoiceField(INTERVALS)
    promotion_code = PromotionCodeField()

    def validate_seats(self, value: dict[str, int]) -> dict[str, int]:
        for code in value:
            if not re.fullmatch(CODE, code):
                raise serializers.ValidationError(_("Name each plan by its code, such as plus."))
        return value


class SubscriptionChangeSerializer(Shape):
    """What is asked for. add: `count` seats of `plan`; move: `seats` to `plan`; give_up, keep: `seats`;
    interval: `interval`; cancel, resume: nothing else."""

    kind = serializers.ChoiceField([(kind, kind) for kind in KINDS])
    plan = serializers.RegexField(rf"^{CODE}$", required=False, default="", help_text="A plan's code.")
    count = serializers.IntegerField(
        min_value=1, max_value=MAX_SEATS, required=False, default=0, help_text="How many to add."
    )
    seats = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID),
        max_length=MAX_SEATS,
        required=False,
        default=list,
        help_text="Ids of seats.",
    )
    interval = serializers.ChoiceField(INTERVALS, required=False, default="")


class ConfirmSerializer(SubscriptionChangeSerializer):
    """A change, with what the preview showed of it."""

    amount_nanousd = serializers.IntegerField(min_value=0, max_value=LARGEST_ID)
    proration_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class ConfirmedSerializer(Shape):
    """`change` is null where nothing was to be done at once."""

    change = ChangeSerializer(allow_null=True)
    current = OverviewSerializer()


class InvoiceSerializer(serializers.Serializer[Invoice]):
    number = serializers.CharField()
    status = serializers.CharField(help_text="Stripe's word: open, paid, void, uncollectible.")
    total_nanousd = serializers.IntegerField()
    due_nanousd = serializers.IntegerField()
    paid_nanousd = serializers.IntegerField()
    url = serializers.CharField(help_text="Where it is seen, and paid while it is open.")
    created_at = serializers.DateTimeField()


class LinkSerializer(Shape):
    url = serializers.CharField()

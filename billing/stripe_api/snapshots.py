"""Snapshots of Stripe's objects (API version 2026-10-28.endive), so that no other module knows their shapes.
Moments are aware, UTC; amounts are nano-dollars; an id is empty where there is no object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Self

from billing.money import nanousd_from_cents
from billing.stripe_api import reading
from billing.stripe_api.methods import AT_ONCE, Method, method_of
from billing.stripe_api.reading import UNREADABLE, Object, guarded, id_of, in_dollars, moment, moment_or_none


@dataclass(frozen=True, slots=True)
class CustomerSnapshot:
    """`card` is how people know the card, or the Link wallet, that is charged while they are away, such as
    "Visa ···· 4242"; empty without one. `other_methods`: those that do not pay at once, by their texts.
    """

    id: str
    team_id: str
    name: str
    email: str
    card: str
    payment_method_id: str
    balance_nanousd: int
    deleted: bool
    other_methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemSnapshot:
    """A number of seats at one price. Stripe keeps the period on each item."""

    id: str
    price_id: str
    quantity: int
    period_start: datetime
    period_end: datetime
    interval: str = ""


@dataclass(frozen=True, slots=True)
class OtherItem:
    """An item that is not ours, or that cannot be read: it is left alone."""

    id: str
    price_id: str
    quantity: int | None


@dataclass(frozen=True, slots=True)
class SubscriptionSnapshot:
    """A subscription; its period is its items'. `others` are left alone.
    `awaits_first_payment`: its very first invoice is not paid yet, whatever the status says.
    `pending_until`: a change waits for its payment until then, at `pending_url`.
    """

    id: str
    status: str
    interval: str
    items: tuple[ItemSnapshot, ...]
    cancel_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    customer_id: str = ""
    schedule_id: str = ""
    awaits_first_payment: bool = False
    pending_until: datetime | None = None
    pending_invoice_id: str = ""
    pending_url: str = ""
    change_invoice_id: str = ""  # the latest one, where a change made it
    own_method: Method | None = None  # comes before the customer's default
    default_method: Method | None = None
    pays_at_once_only: bool = False  # no bank debit can pay its invoices
    is_taxed: bool = False
    open_change_id: str = ""  # the invoice of a change that Stripe bills already, while it is not paid
    change_is_under_way: bool = False  # its payment has begun and has not come: see `billing.sync.debits`
    discounts: tuple[str, ...] = ()
    months_discounts: tuple[str, ...] = ()  # those that end after a number of months
    others: tuple[OtherItem, ...] = ()
    asked_number: int = 0  # of the last that Stripe heard of our asking it to end or to renew
    undone: frozenset[str] = frozenset()  # requests of `change_back` that were carried out

    @property
    def charged_method(self) -> Method | None:
        """What Stripe charges for it; None while there is nothing."""
        return self.own_method or self.default_method

    def only(self, price_ids: Collection[str]) -> Self:
        """With the items that bill these prices; what bills anything else is among the `others`."""
        ours = tuple(item for item in self.items if item.price_id in price_ids)
        rest = tuple(OtherItem(one.id, one.price_id, one.quantity) for one in self.items if one not in ours)
        interval = ours[0].interval if ours else ""
        return replace(self, items=ours, others=self.others + rest, interval=interval or self.interval)

    @property
    def period_start(self) -> datetime:
        return min((item.period_start for item in self.items), default=self.created_at)

    @property
    def period_end(self) -> datetime:
        return min((item.period_end for item in self.items), default=self.created_at)

    @property
    def quantities(self) -> dict[str, int]:
        """Price to number of seats."""
        return {item.price_id: item.quantity for item in self.items}


@dataclass(frozen=True, slots=True)
class ScheduleSnapshot:
    """A plan for the period's end: `later` is what the last phase bills, price to number of seats."""

    id: str
    status: str
    starts_at: datetime | None
    ends_at: datetime | None
    phases: int
    later: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CheckoutSnapshot:
    """`status`: open, complete or expired; `paid`: also where there was nothing to pay. `promotion_ids`: the
    codes that take something off."""

    id: str
    url: str
    status: str
    paid: bool
    reference: str
    customer_id: str
    subscription_id: str
    payment_id: str
    invoice_id: str
    expires_at: datetime
    promotion_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PaymentSnapshot:
    """A payment intent with its latest charge. `dispute`: none, open, won or lost."""

    id: str
    customer_id: str
    status: str
    amount_nanousd: int
    received_nanousd: int
    refunded_nanousd: int
    charge_id: str
    dispute: str
    failure: str
    purchase_id: str
    created_at: datetime
    fingerprint: str = ""  # of the card or account that paid, the same for every customer

    @property
    def is_under_way(self) -> bool:
        """The money takes days, as by a bank debit."""
        return self.status == "processing"


@dataclass(frozen=True, slots=True)
class RefundSnapshot:
    """A refund. `failure`: why the money came back, in Stripe's word; empty where it did not."""

    id: str
    payment_id: str
    amount_nanousd: int
    failure: str


@dataclass(frozen=True, slots=True)
class PromotionSnapshot:
    """A promotion code and its coupon, which takes off hundredths of a percent, or an amount."""

    id: str
    code: str
    active: bool
    percent_hundredths: int | None
    amount_nanousd: int | None
    duration: str
    months: int | None
    times_redeemed: int
    max_redemptions: int | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventSnapshot:
    """An event. Of its object only kind and id are used; the object itself is fetched again."""

    id: str
    kind: str
    object: Object
    created_at: datetime


@guarded
def customer_snapshot(customer: Object, attached: Sequence[Object] = ()) -> CustomerSnapshot:
    """`attached`: all its payment methods, the newest first. Of those that pay at once, the default is
    charged, else the newest.
    """
    default = _default_of(customer)
    known = [method for one in attached if (method := method_of(one)) is not None]
    methods = ([default] if default else []) + [
        one for one in known if default is None or one.id != default.id
    ]
    if customer.get("balance"):
        in_dollars(customer)
    charged = next((method for method in methods if method.pays_at_once), None)
    return CustomerSnapshot(
        id=customer["id"],
        team_id=(customer.get("metadata") or {}).get("team", ""),
        name=customer.get("name") or "",
        email=customer.get("email") or "",
        card=charged.text if charged else "",
        payment_method_id=charged.id if charged else "",
        balance_nanousd=nanousd_from_cents(customer.get("balance") or 0),
        deleted=bool(customer.get("deleted")),
        other_methods=tuple(method.text for method in methods if not method.pays_at_once),
    )


@guarded
def subscription_snapshot(subscription: Object) -> SubscriptionSnapshot:
    """`latest_invoice` must have been expanded: one that is not is believed to be paid; and the default
    payment methods, its own and its customer's, for them to be known.
    """
    items, others = _items(subscription["items"]["data"])
    invoice = subscription.get("latest_invoice")
    invoice = invoice if isinstance(invoice, Mapping) else {}
    pending = subscription.get("pending_update")
    first = invoice.get("billing_reason") == "subscription_create"
    change_id = invoice["id"] if invoice.get("billing_reason") == "subscription_update" else ""
    return SubscriptionSnapshot(
        id=subscription["id"],
        status=subscription["status"],
        interval=items[0].interval if items else "",
        items=items,
        cancel_at=moment_or_none(subscription["cancel_at"]),
        ended_at=moment_or_none(subscription["ended_at"]),
        created_at=moment(subscription["created"]),
        customer_id=id_of(subscription.get("customer")),
        schedule_id=id_of(subscription.get("schedule")),
        awaits_first_payment=first and invoice.get("status") != "paid",
        pending_until=moment(pending["expires_at"]) if pending else None,
        pending_invoice_id=invoice.get("id", "") if pending else "",
        pending_url=(invoice.get("hosted_invoice_url") or "") if pending else "",
        change_invoice_id=change_id,
        open_change_id=change_id if invoice.get("status") == "open" and not pending else "",
        is_taxed=bool((subscription.get("automatic_tax") or {}).get("enabled")),
        own_method=method_of(subscription.get("default_payment_method")),
        default_method=_default_of(subscription.get("customer")),
        pays_at_once_only=set((subscription.get("payment_settings") or {}).get("payment_method_types") or ())
        == set(AT_ONCE),
        discounts=tuple(id_of(discount) for discount in subscription.get("discounts") or ()),
        months_discounts=reading.ids_that_end(subscription.get("discounts") or ()),
        asked_number=reading.asked_number(subscription.get("metadata") or {}),
        undone=frozenset(
            value
            for name, value in (subscription.get("metadata") or {}).items()
            if name.startswith("undone_")
        ),
        others=others,
    )


def _default_of(customer: Object | str | None) -> Method | None:
    settings = customer.get("invoice_settings") if isinstance(customer, Mapping) else None
    return method_of((settings or {}).get("default_payment_method"))


def _items(listed: Sequence[Object]) -> tuple[tuple[ItemSnapshot, ...], tuple[OtherItem, ...]]:
    """Those that can be read as seats at a price, and those that cannot, as one without a number."""
    items, others = [], []
    for item in listed:
        try:
            in_dollars(item["price"])
            items.append(
                ItemSnapshot(
                    id=item["id"],
                    price_id=item["price"]["id"],
                    quantity=int(item["quantity"]),
                    period_start=moment(item["current_period_start"]),
                    period_end=moment(item["current_period_end"]),
                    interval=item["price"]["recurring"]["interval"],
                )
            )
        except UNREADABLE:
            others.append(OtherItem(str(item.get("id")), id_of(item.get("price")), item.get("quantity")))
    return tuple(items), tuple(others)


@guarded
def schedule_snapshot(schedule: Object) -> ScheduleSnapshot:
    current, phases = schedule.get("current_phase") or {}, schedule["phases"]
    return ScheduleSnapshot(
        id=schedule["id"],
        status=schedule["status"],
        starts_at=moment_or_none(current.get("start_date")),
        ends_at=moment_or_none(current.get("end_date")),
        phases=len(phases),
        later={id_of(item["price"]): item.get("quantity") or 0 for item in phases[-1]["items"]},
    )


@guarded
def checkout_snapshot(session: Object) -> CheckoutSnapshot:
    return CheckoutSnapshot(
        id=session["id"],
        url=session.get("url") or "",
        status=session["status"],
        paid=session["status"] == "complete" and session["payment_status"] in ("paid", "no_payment_required"),
        reference=session.get("client_reference_id") or "",
        customer_id=id_of(session.get("customer")),
        subscription_id=id_of(session.get("subscription")),
        payment_id=id_of(session.get("payment_intent")),
        invoice_id=id_of(session.get("invoice")),
        expires_at=moment(session["expires_at"]),
        promotion_ids=tuple(id_of(row.get("promotion_code")) for row in session.get("discounts") or ()),
    )


@guarded
def payment_snapshot(intent: Object, dispute_status: str) -> PaymentSnapshot:
    """`latest_charge` must have been expanded. `dispute_status` is of its dispute, empty without one."""
    in_dollars(intent)
    charge = intent.get("latest_charge")
    charge = charge if isinstance(charge, Mapping) else {}
    return PaymentSnapshot(
        id=intent["id"],
        customer_id=id_of(intent.get("customer")),
        status=intent["status"],
        amount_nanousd=nanousd_from_cents(intent["amount"]),
        received_nanousd=nanousd_from_cents(intent.get("amount_received") or 0),
        refunded_nanousd=nanousd_from_cents(charge.get("amount_refunded") or 0),
        charge_id=charge.get("id", ""),
        dispute=_dispute(dispute_status),
        failure=(intent.get("last_payment_error") or {}).get("message") or "",
        purchase_id=(intent.get("metadata") or {}).get("purchase", ""),
        created_at=moment(intent["created"]),
        fingerprint=reading.fingerprint_of(charge),
    )


@guarded
def refund_snapshot(refund: Object) -> RefundSnapshot:
    in_dollars(refund)
    has_failed = refund["status"] == "failed"
    return RefundSnapshot(
        id=refund["id"],
        payment_id=id_of(refund.get("payment_intent")),
        amount_nanousd=nanousd_from_cents(refund["amount"]),
        failure=(refund.get("failure_reason") or "unknown") if has_failed else "",
    )


@guarded
def promotion_snapshot(promotion: Object) -> PromotionSnapshot:
    """`promotion.coupon` must have been expanded."""
    coupon = promotion["promotion"]["coupon"]
    in_dollars(coupon)
    percent, amount = coupon.get("percent_off"), coupon.get("amount_off")
    return PromotionSnapshot(
        id=promotion["id"],
        code=promotion["code"],
        active=bool(promotion["active"]),
        percent_hundredths=None if percent is None else int(Decimal(str(percent)) * 100),
        amount_nanousd=None if amount is None else nanousd_from_cents(amount),
        duration=coupon["duration"],
        months=coupon.get("duration_in_months"),
        times_redeemed=promotion["times_redeemed"],
        max_redemptions=promotion.get("max_redemptions"),
        expires_at=moment_or_none(promotion.get("expires_at")),
    )


def event_snapshot(event: Object) -> EventSnapshot:
    """Raises KeyError, TypeError, ValueError or OverflowError for what is not an event."""
    id, kind, about = event["id"], event["type"], event["data"]["object"]
    if not (isinstance(id, str) and isinstance(kind, str) and isinstance(about, Mapping)):
        raise TypeError("An event has an id, a type and an object.")
    if len(id) > 255 or len(kind) > 100:
        raise ValueError("No event has so long a name.")
    return EventSnapshot(id, kind, about, moment(event["created"]))


def _dispute(status: str) -> str:
    if status in ("", "won", "lost"):
        return status
    # A closed inquiry, or a dispute that was prevented, took no money.
    return "won" if status in ("warning_closed", "prevented") else "open"

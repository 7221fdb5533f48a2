"""Prices, customers, subscriptions, changes, checkout sessions, invoices and auto top-ups, to read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import (
    AutoTopUp,
    Change,
    Checkout,
    Customer,
    Invoice,
    Price,
    PurchasedSeat,
    Subscription,
    SubscriptionItem,
)
from quota.admin.columns import usd
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline


@admin.register(Price)
class PriceAdmin(ReadOnlyAdmin[Price]):
    list_display = (
        "lookup_key",
        "plan",
        "interval",
        usd("amount_nanousd", _("Amount")),
        "stripe_id",
        "created_at",
    )
    list_select_related = ("plan",)
    list_filter = ("interval", ("stripe_id", admin.EmptyFieldListFilter))
    search_fields = ("lookup_key", "=stripe_id")
    ordering = ("-id",)
    fields = readonly_fields = (
        "lookup_key",
        "plan",
        "interval",
        usd("amount_nanousd", _("Amount")),
        "stripe_id",
        "created_at",
    )


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin[Customer]):
    list_display = ("team", "stripe_id", "card", usd("balance_nanousd", _("Balance")), "created_at")
    list_select_related = ("team",)
    search_fields = ("=stripe_id", "team__slug", "team__name", "team__memberships__user__email__contains")
    ordering = ("-created_at", "-team")
    fields = readonly_fields = (
        "team",
        "stripe_id",
        "card",
        "others",
        usd("balance_nanousd", _("Balance")),
        "created_at",
    )

    @admin.display(description=_("Payment methods that do not pay at once"))
    def others(self, customer: Customer) -> str:
        return ", ".join(customer.other_methods) or "-"


class ItemInline(ReadOnlyInline):
    model = SubscriptionItem
    fields = ("stripe_id", "price", "quantity", "period_start", "period_end")
    show_change_link = False


class PurchasedSeatInline(ReadOnlyInline):
    model = PurchasedSeat
    fields = ("seat", "plan", "next_plan", "leaves", "ended_at")
    show_change_link = False


class ChangeInline(ReadOnlyInline):
    model = Change
    fields = ("text", "state", "amount", "by", "created_at", "closed_at", "reason")
    readonly_fields = ("amount",)
    ordering = ("-created_at",)

    amount = staticmethod(usd("amount_nanousd", _("Amount")))


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin[Subscription]):
    list_display = (
        "stripe_id",
        "team",
        "status",
        "interval",
        "period_end",
        "cancel_at",
        "past_due_since",
        "ended_at",
    )
    list_select_related = ("team",)
    list_filter = ("status", "interval")
    search_fields = ("=stripe_id", "team__slug", "team__name", "team__memberships__user__email__contains")
    ordering = ("-created_at", "-id")
    inlines = (ItemInline, PurchasedSeatInline, ChangeInline)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin[Change]):
    list_display = ("created_at", "team", "text", usd("amount_nanousd", _("Amount")), "state", "by", "reason")
    list_select_related = ("team", "by")
    list_filter = ("state",)
    search_fields = ("=id", "team__slug", "=subscription__stripe_id", "=invoice_id", "text")
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "id",
        "team",
        "subscription",
        "text",
        "target",
        "moves",
        usd("amount_nanousd", _("Amount agreed to")),
        "proration_at",
        "state",
        "reason",
        "invoice_id",
        "by",
        "created_at",
        "closed_at",
    )


@admin.register(Checkout)
class CheckoutAdmin(ReadOnlyAdmin[Checkout]):
    list_display = ("created_at", "team", "kind", "text", "state", "by")
    list_select_related = ("team", "by")
    list_filter = ("kind", "state")
    search_fields = ("=id", "=stripe_id", "team__slug", "team__name")
    ordering = ("-created_at", "-id")
    # The address of the payment page is for the Team alone.
    exclude = ("url",)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin[Invoice]):
    list_display = (
        "number",
        "team",
        "status",
        usd("total_nanousd", _("Total")),
        usd("paid_nanousd", _("Paid")),
        "subscription_id",
        "created_at",
    )
    list_select_related = ("team",)
    list_filter = ("status",)
    search_fields = ("=stripe_id", "=number", "=subscription_id", "team__slug", "team__name")
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "number",
        "stripe_id",
        "team",
        "subscription_id",
        "status",
        usd("total_nanousd", _("Total")),
        usd("due_nanousd", _("Due")),
        usd("paid_nanousd", _("Paid")),
        "page",
        "created_at",
    )

    @admin.display(description=_("Stripe's page"))
    def page(self, invoice: Invoice) -> SafeString | str:
        if not invoice.url.startswith(("http://", "https://")):
            return "-"
        number = invoice.number or gettext("draft")
        return format_html('<a href="{}" rel="noreferrer">{}</a>', invoice.url, number)


@admin.register(AutoTopUp)
class AutoTopUpAdmin(ReadOnlyAdmin[AutoTopUp]):
    list_display = (
        "team",
        "account",
        "enabled",
        usd("threshold_nanousd", _("Threshold")),
        usd("target_nanousd", _("Target")),
        usd("month_cap_nanousd", _("Cap a month")),
        "failures",
        "changed_at",
    )
    list_select_related = ("team",)
    list_filter = ("account", "enabled")
    search_fields = ("team__slug", "team__name")
    ordering = ("-changed_at", "-team")
    fields = readonly_fields = list_display

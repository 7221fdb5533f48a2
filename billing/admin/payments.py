"""Payments, purchases of Credits, and refunds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.forms import RefundForm
from billing.models import CreditPurchase, Payment, Refund
from billing.selectors.refunds import claw_back_of
from billing.services.refunds import check_refund
from billing.workflows.refunds import refund_payment
from quota.admin.columns import link, usd
from quota.money import usd_text
from teams.models import User
from teams.tasks import deliver_mail
from tokenplan.kit.admin import ReadOnlyAdmin, ReadOnlyInline, Verb, VerbsAdmin
from tokenplan.kit.enqueue import enqueue


def _preview(payment: Payment, values: Mapping[str, Any]) -> list[str]:
    amount = values["amount"]
    check_refund(payment=payment, amount_nanousd=amount, reason=values["reason"])
    said = [
        gettext("%(amount)s of %(received)s will be refunded to %(team)s.")
        % {
            "amount": usd_text(amount),
            "received": usd_text(payment.received_nanousd),
            "team": payment.team,
        }
    ]
    claw_back = claw_back_of(payment, amount_nanousd=amount)
    if claw_back is None:
        return [
            *said,
            gettext("It bought no Credits. Seats that it paid for work until their period ends."),
        ]
    taken, owed, lot = claw_back.taken_nanousd, claw_back.owed_nanousd, claw_back.lot
    said.append(
        gettext("Lot %(lot)s holds %(held)s and will lose %(taken)s.")
        % {"lot": lot.pk, "held": lot.words(lot.remaining_nanousd), "taken": lot.words(taken)}
    )
    if owed > taken:
        said.append(
            gettext("%(used)s of what is refunded were used already and stay used.")
            % {"used": lot.words(owed - taken)}
        )
    return said


def _refund(payment: Payment, values: Mapping[str, Any], by: User, at: datetime) -> str:
    refund_payment(
        payment=payment,
        amount_nanousd=values["amount"],
        reason=values["reason"],
        request=values["request"],
        at=at,
        by=by,
    )
    enqueue(deliver_mail)
    payment.refresh_from_db()
    amounts = {"amount": usd_text(values["amount"]), "total": usd_text(payment.refunded_nanousd)}
    return gettext("%(amount)s was refunded; %(total)s in total.") % amounts


class RefundInline(ReadOnlyInline):
    """Refunds that were made here. The payment's own amount also counts those made in Stripe's dashboard."""

    model = Refund
    fields = readonly_fields = (
        usd("amount_nanousd", _("Amount")),
        "reason",
        "state",
        "error",
        "by",
        "created_at",
        "stripe_id",
    )
    ordering = ("-created_at",)
    show_change_link = False


@admin.register(Payment)
class PaymentAdmin(VerbsAdmin[Payment]):
    list_display = (
        "stripe_id",
        "team",
        "status",
        usd("received_nanousd", _("Received")),
        usd("refunded_nanousd", _("Refunded")),
        "dispute",
        "created_at",
    )
    list_filter = ("status", "dispute")
    list_select_related = ("team",)
    search_fields = ("=stripe_id", "team__slug", "team__name", "team__memberships__user__email__contains")
    date_hierarchy = "created_at"
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "stripe_id",
        "team",
        "status",
        usd("amount_nanousd", _("Amount")),
        usd("received_nanousd", _("Received")),
        usd("refunded_nanousd", _("Refunded")),
        "dispute",
        "failure",
        "created_at",
        "purchase",
        "lot",
    )
    inlines = (RefundInline,)
    verbs = (Verb("refund", _("Refund"), RefundForm, _refund, preview=_preview),)

    @admin.display(description=_("Bought"))
    def purchase(self, payment: Payment) -> SafeString | str:
        return link(_bought(payment))

    @admin.display(description=_("Lot"))
    def lot(self, payment: Payment) -> SafeString | str:
        bought = _bought(payment)
        return link(bought.lot if bought else None)


def _bought(payment: Payment) -> CreditPurchase | None:
    return CreditPurchase.objects.filter(payment_id=payment.stripe_id).select_related("lot", "team").first()


@admin.register(CreditPurchase)
class CreditPurchaseAdmin(ReadOnlyAdmin[CreditPurchase]):
    list_display = (
        "created_at",
        "team",
        "kind",
        "bought",
        "state",
        "lot",
        "payment_id",
        "reason",
    )
    list_filter = ("account", "kind", "state")
    list_select_related = ("team", "lot__team")
    search_fields = ("=id", "=payment_id", "=invoice_id", "team__slug", "team__name")
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "id",
        "team",
        "account",
        "kind",
        "bought",
        "state",
        "checkout",
        "invoice_id",
        "payment",
        "lot",
        usd("clawed_nanousd", _("Refunded of the lot")),
        "reason",
        "created_at",
        "closed_at",
    )

    @admin.display(description=_("Bought"))
    def bought(self, purchase: CreditPurchase) -> str:
        return purchase.words

    @admin.display(description=_("Payment"))
    def payment(self, purchase: CreditPurchase) -> SafeString | str:
        return link(Payment.objects.filter(stripe_id=purchase.payment_id).first())


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin[Refund]):
    list_display = (
        "created_at",
        "payment",
        usd("amount_nanousd", _("Amount")),
        "state",
        "reason",
        "by",
        "error",
    )
    list_filter = ("state",)
    list_select_related = ("payment", "by")
    search_fields = ("=stripe_id", "=payment__stripe_id", "payment__team__slug", "reason")
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        "id",
        "payment",
        usd("amount_nanousd", _("Amount")),
        "state",
        "reason",
        "by",
        "created_at",
        "stripe_id",
        "error",
    )

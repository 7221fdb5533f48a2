"""Auto top-up, as a sweep: whatever was interrupted goes on where it stopped."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from billing import stripe_api
from billing.errors import AddressNeeded, NotOnSale, PaymentDeclined, StripeMissing, StripeRefused
from billing.models import AutoTopUp, CreditPurchase, Customer
from billing.money import PACKS
from billing.selectors.prices import pack_price_id
from billing.selectors.top_ups import spent_this_month
from billing.services import purchases, top_ups
from billing.stripe_api.invoice_snapshots import InvoiceSnapshot
from billing.sync.invoices import sync_invoice
from billing.workflows.batches import work_each
from billing.workflows.checkouts import purchase_metadata
from billing.workflows.customers import ensure_customer
from quota.models import Account
from teams.models import Team
from tokenplan.kit.stored_texts import stored_detail


def top_up_all(*, at: datetime) -> int:
    """Every Team whose Credits, or API balance, are below their threshold. Returns how many purchases are
    paid. Raises PaymentsUnavailable.
    """
    return sum(_top_up_account(account, at) for account in Account)


def _top_up_account(account: Account, at: datetime) -> int:
    waiting = CreditPurchase.objects.filter(
        account=account, kind=CreditPurchase.Kind.TOP_UP, state=CreditPurchase.State.WAITING
    )
    ordered = AutoTopUp.objects.filter(account=account, enabled=True).values("team")
    teams = Team.objects.live().filter(Q(pk__in=ordered) | Q(pk__in=waiting.values("team")))
    return work_each(
        teams,
        lambda team: top_up(team=team, account=account, at=at),
        f"The {account.label} of the Team %s were not topped up",
    )


def top_up(*, team: Team, account: Account = Account.CREDITS, at: datetime) -> bool:
    """One account of a Team. Whether it was charged now. A purchase that waits is finished first: its invoice
    exists once, and is paid once. A payment that is under way, such as a bank debit of days, is waited for,
    for as long as Stripe says. Raises PaymentsUnavailable: the purchase waits, and is tried again.
    """
    purchase = top_ups.begin_top_up(team=team, account=account, at=at)
    if purchase is None:
        return False
    try:
        invoice = _charged(purchase, at)
    except (PaymentDeclined, StripeRefused, StripeMissing, NotOnSale, AddressNeeded) as refusal:
        return _give_up(purchase, stored_detail(refusal), at)
    if invoice is None:
        return False
    sync_invoice(invoice.id, at)
    purchase.refresh_from_db()
    if purchase.state == CreditPurchase.State.WAITING and invoice.status in ("void", "uncollectible"):
        return _give_up(purchase, _("The invoice was given up."), at)
    return purchase.state == CreditPurchase.State.PAID


def _charged(purchase: CreditPurchase, at: datetime) -> InvoiceSnapshot | None:
    """The invoice, charged now unless it was before; None while its payment is under way. Raises
    PaymentDeclined where it is not to be paid, and what Stripe says.
    """
    invoice = _found_invoice(purchase, at)
    payment = stripe_api.payment(invoice.payment_id) if invoice and invoice.payment_id else None
    if payment is not None and payment.is_under_way:
        return None
    _refuse_what_is_not_ordered(purchase)
    if payment is not None and payment.failure and payment.status != "succeeded":
        raise PaymentDeclined(payment.failure)
    invoice = invoice or _billed(purchase, at)
    if invoice.status == "open":
        card_id = _card_id(invoice.customer_id)
        invoice = stripe_api.pay_invoice(invoice.id, payment_method_id=card_id)
    return invoice


def _refuse_what_is_not_ordered(purchase: CreditPurchase) -> None:
    """Raises PaymentDeclined for a purchase that waits and is no longer ordered, or is more than the order
    that holds now would buy, or than its cap leaves of the month.
    """
    order = AutoTopUp.objects.filter(team=purchase.team, account=purchase.account, enabled=True).first()
    if order is None:
        raise PaymentDeclined(_("Auto top-up was switched off."))
    month = spent_this_month(purchase.team, purchase.created_at, Account(order.account))
    too_much = purchase.amount_nanousd > PACKS[order.account].whole(order.target_nanousd)
    if too_much or month > order.month_cap_nanousd:
        raise PaymentDeclined(_("Auto top-up was changed: it buys less now."))


def _found_invoice(purchase: CreditPurchase, at: datetime) -> InvoiceSnapshot | None:
    """The purchase's invoice, where there is one. An interrupted run may have made it and not noted it, and
    Stripe forgets idempotency keys after a day: so it is looked for among the Team's invoices. No other one
    is read. Raises AnswerUnreadable for its own: it may be paid, and is not billed a second time.
    """
    if purchase.invoice_id:
        return stripe_api.invoice(purchase.invoice_id)
    customer = Customer.objects.filter(team=purchase.team).exclude(stripe_id=None).first()
    if purchase.created_at == at or customer is None:
        return None
    made = stripe_api.invoices(str(customer.stripe_id))
    listed = next((bill for bill in made if bill.metadata.get("purchase") == str(purchase.pk)), None)
    invoice = listed.read() if listed else None
    if invoice is None or invoice.status == "draft":  # a draft of ours is never charged by itself
        return None
    _note_invoice(purchase, invoice)
    return invoice


def _note_invoice(purchase: CreditPurchase, invoice: InvoiceSnapshot) -> None:
    purchases.set_invoice_id(purchase=purchase, invoice_id=invoice.id)
    purchase.invoice_id = invoice.id


def _billed(purchase: CreditPurchase, at: datetime) -> InvoiceSnapshot:
    """Makes the purchase's invoice."""
    customer_id = ensure_customer(team=purchase.team, at=at)
    _card_id(customer_id)  # without one there is nothing to bill
    invoice = stripe_api.bill_credits(
        request=purchase.pk,
        customer_id=customer_id,
        price_id=pack_price_id(purchase.account),
        packs=purchase.amount_nanousd // PACKS[purchase.account].nanousd,
        metadata={"team": str(purchase.team_id), **purchase_metadata(purchase)},
    )
    _note_invoice(purchase, invoice)
    return invoice


def _card_id(customer_id: str) -> str:
    """Stripe's id of the card, or Link wallet, that is charged. Raises PaymentDeclined where there is
    none."""
    customer = stripe_api.customer(customer_id)
    if not customer.payment_method_id and customer.other_methods:
        text = _(
            "There is no card to charge; add one under Cards and invoices: %(method)s cannot be charged."
        )
        raise PaymentDeclined(text % {"method": customer.other_methods[0]})
    if not customer.payment_method_id:
        raise PaymentDeclined(_("There is no card to charge; add one under Cards and invoices."))
    return customer.payment_method_id


def _give_up(purchase: CreditPurchase, reason: str, at: datetime) -> bool:
    """Makes sure that it is not charged later: voids the invoice first, then marks the purchase as failed,
    unless it was paid after all. Always False, for `top_up` to return.
    """
    purchase.refresh_from_db()
    if purchase.invoice_id:
        with suppress(StripeRefused, StripeMissing):  # void already, or paid: the sync says which
            stripe_api.void_invoice(purchase.invoice_id)
        sync_invoice(purchase.invoice_id, at)
    top_ups.fail_top_up(purchase=purchase, reason=reason, at=at)
    return False

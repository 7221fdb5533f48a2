"""What entries of the audit log about what was bought say."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from quota.money import credits_words, nanousd_from_credits, usd_text
from teams.audit_sentences import Said, Sentence, plain

_STATUSES = {
    "active": _lazy("active"),
    "past_due": _lazy("past due"),
    "unpaid": _lazy("unpaid"),
    "canceled": _lazy("canceled"),
    "incomplete": _lazy("waiting for its first payment"),
    "incomplete_expired": _lazy("given up, unpaid"),
    "succeeded": _lazy("paid"),
    "failed": _lazy("failed"),
    "processing": _lazy("under way"),
    "requires_payment_method": _lazy("waiting for a payment method"),
    "requires_action": _lazy("waiting for the bank"),
}


def _status(said: Said) -> str:
    status = said.text("status")
    return str(_STATUSES.get(status, status.replace("_", " ")))


def _subscription(said: Said) -> str:
    text = (
        _("The subscription is %(status)s; it renews on %(until)s UTC.")
        if said.details.get("renews")
        else _("The subscription is %(status)s; it ends on %(until)s UTC.")
    )
    return text % {"status": _status(said), "until": said.moment("until")}


def _asked(said: Said) -> str:
    amount = int(said.details.get("amount_nanousd") or 0)
    if not amount:
        return _("Asked for: %(subject)s.") % {"subject": said.subject}
    return _("Asked for: %(subject)s, for %(amount)s.") % {
        "subject": said.subject,
        "amount": usd_text(amount),
    }


def _contacts(said: Said) -> str:
    after = said.text("after")
    if not after:
        return _("No further address gets the mails about payments.")
    return _("The mails about payments also go to %(emails)s.") % {"emails": after}


def _invoice_details(said: Said) -> str:
    names = {
        "name": _("company"),
        "email": _("where they are sent"),
        "tax_id": _("tax id"),
        "purchase_order": _("purchase order number"),
    }
    after = [name for name in said.details if not name.endswith("_before") and name != "tax_id_type"]
    changed = sorted({names.get(name, _("address")) for name in after})
    return _("Changed what stands on invoices: %(names)s.") % {"names": ", ".join(changed)}


def _not_done(said: Said) -> str:
    text = _("Not done: %(subject)s. %(reason)s")
    return text % {"subject": said.subject, "reason": said.text("reason")}


def _end_missed(said: Said) -> str:
    text = _("The subscription went on after its end: %(refund)s paid back, %(balance)s to the balance.")
    return text % {"refund": said.text("refund"), "balance": said.text("balance")}


def _payment(said: Said) -> str:
    values = {
        "amount": usd_text(int(said.details.get("amount_nanousd") or 0)),
        "refunded": usd_text(int(said.details.get("refunded_nanousd") or 0)),
        "status": _status(said),
    }
    if said.text("dispute") not in ("", "none"):
        return _("A payment of %(amount)s is disputed at the bank.") % values
    if said.details.get("refunded_nanousd"):
        return _("Of a payment of %(amount)s, %(refunded)s were paid back.") % values
    return _("A payment of %(amount)s: %(status)s.") % values


def _refund_asked(said: Said) -> str:
    text = _("Asked Stripe to pay back %(amount)s: %(reason)s")
    return text % {"amount": said.text("amount"), "reason": said.text("reason")}


def _refund(said: Said) -> str:
    return _("%(amount)s were paid back.") % {"amount": said.text("amount")}


def _refund_refused(said: Said) -> str:
    text = _("%(amount)s could not be paid back: %(error)s")
    return text % {"amount": said.text("amount"), "error": said.text("error")}


def _checkout_begun(said: Said) -> str:
    if said.text("promotion_code"):
        text = _("Went to pay for %(subject)s, with the code %(code)s.")
        return text % {"subject": said.subject, "code": said.text("promotion_code")}
    return _("Went to pay for %(subject)s.") % {"subject": said.subject}


def _redeemed(said: Said) -> str:
    text = _("Used the promotion code %(code)s for %(what)s.")
    return text % {"code": said.subject, "what": said.text("what")}


def _exact(text: str) -> str:
    """Credits as people read them; dollars as they stand."""
    return text if text.startswith("$") else credits_words(nanousd_from_credits(text or "0"))


def _auto_top_up(said: Said) -> str:
    if not said.details.get("enabled"):
        return _("Auto top-up is off.")
    text = _("Auto top-up is on: below %(threshold)s, up to %(target)s, at most %(cap)s a month.")
    return text % {
        "threshold": _exact(said.text("threshold")),
        "target": _exact(said.text("target")),
        "cap": _exact(said.text("month_cap")),
    }


def _top_up_begun(said: Said) -> str:
    amount = said.text("usd") or _("%(credits)s Credits") % {"credits": _exact(said.text("credits"))}
    return _("Auto top-up: %(amount)s are being bought.") % {"amount": amount}


def _top_up_failed(said: Said) -> str:
    text = _("Auto top-up failed: %(reason)s")
    if said.details.get("switched_off"):
        text = _("Auto top-up failed, and is off now: %(reason)s")
    return text % {"reason": said.text("reason")}


# Of no Team: operators alone read these.
_OF_OPERATORS: dict[str, Sentence] = {
    "campaign.asked": plain(_lazy("Asked Stripe for the invite campaign %(subject)s.")),
    "campaign.at_stripe": plain(_lazy("The invite campaign %(subject)s is at Stripe.")),
    "campaign.words_set": plain(_lazy("Set the words of the invite campaign %(subject)s.")),
    "campaign.ended": plain(_lazy("Ended the invite campaign %(subject)s.")),
    "invite.link_made": plain(_lazy("Made the invite link %(subject)s.")),
    "invite.came": plain(_lazy("Came by the invite link %(subject)s.")),
    "invite.link_blocked": plain(_lazy("Blocked the invite link %(subject)s.")),
    "promotion.asked": plain(_lazy("Asked Stripe for the promotion code %(subject)s.")),
    "promotion.terms_set": plain(_lazy("Set the terms of the promotion code %(subject)s.")),
    "promotion.activated": plain(_lazy("Activated the promotion code %(subject)s.")),
    "promotion.deactivated": plain(_lazy("Deactivated the promotion code %(subject)s.")),
    "stripe_event.replayed": plain(_lazy("Replayed the event %(subject)s of Stripe's.")),
}

SENTENCES: dict[str, Sentence] = {
    **_OF_OPERATORS,
    "subscription.changed": _subscription,
    "subscription.change_asked": _asked,
    "subscription.change_done": plain(_lazy("Done: %(subject)s.")),
    "subscription.change_not_done": _not_done,
    "subscription.change_undone": plain(_lazy("Undone, since it was paid back: %(subject)s.")),
    "subscription.planned": plain(_lazy("Planned for the period's end: %(subject)s.")),
    "subscription.cancel_asked": plain(_lazy("Canceled the subscription: it ends with its period.")),
    "subscription.resume_asked": plain(_lazy("Resumed the subscription: it renews again.")),
    "subscription.end_missed": _end_missed,
    "billing.contacts": _contacts,
    "billing.invoice_details": _invoice_details,
    "payment.changed": _payment,
    "payment.refund_asked": _refund_asked,
    "payment.refunded": _refund,
    "payment.refund_refused": _refund_refused,
    "payment.refund_failed": _refund_refused,
    "checkout.begun": _checkout_begun,
    "checkout.open": plain(_lazy("The payment page is open: %(subject)s.")),
    "checkout.processing": plain(_lazy("The payment is under way: %(subject)s.")),
    "checkout.paid": plain(_lazy("Paid: %(subject)s.")),
    "checkout.expired": plain(_lazy("The payment page was left: %(subject)s.")),
    "checkout.failed": plain(_lazy("The payment failed: %(subject)s.")),
    "promotion.redeemed": _redeemed,
    "promotion.given_up": plain(_lazy("The promotion code %(subject)s was not used after all.")),
    **{
        f"{account}.{kind}": sentence
        for account in ("credits", "balance")
        for kind, sentence in {
            "auto_top_up": _auto_top_up,
            "top_up_begun": _top_up_begun,
            "top_up_failed": _top_up_failed,
        }.items()
    },
}

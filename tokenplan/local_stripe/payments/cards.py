"""Test cards, test bank accounts and a Link wallet. As Stripe documents them, the number decides what
happens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tokenplan.local_stripe.objects.blank import blank
from tokenplan.local_stripe.objects.errors import Object

# The message to a card's holder, by decline code.
MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
}


@dataclass(frozen=True, slots=True)
class SampleCard:
    """A test card or bank account, and how it behaves. The API knows it as `token`, such as
    `pm_card_visa`.

    `decline`: it is declined with this code; `decline_later`: only once it is attached to a customer.
    `asks`: the bank asks its holder to authenticate, "always", or "once" until that was done. `delayed`:
    the money comes later, or does not (`fails_later`). `disputed`: its holder disputes the payment.
    `refund_fails`: money that is paid back to it comes back.
    """

    number: str
    token: str
    label: str
    type: str = "card"
    brand: str = "visa"
    decline: str = ""
    decline_later: str = ""
    asks: str = ""
    delayed: bool = False
    fails_later: bool = False
    disputed: bool = False
    refund_fails: bool = False

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same number, as at Stripe. A stored payment method has it, and so behaves as
        its card.
        """
        return hashlib.sha256(self.number.encode()).hexdigest()[:16]

    @property
    def spaced(self) -> str:
        """The number in groups of four, as cards have it."""
        if self.type != "card":
            return self.number
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))


GOOD = SampleCard("4242424242424242", "pm_card_visa", "works")
METHODS = (
    GOOD,
    SampleCard("5555555555554444", "pm_card_mastercard", "works", brand="mastercard"),
    SampleCard("4000000000000002", "pm_card_visa_chargeDeclined", "is declined", decline="generic_decline"),
    SampleCard(
        "4000000000009995",
        "pm_card_visa_chargeDeclinedInsufficientFunds",
        "is declined: insufficient funds",
        decline="insufficient_funds",
    ),
    SampleCard(
        "4000002500003155",
        "pm_card_authenticationRequiredOnSetup",
        "needs authentication, once",
        asks="once",
    ),
    SampleCard(
        "4000002760003184", "pm_card_authenticationRequired", "needs authentication, always", asks="always"
    ),
    SampleCard(
        "4000000000000341",
        "pm_card_chargeCustomerFail",
        "works now, is declined on every later charge",
        decline_later="generic_decline",
    ),
    SampleCard("4000000000000259", "pm_card_createDispute", "works, and is disputed", disputed=True),
    SampleCard(
        "4000000000005126", "pm_card_refundFail", "works, and a refund of it fails later", refund_fails=True
    ),
    SampleCard(
        "000123456789",
        "pm_usBankAccount_success",
        "bank account: the money comes later",
        type="us_bank_account",
        delayed=True,
    ),
    SampleCard(
        "000222222227",
        "pm_usBankAccount_insufficientFunds",
        "bank account: fails later",
        type="us_bank_account",
        delayed=True,
        fails_later=True,
    ),
    SampleCard("000000", "pm_link", "Link: works", type="link"),
)
BY_NUMBER = {method.number: method for method in METHODS}
BY_TOKEN = {method.token: method for method in METHODS}
_BY_FINGERPRINT = {method.fingerprint: method for method in METHODS}
_LINK = BY_TOKEN["pm_link"]


def behaviour(payment_method: Object) -> SampleCard:
    """How a payment method object behaves. A Link wallet shows nothing of what is behind it."""
    if payment_method["type"] == "link":
        return _LINK
    return _BY_FINGERPRINT[payment_method[payment_method["type"]]["fingerprint"]]


def details(method: SampleCard, year: int) -> Object:
    """The part of a payment method object that describes the card or account."""
    if method.type == "link":
        return blank("payment_method.link")
    own: Object = {"fingerprint": method.fingerprint, "last4": method.last4}
    if method.type == "card":
        brands = {"brand": method.brand, "display_brand": method.brand}
        own |= {**brands, "exp_year": year + 5, "networks": {"available": [method.brand]}}
    return blank(f"payment_method.{method.type}", **own)


# What a charge repeats of the payment method it used.
REPEATED = {
    "card": (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    ),
    "us_bank_account": (
        "account_holder_type",
        "account_type",
        "bank_name",
        "fingerprint",
        "last4",
        "routing_number",
    ),
    "link": (),
}


def charged_details(payment_method: Object) -> Object:
    """The part of a charge that describes the card or account it was made to."""
    kind = payment_method["type"]
    own = payment_method[kind]
    fields = {name: own[name] for name in REPEATED[kind]}
    if kind == "card":
        fields["network"] = own["brand"]
    return {"type": kind, kind: blank(f"charge.{kind}", **fields)}

"""Payment methods: how people know them, and what they can pay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from billing.stripe_api.reading import Object, id_of

# The types that pay at once, as Stripe names them. A wallet such as Apple Pay is a card to Stripe. With all
# others, such as a bank debit, the money comes days later, or not at all.
AT_ONCE = ("card", "link")


@dataclass(frozen=True, slots=True)
class Method:
    """`text` is how people know it, in no language: "Visa ···· 4242". `pays_at_once`: it can pay what is
    charged while nobody is there; the others cannot.
    """

    id: str
    text: str
    pays_at_once: bool
    created: int = 0


def method_of(reference: Object | str | None) -> Method | None:
    """An expanded payment method; None where there is none, or where it was not expanded."""
    if not isinstance(reference, Mapping):
        return None
    kind = str(reference.get("type") or "")
    made = reference.get("created")
    return Method(
        id_of(reference), _text(kind, reference), kind in AT_ONCE, made if isinstance(made, int) else 0
    )


def _text(kind: str, method: Object) -> str:
    """The name of card, bank or wallet, with the last digits or the e-mail address that tell it apart."""
    own = method.get(kind)
    own = own if isinstance(own, Mapping) else {}
    name = str(own.get("brand") or own.get("bank_name") or kind.replace("_", " ")).strip()
    name = name.title() if name == name.lower() else name
    last4, email = own.get("last4"), own.get("email") or own.get("payer_email")
    return f"{name} ···· {last4}" if last4 else f"{name} ({email})" if email else name

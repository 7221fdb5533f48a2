"""What rows keep of changes and purchases as a text, in the default language, said again in the reader's."""

from __future__ import annotations

from django.utils.translation import gettext_noop

from tokenplan.kit.stored_texts import Pattern, said_again

# As `change_previews`, `checkouts`, `undos` and their kin write them, and entries of the audit name seats.
PATTERNS: list[Pattern] = list(
    {
        "Seat %(number)s": "",
        "Undo: %(change)s": "",
        "End of the seats of invoice %(invoice)s": "",
        "The subscription %(subscription)s has ended.": "",
        "Add %(count)s seat of %(plan)s": "Add %(count)s seats of %(plan)s",
        "Move seat %(seats)s to %(plan)s": "Move seats %(seats)s to %(plan)s",
        "Give up seat %(seats)s at the period's end": "Give up seats %(seats)s at the period's end",
        "Keep seat %(seats)s as now": "Keep seats %(seats)s as now",
        "%(seats)s and %(count)s more": "",
        "%(seats)s, paid yearly": "",
        "%(seats)s, paid monthly": "",
        "%(credits)s Credits": "",
        "%(amount)s of API balance": "",
        "It is %(amount)s now, not %(shown)s; confirm again if you agree.": "",
        "It is %(amount)s now, and was shown long ago; confirm again if you agree.": "",
        "The payment service refused this: %(reason)s": "",
        # As Stripe words the lines of invoices; what it words otherwise stays in English.
        gettext_noop("%(count)s × %(product)s (at %(price)s / month)"): "",
        gettext_noop("%(count)s × %(product)s (at %(price)s / year)"): "",
        gettext_noop("Unused time on %(product)s after %(day)s"): "",
        gettext_noop("Remaining time on %(product)s after %(day)s"): "",
    }.items()
)


def in_readers_words(text: str) -> str:
    """A text of a change, a checkout, a purchase or an invoice's line, or a reason in the active language."""
    return said_again(text, PATTERNS)

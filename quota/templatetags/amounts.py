"""Money, Credits, moments and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst

from quota.ledger_causes import cause_words
from quota.models import Account
from quota.money import NANOUSD_PER_CREDIT, NANOUSD_PER_USD, credits_words, usd_text
from quota.windows import window_label

register = template.Library()

CENT = NANOUSD_PER_USD // 100


@register.filter
def usd(nanousd: int) -> str:
    """Exact: `$0.0035`, `$1,200.00`."""
    return usd_text(nanousd)


@register.filter
def cents(nanousd: int) -> str:
    """But for receipts, which are exact: to the cent, rounded half up; less is not called nothing."""
    rounded = int((Decimal(nanousd) / CENT).quantize(Decimal(1), ROUND_HALF_UP)) * CENT
    if rounded or not nanousd:
        return usd_text(rounded)
    return "<$0.01" if nanousd > 0 else ">-$0.01"


@register.filter
def about_credits(nanousd: int) -> str:
    """In lists: Credits with at most two decimals, in the same way."""
    step = NANOUSD_PER_CREDIT // 100
    rounded = int((Decimal(nanousd) / step).quantize(Decimal(1), ROUND_HALF_UP)) * step
    if rounded or not nanousd:
        return credits_words(rounded)
    return "<0.01" if nanousd > 0 else ">-0.01"


@register.filter("credits")
def grouped_credits(nanousd: int) -> str:
    """Exact Credits: `12,000`, `0.5`, `-3.25`."""
    return credits_words(nanousd)


@register.filter
def in_account(nanousd: int, account: str) -> str:
    """An amount of an account: `12,000 Credits`, `$12.00`. Where none is named, as in old mails: Credits."""
    return Account(account or Account.CREDITS).words(nanousd)


@register.filter
def signed_credits(nanousd: int) -> str:
    """As `credits`, with a plus where the lot gained."""
    return f"+{grouped_credits(nanousd)}" if nanousd > 0 else grouped_credits(nanousd)


@register.filter
def local(iso: str) -> str:
    """A moment that a mail's context holds in ISO 8601, to the minute, as its reader's clock has it:
    `3 Jun 2026, 12:02 CEST`.
    """
    return date_format(timezone.localtime(datetime.fromisoformat(iso)), "j M Y, H:i T")


@register.filter
def cause(text: str) -> str:
    """Why the ledger has an entry. A capital first, but not where a language puts a model's name there."""
    said = cause_words(text)
    return capfirst(said) if text.endswith(said) else said


@register.filter("window_label")
def label_of_window(name: str, length_seconds: int) -> str:
    """A window by the name and length of its limit: `5-hour`, `weekly`."""
    return window_label(name, length_seconds)


@register.filter
def named(names: Mapping[str, str], code: str) -> str:
    """The name that `names` has for a code; the code itself where it has none."""
    return names.get(code, code)

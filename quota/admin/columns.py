"""Columns that several lists have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from quota.models import Account
from quota.money import credits_words, usd_text

if TYPE_CHECKING:  # only the type stubs have this name for what gettext_lazy returns
    from django.utils.functional import _StrPromise

# A function of the row. Django takes one wherever it takes a field's name; its type stubs allow only names.
Column = Any


def usd(field: str, description: str | _StrPromise) -> Column:
    """A field of nano-dollars, in dollars; a dash where it is empty."""
    return _amount(field, description, usd_text)


def in_credits(field: str, description: str | _StrPromise) -> Column:
    """A field of nano-dollars, in Credits; a dash where it is empty."""
    return _amount(field, description, credits_words)


def _amount(field: str, description: str | _StrPromise, words: Callable[[int], str]) -> Column:
    @admin.display(description=description, ordering=field)
    def column(row: Any) -> str:
        nanousd = getattr(row, field)
        return "-" if nanousd is None else words(nanousd)

    return column


def of_account(field: str, description: str | _StrPromise) -> Column:
    """A field of nano-dollars, in what the row's account counts in: Credits, or dollars of API balance."""

    @admin.display(description=description, ordering=field)
    def column(row: Any) -> str:
        return Account(row.account).words(getattr(row, field))

    return column


def link(row: Model | None) -> SafeString | str:
    """A link to the row's own page; a dash without a row."""
    if row is None:
        return "-"
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', url, row)

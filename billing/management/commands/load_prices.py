"""`manage.py load_prices [FILE] [--draft] [--dry-run]`: prices new plans, and shows what differs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from billing.management.lists import DATA, ListCommand
from billing.models import Price
from billing.money import PACKS
from billing.price_lists import price_lines
from billing.selectors.plan_lists import ListedPrices, listed_prices
from billing.services.plan_lists import load_prices
from quota.models import Account
from quota.money import usd_text
from quota.plan_terms import Line


class Command(ListCommand[ListedPrices]):
    help = "Gives drafts without prices those of a file, and shows how the others differ."
    shipped = DATA / "prices.json"
    all_the_same = "All prices are as the list says."

    def compared(self, text: str) -> list[ListedPrices]:
        return listed_prices(text)

    def loaded(self, text: str, draft: bool, at: datetime) -> list[ListedPrices]:
        return load_prices(text=text, draft=draft, at=at, by=None)

    def differences(self, row: ListedPrices) -> list[Line]:
        return row.differences

    def filled(self, row: ListedPrices) -> list[str]:
        lines = []
        if row.is_empty:
            prices = ", ".join(f"{label}: {price}" for label, price in price_lines(row.amounts).items())
            lines.append(f"{row.plan} gets its prices. {prices}.")
        if row.is_first_sale:
            lines.append(f"{row.plan} goes on sale: nothing was on sale before.")
        return lines

    def beside(self) -> list[str]:
        priced = set(Price.objects.filter(plan=None).values_list("lookup_key", flat=True))
        sold = [(Account(account), pack) for account, pack in PACKS.items() if pack.key not in priced]
        return [
            f"{account.words(pack.nanousd)} of {account.label} get their price: {usd_text(pack.nanousd)}."
            if account is Account.BALANCE
            else f"{account.words(pack.nanousd)} get their price: {usd_text(pack.nanousd)}."
            for account, pack in sold
        ]

    def title(self, row: ListedPrices) -> Any:
        return row.plan

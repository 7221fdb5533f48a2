"""Whoever a page shows a link to may follow it: no way that is offered ends at a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from tests.helpers.cases import many
from tests.helpers.console_pages import signed_in
from tests.helpers.stripe_account import StripeAccount
from tests.helpers.tenants import make_rows

pytestmark = pytest.mark.django_db(transaction=True)
SHOWN = re.compile(r'(?:href|hx-get)="(/[^"#]*)')
# Files, what a program reads, and what ends the visit.
NOT_FOLLOWED = re.compile(r"^/(static|api|accounts/logout)/|/file/|format=csv")


def kind_of(address: str) -> str:
    """Of rows of one kind, and values of one filter, the first stands for all."""
    return re.sub(r"=[^&]*", "=", re.sub(r"/[\da-f-]{36}|/\d+", "/-", address))


def refused(client: Client, begin: str) -> Iterator[str]:
    """Every link that leads nowhere from there on, with the page that shows it."""
    seen, waits = {kind_of(begin)}, [(begin, "")]
    while waits:
        address, shown_by = waits.pop()
        page = client.get(address, follow=True)
        if page.status_code >= 400:
            yield f"{shown_by} leads to {address}: {page.status_code}"
        for found in map(unescape, SHOWN.findall(page.content.decode())):
            if kind_of(found) not in seen and not NOT_FOLLOWED.search(found):
                seen.add(kind_of(found))
                waits.append((found, address))


@pytest.mark.parametrize("role", many(["owner", "member", "admin", "payer"], quick=2))
def test_every_link_that_somebody_is_shown_opens(role: str, account: StripeAccount) -> None:
    made = make_rows(at=timezone.now() - timedelta(minutes=2))

    assert list(refused(signed_in(made.users[role]), f"/teams/{made.team.slug}/")) == []

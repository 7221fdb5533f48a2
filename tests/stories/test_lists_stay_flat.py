"""However large a Team is, each page with a list asks the database as often, and is as light."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from quota.api import csv_answers
from quota.selectors import api_keys, invitations, member_requests, roster, seats
from teams.models import User
from tests.helpers.address_table import PAGES
from tests.helpers.factories import owner_of
from tests.helpers.large_team import LargeTeam
from tests.helpers.page_fixtures import as_user, at_t0, nothing_enqueued
from tests.helpers.stripe_says import Bill, put_on_sale

__all__ = ["as_user", "at_t0", "nothing_enqueued"]
pytestmark = pytest.mark.django_db

# Of an address of the Team, with what is asked of it.
OF_THE_TEAM = {
    **dict.fromkeys(("team", "team-members", "team-invitations", "team-requests", "team-seats"), ""),
    **dict.fromkeys(("team-usage", "team-charges", "team-credits", "team-credits-purchases"), ""),
    **dict.fromkeys(("team-api-keys", "team-balance", "team-balance-purchases", "team-audit"), ""),
    **dict.fromkeys(("account-usage", "account-refused", "team-settings"), ""),
    **dict.fromkeys(("api-members", "api-seats", "api-invitations", "api-audit", "api-team-receipts"), ""),
    **dict.fromkeys(("api-seat-requests", "api-credit-requests", "api-api-keys", "api-credit-lots"), ""),
    **dict.fromkeys(("api-credit-ledger", "api-balance-lots", "api-balance-ledger"), ""),
    **dict.fromkeys(("api-balance-purchases", "api-credit-purchases"), ""),
}
SHOWN = {
    "team-members": roster.Shown,
    "team-seats": seats.Shown,
    "team-invitations": invitations.Shown,
    "team-requests": member_requests.Shown,
    "team-api-keys": api_keys.Shown,
}
OF_A_PERSON = ("account", "account-bars", "account-tokens", "api-tokens", "api-teams", "api-my-usage")
WEIGHT = 200_000


def addresses(firm: LargeTeam) -> dict[str, str]:
    found = {name: reverse(name, args=[firm.team.slug]) + asked for name, asked in OF_THE_TEAM.items()}
    found |= {name: reverse(name) for name in OF_A_PERSON}
    for stack in ("model", "tag", "payer"):
        found[f"team-usage by {stack}"] = f"{found['team-usage']}?group={stack}"
    for name, choices in SHOWN.items():
        for shown in choices.values:
            found[f"{name}, {shown}"] = f"{found[name]}?show={shown}"
    for kind in member_requests.Kind.values:
        found[f"team-requests, {kind}"] = f"{found['team-requests']}?kind={kind}"
    found["account-refused, found"] = f"{found['account-refused']}?model=x&start=2026-06-01"
    found["team-api-keys, found"] = f"{found['team-api-keys']}?q=m"
    found["team-members, one found"] = f"{found['team-members']}?q=m1"
    for name in ("team-credits", "team-balance"):
        found[f"{name}, filtered"] = f"{found[name]}?kind=purchase&member=m1&start=2026-01-01"
    for name in ("team-credits-purchases", "team-balance-purchases"):
        found[f"{name}, filtered"] = f"{found[name]}?state=waiting&start=2026-01-01"
    found["team-member"] = reverse("team-member", args=[firm.team.slug, firm.member.pk])
    found["team-seat"] = reverse("team-seat", args=[firm.team.slug, firm.seat.pk])
    found["search"] = reverse("search")
    return found


def files(firm: LargeTeam) -> dict[str, str]:
    """What lists have for spreadsheets: all of them, so many rows at once."""
    names = [name for name, address in PAGES.items() if name.endswith("-csv") and "GET" in address.methods]
    names.remove("team-paid-seats-csv")  # nothing is bought here; it has a test of its own (billing/views)
    found = {name: reverse(name, args=[firm.team.slug]) for name in names}
    return found | {"team-usage, file": reverse("team-usage", args=[firm.team.slug]) + "?format=csv"}


# Whatever is searched for there is posted, so that no address has it.
POSTED = {"search", "support-search"}


def of_support(firm: LargeTeam) -> dict[str, str]:
    """Operators' pages: of the Team, of its Owner, and each list."""
    found = {
        f"list of {model._meta.label}": reverse(
            f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        )
        for model in site._registry
    }
    found["support-team"] = reverse("support-team", args=[firm.team.pk])
    found["support-person"] = reverse("support-person", args=[firm.owner.user_id])
    bars = reverse("support-bars", args=[firm.owner.user_id])
    found["support-bars"] = f"{bars}?of=bar-{firm.owner.pk}"
    found["support-search"] = reverse("support-search")
    return found


def asked(client: Client, pages: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Of each page how many queries it takes, and how many bytes it has."""
    found = {}
    for name, url in pages.items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.post(url, {"q": "m1"}) if name in POSTED else client.get(url)
            assert answer.status_code == 200, (name, answer.status_code)
            weight = len(answer.getvalue())  # a file may be read while it is sent
        found[name] = (len(queries), weight)
    return found


def queries(found: Mapping[str, tuple[int, int]]) -> dict[str, int]:
    return {name: number for name, (number, _) in found.items()}


def test_every_list_takes_as_many_queries_of_500_as_of_20(
    as_user: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_answers, "ROWS_AT_ONCE", 5_000)  # a file asks again for each batch
    firm = LargeTeam()
    client, pages = as_user(firm.owner.user), addresses(firm) | files(firm)
    firm.grow(20)
    asked(client, {name: pages[name] for name in ("team", "team-seats")})  # what is read once a process
    few = asked(client, pages)

    firm.grow(480)

    many = asked(client, pages)
    now = queries(many)
    assert {name for name in files(firm) if many[name][1] < few[name][1] + 480} == set()
    assert {name: (number, now[name]) for name, number in queries(few).items() if now[name] != number} == {}


def test_billing_takes_as_many_queries_of_300_paid_seats_as_of_50_and_is_light(
    as_user: Callable[[User], Client],
) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 50})
    client = as_user(owner_of(bill.team).user)
    names = ("team-billing", "team-paid-seats-csv")
    pages = {name: reverse(name, args=[bill.team.slug]) for name in names}
    asked(client, pages)
    few = asked(client, pages)

    bill.say({"max": 300})

    many = asked(client, pages)
    assert queries(many) == queries(few)
    assert many["team-billing"][1] < WEIGHT / 2


@pytest.mark.slow
def test_every_list_of_5000_takes_as_many_queries_as_of_60_and_is_light(
    as_user: Callable[[User], Client],
) -> None:
    firm = LargeTeam()
    client, pages = as_user(firm.owner.user), addresses(firm)
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "x"))
    support = of_support(firm)
    firm.grow(60)
    asked(client, pages)
    asked(operator, support)
    few = asked(client, pages) | asked(operator, support)

    firm.grow(4_940)

    many = asked(client, pages) | asked(operator, support)
    now = queries(many)
    assert {name: (number, now[name]) for name, number in queries(few).items() if now[name] != number} == {}
    assert {name: weight for name, (_, weight) in many.items() if weight > WEIGHT} == {}

"""However large a Team is, each page with a list asks the database as often, and is as light."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.admin import site
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from quota.selectors import api_keys, invitations, member_requests, roster, seats
from teams.models import User
from teams.services.seats import assign_seat
from tests.helpers.address_table import OWN_API, OWN_PAGES, TEAMS
from tests.helpers.factories import T0, make_member, owner_of
from tests.helpers.large_team import LargeTeam
from tests.helpers.page_fixtures import as_user, at_t0, nothing_enqueued
from tests.helpers.passkeys import PAGES as PASSKEY_PAGES
from tests.helpers.stripe_says import Bill, put_on_sale
from tests.helpers.weight import MOST_BYTES, sizes_of_files
from tokenplan.kit import csv_answers
from tokenplan.static_files import gather

__all__ = ["as_user", "at_t0", "nothing_enqueued"]
pytestmark = pytest.mark.django_db

A_FILE = "it is a file, of any length"
NOTHING_BOUGHT = "nothing is bought here: billing/views/test_overview_seats.py"
A_VERB = "it only takes what a button sends"
ONES_FACTORS = "nobody has more than a few factors"
PAID_FOR = "it asks Stripe, and has as many lines as there are plans"
# All else that can be read of a Team, or of oneself, is asked for below.
NOT_ASKED = {
    **dict.fromkeys(("api-team-usage-csv", "api-team-receipts-csv"), A_FILE),
    "team-paid-seats-csv": NOTHING_BOUGHT,
    **dict.fromkeys(("team-change", "api-next-invoice"), PAID_FOR),
    **dict.fromkeys(("account-session-end", "account-sessions-end-others", "account-token-revoke"), A_VERB),
    **dict.fromkeys(("api-token", "api-invitation-accept", "api-invite-accept", "invite-link"), A_VERB),
    **dict.fromkeys(PASSKEY_PAGES, ONES_FACTORS),
}
OF_ONES_OWN = (
    *("account", "account-bars", "account-notices", "account-profile", "account-tokens"),
    *("plans-choose", "team-new", "api-me", "api-my-usage", "api-notices", "api-own-invite", "api-teams"),
    "api-tokens",
)
OWN_FILES = ("account-tokens-csv",)
# By a Subscription Key instead of a session.
OF_A_KEY = ("api-usage", "api-receipts", "api-usage-refusals", "api-series")
# Whatever is searched for there is posted, so that no address has it.
POSTED = {"search", "support-search"}
MOST_CONTENT = 200_000


READ = [name for name, address in TEAMS.items() if "GET" in address.methods and name not in NOT_ASKED]
FILES = [name for name in READ if name.endswith("-csv")]
# Every address of the tables that its Owner may read.
OF_THE_TEAM = {name: TEAMS[name] for name in READ if name not in FILES}
SHOWN = {
    "team-members": roster.Shown,
    "team-seats": seats.Shown,
    "team-invitations": invitations.Shown,
    "team-requests": member_requests.Shown,
    "team-api-keys": api_keys.Shown,
}


def of_team(firm: LargeTeam, name: str) -> str:
    address = TEAMS[name]
    row = {"pk": firm.rows[address.pk]} if address.pk else {}
    return reverse(name, kwargs={"slug": firm.team.slug, **address.fixed, **row})


def addresses(firm: LargeTeam) -> dict[str, str]:
    found = {name: reverse(name) for name in (*OF_ONES_OWN, "search")}
    found |= {name: of_team(firm, name) for name in OF_THE_TEAM}
    for stack in ("model", "tag", "payer"):
        found[f"team-usage by {stack}"] = f"{found['team-usage']}?group={stack}"
    for name, choices in SHOWN.items():
        for shown in choices.values:
            found[f"{name}, {shown}"] = f"{found[name]}?show={shown}"
    for kind in member_requests.Kind.values:
        found[f"team-requests, {kind}"] = f"{found['team-requests']}?kind={kind}"
    found["account-refused, found"] = f"{found['account-refused']}?model=x&start=2026-06-01"
    found["team-api-keys, found"] = f"{found['team-api-keys']}?q=m"
    found["account-tokens, found"] = f"{found['account-tokens']}?q=c&state=works"
    found["team-bulk-action, found"] = f"{found['team-bulk-action']}?q=j0&show=left"
    found["team-credits, one found"] = f"{found['team-credits']}?q=m1"
    found["team-members, one found"] = f"{found['team-members']}?q=m1"
    for name in ("team-credits", "team-balance"):
        found[f"{name}, filtered"] = f"{found[name]}?kind=purchase&member=m1&start=2026-01-01"
    for name in ("team-credits-purchases", "team-balance-purchases"):
        found[f"{name}, filtered"] = f"{found[name]}?state=waiting&start=2026-01-01"
    return found


def files(firm: LargeTeam) -> dict[str, str]:
    """What lists have for spreadsheets: all of them, so many rows at once."""
    found = {name: of_team(firm, name) for name in FILES} | {name: reverse(name) for name in OWN_FILES}
    return found | {"team-usage, file": reverse("team-usage", args=[firm.team.slug]) + "?format=csv"}


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


@dataclass(frozen=True)
class Answered:
    """How many queries it took, and the answer, compressed where the web server compresses it."""

    queries: int
    sent: bytes
    is_compressed: bool

    @property
    def content(self) -> bytes:
        return gzip.decompress(self.sent) if self.is_compressed else self.sent

    def first_load(self, sizes: Mapping[str, int]) -> int:
        """With the static files that it names."""
        named = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', self.content.decode()))
        return len(self.sent) + sum(sizes[file] for file in named)


def asked(client: Client, pages: Mapping[str, str]) -> dict[str, Answered]:
    found = {}
    for name, url in pages.items():
        headers = {"Accept-Encoding": "gzip"}
        with CaptureQueriesContext(connection) as queries:
            if name in POSTED:
                answer = client.post(url, {"q": "m1"}, headers=headers)
            else:
                answer = client.get(url, headers=headers)
            sent = answer.getvalue()  # a file may be read while it is sent
        assert answer.status_code == 200, (name, answer.status_code)
        found[name] = Answered(len(queries), sent, "Content-Encoding" in answer.headers)
    return found


def differing(few: Mapping[str, Answered], many: Mapping[str, Answered]) -> dict[str, tuple[int, int]]:
    """Which take another number of queries than before; both numbers."""
    numbers = {name: (before.queries, many[name].queries) for name, before in few.items()}
    return {name: (before, now) for name, (before, now) in numbers.items() if before != now}


def by_key(firm: LargeTeam) -> Client:
    return Client(headers={"Authorization": f"Bearer {firm.scene.desk.key}"})


def test_whatever_can_be_read_of_a_team_or_of_oneself_is_asked_for_below() -> None:
    known = {*READ, *OF_ONES_OWN, *OWN_FILES, *NOT_ASKED, "search"}
    assert known == {*READ, *NOT_ASKED} | OWN_PAGES | OWN_API
    assert set(NOT_ASKED) <= {*TEAMS} | OWN_PAGES | OWN_API, "These are gone."
    assert set(NOT_ASKED) & {*OF_ONES_OWN} == set()


@pytest.mark.slow
def test_every_list_takes_as_many_queries_of_500_as_of_20(
    as_user: Callable[[User], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_answers, "ROWS_AT_ONCE", 5_000)  # a file asks again for each batch
    firm = LargeTeam()
    client, pages = as_user(firm.owner.user), addresses(firm) | files(firm)
    firm.grow(20)
    asked(client, pages)  # what is read once a process
    few = asked(client, pages)

    firm.grow(480)

    many = asked(client, pages)
    shorter = {name for name in files(firm) if len(many[name].content) < len(few[name].content) + 480}
    assert (shorter, differing(few, many)) == (set(), {})


@pytest.mark.parametrize("seats", [300, pytest.param(5_000, marks=pytest.mark.slow)])
def test_billing_takes_as_many_queries_of_many_paid_seats_as_of_50_and_is_light(
    as_user: Callable[[User], Client], seats: int
) -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 50})
    client = as_user(owner_of(bill.team).user)
    names = ("team-billing", "team-paid-seats-csv", "api-subscription")
    pages = {name: reverse(name, args=[bill.team.slug]) for name in names}
    free = iter(bill.seats())
    for _ in range(3):
        assign_seat(seat=next(free).seat, membership=make_member(bill.team), by=None, at=T0)
    asked(client, pages)
    few = asked(client, pages)
    assert few["api-subscription"].content.count(b'"joined_at"') == 3

    bill.say({"max": seats})
    for _ in range(3):
        assign_seat(seat=next(free).seat, membership=make_member(bill.team), by=None, at=T0)

    many = asked(client, pages)
    assert differing(few, many) == {}
    assert many["team-paid-seats-csv"].content.count(b"\n") == seats + 1
    assert len(many["team-billing"].content) < MOST_CONTENT / 2


@pytest.mark.slow
def test_every_list_of_5000_takes_as_many_queries_as_of_60_and_is_light(
    as_user: Callable[[User], Client], tmp_path: Path
) -> None:
    firm = LargeTeam()
    client, pages = as_user(firm.owner.user), addresses(firm)
    operator = Client()
    operator.force_login(User.objects.create_superuser("root@example.com", "x"))
    support, own = of_support(firm), {name: reverse(name) for name in OF_A_KEY}
    firm.grow(60)

    def all_asked() -> dict[str, Answered]:
        return asked(client, pages) | asked(by_key(firm), own) | asked(operator, support)

    all_asked()  # what is read once a process
    few = all_asked()

    firm.grow(4_940)

    many = all_asked()
    sizes = sizes_of_files(gather(tmp_path / "static"))
    assert differing(few, many) == {}
    contents = {name: len(now.content) for name, now in many.items()}
    assert {name: size for name, size in contents.items() if size > MOST_CONTENT} == {}
    loads = {name: now.first_load(sizes) for name, now in many.items()}
    assert {name: size for name, size in loads.items() if size > MOST_BYTES} == {}

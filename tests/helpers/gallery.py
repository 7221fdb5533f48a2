"""The usage bar in each of its states, one page a kind: what pictures are taken of and what axe looks at.

No address of the console shows it: `show_gallery` answers for one in the browser, with the console's own
styles. The bars are values of their own; nothing is read from the database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch
from uuid import uuid4

from django.template import engines
from django.test import RequestFactory
from playwright.sync_api import Page, Route

from quota.hot_path.catalog import PlanTerms
from quota.hot_path.state import LiveHold, SeatUsage
from quota.selectors.credits import MemberCredits
from quota.selectors.shown_bars import NextExpiry, OnCredits, ShownBar, WaysOut
from quota.selectors.usage_bar import SMALL_CALL, UsageBar
from quota.selectors.usage_then import UsageThen
from quota.windows import Bucket, Hold, Limit, Policy, Rule
from teams.models import Membership, Role, Team, User
from tokenplan.middleware import CONTENT_SECURITY_POLICY

AT = datetime(2026, 6, 3, 14, 13, 30, tzinfo=UTC)
USD, CREDIT = 1_000_000_000, 1_000_000
CENT = USD // 100
FIVE_HOURS = Limit("5h", Rule(Policy.ROLLING, 5 * 3600), 9_900_000_000)
WEEK = Limit("week", Rule(Policy.FIXED, 7 * 86400, datetime(2026, 1, 5, tzinfo=UTC)), 99 * USD)
MAX = PlanTerms(1, "max", 1, "Max", 2, (4, 5), agents_enforced=False, limits=(FIVE_HOURS, WEEK))
NO_CREDITS = MemberCredits(False, 0, 0, "allow", None, 0)
NONE_LEFT = MemberCredits(True, 0, 0, "allow", None, 0)
SOME_CREDITS = MemberCredits(True, 12_000 * CREDIT, 3_400 * CREDIT, "allow", 5_000 * CREDIT, 1_600 * CREDIT)
PAGE = """{% extends "base.html" %}{% load bars %}{% block title %}The usage bar{% endblock %}
{% block content %}
<h1 class="page-title mb-3">The usage bar</h1><div class="row row-cards">{% for name, shown in states %}
<div class="col-lg-6"><section class="card h-100" id="{{ name }}"><div class="card-header">
<h2 class="card-title">{{ name }}</h2></div><div class="card-body">{% usage_bar shown compact=compact %}</div>
</section></div>{% endfor %}</div>{% endblock %}"""
# As support's page of a person has them, with those of a moment that is past.
SUPPORT = """{% extends "admin/support/base.html" %}
{% block desk %}<h1>The usage bar</h1><div class="module"><h2>Usage</h2><div class="desk-bars">
{% for name, shown in states %}<div id="{{ name }}">
{% include "admin/support/bar_now.html" with number=3 %}</div>{% endfor %}
{% for name, bar in past %}<div id="{{ name }}">
{% include "admin/support/bar_then.html" with number=3 %}</div>{% endfor %}</div></div>{% endblock %}"""

# Minutes ago, and cents: a morning's work.
WORK = [(285, 40), (240, 90), (200, 30), (150, 120), (95, 60), (60, 20), (12, 66)]


def member(role: str = Role.OWNER) -> Membership:
    names = {Role.OWNER: "Olivia", Role.ADMIN: "Adam", Role.MEMBER: "Mia"}
    user = User(pk=1, name=names[Role(role)], email="somebody@example.com")
    return Membership(pk=1, role=role, user=user, team=Team(pk=1, slug="acme", name="Acme"))


def seat_usage(
    calls: Sequence[tuple[int, int]] = (), *, week: int = 0, agents: int = 0, held: int = 0
) -> SeatUsage:
    """What was used so many minutes ago, and what more in the week; each agent holds its part. In cents."""
    steps: dict[datetime, int] = {}
    for minutes, cents in calls:
        start = FIVE_HOURS.rule.bucket_start(AT - timedelta(minutes=minutes))
        steps[start] = steps.get(start, 0) + cents * CENT
    in_week = Bucket(WEEK.rule.bucket_start(AT), sum(steps.values()) + week * CENT)
    ends = AT + timedelta(minutes=10)
    live = tuple(
        LiveHold(uuid4(), Hold(AT, held * CENT // agents, ends), f"agent {n}", ends) for n in range(agents)
    )
    buckets = {
        FIVE_HOURS.rule.key: [Bucket(*step) for step in steps.items()],
        WEEK.rule.key: [in_week],
    }
    return SeatUsage((FIVE_HOURS.rule, WEEK.rule), buckets, live)


def bar(
    usage: SeatUsage | None = None,
    *,
    role: str = Role.OWNER,
    credits: MemberCredits = NO_CREDITS,
    suspended: bool = False,
    owed: int = 0,
    seated: bool = True,
) -> UsageBar:
    usage = usage or seat_usage()
    plan = MAX if seated and not suspended else None
    limits = plan.limits if plan else ()
    return UsageBar(
        membership=member(role),
        seat_id=1 if seated else None,
        plan=plan,
        ends_at=None,
        renews_at=None,
        suspended=suspended,
        windows=usage.windows(limits, AT),
        agents=len(usage.agents(AT)),
        credits=credits,
        owed=owed,
        rooms=[usage.fits_at(limit, SMALL_CALL, AT) or AT for limit in limits],
        usage=usage,
        at=AT,
    )


def states() -> dict[str, ShownBar]:
    """Every state, by a name that is the id of its part of the page."""
    full = [*WORK[:5], (30, 650)]
    soon = [(282, 400), (100, 300), (30, 290)]
    capped = MemberCredits(True, 12_000 * CREDIT, 700 * CREDIT, "allow", 5_000 * CREDIT, 4_300 * CREDIT)
    reached = MemberCredits(True, 12_000 * CREDIT, 0, "allow", 5_000 * CREDIT, 5_000 * CREDIT)
    uncapped = MemberCredits(True, 12_000 * CREDIT, 12_000 * CREDIT, "allow", None, 1_600 * CREDIT)
    owner, asked = member(), WaysOut(asked_for_seat=True)
    expiry = NextExpiry(500 * CREDIT, AT + timedelta(days=9))
    on_credits = OnCredits(AT - timedelta(minutes=8), 1_600_000_000)
    return {
        "empty": ShownBar(bar()),
        "normal": ShownBar(bar(seat_usage(WORK, agents=2, held=90, week=2000), credits=SOME_CREDITS)),
        "near": ShownBar(bar(seat_usage([*WORK, (25, 410)], agents=6, held=50))),
        "on-credits": ShownBar(bar(seat_usage(full, agents=1), credits=SOME_CREDITS), on_credits=on_credits),
        "stopped": ShownBar(bar(seat_usage(full), credits=NONE_LEFT), ways=WaysOut(makes_api_keys=True)),
        "stopped-for-a-moment": ShownBar(bar(seat_usage(soon), role=Role.MEMBER), owner=owner, ways=asked),
        "week-full": ShownBar(bar(seat_usage(WORK, week=9500), role=Role.MEMBER), owner=owner),
        "over": ShownBar(bar(seat_usage([*full, (20, 110)]), credits=SOME_CREDITS), on_credits=on_credits),
        "suspended": ShownBar(bar(suspended=True)),
        "suspended-of-a-member": ShownBar(
            bar(suspended=True, role=Role.MEMBER, credits=SOME_CREDITS), owner=owner
        ),
        "credits-alone": ShownBar(bar(seated=False, credits=uncapped), expiry=expiry),
        "credits-capped": ShownBar(bar(seated=False, credits=capped, role=Role.MEMBER), expiry=expiry),
        "credits-used-up": ShownBar(bar(seated=False, credits=reached, role=Role.MEMBER)),
        "nothing-yet": ShownBar(bar(seated=False)),
        "nothing-yet-for-a-member": ShownBar(bar(seated=False, role=Role.MEMBER), owner=owner),
        "owed": ShownBar(bar(seated=False, owed=1_250_000_000)),
        "of-somebody-else": ShownBar(bar(seat_usage(WORK), role=Role.MEMBER), mine=False),
        "stale": ShownBar(bar(seat_usage(WORK))),
    }


def past_states() -> dict[str, UsageThen]:
    """As at a moment, on support's page."""
    windows = seat_usage(WORK).windows(MAX.limits, AT)
    return {
        "then": UsageThen(member(), AT, 1, MAX, windows, 12_000 * CREDIT),
        "then-without-a-seat": UsageThen(member(), AT, None, None, [], 0),
    }


def gallery_page(kind: str = "whole") -> str:
    """All states, `whole` or `compact` as on a page of the console, or as on support's page of a person;
    nobody has signed in, so that the page asks for nothing.
    """
    overdue = SimpleNamespace(pay_url="/pay/", invoices=[1], due_nanousd=170 * USD, total_nanousd=170 * USD)
    shown = states()
    context: dict[str, object] = {"compact": kind == "compact", "states": shown.items()}
    if kind == "support":
        of_somebody = {name: replace(one, mine=False) for name, one in shown.items()}
        may = {"teams": {"change_team": True}}
        context = {"states": of_somebody.items(), "past": past_states().items(), "perms": may, "back": "/"}
    with patch("billing.templatetags.payments.overdue_of", lambda team: overdue):
        request = RequestFactory().get("/gallery/")
        page = engines["django"].from_string(SUPPORT if kind == "support" else PAGE)
        return str(page.render(context, request))


def show_gallery(page: Page, url: str, kind: str = "whole") -> None:
    """Opens it in the browser, at an address of this console."""

    def answer(route: Route) -> None:
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY}
        route.fulfill(body=gallery_page(kind), content_type="text/html; charset=utf-8", headers=headers)

    page.route(f"{url}/gallery/{kind}/", answer)
    page.goto(f"{url}/gallery/{kind}/")
    page.evaluate("""() => {
        const note = document.querySelector("#stale .bar-stale");
        note.textContent = note.dataset.stale.replace("{moment}", note.dataset.moment);
        note.hidden = false;
        note.parentElement.classList.add("is-stale");
    }""")

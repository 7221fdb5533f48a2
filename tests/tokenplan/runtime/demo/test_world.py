"""What there is to see in the demo, exactly, and that all of it agrees."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import Count, Max, Min, Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from billing.models import Invoice, Subscription
from billing.selectors.overview import overview
from quota.hot_path.credentials import recognise_gateway
from quota.models import (
    ClosedWindow,
    CreditLedgerEntry,
    CreditRequest,
    OwedUsage,
    QuarantinedRow,
    RefusedCall,
    SeatRequest,
    UsageEvent,
)
from quota.selectors.attention import attention
from quota.selectors.balance import api_balance
from quota.selectors.shown_bars import shown_bars
from quota.selectors.usage_bar import UsageBar, usage_bars
from quota.services.gateways import create_gateway
from teams.models import ApiKey, Mail, Membership, SeatHolding, Team, User
from tests.helpers.factories import T0, USD
from tokenplan.management.commands.demo import load_catalog
from tokenplan.runtime.demo.cast import ACME, INITECH, OPERATOR, SOYLENT, UMBRELLA, names
from tokenplan.runtime.demo.people import memberships_of, open_accounts
from tokenplan.runtime.demo.purchases import open_shop
from tokenplan.runtime.demo.world import BEGINS, World

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def state_of(bar: UsageBar) -> tuple[list[int], bool, bool]:
    """Whole percent of each window, whether a call is allowed now, and whether Credits would pay for it."""
    return [int(window.used_percent) for window in bar.windows], bar.usable, bar.credits.usable > 0


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_each_state_of_the_bar_has_its_person() -> None:
    load_catalog(StringIO())
    emails = [person.email for team in (INITECH, UMBRELLA, SOYLENT) for person in team.people]
    with open_shop(at=T0 - BEGINS) as shop:
        users = open_accounts({email: names()[email] for email in emails}, password="!", at=T0 - BEGINS)
        gateway, _ = create_gateway(name="demo", at=T0 - BEGINS, by=None)
        World(users, "!", gateway, shop, T0).make([INITECH, UMBRELLA, SOYLENT])
    bars = {
        bar.membership.user.email.partition("@")[0]: bar
        for team in (INITECH, UMBRELLA, SOYLENT)
        for bar in usage_bars(memberships_of(team), T0)
    }
    five_hours = {name: [*state_of(bar)[0], None][0] for name, bar in bars.items()}
    assert five_hours == {
        **{"irene": 35, "emil": 0, "nina": 84, "carla": 100, "stefan": 100, "wanda": 0, "oscar": 111},
        **{"nadia": None, "uma": 18, "ulf": 0, "sol": None, "sofia": None},
    }
    assert state_of(bars["emil"]) == ([0, 0], True, False)
    assert state_of(bars["wanda"]) == ([0, 100], False, False)
    assert (bars["irene"].agents, bars["irene"].windows[0].held > 0) == (2, True)
    assert (bars["carla"].usable, bars["carla"].credits.usable > 0) == (True, True)
    assert (bars["stefan"].usable, bars["stefan"].room_at) == (False, bars["stefan"].rooms[0])
    assert bars["stefan"].windows[0].remaining == 0
    assert not bars["oscar"].usable
    # Nothing yet: no seat and no Credits; suspended: a seat that waits for a payment.
    assert (bars["nadia"].seat_id, bars["nadia"].usable, bars["nadia"].suspended) == (None, False, False)
    assert [bars[name].suspended for name in ("uma", "sol", "sofia")] == [False, True, True]
    in_grace, stopped = (overview(memberships_of(team)[0].team).overdue for team in (UMBRELLA, SOYLENT))
    assert in_grace
    assert (in_grace.is_stopped(T0), in_grace.due_nanousd) == (False, 70 * USD)
    assert stopped
    assert (stopped.is_stopped(T0), stopped.due_nanousd) == (True, 170 * USD)


def made_in(folder: Path, settings: Settings) -> dict[str, list[object]]:
    """What two Teams of a fresh world have used, bought and show; afterwards the database is empty again."""
    settings.DATA = folder
    teams = [ACME, INITECH]
    with transaction.atomic():
        load_catalog(StringIO())
        emails = {person.email: names()[person.email] for team in teams for person in team.people}
        with open_shop(at=T0 - BEGINS) as shop:
            users = open_accounts(emails, password="!", at=T0 - BEGINS)
            gateway, _ = create_gateway(name="demo", at=T0 - BEGINS, by=None)
            World(users, "!", gateway, shop, T0).make(teams)
        used = UsageEvent.objects.order_by("occurred_at", "membership__user__email", "amount_nanousd")
        made: dict[str, list[object]] = {
            "used": list(
                used.values_list("occurred_at", "membership__user__email", "model", "amount_nanousd")
            ),
            "invoices": list(Invoice.objects.order_by("created_at").values_list("total_nanousd", "status")),
            "bars": [state_of(bar) for team in teams for bar in usage_bars(memberships_of(team), T0)],
        }
        transaction.set_rollback(True)
    return made


@pytest.mark.slow
@pytest.mark.usefixtures("data")
def test_the_world_is_the_same_each_time(tmp_path: Path, settings: Settings) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    one, other = (made_in(folder, settings) for folder in folders)
    assert len(one["used"]) > 500
    assert one == other


@pytest.fixture
def demo(data: Path) -> dict[str, object]:
    call_command("demo", stdout=StringIO())
    content: dict[str, object] = json.loads((data / "demo.json").read_text())
    return content


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)  # reconcile begins transactions of its own
def test_the_demo_is_a_living_product(demo: dict[str, object], data: Path) -> None:
    assert recognise_gateway(text=str(demo["gateway_key"]), at=timezone.now())
    now, acme, globex = timezone.now(), Team.objects.get(slug="acme"), Team.objects.get(slug="globex")
    _has_a_month_of_usage(acme)
    _has_somebody_with_credits_alone(acme)
    _has_subscriptions()
    _has_an_api_account(globex)
    shown = attention(acme, now)
    assert (shown.free_seats, shown.expiring_nanousd) == (1, 15 * USD)
    assert [request.plan_code for request in SeatRequest.objects.open().filter(team=acme)] == ["max"]
    assert CreditRequest.objects.open().get().membership.user.email == "stefan@initech.example"
    _has_what_support_is_asked_about()
    _has_a_team_of_500(str(demo["people"][0]["password"]))  # type: ignore[index]
    call_command("reconcile", "--all", stdout=StringIO())
    assert not Mail.objects.filter(sent_at=None).exists()

    before = [model.objects.count() for model in (User, UsageEvent, Subscription, Mail, CreditLedgerEntry)]
    call_command("demo", stdout=StringIO())
    assert json.loads((data / "demo.json").read_text()) == demo
    models = (User, UsageEvent, Subscription, Mail, CreditLedgerEntry)
    assert [model.objects.count() for model in models] == before


def _has_a_month_of_usage(acme: Team) -> None:
    events = UsageEvent.objects.filter(team=acme)
    span = events.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    assert span["last"] - span["first"] > 29 * DAY
    shown = {name: set(events.values_list(name, flat=True)) for name in ("modality", "membership", "model")}
    assert shown["modality"] == {"language", "speech", "video", "music", "image"}
    assert (len(shown["membership"]), len(shown["model"]) >= 8) == (6, True)
    assert len({tag for tags in events.values_list("tags", flat=True) for tag in tags}) >= 6
    # Split charges, and Credits alone.
    assert events.filter(from_quota_nanousd__gt=0, from_credits_nanousd__gt=0).exists()
    assert events.filter(seat=None, from_credits_nanousd__gt=0, overrun_nanousd=0).exists()
    closed = ClosedWindow.objects.filter(team=acme).values("name").annotate(count=Count("pk"))
    assert all(row["count"] >= 15 for row in closed)
    assert len(closed) == 2


def _has_somebody_with_credits_alone(acme: Team) -> None:
    ravi = Membership.objects.select_related("team", "user").get(team=acme, user__email="ravi@acme.example")
    (shown,) = shown_bars([ravi], timezone.now(), viewer_id=ravi.user_id)
    assert (shown.state, shown.bar.seat_id, shown.bar.credits.month_cap) == ("credits_only", None, 5 * USD)


def _has_subscriptions() -> None:
    rows = Subscription.objects.live().select_related("team").order_by("team__slug")
    assert {row.team.slug: (row.status, row.interval) for row in rows} == {
        "acme": ("active", "month"),
        "globex": ("active", "year"),
        "hooli": ("active", "month"),
        "initech": ("active", "month"),
        "soylent": ("past_due", "month"),
        "umbrella": ("past_due", "month"),
    }
    of_acme = Invoice.objects.filter(team__slug="acme").values_list("status", "total_nanousd")
    seats, packs = 280 * USD, 100 * USD
    assert Counter(of_acme) == {("paid", seats): 2, ("paid", packs): 1}


def _has_an_api_account(globex: Team) -> None:
    keys = list(ApiKey.objects.filter(team=globex).order_by("name"))
    assert [key.name for key in keys] == ["Nightly batch", "Website"]
    used = UsageEvent.objects.filter(api_key__in=keys).aggregate(
        calls=Count("pk"), balance=Sum("from_balance_nanousd"), overrun=Sum("overrun_nanousd")
    )
    assert used["calls"] > 20
    assert used["overrun"] == 0
    assert api_balance(globex, timezone.now()).total == 125 * USD - used["balance"]


def _has_what_support_is_asked_about() -> None:
    """Each, and on the page where it is seen."""
    refused = RefusedCall.objects.values_list("code", "team__slug").annotate(calls=Count("pk"))
    assert set(refused) == {
        ("quota_exhausted", "initech", 3),
        ("no_usable_resources", "initech", 1),
        ("model_unknown", "acme", 2),
    }
    waiting = QuarantinedRow.objects.waiting().values_list("code", flat=True)
    assert sorted(waiting) == ["model_unknown", "occurred_at_out_of_range"]
    owed = OwedUsage.objects.unpaid().select_related("membership__user").get()
    assert (owed.membership.user.email, owed.left_nanousd > 0) == ("hugo@hooli.example", True)
    undo = UsageEvent.objects.select_related("membership__user", "corrects").get(is_undo=True)
    right = UsageEvent.objects.get(corrects=undo.corrects, is_undo=False)
    assert undo.membership.user.email == "olivia@acme.example"
    assert undo.corrects
    assert (undo.amount_nanousd, right.amount_nanousd > 0) == (-undo.corrects.amount_nanousd, True)

    operator = Client()
    operator.force_login(User.objects.get(email=OPERATOR))
    for model, said in (
        ("refusedcall", ("quota_exhausted", "no_usable_resources", "model_unknown")),
        ("quarantinedrow", ("model_unknown", "occurred_at_out_of_range")),
        ("owedusage", ("hugo@hooli.example",)),
    ):
        page = operator.get(reverse(f"admin:quota_{model}_changelist")).content.decode()
        assert [text for text in said if text not in page] == [], model
    owner = Client()
    owner.force_login(undo.membership.user)
    receipt = owner.get(reverse("team-receipt", args=["acme", undo.corrects_id])).content.decode()
    assert reverse("team-receipt", args=["acme", undo.pk]) in receipt


def _has_a_team_of_500(password: str) -> None:
    hooli = Membership.objects.live().filter(team__slug="hooli")
    assert hooli.count() == 500
    assert SeatHolding.objects.current().filter(team__slug="hooli").count() == 385
    shown = attention(Team.objects.get(slug="hooli"), timezone.now())
    assert ([bar.usable for bar in shown.near_limit], shown.free_seats) == ([False, False, True, True], 15)
    assert 77 <= shown.idle_count <= 200
    last = hooli.order_by("-pk")[0].user.email
    assert Client().post("/accounts/login/", {"login": last, "password": password}).status_code == 302

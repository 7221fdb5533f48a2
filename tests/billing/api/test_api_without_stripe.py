"""The API of buying as far as our own rows answer it; Stripe is away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from billing.models import Change, Checkout, Customer, Invoice, PurchasedSeat
from teams.models import AuditEntry, Role
from teams.services.seats import assign_seat
from tests.helpers.api_client import Caller, person
from tests.helpers.factories import T0, USD, make_member, make_team, make_user, owner_of
from tests.helpers.stripe_says import Bill, put_on_sale

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def at_t0(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tokenplan.kit.enqueue._send", lambda task: None)
    with time_machine.travel(T0, tick=False):
        yield


def test_plans_on_sale_are_for_everyone() -> None:
    put_on_sale()

    plus, max_ = Caller().get("plans").body

    assert plus["plan"] == {"code": "plus", "name": "Plus", "version": 1}
    assert (plus["month_nanousd"], plus["year_nanousd"]) == (20 * USD, 200 * USD)
    assert max_["limits"] == [
        {"name": "5h", "policy": "rolling", "length_seconds": 18_000, "limit_nanousd": 9_900_000_000},
        {"name": "week", "policy": "fixed", "length_seconds": 604_800, "limit_nanousd": 99_000_000_000},
    ]
    assert (max_["agents_min"], max_["agents_max"]) == (4, 5)


def test_without_a_subscription_there_is_nothing() -> None:
    team = make_team()

    body = person(owner_of(team).user).get(f"teams/{team.slug}/subscription").body

    assert body == {
        "subscription": None,
        "plans": [],
        "seats": [],
        "overdue": None,
        "change": None,
        "checkout": None,
        "balance_nanousd": 0,
        "other_methods": [],
    }


def test_the_subscription_with_its_seats_and_what_is_planned() -> None:
    plans = put_on_sale()
    bill = Bill()
    bill.say({"max": 2}, status="past_due", overdue_since=T0 - DAY)
    Customer.objects.create(team=bill.team, card="Visa ···· 4242", balance_nanousd=-USD, created_at=T0)
    first, second = (state.seat for state in bill.seats())
    mia = make_member(bill.team, make_user("mia@example.com"))
    assign_seat(seat=first, membership=mia, by=None, at=T0)
    PurchasedSeat.objects.filter(seat=second).update(next_plan=plans["plus"])

    body = person(owner_of(bill.team).user).get(f"teams/{bill.team.slug}/subscription").body

    max_plan = {"code": "max", "name": "Max", "version": 1}
    assert body["subscription"] == {
        "status": "past_due",
        "interval": "month",
        "next_interval": "",
        "period_start": "2026-06-03T10:02:00Z",
        "period_end": "2026-07-03T10:02:00Z",
        "ends_at": None,
        "created_at": "2026-06-03T10:02:00Z",
    }
    assert body["plans"] == [
        {"plan": max_plan, "seat_nanousd": 50 * USD, "bought": 2, "assigned": 1, "free": 1}
    ]
    assert [(seat["id"], seat["leaves"], seat["next_plan"]) for seat in body["seats"]] == [
        (first.pk, False, None),
        (second.pk, False, {"code": "plus", "name": "Plus", "version": 1}),
    ]
    assert body["seats"][0]["holder"]["user"]["email"] == "mia@example.com"
    assert body["seats"][1]["holder"] is None
    assert body["overdue"] == {
        "since": "2026-06-02T10:02:00Z",
        "stops_at": "2026-06-09T10:02:00Z",
        "pay_url": "",
        "due_nanousd": 0,
        "total_nanousd": 0,
        "invoices": [],
    }
    assert body["balance_nanousd"] == -USD


def test_invoices_come_newest_first_page_by_page() -> None:
    team = make_team()
    for number in (1, 2, 3):
        Invoice.objects.create(
            stripe_id=f"in_{number}",
            team=team,
            number=f"A-{number}",
            status="paid" if number < 3 else "draft",
            total_nanousd=number * USD,
            due_nanousd=0,
            paid_nanousd=number * USD,
            url=f"https://invoice.example/{number}",
            created_at=T0 + number * DAY,
        )
    owner = person(owner_of(team).user)

    first = owner.get(f"teams/{team.slug}/invoices?page_size=1").body
    second = owner.get(first["next"].partition("/api/v1/")[2]).body

    assert first["results"] == [
        {
            "number": "A-2",
            "status": "paid",
            "total_nanousd": 2 * USD,
            "due_nanousd": 0,
            "paid_nanousd": 2 * USD,
            "url": "https://invoice.example/2",
            "created_at": "2026-06-05T10:02:00Z",
        }
    ]
    assert [invoice["number"] for invoice in second["results"]] == ["A-1"]
    assert second["next"] is None


def test_an_admin_may_not_see_billing() -> None:
    team = make_team()
    admin = person(make_member(team, role=Role.ADMIN).user)

    for path in ("subscription", "invoices", "subscription/next-invoice"):
        answer = admin.get(f"teams/{team.slug}/{path}")
        assert (answer.status, answer.code) == (403, "permission_denied")


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"seats": {"max": 0}, "interval": "month"}, 422, "invalid", "/seats"),
        ({"seats": {}, "interval": "month"}, 422, "invalid", "/seats"),
        ({"seats": {"max": 1_000, "plus": 1}, "interval": "month"}, 422, "invalid", "/seats"),
        ({"seats": {"a\x00": 1}, "interval": "month"}, 422, "invalid", "/seats"),
        ({"seats": {"max": 1}, "interval": "week"}, 422, "invalid", "/interval"),
        ({"seats": {"gone": 1}, "interval": "month"}, 409, "not_on_sale", "/seats"),
        ({"seats": {"max": 1}, "interval": "month"}, 503, "payments_unavailable", None),
    ],
)
def test_what_cannot_be_bought_is_refused(
    body: dict[str, object], status: int, code: str, pointer: str | None
) -> None:
    put_on_sale()
    team = make_team()

    answer = person(owner_of(team).user).post(f"teams/{team.slug}/subscription/checkout", body)

    assert (answer.status, answer.code, answer.body.get("pointer")) == (status, code, pointer)
    if status == 503:
        assert answer.headers["Retry-After"] == "60"


def test_a_default_team_has_one_seat() -> None:
    put_on_sale()
    ada = make_user()
    team = ada.memberships.get().team

    body = {"seats": {"max": 2}, "interval": "month"}
    answer = person(ada).post(f"teams/{team.slug}/subscription/checkout", body)

    assert (answer.status, answer.body["pointer"]) == (422, "/seats")
    assert not Checkout.objects.exists()


def test_a_team_with_a_subscription_cannot_buy_another() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})

    body = {"seats": {"max": 1}, "interval": "month"}
    answer = person(owner_of(bill.team).user).post(f"teams/{bill.team.slug}/subscription/checkout", body)

    assert (answer.status, answer.code) == (409, "already_subscribed")
    assert not Checkout.objects.exists()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"kind": "add", "plan": "gone", "count": 1}, 409, "not_on_sale"),
        ({"kind": "add", "plan": "max", "count": 1}, 409, "not_subscribed"),
        ({"kind": "cancel"}, 409, "not_subscribed"),
        ({"kind": "steal"}, 422, "invalid"),
        ({"kind": "add", "plan": "max", "count": 0}, 422, "invalid"),
        ({"kind": "give_up", "seats": [0]}, 422, "invalid"),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_preview_and_change(
    change: dict[str, object], status: int, code: str
) -> None:
    put_on_sale()
    team = make_team()
    owner = person(owner_of(team).user)

    for path, more in (("preview", {}), ("change", {"amount_nanousd": 0})):
        answer = owner.post(f"teams/{team.slug}/subscription/{path}", change | more)
        assert (answer.status, answer.code) == (status, code), path
    assert not Change.objects.exists()


def test_when_stripe_does_not_answer_nothing_is_done() -> None:
    put_on_sale()
    bill = Bill()
    bill.say({"max": 1})
    before = AuditEntry.objects.count()
    owner, url = person(owner_of(bill.team).user), f"teams/{bill.team.slug}"

    add = {"kind": "add", "plan": "max", "count": 1}
    confirm = add | {"amount_nanousd": USD, "proration_at": "2026-06-03T10:02:00Z"}
    for answer in (
        owner.post(f"{url}/subscription/preview", add),
        owner.post(f"{url}/subscription/change", confirm),
        owner.get(f"{url}/subscription/next-invoice"),
        owner.post(f"{url}/portal"),
    ):
        assert (answer.status, answer.code) == (503, "payments_unavailable")
        assert answer.body["retry_after"] == 60
    assert not Change.objects.exists()
    assert AuditEntry.objects.count() == before


def test_there_is_no_change_to_drop() -> None:
    team = make_team()

    answer = person(owner_of(team).user).post(f"teams/{team.slug}/subscription/change/drop")

    assert (answer.status, answer.code) == (409, "nothing_to_change")

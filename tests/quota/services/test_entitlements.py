"""Quota belongs to the seat: holders, upgrades, other window rules, suspension."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from quota.errors import (
    NoUsableResources,
    QuotaExhausted,
    SeatNotEntitled,
)
from quota.models import Entitlement, UsageBucket
from quota.selectors.usage_bar import usage_bar
from quota.services.entitlements import entitle_seat, resume_seat, suspend_seat
from quota.windows import Limit, Policy, Rule
from teams.models import AuditEntry, Seat
from teams.services import seats
from tests.helpers.factories import (
    FIVE_HOURS,
    T0,
    USD,
    Scene,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_team,
)
from tests.helpers.hot_path import HOUR, MINUTE, PENNY, SECOND
from tests.helpers.rows_read import forget_statistics, read_by
from tokenplan.kit.errors import InvalidValue

DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


def test_the_database_refuses_a_renewal_after_the_end(scene: Scene) -> None:
    row = Entitlement.objects.get(seat=scene.seat)
    row.renews_at = T0 + HOUR
    with pytest.raises(IntegrityError, match="an_entitlement_renews_before_it_ends"):
        row.save()


def test_quota_belongs_to_the_seat_and_the_next_holder_inherits_it(scene: Scene) -> None:
    scene.desk.use(900)
    member = make_member(scene.team)
    seats.move_seat(seat=scene.seat, to=member, by=None, at=T0 + MINUTE)
    desk = make_desk(member)
    with pytest.raises(QuotaExhausted):
        desk.ask(91, at=T0 + MINUTE)
    assert desk.ask(90, at=T0 + MINUTE).from_quota_nanousd == 90 * PENNY
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + MINUTE)


def test_an_upgrade_is_immediate_and_resets_no_usage(scene: Scene) -> None:
    scene.desk.use(990)
    ultra = make_plan("ultra", limits(24_750_000_000, 247_500_000_000))
    entitle_seat(
        seat=scene.seat, plan=ultra, starts_at=T0 + MINUTE, ends_at=None, source="u", at=T0 + MINUTE, by=None
    )
    windows = usage_bar(scene.owner, T0 + MINUTE).windows
    assert [(w.used, w.limit.nanousd) for w in windows] == [
        (990 * PENNY, 24_750_000_000),
        (990 * PENNY, 247_500_000_000),
    ]
    assert scene.desk.ask(100, at=T0 + MINUTE).from_quota_nanousd == 100 * PENNY


def test_a_plan_with_another_window_rule_counts_what_was_used_before(scene: Scene) -> None:
    scene.desk.use(100)
    scene.desk.use(50, at=T0 + HOUR)
    daily = make_plan(
        "ultra", [Limit("day", Rule(Policy.FIRST_USE, 86400), 10 * USD), Limit("5h", FIVE_HOURS, USD)]
    )
    later = T0 + 2 * HOUR
    entitle_seat(seat=scene.seat, plan=daily, starts_at=later, ends_at=None, source="d", at=later, by=None)
    windows = {w.limit.name: w for w in usage_bar(scene.owner, later).windows}
    assert (windows["day"].used, windows["day"].starts_at) == (150 * PENNY, T0)
    assert windows["5h"].used == 150 * PENNY


def use_every_day_of_a_year(scene: Scene) -> None:
    """Charges of a cent in the shape of one that was made, each of a day more ago."""
    scene.desk.use(1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO quota_usageevent SELECT (jsonb_populate_record(v, jsonb_build_object("
            "'id', gen_random_uuid(), 'draw_id', day::text, "
            "'occurred_at', v.occurred_at - day * interval '1 day'"
            "))).* FROM quota_usageevent v, generate_series(1, 365) AS day"
        )


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (Rule(Policy.ROLLING, 2 * 86400), 2),
        (Rule(Policy.FIXED, 2 * 86400, T0 - DAY), 2),
        (Rule(Policy.FIRST_USE, 2 * 86400), 3),
    ],
)
def test_a_new_rule_reads_and_writes_no_more_of_a_seats_year_than_its_last_window(
    scene: Scene, rule: Rule, days: int
) -> None:
    use_every_day_of_a_year(scene)
    forget_statistics()
    plan = make_plan("ultra", [Limit("2d", rule, USD), Limit("5h", FIVE_HOURS, USD)])

    def renew() -> None:
        entitle_seat(seat=scene.seat, plan=plan, starts_at=T0, ends_at=None, source="r", at=T0, by=None)

    read = read_by(renew)
    # One of them is asked whether the seat was ever used.
    assert sum(rows for table, rows in read.items() if table.startswith("quota_usageevent")) <= days + 1
    assert (
        sum(UsageBucket.objects.filter(rule=rule.key).values_list("used_nanousd", flat=True)) == days * PENNY
    )


def test_periods_of_a_seat_never_overlap(scene: Scene) -> None:
    entitle_seat(
        seat=scene.seat, plan=scene.plan, starts_at=T0 + DAY, ends_at=None, source="a", at=T0, by=None
    )
    entitle_seat(seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=None, source="b", at=T0, by=None)
    rows = Entitlement.objects.filter(seat=scene.seat).order_by("pk")
    assert [(row.starts_at, row.superseded_at) for row in rows] == [
        (T0, T0 + DAY),
        (T0 + DAY, T0 + DAY),
        (T0 + DAY, None),
    ]


def test_an_entitlement_that_has_ended_is_no_seat(scene: Scene) -> None:
    entitle_seat(
        seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0 + HOUR, source="e", at=T0, by=None
    )
    assert scene.desk.ask(at=T0 + HOUR - SECOND).plan_code == "max"
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + HOUR)


def test_a_suspended_seat_falls_to_credits_and_comes_back_with_its_usage(scene: Scene) -> None:
    scene.desk.use(100)
    suspend_seat(seat=scene.seat, at=T0 + MINUTE, by=None)
    with pytest.raises(NoUsableResources):
        scene.desk.ask(at=T0 + MINUTE)
    give_credits(scene.team, USD)
    assert scene.desk.use(1, at=T0 + MINUTE).from_credits_nanousd == PENNY
    assert usage_bar(scene.owner, T0 + MINUTE).suspended
    resume_seat(seat=scene.seat, at=T0 + HOUR, by=None)
    assert scene.desk.use(1, at=T0 + HOUR).from_quota_nanousd == PENNY
    assert usage_bar(scene.owner, T0 + HOUR).windows[0].used == 101 * PENNY


def test_a_suspension_that_is_over_stays_in_the_history_of_the_seat(scene: Scene) -> None:
    suspend_seat(seat=scene.seat, at=T0 + HOUR, by=None)
    resumed = resume_seat(seat=scene.seat, at=T0 + DAY, by=None)
    rows = Entitlement.objects.filter(seat=scene.seat).order_by("pk")
    assert [(row.starts_at, row.suspended_at, row.superseded_at) for row in rows] == [
        (T0, T0 + HOUR, T0 + DAY),
        (T0 + DAY, None, None),
    ]
    before, after = rows
    assert resumed == after
    for field in ("team_id", "plan_id", "ends_at", "renews_at", "source"):
        assert getattr(after, field) == getattr(before, field), field
    assert after.created_at == T0 + DAY


def test_a_suspension_that_has_not_begun_leaves_nothing_behind(scene: Scene) -> None:
    suspend_seat(seat=scene.seat, since=T0 + DAY, at=T0, by=None)
    resume_seat(seat=scene.seat, at=T0 + HOUR, by=None)
    row = Entitlement.objects.get(seat=scene.seat)
    assert (row.starts_at, row.suspended_at, row.superseded_at) == (T0, None, None)


def test_what_has_ended_can_be_resumed_so_that_the_next_period_is_not_suspended(scene: Scene) -> None:
    seat = scene.seat
    entitle_seat(seat=seat, plan=scene.plan, starts_at=T0, ends_at=T0 + DAY, source="si_1", at=T0, by=None)
    suspend_seat(seat=seat, at=T0 + HOUR, by=None)
    resumed = resume_seat(seat=seat, at=T0 + DAY, by=None)
    assert (resumed.starts_at, resumed.ends_at, resumed.suspended_at) == (T0, T0 + DAY, None)
    assert Entitlement.objects.open().get(seat=seat) == resumed


def test_the_same_entitlement_given_twice_is_one(scene: Scene) -> None:
    for _ in range(2):
        entitle_seat(
            seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0 + DAY, source="si_1", at=T0, by=None
        )
    sources = Entitlement.objects.filter(seat=scene.seat).order_by("pk").values_list("source", flat=True)
    assert list(sources) == ["test", "si_1"]


def test_an_entitlement_that_ends_before_it_begins_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidValue):
        entitle_seat(seat=scene.seat, plan=scene.plan, starts_at=T0, ends_at=T0, source="x", at=T0, by=None)
    assert Entitlement.objects.count() == 1


def test_a_seat_without_a_plan_cannot_be_suspended() -> None:
    seat = Seat.objects.create(team=make_team(), number=1, created_at=T0)
    with pytest.raises(SeatNotEntitled):
        suspend_seat(seat=seat, at=T0, by=None)


def test_suspending_twice_is_once(scene: Scene) -> None:
    suspend_seat(seat=scene.seat, at=T0, by=None)
    suspend_seat(seat=scene.seat, at=T0 + DAY, by=None)
    assert Entitlement.objects.get().suspended_at == T0
    resume_seat(seat=scene.seat, at=T0 + DAY, by=None)
    actions = AuditEntry.objects.filter(action__startswith="seat.").values_list("action", flat=True)
    assert [a for a in actions if a in ("seat.suspended", "seat.resumed")] in (
        ["seat.suspended", "seat.resumed"],
        ["seat.resumed", "seat.suspended"],
    )

"""Whole charges against a brute-force model: the model keeps raw usage only, and sums it anew for every
question.

Calls are asked, settled with more or less than was held, released, forgotten, and reported late and in any
order, under each window policy. After every step the bar equals what the raw events say; at the end so does
every bucket.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import given, settings
from hypothesis import strategies as st

from quota.errors import QuotaExhausted
from quota.hot_path.authorize import Authorization
from quota.hot_path.buckets import sum_into_buckets
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.hot_path.settle import release
from quota.models import CreditLedgerEntry, UsageBucket, UsageEvent
from quota.selectors.reconcile.first_use import differences_of_first_use
from quota.selectors.usage_bar import usage_bar
from quota.windows import Limit, Policy, Rule
from tests.helpers.factories import MONDAY, T0, Scene, give_credits, make_scene
from tests.helpers.window_model import FirstUseWindows, counted

pytestmark = pytest.mark.django_db

PENNY = 10_000_000
LIFETIME = timedelta(minutes=15)
POLICIES = {
    "rolling": Rule(Policy.ROLLING, 3600),
    "fixed": Rule(Policy.FIXED, 3600, MONDAY),
    "first_use": Rule(Policy.FIRST_USE, 3600),
}


@dataclass
class Model:
    """Raw usage (moment, nano-dollars of quota and overrun) and live holds.

    Sums nothing ahead of a question.
    """

    rule: Rule
    limit: int
    usage: list[tuple[datetime, int]] = field(default_factory=list)
    holds: dict[object, tuple[datetime, int]] = field(default_factory=dict)
    credit_holds: dict[object, tuple[datetime, int]] = field(default_factory=dict)

    opened: FirstUseWindows = field(init=False)
    quota_of_windows: Counter[datetime] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.opened = FirstUseWindows(self.rule)

    def release(self, reservation: object) -> None:
        del self.holds[reservation], self.credit_holds[reservation]

    def live(self, at: datetime) -> list[tuple[datetime, int]]:
        return [(made, nanousd) for made, nanousd in self.holds.values() if made + LIFETIME > at]

    def room(self, at: datetime) -> int:
        if self.rule.policy is Policy.FIRST_USE:
            start = self.opened.of(at)
            held = sum(nanousd for made, nanousd in self.live(at) if self.opened.of(made) == start)
            return self.limit - self.opened.used.get(start, 0) - held
        return self.limit - counted(self.rule, self.usage + self.live(at), at)


steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "settle", "release", "late", "wait"]),
        st.integers(1, 12),
        st.integers(0, 90),
    ),
    max_size=25,
)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=settings().max_examples // 3)
@given(steps=steps, credits=st.sampled_from([0, 7 * PENNY]))
def test_the_bar_is_what_raw_usage_says_after_every_step(
    policy: str, steps: list[tuple[str, int, int]], credits: int
) -> None:
    with transaction.atomic():
        play(POLICIES[policy], steps, credits)
        transaction.set_rollback(True)


def play(rule: Rule, steps: list[tuple[str, int, int]], credits: int) -> None:
    scene = make_scene([Limit("hour", rule, 20 * PENNY)])
    if credits:
        give_credits(scene.team, credits)
    model = Model(rule, 20 * PENNY)
    pending: list[Authorization] = []
    at = T0
    for number, (verb, calls, minutes) in enumerate(steps):
        match verb:
            case "wait":
                at += timedelta(minutes=minutes)
            case "ask":
                ask(scene, model, pending, calls, at)
            case "settle" if pending:
                answer = pending.pop(minutes % len(pending))
                event = scene.desk.settle(answer, calls, at=at)
                note(model, event, answer)
            case "release" if pending:
                answer = pending.pop(0)
                release(reservation_id=answer.reservation_id, at=at)
                model.release(answer.reservation_id)
            case "late":
                moment = max(T0, at - timedelta(minutes=minutes))
                report = ReportedEvent(f"late {number}", scene.desk.key, "penny", {"calls": calls}, moment)
                (outcome,) = record_events(gateway=scene.desk.gateway, events=[report], at=at)
                assert outcome.is_new
                note(model, UsageEvent.objects.get(external_id=report.id), None)
        at += timedelta(seconds=1)
        assert usage_bar(scene.owner, at).windows[0].room == model.room(at)
    check_books(scene, model, credits)


def ask(scene: Scene, model: Model, pending: list[Authorization], calls: int, at: datetime) -> None:
    """The model says beforehand whether, and from what, the call is paid."""
    room = max(model.room(at), 0)
    from_quota = min(calls * PENNY, room)
    from_credits = calls * PENNY - from_quota
    usable = CreditLedgerEntry.objects.for_team(scene.team).balance() - sum(
        nanousd for made, nanousd in model.credit_holds.values() if made + LIFETIME > at
    )
    try:
        answer = scene.desk.ask(calls, at=at)
    except QuotaExhausted:
        assert usable < max(from_credits, 1)
        return
    assert (answer.from_quota_nanousd, answer.from_credits_nanousd) == (from_quota, from_credits)
    assert usable >= from_credits
    pending.append(answer)
    model.opened.add(at, 0)
    model.holds[answer.reservation_id] = (at, from_quota)
    model.credit_holds[answer.reservation_id] = (at, from_credits)


def note(model: Model, event: UsageEvent, answer: Authorization | None) -> None:
    in_window = event.from_quota_nanousd + event.overrun_nanousd
    if in_window:
        model.usage.append((event.occurred_at, in_window))
        model.quota_of_windows[model.opened.add(event.occurred_at, in_window)] += event.from_quota_nanousd
    if answer:
        model.release(answer.reservation_id)


def check_books(scene: Scene, model: Model, credits: int) -> None:
    rule = model.rule
    events = UsageEvent.objects.annotate(in_window=F("from_quota_nanousd") + F("overrun_nanousd"))
    raw = list(events.filter(in_window__gt=0).values_list("occurred_at", "in_window"))
    kept = UsageBucket.objects.order_by("starts_at").values_list("starts_at", "used_nanousd")
    if rule.policy is Policy.FIRST_USE:
        assert list(kept) == sorted(model.opened.used.items())
        assert max(model.quota_of_windows.values(), default=0) <= 20 * PENNY
        assert not list(differences_of_first_use(scene.seat.pk))
    else:
        assert list(kept) == [(bucket.starts_at, bucket.used) for bucket in sum_into_buckets(rule, raw)]
    from_credits = sum(event.from_credits_nanousd for event in events)
    assert CreditLedgerEntry.objects.for_team(scene.team).balance() == credits - from_credits >= 0
    without_overrun = [
        (event.occurred_at, event.from_quota_nanousd) for event in events if event.from_quota_nanousd
    ]
    if rule.policy is not Policy.FIRST_USE:
        for moment, _ in without_overrun:
            assert counted(rule, without_overrun, moment) <= 20 * PENNY

"""Notices: who gets which, with what figures, and how often: once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outbox

from quota.models import CreditAccess, CreditGrant, CreditLedgerEntry
from quota.models.notice_settings import THRESHOLDS
from quota.services.balance import add_to_balance, set_balance_alert
from quota.services.credits import adjust_lot, freeze_lot, set_team_credits
from quota.services.entitlements import entitle_seat, suspend_seat
from quota.windows import Limit, Policy, Rule
from teams.models import Mail, Role, Team
from teams.services.mail import deliver_due
from teams.services.seats import move_seat
from tests.helpers.factories import (
    T0,
    USD,
    WEEK,
    Scene,
    allow_credits,
    give_credits,
    limits,
    make_desk,
    make_member,
    make_plan,
    make_scene,
    make_seat,
    make_team,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.notices import send_notices
from tests.helpers.races import race

pytestmark = pytest.mark.django_db

CENT = USD // 100
HOUR = timedelta(hours=1)
SHORT = limits(10 * CENT, 100 * USD)  # the window of five hours fills, the week does not


def kinds(scene: Scene) -> list[str]:
    """What was mailed, in order."""
    mails = Mail.objects.filter(kind__in=[*(f"quota_{t}" for t in THRESHOLDS), "credits_low", "balance_low"])
    return list(mails.order_by("pk").values_list("kind", flat=True))


def test_at_79_percent_no_mail_is_sent_at_80_one_is() -> None:
    scene = make_scene(limits(100 * CENT, 100 * USD))
    scene.desk.use(79)
    assert send_notices(at=T0) == 0
    scene.desk.use(1)
    assert send_notices(at=T0) == 1
    assert kinds(scene) == ["quota_80"]


def test_what_is_held_but_not_used_is_no_reason() -> None:
    scene = make_scene(SHORT)
    scene.desk.ask(10)
    assert send_notices(at=T0) == 0


def test_80_and_100_are_mailed_once_each_however_often_the_sweep_runs() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(8)
    for minute in range(3):
        send_notices(at=T0 + timedelta(minutes=minute))
    scene.desk.use(2)
    for minute in range(3, 6):
        send_notices(at=T0 + timedelta(minutes=minute))
    assert kinds(scene) == ["quota_80", "quota_100"]


def test_a_jump_to_100_tells_100_alone_also_when_some_is_released_after_it() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(1)
    scene.desk.use(9, at=T0 + 2 * HOUR)
    send_notices(at=T0 + 2 * HOUR)
    send_notices(at=T0 + 5 * HOUR)  # 90 % by now
    assert kinds(scene) == ["quota_100"]


def test_a_rolling_window_is_mailed_of_again_after_its_length() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(9)
    send_notices(at=T0)
    scene.desk.use(8, at=T0 + 5 * HOUR - timedelta(minutes=2))
    send_notices(at=T0 + 5 * HOUR - timedelta(minutes=1))
    assert kinds(scene) == ["quota_80"]
    send_notices(at=T0 + 5 * HOUR)
    assert kinds(scene) == ["quota_80", "quota_80"]


@pytest.mark.parametrize("rule", [WEEK, Rule(Policy.FIRST_USE, 7 * 86400)], ids=["fixed", "first_use"])
def test_a_window_with_an_end_is_mailed_of_once_and_the_next_one_again(rule: Rule) -> None:
    scene = make_scene([Limit("week", rule, 10 * CENT)])
    for day in (0, 1, 3, 7, 8, 11):  # Wednesday to Sunday, and into the next window of either rule
        at = T0 + timedelta(days=day)
        if day in (0, 7):
            scene.desk.use(9, at=at)
        send_notices(at=at)
        send_notices(at=at + HOUR)
    assert kinds(scene) == ["quota_80", "quota_80"]


def test_a_run_a_week_late_says_nothing_of_windows_that_have_passed() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(10)
    assert send_notices(at=T0 + timedelta(days=7)) == 0


def test_the_next_holder_of_the_seat_gets_a_mail_too() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(9)
    send_notices(at=T0)
    member = make_member(scene.team)
    move_seat(seat=scene.seat, to=member, by=None, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    send_notices(at=T0 + 2 * HOUR)
    sent_to = Mail.objects.filter(kind="quota_80").order_by("pk").values_list("to", flat=True)
    assert list(sent_to) == [scene.owner.user.email, member.user.email]


def test_another_plan_is_another_limit_and_mailed_anew() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(9)
    send_notices(at=T0)
    ultra = make_plan("ultra", limits(20 * CENT, 100 * USD))
    entitle_seat(seat=scene.seat, plan=ultra, starts_at=T0, ends_at=None, source="up", at=T0, by=None)
    send_notices(at=T0 + HOUR)
    assert kinds(scene) == ["quota_80"]
    scene.desk.use(9, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    assert kinds(scene) == ["quota_80", "quota_80"]


def test_a_seat_that_does_not_work_or_that_nobody_holds_is_silent() -> None:
    scene = make_scene(SHORT)
    scene.desk.use(10)
    suspend_seat(seat=scene.seat, at=T0, by=None)
    make_seat(make_team(), make_plan("plus", limits(0, 0)))
    assert send_notices(at=T0) == 0


def text_of(mail: Mail) -> str:
    """The mail as its receiver reads it."""
    Mail.objects.exclude(pk=mail.pk).delete()
    Mail.objects.update(sent_at=None)
    outbox.outbox.clear()
    deliver_due(at=T0 + timedelta(days=30))
    (message,) = outbox.outbox
    return f"{message.subject}\n{message.body}"


def test_the_80_percent_mail_has_the_exact_figures_and_what_to_do() -> None:
    scene = make_scene(limits(330 * CENT, 33 * USD))
    scene.desk.use(100)
    scene.desk.use(175, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    text = text_of(Mail.objects.get(kind="quota_80"))
    assert text.startswith(f"83.33% of your 5-hour quota in {scene.team.name} is used\n")
    assert "$2.75 of the $3.30 in the 5-hour window of your Max seat" in text
    assert "$0.55 was left at 3 Jun 2026, 11:02 UTC." in text
    assert (
        "It is released step by step: $1.00 at 3 Jun 2026, 15:00 UTC, and all that was used so far by "
        "3 Jun 2026, 16:00 UTC." in text
    )
    assert "Credits do not pay for what goes beyond it: the Team has none." in text


def test_the_100_percent_mail_says_when_the_window_resets_and_that_credits_pay() -> None:
    scene = make_scene(limits(1000 * USD, 10 * CENT))
    give_credits(scene.team, 5 * USD)
    allow_credits(scene.owner)
    scene.desk.use(12)
    send_notices(at=T0)
    text = text_of(Mail.objects.get(kind="quota_100"))
    assert text.startswith(f"Your weekly quota in {scene.team.name} is used up\n")
    assert "$0.10 of the $0.10 in the weekly window" in text
    assert "100% at 3 Jun 2026, 10:02 UTC" in text
    assert "The window ends, and the next one begins empty, at 8 Jun 2026, 00:00 UTC." in text
    assert "Credits pay for what goes beyond it: you can use 4,980 Credits now." in text
    assert "has no windows: http" in text
    for page in ("credits/buy", "billing", "api-keys"):
        assert f"/teams/{scene.team.slug}/{page}/\n" in text


def test_who_may_make_no_api_key_reads_whom_to_ask_for_one() -> None:
    scene = make_scene(SHORT)
    member = make_member(scene.team)
    make_seat(scene.team, scene.plan, holder=member)
    make_desk(member).use(9)
    send_notices(at=T0)
    text = text_of(Mail.objects.get(to=member.user.email, kind__startswith="quota"))
    found = [
        said in text
        for said in (
            "Ask the Owner or an Admin for one.",
            "The Owner, and whoever has the Billing right, buys",
            "/api-keys/",
        )
    ]
    assert found == [True, True, False]


def test_a_mail_keeps_values_and_makes_its_sentences_when_it_is_sent() -> None:
    scene = make_scene(SHORT)
    give_credits(scene.team, 5 * CENT)
    scene.desk.use(9)
    send_notices(at=T0)
    quota, credits = (Mail.objects.get(kind=kind).context for kind in ("quota_80", "credits_low"))
    texts = {"team": scene.team.name, "slug": scene.team.slug, "plan": "Max", "window_name": "5h"}
    codes = {"policy": "rolling", "credits_state": "usable", "percent": "90.00"}
    moments = {
        "at": "2026-06-03T10:02:00+00:00",
        "resets_at": "2026-06-03T15:00:00+00:00",
        "release_at": "",
        "until": "2026-06-03T15:00:00+00:00",
    }
    numbers = {name: value for name, value in quota.items() if isinstance(value, int)}
    assert quota == texts | codes | moments | numbers
    assert set(credits) == {"team", "slug", "balance_nanousd", "threshold_nanousd", "at"}
    assert (credits["balance_nanousd"], credits["threshold_nanousd"]) == (5 * CENT, USD)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"allowed": False}, "your access to the Team's Credits is off"),
        ({"overflow": "never"}, "this is switched off, for you or for the Team"),
        ({"granted_month_cap_nanousd": 0}, "your 0 Credits of this month are used"),
    ],
)
def test_the_mail_says_why_credits_do_not_pay(rules: dict[str, object], reason: str) -> None:
    scene = make_scene(SHORT)
    give_credits(scene.team, 5 * USD)
    access = CreditAccess.objects.of_one(scene.owner)
    for name, value in rules.items():
        setattr(access, name, value)
    access.save()
    scene.desk.use(10)
    send_notices(at=T0)
    assert reason in text_of(Mail.objects.get(kind="quota_100"))


def test_the_mail_says_so_when_all_credits_are_held() -> None:
    scene = make_scene(SHORT)
    give_credits(scene.team, 5 * CENT)
    allow_credits(scene.owner)
    scene.desk.use(10)
    scene.desk.ask(5)
    send_notices(at=T0)
    text = text_of(Mail.objects.get(kind="quota_100"))
    assert "calls under way may need all that you can use" in text


# Credits that run low. $1 = 1,000 Credits is where Teams are warned unless they say otherwise.


def pool(*nanousd: int) -> Scene:
    """A Team without a seat, whose Owner draws on its Credits."""
    use_test_rate_card()
    team = make_team()
    for amount in nanousd:
        give_credits(team, amount)
    owner = owner_of(team)
    plan = make_plan()
    return Scene(team, owner, plan, make_seat(team, plan), make_desk(owner))


def test_low_credits_are_mailed_to_owner_and_admins_once() -> None:
    scene = pool(5 * USD)
    admin = make_member(scene.team, role=Role.ADMIN)
    make_member(scene.team)
    scene.desk.use(400)
    assert send_notices(at=T0) == 0  # $1.00 is not below $1.00
    scene.desk.use(1)
    for minute in range(3):
        send_notices(at=T0 + timedelta(minutes=minute))
    mails = Mail.objects.filter(kind="credits_low").order_by("pk")
    assert [mail.to for mail in mails] == [scene.owner.user.email, admin.user.email]
    text = text_of(mails[0])
    assert text.startswith(f"990 Credits are left in {scene.team.name}\n")
    assert "below 1,000 Credits, the balance at which this notice is sent" in text


def test_a_team_that_never_had_credits_gets_no_mail() -> None:
    make_team()
    assert send_notices(at=T0) == 0


def test_credits_that_expired_are_low_credits() -> None:
    scene = pool()
    give_credits(scene.team, 5 * USD, expires_at=T0 + timedelta(days=1))
    assert send_notices(at=T0 + timedelta(hours=23)) == 0
    assert send_notices(at=T0 + timedelta(days=1)) == 1
    assert send_notices(at=T0 + timedelta(days=9)) == 0


def test_after_a_refill_the_next_fall_is_mailed_again() -> None:
    scene = pool(2 * USD)
    scene.desk.use(150)
    send_notices(at=T0)
    give_credits(scene.team, 5 * USD, at=T0 + HOUR)
    send_notices(at=T0 + HOUR)
    assert kinds(scene) == ["credits_low"]
    scene.desk.use(500, at=T0 + 2 * HOUR)
    for minute in range(3):
        send_notices(at=T0 + 2 * HOUR + timedelta(minutes=minute))
    assert kinds(scene) == ["credits_low", "credits_low"]


def test_a_refill_and_the_next_fall_between_two_runs_is_mailed() -> None:
    scene = pool(2 * USD)
    scene.desk.use(150)
    send_notices(at=T0)
    give_credits(scene.team, 5 * USD, at=T0 + HOUR)
    scene.desk.use(500, at=T0 + HOUR)
    send_notices(at=T0 + 2 * HOUR)
    assert kinds(scene) == ["credits_low", "credits_low"]


def test_a_refill_that_stays_below_the_line_is_not_mailed() -> None:
    scene = pool(2 * USD)
    scene.desk.use(150)
    send_notices(at=T0)
    give_credits(scene.team, 40 * CENT, at=T0 + HOUR)
    scene.desk.use(50, at=T0 + 2 * HOUR)
    send_notices(at=T0 + 3 * HOUR)
    assert kinds(scene) == ["credits_low"]


def test_the_owner_moves_the_line() -> None:
    scene = pool(5 * USD)
    assert send_notices(at=T0) == 0
    set_line(scene.team, 6 * USD, at=T0)
    assert send_notices(at=T0) == 1
    set_line(scene.team, 0, at=T0)
    freeze_lot(lot=CreditGrant.objects.get(team=scene.team), frozen=True, at=T0, by=None)
    assert send_notices(at=T0 + HOUR) == 0


def set_line(team: Team, nanousd: int, *, at: datetime) -> None:
    set_team_credits(team=team, overflow="allow", low_balance_nanousd=nanousd, at=at, by=None)


@pytest.mark.django_db(transaction=True)
def test_runs_at_the_same_time_queue_each_mail_once() -> None:
    scene = make_scene(SHORT)
    give_credits(scene.team, 50 * CENT)
    scene.desk.use(9)
    results = race(*[lambda n=n: send_notices(at=T0 + timedelta(milliseconds=n)) for n in range(6)])
    assert not [result for result in results if isinstance(result, Exception)]
    assert sorted(kinds(scene)) == ["credits_low", "quota_80"]


def pay_in(team: Team, nanousd: int, at: datetime = T0, source: str = "pi_1") -> CreditGrant:
    return add_to_balance(team=team, nanousd=nanousd, source=source, cause="Bought", at=at, by=None)


def test_a_low_api_balance_is_mailed_once_to_owner_and_admins_until_it_is_refilled() -> None:
    scene = make_scene()
    make_member(scene.team, role=Role.ADMIN)
    make_member(scene.team)
    lot = pay_in(scene.team, 5 * USD)
    assert send_notices(at=T0) == 0
    take: dict[str, Any] = {"kind": CreditLedgerEntry.Kind.ADJUSTMENT, "cause": "a", "by": None}
    adjust_lot(lot=lot, nanousd=-4 * USD - 1, at=T0 + HOUR, **take)

    assert [send_notices(at=T0 + n * HOUR) for n in (1, 2)] == [2, 0]
    assert kinds(scene) == ["balance_low", "balance_low"]
    mails = Mail.objects.filter(kind="balance_low")
    assert {mail.context["balance_nanousd"] for mail in mails} == {USD - 1}
    refilled = pay_in(scene.team, 5 * USD, T0 + 3 * HOUR, "pi_2")
    assert send_notices(at=T0 + 3 * HOUR) == 0
    adjust_lot(lot=refilled, nanousd=-5 * USD, at=T0 + 4 * HOUR, **take)
    assert send_notices(at=T0 + 4 * HOUR) == 2


def test_a_team_that_wants_no_warning_of_its_api_balance_gets_none() -> None:
    scene = make_scene()
    pay_in(scene.team, USD - 1)
    set_balance_alert(team=scene.team, enabled=False, low_balance_nanousd=USD, at=T0, by=None)
    assert send_notices(at=T0) == 0
    set_balance_alert(team=scene.team, enabled=True, low_balance_nanousd=USD, at=T0, by=None)
    assert send_notices(at=T0) == 1


def test_neither_account_is_counted_for_the_other() -> None:
    scene = make_scene()
    give_credits(scene.team, 5 * USD)
    pay_in(scene.team, USD - 1)
    assert send_notices(at=T0) == 1
    assert kinds(scene) == ["balance_low"]

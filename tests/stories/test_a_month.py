"""A month in the life of a Team, through the services: who may use what on which day, to the nano-dollar."""

from datetime import UTC, datetime, timedelta

import pytest

from quota.errors import NoUsableResources, QuotaExhausted
from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import CreditLedgerEntry, UsageEvent
from quota.selectors.usage_bar import usage_bar
from quota.services.credits import adjust_lot, expire_lots, grant_credits, set_credit_access
from quota.services.entitlements import entitle_seat, grant_seat, resume_seat, suspend_seat, withdraw_seat
from teams.errors import KeyInvalid, OwnerMustTransferFirst, TeamHasLiveSeats
from teams.invitation_tokens import token_of
from teams.models import AuditEntry, Seat, SeatHolding
from teams.services import invitations, seats
from teams.services.invitations import accept_invitation
from teams.services.keys import rotate_key
from teams.services.memberships import end_membership
from teams.services.teams import create_team, delete_team, transfer_ownership
from tests.helpers.factories import (
    USD,
    allow_credits,
    key_of,
    limits,
    make_desk,
    make_plan,
    make_user,
    use_test_rate_card,
)

pytestmark = pytest.mark.django_db

PENNY = 10_000_000
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MAX = limits(9_900_000_000, 99_000_000_000)
ULTRA = limits(24_750_000_000, 247_500_000_000)


def june(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """June 2026; the 1st, 8th, 15th, 22nd and 29th are Mondays."""
    return datetime(2026, 6, day, hour, minute, tzinfo=UTC)


def test_a_month_in_the_life_of_a_team() -> None:
    use_test_rate_card()
    max_plan, ultra = make_plan("max", MAX, at=june(1)), make_plan("ultra", ULTRA, at=june(1))
    ann, bob, cleo = (make_user(f"{name}@example.com", at=june(1)) for name in ("ann", "bob", "cleo"))

    # 1 June. Ann makes the Team, is granted two seats and $25 in Credits, and invites Bob.
    owner = create_team(name="Acme", by=ann, at=june(1))
    team = owner.team
    first, second = (
        grant_seat(team=team, plan=max_plan, ends_at=june(30), source="contract", at=june(1), by=None)
        for _ in range(2)
    )
    lot = grant_credits(team=team, nanousd=25 * USD, source="contract", at=june(1), by=None)
    seats.assign_seat(seat=first, membership=owner, by=ann, at=june(1))
    invitation = invitations.invite(team=team, email="BOB@example.com", role="member", by=ann, at=june(1))
    member = accept_invitation(token=token_of(invitation.pk, invitation.times_sent), by=bob, at=june(2))
    desk_ann, desk_bob = make_desk(owner), make_desk(member)
    with pytest.raises(NoUsableResources):
        desk_bob.ask(at=june(2))

    # 2 June. Bob gets the second seat, and fills his five hours exactly.
    seats.assign_seat(seat=second, membership=member, by=ann, at=june(2))
    assert desk_bob.use(990, at=june(2)).from_quota_nanousd == 990 * PENNY
    with pytest.raises(QuotaExhausted) as refusal:
        desk_bob.ask(1, at=june(2, 10))
    assert refusal.value.fits_at == june(2, 14)
    assert refusal.value.retry_after == 4 * 3600

    # With access, Credits cover the excess, up to his cap of 2,000 a month.
    allow_credits(member, month_cap=2 * USD, at=june(2, 11))
    assert desk_bob.use(150, at=june(2, 11)).from_credits_nanousd == 150 * PENNY
    with pytest.raises(QuotaExhausted):
        desk_bob.ask(51, at=june(2, 12))

    # 3 to 6 June. Full five hours again and again fill the week on its tenth time.
    for day in (3, 4, 5):
        for hour in (1, 7, 13):
            assert desk_bob.use(990, at=june(day, hour)).from_quota_nanousd == 990 * PENNY
    bar = usage_bar(member, june(6))
    assert [(w.limit.name, w.used) for w in bar.windows] == [("5h", 0), ("week", 9900 * PENNY)]
    assert (bar.windows[1].is_full, bar.credits.usable, bar.usable) == (True, 50 * PENNY, True)
    with pytest.raises(QuotaExhausted) as refusal:
        desk_bob.ask(51, at=june(6))
    assert (refusal.value.window.limit.name, refusal.value.fits_at) == ("week", june(8, 0))

    # 6 June. The upgrade is immediate and resets nothing.
    entitle_seat(
        seat=second,
        plan=ultra,
        starts_at=june(6, 10),
        ends_at=june(30),
        source="upgrade",
        at=june(6, 10),
        by=ann,
    )
    week = usage_bar(member, june(6, 10)).windows[1]
    assert (week.used, week.limit.nanousd) == (9900 * PENNY, 247_500_000_000)
    assert desk_bob.use(2000, at=june(6, 11)).from_quota_nanousd == 2000 * PENNY

    # 8 June. A new week. A gateway reports a call of Sunday late: it counts on Sunday.
    late = ReportedEvent("sunday", desk_bob.key, "penny", {"calls": 100}, june(7, 23, 30))
    assert record_events(gateway=desk_bob.gateway, events=[late], at=june(8, 1))[0].is_new
    five_hours, week = usage_bar(member, june(8, 1)).windows
    assert (five_hours.used, week.used) == (100 * PENNY, 0)

    # 9 June. Ann's key leaked: she rotates it, and the old one works for one more hour.
    old = desk_ann.key
    rotate_key(membership=owner, overlap=HOUR, at=june(9), by=ann)
    desk_ann.ask(at=june(9, 9, 59))
    with pytest.raises(KeyInvalid):
        desk_ann.ask(at=june(9, 10))
    desk_ann.key = key_of(owner)
    assert desk_ann.key != old

    # 10 June. Bob's Ultra seat goes to Cleo in the middle of its week, with all its usage.
    invitation = invitations.invite(team=team, email="cleo@example.com", role="admin", by=ann, at=june(10))
    newcomer = accept_invitation(token=token_of(invitation.pk, invitation.times_sent), by=cleo, at=june(10))
    desk_bob.use(400, at=june(10))
    seats.move_seat(seat=second, to=newcomer, by=ann, at=june(10, 12))
    assert usage_bar(newcomer, june(10, 12)).windows[1].used == 400 * PENNY
    assert usage_bar(member, june(10, 12)).plan is None
    assert [
        h.membership.user.email for h in SeatHolding.objects.filter(seat=second).order_by("started_at")
    ] == [
        "bob@example.com",
        "cleo@example.com",
    ]

    # 12 June. A payment fails and the grace ends on the 19th: the seat suspends, Credits go on paying.
    desk_cleo = make_desk(newcomer)
    suspend_seat(seat=second, at=june(19), by=None)
    assert usage_bar(newcomer, june(18)).plan is not None
    with pytest.raises(NoUsableResources):
        desk_cleo.ask(at=june(19))
    set_credit_access(
        membership=newcomer, allowed=True, overflow="never", month_cap_nanousd=None, at=june(19), by=ann
    )
    assert desk_cleo.use(10, at=june(19)).from_credits_nanousd == 10 * PENNY
    resume_seat(seat=second, at=june(20), by=None)
    assert desk_cleo.use(10, at=june(20)).from_quota_nanousd == 10 * PENNY

    # 22 June. Bob leaves: his key dies at once, his history stays.
    end_membership(membership=member, by=bob, at=june(22))
    with pytest.raises(KeyInvalid):
        desk_bob.ask(at=june(22))
    assert UsageEvent.objects.filter(membership=member).count() == 14

    # 25 June. $5 are refunded: only what is unused can be clawed back, and it is on the ledger.
    adjust_lot(
        lot=lot, nanousd=-5 * USD, kind=CreditLedgerEntry.Kind.REFUND, cause="refund 1", at=june(25), by=None
    )

    # 30 June. The contract ends with its moment; what was issued worked until then.
    assert desk_ann.use(1, at=june(30) - timedelta(microseconds=2)).from_quota_nanousd == PENNY
    assert usage_bar(owner, june(30)).plan is None
    assert desk_ann.use(1, at=june(30)).from_credits_nanousd == PENNY

    # The Owner cannot leave before a transfer, nor the Team go while it has seats.
    with pytest.raises(OwnerMustTransferFirst):
        end_membership(membership=owner, by=ann, at=june(30))
    with pytest.raises(TeamHasLiveSeats):
        delete_team(team=team, by=ann, at=june(30))
    transfer_ownership(team=team, to=newcomer, by=ann, at=june(30))
    for seat in Seat.objects.for_team(team):
        withdraw_seat(seat=seat, at=june(30), by=None)
    end_membership(membership=owner, by=ann, at=june(30))

    # The books: 1.50 + 0.10 + 0.01 dollars used, 5 refunded, 18.39 left, which expire a year after the
    # purchase.
    by_kind = {
        kind: sum(
            CreditLedgerEntry.objects.for_team(team)
            .filter(kind=kind)
            .values_list("amount_nanousd", flat=True)
        )
        for kind in ("purchase", "use", "refund")
    }
    assert by_kind == {"purchase": 25 * USD, "use": -161 * PENNY, "refund": -5 * USD}
    assert expire_lots(at=june(1) + 366 * DAY) == 1
    assert CreditLedgerEntry.objects.for_team(team).balance() == 0
    delete_team(team=team, by=cleo, at=june(1) + 366 * DAY)
    with pytest.raises(KeyInvalid):
        desk_cleo.ask(at=june(1) + 366 * DAY)

    # Every change of access or money is in the audit log.
    actions = set(AuditEntry.objects.for_team(team).values_list("action", flat=True))
    assert actions >= {
        "team.created",
        "member.joined",
        "member.left",
        "seat.added",
        "seat.assigned",
        "seat.entitled",
        "seat.suspended",
        "seat.resumed",
        "seat.removed",
        "credits.granted",
        "credits.access",
        "credits.refund",
        "key.rotated",
        "key.revoked",
        "ownership.transferred",
        "team.deleted",
    }

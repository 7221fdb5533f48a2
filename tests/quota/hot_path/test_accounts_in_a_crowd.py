"""What a call with an API key decides by is of one key, one text, one Team, one account and one moment.

Each scene has a second of each, and each bound of time is tried on both of its sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import Model, QuerySet

from quota.hot_path.accounts import (
    Payer,
    account_columns,
    key_columns,
    usable_credits,
    usable_in_account,
)
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.draws import Report
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import release, settle
from quota.hot_path.state import CallState, locked_call_state, locked_reservation_state
from quota.models import Account, ApiKeyMonth, CreditGrant, OwedUsage, RateCard, Reservation
from quota.services.balance import add_to_balance
from quota.services.rate_cards import load_rate_card, withdraw_rate_card
from teams.keytext import API_KEY
from teams.models import ApiKey, ApiKeyText, Membership, Team, User
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    MONDAY,
    RATE_CARD,
    T0,
    USD,
    give_credits,
    make_api_key,
    make_gateway,
    make_member,
    make_team,
    owner_of,
    use_test_rate_card,
)
from tests.helpers.hot_path import HOUR, MINUTE, SECOND, asked_of_credits, database_clock

pytestmark = pytest.mark.django_db

TICK = timedelta(microseconds=1)
LATER = T0 + HOUR


@dataclass
class Caller:
    """An API key with its one text."""

    key: ApiKey

    @property
    def row(self) -> ApiKeyText:
        return self.key.texts.get(replaced_at=None)

    @property
    def payer(self) -> Payer:
        return Payer(self.key.team_id, self.key.membership_id, self.key.pk)

    def state(self, moment: datetime, *, request_id: str | None = None) -> CallState:
        with transaction.atomic():
            return locked_call_state(
                self.row.key_id,
                key_text=reveal_key(self.row),
                kind=API_KEY,
                request_id=request_id,
                occurred_at=moment,
                at=moment,
            )

    def ask(self, calls: int, *, at: datetime = T0, id: str = "", **more: Any) -> Authorization:
        asked: dict[str, Any] = {"model": "nano", "estimate": {"calls": calls}} | more
        request = AuthorizeRequest(id or f"r{Reservation.objects.count()}", reveal_key(self.row), **asked)
        return authorize(gateway=make_gateway(), request=request, at=at)

    def usable(self, *, at: datetime = T0, **more: Any) -> int:
        return usable_in_account(self.payer, seated=False, at=at, **more)


def caller(owner: Membership, *, cap: int | None = None) -> Caller:
    name = f"key {ApiKey.objects.count()}"
    return Caller(make_api_key(owner, name, month_cap=cap))


def lot(team: Team, nanousd: int, *, expires_at: datetime | None = None) -> CreditGrant:
    """One of the API balance."""
    add_to_balance(
        team=team, nanousd=nanousd, source=f"pi {CreditGrant.objects.count()}", cause="Bought", at=T0, by=None
    )
    grant = CreditGrant.objects.latest("pk")
    if expires_at:
        CreditGrant.objects.filter(pk=grant.pk).update(expires_at=expires_at)
    return grant


@pytest.fixture
def one() -> Caller:
    use_test_rate_card()
    return caller(owner_of(make_team()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "field"),
    [
        (ApiKeyText, "revoked_at"),
        (ApiKey, "revoked_at"),
        (ApiKeyText, "expires_at"),
        (ApiKey, "expires_at"),
        (Membership, "ended_at"),
        (User, "deactivated_at"),
    ],
)
def test_a_text_works_for_calls_until_the_very_moment_it_ended(
    one: Caller, model: type[Model], field: str
) -> None:
    other = caller(make_member(one.key.team, role="admin"))
    lot(one.key.team, 10)
    held, of_other = one.ask(1), other.ask(1)
    rows: dict[type[Model], QuerySet[Any]] = {
        ApiKeyText: ApiKeyText.objects.filter(api_key=one.key),
        ApiKey: ApiKey.objects.filter(pk=one.key.pk),
        Membership: Membership.objects.filter(pk=one.key.membership_id),
        User: User.objects.filter(pk=one.key.membership.user_id),
    }

    def works(asked: Caller, hold: Authorization, moment: datetime) -> tuple[bool, bool, bool]:
        """For an event, for a call, and for a draw from a hold."""
        with transaction.atomic():
            of_hold = locked_reservation_state(hold.reservation_id, at=moment).key_works
        return asked.state(moment).key_works, asked.state(moment, request_id="r").key_works, of_hold

    assert works(one, held, LATER) == (True, True, True)
    rows[model].update(**{field: LATER}, **({"is_active": False} if model is User else {}))
    ends = field == "expires_at"
    # Before a call the rows as they stand decide, and the caller's clock only when an end is named.
    assert works(one, held, LATER - TICK) == (True, ends, ends)
    assert works(one, held, LATER) == (False, False, False)
    assert works(other, of_other, LATER) == (True, True, True)


def test_a_text_works_for_calls_from_five_seconds_before_it_was_made(one: Caller) -> None:
    assert one.state(T0 - 5 * SECOND).key_works
    assert not one.state(T0 - 5 * SECOND - TICK).key_works


def test_a_text_that_was_replaced_by_a_faster_clock_has_ended(one: Caller) -> None:
    ApiKeyText.objects.filter(api_key=one.key).update(expires_at=T0 + SECOND)
    text = one.row
    ApiKeyText.objects.filter(pk=text.pk).update(replaced_at=T0 + SECOND)
    with transaction.atomic():
        state = locked_call_state(
            text.key_id, key_text=None, kind=API_KEY, request_id="r", occurred_at=T0, at=T0
        )
    assert not state.key_works


def test_a_state_is_of_its_own_key_and_team(one: Caller) -> None:
    caller(owner_of(make_team()))
    state = one.state(T0)
    key = one.key
    assert (state.key_id, state.api_key_id, state.membership_id) == (one.row.pk, key.pk, key.membership_id)
    assert (state.team_id, state.team_slug) == (key.team_id, key.team.slug)
    assert (state.seat_id, state.plan_id, state.rate_card_id) == (None, None, RateCard.objects.get().pk)
    assert state.payer == one.payer


@pytest.mark.parametrize("left", [0, 1])
def test_a_team_owes_what_is_left_of_its_balance_and_no_other_team_does(one: Caller, left: int) -> None:
    other = caller(owner_of(make_team()))
    lot(one.key.team, 3)
    held = one.ask(3)
    OwedUsage.objects.all().delete()
    assert not one.state(T0).owes
    report = Report(usage={"calls": 5})
    settle(gateway=make_gateway(), reservation_id=held.reservation_id, report=report, at=T0)
    OwedUsage.objects.update(left_nanousd=left)
    assert one.state(T0).owes == bool(left)
    assert not other.state(T0).owes
    OwedUsage.objects.update(account=Account.CREDITS)
    assert not one.state(T0).owes


def test_the_rate_card_is_the_newest_that_is_in_force(one: Caller) -> None:
    first = one.state(T0).rate_card_id
    # The same list would be the same card.
    other = RATE_CARD + "a,b,c,1,1,,\n"
    newer, _ = load_rate_card(text=other, effective_from=T0 + MINUTE, at=T0, by=None)
    load_rate_card(text=RATE_CARD, effective_from=LATER, at=T0, by=None)
    assert newer.pk != first
    wrong, _ = load_rate_card(text=RATE_CARD + "x,y,z,1,1,,\n", effective_from=T0 + 30 * TICK, at=T0, by=None)
    withdraw_rate_card(card=wrong, at=T0, by=None)
    seen = [one.state(moment).rate_card_id for moment in (T0 + MINUTE - TICK, T0 + MINUTE)]
    assert seen == [first, newer.pk]
    assert one.state(MONDAY - TICK).rate_card_id is None


def test_an_earlier_reservation_is_found_by_its_team_and_its_request(one: Caller) -> None:
    other = caller(owner_of(make_team()))
    for asked in (one, other):
        lot(asked.key.team, 10)
    held = one.ask(1, id="one")
    one.ask(1, id="two")
    other.ask(1, id="three")

    def prior(request_id: str | None) -> UUID | None:
        return one.state(T0, request_id=request_id).prior_reservation_id

    assert prior("one") == held.reservation_id
    assert prior("three") is prior(None) is None


def test_the_balance_is_that_of_its_team_and_its_account(one: Caller) -> None:
    rich = caller(owner_of(make_team()))
    lot(rich.key.team, USD)
    give_credits(one.key.team, USD)
    assert one.usable() == 0
    lot(one.key.team, 1)
    assert one.usable() == 1
    rich.ask(9)
    assert (one.usable(), rich.usable()) == (1, USD - 9)


def test_credits_are_no_balance_and_balance_is_no_credits(one: Caller) -> None:
    lot(one.key.team, USD, expires_at=T0 + HOUR)
    asked: dict[str, Any] = {"team_id": one.key.team_id, "membership_id": one.key.membership_id}
    assert usable_credits(**asked, seated=False, at=T0) == 0
    give_credits(one.key.team, 7)
    assert usable_credits(**asked, seated=False, at=T0) == 7


def test_a_call_may_not_run_or_sit_still_for_long(one: Caller) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        one.state(T0, request_id="r")
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("30s",)


def test_a_hold_of_one_nano_dollar_counts_until_it_lapses_and_not_for_itself(one: Caller) -> None:
    lot(one.key.team, 10)
    capped = caller(one.key.membership, cap=5)
    held = capped.ask(1)
    assert (one.usable(), capped.usable(), capped.usable(capped=False)) == (9, 4, 9)
    of_itself: dict[str, Any] = {"except_id": held.reservation_id}
    assert (one.usable(**of_itself), capped.usable(**of_itself)) == (10, 5)
    before = held.expires_at - TICK
    assert (one.usable(at=before), capped.usable(at=before)) == (9, 4)
    assert (one.usable(at=held.expires_at), capped.usable(at=held.expires_at)) == (10, 5)
    release(reservation_id=held.reservation_id, at=T0)
    assert (one.usable(), capped.usable()) == (10, 5)


def test_without_a_moment_a_call_is_decided_at_the_one_of_the_database(one: Caller) -> None:
    key: dict[str, Any] = {"key_text": reveal_key(one.row), "kind": API_KEY}
    before = database_clock()
    with transaction.atomic():
        state = locked_call_state(one.row.key_id, **key, request_id="r", occurred_at=None, at=None)
    assert before < state.at < database_clock()
    assert (state.key_works, state.rate_card_id) == (True, RateCard.objects.get().pk)


def test_what_is_held_by_the_databases_clock_counts_by_it(one: Caller) -> None:
    """Every other moment here is long past for the database, whose clock is in the ids of holds."""
    lot(one.key.team, 10)
    capped, now = caller(one.key.membership, cap=5), database_clock()
    capped.ask(2, at=now)
    assert (one.usable(at=now), capped.usable(at=now)) == (8, 3)


def test_a_cap_counts_what_its_own_key_used_and_holds_in_the_month(one: Caller) -> None:
    lot(one.key.team, 100)
    capped, other = caller(one.key.membership, cap=10), caller(one.key.membership, cap=10)
    june, july = T0.replace(day=30, hour=23, minute=55), T0.replace(month=7, day=1, hour=0, minute=5)
    for key, month, used in ((capped, 6, 3), (capped, 7, 1), (other, 6, 9)):
        ApiKeyMonth.objects.create(
            team_id=key.key.team_id, api_key=key.key, month=datetime(2026, month, 1), used_nanousd=used
        )
    capped.ask(2, at=june)
    other.ask(1, at=june)
    assert (capped.usable(at=june), other.usable(at=june)) == (5, 0)
    assert (capped.usable(at=july), capped.usable(at=july, occurred_at=june)) == (9, 5)
    # A lease counts in every month in which it may be drawn from.
    capped.ask(0, at=june, model="", estimate=None, hold_nanousd=4, lifetime_seconds=900)
    assert (capped.usable(at=june), capped.usable(at=july)) == (1, 5)


def test_a_cap_gives_no_more_than_there_is_and_never_less_than_nothing(one: Caller) -> None:
    grant = lot(one.key.team, 4)
    capped = caller(one.key.membership, cap=10)
    assert capped.usable() == 4
    ApiKeyMonth.objects.create(
        team_id=capped.key.team_id, api_key=capped.key, month=datetime(2026, 6, 1), used_nanousd=11
    )
    assert capped.usable() == 0
    one.ask(3)
    CreditGrant.objects.filter(pk=grant.pk).update(frozen_at=T0)
    assert (one.usable(), capped.usable(capped=False)) == (0, 0)


def test_a_lot_counts_until_the_moment_it_expires_and_what_was_held_on_it_is_free_then(one: Caller) -> None:
    lot(one.key.team, 5, expires_at=LATER)
    lot(one.key.team, 7)
    other = lot(make_team(), 9, expires_at=LATER - MINUTE)
    assert other.account == Account.BALANCE
    assert (one.usable(at=LATER - TICK), one.usable(at=LATER)) == (12, 7)
    assert one.usable(at=LATER, lots_at=LATER - TICK) == 12
    one.ask(4, model="", estimate=None, hold_nanousd=4, lifetime_seconds=7200)
    # Until then on the lot that expires first, and so on nothing of the other.
    assert (one.usable(at=LATER - TICK), one.usable(at=LATER)) == (8, 7)
    one.ask(6, at=LATER)
    assert one.usable(at=LATER) == 1


def test_an_expired_lot_pays_nothing_be_it_the_only_one_or_of_one_nano_dollar(one: Caller) -> None:
    lot(one.key.team, 1, expires_at=LATER)
    assert (one.usable(at=LATER - TICK), one.usable(at=LATER)) == (1, 0)
    lot(one.key.team, 5)
    assert (one.usable(at=LATER - TICK), one.usable(at=LATER)) == (6, 5)


def test_the_columns_of_a_key_and_of_an_account_are_of_its_kind() -> None:
    assert key_columns(1, None) == {"key_id": 1, "api_key_id": None, "api_text_id": None}
    assert key_columns(1, 2) == {"key_id": None, "api_key_id": 2, "api_text_id": 1}
    member, key = Payer(1, 2), Payer(1, 2, 3)
    assert (member.account, key.account) == (Account.CREDITS, Account.BALANCE)
    assert account_columns(member, "from", 5) == {"from_credits_nanousd": 5, "from_balance_nanousd": 0}
    assert account_columns(key, "left", 5) == {"left_credits_nanousd": 0, "left_balance_nanousd": 5}


@pytest.mark.parametrize("with_key", [False, True])
def test_what_is_shown_locks_nothing(one: Caller, with_key: bool) -> None:
    payer = one.payer if with_key else Payer(one.key.team_id, one.key.membership_id)
    assert asked_of_credits(lambda: usable_in_account(payer, seated=False, at=T0)) == [False]
    assert asked_of_credits(lambda: usable_in_account(payer, seated=False, at=T0, lock=True)) == [True]

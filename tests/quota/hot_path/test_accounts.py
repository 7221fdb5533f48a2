"""Calls with API keys: no seat, no windows; held in the API balance, charged to it, refused beyond it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from quota.errors import NoUsableResources, RequestIdReused, ReservationUnknown, UsageOwed
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.bulk import record_events
from quota.hot_path.draws import Report
from quota.hot_path.events import ReportedEvent
from quota.hot_path.extend import Extension, extend
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import draw, release, settle
from quota.models import ApiKeyMonth, CreditLedgerEntry, Gateway, OwedUsage, Reservation, UsageEvent
from quota.selectors.balance import api_balance
from quota.selectors.credits import team_balance
from quota.selectors.reconcile import differences
from quota.services.balance import add_to_balance, give_voucher
from teams.errors import KeyInvalid
from teams.models import ApiKey, Membership
from teams.services import api_keys
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    T0,
    USD,
    give_credits,
    make_api_key,
    make_gateway,
    make_seat,
    make_team,
    owner_of,
    use_test_rate_card,
)

pytestmark = pytest.mark.django_db
CENT = USD // 100
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass
class Account:
    """A Team's Owner with a seat, Credits, and an API key; `penny` costs a cent a call."""

    owner: Membership
    key: ApiKey
    gateway: Gateway

    @property
    def text(self) -> str:
        return reveal_key(self.key.texts.get(replaced_at=None))

    def pay(self, nanousd: int) -> None:
        source = f"pi {CreditLedgerEntry.objects.count()}"
        add_to_balance(team=self.owner.team, nanousd=nanousd, source=source, cause="Bought", at=T0, by=None)

    def ask(self, calls: int = 1, *, id: str = "r1", at: Any = T0, **other: Any) -> Authorization:
        values: dict[str, Any] = {
            "model": "penny",
            "estimate": {"calls": calls},
            "key_text": self.text,
            **other,
        }
        return authorize(gateway=self.gateway, request=AuthorizeRequest(request_id=id, **values), at=at)

    def settle(self, held: Authorization, calls: int, *, at: Any = T0) -> UsageEvent:
        report = Report(usage={"calls": calls})
        return settle(gateway=self.gateway, reservation_id=held.reservation_id, report=report, at=at).event

    def left(self) -> int:
        return api_balance(self.owner.team, T0).total


@pytest.fixture
def account() -> Account:
    use_test_rate_card()
    owner = owner_of(make_team("Acme"))
    make_seat(owner.team, holder=owner)
    give_credits(owner.team, USD)
    key = make_api_key(owner, "batch")
    return Account(owner, key, make_gateway())


def agrees() -> bool:
    return list(differences(T0)) == []


def test_the_last_use_is_noted_of_the_own_text_once_it_is_more_than_a_minute_old(account: Account) -> None:
    other = make_api_key(account.owner, "other")
    account.pay(USD)
    noted = []
    for seconds in (0, 60, 61):
        account.ask(1, id=f"r{seconds}", at=T0 + timedelta(seconds=seconds))
        noted.append(account.key.texts.get().last_used_at)
    assert noted == [T0, T0, T0 + timedelta(seconds=61)]
    assert other.texts.get().last_used_at is None


def test_a_call_is_held_in_the_balance_and_charged_to_it(account: Account) -> None:
    account.pay(USD)
    held = account.ask(5)

    assert (held.estimate_nanousd, held.from_balance_nanousd) == (5 * CENT, 5 * CENT)
    assert (held.from_quota_nanousd, held.from_credits_nanousd) == (0, 0)
    assert (held.plan_code, held.windows, held.team_slug) == (None, [], "acme")
    assert account.left() == USD

    event = account.settle(held, 3)
    assert (event.amount_nanousd, event.from_balance_nanousd, event.overrun_nanousd) == (
        3 * CENT,
        3 * CENT,
        0,
    )
    assert (event.from_quota_nanousd, event.from_credits_nanousd, event.windows) == (0, 0, b"")
    assert (event.key_id, event.api_key, event.membership) == (None, account.key, account.owner)
    assert account.left() == USD - 3 * CENT
    assert team_balance(account.owner.team_id, T0) == USD
    assert ApiKeyMonth.objects.get().used_nanousd == 3 * CENT
    assert account.key.texts.get().last_used_at == T0
    assert agrees()


def test_settling_twice_is_once_and_releasing_holds_nothing(account: Account) -> None:
    account.pay(USD)
    held = account.ask(5)
    assert account.settle(held, 5) == account.settle(held, 5)
    other = account.ask(100 - 5, id="r2")
    release(reservation_id=other.reservation_id, at=T0)

    assert account.ask(95, id="r3").from_balance_nanousd == 95 * CENT
    assert UsageEvent.objects.count() == 1
    assert agrees()


def test_a_repeat_gets_the_same_answer_and_another_body_is_refused(account: Account) -> None:
    account.pay(USD)
    first = account.ask(5)
    again = account.ask(5, at=T0 + MINUTE)

    assert (again.reservation_id, again.repeated) == (first.reservation_id, True)
    assert again.from_balance_nanousd == 5 * CENT
    with pytest.raises(RequestIdReused):
        account.ask(6)


def test_an_empty_balance_is_refused_whatever_seat_and_credits_there_are(account: Account) -> None:
    with pytest.raises(NoUsableResources) as refused:
        account.ask(1)

    assert (refused.value.code, refused.value.status) == ("no_usable_resources", 402)
    with pytest.raises(NoUsableResources):
        account.ask(0, id="r2")
    assert not Reservation.objects.exists()


def test_what_is_held_cannot_be_held_twice_and_never_more_than_there_is(account: Account) -> None:
    account.pay(USD)
    account.ask(99)
    with pytest.raises(NoUsableResources, match=r"may cost \$0\.02, of which \$0\.01 can be paid"):
        account.ask(2, id="r2")

    assert account.ask(1, id="r3").from_balance_nanousd == CENT
    assert account.ask(100, id="r4", at=T0 + DAY).from_balance_nanousd == USD


def test_vouchers_are_drawn_first_the_one_that_expires_first_before_all(account: Account) -> None:
    team = account.owner.team
    account.pay(USD)
    for days in (90, 1):
        give_voucher(
            team=team,
            nanousd=2 * CENT,
            expires_at=T0 + days * DAY,
            source=f"v{days}",
            reason="Welcome",
            at=T0,
            by=None,
        )
    account.settle(account.ask(5), 5)

    lots = team.credit_grants.api_balance().order_by("expires_at")
    assert [lot.remaining_nanousd for lot in lots] == [0, 0, 99 * CENT]
    assert agrees()


def test_usage_beyond_the_balance_is_owed_by_the_team_and_paid_by_its_next_lot(account: Account) -> None:
    account.pay(10 * CENT)
    event = account.settle(account.ask(10), 15)

    assert (event.from_balance_nanousd, event.overrun_nanousd) == (10 * CENT, 5 * CENT)
    assert (account.left(), api_balance(account.owner.team, T0).owed) == (0, 5 * CENT)
    with pytest.raises(UsageOwed):
        account.ask(1, id="r2")
    give_credits(account.owner.team, USD)
    assert OwedUsage.objects.get().left_nanousd == 5 * CENT
    account.pay(20 * CENT)
    assert (account.left(), OwedUsage.objects.get().left_nanousd) == (15 * CENT, 0)
    assert account.ask(15, id="r3").from_balance_nanousd == 15 * CENT
    assert agrees()


def test_what_api_keys_owe_refuses_no_subscription_key(account: Account) -> None:
    account.pay(CENT)
    account.settle(account.ask(1), 2)

    own = reveal_key(account.owner.keys.get())
    assert account.ask(1, id="r2", key_text=own).from_quota_nanousd == CENT


def test_a_keys_cap_counts_what_it_used_and_holds_in_the_month_and_no_other_keys(account: Account) -> None:
    account.pay(USD)
    api_keys.change_api_key(
        key=account.key, name="batch", month_cap_nanousd=10 * CENT, at=T0, by=account.owner.user
    )
    account.settle(account.ask(4), 4)
    account.ask(5, id="r2")
    with pytest.raises(NoUsableResources, match=r"of which \$0\.01 can be paid"):
        account.ask(2, id="r3")
    assert account.ask(1, id="r4").from_balance_nanousd == CENT

    other = make_api_key(account.owner, "site")
    text = reveal_key(other.texts.get())
    assert account.ask(90, id="r5", key_text=text).from_balance_nanousd == 90 * CENT
    july = T0 + 30 * DAY
    assert account.ask(10, id="r6", at=july).from_balance_nanousd == 10 * CENT


def test_a_cap_refuses_calls_and_none_that_was_made(account: Account) -> None:
    account.pay(USD)
    api_keys.change_api_key(
        key=account.key, name="batch", month_cap_nanousd=5 * CENT, at=T0, by=account.owner.user
    )
    event = account.settle(account.ask(5), 8)

    assert (event.from_balance_nanousd, event.overrun_nanousd) == (8 * CENT, 0)
    with pytest.raises(NoUsableResources, match="cap is reached"):
        account.ask(1, id="r2")


@pytest.mark.parametrize("dead", ["revoked", "rotated", "expired", "left"])
def test_a_key_that_does_not_work_is_refused_and_its_held_call_is_charged(
    account: Account, dead: str
) -> None:
    account.pay(USD)
    key, owner = account.key, account.owner
    held = account.ask(2)
    text = account.text
    if dead == "revoked":
        api_keys.revoke_api_key(key=key, at=T0, by=None)
    elif dead == "rotated":
        api_keys.rotate_api_key(key=key, membership=owner, overlap=timedelta(0), at=T0, by=owner.user)
    elif dead == "expired":
        ApiKey.objects.filter(pk=key.pk).update(expires_at=T0 + timedelta(microseconds=1))
    else:
        Membership.objects.filter(pk=owner.pk).update(ended_at=T0)
    at = T0 + timedelta(microseconds=1)

    with pytest.raises(KeyInvalid):
        account.ask(1, id="r2", key_text=text, at=at)
    assert account.settle(held, 2, at=at).from_balance_nanousd == 2 * CENT


def test_another_secret_of_the_same_id_is_no_key(account: Account) -> None:
    account.pay(USD)
    text = account.text
    account.key.texts.update(salt=b"another salt")
    with pytest.raises(KeyInvalid):
        account.ask(1, key_text=text)


def test_a_lease_is_drawn_from_and_raised(account: Account) -> None:
    account.pay(USD)
    held = account.ask(model="", estimate=None, hold_nanousd=10 * CENT)
    report = Report(usage={"calls": 4}, model="penny", draw_id="d1")
    drawn = draw(gateway=account.gateway, reservation_id=held.reservation_id, report=report, at=T0)

    assert drawn.event.from_balance_nanousd == 4 * CENT
    row = extend(reservation_id=held.reservation_id, extension=Extension(hold_nanousd=90 * CENT), at=T0)
    assert (row.left_balance_nanousd, row.from_balance_nanousd) == (90 * CENT, 94 * CENT)
    with pytest.raises(NoUsableResources):
        extend(reservation_id=held.reservation_id, extension=Extension(hold_nanousd=97 * CENT), at=T0)
    closing = Report(usage={"calls": 1}, model="penny")
    last = settle(gateway=account.gateway, reservation_id=held.reservation_id, report=closing, at=T0)
    assert last.event.from_balance_nanousd == CENT
    assert account.left() == 95 * CENT
    assert agrees()


def test_a_revoked_key_ends_its_lease_at_the_next_draw(account: Account) -> None:
    account.pay(USD)
    held = account.ask(model="", estimate=None, hold_nanousd=10 * CENT)
    api_keys.revoke_api_key(key=account.key, at=T0, by=None)
    report = Report(usage={"calls": 4}, model="penny", draw_id="d1")
    drawn = draw(gateway=account.gateway, reservation_id=held.reservation_id, report=report, at=T0 + MINUTE)

    assert (drawn.state, drawn.event.from_balance_nanousd) == ("ended", 4 * CENT)


def test_usage_reported_later_is_charged_by_text_and_by_handle_and_counts_once(account: Account) -> None:
    account.pay(USD)
    held = account.ask(5)
    account.settle(held, 5)
    owner = account.owner
    by_text = ReportedEvent("e1", account.text, "penny", {"calls": 1}, T0)
    api_keys.rotate_api_key(key=account.key, membership=owner, overlap=DAY, at=T0, by=owner.user)
    by_handle = ReportedEvent("e2", "", "penny", {"calls": 2}, T0, key_handle=held.key_handle)
    results = record_events(gateway=account.gateway, events=[by_text, by_handle, by_text], at=T0)

    assert [(row.is_new, row.refusal) for row in results] == [(True, None), (True, None), (False, None)]
    assert account.left() == USD - 8 * CENT
    assert ApiKeyMonth.objects.get().used_nanousd == 8 * CENT
    assert agrees()


def test_an_event_that_names_a_hold_is_of_its_key(account: Account) -> None:
    account.pay(USD)
    held = account.ask(5)
    own = reveal_key(account.owner.keys.get())
    wrong = ReportedEvent("e1", own, "penny", {"calls": 1}, T0, reservation_id=held.reservation_id)
    right = ReportedEvent("e2", account.text, "penny", {"calls": 1}, T0, reservation_id=held.reservation_id)
    results = record_events(gateway=account.gateway, events=[wrong, right], at=T0)

    assert isinstance(results[0].refusal, ReservationUnknown)
    assert (results[1].is_new, results[1].refusal) == (True, None)
    assert account.left() == USD - CENT

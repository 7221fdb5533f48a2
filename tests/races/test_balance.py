"""Two calls at once never hold more of the API balance than there is."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from django.db import connection
from django.db.models import Sum

from quota.errors import NoUsableResources
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.draws import Report
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import Gateway, Reservation
from quota.selectors.balance import api_balance
from quota.selectors.reconcile import differences
from quota.services.balance import add_to_balance
from teams.models import Membership
from teams.services.keys import reveal_key
from tests.helpers.factories import T0, make_api_key, make_gateway, make_team, owner_of, use_test_rate_card
from tests.helpers.races import race

pytestmark = pytest.mark.django_db(transaction=True)
CENT = 10_000_000
SQL = importlib.import_module("quota.migrations.0006_pay_as_you_go").USABLE_BALANCE
NEXT = "    -- As for Credits:"
LOCK = SQL[SQL.index("    IF p_lock THEN") : SQL.index(NEXT)]


@contextmanager
def holding_by(lock: str | None = None) -> Iterator[None]:
    """Decisions on the balance lock so, or as they do, and wait a moment before they sum."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('quota_usable_balance'::regproc)")
        before = cursor.fetchone()[0]
        locked = before if lock is None else before.replace(LOCK, lock)
        # The statement after the sum waits, so that who does not lock has summed before others have held.
        slow = locked.replace(
            "    SELECT a.month_cap_nanousd", "    PERFORM pg_sleep(0.3);\n    SELECT a.month_cap_nanousd"
        )
        assert slow != locked
        cursor.execute(slow)
        try:
            yield
        finally:
            cursor.execute(before)


@pytest.fixture
def owner() -> Membership:
    use_test_rate_card()
    owner = owner_of(make_team())
    add_to_balance(team=owner.team, nanousd=10 * CENT, source="pi", cause="Bought", at=T0, by=None)
    return owner


def text(owner: Membership) -> str:
    key = make_api_key(owner, "k")
    return reveal_key(key.texts.get())


def ask(gateway: Gateway, key: str) -> Authorization:
    request = AuthorizeRequest(f"r {key}", key, "penny", {"calls": 6})
    return authorize(gateway=gateway, request=request, at=T0)


def held() -> int:
    total: int = Reservation.objects.aggregate(total=Sum("from_balance_nanousd", default=0))["total"]
    return total


def test_control_without_the_lock_two_keys_hold_more_than_there_is(owner: Membership) -> None:
    gateway, keys = make_gateway(), [text(owner), text(owner)]
    with holding_by(""):
        race(*(partial(ask, gateway, key) for key in keys))
    assert held() == 12 * CENT


def test_of_two_keys_that_ask_at_once_one_is_refused(owner: Membership) -> None:
    gateway, keys = make_gateway(), [text(owner), text(owner)]
    with holding_by():
        answers = race(*(partial(ask, gateway, key) for key in keys))
    assert held() == 6 * CENT
    assert sum(isinstance(answer, NoUsableResources) for answer in answers) == 1


def test_calls_settled_at_once_draw_what_they_used_and_the_ledger_agrees(owner: Membership) -> None:
    gateway = make_gateway()
    calls = [
        authorize(
            gateway=gateway,
            request=AuthorizeRequest(f"r{number}", text(owner), "penny", {"calls": 2}),
            at=T0,
        )
        for number in range(5)
    ]
    report = Report(usage={"calls": 2})
    race(
        *(
            partial(settle, gateway=gateway, reservation_id=call.reservation_id, report=report, at=T0)
            for call in calls
        )
    )
    assert api_balance(owner.team, T0).total == 0
    assert list(differences(T0)) == []

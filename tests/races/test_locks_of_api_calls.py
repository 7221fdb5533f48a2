"""A call with an API key waits for each row that it decides by, and for no other row of the same kind. The
control, which shows what happens without the lock of the balance, is in test_balance.py.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet

from quota.hot_path.accounts import Payer, usable_in_account
from quota.hot_path.authorize import Authorization, authorize
from quota.hot_path.draws import Report
from quota.hot_path.holds import AuthorizeRequest
from quota.hot_path.settle import settle
from quota.models import Gateway, Reservation, TeamCredits, UsageEvent
from quota.services.balance import add_to_balance
from teams.models import ApiKeyText, Membership
from teams.services.keys import reveal_key
from tests.helpers.factories import T0, make_api_key, make_gateway, make_team, owner_of, use_test_rate_card
from tests.helpers.hot_path import PENNY
from tests.helpers.races import waiting

pytestmark = pytest.mark.django_db(transaction=True)


def payer() -> Membership:
    """The Owner of a Team with an API balance."""
    owner = owner_of(make_team())
    add_to_balance(
        team=owner.team, nanousd=10 * PENNY, source=f"pi {owner.pk}", cause="Bought", at=T0, by=None
    )
    return owner


def text_of(owner: Membership, name: str = "one") -> ApiKeyText:
    key = make_api_key(owner, name)
    return key.texts.get()


def ask(gateway: Gateway, text: ApiKeyText, request_id: str = "r") -> Authorization:
    request = AuthorizeRequest(request_id, reveal_key(text), "penny", {"calls": 1})
    return authorize(gateway=gateway, request=request, at=T0)


def charge(gateway: Gateway, held: Authorization) -> UsageEvent:
    report = Report(usage={"calls": 2})
    return settle(gateway=gateway, reservation_id=held.reservation_id, report=report, at=T0).event


def start(pool: ThreadPoolExecutor, work: Callable[[], Any]) -> Future[Any]:
    def run() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    return pool.submit(run)


@pytest.mark.parametrize(
    ("verb", "waits_for"),
    [
        *(("ask", "text"), ("ask", "balance"), ("settle", "text")),
        *(("settle", "reservation"), ("settle", "balance")),
    ],
)
def test_a_call_waits_for_the_rows_that_it_decides_by(verb: str, waits_for: str) -> None:
    use_test_rate_card()
    owner, gateway = payer(), make_gateway()
    text = text_of(owner)
    held = ask(gateway, text)  # marks the text as used, so that the next one does not write it
    verbs: dict[str, Callable[[], Any]] = {
        "ask": lambda: ask(gateway, text, "another"),
        "settle": lambda: charge(gateway, held),
    }
    rows: dict[str, QuerySet[Any]] = {
        "text": ApiKeyText.objects.filter(pk=text.pk),
        "balance": TeamCredits.objects.filter(team=owner.team),
        "reservation": Reservation.objects.filter(team=owner.team, pk=held.reservation_id),
    }
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert len(rows[waits_for].select_for_update(no_key=True)) == 1
            done = start(pool, verbs[verb])
            waiting("transactionid", 1)
            assert not done.done()
        assert not isinstance(done.result(30), Exception)


def test_what_is_shown_waits_for_nobody() -> None:
    owner = payer()
    payer_of_call = Payer(owner.team_id, owner.pk, text_of(owner).api_key_id)

    def shown() -> int:
        return usable_in_account(payer_of_call, seated=False, at=T0, occurred_at=T0, lots_at=T0)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        assert len(TeamCredits.objects.filter(team=owner.team).select_for_update(no_key=True)) == 1
        assert start(pool, shown).result(30) == 10 * PENNY


def test_a_call_waits_for_no_row_of_anybody_else() -> None:
    use_test_rate_card()
    owner, other, gateway = payer(), payer(), make_gateway()
    text, busy = text_of(owner), ask(gateway, text_of(owner, "two"), "busy")

    def call() -> int:
        return charge(gateway, ask(gateway, text)).from_balance_nanousd

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        for rows in (
            ApiKeyText.objects.exclude(pk=text.pk),
            Reservation.objects.filter(team=owner.team, pk=busy.reservation_id),
            TeamCredits.objects.filter(team=other.team),
        ):
            assert list(rows.select_for_update(no_key=True))
        assert start(pool, call).result(30) == 2 * PENNY

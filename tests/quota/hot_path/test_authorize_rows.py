"""A call on the road for one reads its own rows alone, whoever pays and however many others there are, and
whatever the planner believes of the tables.
"""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection

from quota.models import Account
from quota.services.balance import add_to_balance
from quota.services.gateways import create_gateway
from teams.models import Membership
from teams.services.keys import reveal_key
from tests.helpers.factories import (
    T0,
    USD,
    Desk,
    allow_credits,
    give_credits,
    make_api_key,
    make_desk,
    make_member,
    make_scene,
    make_seat,
    make_team,
    owe,
    owner_of,
)
from tests.helpers.rows_read import forget_statistics, read_by

pytestmark = pytest.mark.django_db

OTHERS = 20
# So often a statement of a function is planned for its values, before one plan is kept for all.
PLANNED_FOR_GOOD = 6


@pytest.fixture
def road() -> None:
    """The road for one only."""


def customers() -> dict[str, Desk]:
    """By who pays: a seat, Credits up to a cap, an API balance up to a cap. Of three Teams."""
    seat = make_scene().desk
    member = make_member(make_team(at=T0))
    give_credits(member.team, 100 * USD)
    allow_credits(member, month_cap=50 * USD)
    return {"seat": seat, "Credits": make_desk(member), "API balance": account()}


def account() -> Desk:
    owner = owner_of(make_team(at=T0))
    add_to_balance(
        team=owner.team, nanousd=100 * USD, source=f"pi {owner.pk}", cause="Bought", at=T0, by=None
    )
    key = make_api_key(owner, month_cap=50 * USD)
    desk = make_desk(owner)
    desk.key = reveal_key(key.texts.get(replaced_at=None))
    return desk


def a_call_of_each(desks: dict[str, Desk]) -> dict[str, Counter[str]]:
    return {payer: read_by(lambda desk=desk: desk.use(2)) for payer, desk in desks.items()}  # type: ignore[misc]


def write_others() -> None:
    """People of another Team, each with a call under way on a seat, on Credits and on an API balance, with a
    month of each, and with usage that is owed; more gateways; and other Teams of the customers.
    """
    customers = {member.user for member in Membership.objects.live().select_related("user")}
    scene = make_scene()
    for number in range(OTHERS):
        seated, alone, payer = make_member(scene.team), make_member(scene.team), account()
        make_seat(scene.team, scene.plan, holder=seated)
        give_credits(scene.team, 10 * USD)
        allow_credits(alone, month_cap=5 * USD)
        for desk in (make_desk(seated), make_desk(alone), payer):
            desk.use(1)
            desk.ask(1)
        owe(seated)
        owe(seated, Account.BALANCE)
        create_gateway(name=f"edge {number}", at=T0, by=None)
        team = make_team()
        for user in customers:
            make_member(team, user)


def test_a_call_reads_as_many_rows_beside_many_others_as_alone() -> None:
    desks = customers()
    forget_statistics()
    with connection.cursor() as cursor:  # what is written is no function's: it may take small tables whole
        cursor.execute("SET LOCAL enable_seqscan = off")
    for _ in range(PLANNED_FOR_GOOD):
        alone = a_call_of_each(desks)
    write_others()
    assert a_call_of_each(desks) == alone

"""`manage.py grant`: seats and Credits from an operator, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from quota.models import CreditGrant, CreditLedgerEntry, Entitlement
from teams.models import Seat, SeatHolding, Team
from tests.helpers.catalog import load_shipped, refused, said
from tests.helpers.factories import T0, USD, make_member, make_seat, make_team, make_user

pytestmark = pytest.mark.django_db


def test_a_seat_is_granted_to_a_member_until_a_day() -> None:
    load_shipped()
    team = make_team("Acme")
    member = make_member(team)
    email = member.user.email
    words = said(
        "grant", "seat", "--team", team.slug, "--plan", "max", "--to", email.upper(), "--until", "2099-03-01"
    )
    seat = Seat.objects.get()
    assert words == [f"Seat {seat.number} of Acme: Max v1, held by {email.upper()}."]
    assert SeatHolding.objects.get(seat=seat).membership == member
    assert Entitlement.objects.get(seat=seat).ends_at == datetime(2099, 3, 1, tzinfo=UTC)


def test_a_seat_may_be_left_free() -> None:
    load_shipped()
    team = make_team("Acme")
    said("grant", "seat", "--team", team.slug, "--plan", "plus")
    assert not SeatHolding.objects.exists()
    assert Entitlement.objects.get().ends_at is None


def test_a_seat_that_cannot_be_held_is_not_granted_either() -> None:
    load_shipped()
    team = make_team("Acme")
    member = make_member(team)
    make_seat(team, holder=member)
    assert refused("grant", "seat", "--team", team.slug, "--plan", "plus", "--to", member.user.email)
    assert Seat.objects.count() == 1


def test_a_grant_names_what_is_missing() -> None:
    team = make_team("Acme")
    grant = ("grant", "seat", "--team", team.slug, "--plan")
    assert "on offer: none" in refused(*grant, "max")
    load_shipped()
    assert "on offer: plus, max, ultra" in refused(*grant, "mini")
    assert "is not a member of Acme" in refused(*grant, "max", "--to", make_user().email)
    assert "There is no Team 'nowhere'" in refused("grant", "credits", "--team", "nowhere", "--credits", "5")


def test_credits_are_granted_for_a_year_and_once_per_source() -> None:
    team = make_team("Acme")
    grant = ("grant", "credits", "--team", team.slug, "--credits", "5000")
    with time_machine.travel(T0, tick=False):
        assert said(*grant)[0].endswith("of Acme: 5,000 Credits until 2027-06-03 10:02 UTC.")
        said(*grant)
        said(*grant, "--source", "ticket 12")
        said(*grant, "--source", "ticket 12", "--until", "2026-12-31T18:00:00Z")
    lots = list(CreditGrant.objects.values_list("team", "remaining_nanousd", "expires_at"))
    assert lots == [(Team.objects.get(slug=team.slug).pk, 5 * USD, T0 + timedelta(days=365))] * 3
    assert set(CreditLedgerEntry.objects.values_list("cause", flat=True)) == {"Given by an operator"}


@pytest.mark.parametrize("credits", ["0", "-5", "many", "0.0000001", "1e30"])
def test_credits_that_are_no_amount_are_refused(credits: str) -> None:
    team = make_team("Acme")
    assert refused("grant", "credits", "--team", team.slug, f"--credits={credits}")
    assert not CreditGrant.objects.exists()


def test_a_voucher_is_given_until_a_day_and_once_per_source() -> None:
    team = make_team("Acme")
    give = ("grant", "voucher", "--team", team.slug, "--usd", "2.50", "--until", "2026-12-31")
    with time_machine.travel(T0, tick=False):
        assert said(*give)[0].endswith("of Acme: $2.50 until 2026-12-31 00:00 UTC.")
        said(*give, "--source", "ticket 12")
        said(*give, "--source", "ticket 12")
    lots = CreditGrant.objects.for_team(team).api_balance()
    assert [lot.remaining_nanousd for lot in lots] == [2_500_000_000] * 2
    assert refused("grant", "voucher", "--team", team.slug, "--usd", "many", "--until", "2099-01-01")

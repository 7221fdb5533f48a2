"""What operators load and give by command: the shipped lists, seats, Credits, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
import time_machine
from django.core.management import CommandError, call_command

from quota.models import CreditGrant, Entitlement, Plan, RateCard
from quota.hot_path.catalog import plan_terms
from teams.models import Seat, SeatHolding, Team
from tests.helpers.factories import RATE_CARD, T0, USD, make_member, make_seat, make_team, make_user

pytestmark = pytest.mark.django_db


def said(command: str, *arguments: str) -> list[str]:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue().splitlines()


def refused(command: str, *arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        call_command(command, *arguments)
    return str(error.value)


# Plans


def test_the_shipped_plans_are_those_of_the_product() -> None:
    assert said("load_plans") == ["Plus v1 is on offer.", "Max v1 is on offer.", "Ultra v1 is on offer."]
    terms = [plan_terms(plan.pk) for plan in Plan.objects.order_by("rank")]
    assert [(t.code, t.agents, t.agents_enforced) for t in terms] == [
        ("plus", (3, 4), False),
        ("max", (4, 5), False),
        ("ultra", (6, 7), False),
    ]
    assert [[limit.nanousd for limit in t.limits] for t in terms] == [
        [3_300_000_000, 33_000_000_000],
        [9_900_000_000, 99_000_000_000],
        [24_750_000_000, 247_500_000_000],
    ]
    assert [limit.rule.key for limit in terms[0].limits] == ["rolling/18000", "fixed/604800@345600"]


def test_plans_loaded_twice_are_loaded_once() -> None:
    said("load_plans")
    assert said("load_plans") == ["All plans of the list are on offer already."]
    assert Plan.objects.count() == 3


def shipped_plans() -> list[dict[str, object]]:
    return list(json.loads(Path("quota/data/plans.json").read_text()))


def written(folder: Path, content: object) -> str:
    file = folder / "list"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def test_a_changed_plan_is_a_new_version_and_the_others_stay(tmp_path: Path) -> None:
    said("load_plans")
    plans = shipped_plans()
    plans[1]["agents"] = [5, 6]
    assert said("load_plans", written(tmp_path, plans)) == ["Max v2 is on offer."]
    assert list(Plan.objects.sellable().values_list("code", "version")) == [
        ("plus", 1),
        ("max", 2),
        ("ultra", 1),
    ]


def test_a_plan_that_is_not_on_offer_any_more_comes_back_as_a_new_version() -> None:
    said("load_plans")
    Plan.objects.filter(code="plus").update(sellable=False)
    assert said("load_plans") == ["Plus v2 is on offer."]


LIMIT = {"name": "5h", "policy": "rolling", "length_seconds": 18000, "usd": "1"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limits": []}, "has no limits"),
        ({"limits": [LIMIT, LIMIT]}, "two limits"),
        ({"limits": [{**LIMIT, "length_seconds": 59}]}, "from an hour to 31 days"),
        ({"limits": [{**LIMIT, "policy": "fixed"}]}, "has an anchor"),
        ({"limits": [{**LIMIT, "policy": "fixed", "anchor": "2026-01-05T00:00:00"}]}, "time zone"),
        ({"limits": [{**LIMIT, "policy": "sliding"}]}, "sliding"),
        ({"limits": [{**LIMIT, "usd": "-1"}]}, "not negative"),
        ({"limits": [{**LIMIT, "usd": "a lot"}]}, "not a dollar amount"),
        ({"agents": [4, 3]}, "no range"),
        ({"agents": [4]}, "IndexError"),
        ({"code": "max"}, "twice"),
    ],
)
def test_a_list_that_is_wrong_anywhere_leaves_nothing(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    plans = shipped_plans()
    plans[2].update(change)
    assert reason in refused("load_plans", written(tmp_path, plans))
    assert not Plan.objects.exists()


@pytest.mark.parametrize("content", ["not JSON", "{}x", "[1]", '[{"code": "a"}]'])
def test_what_is_no_list_of_plans_is_refused(tmp_path: Path, content: str) -> None:
    assert "cannot be read" in refused("load_plans", written(tmp_path, content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for command in ("load_plans", "load_rate_card"):
        assert "No such file" in refused(command, str(tmp_path / "none"))


# Prices


def test_the_first_price_list_is_in_force_from_ever() -> None:
    assert said("load_rate_card") == ["Loaded 32 prices, in force from 1970-01-01 00:00 UTC."]
    assert said("load_rate_card") == ["This list is loaded already, in force from 1970-01-01 00:00 UTC."]


def test_a_later_price_list_is_in_force_from_now_or_from_when_it_says(tmp_path: Path) -> None:
    said("load_rate_card")
    other = written(tmp_path, RATE_CARD)
    with time_machine.travel(T0, tick=False):
        assert said("load_rate_card", other)[0].endswith("from 2026-06-03 10:02 UTC.")
        assert said("load_rate_card", "--effective-from", "2026-07-01")[0].endswith(
            "from 2026-07-01 00:00 UTC."
        )
    assert RateCard.objects.count() == 3


def test_a_price_list_is_refused_with_its_line(tmp_path: Path) -> None:
    wrong = RATE_CARD.replace("penny,language,calls,1,0.01", "penny,language,calls,1,free")
    assert refused("load_rate_card", written(tmp_path, wrong)).startswith("Line 8:")
    assert "not a date" in refused("load_rate_card", "--effective-from", "soon")
    assert not RateCard.objects.exists()


# Seats and Credits


def test_a_seat_is_granted_to_a_member_until_a_day() -> None:
    said("load_plans")
    team = make_team("Acme")
    member = make_member(team)
    email = member.user.email
    words = said(
        "grant", "seat", "--team", team.slug, "--plan", "max", "--to", email.upper(), "--until", "2099-03-01"
    )
    seat = Seat.objects.get()
    assert words == [f"Seat {seat.pk} of Acme: Max v1, held by {email.upper()}."]
    assert SeatHolding.objects.get(seat=seat).membership == member
    assert Entitlement.objects.get(seat=seat).ends_at == datetime(2099, 3, 1, tzinfo=UTC)


def test_a_seat_may_be_left_free() -> None:
    said("load_plans")
    team = make_team("Acme")
    said("grant", "seat", "--team", team.slug, "--plan", "plus")
    assert not SeatHolding.objects.exists()
    assert Entitlement.objects.get().ends_at is None


def test_a_seat_that_cannot_be_held_is_not_granted_either() -> None:
    said("load_plans")
    team = make_team("Acme")
    member = make_member(team)
    make_seat(team, holder=member)
    assert refused("grant", "seat", "--team", team.slug, "--plan", "plus", "--to", member.user.email)
    assert Seat.objects.count() == 1


def test_a_grant_names_what_is_missing() -> None:
    team = make_team("Acme")
    grant = ("grant", "seat", "--team", team.slug, "--plan")
    assert "on offer: none" in refused(*grant, "max")
    said("load_plans")
    assert "on offer: plus, max, ultra" in refused(*grant, "mini")
    assert "is not a member of Acme" in refused(*grant, "max", "--to", make_user().email)
    assert "There is no Team 'nowhere'" in refused("grant", "credits", "--team", "nowhere", "--credits", "5")


def test_credits_are_granted_for_a_year_and_once_per_source() -> None:
    team = make_team("Acme")
    grant = ("grant", "credits", "--team", team.slug, "--credits", "5000")
    with time_machine.travel(T0, tick=False):
        assert said(*grant)[0].endswith("of Acme: 5000.000 Credits until 2027-06-03 10:02 UTC.")
        said(*grant)
        said(*grant, "--source", "ticket 12")
        said(*grant, "--source", "ticket 12", "--until", "2026-12-31T18:00:00Z")
    lots = list(CreditGrant.objects.values_list("team", "remaining_nanousd", "expires_at"))
    assert lots == [(Team.objects.get(slug=team.slug).pk, 5 * USD, T0 + timedelta(days=365))] * 3


@pytest.mark.parametrize("credits", ["0", "-5", "many", "0.0000001", "1e30"])
def test_credits_that_are_no_amount_are_refused(credits: str) -> None:
    team = make_team("Acme")
    assert refused("grant", "credits", "--team", team.slug, f"--credits={credits}")
    assert not CreditGrant.objects.exists()


# Roots


def test_working_keys_are_counted_by_root(settings: object) -> None:
    team = make_team("Acme")
    make_member(team).keys.update(root="lost")
    make_member(team).keys.update(revoked_at=T0)
    current = next(iter(settings.KEY_ROOTS))  # type: ignore[attr-defined]
    settings.KEY_ROOTS = {current: b"a", "older": b"b"}  # type: ignore[attr-defined]
    # The Owner's, and the three people's own Default Teams'.
    assert said("key_roots") == [
        f"{current}: 4 working keys (makes new keys)",
        "older: 0 working keys (old)",
        "lost: 1 keys cannot work: this root is not configured",
    ]

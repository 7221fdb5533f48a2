"""Usage by the API, filtered: sums, receipts and both as CSV take the same names, and refuse others."""

from __future__ import annotations

from typing import Any

import pytest

from quota.services.balance import add_to_balance
from quota.services.rate_cards import load_rate_card
from teams.models import Membership
from teams.services.keys import reveal_key
from teams.services.memberships import add_member, end_membership
from tests.helpers.api_client import Caller, Office, make_office, person
from tests.helpers.factories import (
    CREDIT,
    RATE_CARD,
    T0,
    allow_credits,
    give_credits,
    make_api_key,
    make_desk,
    make_member,
)

CENT = 10_000_000
IMAGE = 3_500_000


class Room:
    """A Team whose Owner used 1 + 2 cents of quota, an image of quota, and 5 cents with an API key; a member
    without a seat used 7 cents of Credits. `penny` costs a cent a call.
    """

    def __init__(self) -> None:
        self.office: Office = make_office()
        self.scene = self.office.scene
        self._call(1, tags=["web", "night"])
        self._call(2, tags=["web"])
        body = self.office.ask(model="painter", estimate={"images": 1}, request_id="image").body
        self.office.gateway.post(
            f"gateway/reservations/{body['reservation']}/settle", {"usage": {"images": 1}}
        )
        add_to_balance(team=self.scene.team, nanousd=20 * CENT, source="pi", cause="Bought", at=T0, by=None)
        self.api_key = reveal_key(make_api_key(self.scene.owner, "ci").texts.get())
        self._call(5, key=self.api_key)
        give_credits(self.scene.team, 1000 * CREDIT)
        self.mia: Membership = make_member(self.scene.team, credits=True)
        make_desk(self.mia).use(7)
        self.owner = person(self.scene.owner.user)
        self.team = f"teams/{self.scene.team.slug}"

    def _call(self, cents: int, **asked: Any) -> None:
        held = self.office.ask(cents, request_id=f"r{cents}", **asked)
        self.office.settle(held.body["reservation"], cents)

    def cents(self, query: str) -> float:
        """What the query is about, once by each of the four addresses, which agree."""
        calls = self.owner.get(f"{self.team}/receipts?{query}").body["results"]
        lines = self.owner.get(f"{self.team}/receipts.csv?{query}").body.splitlines()[1:]
        sums = self.owner.get(f"{self.team}/usage?by=hour&{query}").body
        added = self.owner.get(f"{self.team}/usage.csv?by=hour&{query}").body.splitlines()[1:]
        assert len(calls) == len(lines)
        if "payer" not in query:
            assert sum(row["amount_nanousd"] for row in calls) == sums["total"]["amount_nanousd"]
            assert sums["total"]["calls"] == len(calls)
        assert [line.split(",")[2] for line in added] == [str(row["amount_nanousd"]) for row in sums["rows"]]
        charged: int = sum(row["amount_nanousd"] for row in calls)
        return charged / CENT


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_teams_usage_is_filtered_like_its_pages(room: Room) -> None:
    image = IMAGE / CENT
    wanted = {
        "": 15 + image,
        "model=painter": image,
        "modality=language": 15,
        "modality=language&model=painter": 0,
        "tag=web": 3,
        "tag=night&payer=quota": 1,
        "tag=never": 0,
        "payer=credits": 7,
        "payer=balance": 5,
        "payer=overrun": 0,
        "model=lease": 0,
        "payer=&tag=&model=": 15 + image,
        f"member={room.mia.pk}": 7,
        f"member={room.mia.user.email.upper()}": 7,
        "member=me&modality=language": 8,
        "member=me&payer=credits": 0,
    }
    assert {query: room.cents(query) for query in wanted} == wanted


def test_of_a_payer_sums_where_it_paid_nothing_are_left_out(room: Room) -> None:
    body = room.owner.get(f"{room.team}/usage?group=member&payer=credits").body
    assert [(row["member"]["id"], row["from_credits_nanousd"]) for row in body["rows"]] == [
        (room.mia.pk, 7 * CENT)
    ]
    assert body["total"]["from_credits_nanousd"] == 7 * CENT
    by_tag = room.owner.get(f"{room.team}/usage?group=tag&payer=quota&tag=web").body
    assert [(row["tag"], row["amount_nanousd"]) for row in by_tag["rows"]] == [("web", 3 * CENT)]
    assert by_tag["total"]["amount_nanousd"] == 3 * CENT


def test_the_address_of_who_came_back_is_of_all_their_memberships(room: Room) -> None:
    end_membership(membership=room.mia, by=None, at=T0)
    again = add_member(team=room.scene.team, user=room.mia.user, role="member", by=None, at=T0)
    allow_credits(again)
    make_desk(again).use(4)

    assert room.cents(f"member={room.mia.user.email}") == 11
    assert room.cents(f"member={again.pk}") == 4


def test_receipts_are_of_all_times_or_of_a_range(room: Room) -> None:
    assert room.cents("from=2026-06-03T10:00:00Z&to=2026-06-04") > 15
    assert room.cents("to=2026-06-03") == 0
    assert len(room.owner.get(f"{room.team}/receipts").body["results"]) == 5


def test_a_key_holder_filters_their_own(room: Room) -> None:
    mine, of_key = Caller(room.office.key), Caller(room.api_key)
    for query, own, keys in (("tag=web", 2, 0), ("payer=balance", 1, 1), ("model=painter", 1, 0)):
        for caller, calls in ((mine, own), (of_key, keys)):
            assert len(caller.get(f"usage/receipts?{query}").body["results"]) == calls
            assert len(caller.get(f"usage/receipts.csv?{query}").body.splitlines()) == calls + 1
    body = mine.get("usage/series?group=model&tag=web").body
    assert [(row["model"], row["calls"], row["amount_nanousd"]) for row in body["rows"]] == [
        ("penny", 2, 3 * CENT)
    ]


def test_an_alias_of_the_card_in_force_stands_for_its_model(room: Room) -> None:
    card = RATE_CARD.replace("note\n", "note,alias_of\n") + "cent,,,,,,,penny\n"
    load_rate_card(text=card, effective_from=T0, at=T0, by=None)

    assert room.cents("model=cent") == room.cents("model=penny") == 15


WRONG = {
    "payer=card": ("invalid", "/payer"),
    "model=pencil": ("model_unknown", "/model"),
    "model=a%00b": ("invalid", "/model"),
    "modality=smell": ("invalid", "/modality"),
    f"tag={'x' * 101}": ("invalid", "/tag"),
    "tag=web&tag=night": ("invalid", "/tag"),
    "tags=web": ("invalid", "/tags"),
    "a/b=1": ("invalid", "/a~1b"),
    "from=2026-06-03&to=2026-06-03": ("invalid", "/to"),
}


@pytest.mark.parametrize("end", ["usage", "usage.csv", "receipts", "receipts.csv"])
def test_what_is_not_known_is_refused_by_its_name(room: Room, end: str) -> None:
    own = {"usage": "usage/series", "usage.csv": ""}.get(end, f"usage/{end}")
    addresses = [(room.owner, f"{room.team}/{end}"), *([(Caller(room.office.key), own)] if own else [])]
    for caller, address in addresses:
        for query, expected in WRONG.items():
            answer = caller.get(f"{address}?{query}")
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert (answer.status, answer.code, answer.body["pointer"]) == (422, *expected), (address, query)
    for query, code in (("member=a%00@b", 422), ("member=nobody@example.com", 404), ("member=mia", 422)):
        answer = room.owner.get(f"{room.team}/{end}?{query}")
        assert (answer.status, answer.body["pointer"]) == (code, "/member")
    if own:
        answer = Caller(room.office.key).get(f"{own}?member=me")
        assert (answer.status, answer.body["pointer"]) == (422, "/member")

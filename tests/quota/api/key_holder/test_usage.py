"""What a key shows its holder: the bar, receipts, and usage added up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine

from quota.hot_path.bulk import record_events
from quota.hot_path.events import ReportedEvent
from quota.models import UsageEvent
from quota.services.balance import add_to_balance
from quota.services.corrections import correct_charge
from quota.services.entitlements import suspend_seat
from teams.services.keys import reveal_key
from tests.helpers import factories
from tests.helpers.api_client import Caller, key_caller, make_office, person, script_of
from tests.helpers.factories import CREDIT, T0, make_api_key

CENT = 10_000_000


def test_the_bar_of_a_seat_in_use() -> None:
    office = make_office()
    factories.give_credits(office.scene.team, 12_000 * CREDIT)
    office.settle(office.ask(410).body["reservation"], 410)
    office.ask(2, request_id="r2", agent="night")
    answer = Caller(office.key).get("usage")
    assert answer.status == 200
    assert answer.body == {
        "team": {"slug": office.scene.team.slug, "name": office.scene.team.name},
        "seat": {"plan": "max", "name": "Max", "ends_at": None, "renews_at": None},
        "suspended": False,
        "usable": True,
        "windows": [
            {
                "name": "5h",
                "policy": "rolling",
                "length_seconds": 18000,
                "limit_nanousd": 9_900_000_000,
                "used_nanousd": 4_100_000_000,
                "held_nanousd": 20_000_000,
                "remaining_nanousd": 5_780_000_000,
                "used_percent": 41.41,
                "starts_at": "2026-06-03T10:00:00Z",
                "resets_at": "2026-06-03T15:00:00Z",
                "next_release": {"at": "2026-06-03T15:00:00Z", "nanousd": 4_100_000_000},
            },
            {
                "name": "week",
                "policy": "fixed",
                "length_seconds": 604800,
                "limit_nanousd": 99_000_000_000,
                "used_nanousd": 4_100_000_000,
                "held_nanousd": 20_000_000,
                "remaining_nanousd": 94_880_000_000,
                "used_percent": 4.14,
                "starts_at": "2026-06-01T00:00:00Z",
                "resets_at": "2026-06-08T00:00:00Z",
                "next_release": None,
            },
        ],
        "agents": {"active": 1, "guideline": [4, 5], "enforced": False},
        "credits": {
            "access": True,
            "balance": "12000.000",
            "usable": "12000.000",
            "overflow": "allow",
            "month_cap": None,
            "month_used": "0.000",
            "owed": "0.000",
        },
    }


def test_the_bar_without_a_seat_and_with_a_suspended_one() -> None:
    office = make_office()
    member = factories.make_member(office.scene.team)
    factories.allow_credits(member, overflow="never", month_cap=1_500_000)
    body = key_caller(member).get("usage").body
    assert (body["seat"], body["windows"], body["usable"], body["suspended"]) == (None, [], False, False)
    assert body["agents"] == {"active": 0, "guideline": None, "enforced": False}
    assert (body["credits"]["overflow"], body["credits"]["month_cap"]) == ("never", "1.500")
    suspend_seat(seat=office.scene.seat, at=T0, by=None)
    body = Caller(office.key).get("usage").body
    assert (body["seat"], body["windows"], body["suspended"]) == (None, [], True)


def test_the_bar_of_who_owes() -> None:
    scene = factories.make_scene()
    member = factories.make_member(scene.team, credits=True)
    factories.give_credits(scene.team, 10 * factories.CREDIT)
    desk = factories.make_desk(member)
    desk.settle(desk.ask(1), 5)

    body = key_caller(member).get("usage").body
    assert (body["credits"]["owed"], body["usable"]) == ("40.000", False)


def test_what_a_members_api_key_owes_is_not_owed_by_their_subscription_key() -> None:
    scene = factories.make_scene()
    add_to_balance(team=scene.team, nanousd=CENT, source="pi", cause="Bought", at=T0, by=None)
    key = make_api_key(scene.owner)
    desk = factories.Desk(scene.desk.gateway, reveal_key(key.texts.get()))
    desk.settle(desk.ask(1), 5)

    body = key_caller(scene.owner).get("usage").body
    assert (body["credits"]["owed"], body["usable"]) == ("0.000", True)


@pytest.mark.parametrize("path", ["usage", "usage/receipts", "usage/series"])
def test_only_a_working_key_opens_usage(path: str) -> None:
    office = make_office()
    assert (Caller(None).get(path).status, Caller(None).get(path).code) == (401, "not_authenticated")
    forged = factories.forged_key_of(office.scene.owner)
    assert len(forged) == len(office.key)
    for credential in (office.key[:-1], office.gateway.credential, "sk-api-" + office.key[6:], "", forged):
        answer = Caller(credential).get(path)
        assert (answer.status, answer.code) == (401, "key_invalid")
    owner = office.scene.owner.user
    assert script_of(owner).get(path).code == "key_invalid"
    assert person(owner).get(path).status == 401


def test_receipts_come_latest_first_a_page_at_a_time_and_only_the_holders_own(
    clock: time_machine.Traveller,
) -> None:
    office = make_office()
    other = factories.make_member(office.scene.team)
    factories.make_seat(office.scene.team, holder=other)
    theirs = factories.make_desk(other).use(1)
    ids = []
    for n in range(5):
        clock.shift(timedelta(minutes=1))
        ids.append(office.settle(office.ask(1, request_id=f"r{n}").body["reservation"], 1).body["id"])
    mine = Caller(office.key)
    seen: list[str] = []
    path: str | None = "usage/receipts?page_size=2"
    while path:
        page = mine.get(path).body
        assert len(page["results"]) <= 2
        seen += [row["id"] for row in page["results"]]
        path = page["next"].removeprefix("http://testserver") if page["next"] else None
    assert seen == ids[::-1]
    assert mine.get(f"usage/receipts/{ids[0]}").body["id"] == ids[0]
    assert mine.get(f"usage/receipts/{theirs.pk}").code == "not_found"
    assert mine.get("usage/receipts/7").status == 404
    assert mine.get("usage/receipts?cursor=malformed").status == 404


def test_series_add_up_by_hour_day_model_and_modality() -> None:
    factories.use_test_rate_card()
    moments = [
        ("2026-06-02T23:59:59.999999+00:00", "penny", {"calls": 1}),
        ("2026-06-03T00:00:00+00:00", "penny", {"calls": 2}),
        ("2026-06-03T09:30:00+00:00", "painter", {"images": 2}),
        ("2026-06-03T09:59:00+00:00", "penny", {"calls": 4}),
    ]
    gateway = factories.make_gateway()
    # The key must be as old as the usage.
    owner = factories.owner_of(factories.make_team(at=T0 - timedelta(days=3)))
    factories.make_seat(owner.team, holder=owner, at=T0 - timedelta(days=3))
    key = factories.key_of(owner)
    events = [
        ReportedEvent(str(n), key, model, usage, datetime.fromisoformat(moment))
        for n, (moment, model, usage) in enumerate(moments)
    ]
    assert all(outcome.is_new for outcome in record_events(gateway=gateway, events=events, at=T0))
    mine = Caller(key)

    def rows(query: str) -> list[tuple[object, ...]]:
        body = mine.get(f"usage/series?{query}").body
        assert body["total"]["amount_nanousd"] == sum(row["amount_nanousd"] for row in body["rows"])
        keep = ("starts_at", "model", "modality", "calls", "amount_nanousd")
        return [tuple(row[name] for name in keep if name in row) for row in body["rows"]]

    image = 3_500_000
    assert rows("") == [(4, 7 * CENT + 2 * image)]
    assert rows("by=day") == [
        ("2026-06-02T00:00:00Z", 1, CENT),
        ("2026-06-03T00:00:00Z", 3, 6 * CENT + 2 * image),
    ]
    assert rows("by=hour&group=model") == [
        ("2026-06-02T23:00:00Z", "penny", 1, CENT),
        ("2026-06-03T00:00:00Z", "penny", 1, 2 * CENT),
        ("2026-06-03T09:00:00Z", "painter", 1, 2 * image),
        ("2026-06-03T09:00:00Z", "penny", 1, 4 * CENT),
    ]
    assert rows("group=modality&from=2026-06-03") == [("image", 1, 2 * image), ("language", 2, 6 * CENT)]
    # An end is not included, a start is; offsets count, escaped or not.
    assert rows("from=2026-06-03T00:00:00Z&to=2026-06-03T11:30:00%2B02:00") == [(1, 2 * CENT)]
    assert rows("from=2026-06-03T00:00:00Z&to=2026-06-03T11:30:00+02:00") == [(1, 2 * CENT)]


def test_a_call_counts_under_each_of_its_tags_and_in_the_total_once() -> None:
    office = make_office()
    asked = [(1, ["night", "web"]), (2, ["web", "web"]), (4, []), (8, ["night"])]
    for cents, tags in asked:
        office.settle(office.ask(cents, request_id=f"r{cents}", tags=tags).body["reservation"], cents)
    theirs = factories.make_member(office.scene.team)
    factories.make_seat(office.scene.team, holder=theirs)
    factories.make_desk(theirs).use(100)
    undone = UsageEvent.objects.get(amount_nanousd=8 * CENT)
    correct_charge(event=undone, usage=None, reason="sent twice", at=T0, by=None)

    def rows(caller: Caller, path: str) -> list[tuple[str, int, int]]:
        return [(row["tag"], row["calls"], row["amount_nanousd"]) for row in caller.get(path).body["rows"]]

    mine = Caller(office.key)
    own = [("", 1, 4 * CENT), ("night", 1, CENT), ("web", 2, 3 * CENT)]
    assert [row for row in rows(mine, "usage/series?group=tag") if row[1]] == own
    body = mine.get("usage/series?by=hour&group=tag").body
    assert (body["group"], body["total"]["calls"], body["total"]["amount_nanousd"]) == ("tag", 3, 7 * CENT)
    assert {row["starts_at"] for row in body["rows"]} == {"2026-06-03T10:00:00Z"}
    team = person(office.scene.owner.user)
    path = f"teams/{office.scene.team.slug}/usage"
    assert rows(team, f"{path}?group=tag")[0] == ("", 2, 104 * CENT)
    assert rows(team, f"{path}?group=tag&member=me") == rows(mine, "usage/series?group=tag")
    assert team.get(f"{path}.csv?group=tag").body.splitlines()[1:] == [
        f",2,{104 * CENT},{104 * CENT},0,0,0",
        f"night,1,{CENT},{CENT},0,0,0",
        f"web,2,{3 * CENT},{3 * CENT},0,0,0",
    ]
    assert UsageEvent.objects.get(amount_nanousd=2 * CENT).tags == ["web"]


def test_usage_of_this_very_moment_is_in_the_usual_range() -> None:
    office = make_office()
    office.settle(office.ask(1).body["reservation"], 1)
    body = Caller(office.key).get("usage/series?by=hour").body
    assert (body["from"], body["to"]) == ("2026-06-02T11:00:00Z", "2026-06-03T11:00:00Z")
    assert [row["starts_at"] for row in body["rows"]] == ["2026-06-03T10:00:00Z"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("by=week", "/by"),
        ("group=member", "/group"),
        ("from=yesterday", "/from"),
        ("from=2026-06-03T10:00:00", "/from"),
        ("to=0001-01-01T00:00:00%2B23:59", "/to"),
        ("to=0001-01-01", "/to"),
        ("from=2026-06-03&to=2026-06-03", "/to"),
        ("by=hour&from=2026-05-01&to=2026-06-03", "/from"),
        ("from=2020-01-01", "/from"),
        ("from=%00", "/from"),
    ],
)
def test_a_range_that_cannot_be_is_named(query: str, pointer: str) -> None:
    answer = Caller(make_office().key).get(f"usage/series?{query}")
    assert (answer.status, answer.code, answer.body["pointer"]) == (422, "invalid", pointer)

"""The audit log as managers read it."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from teams.models import Team, User
from teams.services import audit
from tests.helpers.factories import (
    CREDIT,
    T0,
    allow_credits,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import read, submit

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_the_audit_log_says_in_a_sentence_who_did_what(team: Team, owner: Client) -> None:
    make_seat(make_team("Globex"))
    member = make_member(team, make_user("mia@example.com"))
    submit(owner, f"/teams/acme/members/{member.pk}/role/", role="admin")
    make_seat(team, make_plan("max"), holder=member)
    allow_credits(member, month_cap=5000 * CREDIT)

    page = read(owner, "/teams/acme/audit/")

    who = owner_of(team).user.email
    changed = "Changed the role of mia@example.com from Member to Admin."
    assert f"now {who} {changed}" in page
    assert "The system mia@example.com joined as Member." in page
    assert "The system Gave Seat 1 to mia@example.com." in page
    assert "Seat 1 has Max." in page
    cap = "may use them, at most 5,000 a month."
    assert f"Changed the access of mia@example.com to Credits: {cap}" in page
    assert "nanousd" not in page


def test_entries_are_found_by_person_kind_and_day(team: Team, owner: Client) -> None:
    for day, (action, subject) in enumerate(
        [("member.left", "mia@example.com"), ("member.left", "noah@example.com"), ("seat.added", "x")]
    ):
        audit.record(team=team, by=None, action=action, subject=subject, at=T0 + timedelta(days=day))
    url = "/teams/acme/audit/"
    assert "noah@example.com" not in read(owner, f"{url}?q=MIA@")
    assert "mia@example.com left the Team." in read(owner, f"{url}?q=MIA@")
    assert "Created the Team Acme." in read(owner, f"{url}?q={owner_of(team).user.email}")
    assert "left the Team" not in read(owner, f"{url}?kind=seats")
    assert "x was added." in read(owner, f"{url}?kind=seats")
    on_the_second = read(owner, f"{url}?start=2026-06-04&end=2026-06-04")
    assert "noah@example.com left the Team." in on_the_second
    assert "mia@example.com" not in on_the_second
    assert "No entries. Show all" in read(owner, f"{url}?q=nobody&kind=nothing&start=x")


def test_older_entries_of_what_was_searched_for_follow(team: Team, owner: Client) -> None:
    for number in range(51):
        audit.record(team=team, by=None, action="member.left", subject=f"m{number}", at=T0)
    html = owner.get("/teams/acme/audit/?kind=people&q=m").content.decode()
    assert "?kind=people&amp;q=m&amp;before=2026-06-03T10%3A02%3A00%2B00%3A00~" in html
    assert "/teams/acme/audit/file/?kind=people&amp;q=m" in html


def test_the_file_has_what_was_searched_for_and_no_formula(team: Team, owner: Client) -> None:
    audit.record(team=team, by=None, action="member.left", subject="=HYPERLINK(1)", at=T0)
    answer = owner.get("/teams/acme/audit/file/?q=hyper")
    lines = answer.getvalue().decode("utf-8-sig").splitlines()
    assert lines == [
        "When (UTC),Name,E-mail address,Kind,About,What",
        "2026-06-03 10:02:00,,,People and roles,'=HYPERLINK(1),'=HYPERLINK(1) left the Team.",
    ]


def test_the_file_calls_kinds_seats_and_purchases_as_its_reader_does(team: Team, owner: Client) -> None:
    audit.record(team=team, by=None, action="seat.added", subject="Seat 3", at=T0 + timedelta(days=1))
    audit.record(
        team=team, by=None, action="checkout.paid", subject="10,000 Credits", at=T0 + timedelta(days=2)
    )

    answer = owner.get("/teams/acme/audit/file/", headers={"Accept-Language": "zh-hans"})

    rows = list(csv.reader(answer.getvalue().decode("utf-8-sig").splitlines()))[1:]
    assert [row[3:5] for row in rows[:2]] == [["账单", "10,000 积分"], ["席位", "席位 3"]]
    assert {row[3] for row in rows[2:]} == {"人员与角色"}
    assert not [cell for row in rows for cell in row if re.fullmatch(r"[a-z_]+\.[a-z_]+", cell)]

"""The members of a Team, with seat, key and Credits."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from quota.views.members import PAGE_SIZE
from teams.models import Role, SeatHolding, SubscriptionKey, Team, User
from teams.services.keys import rotate_key
from teams.services.memberships import set_billing_right
from tests.helpers.factories import (
    CREDIT,
    T0,
    allow_credits,
    make_api_key,
    make_member,
    make_plan,
    make_seat,
    make_team,
    make_user,
    owner_of,
)
from tests.helpers.reading import lines, read, submit, words
from tests.helpers.usage_rows import write_event

pytestmark = pytest.mark.django_db


AsUser = Callable[[User], Client]


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def test_members_are_listed_with_role_seat_key_and_credits(team: Team, owner: Client) -> None:
    member = make_member(team, make_user("mia@example.com"))
    allow_credits(member, month_cap=5000 * CREDIT)
    seat = make_seat(team, make_plan("plus"), holder=member)
    key = SubscriptionKey.objects.get(membership=member)

    page = read(owner, "/teams/acme/members/")

    assert (
        f"mia@example.com since 3 Jun 2026 Member Seat {seat.number} Plus Move (mia@example.com) "
        f"{key.prefix} never used May use, up to 5,000 a month" in page
    )
    assert "Members (2) Invited (0) Requests (0)" in page_with_tabs(owner)


def test_who_has_a_seat_leads_to_where_it_is_moved_and_who_has_none_to_where_one_is_given(
    team: Team, owner: Client
) -> None:
    mia = make_member(team, make_user("mia@example.com"))
    seat = make_seat(team, make_plan("plus"), holder=mia)
    own = owner_of(team)

    page = owner.get("/teams/acme/members/")

    moves, gives = f"/teams/acme/seats/{seat.pk}/#give", f"/teams/acme/members/{own.pk}/#seat"
    html = page.content.decode()
    assert html.count(f'href="{moves}"') == html.count(f'href="{gives}"') == 2  # in the row, and in its menu
    assert f"None Give a seat ({own.user.email})" in words(page)
    assert f'<button class="pick" name="member" value="{own.pk}"' in owner.get(moves).content.decode()


def page_with_tabs(client: Client) -> str:
    """The words of the page with what stands above its main part."""
    html = client.get("/teams/acme/members/").content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def listed(page: str) -> list[str]:
    """The addresses in the table, in its order."""
    table = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return list(dict.fromkeys(re.findall(r"[a-z0-9]+@example\.com", table)))


def found(client: Client, query: str) -> list[str]:
    answer = client.get(f"/teams/acme/members/?{query}")
    assert answer.status_code == 200
    return listed(answer.content.decode())


def test_members_are_found_by_a_part_of_their_name_or_address(team: Team, owner: Client) -> None:
    mia = make_user("mia@example.com")
    mia.name = "Mia Moreau"
    mia.save()
    make_member(team, mia)
    make_member(team, make_user("noah@example.com"))
    assert found(owner, "q=MIA@") == ["mia@example.com"]
    assert found(owner, "q=+more") == ["mia@example.com"]
    assert found(owner, "q=%25") == []
    assert "Nothing is found." in read(owner, "/teams/acme/members/?q=nobody")
    assert "1 member " in read(owner, "/teams/acme/members/?q=noah")


def test_members_are_shown_by_what_they_have(team: Team, owner: Client) -> None:
    boss = owner_of(team).user.email
    make_member(team, make_user("ann@example.com"), role=Role.ADMIN)
    make_seat(team, make_plan("plus"), holder=make_member(team, make_user("mia@example.com")))
    noah = make_member(team, make_user("noah@example.com"))
    assert found(owner, "show=") == [boss, "ann@example.com", "mia@example.com", "noah@example.com"]
    assert found(owner, "show=nonsense") == found(owner, "show=")
    assert found(owner, "show=managers") == [boss, "ann@example.com"]
    assert found(owner, "show=seat") == ["mia@example.com"]
    assert found(owner, "show=no-seat") == [boss, "ann@example.com", "noah@example.com"]
    SubscriptionKey.objects.filter(membership=noah).update(last_used_at=T0)
    write_event(owner_of(team), 3)
    assert found(owner, "show=unused") == ["ann@example.com", "mia@example.com"]
    assert found(owner, "show=unused&q=mia") == ["mia@example.com"]


def test_who_has_used_the_key_in_any_way_is_not_among_those_who_never_did(team: Team, owner: Client) -> None:
    ann, bob, eve, zoe = (make_member(team, make_user(f"{name}@example.com")) for name in "abez")
    SubscriptionKey.objects.filter(membership=ann).update(last_used_at=T0 - timedelta(days=3))
    rotate_key(membership=ann, overlap=timedelta(0), at=T0, by=ann.user)
    write_event(bob, 3, at=T0 - timedelta(hours=2))  # reported in bulk: the key has no mark of it
    write_event(make_api_key(eve), 3)

    page = owner.get("/teams/acme/members/")

    ago = 'title="31 May 2026, 10:02:00 UTC">3\xa0days ago</time>'
    assert ago in page.content.decode()
    assert "last used 2 hours ago" in words(page)
    unused = found(owner, "show=unused")
    assert unused == [owner_of(team).user.email, eve.user.email, zoe.user.email]
    assert words(page).count("never used") - 1 == len(unused)  # once it is said in the filter
    assert f"{len(unused)} members" in read(owner, "/teams/acme/members/?show=unused")


def test_the_file_of_members_has_all_that_were_found_and_no_formula(team: Team, owner: Client) -> None:
    mia = make_user("mia@example.com")
    mia.name = "=HYPERLINK(1)"
    mia.save()
    member = make_member(team, mia)
    allow_credits(member, month_cap=5_000 * CREDIT + CREDIT // 2)
    make_seat(team, make_plan("plus"), holder=member)
    set_billing_right(membership=member, allowed=True, by=owner_of(team).user, at=T0)
    key = member.keys.get()
    SubscriptionKey.objects.filter(pk=key.pk).update(last_used_at=T0)
    bob = make_member(team, make_user("bob@example.com"))
    SubscriptionKey.objects.filter(membership=bob).update(revoked_at=T0)

    page = owner.get("/teams/acme/members/?q=example&show=no-seat&page=1").content.decode()
    assert 'href="/teams/acme/members/file/?q=example&amp;show=no-seat"' in page

    assert lines(owner, "/teams/acme/members/file/?q=hyper", "members-acme.csv") == [
        "Name,E-mail address,Role,Billing right,Member since (UTC),Seat,Plan,Key,Key last used (UTC),"
        'May use Credits,"Credits a month, at most"',
        f"'=HYPERLINK(1),mia@example.com,Member,Yes,2026-06-03 10:02:00,1,Plus,{key.prefix},"
        "2026-06-03 10:02:00,Yes,5000.500",
    ]
    assert lines(owner, "/teams/acme/members/file/?show=no-seat&q=bob")[1:] == [
        ",bob@example.com,Member,No,2026-06-03 10:02:00,,,Revoked,,No,"
    ]
    assert len(lines(owner, "/teams/acme/members/file/?")) == 4


def test_many_members_come_in_pages_of_one_weight_and_as_many_queries(team: Team, owner: Client) -> None:
    def asked(path: str) -> tuple[int, str]:
        with CaptureQueriesContext(connection) as queries:
            answer = owner.get(path)
        return len(queries), answer.content.decode()

    make_member(team, make_user("m000@example.com"))
    owner.get("/teams/acme/")  # the session notes the Team
    few, _ = asked("/teams/acme/members/")
    for number in range(1, PAGE_SIZE + 5):
        make_member(team, make_user(f"m{number:03}@example.com"))
    many, first = asked("/teams/acme/members/")
    assert many == few
    assert len(first.encode()) < 200_000
    row = first.partition("<tbody>")[2].partition("</tbody>")[0].split("</tr>")[1]
    assert len(row.encode()) < 2_000
    assert len(listed(first)) == PAGE_SIZE
    assert f"{PAGE_SIZE + 6} members, page 1 of 2" in " ".join(first.split())
    second = found(owner, "page=2")
    assert second == [f"m{number:03}@example.com" for number in range(PAGE_SIZE - 1, PAGE_SIZE + 5)]
    # What is no page is the nearest one.
    assert found(owner, "page=99") == second
    assert found(owner, "page=x") == listed(first)
    assert found(owner, "page=-1") == second
    assert 'href="?q=m0&amp;page=2"' in owner.get("/teams/acme/members/?q=m0").content.decode()


def test_a_members_page_has_seat_key_credits_and_what_can_be_done(team: Team, owner: Client) -> None:
    mia = make_member(team, make_user("mia@example.com"))
    seat = make_seat(team, make_plan("plus"), holder=mia)
    allow_credits(mia, month_cap=5000 * CREDIT)
    url = f"/teams/acme/members/{mia.pk}/"

    page = read(owner, url)

    assert "Seat 1 Plus 5-hour window 0%" in page
    assert "Move the seat to somebody else Free the seat…" in page
    assert "May use the Team's Credits, up to 5,000 a calendar month." in page
    assert "Seat 1 3 Jun 2026, 10:02 now $0.00" in page
    assert "Make Admin Make Owner…" in page
    assert f'href="/teams/acme/seats/{seat.pk}/#give"' in owner.get(url).content.decode()
    own = read(owner, f"/teams/acme/members/{owner_of(team).pk}/")
    assert "Remove from the Team" not in own
    assert "Role: Owner" not in own


def test_a_members_bar_is_said_in_the_words_for_who_is_not_the_holder(team: Team, owner: Client) -> None:
    mia = make_member(team, make_user("mia@example.com"))
    url = f"/teams/acme/members/{mia.pk}/"

    assert "There is nothing to spend: no seat with a plan, and no Credits that may be used." in read(
        owner, url
    )

    make_seat(team, make_plan("plus"), holder=mia)
    page = owner.get(url).content.decode()
    assert f'data-live="bar-{mia.pk}"' in page
    assert "0 agents at work." in read(owner, url)
    assert "Your" not in page.partition('id="seat"')[2].partition("</section>")[0]


def test_an_admin_reads_that_only_the_owner_changes_roles(team: Team, as_user: AsUser) -> None:
    admin = make_member(team, role=Role.ADMIN)
    mia = make_member(team)
    page = read(as_user(admin.user), f"/teams/acme/members/{mia.pk}/")
    assert "Only the Owner changes roles." in page
    assert "Make Owner" not in page


def test_a_member_gets_a_free_seat_with_one_click(team: Team, owner: Client) -> None:
    plan = make_plan("max")
    make_seat(team, plan)
    mia = make_member(team, make_user("mia@example.com"))
    url = f"/teams/acme/members/{mia.pk}/"
    assert "Give a Max seat 1 free" in read(owner, url)

    page = submit(owner, f"{url}seat/", plan="max")

    assert "mia@example.com has a seat now." in page
    assert SeatHolding.objects.current().get().membership == mia
    assert "This member already holds a seat in this Team." in submit(owner, f"{url}seat/", plan="max")
    noah = make_member(team)
    none = submit(owner, f"/teams/acme/members/{noah.pk}/seat/", plan="max")
    assert "No seat of this plan is free." in none


def test_a_seat_is_given_in_the_list_which_goes_on_where_it_was(team: Team, owner: Client) -> None:
    make_seat(team, make_plan("max"))
    make_seat(team, make_plan("plus"), holder=owner_of(team))
    mia = make_member(team, make_user("mia@example.com"))
    noah = make_member(team, make_user("noah@example.com"))
    page = owner.get("/teams/acme/members/?show=no-seat")
    assert "None Give Max (mia@example.com)" in words(page)
    assert "Give Plus" not in words(page)  # nobody can be given it
    assert f'formaction="/teams/acme/members/{noah.pk}/seat/" formnovalidate' in page.content.decode()

    fields = {"plan": "max", "show": "no-seat", "q": "", "page": "1", "verb": ""}
    answer = owner.post(f"/teams/acme/members/{mia.pk}/seat/", fields)

    assert answer["Location"] == "/teams/acme/members/?q=&show=no-seat&page=1"
    page = owner.get(answer["Location"])
    assert "mia@example.com has a seat now." in page.content.decode()
    assert listed(page.content.decode()) == ["noah@example.com"]
    # None is free any more: what is left is to move somebody's.
    assert "None Give a seat (noah@example.com)" in words(page)


def test_a_verb_for_many_says_first_for_whom_and_then_what_became_of_each(team: Team, owner: Client) -> None:
    ann, bob = (make_member(team, make_user(f"{name}@example.com")) for name in ("ann", "bob"))
    make_seat(team, make_plan("max"))
    url = "/teams/acme/members/act/"

    asked = words(owner.post(url, {"verb": "give-seat", "scope": "chosen", "member": [ann.pk, bob.pk]}))
    assert "This is for 2 people: ann@example.com bob@example.com" in asked
    assert "Max: 1 seat free" in asked
    assert "Give 2 people a seat Go back" in asked
    assert not SeatHolding.objects.exists()

    wrong = owner.post(
        url, {"verb": "give-seat", "members": f"{ann.pk},{bob.pk}", "confirm": 1, "plan": "gold"}
    )
    assert wrong.status_code == 422
    assert not SeatHolding.objects.exists()
    done = words(
        owner.post(url, {"verb": "give-seat", "members": f"{ann.pk},{bob.pk}", "confirm": 1, "plan": "max"})
    )
    assert "Done for 1 person. 1 was refused." in done
    assert "ann@example.com ✓ Holds Seat 1 now." in done
    assert "bob@example.com Refused No seat of this plan is free" in done


def test_a_verb_for_all_that_were_found_is_for_them_alone(team: Team, owner: Client) -> None:
    make_member(team, make_user("ann@example.com"))
    bob = make_member(team, make_user("bob@example.com"))
    asked = words(owner.post("/teams/acme/members/act/", {"verb": "remove", "scope": "found", "q": "bob"}))
    assert "This is for one person: bob@example.com Their keys stop working" in asked
    done = words(owner.post("/teams/acme/members/act/", {"verb": "remove", "members": bob.pk, "confirm": 1}))
    assert "Is no longer a member. The key stopped working." in done
    assert team.memberships.live().count() == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"verb": "explode", "member": 1}, "Choose what to do."),
        ({"verb": "remove"}, "Nobody is chosen: tick the boxes of some members first."),
        ({"verb": "remove", "members": "x,,\x00,99999999999999999999,1", "confirm": 1}, "Nobody is chosen"),
        ({"verb": "remove", "scope": "found", "q": "zzz"}, "Nobody is chosen"),
    ],
)
def test_a_verb_for_nobody_changes_nothing(
    team: Team, owner: Client, data: dict[str, object], said: str
) -> None:
    stranger = make_member(make_team())
    assert said in submit(owner, "/teams/acme/members/act/", **data, more=stranger.pk)
    assert said in submit(owner, "/teams/acme/members/act/", **{"members": stranger.pk, **data})
    stranger.refresh_from_db()
    assert stranger.ended_at is None


def test_more_people_than_a_bulk_action_may_have_are_refused(
    team: Team, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quota.views.members.MOST_IN_BULK", 1)
    make_member(team)
    page = submit(owner, "/teams/acme/members/act/", verb="remove", scope="found")
    assert "These are more than 1 people. Search or filter, so that they are fewer." in page
    assert team.memberships.live().count() == 2


def test_an_admin_does_to_many_what_an_admin_may(team: Team, as_user: AsUser) -> None:
    admin = make_member(team, role=Role.ADMIN)
    mia = make_member(team)
    client = as_user(admin.user)
    assert "Make Admin" not in read(client, "/teams/acme/members/")
    answer = client.post("/teams/acme/members/act/", {"verb": "make-admin", "members": mia.pk, "confirm": 1})
    assert answer.status_code == 403
    assert f"Ask {owner_of(team).user.email}." in words(answer)
    mia.refresh_from_db()
    assert mia.role == Role.MEMBER

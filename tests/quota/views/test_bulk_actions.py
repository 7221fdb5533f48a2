"""What is done to more people than a request waits for: started, looked at while it is worked, stopped."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils.translation import override

from quota.models import BulkAction
from quota.selectors.bulk_actions import result_of
from quota.services.bulk_actions import work_next_line
from teams.models import Invitation, Membership, Team, User
from tests.helpers.factories import T0, make_member, make_plan, make_team, make_user, owner_of
from tests.helpers.reading import lines as file_of
from tests.helpers.reading import read, submit, words

pytestmark = pytest.mark.django_db

AsUser = Callable[[User], Client]


@pytest.fixture
def team(monkeypatch: pytest.MonkeyPatch) -> Team:
    """Where three people, or three lines, are many."""
    monkeypatch.setattr("quota.views.members.MOST_AT_ONCE", 2)
    monkeypatch.setattr("quota.views.members.NAMED", 2)
    monkeypatch.setattr("quota.views.invitations.AT_ONCE", 2)
    return make_team("Acme")


@pytest.fixture
def owner(team: Team, as_user: AsUser) -> Client:
    return as_user(owner_of(team).user)


def removing(team: Team, owner: Client) -> tuple[str, list[Membership]]:
    """Three people are about to be removed; the address of the page that says how far that is."""
    people = [make_member(team, make_user(f"{name}@example.com")) for name in ("ann", "bob", "cleo")]
    ids = ",".join(str(row.pk) for row in people)
    answer = owner.post("/teams/acme/members/act/", {"verb": "remove", "members": ids, "confirm": 1})
    assert answer.status_code == 302
    return answer.headers["Location"], people


def test_more_people_than_a_request_waits_for_are_worked_in_the_background(team: Team, owner: Client) -> None:
    url, people = removing(team, owner)
    assert url == f"/teams/acme/bulk/{BulkAction.objects.get().pk}/"
    page = read(owner, url)
    assert "Under way. Done: 0. Refused: 0. Left: 3. 0%" in page
    assert "1 ann@example.com Waits 2 bob@example.com Waits 3 cleo@example.com Waits" in page
    assert 'hx-trigger="every 2s"' in owner.get(url).content.decode()
    assert "A bulk action is under way. See how far it is" in read(owner, "/teams/acme/members/")
    assert all(row.ended_at is None for row in Membership.objects.filter(pk__in=[row.pk for row in people]))

    work_next_line(at=T0)
    page = read(owner, url)
    assert "Done: 1. Refused: 0. Left: 2. 33%" in page
    assert "1 ann@example.com ✓ Is no longer a member. The key stopped working. 2 bob" in page

    while work_next_line(at=T0):
        pass
    page = read(owner, url)
    assert "All lines are done. Done: 3. Refused: 0. Left: 0. 100%" in page
    assert 'hx-trigger="every' not in owner.get(url).content.decode()
    # The page that is open is loaded anew once, and asks no more; whoever filters its lines gets them.
    asks = {"HX-Request": "true", "HX-Target": "progress"}
    assert owner.get(url, headers=asks).headers["HX-Refresh"] == "true"
    assert "HX-Refresh" not in owner.get(url, headers=asks | {"HX-Target": "lines"}).headers


def test_the_names_that_are_asked_about_are_the_first_ones(team: Team, owner: Client) -> None:
    people = [make_member(team, make_user(f"{name}@example.com")) for name in ("ann", "bob", "cleo")]
    ids = ",".join(str(row.pk) for row in people)
    page = words(owner.post("/teams/acme/members/act/", {"verb": "remove", "members": ids}))
    assert "This is for 3 people: ann@example.com bob@example.com Only the first 2 are named here." in page


def test_it_can_be_stopped_and_a_second_one_waits_for_its_end(team: Team, owner: Client) -> None:
    url, people = removing(team, owner)
    work_next_line(at=T0)
    ids = ",".join(str(row.pk) for row in [owner_of(team), *people])
    again = submit(owner, "/teams/acme/members/act/", verb="stop-credits", members=ids, confirm=1)
    assert "Another bulk action of this Team is still under way; wait for its end, or stop it." in again
    assert "Done: 1. Refused: 0. Left: 2." in again

    page = submit(owner, f"{url}stop/")
    assert "Stopped. What was done stays done." in page
    assert f"Stopped by {owner_of(team).user.email}. Done: 1. Refused: 0. Left: 2." in page
    assert "2 bob@example.com Left as it was" in page
    assert "This bulk action has ended already." in submit(owner, f"{url}stop/")
    assert not work_next_line(at=T0)


def test_many_lines_are_checked_in_short_and_invited_in_bulk(team: Team, owner: Client) -> None:
    lines = {"lines": "one@example.com\nbad\ntwo@example.com"}
    page = words(owner.post("/teams/acme/invitations/many/", lines))
    assert "2 of 3 lines will be invited." in page
    assert "2 bad – – Not invited This is not an e-mail address." in page
    assert "Will be invited." not in page
    assert not BulkAction.objects.exists()

    url = owner.post("/teams/acme/invitations/many/", {**lines, "confirm": 1}).headers["Location"]
    while work_next_line(at=T0):
        pass
    page = read(owner, url)
    assert re.findall(r'nav-link active" href="[^"]+">([^<]+)<', owner.get(url).content.decode()) == [
        "People",
        "Invited (2)",
    ]
    assert "Invite people" in page
    assert "Done: 2. Refused: 1. Left: 0." in page
    refused = read(owner, f"{url}?show=refused")
    assert "2 bad Refused This is not an e-mail address." in refused
    assert "one@example.com" not in refused
    invited = Invitation.objects.order_by("email").values_list("email", flat=True)
    assert list(invited) == ["one@example.com", "two@example.com"]


def test_what_is_wrong_with_a_line_is_kept_in_no_readers_language(team: Team, owner: Client) -> None:
    """Whoever opens the page reads it in theirs, not in the language of who typed the lines."""
    plan = make_plan("max").code
    lines = {"lines": "one@example.com\nbad\nmia@example.com, boss", "confirm": 1}
    typed_in = {"Accept-Language": "zh-hans"}
    url = owner.post("/teams/acme/invitations/many/", lines, headers=typed_in).headers["Location"]
    while work_next_line(at=T0):
        pass
    page = read(owner, url)
    assert "2 bad Refused This is not an e-mail address." in page
    english = f"“boss” is neither a role (admin, member) nor a plan ({plan}) nor a number of Credits."
    assert english in page
    with override("zh-hans"):
        texts = [result_of(line).text for line in BulkAction.objects.get().lines.order_by("place")]
    said = f"“boss”不是角色（admin、member），不是套餐（{plan}），也不是积分数量。"
    assert texts[1:] == ["这不是电子邮件地址。", said]


@pytest.fixture
def invited(team: Team, owner: Client) -> str:
    """Three lines, of which one is done, one refused and one left: the address of their action."""
    typed = "ann@example.com, Admin\n=bad\nbob@example.com"
    url = owner.post("/teams/acme/invitations/many/", {"lines": typed, "confirm": 1}).headers["Location"]
    for _ in range(2):
        work_next_line(at=T0)
    return url


@pytest.mark.parametrize(
    ("asked", "places"),
    [
        ("", ["1", "2", "3"]),
        ("?show=done", ["1"]),
        ("?show=refused", ["2"]),
        ("?show=left", ["3"]),
        ("?show=nonsense", ["1", "2", "3"]),
        ("?q=EXAMPLE.com", ["1", "3"]),
        ("?q=bad&show=refused", ["2"]),
        ("?q=bad&show=done", []),
    ],
)
def test_lines_are_found_by_person_and_result_and_the_file_has_those(
    owner: Client, invited: str, asked: str, places: list[str]
) -> None:
    html = owner.get(invited + asked).content.decode()
    assert re.findall(r'data-label="Line">(\d+)<', html) == places
    assert f"{len(places)} line" in read(owner, invited + asked)
    assert f'id="csv" href="{invited}file/{asked}"'.replace("&", "&amp;") in html
    assert [row.partition(",")[0] for row in file_of(owner, f"{invited}file/{asked}")[1:]] == places


def test_the_file_has_a_line_for_each_with_what_became_of_it(
    team: Team, owner: Client, invited: str, as_user: AsUser
) -> None:
    name = f"results-acme-{BulkAction.objects.get().pk}.csv"
    assert file_of(owner, f"{invited}file/", name) == [
        "Line,Name,E-mail address,State,Result",
        "1,,ann@example.com,Done,Invited.",
        "2,'=bad,,Refused,This is not an e-mail address.",
        "3,,bob@example.com,Waits,",
    ]
    submit(owner, f"{invited}stop/")
    assert file_of(owner, f"{invited}file/")[3] == "3,,bob@example.com,Left as it was,"
    member = as_user(make_member(team, make_user("mia@example.com")).user)
    assert member.get(f"{invited}file/").status_code == 403
    other = owner_of(make_team("Globex")).user
    assert as_user(other).get(f"{invited}file/").status_code == 404
    assert as_user(other).get(f"{invited.replace('acme', 'globex')}file/").status_code == 404


def test_members_in_bulk_are_found_by_name_and_address(team: Team, owner: Client) -> None:
    url, people = removing(team, owner)
    User.objects.filter(pk=people[1].user_id).update(name="Robert")
    while work_next_line(at=T0):
        pass
    done = "Done,Is no longer a member. The key stopped working."
    assert file_of(owner, f"{url}file/?q=rob")[1:] == [f"2,Robert,bob@example.com,{done}"]
    assert file_of(owner, f"{url}file/?q=cleo@")[1:] == [f"3,,cleo@example.com,{done}"]

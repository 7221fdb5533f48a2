"""Bulk actions, worked line by line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction

from quota.errors import BulkActionEnded, BulkActionOpen
from quota.invitation_lines import read_lines
from quota.models import BulkAction, BulkLine
from quota.selectors.bulk_actions import lines_of, progress_of, result_of
from quota.services import bulk_actions
from quota.services.bulk_actions import (
    KEPT,
    forget_bulk_actions,
    start_for_members,
    start_inviting,
    stop,
    work_next_line,
)
from quota.services.members import Terms, Verb
from teams.models import AuditEntry, Invitation, Membership, Role, SeatHolding, Team
from teams.services import memberships
from tests.helpers.factories import T0, make_member, make_plan, make_seat, make_team, make_user, owner_of
from tokenplan.kit.errors import NotFound, PermissionRefused

pytestmark = pytest.mark.django_db
LATER = T0 + timedelta(hours=1)


@pytest.fixture
def team() -> Team:
    return make_team("Acme")


@pytest.fixture
def people(team: Team) -> list[Membership]:
    return [make_member(team, make_user(f"{name}@example.com")) for name in ("ann", "bob", "cleo")]


def start(people: list[Membership], verb: Verb = Verb.REMOVE, by: Membership | None = None) -> BulkAction:
    team = people[0].team
    return start_for_members(
        team=team, verb=verb, members=people, terms=Terms("max"), by=(by or owner_of(team)).user, at=T0
    )


def work(most: int = 100) -> int:
    """How many lines were worked, the end of an action counted too."""
    worked = 0
    while worked < most and work_next_line(at=LATER):
        worked += 1
    return worked


def results(action: BulkAction) -> list[tuple[str, bool | None, str]]:
    return [(row.name, row.done, row.text) for row in map(result_of, lines_of(action))]


def progress(action: BulkAction) -> tuple[int, int, int, int]:
    now = progress_of(action)
    return now.done, now.refused, now.left, now.percent


def test_a_verb_is_worked_line_by_line_in_their_order(team: Team, people: list[Membership]) -> None:
    plan = make_plan("max")
    make_seat(team, plan, holder=people[0])
    make_seat(team, plan)
    action = start([people[2], people[0], people[1]], Verb.GIVE_SEAT)
    assert progress(action) == (0, 0, 3, 0)
    assert work(most=2) == 2
    assert progress(action) == (1, 1, 1, 66)
    assert work() == 2
    assert progress(action) == (1, 2, 0, 100)
    assert results(action) == [
        ("cleo@example.com", True, "Holds Seat 2 now."),
        ("ann@example.com", False, "This member already holds a seat in this Team"),
        ("bob@example.com", False, "No seat of this plan is free"),
    ]
    action.refresh_from_db()
    assert action.ended_at == LATER
    assert SeatHolding.objects.current().get(membership=people[2]).seat.number == 2
    assert not work_next_line(at=LATER)


def test_invitations_are_worked_as_they_were_typed(team: Team) -> None:
    make_plan("max")
    lines = read_lines("new@example.com, max, 5000\n\nbad\nnew@example.com", {"max": "Max"})
    action = start_inviting(team=team, lines=lines, by=owner_of(team).user, at=T0)
    assert work() == 4
    assert results(action) == [
        ("new@example.com", True, "Invited."),
        ("bad", False, "This is not an e-mail address."),
        ("new@example.com", False, "This address stands in line 1 already."),
    ]
    made = Invitation.objects.get()
    assert (made.email, made.role, made.seat_plan_code, made.gives_credits) == (
        "new@example.com",
        "member",
        "max",
        True,
    )
    assert made.created_at == LATER


def test_who_loses_the_right_in_the_middle_is_refused_from_then_on(
    team: Team, people: list[Membership]
) -> None:
    admin = make_member(team, role=Role.ADMIN)
    action = start(people, by=admin)
    assert work(most=1) == 1
    memberships.change_role(membership=admin, role="member", by=owner_of(team).user, at=LATER)
    work()
    said = f"To remove a member, you need to be Owner or Admin of this Team. Ask {owner_of(team).user.email}."
    assert [(done, text) for _, done, text in results(action)] == [
        (True, "Is no longer a member. The key stopped working."),
        (False, said),
        (False, said),
    ]
    assert set(Membership.objects.for_team(team).live()) == {owner_of(team), admin, *people[1:]}


@pytest.mark.parametrize("killed", ["after the verb", "after the result"])
def test_a_worker_that_is_killed_leaves_each_line_done_or_to_be_done(
    people: list[Membership], monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    def kills(act: Callable[..., Any]) -> Callable[..., Any]:
        def killed(*args: Any, **more: Any) -> None:
            act(*args, **more)
            raise KeyboardInterrupt

        return killed

    action = start(people)
    work(most=1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if killed == "after the verb":
            patch.setattr(memberships, "end_membership", kills(memberships.end_membership))
        else:
            patch.setattr(BulkLine, "save", kills(BulkLine.save))
        work()
    assert progress(action) == (1, 0, 2, 33)
    work()
    assert progress(action) == (3, 0, 0, 100)
    removed = AuditEntry.objects.filter(action="member.removed").order_by("pk")
    assert [entry.subject for entry in removed] == [row.user.email for row in people]


def test_an_outage_leaves_the_line_for_the_next_time(
    people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: Any) -> None:
        raise OperationalError

    action = start(people)
    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(memberships, "end_membership", away)
        work()
    assert progress(action) == (0, 0, 3, 0)
    work()
    assert progress(action) == (3, 0, 0, 100)


def test_a_line_that_fails_each_time_holds_up_no_other_team(
    team: Team, people: list[Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bulk_actions._work

    def stuck(action: BulkAction, line: BulkLine, at: datetime) -> str:
        if action.team_id == team.pk:
            raise OperationalError("a lock is held")
        return real(action, line, at)

    monkeypatch.setattr(bulk_actions, "_work", stuck)
    action, theirs = start(people), start([make_member(make_team("Globex"))])
    for _ in range(100):
        with suppress(OperationalError):
            work()

    assert (progress(action), progress(theirs)) == ((0, 0, 3, 0), (1, 0, 0, 100))


def test_what_is_stopped_leaves_the_rest_as_it_is(team: Team, people: list[Membership]) -> None:
    action, owner = start(people), owner_of(team)
    work(most=1)
    with pytest.raises(PermissionRefused):
        stop(action=action, by=people[1].user, at=LATER)
    stopped = stop(action=action, by=owner.user, at=LATER)
    assert (stopped.ended_at, stopped.stopped_by) == (LATER, owner.user)
    assert work() == 0
    assert progress(action) == (1, 0, 2, 33)
    assert set(Membership.objects.for_team(team).live()) == {owner, *people[1:]}
    with pytest.raises(BulkActionEnded):
        stop(action=action, by=owner.user, at=LATER)


def test_one_at_a_time_is_open_in_a_team_and_each_is_of_its_own(people: list[Membership]) -> None:
    action = start(people)
    with pytest.raises(BulkActionOpen):
        start(people)
    other = [make_member(make_team("Globex"))]
    second = start(other)
    assert work() == 6
    assert (progress(action), progress(second)) == ((3, 0, 0, 100), (1, 0, 0, 100))
    assert start([make_member(people[0].team)]).pk != action.pk


def test_nobody_starts_what_they_may_not_do(team: Team, people: list[Membership]) -> None:
    admin = make_member(team, role=Role.ADMIN)
    with pytest.raises(PermissionRefused):
        start(people, Verb.MAKE_ADMIN, by=admin)
    with pytest.raises(PermissionRefused):
        start_inviting(team=team, lines=[], by=people[0].user, at=T0)
    with pytest.raises(NotFound):
        start(people, by=make_member(make_team("Globex")))
    assert not BulkAction.objects.exists()
    start([*people, make_member(make_team("Initech"))])
    assert BulkLine.objects.count() == 3


def test_the_database_refuses_half_a_result(people: list[Membership]) -> None:
    start(people)
    for wrong, named in (
        ({"done": True}, "a_line_that_was_worked_has_a_result"),
        ({"worked_at": T0}, "a_line_that_was_worked_has_a_result"),
        ({"membership": None}, "a_line_is_a_member_or_an_invitation"),
        ({"place": 1}, "a_bulk_action_has_a_line_once"),
        ({"membership": people[0]}, "a_bulk_action_is_about_a_member_once"),
    ):
        with pytest.raises(IntegrityError, match=named), transaction.atomic():
            BulkLine.objects.update(**wrong)
    named = "a_bulk_action_that_was_stopped_has_ended"
    with pytest.raises(IntegrityError, match=named), transaction.atomic():
        BulkAction.objects.update(stopped_by=people[0].user)
    assert bulk_actions.right_for(BulkAction.objects.get()) == Verb.REMOVE.right


def test_what_became_of_lines_is_forgotten_long_after_the_end(people: list[Membership]) -> None:
    action = start(people)
    assert forget_bulk_actions(at=LATER + KEPT + timedelta(days=1)) == 0
    work()
    other = start([make_member(make_team("Globex"))])
    assert forget_bulk_actions(at=LATER + KEPT) == 0
    assert forget_bulk_actions(at=LATER + KEPT + timedelta(microseconds=1)) == 1
    assert [row.action for row in BulkLine.objects.all()] == [other]
    assert not BulkAction.objects.filter(pk=action.pk).exists()

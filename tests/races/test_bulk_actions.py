"""Two workers on the same bulk action: each line is done once, and in its order."""

from __future__ import annotations

import pytest

from quota.models import BulkAction, BulkLine
from quota.services.bulk_actions import start_for_members, work_next_line
from quota.services.members import Terms, Verb
from teams.models import AuditEntry, Team
from tests.helpers.factories import T0, make_member, make_team, owner_of
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tests.helpers.races import race

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 12


def started(team: Team, many: int = PEOPLE) -> BulkAction:
    members = [make_member(team) for _ in range(many)]
    return start_for_members(
        team=team, verb=Verb.MAKE_ADMIN, members=members, terms=Terms(), by=owner_of(team).user, at=T0
    )


def worked_while_another_works() -> Case:
    """Without the lock the second does the same line again."""
    action = started(make_team())
    return Case(
        lambda: work_next_line(at=T0),
        lambda: work_next_line(at=T0),
        lambda: AuditEntry.objects.for_team(action.team).filter(action="role.changed").count() == 1,
    )


def test_a_second_worker_leaves_the_action_to_the_first() -> None:
    case = worked_while_another_works()
    case.run()
    assert not case.is_lost()
    assert case.answer is False


def test_workers_side_by_side_do_each_line_once_and_in_order() -> None:
    action = started(make_team())

    def work() -> int:
        worked = 0
        while BulkAction.objects.open().exists():
            worked += work_next_line(at=T0)
        return worked

    assert sum(int(str(answer)) for answer in race(*[work] * 3)) == PEOPLE + 1
    lines = BulkLine.objects.filter(action=action).select_related("membership__user").order_by("place")
    assert [line.done for line in lines] == [True] * PEOPLE
    changed = AuditEntry.objects.filter(action="role.changed").order_by("pk")
    named = [line.membership.user.email for line in lines if line.membership]
    assert [entry.subject for entry in changed] == named


def test_the_lock_is_what_keeps_the_second_away() -> None:
    is_lost_without_locks_alone(worked_while_another_works)

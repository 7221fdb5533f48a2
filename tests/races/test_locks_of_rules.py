"""Each verb of what is offered and allowed, plans, seats and warnings, while another is in the middle of what
it must not overlook.

Each race begins by showing that it is one: without locks it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from quota.errors import BulkActionEnded, PlanNotSellable, PlanPublished
from quota.hot_path.locks import lock_credits
from quota.models import BulkAction, CreditAccess, Entitlement, Plan, TeamCredits
from quota.services import bulk_actions, credits, entitlements, plans
from quota.services.balance import set_balance_alert
from quota.services.members import Terms, Verb
from teams.models import AuditEntry, Team
from teams.services.memberships import end_membership
from tests.helpers.factories import (
    T0,
    USD,
    make_draft,
    make_member,
    make_plan,
    make_seat,
    make_team,
    owner_of,
)
from tests.helpers.locks import Case, is_lost_without_locks_alone
from tokenplan.kit.errors import NotFound

pytestmark = pytest.mark.django_db(transaction=True)

LATER = T0 + timedelta(hours=1)


def sells(draft: Plan) -> Callable[[], object]:
    return lambda: plans.put_on_sale(plan=draft, at=T0, by=None)


def drafted_while_the_draft_is_published() -> Case:
    draft = make_draft()
    return Case(
        sells(draft),
        lambda: plans.draft_plan(terms=draft.terms, at=LATER, by=None),
        lambda: Plan.objects.get(code=draft.code, published_at=None).version == draft.version + 1,
    )


def changed_while_it_is_published() -> Case:
    draft = make_draft()
    return Case(
        sells(draft),
        lambda: plans.change_draft(plan=draft, terms=draft.terms, at=LATER, by=None),
        lambda: Plan.objects.current(draft.code) == draft,
        PlanPublished,
    )


def discarded_while_it_is_published() -> Case:
    draft = make_draft()
    return Case(
        sells(draft),
        lambda: plans.discard_draft(plan=draft, at=LATER, by=None),
        lambda: Plan.objects.current(draft.code) == draft,
        PlanPublished,
    )


def withdrawn_while_the_next_version_is_published() -> Case:
    sold, draft = make_plan(), make_draft()
    return Case(
        sells(draft),
        lambda: plans.withdraw_plan(plan=sold, at=LATER, by=None),
        lambda: Plan.objects.current(draft.code) == draft,
        PlanNotSellable,
    )


def resumed_while_it_is_suspended() -> Case:
    seat = make_seat(make_team(), make_plan())
    return Case(
        lambda: entitlements.suspend_seat(seat=seat, at=T0, by=None),
        lambda: entitlements.resume_seat(seat=seat, at=LATER, by=None),
        lambda: Entitlement.objects.open().get(seat=seat).suspended_at is None,
    )


def of_whoever_has_locked(
    team: Team, change: Callable[[], object], second: Callable[[], object], holds: Callable[[], bool]
) -> Case:
    """The first has read the Team's row and changes it next: a row that is written already keeps others
    waiting by its key, which they try to make.
    """
    return Case(lambda: lock_credits(team), second, holds, meanwhile=change)


def warned_as_before_while_that_is_changed() -> Case:
    team = make_team()

    def warns(usd: int) -> Callable[[], object]:
        return lambda: set_balance_alert(
            team=team, enabled=True, low_balance_nanousd=usd * USD, at=LATER, by=None
        )

    def now() -> int:
        return TeamCredits.objects.get(team=team).low_api_balance_nanousd

    warns(5)()
    return of_whoever_has_locked(team, warns(9), warns(5), lambda: now() == 5 * USD)


def a_policy_set_back_while_it_is_set() -> Case:
    team = make_team()

    def sets(overflow: str) -> Callable[[], object]:
        return lambda: credits.set_team_credits(
            team=team, overflow=overflow, low_balance_nanousd=USD, at=LATER, by=None
        )

    def now() -> str:
        return TeamCredits.objects.get(team=team).overflow

    sets("allow")()
    return of_whoever_has_locked(team, sets("never"), sets("allow"), lambda: now() == "allow")


def stopped_twice() -> Case:
    team = make_team()
    by, members = owner_of(team).user, [make_member(team)]
    action = bulk_actions.start_for_members(
        team=team, verb=Verb.MAKE_ADMIN, members=members, terms=Terms(), by=by, at=T0
    )

    def stops(at: object) -> Callable[[], object]:
        return lambda: bulk_actions.stop(action=action, by=by, at=at)  # type: ignore[arg-type]

    return Case(
        stops(T0), stops(LATER), lambda: BulkAction.objects.get(pk=action.pk).ended_at == T0, BulkActionEnded
    )


def a_cap_of_who_leaves() -> Case:
    member = make_member(make_team())
    return Case(
        lambda: end_membership(membership=member, by=None, at=T0),
        lambda: credits.set_own_cap(membership=member, month_cap_nanousd=USD, at=LATER, by=member.user),
        lambda: not CreditAccess.objects.filter(membership=member).exists(),
        NotFound,
    )


def stopped_while_it_is_allowed() -> Case:
    """Whoever stops it has not seen that it was just allowed."""
    member = make_member(make_team(), credits=True)
    credits.stop_credits(membership=member, at=T0, by=None)
    logged = AuditEntry.objects.filter(action="credits.access", subject=member.user.email)
    return Case(
        lambda: credits.allow_credits(membership=member, month_cap_nanousd=None, at=T0, by=None),
        lambda: credits.stop_credits(membership=member, at=LATER, by=None),
        lambda: (
            not CreditAccess.objects.get(membership=member).allowed
            and logged.latest("pk").details == {"allowed": False}
        ),
    )


CASES: list[Callable[[], Case]] = [
    drafted_while_the_draft_is_published,
    changed_while_it_is_published,
    discarded_while_it_is_published,
    withdrawn_while_the_next_version_is_published,
    resumed_while_it_is_suspended,
    warned_as_before_while_that_is_changed,
    a_policy_set_back_while_it_is_set,
    stopped_twice,
    a_cap_of_who_leaves,
    stopped_while_it_is_allowed,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_what_was_locked_is_decided_by_what_is_there_after_the_lock(case: Callable[[], Case]) -> None:
    is_lost_without_locks_alone(case)

"""Bulk actions: a verb for more people than a request waits for, worked line by line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.translation import override

from quota.errors import BulkActionEnded, BulkActionOpen
from quota.invitation_lines import Line
from quota.models import BulkAction, BulkLine
from quota.services.invitations import invite_line
from quota.services.members import Terms, Verb, act_on
from quota.services.outcomes import outcome_of
from teams.models import Membership, Team, User
from teams.permissions import Right, require_now
from tokenplan.kit.transactions import one_transaction, refused_by

INVITE = "invite"
NO_TERMS = Terms()
# Lines that are inserted by one statement.
BATCH = 1_000
# What became of each line is kept so long after the end; the audit log keeps what was done.
KEPT = timedelta(days=90)


def right_for(action: BulkAction) -> Right:
    """What somebody needs who starts it, or stops it."""
    return Right.INVITE if action.verb == INVITE else Verb(action.verb).right


@one_transaction()
def start_for_members(
    *, team: Team, verb: Verb, members: Iterable[Membership], terms: Terms, by: User, at: datetime
) -> BulkAction:
    """The verb for these members of the Team, in this order. A task works it.

    Raises BulkActionOpen while another of the Team is under way; PermissionRefused, NotFound.
    """
    action = _start(team, verb.value, terms, by, at)
    BulkLine.objects.bulk_create(
        (
            BulkLine(action=action, place=place, membership=member)
            for place, member in enumerate((member for member in members if member.team_id == team.pk), 1)
        ),
        batch_size=BATCH,
    )
    return action


@one_transaction()
def start_inviting(*, team: Team, lines: Iterable[Line], by: User, at: datetime) -> BulkAction:
    """Each line is an invitation; what is wrong with one becomes its result. A task works it.

    Raises BulkActionOpen while another of the Team is under way; PermissionRefused, NotFound.
    """
    action = _start(team, INVITE, NO_TERMS, by, at)
    BulkLine.objects.bulk_create(
        (BulkLine(action=action, place=line.number, asked=asdict(line)) for line in lines),
        batch_size=BATCH,
    )
    return action


def _start(team: Team, verb: str, terms: Terms, by: User, at: datetime) -> BulkAction:
    action = BulkAction(
        team=team,
        by=by,
        verb=verb,
        plan_code=terms.plan_code,
        month_cap_nanousd=terms.month_cap_nanousd,
        created_at=at,
    )
    require_now(by, team, right_for(action))
    with refused_by(a_team_has_one_open_bulk_action=BulkActionOpen):
        action.save()
    return action


@one_transaction()
def work_next_line(*, at: datetime) -> bool:
    """The next line of some action that no other worker has in hand; False where there is none. Which one is
    left to chance: the thousands of lines of one Team, or one that fails each time, hold up nobody else.

    What is done to a line and its result are one transaction: killed at any moment, a worker leaves the line
    either done, with its result, or to be done. The action is locked meanwhile, so its lines are worked in
    their order, and each once. Whether the actor may is asked for each.
    """
    rows = BulkAction.objects.open().select_related("team", "by")
    action = rows.select_for_update(no_key=True, of=("self",), skip_locked=True).order_by("?").first()
    if action is None:
        return False
    lines = action.lines.filter(worked_at=None).select_related("membership__user", "membership__team")
    line = lines.order_by("place").first()
    if line is None:
        action.ended_at = at
        action.save(update_fields=["ended_at"])
        return True
    with override(settings.LANGUAGE_CODE):
        line.done, line.text = outcome_of(
            partial(_work, action, line, at), about=f"line {line.place} of bulk action {action.pk}"
        )
    line.worked_at = at
    line.save(update_fields=["done", "text", "worked_at"])
    return True


def _work(action: BulkAction, line: BulkLine, at: datetime) -> str:
    if line.membership is None:
        asked: dict[str, Any] = line.asked or {}
        return invite_line(team=action.team, line=Line(**asked), by=action.by, at=at)
    terms = Terms(action.plan_code, action.month_cap_nanousd)
    return act_on(verb=Verb(action.verb), member=line.membership, terms=terms, by=action.by, at=at)


@one_transaction()
def stop(*, action: BulkAction, by: User, at: datetime) -> BulkAction:
    """The lines that are not worked yet are left as they are. What was done stays done.

    Raises BulkActionEnded; PermissionRefused, NotFound.
    """
    require_now(by, action.team, right_for(action))
    locked = BulkAction.objects.select_for_update(no_key=True).get(pk=action.pk)
    if locked.ended_at is not None:
        raise BulkActionEnded
    locked.ended_at, locked.stopped_by = at, by
    locked.save(update_fields=["ended_at", "stopped_by"])
    return locked


@one_transaction()
def forget_bulk_actions(*, at: datetime) -> int:
    """Those that ended long ago, with their lines. Returns how many."""
    return BulkAction.objects.filter(ended_at__lt=at - KEPT).delete()[1].get("quota.BulkAction", 0)

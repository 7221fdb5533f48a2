"""Plan versions: made once, followed by newer ones, never edited. A JSON list says which are on offer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from quota.errors import PlanListInvalid
from quota.models import Plan, PlanLimit
from quota.money import MAX_NANOUSD, nanousd_from_usd, usd_text
from quota.windows import MAX_LENGTH_SECONDS, MIN_LENGTH_SECONDS, STEPS, Limit, Policy, Rule
from teams.models import User
from teams.services.audit import record
from tokenplan.kit.errors import InvalidValue
from tokenplan.kit.transactions import one_transaction


@one_transaction()
def create_plan_version(
    *,
    code: str,
    name: str,
    rank: int,
    agents: tuple[int, int],
    agents_enforced: bool,
    limits: Sequence[Limit],
    at: datetime,
    by: User | None,
) -> Plan:
    """The next version of the plan `code`; the versions before it can no longer be sold, and their holders
    keep them.
    """
    for limit in limits:
        if not 0 <= limit.nanousd <= MAX_NANOUSD:
            raise InvalidValue(
                _("A limit is from nothing to %(most)s.") % {"most": usd_text(MAX_NANOUSD)}, pointer="/limits"
            )
    versions = Plan.objects.select_for_update().filter(code=code)
    newest = max((plan.version for plan in versions), default=0)
    versions.update(sellable=False)
    plan = Plan.objects.create(
        code=code,
        version=newest + 1,
        name=name,
        rank=rank,
        agents_min=agents[0],
        agents_max=agents[1],
        agents_enforced=agents_enforced,
        created_at=at,
    )
    for limit in limits:
        PlanLimit.objects.create(
            plan=plan,
            name=limit.name,
            policy=limit.rule.policy,
            length_seconds=limit.rule.length_seconds,
            anchor=limit.rule.anchor,
            limit_nanousd=limit.nanousd,
        )
    record(team=None, by=by, action="plan.created", subject=str(plan), details={}, at=at)
    return plan


@dataclass(frozen=True, slots=True)
class _Terms:
    """What the list says of one plan."""

    code: str
    name: str
    rank: int
    agents: tuple[int, int]
    agents_enforced: bool
    limits: tuple[Limit, ...]


@one_transaction()
def load_plans(*, text: str, at: datetime, by: User | None) -> list[Plan]:
    """Make the plans of a JSON list (quota/data/plans.json) the ones on offer. Returns the new versions.

    A plan whose version on offer says the same is left alone, so a list loaded twice is loaded once. So is a
    plan that the list does not name. Raises PlanListInvalid; nothing of the list is kept then.
    """
    return [
        create_plan_version(
            code=terms.code,
            name=terms.name,
            rank=terms.rank,
            agents=terms.agents,
            agents_enforced=terms.agents_enforced,
            limits=terms.limits,
            at=at,
            by=by,
        )
        for terms in _parse(text)
        if not _is_on_offer(terms)
    ]


def _is_on_offer(terms: _Terms) -> bool:
    newest = Plan.objects.filter(code=terms.code).order_by("-version").prefetch_related("limits").first()
    return (
        newest is not None
        and newest.sellable
        and (newest.name, newest.rank, newest.agents_enforced)
        == (terms.name, terms.rank, terms.agents_enforced)
        and (newest.agents_min, newest.agents_max) == terms.agents
        and {_said_by(row.limit) for row in newest.limits.all()}
        == {_said_by(limit) for limit in terms.limits}
    )


def _said_by(limit: Limit) -> tuple[str, str, int]:
    """What two limits must share to be the same. Anchors that give the same windows count as the same."""
    return limit.name, limit.rule.key, limit.nanousd


def _parse(text: str) -> list[_Terms]:
    try:
        plans = [_terms(row) for row in json.loads(text)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise PlanListInvalid(
            _("The list of plans cannot be read: %(error)s") % {"error": f"{type(error).__name__}: {error}"}
        ) from None
    if len({plan.code for plan in plans}) < len(plans):
        raise PlanListInvalid(_("The list names a plan twice."))
    return plans


def _terms(row: dict[str, Any]) -> _Terms:
    limits = tuple(_limit(limit) for limit in row["limits"])
    terms = _Terms(
        code=str(row["code"]),
        name=str(row["name"]),
        rank=int(row["rank"]),
        agents=(int(row["agents"][0]), int(row["agents"][1])),
        agents_enforced=bool(row.get("agents_enforced", False)),
        limits=limits,
    )
    if not limits:
        raise ValueError(f"{terms.name} has no limits")
    if len({limit.name for limit in limits}) < len(limits) or len({x.rule.key for x in limits}) < len(limits):
        raise ValueError(f"{terms.name} has two limits of one name, or of one window rule")
    if not 1 <= terms.agents[0] <= terms.agents[1]:
        raise ValueError(f"{terms.name} has agents that are no range from 1 up")
    return terms


def _limit(row: dict[str, Any]) -> Limit:
    """One limit. Raises KeyError, TypeError or ValueError for one that is no limit."""
    anchor = datetime.fromisoformat(row["anchor"]) if row.get("anchor") else None
    rule = Rule(Policy(row["policy"]), int(row["length_seconds"]), anchor)
    if not MIN_LENGTH_SECONDS <= rule.length_seconds <= MAX_LENGTH_SECONDS or rule.length_seconds % STEPS:
        raise ValueError(
            f"a window lasts whole minutes, from an hour to 31 days, not {rule.length_seconds} s"
        )
    if (rule.policy is Policy.FIXED) != (anchor is not None) or (anchor and anchor.tzinfo is None):
        raise ValueError("a fixed window, and no other, has an anchor, with its time zone")
    nanousd = nanousd_from_usd(row["usd"])
    if nanousd < 0:
        raise ValueError("a limit is not negative")
    return Limit(str(row["name"]), rule, nanousd)

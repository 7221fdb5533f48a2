"""Versions of plans: drafted, put on sale, followed by newer ones, withdrawn from sale.

What a version costs is billing's, so billing has the verbs that operators call: they add the price.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from quota.errors import PlanDraftExists, PlanNotSellable, PlanPublished
from quota.models import Plan, PlanLimit
from quota.money import MAX_NANOUSD, usd_text
from quota.plan_terms import VersionTerms
from quota.windows import Limit
from teams.models import User
from teams.services.audit import because, record
from tokenplan.kit.errors import InvalidValue, NotFound
from tokenplan.kit.transactions import one_transaction, refused_by


@one_transaction()
def draft_plan(*, terms: VersionTerms, reason: str = "", at: datetime, by: User | None) -> Plan:
    """The draft of the next version of a plan, or of a plan that is new. Nothing on sale changes by it.

    Raises PlanDraftExists where the plan has one.
    """
    _check(terms.limits)
    versions = _locked_versions(terms.code)
    if any(plan.published_at is None for plan in versions):
        raise PlanDraftExists
    newest = max((plan.version for plan in versions), default=0)
    plan = Plan(code=terms.code, version=newest + 1, created_at=at)
    # Two first drafts at once have no version that both could lock.
    with refused_by(a_plan_has_one_draft=PlanDraftExists, one_plan_per_code_and_version=PlanDraftExists):
        _write(plan, terms)
    record(team=None, by=by, action="plan.drafted", subject=str(plan), details=because(reason), at=at)
    return plan


@one_transaction()
def change_draft(*, plan: Plan, terms: VersionTerms, reason: str = "", at: datetime, by: User | None) -> Plan:
    """The draft says this from now on. Raises PlanPublished for a version that is no draft."""
    _check(terms.limits)
    draft = locked_draft(plan)
    draft.limits.all().delete()
    _write(draft, terms)
    details = because(reason)
    record(team=None, by=by, action="plan.draft_changed", subject=str(draft), details=details, at=at)
    return draft


@one_transaction()
def discard_draft(*, plan: Plan, reason: str = "", at: datetime, by: User | None) -> None:
    """The draft is gone, with its prices; its number is given to the next draft. Raises PlanPublished for a
    version that is no draft.
    """
    draft = locked_draft(plan)
    details = because(reason)
    record(team=None, by=by, action="plan.draft_discarded", subject=str(draft), details=details, at=at)
    draft.delete()


@one_transaction()
def put_on_sale(*, plan: Plan, reason: str = "", at: datetime, by: User | None) -> Plan:
    """The draft is published: from now on it is sold, in place of the version before, whose holders keep
    theirs. Raises PlanPublished where it is published already.
    """
    draft = locked_draft(plan)
    Plan.objects.sellable().filter(code=draft.code).update(sellable=False)
    draft.published_at, draft.sellable = at, True
    draft.save(update_fields=["published_at", "sellable"])
    details = because(reason)
    record(team=None, by=by, action="plan.published", subject=str(draft), details=details, at=at)
    return draft


@one_transaction()
def withdraw_plan(*, plan: Plan, reason: str = "", at: datetime, by: User | None) -> None:
    """Nobody can buy the plan until a newer version is published; holders keep theirs. Raises PlanNotSellable
    for a version that is not on sale.
    """
    if not any(version.pk == plan.pk and version.sellable for version in _locked_versions(plan.code)):
        raise PlanNotSellable
    Plan.objects.filter(pk=plan.pk).update(sellable=False)
    details = because(reason)
    record(team=None, by=by, action="plan.withdrawn", subject=str(plan), details=details, at=at)


def locked_draft(plan: Plan) -> Plan:
    """The draft as it is now, with all versions of its plan locked until the transaction ends. Raises
    PlanPublished for a version that is no draft any more, and NotFound for one that was discarded.
    """
    draft = next((version for version in _locked_versions(plan.code) if version.pk == plan.pk), None)
    if draft is None:
        raise NotFound
    if draft.published_at is not None:
        raise PlanPublished
    return draft


def _locked_versions(code: str) -> list[Plan]:
    return list(Plan.objects.select_for_update(no_key=True).filter(code=code).order_by("pk"))


def _check(limits: Sequence[Limit]) -> None:
    for limit in limits:
        if not 0 <= limit.nanousd <= MAX_NANOUSD:
            raise InvalidValue(
                _("A limit is from nothing to %(most)s.") % {"most": usd_text(MAX_NANOUSD)}, pointer="/limits"
            )


def _write(plan: Plan, terms: VersionTerms) -> None:
    plan.name, plan.rank, plan.agents_enforced = terms.name, terms.rank, terms.agents_enforced
    plan.agents_min, plan.agents_max = terms.agents
    plan.save()
    for limit in terms.limits:
        PlanLimit.objects.create(
            plan=plan,
            name=limit.name,
            policy=limit.rule.policy,
            length_seconds=limit.rule.length_seconds,
            anchor=limit.rule.anchor,
            limit_nanousd=limit.nanousd,
        )
